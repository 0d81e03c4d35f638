// SPDX-License-Identifier: MIT
#include "support/tiles.hpp"

namespace pixelrnn::inline PIXELRNN_ABI::kernels::detail {

template void add_products<4, 1, float>(Index, std::span<const Strip<float>>, const Sums<float>&,
                                        Part);
template void add_products<2, 1, float>(Index, std::span<const Strip<float>>, const Sums<float>&,
                                        Part);
template void add_products<4, 2, float>(Index, std::span<const Strip<float>>, const Sums<float>&,
                                        Part);
template void add_products<2, 2, float>(Index, std::span<const Strip<float>>, const Sums<float>&,
                                        Part);
template void add_products<1, 2, float>(Index, std::span<const Strip<float>>, const Sums<float>&,
                                        Part);
template void add_products<4, 1, double>(Index, std::span<const Strip<double>>, const Sums<double>&,
                                         Part);
template void add_products<2, 1, double>(Index, std::span<const Strip<double>>, const Sums<double>&,
                                         Part);
template void add_products<4, 2, double>(Index, std::span<const Strip<double>>, const Sums<double>&,
                                         Part);
template void add_products<2, 2, double>(Index, std::span<const Strip<double>>, const Sums<double>&,
                                         Part);
template void add_products<1, 2, double>(Index, std::span<const Strip<double>>, const Sums<double>&,
                                         Part);

}  // namespace pixelrnn::inline PIXELRNN_ABI::kernels::detail
