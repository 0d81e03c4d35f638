// SPDX-License-Identifier: MIT
// ReLU as a layer.
#pragma once

#include <pixelrnn/kernels/backend.hpp>
#include <pixelrnn/nn/layer.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// y = max(x, 0), element by element; NaN stays NaN. Derivative 0 at 0. No parameters.
template <class B = Backend<>>
class ReLU {
 public:
  using Scalar = typename B::Scalar;
  using Kernels = typename B::Kernels;
  using BackendPolicy = B;
  static constexpr bool separates_images = true;
  static constexpr bool is_pointwise = true;
  struct Cache {
    detail::GuardedWalk walk;
  };

  [[nodiscard]] Variable<Scalar> forward(Variable<Scalar> x) const {
    struct Op {
      void backward(pixelrnn::Backward<Scalar>& ctx) {
        const auto [dx, fresh] = ctx.claim_gradient(0);
        const Scalar* in = ctx.input(0).data();
        const Scalar* dy = ctx.output_gradient().data();
        Scalar* out = dx.data();
        const auto store = fresh ? kernels::Store::Overwrite : kernels::Store::Add;
        const Chunks parts{dx.size()};
        B::Execution::for_each(ctx.threads(), parts.size(), [=](Index part, Index) {
          const Index at = parts.first(part);
          Kernels::relu_backward(parts.last(part) - at, in + at, dy + at, out + at, store);
        });
      }
    };
    Tape<Scalar>& tape = x.tape();
    const FeatureView<Scalar> y = tape.allocate(x.shape());
    const Scalar* in = x.value().data();
    const Chunks parts{y.size()};
    B::Execution::for_each(tape.threads(), parts.size(), [&](Index part, Index) {
      const Index at = parts.first(part);
      Kernels::relu(parts.last(part) - at, in + at, y.data() + at);
    });
    return tape.record("ReLU", y, {x}, Op{});
  }
  [[nodiscard]] Shape<4> output_shape(Shape<4> x) const { return x; }
  [[nodiscard]] std::string describe() const { return "ReLU"; }
  void for_each_parameter(auto&&) {}

  [[nodiscard]] Cache make_cache(Walk walk) const { return {{walk}}; }
  void step(Cache& cache, Index row, Index column, const MatrixView<const Scalar>& x,
            const MatrixView<Scalar>& y) const {
    detail::require_input("ReLU", cache.walk, row, column, x, x.columns);
    detail::require_output("ReLU", cache.walk, y, x.columns);
    for (Index b = 0; b < x.rows; ++b) Kernels::relu(x.columns, x.row(b), y.row(b));
  }
  void end_row(Cache&, Index) const {}
};

static_assert(IncrementalLayer<ReLU<>>);

}  // namespace pixelrnn::inline PIXELRNN_ABI
