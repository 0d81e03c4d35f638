// SPDX-License-Identifier: MIT
#include <array>

#include <pixelrnn/kernels/eigen.hpp>
#include <pixelrnn/kernels/reference.hpp>
#include <pixelrnn/kernels/xsimd.hpp>

#include "support/catch.hpp"

using namespace pixelrnn;
using kernels::Kernels;

namespace {

/// A policy of a user: Reference under another name.
struct Mine : kernels::Reference {
  static constexpr std::string_view name = "Mine";
};
struct Nameless : kernels::Reference {
  static constexpr int name = 0;
};
struct WithoutAffine : kernels::Reference {
  static void affine() = delete;
};

}  // namespace

TEST_CASE("A kernel policy is told by its members", "[kernels]") {
  STATIC_REQUIRE(Kernels<kernels::Reference, float>);
  STATIC_REQUIRE(Kernels<kernels::Eigen, double>);
  STATIC_REQUIRE(Kernels<kernels::Xsimd, float>);
  STATIC_REQUIRE(Kernels<Mine, double>);
  STATIC_REQUIRE_FALSE(Kernels<Nameless, float>);
  STATIC_REQUIRE_FALSE(Kernels<WithoutAffine, float>);
  STATIC_REQUIRE_FALSE(Kernels<int, float>);
  STATIC_REQUIRE_FALSE(Kernels<kernels::Reference, int>);
}

TEST_CASE("Policies know their names", "[kernels]") {
  CHECK(kernels::Reference::name == "Reference");
  CHECK(kernels::Eigen::name == "Eigen");
  CHECK(kernels::Xsimd::name == "Xsimd");
}

TEST_CASE("Packed weights get the room that the policy asks for", "[kernels]") {
  Workspace workspace;
  const auto plain = kernels::allocate_packed<kernels::Reference, float>(workspace, 5, 3);
  CHECK(plain.rows == 5);
  CHECK(plain.units == 3);
  CHECK(plain.groups == 1);
  CHECK(plain.columns() == 3);
  const auto gates =
      kernels::allocate_packed<kernels::Xsimd, double>(workspace, 5, 3, kernels::gate_count);
  CHECK(gates.columns() == 12);
  CHECK(kernels::Reference::packed_size<float>(5, 3, 4) == 60);
  // Xsimd fills every gate up to whole vectors.
  CHECK(kernels::Xsimd::packed_size<double>(5, 3, 4) % (20 * simd::lanes<double>) == 0);
  const auto view = kernels::as_const(gates);
  CHECK(view.data == gates.data);
  CHECK(view.columns() == 12);
}

TEST_CASE("Strided matrices and rows are index arithmetic", "[kernels]") {
  const std::array<int, 6> memory{0, 1, 2, 3, 4, 5};
  const kernels::Strided<int> matrix{memory.data(), 2, 3, 3, 1};
  const kernels::Strided<int> transposed{memory.data(), 3, 2, 1, 3};
  for (Index r = 0; r < 2; ++r) {
    for (Index c = 0; c < 3; ++c) {
      CHECK(matrix(r, c) == 3 * r + c);
      CHECK(transposed(c, r) == matrix(r, c));
    }
  }
  const kernels::Rows<const int> upwards{memory.data() + 4, -2};
  CHECK(*upwards[0] == 4);
  CHECK(*upwards[2] == 0);
  CHECK(upwards);
  CHECK_FALSE(kernels::Rows<int>());
}
