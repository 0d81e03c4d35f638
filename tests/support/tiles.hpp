// SPDX-License-Identifier: MIT
// The tiles of Xsimd's kernels are compiled once for all tests, in tiles.cpp: they are a quarter to
// a third of what clang's sanitizers take for a test, a tenth of g++'s time. The precompiled header
// includes this.
#pragma once

#include <pixelrnn/kernels/tile.hpp>

namespace pixelrnn::inline PIXELRNN_ABI::kernels::detail {

extern template void add_products<4, 1, float>(Index, std::span<const Strip<float>>,
                                               const Sums<float>&, Part);
extern template void add_products<2, 1, float>(Index, std::span<const Strip<float>>,
                                               const Sums<float>&, Part);
extern template void add_products<4, 2, float>(Index, std::span<const Strip<float>>,
                                               const Sums<float>&, Part);
extern template void add_products<2, 2, float>(Index, std::span<const Strip<float>>,
                                               const Sums<float>&, Part);
extern template void add_products<1, 2, float>(Index, std::span<const Strip<float>>,
                                               const Sums<float>&, Part);
extern template void add_products<4, 1, double>(Index, std::span<const Strip<double>>,
                                                const Sums<double>&, Part);
extern template void add_products<2, 1, double>(Index, std::span<const Strip<double>>,
                                                const Sums<double>&, Part);
extern template void add_products<4, 2, double>(Index, std::span<const Strip<double>>,
                                                const Sums<double>&, Part);
extern template void add_products<2, 2, double>(Index, std::span<const Strip<double>>,
                                                const Sums<double>&, Part);
extern template void add_products<1, 2, double>(Index, std::span<const Strip<double>>,
                                                const Sums<double>&, Part);

}  // namespace pixelrnn::inline PIXELRNN_ABI::kernels::detail
