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

TEST_CASE("An average follows its equation from the weights it first sees", "[optim][average]") {
  Weight weight;
  weight[0] = 2;
  WeightAverage<double> average(0.9, parameters(weight));
  CHECK(average.average(0).data()[0] == 2);
  double exact = 2;
  for (int t = 0; t < 10; ++t) {
    weight[0] = t * t;
    average.update();
    exact = 0.9 * exact + 0.1 * t * t;
    CHECK(average.average(0).data()[0] == Approx(exact));
    CHECK(average.average(0).data()[1] == 0);
  }
}

TEST_CASE("A decay of 0 averages nothing but the last weights", "[optim][average]") {
  Weight weight;
  WeightAverage<double> average(0, parameters(weight));
  weight[1] = 7;
  average.update();
  CHECK(average.average(0).data()[1] == 7);
}

TEST_CASE("Swapping exchanges weights and average, twice restores them", "[optim][average]") {
  Weight weight;
  weight[0] = 1;
  WeightAverage<double> average(0.5, parameters(weight));
  weight[0] = 3;
  average.update();
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
