// SPDX-License-Identifier: MIT
// PixelRNN with Row LSTM: forward pass and training step.
#include "support/models.hpp"

namespace {

const bool registered =
    (pixelrnn::bench::add_model<pixelrnn::bench::RowNet>("model_row_lstm"), true);

}  // namespace
