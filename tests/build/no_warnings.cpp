// SPDX-License-Identifier: MIT
// Kernels and functions in which others' intrinsics are inlined. With WRONG a mistake of the user's
// own instead, of which the compiler must go on to warn.
#include <pixelrnn/kernels/eigen_map.hpp>
#include <pixelrnn/kernels/xsimd.hpp>

#ifndef WRONG

using namespace pixelrnn;

template void kernels::Xsimd::lstm_step_backward<float>(Index, Index,
                                                        const kernels::LstmStepBackward<float>&);
template void kernels::Xsimd::lstm_step_backward<double>(Index, Index,
                                                         const kernels::LstmStepBackward<double>&);
template <class T>
void apply(T* x) {
  const auto to_first = [x](auto y) { simd::store(x, y); };
  to_first(simd::exp(simd::load(x)));
  to_first(simd::log(simd::load(x)));
  to_first(simd::logistic(simd::load(x)));
  to_first(simd::tanh(simd::load(x)));
  to_first(simd::relu(simd::load(x)));
}
template void apply<float>(float*);
template void apply<double>(double*);

float logistic_by_eigen(RowMajor<float>& x) {
  x = (1 + (-x.array()).exp()).inverse() * x.array().tanh();
  return x.sum();
}

#else

int uninitialized() {
  int x;
  return x + 1;
}

#endif
