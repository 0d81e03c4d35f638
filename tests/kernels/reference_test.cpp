// SPDX-License-Identifier: MIT
#include <array>
#include <cmath>
#include <type_traits>
#include <vector>

#include <pixelrnn/kernels/reference.hpp>

#include "support/kernel_checks.hpp"

using namespace pixelrnn;
using kernels::Reference, kernels::Store;
using test::Addend;
using test::Numbers, test::Operands, test::Result, test::Start;

namespace {

double logistic(double z) { return 1 / (1 + std::exp(-z)); }

/// Σ_k operand(m, k) · weight(k, n), the terms side by side.
template <class T>
double product(const Operands<T>& operands, Index m, Index n) {
  double sum = 0;
  for (Index k = 0; k < Operands<T>::length; ++k) {
    sum += static_cast<double>(operands(m, k)) * static_cast<double>(operands.weight(k, n));
  }
  return sum;
}

/// Reference with a mistake in affine, for the checks to find.
enum class Mistake {
  forgets_start,
  ignores_addend,
  writes_too_far,
  sums_by_row_count,
  ignores_parts
};
template <Mistake mistake>
struct Wrong : Reference {
  template <class T>
  static void affine(Index rows, std::span<const kernels::Term<T>> terms,
                     kernels::Packed<const T> weights, kernels::Rows<const T> start,
                     kernels::Rows<const T> addend, kernels::Rows<T> out) {
    if (mistake == Mistake::ignores_parts) weights = weights.part(0, weights.units);
    if (mistake == Mistake::forgets_start) start = {};
    if (mistake == Mistake::ignores_addend) addend = {};
    Reference::affine(rows, terms, weights, start, addend, out);
    if (mistake == Mistake::writes_too_far && rows > 0) out[rows - 1][weights.columns()] = T{0};
    if (mistake == Mistake::sums_by_row_count && rows > 4) {
      for (Index m = 0; m < rows; ++m) out[m][0] = (out[m][0] + T{3}) - T{3};
    }
  }
};

}  // namespace

TEMPLATE_TEST_CASE("Reference: an affine map is bias plus the sum over all terms",
                   "[kernels][reference]", float, double) {
  for (const Index rows : {0, 1, 5}) {
    for (const Index columns : {1, 7}) {
      const Operands<TestType> operands(rows, columns, Numbers::whole);
      test::Source<TestType> old(Numbers::whole, 9);  // as in test::affine
      Result<double> replaced, added, without_bias;
      for (Index m = 0; m < rows; ++m) {
        for (Index n = 0; n < columns; ++n) {
          const double sum = product(operands, m, n);
          const double bias = static_cast<double>(operands.bias[static_cast<std::size_t>(n)]);
          const double before = static_cast<double>(old());
          replaced.values.push_back(sum + bias);
          added.values.push_back(before + sum + bias);
          without_bias.values.push_back(sum);
        }
      }
      using test::affine, test::difference;
      CHECK(difference(affine<Reference>(rows, operands, Start::bias, Addend::none), replaced, 0) ==
            "");
      CHECK(difference(affine<Reference>(rows, operands, Start::bias, Addend::itself), added, 0) ==
            "");
      CHECK(difference(affine<Reference>(rows, operands, Start::bias, Addend::other), added, 0) ==
            "");
      CHECK(difference(affine<Reference>(rows, operands, Start::none, Addend::none), without_bias,
                       0) == "");
    }
  }
}

TEMPLATE_TEST_CASE("Reference: an affine map of no terms is its bias", "[kernels][reference]",
                   float, double) {
  const std::vector<TestType> bias{1, 2, 3};
  std::vector<TestType> out(6, 9);
  const TestType no_weights{};
  Reference::affine(2, std::span<const kernels::Term<TestType>>(),
                    kernels::Packed<const TestType>{&no_weights, 0, 3, 1},
                    kernels::Rows<const TestType>{bias.data(), 0}, kernels::Rows<const TestType>{},
                    kernels::Rows<TestType>{out.data(), 3});
  CHECK(out == std::vector<TestType>{1, 2, 3, 1, 2, 3});
}

TEST_CASE("Reference: an LSTM step is equation 3 of the paper", "[kernels][reference]") {
  constexpr Index rows = 5, hidden = 3;
  const Operands<double> operands(rows, 4 * hidden, Numbers::real);
  test::Source<double> source(Numbers::real, 8);
  const test::GuardedMatrix<double> c_prev(rows, hidden, source, test::Order::backwards);
  for (const Start start : {Start::bias, Start::rows}) {
    std::vector<double> c, h, gates;
    for (Index m = 0; m < rows; ++m) {
      const auto z = [&](Index gate, Index k) {
        const Index n = gate * hidden + k;
        return product(operands, m, n) + operands.start(start, m, n);
      };
      for (Index k = 0; k < hidden; ++k) {
        const double o = logistic(z(0, k)), f = logistic(z(1, k)), i = logistic(z(2, k));
        c.push_back(f * c_prev(m, k) + i * std::tanh(z(3, k)));
        h.push_back(o * std::tanh(c.back()));
      }
      for (Index gate = 0; gate < 4; ++gate) {
        for (Index k = 0; k < hidden; ++k) {
          gates.push_back(gate == 3 ? std::tanh(z(gate, k)) : logistic(z(gate, k)));
        }
      }
    }
    Result<double> expected;
    for (const std::vector<double>& part : {c, h, gates}) {
      expected.values.insert(expected.values.end(), part.begin(), part.end());
    }
    CAPTURE(static_cast<int>(start));
    CHECK(test::difference(test::lstm_step<Reference>(rows, hidden, operands, start), expected,
                           1e-14) == "");
  }
}

TEST_CASE("Reference: the reverse of an LSTM step is its derivative", "[kernels][reference]") {
  // L = dh·h + dc·c of one cell as a function of (z_o, z_f, z_i, z_g, c_prev).
  const double dh = 0.7, dc = -0.4;
  const auto loss = [&](const std::array<double, 5>& v) {
    const double c = logistic(v[1]) * v[4] + logistic(v[2]) * std::tanh(v[3]);
    return dh * logistic(v[0]) * std::tanh(c) + dc * c;
  };
  const std::array<double, 5> at{0.3, -0.8, 0.5, 1.1, 0.9};
  std::array<double, 4> gates{logistic(at[0]), logistic(at[1]), logistic(at[2]), std::tanh(at[3])};
  const double c = gates[1] * at[4] + gates[2] * gates[3];
  double dc_prev = 0;
  Reference::lstm_step_backward(1, 1,
                                kernels::LstmStepBackward<double>{.c_prev = {&at[4], 1},
                                                                  .c = {&c, 1},
                                                                  .dh = {&dh, 1},
                                                                  .dc = {&dc, 1},
                                                                  .dc_prev = {&dc_prev, 1},
                                                                  .gates = {gates.data(), 4}});
  for (std::size_t i = 0; i < 5; ++i) {
    constexpr double step = 1e-6;
    std::array<double, 5> above = at, below = at;
    above[i] += step, below[i] -= step;
    const double slope = (loss(above) - loss(below)) / (2 * step);
    CAPTURE(i);
    CHECK((i < 4 ? gates[i] : dc_prev) == Approx(slope).epsilon(1e-8));
  }
}

TEMPLATE_TEST_CASE("Reference: outer products and column sums are added to what is there",
                   "[kernels][reference]", float, double) {
  using T = TestType;
  for (const Index blocks : {0, 1, 3}) {
    for (const Index rows : {0, 1, 4}) {
      constexpr Index m = 3, n = 2;
      test::Source<T> source(Numbers::whole, 6);  // as in test::add_outer_products
      const test::OverlappingRows<T> a(blocks, rows, m, source), b(blocks, rows, n, source);
      Result<double> expected;
      for (Index i = 0; i < m; ++i) {
        for (Index j = 0; j < n; ++j) {
          double sum = static_cast<double>(source());
          for (Index block = 0; block < blocks; ++block) {
            for (Index r = 0; r < a.rows_of(block); ++r) {
              sum += static_cast<double>(a(block, r, i)) * static_cast<double>(b(block, r, j));
            }
          }
          expected.values.push_back(sum);
        }
      }
      CHECK(test::difference(
                test::add_outer_products<Reference, T>(blocks, rows, m, n, Numbers::whole),
                expected, 0) == "");
    }
  }
  std::vector<T> sums{10, 20};
  const std::vector<T> in{1, 2, 99, 3, 4, 99};
  Reference::add_column_sums(2, 2, kernels::Rows<const T>{in.data(), 3}, sums.data());
  CHECK(sums == std::vector<T>{14, 26});
}

TEMPLATE_TEST_CASE("Reference: relu, its derivative and add, by hand", "[kernels][reference]",
                   float, double) {
  using T = TestType;
  const std::vector<T> x{-2, 0, 3}, dy{5, 6, 7};
  std::vector<T> y(3), dx{100, 100, 100}, sum{1, 1, 1};
  Reference::relu(3, x.data(), y.data());
  CHECK(y == std::vector<T>{0, 0, 3});
  Reference::relu_backward(3, x.data(), dy.data(), dx.data(), Store::Add);
  CHECK(dx == std::vector<T>{100, 100, 107});
  Reference::relu_backward(3, x.data(), dy.data(), dx.data(), Store::Overwrite);
  CHECK(dx == std::vector<T>{0, 0, 7});
  Reference::add(3, x.data(), sum.data());
  CHECK(sum == std::vector<T>{-1, 1, 4});
  std::vector<T> rows{1, 2, 9, 3, 4, 9};
  Reference::move_rows(2, 2, kernels::Rows<const T>{x.data(), 1}, kernels::Rows<T>{rows.data(), 3},
                       Store::Add);
  CHECK(rows == std::vector<T>{-1, 2, 9, 3, 7, 9});
  Reference::move_rows(2, 2, kernels::Rows<const T>{x.data(), 1}, kernels::Rows<T>{rows.data(), 3},
                       Store::Overwrite);
  CHECK(rows == std::vector<T>{-2, 0, 9, 0, 3, 9});
  test::check_relu_keeps_nan<Reference, T>();
}

TEMPLATE_TEST_CASE("Reference: a NaN stays in its row", "[kernels][reference]", float, double) {
  test::check_nan_stays_in_its_row<Reference, TestType>();
}

TEMPLATE_TEST_CASE("Reference: the bits of a row do not depend on the rows beside it",
                   "[kernels][reference]", float, double) {
  test::check_rows_do_not_depend_on_each_other<Reference, TestType>();
}

TEMPLATE_TEST_CASE("Reference: the sums of some terms go on with the others",
                   "[kernels][reference]", float, double) {
  test::check_sums_may_go_on<Reference, TestType>();
}

TEMPLATE_TEST_CASE("Reference: parts of the weights make the whole", "[kernels][reference]", float,
                   double) {
  test::check_parts_are_the_whole<Reference, TestType>();
  test::check_a_part_leaves_the_rest<Reference, TestType>();
}

TEST_CASE("The checks of a policy find each kind of mistake", "[kernels][reference]") {
  const Operands<float> operands(7, 5, Numbers::real);
  const Result<float> right = test::affine<Reference>(7, operands, Start::bias, Addend::itself);
  const auto says = [&]<Mistake mistake>(std::integral_constant<Mistake, mistake>) {
    return test::difference(test::affine<Wrong<mistake>>(7, operands, Start::bias, Addend::itself),
                            right, 1e-3);
  };
  using enum Mistake;
  CHECK(says(std::integral_constant<Mistake, forgets_start>()) != "");
  CHECK(says(std::integral_constant<Mistake, ignores_addend>()) != "");
  CHECK(says(std::integral_constant<Mistake, writes_too_far>()) == "guard values are gone");
  // This one is within rounding, and only the comparison of bits sees it.
  CHECK(says(std::integral_constant<Mistake, sums_by_row_count>()) == "");
  using ByCount = Wrong<sums_by_row_count>;
  CHECK(test::bit_difference(test::affine<ByCount>(7, operands, Start::bias, Addend::itself),
                             test::affine<ByCount>(7, operands, Start::bias, Addend::itself, 1)) !=
        "");
  // Computed twice, a column is added twice.
  const Operands<float> wide(7, 65, Numbers::real);
  using Whole = Wrong<ignores_parts>;
  CHECK(test::bit_difference(test::affine<Whole>(7, wide, Start::bias, Addend::itself, 0, true),
                             test::affine<Whole>(7, wide, Start::bias, Addend::itself)) != "");
}
