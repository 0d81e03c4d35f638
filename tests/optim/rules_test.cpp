// SPDX-License-Identifier: MIT
#include <array>
#include <cmath>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <pixelrnn/core/random.hpp>
#include <pixelrnn/optim/rules.hpp>

#include "support/catch.hpp"

using namespace pixelrnn;

namespace {

/// Weights, gradients that change from step to step, and the state of one parameter.
template <class T>
struct Run {
  explicit Run(std::size_t states) : state(states, std::vector<T>(w.size())) {
    Rng rng(1);
    for (T& v : w) v = static_cast<T>(rng.uniform(-1, 1));
  }
  template <class Rule>
  void step(const Rule& rule, Index number, double rate) {
    Rng rng(static_cast<std::uint64_t>(number) + 10);
    for (T& v : g) v = static_cast<T>(rng.uniform(-2, 2));
    g[3] = 0;
    std::array<std::span<T>, Rule::state_names.size()> views;
    for (std::size_t s = 0; s < views.size(); ++s) views[s] = state[s];
    rule.update(number, rate, std::span<T>(w), std::span<const T>(g), views);
  }
  std::vector<T> w = std::vector<T>(11), g = std::vector<T>(11);
  std::vector<std::vector<T>> state;
};

/// The equations, retyped, for one weight in double.
struct Scalar {
  double w = 0, a = 0, b = 0;
};
void step(const SGD& rule, Scalar& s, double g, int, double rate) {
  s.a = rule.momentum * s.a + g;
  s.w -= rate * s.a;
}
void step(const RMSProp& rule, Scalar& s, double g, int, double rate) {
  s.a = rule.decay * s.a + (1 - rule.decay) * g * g;
  s.w -= rate * g / (std::sqrt(s.a) + rule.epsilon);
}
void step(const Adam& rule, Scalar& s, double g, int t, double rate) {
  s.a = rule.beta1 * s.a + (1 - rule.beta1) * g;
  s.b = rule.beta2 * s.b + (1 - rule.beta2) * g * g;
  const double mean = s.a / (1 - std::pow(rule.beta1, t));
  const double square = s.b / (1 - std::pow(rule.beta2, t));
  s.w -= rate * mean / (std::sqrt(square) + rule.epsilon);
}

template <class T, class Rule>
void check_against_equations(const Rule& rule) {
  CAPTURE(Rule::name);
  Run<T> run(Rule::state_names.size());
  std::vector<Scalar> exact;
  for (const T w : run.w) exact.push_back({static_cast<double>(w)});
  const double margin = 200 * static_cast<double>(std::numeric_limits<T>::epsilon());
  for (int t = 1; t <= 12; ++t) {
    const double rate = rule.learning_rate / t;  // a schedule
    run.step(rule, t, rate);
    for (std::size_t i = 0; i < exact.size(); ++i) {
      step(rule, exact[i], static_cast<double>(run.g[i]), t, rate);
      CAPTURE(t, i);
      CHECK(static_cast<double>(run.w[i]) == Approx(exact[i].w).margin(margin));
      CHECK(static_cast<double>(run.state[0][i]) == Approx(exact[i].a).margin(margin));
      if (Rule::state_names.size() > 1) {
        CHECK(static_cast<double>(run.state[1][i]) == Approx(exact[i].b).margin(margin));
      }
    }
  }
}

struct NotARule {
  double learning_rate = 1;
};

}  // namespace

TEMPLATE_TEST_CASE("Update rules follow their equations", "[optim][rules]", float, double) {
  check_against_equations<TestType>(SGD{.learning_rate = 0.1});
  check_against_equations<TestType>(SGD{.learning_rate = 0.1, .momentum = 0.9});
  check_against_equations<TestType>(RMSProp{.learning_rate = 0.01});
  check_against_equations<TestType>(RMSProp{.learning_rate = 0.01, .decay = 0.5, .epsilon = 1e-2});
  check_against_equations<TestType>(Adam{.learning_rate = 0.01});
  check_against_equations<TestType>(
      Adam{.learning_rate = 0.01, .beta1 = 0.3, .beta2 = 0.6, .epsilon = 1e-2});
}

TEST_CASE("Adam's first step is the learning rate, whatever the gradient", "[optim][rules]") {
  for (const double gradient : {1e-3, 1.0, 1e6}) {
    std::array<double, 1> w{0}, m{0}, v{0};
    const std::array<double, 1> g{gradient};
    Adam{.learning_rate = 0.25}.update(1, 0.25, std::span<double>(w), std::span<const double>(g),
                                       std::array<std::span<double>, 2>{m, v});
    CHECK(w[0] == Approx(-0.25).epsilon(1e-4));
  }
}

TEST_CASE("A weight without a gradient stays, whatever the rule", "[optim][rules]") {
  const auto check = []<class Rule>(const Rule& rule) {
    Run<double> run(Rule::state_names.size());
    const double before = run.w[3];  // its gradient is always 0
    for (Index t = 1; t < 100; ++t) run.step(rule, t, 0.1);
    CHECK(run.w[3] == before);
    CHECK(run.w[4] != before);
  };
  check(SGD{.momentum = 0.9});
  check(RMSProp{});
  check(Adam{});
}

TEST_CASE("A NaN gradient makes its weight NaN, not its neighbours", "[optim][rules]") {
  const auto check = []<class Rule>(const Rule& rule) {
    std::array<float, 3> w{1, 2, 3}, a{}, b{};
    const std::array<float, 3> g{1, std::numeric_limits<float>::quiet_NaN(), 1};
    std::array<std::span<float>, Rule::state_names.size()> state;
    state[0] = a;
    if constexpr (Rule::state_names.size() > 1) state[1] = b;
    rule.update(1, 0.1, std::span<float>(w), std::span<const float>(g), state);
    CHECK(std::isfinite(w[0]));
    CHECK(std::isnan(w[1]));
    CHECK(std::isfinite(w[2]));
  };
  check(SGD{});
  check(RMSProp{});
  check(Adam{});
}

TEST_CASE("Rules name settings that cannot work", "[optim][rules]") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK_NOTHROW(SGD{}.check());
  CHECK_NOTHROW(RMSProp{}.check());
  CHECK_NOTHROW(Adam{}.check());
  CHECK_NOTHROW(SGD{.learning_rate = 0}.check());
  CHECK_THROWS_ERROR((SGD{.learning_rate = -1}.check()), ConfigError,
                     "SGD: learning_rate is -1, expected 0 <= learning_rate < 1e+30");
  CHECK_THROWS_ERROR((SGD{.learning_rate = nan}.check()), ConfigError, "SGD: learning_rate is");
  CHECK_THROWS_ERROR((SGD{.momentum = 1}.check()), ConfigError,
                     "SGD: momentum is 1, expected 0 <= momentum < 1");
  CHECK_THROWS_ERROR((RMSProp{.learning_rate = nan}.check()), ConfigError,
                     "RMSProp: learning_rate");
  CHECK_THROWS_ERROR((RMSProp{.decay = -0.1}.check()), ConfigError, "RMSProp: decay is -0.1");
  CHECK_THROWS_ERROR((RMSProp{.epsilon = -1}.check()), ConfigError, "RMSProp: epsilon is -1");
  CHECK_THROWS_ERROR((Adam{.learning_rate = -2}.check()), ConfigError, "Adam: learning_rate is -2");
  CHECK_THROWS_ERROR((Adam{.beta1 = 1}.check()), ConfigError, "Adam: beta1 is 1");
  CHECK_THROWS_ERROR((Adam{.beta2 = 2}.check()), ConfigError, "Adam: beta2 is 2");
  CHECK_THROWS_ERROR((Adam{.epsilon = nan}.check()), ConfigError, "Adam: epsilon is");
}

TEST_CASE("An epsilon is above 0 as a float, so that no weight becomes 0/0", "[optim][rules]") {
  const auto check = [](auto rule, const char* name) {
    // 1e-50 is a double, and 0 once it is a float.
    for (const double epsilon : {0.0, 1e-50}) {
      rule.epsilon = epsilon;
      CHECK_THROWS_ERROR(rule.check(), ConfigError, std::string(name) + ": epsilon is ");
    }
    CHECK_THROWS_ERROR(rule.check(), ConfigError,
                       "epsilon is 1e-50, expected 1.17549e-38 <= epsilon < 1e+30");
    // The least there is keeps a weight without a gradient where it is.
    rule.epsilon = std::numeric_limits<float>::min();
    CHECK_NOTHROW(rule.check());
    std::array<float, 1> w{2}, a{}, b{};
    const std::array<float, 1> g{0};
    std::array<std::span<float>, decltype(rule)::state_names.size()> state;
    state[0] = a;
    if constexpr (state.size() > 1) state[1] = b;
    rule.update(1, 0.1, std::span<float>(w), std::span<const float>(g), state);
    CHECK(w[0] == 2);
  };
  check(RMSProp{}, "RMSProp");
  check(Adam{}, "Adam");
}

TEST_CASE("An update rule is told by its members", "[optim][rules]") {
  STATIC_REQUIRE(UpdateRule<SGD>);
  STATIC_REQUIRE(UpdateRule<RMSProp>);
  STATIC_REQUIRE(UpdateRule<Adam>);
  STATIC_REQUIRE_FALSE(UpdateRule<NotARule>);
  CHECK(std::string(SGD::name) == "sgd");
  CHECK(std::string(RMSProp::name) == "rmsprop");
  CHECK(std::string(Adam::name) == "adam");
}
