// SPDX-License-Identifier: MIT
// Layers that are told something of their images: convolutions and both LSTMs.
#include <string>
#include <vector>

#include <pixelrnn/nn/convolution/one_hot_conv2d.hpp>

#include "support/allocations.hpp"
#include "support/conv_cases.hpp"
#include "support/diagonal_cases.hpp"
#include "support/row_lstm_cases.hpp"

using namespace pixelrnn;
using test::random_map;
namespace naive = test::naive;

namespace {

constexpr Index told_channels = 3;

/// A layer with what its images are told: passes and walks of it need nothing more.
template <class L>
struct Told {
  using Scalar = typename L::Scalar;
  using BackendPolicy = typename L::BackendPolicy;
  using Cache = typename L::Cache;
  L layer;
  FeatureMap<Scalar> c;

  [[nodiscard]] Variable<Scalar> forward(Variable<Scalar> x) const {
    x.tape().set_condition(x.tape().constant(c.view().slice(0, x.shape().n())));
    return layer.forward(x);
  }
  [[nodiscard]] Shape<4> output_shape(Shape<4> x) const { return layer.output_shape(x); }
  [[nodiscard]] Cache make_cache(Walk walk) const {
    walk.condition = FeatureView<const Scalar>(c.view());
    return layer.make_cache(walk);
  }
  void step(Cache& cache, Index row, Index column, const MatrixView<const Scalar>& x,
            const MatrixView<Scalar>& y) const {
    layer.step(cache, row, column, x, y);
  }
  void end_row(Cache& cache, Index row) const { layer.end_row(cache, row); }
  void for_each_parameter(auto&& visit) { layer.for_each_parameter(visit); }
};

template <class L>
Told(L, FeatureMap<typename L::Scalar>) -> Told<L>;

struct ToldMap {
  Shape<3> map;
  bool is_vector;
};
/// Few images and many, which walk in different ways; even widths go by pairs.
const std::vector<ToldMap>& told_maps() {
  static const std::vector<ToldMap> maps = [] {
    std::vector<ToldMap> all;
    for (const Shape<3>& map :
         {Shape<3>{2, 5, 4}, Shape<3>{1, 3, 7}, Shape<3>{9, 2, 2}, Shape<3>{2, 6, 1},
          Shape<3>{1, 1, 1}, Shape<3>{2, 1, 5}, Shape<3>{1, 33, 18}}) {
      all.push_back({map, true}), all.push_back({map, false});
    }
    return all;
  }();
  return maps;
}
template <class T>
FeatureMap<T> told_of(const ToldMap& m, std::uint64_t seed = 5) {
  return random_map<T>(m.is_vector ? Shape<4>{m.map[0], 1, 1, told_channels}
                                   : test::with_channels(m.map, told_channels),
                       seed);
}

/// Calls f(name, layer, what it must compute from x, w and a map of what is told) for one layer of
/// each kind, from 2 channels.
template <class B, class F>
void for_each_told_layer(F f) {
  Rng rng(1);
  const auto call = [&](const char* name, auto layer, const auto& expected) {
    test::randomise(layer, 1, test::calm);
    CAPTURE(name);
    f(std::move(layer), expected);
  };
  const auto conv = [](naive::Mask mask, bool relu = false) {
    return [=](const naive::Map& x, const naive::Weights& w, const naive::Map* told) {
      naive::Map in(x);
      for (double& v : in) v = relu ? std::max(v, 0.0) : v;
      return naive::add_told(naive::convolve(in, w.at("weights"), &w.at("bias"), {.mask = mask}), w,
                             told);
    };
  };
  call("3x3",
       MaskedConv2d<MaskB, B>({.in_channels = 2,
                               .out_channels = 4,
                               .kernel_height = 3,
                               .kernel_width = 3,
                               .condition_channels = told_channels},
                              rng),
       conv(naive::Mask::B));
  call("1x1",
       MaskedConv2d<MaskB, B>({.in_channels = 2,
                               .out_channels = 3,
                               .relu_input = true,
                               .condition_channels = told_channels},
                              rng),
       conv(naive::Mask::B, true));
  call("above",
       MaskedConv2d<Mask, B>(MaskAbove{},
                             {.in_channels = 2,
                              .out_channels = 3,
                              .kernel_height = 5,
                              .kernel_width = 3,
                              .condition_channels = told_channels},
                             rng),
       conv(naive::Mask::above));
  call("RowLSTM",
       RowLSTM<LearnedState, B>(
           {.in_channels = 2, .hidden = 3, .condition_channels = told_channels}, rng),
       [](const naive::Map& x, const naive::Weights& w, const naive::Map* told) {
         return naive::row_lstm(x, w, 1, told);
       });
  const DiagonalConfig diagonal{.in_channels = 2, .hidden = 3, .condition_channels = told_channels};
  call("from left", DiagonalLSTM<FromLeft, LearnedState, B>(diagonal, rng),
       [](const naive::Map& x, const naive::Weights& w, const naive::Map* told) {
         return naive::diagonal_lstm(x, w, naive::Edge::initial_state, 1, told);
       });
  call("from right", DiagonalLSTM<FromRight, LearnedState, B>(diagonal, rng),
       [](const naive::Map& x, const naive::Weights& w, const naive::Map* told) {
         return naive::shift_down(
             naive::diagonal_lstm_from_right(x, w, naive::Edge::initial_state, 1, told));
       });
  // The padding is told nothing: steps over it begin with the bias.
  call("BiLSTM", DiagonalBiLSTM<PaddedScanState, B>(diagonal, rng),
       [](const naive::Map& x, const naive::Weights& w, const naive::Map* told) {
         return naive::diagonal_bilstm(x, w, naive::Edge::padding_is_scanned, 1, told);
       });
}

}  // namespace

TEMPLATE_TEST_CASE("A layer that is told something adds K_c c to its pre-activations",
                   "[nn][condition]", test::ReferenceBackend, test::EigenBackend,
                   test::XsimdBackend, test::PairBackend) {
  for_each_told_layer<TestType>([](const auto& layer, const auto& expected) {
    for (const ToldMap& m : told_maps()) {
      CAPTURE(m.map, m.is_vector);
      const auto x = random_map<double>(test::with_channels(m.map, 2), 2);
      const Told told{layer, told_of<double>(m)};
      const naive::Map map = naive::told_map(told.c, x.shape());
      const naive::Weights w = naive::weights_of(layer);
      const auto y = test::output(told, x);
      CHECK(test::difference(y, expected(x, w, &map), test::rounding<double>) == "");
      test::check_walk_is_forward<TestType>(told, x);
      test::check_same_bits_for_all_threads(told, x);
      // The controls: another condition, and none, give something else. (The last row of a scan
      // from the right goes nowhere.)
      if (m.map[1] < 2) continue;
      const naive::Map other = naive::told_map(told_of<double>(m, 6), x.shape());
      CHECK(test::difference(y, expected(x, w, &other), 1e-3) != "");
      CHECK(test::difference(y, expected(x, w, nullptr), 1e-3) != "");
    }
  });
}

TEMPLATE_TEST_CASE("Gradients go to what is told, and to its weights", "[nn][condition]",
                   test::ReferenceBackend, test::EigenBackend, test::XsimdBackend,
                   test::PairBackend) {
  for_each_told_layer<TestType>([](auto layer, const auto&) {
    for (const ToldMap& m : told_maps()) {
      if (m.map[0] * m.map[1] * m.map[2] > 40) continue;
      CAPTURE(m.map, m.is_vector);
      const auto x = random_map<double>(test::with_channels(m.map, 2), 2);
      const auto report =
          gradcheck(layer, {x, told_of<double>(m)}, [&layer](Tape<double>& tape, const auto& in) {
            tape.set_condition(in[1]);
            return layer.forward(in[0]);
          });
      CHECK(report.passed);
      CHECK(report.checked >= x.size() + told_of<double>(m).size() + test::value_count(layer));
      // What is told may be constant: then only the weights are asked for.
      Told told{layer, told_of<double>(m)};
      CHECK(test::gradcheck_says(told, x) == "");
    }
  });
}

TEST_CASE("A residual can be added to what a convolution makes of what it is told",
          "[nn][condition]") {
  Rng rng(1);
  MaskedConv2d<MaskB, test::PairBackend> layer({.in_channels = 2,
                                                .out_channels = 2,
                                                .kernel_height = 3,
                                                .kernel_width = 3,
                                                .condition_channels = told_channels},
                                               rng);
  test::randomise(layer, 1);
  for (const bool is_vector : {true, false}) {
    const ToldMap m{{2, 4, 6}, is_vector};
    const auto x = random_map<double>({2, 4, 6, 2}, 2),
               residual = random_map<double>({2, 4, 6, 2}, 3);
    const auto add = [&layer](Tape<double>& tape, const auto& in) {
      tape.set_condition(in[2]);
      return layer.forward_add(in[0], in[1]);
    };
    CHECK(gradcheck(layer, {x, residual, told_of<double>(m)}, add));
    const Told told{layer, told_of<double>(m)};
    Tape<double> tape;
    const FeatureMap<double> y(
        add(tape, std::vector{tape.input(x), tape.input(residual), tape.input(told.c)}).value());
    CHECK(test::difference(y, naive::add(residual, test::output(told, x)), 1e-12) == "");
  }
}

TEST_CASE("A convolution of one-hot levels is told what another is", "[nn][condition]") {
  Rng rng(1);
  OneHotConv2d<MaskB, test::XsimdBackend> layer({.channels = 2,
                                                 .levels = 3,
                                                 .out_channels = 4,
                                                 .kernel_height = 3,
                                                 .kernel_width = 3,
                                                 .colours = 2,
                                                 .condition_channels = told_channels},
                                                rng);
  test::randomise(layer, 1);
  for (const bool is_vector : {true, false}) {
    CAPTURE(is_vector);
    const ToldMap m{{2, 3, 4}, is_vector};
    FeatureMap<double> x({2, 3, 4, 2});
    for (double& v : x) v = static_cast<double>(rng.below(3));
    const Told told{layer, told_of<double>(m)};
    const auto silent = Told{layer, FeatureMap<double>(told.c.shape())};
    const naive::Map map = naive::told_map(told.c, x.shape());
    const naive::Map expected =
        naive::add_told(test::output(silent, x), naive::weights_of(layer), &map);
    CHECK(test::difference(test::output(told, x), expected, 1e-12) == "");
    CHECK(test::bit_difference(test::walk(told, x), test::output(told, x)) == "");
    const auto report = gradcheck(layer, {told.c}, [&](Tape<double>& tape, const auto& in) {
      tape.set_condition(in[0]);
      return layer.forward(tape.constant(x));
    });
    CHECK(report.passed);
  }
}

TEST_CASE("A pass and a sweep of layers that are told something allocate once", "[nn][condition]") {
  for_each_told_layer<test::XsimdBackend>([](const auto& layer, const auto&) {
    const Told told{layer, told_of<double>({{3, 4, 4}, false})};
    const auto x = random_map<double>({3, 4, 4, 2}, 2);
    Tape<double> tape({.threads = 1});
    const auto step = [&] {
      tape.reset();
      tape.backward(sum(told.forward(tape.input(x))));
    };
    step(), step();
    const std::size_t before = test::allocation_count();
    step();
    CHECK(test::allocation_count() == before);
  });
}

TEST_CASE("What is told must be there and fit, or the layer says so", "[nn][condition]") {
  Rng rng(1);
  const RowLSTM<LearnedState, test::XsimdBackend> layer(
      {.in_channels = 2, .hidden = 3, .condition_channels = 4}, rng);
  const auto x = random_map<double>({2, 3, 5, 2}, 1);
  const auto told = [&](Shape<4> shape) { return Told{layer, FeatureMap<double>(shape)}; };
  CHECK_THROWS_ERROR(test::output(layer, x), ConfigError,
                     "RowLSTM: Config::condition_channels is 4, but nothing is told of the images; "
                     "see Tape::set_condition, Walk::condition and Images::set_labels");
  CHECK_THROWS_ERROR(layer.make_cache({2, 3, 5}), ConfigError, "but nothing is told");
  const std::string expected =
      "expected (N=2, H=1, W=1, C=4) or (N=2, H=3, W=5, C=4); C is Config::condition_channels";
  for (const Shape<4>& shape : {Shape<4>{2, 1, 1, 3}, Shape<4>{2, 3, 5, 5}, Shape<4>{2, 5, 3, 4},
                                Shape<4>{3, 1, 1, 4}, Shape<4>{2, 1, 5, 4}}) {
    CAPTURE(shape);
    if (shape.n() == 2) CHECK_THROWS_ERROR(test::output(told(shape), x), ShapeError, expected);
    CHECK_THROWS_ERROR(told(shape).make_cache({2, 3, 5}), ShapeError, expected);
  }
  CHECK_NOTHROW(test::output(told({2, 1, 1, 4}), x));
  // A walk in float is told nothing in double.
  const FeatureMap<float> in_float({2, 1, 1, 4});
  CHECK_THROWS_ERROR(
      layer.make_cache({.batch = 2, .height = 3, .width = 5, .condition = in_float.view()}),
      ConfigError, "nothing is told");
  using Conv = MaskedConv2d<MaskA, test::XsimdBackend>;
  CHECK_THROWS_ERROR(Conv({.condition_channels = -1}, rng), ConfigError,
                     "MaskedConv2d: Config::condition_channels is -1, expected 0 (no condition) or "
                     "more");
}

TEST_CASE("A layer that is told nothing has no weights for it and asks for nothing",
          "[nn][condition]") {
  Rng rng(1), same(1);
  const std::size_t before = parameters(RowLSTM<>({.in_channels = 2, .hidden = 3}, rng)).size();
  const RowLSTM<> told({.in_channels = 2, .hidden = 3, .condition_channels = 4}, same);
  const auto found = parameters(told);
  REQUIRE(found.size() == before + 1);
  CHECK(found.back().name == "condition_weights");
  CHECK(found.back().parameter->shape() == Shape<4>{1, 1, 4, 12});
  CHECK(told.describe() == "RowLSTM<learned>(2->3, k 3, condition 4)");
  // A condition on the tape is none of its business.
  const RowLSTM<> silent({.in_channels = 2, .hidden = 3}, rng);
  CHECK_NOTHROW(test::output(Told{silent, FeatureMap<float>({7, 3, 2, 1})},
                             random_map<float>({2, 3, 5, 2}, 1)));
}
