// SPDX-License-Identifier: MIT
// PixelRNN with Diagonal BiLSTM: forward pass and training step.
#include "support/models.hpp"

namespace {

const bool registered =
    (pixelrnn::bench::add_model<pixelrnn::bench::DiagonalNet>("model_diagonal_bilstm"), true);

}  // namespace
