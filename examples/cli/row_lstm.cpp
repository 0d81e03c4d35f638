// SPDX-License-Identifier: MIT
// The nets of PixelRNN with Row LSTM.
#include <pixelrnn/models/pixel_rnn.hpp>

#include "likelihoods.hpp"

namespace cli {

// Not in an unnamed namespace: g++ 12 gives take_net of an alias template external linkage even so,
// and the aliases of two files would be one.
template <class L>
using RowLearned = PixelRNN<RowLSTM<LearnedState>, L>;
template <class L>
using RowZero = PixelRNN<RowLSTM<ZeroState>, L>;

Net make_row_lstm(const ModelSpec& spec, Rng& rng) {
  if (spec.initial_state == "learned") return take_net<RowLearned>(spec, rng);
  if (spec.initial_state == "zero") return take_net<RowZero>(spec, rng);
  fail_initial_state(spec, "learned or zero");
}

}  // namespace cli
