// SPDX-License-Identifier: MIT
// The nets of PixelRNN with Diagonal BiLSTM.
#include <pixelrnn/models/pixel_rnn.hpp>

#include "likelihoods.hpp"

namespace cli {

// Not in an unnamed namespace: g++ 12 gives take_net of an alias template external linkage even so,
// and the aliases of two files would be one.
template <class L>
using DiagonalLearned = PixelRNN<DiagonalBiLSTM<LearnedState>, L>;
template <class L>
using DiagonalZero = PixelRNN<DiagonalBiLSTM<ZeroState>, L>;
template <class L>
using DiagonalPaddedScan = PixelRNN<DiagonalBiLSTM<PaddedScanState>, L>;

Net make_diagonal_bilstm(const ModelSpec& spec, Rng& rng) {
  if (spec.initial_state == "learned") return take_net<DiagonalLearned>(spec, rng);
  if (spec.initial_state == "zero") return take_net<DiagonalZero>(spec, rng);
  if (spec.initial_state == "padded_scan") return take_net<DiagonalPaddedScan>(spec, rng);
  fail_initial_state(spec, "learned, zero or padded_scan");
}

}  // namespace cli
