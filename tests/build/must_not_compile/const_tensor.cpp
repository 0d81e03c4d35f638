// SPDX-License-Identifier: MIT
// The elements of a const tensor cannot be written through a view of it.
// expect: TensorView
#include <pixelrnn/core/tensor.hpp>

void zero(pixelrnn::TensorView<float, 2> view) {
  for (float& value : view) value = 0;
}

#ifdef RIGHT
void use(pixelrnn::Tensor<float, 2>& tensor) { zero(tensor); }
#else
void use(const pixelrnn::Tensor<float, 2>& tensor) { zero(tensor); }
#endif
