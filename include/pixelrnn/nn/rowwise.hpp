// SPDX-License-Identifier: MIT
// Rowwise: a function of the values of one pixel as a layer, with its pass and its walk.
#pragma once

#include <concepts>
#include <span>
#include <string>
#include <utility>

#include <pixelrnn/kernels/backend.hpp>
#include <pixelrnn/nn/layer.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// A function of the values of one pixel, with its derivative; nn/gate.hpp is one.
///   outputs(channels)          how many values come of so many; throws ShapeError if none do
///   describe()                 its name and options
///   forward(x, y)              both spans of one pixel
///   backward(x, y, dy, dx)     dx[i] += Σ_j dy[j] · ∂y[j]/∂x[i]
///   colours()                  optional: of how many colour groups it keeps the channels apart; 0:
///                              of any number, being element-wise. Without it, it may mix them all.
template <class F, class T>
concept RowFunction = std::copyable<F> &&
    requires(const F& f, Index channels, std::span<const T> in, std::span<T> out) {
  { f.outputs(channels) } -> std::same_as<Index>;
  { f.describe() } -> std::convertible_to<std::string>;
  f.forward(in, out);
  f.backward(in, in, in, out);
};

/// y(n, i, j) = f(x(n, i, j)): element-wise functions, gates, softmaxes over channels. No
/// parameters.
template <class F, class B = Backend<>>
requires RowFunction<F, typename B::Scalar>
class Rowwise {
 public:
  using Scalar = typename B::Scalar;
  using BackendPolicy = B;
  static constexpr bool separates_images = true;
  static constexpr bool is_pointwise = true;
  struct Cache {
    detail::GuardedWalk walk;
  };

  explicit Rowwise(F f = F()) : f_(std::move(f)) {}

  [[nodiscard]] const F& function() const { return f_; }
  [[nodiscard]] Shape<4> output_shape(Shape<4> x) const {
    return x.with_channels(f_.outputs(x.c()));
  }
  [[nodiscard]] std::string describe() const { return f_.describe(); }
  void for_each_parameter(auto&&) {}

  [[nodiscard]] Variable<Scalar> forward(Variable<Scalar> x) const {
    struct Op {
      F f;
      void backward(pixelrnn::Backward<Scalar>& ctx) const {
        const FeatureView<const Scalar> in = ctx.input(0), y = ctx.output();
        const FeatureView<const Scalar> dy = ctx.output_gradient();
        const FeatureView<Scalar> dx = ctx.input_gradient(0);
        const Index c = in.shape().c(), out = y.shape().c();
        for_each_pixel(ctx.threads(), in.shape(), [&](Index pixel) {
          f.backward(span(in.data() + pixel * c, c), span(y.data() + pixel * out, out),
                     span(dy.data() + pixel * out, out), span(dx.data() + pixel * c, c));
        });
      }
    };
    const FeatureView<Scalar> y = x.tape().allocate(output_shape(x.shape()));
    const Scalar* const in = x.value().data();
    const Index c = x.shape().c(), out = y.shape().c();
    for_each_pixel(x.tape().threads(), x.shape(), [&](Index pixel) {
      f_.forward(span(in + pixel * c, c), span(y.data() + pixel * out, out));
    });
    return x.tape().record("Rowwise", y, {x}, Op{f_});
  }

  [[nodiscard]] Known known(Known x) const {
    if constexpr (requires {
                    { f_.colours() } -> std::same_as<Index>;
                  }) {
      return f_.colours() == 0 ? x : x.through(OwnPixel::own_colour, f_.colours());
    } else {
      return x.through(OwnPixel::own_colour, 1);
    }
  }
  [[nodiscard]] Cache make_cache(Walk walk) const { return {{walk}}; }
  void step(Cache& cache, Index row, Index column, const MatrixView<const Scalar>& x,
            const MatrixView<Scalar>& y) const {
    detail::require_input("Rowwise", cache.walk, row, column, x, x.columns);
    detail::require_output("Rowwise", cache.walk, y, f_.outputs(x.columns));
    for (Index b = 0; b < x.rows; ++b)
      f_.forward(span(x.row(b), x.columns), span(y.row(b), y.columns));
  }
  void end_row(Cache&, Index) const {}

 private:
  template <class T>
  static std::span<T> span(T* data, Index count) {
    return {data, static_cast<std::size_t>(count)};
  }
  template <class Body>
  static void for_each_pixel(int threads, const Shape<4>& s, const Body& body) {
    const Chunks parts{s.n() * s.h() * s.w()};
    B::Execution::for_each(threads, parts.size(), [&](Index part, Index) {
      for (Index pixel = parts.first(part); pixel < parts.last(part); ++pixel) body(pixel);
    });
  }
  F f_;
};

}  // namespace pixelrnn::inline PIXELRNN_ABI
