// SPDX-License-Identifier: MIT
#include <cmath>
#include <limits>
#include <vector>

#include <pixelrnn/nn/convolution/masked_conv2d.hpp>
#include <pixelrnn/optim/optimizer.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/compare.hpp"
#include "support/pair.hpp"
#include "support/random.hpp"

using namespace pixelrnn;
using test::Pair;

namespace {

/// A user's rule: every step takes the sign of the gradient; it has no state.
struct SignStep {
  double learning_rate = 0.5;
  static constexpr std::string_view name = "sign";
  static constexpr std::array<const char*, 0> state_names{};
  void check() const {}
  template <class T>
  void update(Index, double rate, std::span<T> w, std::span<const T> g,
              std::array<std::span<T>, 0>) const {
    for (std::size_t i = 0; i < w.size(); ++i) {
      w[i] -= static_cast<T>(rate) * static_cast<T>((g[i] > 0) - (g[i] < 0));
    }
  }
};

template <class T>
Gradients<T> gradients_of(const Pair<T>& pair, const std::vector<double>& values) {
  Gradients<T> gradients(pair);
  std::size_t i = 0;
  for (const auto& [name, parameter] : parameters(pair)) {
    for (T& g : gradients[*parameter]) g = static_cast<T>(values[i++]);
  }
  return gradients;
}

}  // namespace

TEST_CASE("The optimizer applies its rule to every parameter, with a state of its own",
          "[optim][optimizer]") {
  Pair<double> pair, copy;
  test::randomise(pair, 1);
  test::randomise(copy, 1);
  Optimizer<Adam, double> optimizer(Adam{.learning_rate = 0.1}, parameters(pair));
  const Adam rule{.learning_rate = 0.1};
  std::vector<std::vector<double>> m{std::vector<double>(6), std::vector<double>(2)}, v = m;
  CHECK(optimizer.steps() == 0);
  for (Index t = 1; t <= 5; ++t) {
    const double factor = 1.0 / static_cast<double>(t);
    Rng rng(static_cast<std::uint64_t>(t));
    std::vector<double> g(8);
    for (double& value : g) value = rng.uniform(-1, 1);
    optimizer.step(gradients_of(pair, g), factor);
    const auto by_hand = parameters(copy);
    const std::span<const double> all(g);
    for (std::size_t p = 0; p < 2; ++p) {
      rule.update(t, 0.1 * factor, by_hand[p].parameter->value().flat(),
                  p == 0 ? all.first(6) : all.last(2),
                  std::array<std::span<double>, 2>{m[p], v[p]});
    }
    CHECK(optimizer.steps() == t);
    for (std::size_t p = 0; p < 2; ++p) {
      for (Index i = 0; i < by_hand[p].parameter->size(); ++i) {
        const auto at = static_cast<std::size_t>(i);
        CAPTURE(t, p, i);
        CHECK(optimizer.parameters()[p].parameter->value().data()[i] ==
              Approx(by_hand[p].parameter->value().data()[i]).epsilon(1e-13));
        CHECK(optimizer.state(p, 0).data()[i] == Approx(m[p][at]).epsilon(1e-13));
        CHECK(optimizer.state(p, 1).data()[i] == Approx(v[p][at]).epsilon(1e-13));
      }
    }
  }
  CHECK(optimizer.rule().learning_rate == 0.1);
  CHECK(optimizer.parameters()[1].name == "b");
}

TEST_CASE("The state of an optimizer is zero at first and has the parameters' shapes",
          "[optim][optimizer]") {
  Pair<float> pair;
  Optimizer<Adam, float> optimizer(Adam{}, parameters(pair));
  for (std::size_t s = 0; s < 2; ++s) {
    CHECK(optimizer.state(0, s).shape() == Shape<4>{1, 1, 2, 3});
    CHECK(optimizer.state(1, s).shape() == Shape<4>{1, 1, 1, 2});
    for (const float v : optimizer.state(0, s)) CHECK(v == 0);
  }
}

TEST_CASE("Setting the step count continues Adam's bias correction", "[optim][optimizer]") {
  const auto step_at = [](Index steps) {
    Pair<double> pair;
    Optimizer<Adam, double> optimizer(Adam{.learning_rate = 1}, parameters(pair));
    optimizer.set_steps(steps);
    optimizer.step(gradients_of(pair, {1, 1, 1, 1, 1, 1, 1, 1}));
    return pair.a.value().data()[0];
  };
  CHECK(step_at(0) == Approx(-1));
  CHECK(step_at(9) ==
        Approx(-(0.1 / (1 - std::pow(0.9, 10))) / std::sqrt(0.001 / (1 - std::pow(0.999, 10)))));
}

TEST_CASE("A user's rule without state works", "[optim][optimizer]") {
  STATIC_REQUIRE(UpdateRule<SignStep>);
  Pair<float> pair;
  Optimizer<SignStep, float> optimizer(SignStep{}, parameters(pair));
  optimizer.step(gradients_of(pair, {3, -3, 0, 1, 1, 1, 1, 1}));
  CHECK(pair.a.value().data()[0] == -0.5f);
  CHECK(pair.a.value().data()[1] == 0.5f);
  CHECK(pair.a.value().data()[2] == 0.0f);
}

TEST_CASE("An optimizer checks its rule", "[optim][optimizer]") {
  Pair<float> pair;
  CHECK_THROWS_ERROR((Optimizer<Adam, float>(Adam{.learning_rate = -1}, parameters(pair))),
                     ConfigError, "Adam: learning_rate is -1");
}

TEST_CASE("The gradient norm is that of all parameters together", "[optim][clip]") {
  Pair<float> pair;
  const auto norm = [&](const std::vector<double>& values) {
    return gradient_norm(gradients_of(pair, values));
  };
  CHECK(norm({3, 0, 0, 0, 0, 0, 0, 4}) == Approx(5));
  // No overflow of floats.
  CHECK(norm({1e30, 0, 0, 0, 0, 0, 0, 1e30}) == Approx(std::sqrt(2.0) * 1e30));
  CHECK(norm({0, 0, 0, 0, 0, 0, 0, 0}) == 0);
}

TEST_CASE("Clipping scales all gradients to the largest norm allowed, or leaves them",
          "[optim][clip]") {
  Pair<double> pair;
  const auto first = [&](const Gradients<double>& of) { return of[pair.a].data()[0]; };
  const auto last = [&](const Gradients<double>& of) { return of[pair.b].data()[1]; };
  const std::vector<double> g{3, 0, 0, 0, 0, 0, 0, 4};
  Gradients gradients = gradients_of(pair, g);
  CHECK(clip_gradients(gradients, 10) == Approx(5));
  CHECK(first(gradients) == 3);
  CHECK(clip_gradients(gradients, 5) == 5);
  CHECK(last(gradients) == 4);
  // Also if the norm is only a little above, not twice what is allowed.
  for (const double max_norm : {4.999, 4.0, 2.6, 1.0}) {
    CAPTURE(max_norm);
    gradients = gradients_of(pair, g);
    CHECK(clip_gradients(gradients, max_norm) == Approx(5));
    CHECK(gradient_norm(gradients) == Approx(max_norm).epsilon(1e-12));
    CHECK(first(gradients) == Approx(0.6 * max_norm));
    CHECK(last(gradients) == Approx(0.8 * max_norm));
  }
}

TEST_CASE("Clipping leaves NaN to be found", "[optim][clip]") {
  const Pair<float> pair;
  Gradients gradients =
      gradients_of(pair, {std::numeric_limits<double>::quiet_NaN(), 7, 0, 0, 0, 0, 0, 0});
  CHECK(std::isnan(clip_gradients(gradients, 1)));
  CHECK(std::isnan(gradients[pair.a].data()[0]));
  CHECK(gradients[pair.a].data()[1] == 7);
}

TEST_CASE("Clipping wants a norm above 0", "[optim][clip]") {
  const Pair<float> pair;
  Gradients gradients(pair);
  CHECK_THROWS_ERROR(clip_gradients(gradients, 0), ConfigError,
                     "clip_gradients: max_norm is 0, expected more than 0");
  CHECK_THROWS_AS(clip_gradients(gradients, std::numeric_limits<double>::quiet_NaN()), ConfigError);
}

TEST_CASE("A step along the gradients of another model is refused, and moves nothing",
          "[optim][optimizer]") {
  Pair<float> pair, other;
  Optimizer<SGD, float> optimizer(SGD{}, parameters(pair));
  CHECK_THROWS_ERROR(optimizer.step(Gradients(other)), ConfigError,
                     "Optimizer: there is no gradient of a");
  CHECK(optimizer.steps() == 0);
}

TEMPLATE_TEST_CASE("What a mask forbids is not moved by 100 steps of any rule",
                   "[optim][optimizer]", SGD, RMSProp, Adam) {
  using B = test::ReferenceBackend;
  Rng rng(1);
  MaskedConv2d<MaskB, B> layer(
      {.in_channels = 3, .out_channels = 6, .kernel_height = 3, .kernel_width = 3, .colours = 3},
      rng);
  const FeatureMap<double> before(
      FeatureView<const double>(parameters(layer)[0].parameter->value()));
  TestType rule;
  rule.learning_rate = 0.05;
  Optimizer<TestType, double> optimizer(rule, parameters(layer));
  const auto x = test::random_map<double>({2, 4, 5, 3}, 1);
  Gradients gradients(layer);
  for (std::uint64_t t = 0; t < 100; ++t) {
    gradients.clear();
    Tape<double> tape({.threads = 1});
    const auto y = layer.forward(tape.constant(x));
    tape.backward(y, test::random_map<double>(y.shape(), t), gradients);
    optimizer.step(gradients);
  }
  const auto after = parameters(layer)[0].parameter->value();
  Index moved = 0, forbidden = 0;
  for (Index i = 0; i < after.size(); ++i) {
    if (before.data()[i] == 0) {
      ++forbidden;
      CHECK(after.data()[i] == 0);
    }
    moved += after.data()[i] != before.data()[i] ? 1 : 0;
  }
  // Of 9 taps 4 are forbidden, and at the centre a third of the pairs of 3 and 6 channels.
  CHECK(forbidden == 4 * 18 + 6);
  CHECK(moved == 9 * 18 - forbidden);
}
