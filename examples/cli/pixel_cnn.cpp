// SPDX-License-Identifier: MIT
// The net of PixelCNN.
#include <pixelrnn/models/pixel_cnn.hpp>

#include "likelihoods.hpp"

namespace cli {

Net make_pixel_cnn(const ModelSpec& spec, Rng& rng) { return take_net<PixelCNN>(spec, rng); }

}  // namespace cli
