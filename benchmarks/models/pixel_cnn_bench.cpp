// SPDX-License-Identifier: MIT
// PixelCNN: forward pass and training step.
#include "support/models.hpp"

namespace {

const bool registered =
    (pixelrnn::bench::add_model<pixelrnn::bench::ConvNet>("model_pixel_cnn"), true);

}  // namespace
