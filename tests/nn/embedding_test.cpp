// SPDX-License-Identifier: MIT
#include <limits>
#include <string>

#include <pixelrnn/autodiff/functions.hpp>
#include <pixelrnn/autodiff/gradcheck.hpp>
#include <pixelrnn/nn/embedding.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/compare.hpp"
#include "support/layers.hpp"
#include "support/random.hpp"

using namespace pixelrnn;

namespace {

using Table = Embedding<test::ReferenceBackend>;
constexpr EmbeddingConfig three_of_five{.channels = 3, .levels = 5, .dimension = 2};

/// Levels of a map (2, 3, 4, 3), all five of them.
FeatureMap<double> levels_of(std::uint64_t seed) {
  FeatureMap<double> x({2, 3, 4, 3});
  Rng rng(seed);
  for (double& v : x) v = static_cast<double>(rng.below(5));
  return x;
}

}  // namespace

TEST_CASE("An embedding looks each level up in the table of its channel", "[nn][embedding]") {
  Rng rng(1);
  Table layer(three_of_five, rng);
  CHECK(layer.output_shape({7, 1, 2, 3}) == Shape<4>{7, 1, 2, 6});
  CHECK(layer.describe() == "Embedding(3 of 5 levels->6)");
  const FeatureView<const double> table = parameters(layer)[0].parameter->value();
  CHECK(parameters(layer)[0].name == "table");
  CHECK(table.shape() == Shape<4>{1, 3, 5, 2});
  const FeatureMap<double> x = levels_of(2), y = test::output(layer, x);
  Index wrong = 0;
  for (Index i = 0; i < y.size(); ++i) {
    const Index channel = i / 2 % 3, level = static_cast<Index>(x.data()[i / 2]);
    if (y.data()[i] != table(0, channel, level, i % 2)) ++wrong;
  }
  CHECK(wrong == 0);
}

TEST_CASE("The table's gradient is the sum of those of its uses; levels have none",
          "[nn][embedding]") {
  Rng rng(1);
  Table layer(three_of_five, rng);
  const FeatureMap<double> x = levels_of(3);
  const FeatureMap<double> weights = test::random_map<double>({2, 3, 4, 6}, 4, -1, 1);
  for (const auto& [name, parameter] : parameters(layer)) {
    // By central differences of the table, for gradcheck would move levels.
    Gradients gradients(layer);
    const auto loss = [&](Tape<double>& tape) {
      return sum(mul(layer.forward(tape.input(x)), tape.constant(weights)));
    };
    Tape<double> tape({.threads = 1});
    const Variable<double> in = tape.input(x);
    const Variable<double> l = sum(mul(layer.forward(in), tape.constant(weights)));
    tape.backward(l, gradients);
    for (const double d : tape.gradient(in)) CHECK(d == 0);
    for (Index i = 0; i < parameter->value().size(); ++i) {
      double& w = parameter->value().data()[i];
      const double before = w, step = 0.5;
      Tape<double> other({.threads = 1, .record = false});
      w = before + step;
      const double above = loss(other).value().data()[0];
      other.reset();
      w = before - step;
      const double below = loss(other).value().data()[0];
      w = before;
      CHECK(gradients[*parameter].data()[i] == Approx((above - below) / (2 * step)).margin(1e-12));
    }
  }
}

TEST_CASE("An embedding's walk is its forward pass", "[nn][embedding]") {
  Rng rng(1);
  const Table layer(three_of_five, rng);
  const FeatureMap<double> x = levels_of(5);
  CHECK(test::bit_difference(test::walk(layer, x), test::output(layer, x)) == "");
}

TEST_CASE("What is no level is refused, and so are sizes of nothing", "[nn][embedding]") {
  Rng rng(1);
  const Table layer({.channels = 1, .levels = 5, .dimension = 2}, rng);
  FeatureMap<double> x({1, 1, 1, 1});
  for (const double bad : {-1.0, 0.5, 5.0, std::numeric_limits<double>::quiet_NaN()}) {
    x(0, 0, 0, 0) = bad;
    CHECK_THROWS_ERROR(static_cast<void>(test::output(layer, x)), ValueError,
                       "expected a level, 0 to 4: the model's encoding must be Encoding::level");
  }
  CHECK_THROWS_ERROR(static_cast<void>(layer.output_shape({1, 2, 2, 3})), ShapeError,
                     "Embedding: x is (N=1, H=2, W=2, C=3)");
  CHECK_THROWS_AS(Table({.channels = 0}, rng), ConfigError);
  CHECK_THROWS_AS(Table({.dimension = 0}, rng), ConfigError);
  CHECK_THROWS_AS(Table({.levels = 1}, rng), ConfigError);
}
