// SPDX-License-Identifier: MIT
#include <algorithm>
#include <concepts>
#include <limits>
#include <vector>

#include <pixelrnn/core/random.hpp>
#include <pixelrnn/kernels/backend.hpp>
#include <pixelrnn/kernels/reference.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"

using namespace pixelrnn;

namespace {

template <class T, class K, class E>
concept CanBeBackend = requires {
  typename Backend<T, K, E>;
};

/// Where chunks do not cover [0, count) one after the other, as evenly as they come.
bool covers(Chunks chunks) {
  Index at = 0;
  std::vector<Index> sizes;
  for (Index chunk = 0; chunk < chunks.size(); ++chunk) {
    if (chunks.first(chunk) != at) return false;
    at = chunks.last(chunk);
    sizes.push_back(at - chunks.first(chunk));
  }
  if (at != chunks.count) return false;
  if (sizes.empty()) return true;
  const auto [least, most] = std::minmax_element(sizes.begin(), sizes.end());
  return *least >= 1 && *most - *least <= 1;
}

}  // namespace

TEST_CASE("A backend is float, xsimd and OpenMP unless it says otherwise", "[nn][backend]") {
  STATIC_REQUIRE(std::same_as<Backend<>::Scalar, float>);
  STATIC_REQUIRE(std::same_as<Backend<>::Kernels, kernels::Xsimd>);
  STATIC_REQUIRE(std::same_as<Backend<>::Execution, execution::OpenMP>);
  using Other = Backend<double, kernels::Reference, execution::Sequential>;
  STATIC_REQUIRE(std::same_as<Other::Scalar, double>);
  STATIC_REQUIRE(std::same_as<Other::Kernels, kernels::Reference>);
  STATIC_REQUIRE(std::same_as<Other::Execution, execution::Sequential>);
}

TEST_CASE("A backend takes nothing that is not its policy", "[nn][backend]") {
  STATIC_REQUIRE(CanBeBackend<float, kernels::Reference, execution::Sequential>);
  STATIC_REQUIRE_FALSE(CanBeBackend<int, kernels::Reference, execution::Sequential>);
  STATIC_REQUIRE_FALSE(CanBeBackend<float, execution::Sequential, execution::Sequential>);
  STATIC_REQUIRE_FALSE(CanBeBackend<float, kernels::Reference, kernels::Reference>);
}

TEST_CASE("Chunks cover all there is, evenly, and are no more than there is work",
          "[nn][backend]") {
  for (Index count = 0; count <= 200; ++count) {
    CAPTURE(count);
    CHECK(covers({count}));
    CHECK(Chunks{count}.size() == std::min<Index>(count, reduction_chunks));
  }
  CHECK(covers({Index{1} << 50}));
}

TEMPLATE_TEST_CASE("Chunks are added in their order", "[nn][backend]", test::FloatReferenceBackend,
                   test::FloatEigenBackend, test::FloatXsimdBackend) {
  // In float ((1 + 1e8) - 1e8) + 1 is 1; the other way round it is 0, and with the parts summed
  // before they are added it is 2.
  const std::vector<float> parts{1e8f, 1e8f, 1e8f, -1e8f, -1e8f, -1e8f, 1, 1, 1};
  std::vector<float> total(3, 1.0f);
  detail::add_chunks<TestType>(1, parts.data(), 3, 3, 3, total.data());
  CHECK(total == std::vector<float>(3, 1.0f));
}

TEST_CASE("Parts of chunks may lie apart, and none is none", "[nn][backend]") {
  const double gap = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> parts{1, 2, gap, 10, 20, gap, 100, 200};
  std::vector<double> total{0.5, 0.25, 7};
  detail::add_chunks<test::ReferenceBackend>(1, parts.data(), 3, 3, 2, total.data());
  CHECK(total == std::vector<double>{111.5, 222.25, 7});
  detail::add_chunks<test::ReferenceBackend>(1, parts.data(), 0, 3, 2, total.data());
  CHECK(total == std::vector<double>{111.5, 222.25, 7});
}

TEST_CASE("Chunks of many values are zeroed and added by several threads alike", "[nn][backend]") {
  using B = test::FloatXsimdBackend;
  constexpr Index chunks = 3, gap = 5, count = 100'003, part = count + gap;
  const auto sum_of = [&](int threads) {
    Workspace workspace;
    std::fill_n(workspace.allocate<float>(chunks * part), chunks * part, 9.0f);
    workspace.reset();
    float* const parts = detail::allocate_chunks<B, float>(workspace, threads, chunks, part);
    CHECK(std::count(parts, parts + chunks * part, 0.0f) == chunks * part);
    Rng rng(7);
    std::generate_n(parts, chunks * part, [&] { return static_cast<float>(rng.uniform(-1, 1)); });
    std::vector<float> total(static_cast<std::size_t>(part), 0.25f);
    detail::add_chunks<B>(threads, parts, chunks, part, count, total.data());
    std::vector<float> expected(static_cast<std::size_t>(part), 0.25f);
    for (Index chunk = 0; chunk < chunks; ++chunk) {
      for (Index i = 0; i < count; ++i) {
        expected[static_cast<std::size_t>(i)] += parts[chunk * part + i];
      }
    }
    CHECK(total == expected);
    return total;
  };
  CHECK(sum_of(1) == sum_of(3));
}
