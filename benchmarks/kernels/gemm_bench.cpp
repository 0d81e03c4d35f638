// SPDX-License-Identifier: MIT
// Matrix products on the shapes the models use: ours on packed weights, Eigen's, oneDNN's.
#include <vector>

#include "support/onednn.hpp"
#include "support/report.hpp"
#include "support/verify.hpp"

namespace {

using namespace pixelrnn;
using namespace pixelrnn::bench;

/// out (m × n) = in (m × k) · weights (k × n): one row a pixel.
struct Product {
  Product(Index m_, Index k_, Index n_)
      : m(m_), k(k_), n(n_), in({m, k}), weights({k, n}), out({m, n}) {
    Rng rng(3);
    for (float& v : in) v = static_cast<float>(rng.uniform(-1, 1));
    for (float& v : weights) v = static_cast<float>(rng.uniform(-1, 1));
  }
  [[nodiscard]] double flop() const { return 2.0 * static_cast<double>(m * k * n); }
  /// Whether `out` holds the product: every row of few, some of many.
  [[nodiscard]] bool is_right() const {
    double error = 0, scale = 0;
    const Index step = std::max<Index>(1, m / 7);
    for (Index r = 0; r < m; r = r == m - 1 ? m : std::min(r + step, m - 1)) {
      for (Index c = 0; c < n; ++c) {
        double sum = 0;
        for (Index i = 0; i < k; ++i) sum += double{in(r, i)} * double{weights(i, c)};
        error = std::max(error, std::abs(sum - double{out(r, c)}));
        scale = std::max(scale, std::abs(sum));
      }
    }
    return error <= 1e-5 * scale;
  }

  Index m, k, n;
  Tensor<float, 2> in, weights, out;
};

/// Calls multiply() once to be checked, then to be timed.
template <class Multiply>
void time(benchmark::State& state, Product& product, Multiply multiply) {
  product.out.fill(-1);
  multiply();
  if (!product.is_right()) return state.SkipWithError("differs from the definition");
  for (auto _ : state) {
    multiply();
    benchmark::ClobberMemory();
  }
  report(state, {.flop = product.flop()}, 1);
}

/// A kernel policy's affine; its weights are packed once, as layers do.
template <class K>
void ours(benchmark::State& state, Product p) {
  Workspace workspace;
  const auto packed = kernels::allocate_packed<K, float>(workspace, p.k, p.n);
  K::pack(packed, 0, kernels::Strided<float>{p.weights.data(), p.k, p.n, p.n, 1});
  const kernels::Term<float> term{p.in.data(), p.k, p.k};
  time(state, p, [&] {
    K::affine(p.m, std::span<const kernels::Term<float>>(&term, 1), kernels::as_const(packed),
              kernels::Rows<const float>{}, kernels::Rows<const float>{},
              kernels::Rows<float>{p.out.data(), p.n});
  });
}

void eigen(benchmark::State& state, Product p) {
  auto out = as_eigen(p.out.view());
  const auto in = as_eigen(p.in.view()), weights = as_eigen(p.weights.view());
  time(state, p, [&] { out.noalias() = in * weights; });
}

#if PIXELRNN_BENCH_ONEDNN
void onednn_sgemm(benchmark::State& state, Product p) {
  const OneThread guard;
  time(state, p, [&] { sgemm(p.m, p.n, p.k, p.in.data(), p.weights.data(), p.out.data()); });
}
/// Weights brought into the order oneDNN asks for beforehand: its fastest way.
void onednn_matmul(benchmark::State& state, Product p) {
  const OneThread guard;
  PackedMatmul matmul(p.m, p.n, p.k, p.in.data(), p.weights.data(), p.out.data());
  time(state, p, [&] { matmul(); });
}
#endif

const bool registered = [] {
  struct Weights {
    const char* use;
    Index k, n;
  };
  const std::vector<Weights> shapes{
      // MNIST size, h = 16.
      {"first_conv_h16", 24, 32},
      {"upsample_h16", 16, 32},
      {"head_h16", 32, 32},
      {"diagonal_h16", 64, 64},
      {"row_h16", 112, 64},
      {"cnn3x3_h16", 80, 16},
      {"diagonal_to_state_h16", 128, 16},
      {"diagonal_to_input_h16", 64, 32},
      // Between.
      {"diagonal_h32", 128, 128},
      {"diagonal_h64", 256, 256},
      // CIFAR size, h = 128.
      {"upsample_h128", 128, 256},
      {"down_h128", 256, 128},
      {"cnn3x3_h128", 640, 128},
      {"diagonal_h128", 512, 512},
      {"row_h128", 896, 512},
      {"diagonal_to_state_h128", 1024, 128},
      {"head_h128", 1024, 1024},
  };
  for (const Weights& w : shapes) {
    for (const Index m : {1, 4, 16, 28, 64, 256, 1024, 4096, 16384}) {
      const auto with = [=](const char* library, void (*run)(benchmark::State&, Product)) {
        add(join("gemm", w.use, numbered("m", m), library),
            [=](benchmark::State& state) { run(state, Product(m, w.k, w.n)); });
      };
      with("Xsimd", ours<kernels::Xsimd>);
      with("Eigen", eigen);
#if PIXELRNN_BENCH_ONEDNN
      with("oneDNN_matmul", onednn_matmul);
      with("oneDNN_sgemm", onednn_sgemm);
#endif
    }
  }
  return true;
}();

}  // namespace
