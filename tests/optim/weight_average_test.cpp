// SPDX-License-Identifier: MIT
#include <limits>

#include <pixelrnn/optim/weight_average.hpp>

#include "support/catch.hpp"

using namespace pixelrnn;

namespace {

struct Weight {
  using Scalar = double;
  Parameter<double> w{Shape<4>{1, 1, 1, 2}};
  void for_each_parameter(auto&& visit) { visit("w", w); }
  double& operator[](Index i) { return w.value().data()[i]; }
};

}  // namespace

TEST_CASE("An average follows its equation from the weights it is made with", "[optim][average]") {
  Weight weight;
  weight[0] = 2;
  WeightAverage<double> average(0.5, parameters(weight));
  CHECK(average.average(0).data()[0] == 2);
  double exact = 2;
  for (int t = 1; t <= 20; ++t) {
    weight[0] = t * t;
    average.update(t);
    // (1 + t)/(10 + t) reaches 0.5 at t = 8.
    const double decay = t < 8 ? (1.0 + t) / (10.0 + t) : 0.5;
    exact = decay * exact + (1 - decay) * t * t;
    CHECK(average.average(0).data()[0] == Approx(exact).epsilon(1e-14));
    CHECK(average.average(0).data()[1] == 0);
  }
}

TEST_CASE("Early on an average forgets the weights it is made with", "[optim][average]") {
  Weight weight;
  weight[0] = 1;
  WeightAverage<double> average(0.9999, parameters(weight));
  weight[0] = 0;
  // What is left of them is a product, of (1 + t)/(10 + t) over t: 10!/(102 · … · 110) after 100.
  double left = 1;
  for (int t = 1; t <= 100; ++t) average.update(t);
  for (int k = 1; k <= 9; ++k) left *= (1.0 + k) / (101.0 + k);
  CHECK(average.average(0).data()[0] == Approx(left));
  CHECK(left < 1e-11);
}

TEST_CASE("A decay of 0 averages nothing but the last weights", "[optim][average]") {
  Weight weight;
  WeightAverage<double> average(0, parameters(weight));
  weight[1] = 7;
  average.update(1);
  CHECK(average.average(0).data()[1] == 7);
}

TEST_CASE("Swapping exchanges weights and average, twice restores them", "[optim][average]") {
  Weight weight;
  weight[0] = 1;
  WeightAverage<double> average(0.5, parameters(weight));
  weight[0] = 3;
  average.update(1000);
  average.swap();
  CHECK(weight[0] == 2);
  CHECK(average.average(0).data()[0] == 3);
  average.swap();
  CHECK(weight[0] == 3);
  CHECK(average.average(0).data()[0] == 2);
}

TEST_CASE("An average wants a decay of at least 0 and below 1", "[optim][average]") {
  Weight weight;
  CHECK_THROWS_ERROR(WeightAverage<double>(1, parameters(weight)), ConfigError,
                     "WeightAverage: decay is 1, expected 0 <= decay < 1");
  CHECK_THROWS_AS(WeightAverage<double>(-0.1, parameters(weight)), ConfigError);
  CHECK_THROWS_AS(
      WeightAverage<double>(std::numeric_limits<double>::quiet_NaN(), parameters(weight)),
      ConfigError);
}
