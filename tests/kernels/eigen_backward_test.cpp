// SPDX-License-Identifier: MIT
#include <pixelrnn/kernels/eigen.hpp>

#include "support/kernel_checks.hpp"

using namespace pixelrnn;

TEMPLATE_TEST_CASE("Eigen: reversed LSTM steps are Reference's", "[kernels][eigen]", float,
                   double) {
  test::check_lstm_step_backward_is_reference<kernels::Eigen, TestType>();
}

TEMPLATE_TEST_CASE("Eigen: sums over rows are Reference's, whole numbers exactly",
                   "[kernels][eigen]", float, double) {
  test::check_reductions_are_reference<kernels::Eigen, TestType>();
}

TEMPLATE_TEST_CASE("Eigen: pointwise functions are Reference's", "[kernels][eigen]", float,
                   double) {
  test::check_pointwise_is_reference<kernels::Eigen, TestType>();
  test::check_relu_keeps_nan<kernels::Eigen, TestType>();
}
