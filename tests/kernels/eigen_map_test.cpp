// SPDX-License-Identifier: MIT
#include <numeric>
#include <type_traits>
#include <vector>

#include <pixelrnn/kernels/eigen_map.hpp>

#include "support/catch.hpp"

using namespace pixelrnn;

TEMPLATE_TEST_CASE("A view becomes an Eigen matrix of the same memory", "[kernels][eigen_map]",
                   float, double) {
  Tensor<TestType, 2> tensor({2, 3});
  std::iota(tensor.begin(), tensor.end(), TestType{0});
  auto matrix = as_eigen(tensor.view());
  CHECK(matrix.rows() == 2);
  CHECK(matrix.cols() == 3);
  CHECK(matrix(1, 0) == 3);
  matrix(1, 2) = 10;
  CHECK(tensor(1, 2) == 10);
}

TEST_CASE("A view of constants becomes a matrix that cannot be written", "[kernels][eigen_map]") {
  const Tensor<float, 2> tensor({2, 3}, 1.0f);
  const auto matrix = as_eigen(tensor.view());
  CHECK(matrix.rows() == 2);
  CHECK(matrix.cols() == 3);
  CHECK(matrix(1, 2) == 1);
  STATIC_REQUIRE(
      std::is_same_v<decltype(as_eigen(tensor.view())), Eigen::Map<const RowMajor<float>>>);
  STATIC_REQUIRE_FALSE(std::is_assignable_v<decltype(as_eigen(tensor.view())(0, 0)), float>);
}

TEST_CASE("A feature map becomes a matrix of pixels and channels", "[kernels][eigen_map]") {
  FeatureMap<double> map({2, 3, 4, 5});
  std::iota(map.begin(), map.end(), 0.0);
  const auto matrix = as_eigen(map.view());
  CHECK(matrix.rows() == 24);
  CHECK(matrix.cols() == 5);
  CHECK(matrix((1 * 3 + 2) * 4 + 3, 4) == map(1, 2, 3, 4));
}

TEST_CASE("An Eigen matrix becomes a view of the same memory", "[kernels][eigen_map]") {
  RowMajor<float> matrix(2, 3);
  matrix << 0, 1, 2, 3, 4, 5;
  const TensorView<float, 2> view = view_of(matrix);
  CHECK(view.shape() == Shape<2>{2, 3});
  CHECK(view(1, 1) == 4);
  view(1, 1) = 40;
  CHECK(matrix(1, 1) == 40);
  const RowMajor<float>& constant = matrix;
  STATIC_REQUIRE(std::is_same_v<decltype(view_of(constant)), TensorView<const float, 2>>);
  CHECK(view_of(constant).data() == matrix.data());
}

TEST_CASE("Rows with any stride become an Eigen matrix", "[kernels][eigen_map]") {
  std::vector<float> memory(20);
  std::iota(memory.begin(), memory.end(), 0.0f);
  const auto spaced = kernels::map_rows(memory.data(), 3, 2, 5);
  CHECK(spaced(2, 1) == 11);
  const auto overlapping = kernels::map_rows(memory.data(), 4, 3, 1);
  CHECK(overlapping(3, 2) == 5);
  const auto upwards = kernels::map_rows(memory.data() + 10, 3, 2, -5);
  CHECK(upwards(0, 1) == 11);
  CHECK(upwards(2, 0) == 0);
  const auto repeated = kernels::map_rows(memory.data() + 7, 3, 2, 0);
  CHECK(repeated(2, 1) == 8);
  const auto row = kernels::map_row(memory.data() + 3, 2);
  CHECK(row.size() == 2);
  CHECK(row(1) == 4);
}
