// SPDX-License-Identifier: MIT
// ELU as a layer.
#pragma once

#include <pixelrnn/nn/rowwise.hpp>
#include <pixelrnn/simd/math.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// See ELU.
struct ELUFunction {
  [[nodiscard]] Index colours() const { return 0; }
  [[nodiscard]] Index outputs(Index channels) const { return channels; }
  [[nodiscard]] std::string describe() const { return "ELU"; }
  template <class T>
  void forward(std::span<const T> x, std::span<T> y) const {
    simd::transform(std::ssize(x), x.data(), y.data(), [](simd::Batch<T> v) {
      const simd::Batch<T> zero(T{0}), one(T{1});
      return simd::select(v > zero, v, simd::exp(v) - one);
    });
  }
  template <class T>
  void backward(std::span<const T> x, std::span<const T> y, std::span<const T> dy,
                std::span<T> dx) const {
    for (std::size_t i = 0; i < x.size(); ++i) dx[i] += x[i] > 0 ? dy[i] : dy[i] * (y[i] + 1);
  }
};

/// y = x where x > 0, else e^x - 1 (Clevert et al. 2016, arXiv 1511.07289, eq. 15 with α = 1),
/// element by element. No parameters.
template <class B = Backend<>>
using ELU = Rowwise<ELUFunction, B>;

}  // namespace pixelrnn::inline PIXELRNN_ABI
