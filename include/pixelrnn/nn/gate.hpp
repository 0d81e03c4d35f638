// SPDX-License-Identifier: MIT
// Gate: the gated activation unit.
#pragma once

#include <pixelrnn/nn/rowwise.hpp>
#include <pixelrnn/simd/math.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// tanh(a) ⊙ σ(b): see Gate.
class GateFunction {
 public:
  explicit GateFunction(Index colours = 1) : colours_(colours) {
    if (colours < 1) {
      detail::fail<ConfigError>("Gate: colours is ", colours, ", expected 1 or more");
    }
  }

  [[nodiscard]] Index colours() const { return colours_; }
  [[nodiscard]] Index outputs(Index channels) const {
    if (channels % (2 * colours_) != 0) {
      detail::fail<ShapeError>("Gate: x has ", channels, " channels, expected a multiple of ",
                               2 * colours_, ": two halves for each of ", colours_, " colours");
    }
    return channels / 2;
  }
  [[nodiscard]] std::string describe() const {
    return colours_ == 1 ? "Gate" : "Gate(colours " + std::to_string(colours_) + ')';
  }
  template <class T>
  void forward(std::span<const T> x, std::span<T> y) const {
    const Index half = std::ssize(y) / colours_;
    for (Index g = 0; g < colours_; ++g) {
      const T* const a = x.data() + 2 * g * half;
      simd::transform(
          half, a, a + half, y.data() + g * half,
          [](simd::Batch<T> f, simd::Batch<T> o) { return simd::tanh(f) * simd::logistic(o); });
    }
  }
  template <class T>
  void backward(std::span<const T> x, std::span<const T>, std::span<const T> dy,
                std::span<T> dx) const {
    const Index half = std::ssize(dy) / colours_;
    for (Index g = 0; g < colours_; ++g) {
      const Index at = 2 * g * half;
      for (Index i = 0; i < half; i += simd::lanes<T>) {
        const Index count = std::min(simd::lanes<T>, half - i);
        const auto read = [count](const T* from) { return simd::load_up_to(from, count); };
        const T* const a = x.data() + at + i;
        T* const da = dx.data() + at + i;
        const simd::Batch<T> one(T{1}), t = simd::tanh(read(a)), s = simd::logistic(read(a + half));
        const simd::Batch<T> d = read(dy.data() + g * half + i);
        simd::store_up_to(da, read(da) + d * s * (one - t * t), count);
        simd::store_up_to(da + half, read(da + half) + d * t * s * (one - s), count);
      }
    }
  }

 private:
  Index colours_;
};

/// y = tanh(a) ⊙ σ(b), x being [a, b] (van den Oord et al. 2016b, arXiv 1606.05328, eq. 2), σ the
/// logistic function: x (N, H, W, 2C), y (N, H, W, C). With colours the channels of x are groups of
/// one colour each, and each group is [a, b]: then y has the groups of a convolution to C channels.
/// Throws ShapeError unless C is a multiple of the colours.
template <class B = Backend<>>
class Gate : public Rowwise<GateFunction, B> {
 public:
  explicit Gate(Index colours = 1) : Rowwise<GateFunction, B>(GateFunction(colours)) {}
};

static_assert(PointwiseLayer<Gate<>>);

}  // namespace pixelrnn::inline PIXELRNN_ABI
