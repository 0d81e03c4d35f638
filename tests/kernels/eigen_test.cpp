// SPDX-License-Identifier: MIT
#include <pixelrnn/kernels/eigen.hpp>

#include "support/kernel_checks.hpp"

using namespace pixelrnn;

TEMPLATE_TEST_CASE("Eigen: affine maps are Reference's, whole numbers exactly", "[kernels][eigen]",
                   float, double) {
  test::check_affine_is_reference<kernels::Eigen, TestType>();
}

TEMPLATE_TEST_CASE("Eigen: LSTM steps are Reference's", "[kernels][eigen]", float, double) {
  test::check_lstm_step_is_reference<kernels::Eigen, TestType>();
}

TEMPLATE_TEST_CASE("Eigen: a NaN stays in its row", "[kernels][eigen]", float, double) {
  test::check_nan_stays_in_its_row<kernels::Eigen, TestType>();
}

TEMPLATE_TEST_CASE("Eigen: parts of the weights make the whole, to rounding", "[kernels][eigen]",
                   float, double) {
  test::check_parts_are_the_whole<kernels::Eigen, TestType>(test::kernel_rounding<TestType>);
  test::check_a_part_leaves_the_rest<kernels::Eigen, TestType>();
}
