// SPDX-License-Identifier: MIT
// A benchmark of your own layer: first that it is right, then how fast, beside a layer of ours.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <iostream>

#include <pixelrnn/pixelrnn.hpp>

using namespace pixelrnn;

/// y = a ⊙ x with one trained factor a channel; its derivative is mul's.
class ChannelScale {
 public:
  using Scalar = float;
  struct Cache {};

  explicit ChannelScale(Index channels) : factors_({1, 1, 1, channels}) {
    std::fill_n(factors_.value().data(), channels, 1.5f);
  }
  [[nodiscard]] Variable<float> forward(Variable<float> x) const {
    return mul(x, x.tape().leaf(factors_));
  }
  [[nodiscard]] Shape<4> output_shape(Shape<4> x) const { return x; }
  void for_each_parameter(auto&& visit) { visit("factors", factors_); }

  [[nodiscard]] Cache make_cache(Walk) const { return {}; }
  void step(Cache&, Index, Index, MatrixView<const float> x, MatrixView<float> y) const {
    for (Index b = 0; b < x.rows; ++b) {
      for (Index c = 0; c < x.columns; ++c) y(b, c) = factors_.value().data()[c] * x(b, c);
    }
  }
  void end_row(Cache&, Index) const {}

 private:
  Parameter<float> factors_;
};

// What is measured: 16 maps of 28×28 with 32 channels, as in a small model for MNIST.
constexpr Shape<4> shape{16, 28, 28, 32};
constexpr int threads = 1;

ChannelScale make(std::type_identity<ChannelScale>) { return ChannelScale(shape.c()); }
ReLU<> make(std::type_identity<ReLU<>>) { return {}; }

FeatureMap<float> random_input() {
  FeatureMap<float> x(shape);
  Rng rng(1);
  for (float& v : x) v = static_cast<float>(rng.normal());
  return x;
}

/// The incremental walk over all pixels of x.
template <IncrementalLayer L>
void walk(const L& layer, FeatureView<const float> x, FeatureView<float> y) {
  auto cache = layer.make_cache({shape.n(), shape.h(), shape.w(), shape.c()});
  const Index image = shape.h() * shape.w() * shape.c();
  for (Index r = 0; r < shape.h(); ++r) {
    for (Index j = 0; j < shape.w(); ++j) {
      layer.step(cache, r, j, {&x(0, r, j, 0), shape.n(), shape.c(), image},
                 {&y(0, r, j, 0), shape.n(), shape.c(), image});
    }
    layer.end_row(cache, r);
  }
}

/// A fast wrong layer is not a result: pass and walk must agree.
template <class L>
bool is_right() {
  const L layer = make(std::type_identity<L>{});
  const FeatureMap<float> x = random_input();
  FeatureMap<float> walked(shape);
  walk(layer, x, walked);
  Tape<float> tape({.threads = threads, .record = false});
  return std::ranges::equal(layer.forward(tape.constant(x)).value(), walked.view());
}

/// Pixels a second in `pixel/s`, and the memory that must at least be moved for them.
void report(benchmark::State& state, Index maps) {
  using benchmark::Counter;
  const auto pixels = static_cast<double>(shape.n() * shape.h() * shape.w());
  const auto bytes = static_cast<double>(maps * shape.count()) * sizeof(float);
  state.counters["pixel/s"] = Counter(pixels, Counter::kIsIterationInvariantRate);
  state.counters["B/s"] = Counter(bytes, Counter::kIsIterationInvariantRate);
}

template <class L>
void forward(benchmark::State& state) {
  const L layer = make(std::type_identity<L>{});
  const FeatureMap<float> x = random_input();
  Tape<float> tape({.threads = threads, .record = false});
  for (auto _ : state) {
    tape.reset();
    benchmark::DoNotOptimize(layer.forward(tape.constant(x)).value().data());
  }
  report(state, 2);
}

template <class L>
void forward_and_backward(benchmark::State& state) {
  const L layer = make(std::type_identity<L>{});
  const FeatureMap<float> x = random_input(), dy = random_input();
  Tape<float> tape({.threads = threads});
  Gradients gradients(layer);
  for (auto _ : state) {
    tape.reset();
    const Variable<float> in = tape.input(x);
    tape.backward(layer.forward(in), dy, gradients);
    benchmark::DoNotOptimize(tape.gradient(in).data());
  }
  report(state, 5);
}

template <class L>
void incremental_walk(benchmark::State& state) {
  const L layer = make(std::type_identity<L>{});
  const FeatureMap<float> x = random_input();
  FeatureMap<float> y(shape);
  for (auto _ : state) {
    walk(layer, x, y);
    benchmark::ClobberMemory();
  }
  report(state, 2);
}

// Wall time, since operations may have threads of their own.
BENCHMARK_TEMPLATE(forward, ChannelScale)->UseRealTime();
BENCHMARK_TEMPLATE(forward, ReLU<>)->UseRealTime();
BENCHMARK_TEMPLATE(forward_and_backward, ChannelScale)->UseRealTime();
BENCHMARK_TEMPLATE(forward_and_backward, ReLU<>)->UseRealTime();
BENCHMARK_TEMPLATE(incremental_walk, ChannelScale)->UseRealTime();
BENCHMARK_TEMPLATE(incremental_walk, ReLU<>)->UseRealTime();

int main(int argc, char** argv) {
  if (!is_right<ChannelScale>() || !is_right<ReLU<>>()) {
    std::cerr << "the walks of a layer differ, so there is nothing to measure\n";
    return 1;
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
