// SPDX-License-Identifier: MIT
// Gate, and Rowwise with functions of a user's own.
#include <cmath>
#include <numeric>
#include <span>

#include <pixelrnn/nn/gate.hpp>

#include "support/layer_checks.hpp"

using namespace pixelrnn;
using test::random_map;

namespace {

/// y = e^x / Σ e^x over the channels: a function that mixes them.
struct RowSoftmax {
  [[nodiscard]] Index outputs(Index channels) const { return channels; }
  [[nodiscard]] std::string describe() const { return "RowSoftmax"; }
  void forward(std::span<const double> x, std::span<double> y) const {
    double sum = 0;
    for (std::size_t i = 0; i < x.size(); ++i) sum += y[i] = std::exp(x[i]);
    for (double& v : y) v /= sum;
  }
  void backward(std::span<const double>, std::span<const double> y, std::span<const double> dy,
                std::span<double> dx) const {
    const double mean = std::inner_product(y.begin(), y.end(), dy.begin(), 0.0);
    for (std::size_t i = 0; i < y.size(); ++i) dx[i] += y[i] * (dy[i] - mean);
  }
};
using Softmax = Rowwise<RowSoftmax, Backend<double>>;

}  // namespace

TEST_CASE("A gate is tanh of one half times the logistic function of the other", "[nn][gate]") {
  for (const Index colours : {1, 3}) {
    const Gate<test::XsimdBackend> gate(colours);
    const Index half = 5, out = half * colours;
    const auto x = random_map<double>({2, 3, 4, 2 * out}, 1, -4, 4);
    const auto y = test::output(gate, x);
    REQUIRE(y.shape() == Shape<4>{2, 3, 4, out});
    for (Index pixel = 0; pixel < 24; ++pixel) {
      for (Index c = 0; c < out; ++c) {
        const double* const group = x.data() + pixel * 2 * out + c / half * 2 * half;
        const double a = group[c % half], b = group[half + c % half];
        CHECK(std::abs(y.data()[pixel * out + c] - std::tanh(a) / (1 + std::exp(-b))) < 1e-14);
      }
    }
    CHECK(gate.describe() == (colours == 1 ? "Gate" : "Gate(colours 3)"));
  }
}

TEST_CASE("Gates and functions of one's own have their gradients and walks", "[nn][gate]") {
  for (const Index colours : {1, 3}) {
    Gate<test::XsimdBackend> gate(colours);
    test::check_gradients(gate, 6 * colours);
    test::check_walk_is_forward<test::XsimdBackend>(gate,
                                                    random_map<double>({2, 3, 4, 6 * colours}, 1));
    test::check_same_bits_for_all_threads(gate, random_map<double>({5, 3, 4, 6 * colours}, 1));
  }
  Softmax softmax;
  test::check_gradients(softmax, 4);
  test::check_walk_is_forward<test::XsimdBackend>(softmax, random_map<double>({2, 3, 4, 4}, 1));
}

TEST_CASE("A gate takes halves of whole colour groups", "[nn][gate]") {
  CHECK_THROWS_ERROR(Gate<>().output_shape({1, 2, 3, 5}), ShapeError,
                     "Gate: x has 5 channels, expected a multiple of 2: two halves for each of 1 "
                     "colours");
  CHECK_THROWS_ERROR(Gate<>(3).output_shape({1, 2, 3, 8}), ShapeError, "a multiple of 6");
  CHECK_THROWS_ERROR(Gate<>(0), ConfigError, "Gate: colours is 0, expected 1 or more");
}

TEST_CASE("What a function of rows says of colours is what a walk knows", "[nn][gate]") {
  const Known own{Domain::pixel, OwnPixel::earlier_colours, 3};
  CHECK(Gate<>(3).known(own).own == OwnPixel::earlier_colours);
  CHECK(Gate<>(1).known(own).own == OwnPixel::every_colour);
  CHECK(Softmax().known(own).own == OwnPixel::every_colour);
  CHECK(Softmax().known({Domain::row}).own == OwnPixel::nothing);
  CHECK(Softmax().known({Domain::row}).domain == Domain::row);
}
