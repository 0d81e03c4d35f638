// SPDX-License-Identifier: MIT
// The library refuses -ffast-math by name: it would lose NaN and the order of its sums.
// expect: drop -ffast-math
#ifndef RIGHT
#define __FAST_MATH__ 1  // what -ffast-math defines
#endif
#include <pixelrnn/core/config.hpp>
