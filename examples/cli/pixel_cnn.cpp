// SPDX-License-Identifier: MIT
// The net of PixelCNN.
#include <pixelrnn/models/pixel_cnn.hpp>

#include "likelihoods.hpp"

namespace cli {

// clang before 19 takes no template of two parameters for one of one, whatever their defaults.
template <class L>
using PixelCNNOf = PixelCNN<L>;

Net make_pixel_cnn(const ModelSpec& spec, Rng& rng) { return take_net<PixelCNNOf>(spec, rng); }

}  // namespace cli
