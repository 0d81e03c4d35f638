// SPDX-License-Identifier: MIT
// The net of WaveNet.
#include <pixelrnn/models/wave_net.hpp>

#include "likelihoods.hpp"

namespace cli {

template <class L>
using WaveNetOf = WaveNet<L>;

Net make_wave_net(const ModelSpec& spec, Rng& rng) { return take_net<WaveNetOf>(spec, rng); }

}  // namespace cli
