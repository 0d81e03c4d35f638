// SPDX-License-Identifier: MIT
#include <thread>
#include <utility>

#include <pixelrnn/autodiff/functions.hpp>

#include "support/allocations.hpp"
#include "support/catch.hpp"

using namespace pixelrnn;

namespace {

struct TwoParameters {
  using Scalar = float;
  Parameter<float> a{Shape<4>{1, 1, 1, 3}}, b{Shape<4>{1, 2, 1, 20}};
  void for_each_parameter(auto&& visit) { visit("a", a), visit("b", b); }
};

struct NoParameters {
  using Scalar = float;
  Parameter<float> empty{Shape<4>{1, 2, 1, 0}};
  void for_each_parameter(auto&& visit) { visit("empty", empty); }
};

/// Adds d(Σ factor · p)/dp.
void differentiate(const Parameter<float>& parameter, float factor, Gradients<float>& gradients) {
  Tape<float> tape({.threads = 1});
  tape.backward(sum(scale(tape.leaf(parameter), factor)), gradients);
}

bool all_are(FeatureView<const float> values, float value) {
  return std::all_of(values.begin(), values.end(), [=](float v) { return v == value; });
}

}  // namespace

TEST_CASE("Gradients are zero at first, of each parameter's shape, and add up",
          "[autodiff][gradients]") {
  const TwoParameters owner;
  Gradients gradients(owner);
  CHECK(gradients[owner.b].shape() == owner.b.shape());
  CHECK(all_are(gradients[owner.a], 0));
  differentiate(owner.a, 2, gradients);
  differentiate(owner.a, 3, gradients);
  differentiate(owner.b, 7, gradients);
  CHECK(all_are(gradients[owner.a], 5));
  CHECK(all_are(gradients[owner.b], 7));
  const Gradients copy = gradients;
  gradients.clear();
  CHECK(all_are(gradients[owner.b], 0));
  CHECK(all_are(copy[owner.b], 7));
}

TEST_CASE("The values of all gradients are those of each, and zeros between them",
          "[autodiff][gradients]") {
  const TwoParameters owner;
  Gradients gradients(owner);
  differentiate(owner.a, 2, gradients);
  differentiate(owner.b, 7, gradients);
  float sum = 0;
  for (const float v : gradients.values()) sum += v;
  CHECK(sum == 3 * 2 + 40 * 7);
  for (float& v : gradients.values()) v *= 2;
  CHECK(all_are(gradients[owner.a], 4));
  CHECK(all_are(gradients[owner.b], 14));
}

TEST_CASE("A parameter that gradients are not for is refused, and dropped by a sweep",
          "[autodiff][gradients]") {
  const TwoParameters owner;
  const Parameter<float> stranger({1, 1, 1, 4});
  Gradients gradients(owner);
  CHECK(gradients.contains(owner.b));
  CHECK_FALSE(gradients.contains(stranger));
  CHECK_THROWS_ERROR(gradients[stranger], ConfigError,
                     "Gradients: a parameter (N=1, H=1, W=1, C=4) is none of those");
  CHECK_THROWS_AS(std::as_const(gradients)[stranger], ConfigError);
  Tape<float> tape({.threads = 1});
  const auto loss = [&] {
    const auto p = tape.leaf(stranger);
    return add(sum(add(scale(p, 5.0F), p)), sum(tape.leaf(owner.a)));
  };
  tape.backward(loss(), gradients);
  CHECK(all_are(gradients[owner.a], 1));
  CHECK(all_are(gradients[owner.b], 0));
  tape.reset();
  CHECK_NOTHROW(tape.backward(loss()));  // for none at all
}

TEST_CASE("An empty parameter has an empty gradient", "[autodiff][gradients]") {
  const NoParameters owner;
  Gradients gradients(owner);
  CHECK(gradients.values().empty());
  CHECK(gradients[owner.empty].empty());
  CHECK_NOTHROW(gradients.clear());
}

TEST_CASE("A sweep allocates nothing for gradients once warm", "[autodiff][gradients]") {
  const TwoParameters owner;
  const Parameter<float> stranger({1, 1, 1, 4});
  Gradients gradients(owner);
  Tape<float> tape({.threads = 1});
  const auto sweep = [&] {
    tape.reset();
    gradients.clear();
    tape.backward(add(sum(tape.leaf(owner.a)), sum(tape.leaf(stranger))), gradients);
  };
  sweep();
  const std::size_t before = test::allocation_count();
  sweep();
  CHECK(test::allocation_count() == before);
}

TEST_CASE("Threads differentiate one owner at once, each for itself", "[autodiff][gradients]") {
  const TwoParameters owner;
  std::vector<Gradients<float>> own(4, Gradients(owner));
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < own.size(); ++i) {
      threads.emplace_back([&, i] {
        for (int turn = 0; turn < 50; ++turn) {
          differentiate(owner.a, static_cast<float>(i + 1), own[i]);
          differentiate(owner.b, static_cast<float>(2 * i), own[i]);
        }
      });
    }
  }
  for (std::size_t i = 0; i < own.size(); ++i) {
    CHECK(all_are(own[i][owner.a], 50 * static_cast<float>(i + 1)));
    CHECK(all_are(own[i][owner.b], 100 * static_cast<float>(i)));
  }
}
