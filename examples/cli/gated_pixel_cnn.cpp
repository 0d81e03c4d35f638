// SPDX-License-Identifier: MIT
// The net of Gated PixelCNN.
#include <pixelrnn/models/gated_pixel_cnn.hpp>

#include "likelihoods.hpp"

namespace cli {

template <class L>
using GatedPixelCNNOf = GatedPixelCNN<L>;

Net make_gated_pixel_cnn(const ModelSpec& spec, Rng& rng) {
  return take_net<GatedPixelCNNOf>(spec, rng);
}

}  // namespace cli
