// SPDX-License-Identifier: MIT
// The net of PixelRNN with Spatial LSTM.
#include <pixelrnn/models/pixel_rnn.hpp>
#include <pixelrnn/nn/spatial_lstm/spatial_lstm.hpp>

#include "likelihoods.hpp"

namespace cli {

template <class L>
using SpatialOf = PixelRNN<SpatialLSTM<>, L>;

Net make_spatial_lstm(const ModelSpec& spec, Rng& rng) {
  if (spec.initial_state == "padded_scan") {
    detail::fail<ConfigError>("--initial-state padded_scan is of diagonal_bilstm, not of ",
                              spec.kind);
  }
  return take_net<SpatialOf>(spec, rng);
}

}  // namespace cli
