// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <pixelrnn/nn/spatial_lstm/spatial_lstm.hpp>

#include "support/allocations.hpp"
#include "support/dependency.hpp"
#include "support/layer_checks.hpp"

using namespace pixelrnn;
using test::random_map;

namespace {

template <class B>
SpatialLSTM<B> spatial(Index in, Index hidden, Index colours = 1, Index condition = 0) {
  Rng rng(1);
  SpatialLSTM<B> layer(
      {.in_channels = in, .hidden = hidden, .colours = colours, .condition_channels = condition},
      rng);
  test::randomise(layer, 2, 0.7);
  layer.apply_mask();
  return layer;
}

/// Equations 7 and 8 of Theis & Bethge 2015, cell by cell.
class NaiveSpatial {
 public:
  template <class L>
  explicit NaiveSpatial(const L& layer) {
    for (const auto& [name, parameter] : parameters(layer)) {
      const FeatureMap<double> copy(parameter->shape());
      auto& to = name == "bias" ? bias_ : name == "input_weights" ? input_ : state_;
      to = copy;
      std::copy(parameter->value().begin(), parameter->value().end(), to.begin());
    }
  }
  [[nodiscard]] FeatureMap<double> operator()(const FeatureMap<double>& x) const {
    const Shape<4> s = x.shape();
    const Index units = state_.shape()[2];
    FeatureMap<double> h(s.with_channels(units)), c = h;
    const auto at = [](const FeatureMap<double>& map, Index n, Index r, Index j, Index u) {
      return r < 0 || j < 0 ? 0 : map(n, r, j, u);
    };
    for (Index n = 0; n < s.n(); ++n) {
      for (Index r = 0; r < s.h(); ++r) {
        for (Index j = 0; j < s.w(); ++j) {
          for (Index u = 0; u < units; ++u) {
            const auto sum = [&](Index gate) {
              const Index column = gate * units + u;
              double z = bias_(0, 0, 0, column);
              for (Index i = 0; i < s.c(); ++i) z += x(n, r, j, i) * input_(0, 0, i, column);
              for (Index i = 0; i < units; ++i) {
                z += at(h, n, r - 1, j, i) * state_(0, 0, i, column);
                z += at(h, n, r, j - 1, i) * state_(1, 0, i, column);
              }
              return z;
            };
            const auto sigma = [&](Index gate) { return 1 / (1 + std::exp(-sum(gate))); };
            c(n, r, j, u) = sigma(1) * at(c, n, r, j - 1, u) + sigma(2) * at(c, n, r - 1, j, u) +
                            sigma(3) * std::tanh(sum(4));
            h(n, r, j, u) = std::tanh(sigma(0) * c(n, r, j, u));
          }
        }
      }
    }
    return h;
  }

 private:
  FeatureMap<double> bias_, input_, state_;
};

}  // namespace

TEMPLATE_TEST_CASE("Spatial LSTM is the equations of its paper", "[nn][spatial_lstm]",
                   test::ReferenceBackend, test::EigenBackend, test::XsimdBackend) {
  for (const Shape<3>& map : test::maps) {
    for (const Index hidden : {1, 5, 16}) {
      CAPTURE(map, hidden);
      const auto layer = spatial<TestType>(3, hidden);
      const auto x = random_map<double>(test::with_channels(map, 3), 3);
      CHECK(test::difference(test::output(layer, x), NaiveSpatial(layer)(x), 1e-11) == "");
    }
  }
  // The control: an LSTM's o ⊙ tanh(c) is something else.
  const auto layer = spatial<TestType>(2, 3);
  const auto x = random_map<double>({1, 2, 2, 2}, 3);
  auto wrong = NaiveSpatial(layer)(x);
  for (double& v : wrong) v = std::atanh(v);
  CHECK(test::difference(test::output(layer, x), wrong, 1e-4) != "");
}

TEMPLATE_TEST_CASE("Spatial LSTM has its gradients", "[nn][spatial_lstm]", test::ReferenceBackend,
                   test::XsimdBackend) {
  auto layer = spatial<TestType>(3, 4);
  test::check_gradients(layer, 3);
  auto colour = spatial<TestType>(3, 5, 3);
  test::check_gradients(colour, 3);
}

TEMPLATE_TEST_CASE("Spatial LSTM walks to the bits of whole maps, for any threads and neighbours",
                   "[nn][spatial_lstm]", test::ReferenceBackend, test::EigenBackend,
                   test::XsimdBackend) {
  for (const Shape<3>& map : test::small_maps) {
    CAPTURE(map);
    const auto layer = spatial<TestType>(3, 7, 3);
    const auto x = random_map<double>(test::with_channels(map, 3), 4);
    test::check_walk_is_forward<TestType>(layer, x);
    test::check_same_bits_for_all_threads(layer, x);
    if constexpr (test::promises_bits<TestType>) {
      test::check_images_do_not_depend_on_each_other(layer, x);
    }
  }
}

TEST_CASE("Spatial LSTM sees the rows above and columns to the left, and nothing else",
          "[nn][spatial_lstm]") {
  for (const Index colours : {1, 3}) {
    CAPTURE(colours);
    const auto layer = spatial<test::XsimdBackend>(3, 6, colours);
    const auto x = random_map<double>({1, 4, 5, 3}, 5);
    const auto check = [&](bool knows_left) {
      return test::check_dependencies<double>(
          [&](const auto& map) { return test::output(layer, map); }, x,
          [&](const test::Cell& out, const test::Cell& in) {
            if (in.row > out.row || in.column > out.column) return false;
            if (!test::is_same_pixel(in, out)) return knows_left || in.column == out.column;
            return in.channel * colours / 3 <= out.channel * colours / 6;
          });
    };
    const auto report = check(true);
    CHECK(report.leak == "");
    CHECK(report.blind == "");
    CHECK(check(false).leak != "");
  }
}

TEST_CASE("Spatial LSTM is told something image by image or pixel by pixel", "[nn][spatial_lstm]") {
  auto layer = spatial<test::XsimdBackend>(2, 5, 1, 3);
  const auto x = random_map<double>({2, 3, 4, 2}, 6);
  for (const Shape<4>& told : {Shape<4>{2, 1, 1, 3}, Shape<4>{2, 3, 4, 3}}) {
    CAPTURE(told);
    const auto c = random_map<double>(told, 7);
    const auto report = gradcheck(layer, {x, c}, [&](Tape<double>& tape, const auto& in) {
      tape.set_condition(in[1]);
      return layer.forward(in[0]);
    });
    INFO(report.where);
    CHECK(report);
    Tape<double> tape({.record = false, .walk_bits = true});
    tape.set_condition(tape.constant(c));
    const FeatureMap<double> whole(layer.forward(tape.constant(x)).value());
    CHECK(test::bit_difference(test::walk(layer, x, test::Visits::once, c), whole) == "");
    CHECK(test::bit_difference(whole, test::output(spatial<test::XsimdBackend>(2, 5), x)) != "");
  }
}

TEST_CASE("In float gradients of a Spatial LSTM are right where its cells saturate",
          "[nn][spatial_lstm]") {
  // Weights with which cells grow along some hundred paths: 1 - h² would be rounding, and dc huge.
  const auto gradients = [](auto zero) {
    using T = decltype(zero);
    Rng rng(1);
    SpatialLSTM<Backend<T>> layer({.in_channels = 2, .hidden = 16}, rng);
    const FeatureMap<float> numbers = random_map<float>({1, 24, 24, 2}, 7);
    FeatureMap<T> x(numbers.shape());
    std::copy(numbers.begin(), numbers.end(), x.begin());
    std::uint64_t seed = 2;
    for (const auto& [name, parameter] : parameters(layer)) {
      const FeatureMap<float> values = random_map<float>(parameter->shape(), seed++);
      std::transform(values.begin(), values.end(), parameter->value().begin(),
                     [](float v) { return static_cast<T>(0.6F * v); });
    }
    Gradients<T> of_parameters(layer);
    Tape<T> tape;
    const Variable<T> y = layer.forward(tape.input(x));
    tape.backward(sum(y), of_parameters);
    std::vector<double> found;
    double saturated = 0;
    for (const T h : y.value()) saturated += std::abs(h) > 1 - 1e-6 ? 1 : 0;
    CHECK(saturated > 100);
    for (const auto& [name, parameter] : parameters(layer)) {
      const auto one = of_parameters[*parameter];
      found.insert(found.end(), one.begin(), one.end());
    }
    return found;
  };
  const std::vector<double> exact = gradients(0.0), found = gradients(0.0F);
  double largest = 0, error = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    largest = std::max(largest, std::abs(exact[i]));
    error = std::max(error, std::abs(found[i] - exact[i]));
  }
  CHECK(error < 1e-3 * largest);
}

TEST_CASE("Spatial LSTM allocates nothing once it is warm", "[nn][spatial_lstm]") {
  const auto layer = spatial<test::XsimdBackend>(2, 5);
  const auto x = random_map<double>({3, 4, 4, 2}, 6);
  Tape<double> tape;
  const auto step = [&] {
    tape.reset();
    tape.backward(sum(layer.forward(tape.input(x))));
  };
  step(), step();
  const std::size_t before = test::allocation_count();
  step();
  CHECK(test::allocation_count() == before);
}

TEST_CASE("Spatial LSTM says what it is, counts its FLOP, and refuses what it cannot take",
          "[nn][spatial_lstm]") {
  Rng rng(1);
  const SpatialLSTM<> layer({.in_channels = 4, .hidden = 6, .colours = 3}, rng);
  CHECK(layer.describe() == "SpatialLSTM(4->6, colours 3)");
  CHECK(flops(layer, 3, 5) == 10 * 6 * (15 * 4 + (10 + 12) * 6));
  CHECK_THROWS_ERROR(layer.output_shape({1, 2, 2, 3}), ShapeError,
                     "SpatialLSTM: x is (N=1, H=2, W=2, C=3), expected (N, H, W, C=4)");
  CHECK_THROWS_ERROR(SpatialLSTM<>({.hidden = 0}, rng), ConfigError,
                     "SpatialLSTM: Config is {in_channels=1, hidden=0, colours=1}");
  auto cache = layer.make_cache({1, 2, 2});
  CHECK_THROWS_AS(layer.end_row(cache, 2), ShapeError);
}
