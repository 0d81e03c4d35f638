// SPDX-License-Identifier: MIT
// Eq. 3 of van den Oord et al. 2016, one step of an LSTM over a row, typed once more in double:
//   [o_i, f_i, i_i, g_i] = σ(K_ss ⊛ h_{i-1} + K_is ⊛ x_i)
//   c_i = f_i ⊙ c_{i-1} + i_i ⊙ g_i        h_i = o_i ⊙ tanh(c_i)
#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include <pixelrnn/nn/row_lstm/row_lstm.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/layers.hpp"

using namespace pixelrnn;

namespace {

struct Sizes {
  Index width, in, hidden, kernel;
};
/// What eq. 3 takes: x_i (width × in), h and c before (hidden, the same at every column), kernels
/// [kernel][in][4·hidden] and [kernel][hidden][4·hidden], and a bias.
struct Row {
  Sizes size;
  std::vector<double> x, h, c, k_is, k_ss, bias;
};
/// In which of the four quarters of the maps o, f, i and g stand.
using Order = std::array<Index, 4>;
constexpr Order as_written{0, 1, 2, 3};

double sigmoid(double z) { return 1 / (1 + std::exp(-z)); }

/// h_i, width × hidden.
std::vector<double> step(const Row& row, const Order& order = as_written) {
  const Index width = row.size.width, in = row.size.in;
  const Index hidden = row.size.hidden, kernel = row.size.kernel;
  const auto at = [](const std::vector<double>& v, Index i) {
    return v[static_cast<std::size_t>(i)];
  };
  std::vector<double> h_i;
  for (Index column = 0; column < width; ++column) {
    for (Index unit = 0; unit < hidden; ++unit) {
      const auto z = [&](std::size_t gate) {
        const Index map = order[gate] * hidden + unit;
        double sum = at(row.bias, map);
        for (Index tap = 0; tap < kernel; ++tap) {
          const Index from = column + tap - kernel / 2;
          if (from < 0 || from >= width) continue;
          if (from <= column) {  // mask B of the input-to-state component
            for (Index i = 0; i < in; ++i) {
              sum += at(row.k_is, (tap * in + i) * 4 * hidden + map) * at(row.x, from * in + i);
            }
          }
          for (Index u = 0; u < hidden; ++u) {
            sum += at(row.k_ss, (tap * hidden + u) * 4 * hidden + map) * at(row.h, u);
          }
        }
        return sum;
      };
      const double o = sigmoid(z(0)), f = sigmoid(z(1)), i = sigmoid(z(2)), g = std::tanh(z(3));
      h_i.push_back(o * std::tanh(f * at(row.c, unit) + i * g));
    }
  }
  return h_i;
}

template <class B>
struct Case {
  RowLSTM<LearnedState, B> layer;
  FeatureMap<typename B::Scalar> x;
  Row row;
};
template <class B>
Case<B> make(Sizes size) {
  using T = typename B::Scalar;
  Rng rng(1);
  Case<B> made{RowLSTM<LearnedState, B>(
                   {.in_channels = size.in, .hidden = size.hidden, .kernel = size.kernel}, rng),
               test::random_map<T>({1, 1, size.width, size.in}, 5),
               {size, {}, {}, {}, {}, {}, {}}};
  test::randomise(made.layer, 6);
  const auto copy = [](const auto& from, std::vector<double>& to) {
    for (const T v : from) to.push_back(static_cast<double>(v));
  };
  copy(made.x, made.row.x);
  for (const auto& [name, parameter] : parameters(made.layer)) {
    std::vector<double>* to = name == "input_weights"   ? &made.row.k_is
                              : name == "state_weights" ? &made.row.k_ss
                              : name == "bias"          ? &made.row.bias
                              : name == "h0"            ? &made.row.h
                                                        : &made.row.c;
    copy(parameter->value(), *to);
  }
  return made;
}

/// The largest difference between the layer's output and the equation's.
template <class B>
double error(const Case<B>& c, const Order& order = as_written) {
  const auto y = test::output(c.layer, c.x);
  const std::vector<double> expected = step(c.row, order);
  REQUIRE(y.size() == static_cast<Index>(expected.size()));
  double worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    worst = std::max(worst, std::abs(static_cast<double>(y.data()[i]) - expected[i]));
  }
  return worst;
}

}  // namespace

TEMPLATE_TEST_CASE("Eq. 3 is what a Row LSTM computes in one row", "[paper][eq3]",
                   test::ReferenceBackend, test::XsimdBackend, test::FloatReferenceBackend,
                   test::FloatXsimdBackend) {
  const double tolerance = test::rounding<typename TestType::Scalar>;
  for (const Sizes size : {Sizes{1, 1, 1, 1}, Sizes{5, 2, 3, 3}, Sizes{9, 3, 16, 3},
                           Sizes{4, 1, 5, 5}, Sizes{17, 4, 20, 3}}) {
    CAPTURE(size.width, size.in, size.hidden, size.kernel);
    CHECK(error(make<TestType>(size)) < tolerance);
  }
}

TEST_CASE("Eq. 3 with its gates in any other order is another function", "[paper][eq3]") {
  const auto made = make<test::ReferenceBackend>({5, 2, 3, 3});
  CHECK(error(made) < 1e-12);
  for (const Order& order : {Order{2, 1, 0, 3}, Order{0, 2, 1, 3}, Order{0, 1, 3, 2},
                             Order{1, 0, 2, 3}, Order{3, 0, 1, 2}}) {
    CAPTURE(order[0], order[1], order[2], order[3]);
    CHECK(error(made, order) > 1e-3);
  }
}
