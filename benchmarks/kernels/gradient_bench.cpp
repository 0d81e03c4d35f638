// SPDX-License-Identifier: MIT
// Kernels of the way back that are no affine map: weight gradients, bias gradients, ReLU, addition.
#include "support/report.hpp"
#include "support/verify.hpp"

namespace {

using namespace pixelrnn;
using namespace pixelrnn::bench;

/// out (k × n) += in (m × k)ᵀ · d (m × n).
template <class K>
void add_outer_products(const FeatureMap<float>& in, const FeatureMap<float>& d,
                        FeatureMap<float>& out) {
  const Index k = in.shape().c(), n = d.shape().c();
  const kernels::RowPairs<float> pairs{in.data(), d.data(), in.shape().h() * in.shape().w()};
  K::add_outer_products(std::span<const kernels::RowPairs<float>>(&pairs, 1),
                        kernels::RowShape{k, k}, kernels::RowShape{n, n},
                        kernels::Rows<float>{out.data(), n});
}

template <class K>
void weight_gradient(benchmark::State& state, Index k, Index n) {
  constexpr Index side = 28;
  const FeatureMap<float> in = noise_map({1, side, side, k}), d = noise_map({1, side, side, n}, 5);
  FeatureMap<float> out({1, 1, k, n}), expected = out;
  add_outer_products<K>(in, d, out);
  add_outer_products<kernels::Reference>(in, d, expected);
  if (relative_error(out, expected) > tolerance) {
    return state.SkipWithError("differs from Reference");
  }
  for (auto _ : state) {
    add_outer_products<K>(in, d, out);
    benchmark::ClobberMemory();
  }
  report(state, {.flop = 2.0 * double(side * side * k * n), .pixels = double(side * side)}, 1);
}

/// An element-wise kernel on `count` values: run(x, y) changes y. `moved` values a value.
template <class Run, class Expected>
void pointwise(benchmark::State& state, Index count, double moved, Run run, Expected expect) {
  const FeatureMap<float> x = noise_map({1, 1, 1, count});
  FeatureMap<float> y = noise_map({1, 1, 1, count}, 5), expected = y;
  run(x, y), expect(x, expected);
  if (relative_error(y, expected) > tolerance) {
    return state.SkipWithError("differs from Reference");
  }
  for (auto _ : state) {
    run(x, y);
    benchmark::ClobberMemory();
  }
  report(state, {.bytes = 4 * moved * double(count)}, 1);
}

template <class K>
struct Pointwise {
  static void relu(const FeatureMap<float>& x, FeatureMap<float>& y) {
    K::relu(x.size(), x.data(), y.data());
  }
  static void relu_backward(const FeatureMap<float>& x, FeatureMap<float>& y) {
    K::relu_backward(x.size(), x.data(), static_cast<const float*>(y.data()), y.data(),
                     kernels::Store::Overwrite);
  }
  static void add(const FeatureMap<float>& x, FeatureMap<float>& y) {
    K::add(x.size(), x.data(), y.data());
  }
  /// Rows of 64 values, summed into the first of y.
  static void column_sums(const FeatureMap<float>& x, FeatureMap<float>& y) {
    std::fill_n(y.data(), 64, 0.0f);
    K::add_column_sums(x.size() / 64, 64, kernels::Rows<const float>{x.data(), 64}, y.data());
  }
};

const bool registered = [] {
  const auto with_all = []<class K>(K) {
    using P = Pointwise<K>;
    using R = Pointwise<kernels::Reference>;
    struct Size {
      const char* use;
      Index k, n;
    };
    for (const Size& s : {Size{"first_conv_h16", 24, 32}, Size{"upsample_h16", 16, 32},
                          Size{"cnn3x3_h16", 80, 16}, Size{"diagonal_h16", 32, 64},
                          Size{"diagonal_h32", 64, 128}, Size{"diagonal_h64", 128, 256},
                          Size{"upsample_h128", 128, 256}, Size{"diagonal_h128", 256, 512},
                          Size{"cnn3x3_h128", 640, 128}, Size{"first_head_h128", 256, 1024},
                          Size{"head_h128", 1024, 1024}, Size{"logits_h128", 1024, 256}}) {
      add(join("weight_gradient", s.use, K::name),
          [s](benchmark::State& state) { weight_gradient<K>(state, s.k, s.n); });
    }
    // In the first-level cache, in the second, in memory.
    for (const Index count : {1 << 12, 1 << 16, 1 << 24}) {
      const auto with = [=](const char* what, double moved, auto run, auto expect) {
        add(join(what, std::to_string(count), K::name),
            [=](benchmark::State& state) { pointwise(state, count, moved, run, expect); });
      };
      with("relu", 2, P::relu, R::relu);
      with("relu_backward", 3, P::relu_backward, R::relu_backward);
      with("add", 3, P::add, R::add);
      with("add_column_sums", 1, P::column_sums, R::column_sums);
    }
  };
  with_all(kernels::Xsimd{});
  with_all(kernels::Eigen{});
  with_all(kernels::Reference{});
  return true;
}();

}  // namespace
