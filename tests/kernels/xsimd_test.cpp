// SPDX-License-Identifier: MIT
#include <pixelrnn/kernels/xsimd.hpp>

#include "support/kernel_checks.hpp"

using namespace pixelrnn;
using kernels::Xsimd;

TEMPLATE_TEST_CASE("Xsimd: affine maps are Reference's, whole numbers exactly", "[kernels][xsimd]",
                   float, double) {
  test::check_affine_is_reference<Xsimd, TestType>();
}

TEMPLATE_TEST_CASE("Xsimd: LSTM steps are Reference's", "[kernels][xsimd]", float, double) {
  test::check_lstm_step_is_reference<Xsimd, TestType>();
}

TEMPLATE_TEST_CASE("Xsimd: reversed LSTM steps are Reference's", "[kernels][xsimd]", float,
                   double) {
  test::check_lstm_step_backward_is_reference<Xsimd, TestType>();
}

TEMPLATE_TEST_CASE("Xsimd: sums over rows are Reference's, whole numbers exactly",
                   "[kernels][xsimd]", float, double) {
  test::check_reductions_are_reference<Xsimd, TestType>();
}

TEMPLATE_TEST_CASE("Xsimd: pointwise functions are Reference's", "[kernels][xsimd]", float,
                   double) {
  test::check_pointwise_is_reference<Xsimd, TestType>();
  test::check_relu_keeps_nan<Xsimd, TestType>();
}

TEMPLATE_TEST_CASE("Xsimd: a NaN stays in its row", "[kernels][xsimd]", float, double) {
  test::check_nan_stays_in_its_row<Xsimd, TestType>();
}

TEMPLATE_TEST_CASE("Xsimd: the bits of a row do not depend on the rows beside it",
                   "[kernels][xsimd]", float, double) {
  test::check_rows_do_not_depend_on_each_other<Xsimd, TestType>();
}

TEMPLATE_TEST_CASE("Xsimd: the sums of some terms go on with the others", "[kernels][xsimd]", float,
                   double) {
  test::check_sums_may_go_on<Xsimd, TestType>();
}

TEMPLATE_TEST_CASE("Xsimd: parts of the weights have the bits of the whole", "[kernels][xsimd]",
                   float, double) {
  test::check_parts_are_the_whole<Xsimd, TestType>();
  test::check_a_part_leaves_the_rest<Xsimd, TestType>();
}

TEMPLATE_TEST_CASE("Xsimd: scaled rows are added to rows", "[kernels][xsimd]", float, double) {
  using T = TestType;
  test::Source<T> source(test::Numbers::whole, 3);
  for (const Index rows : {0, 1, 5}) {
    for (const Index columns : {1, 4, 7, 16, 33}) {
      const test::GuardedMatrix<T> a(rows, columns, source, test::Order::backwards);
      const test::GuardedMatrix<T> b(rows, columns, source);
      for (const T scale : {T{1}, T{-1}, T{0.5}}) {
        test::GuardedMatrix<T> out(rows, columns), a_too(a);
        Xsimd::add_scaled(rows, columns, a.rows(), scale, b.rows(), out.rows());
        Xsimd::add_scaled(rows, columns, a.rows(), scale, b.rows(), a_too.rows());
        CAPTURE(rows, columns, scale);
        for (Index r = 0; r < rows; ++r) {
          for (Index c = 0; c < columns; ++c) {
            CHECK(out(r, c) == a(r, c) + scale * b(r, c));
            CHECK(a_too(r, c) == out(r, c));
          }
        }
        CHECK((out.is_intact() && a_too.is_intact()));
      }
    }
  }
}
