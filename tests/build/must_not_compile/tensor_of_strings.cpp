// SPDX-License-Identifier: MIT
// A tensor copies and clears its elements as bytes, so they must allow that.
// expect: is_trivially_copyable_v
#include <pixelrnn/core/tensor.hpp>
#include <string>

#ifdef RIGHT
using Element = float;
#else
using Element = std::string;
#endif
pixelrnn::Tensor<Element, 1> tensor;
