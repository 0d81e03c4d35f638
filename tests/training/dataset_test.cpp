// SPDX-License-Identifier: MIT
#include <algorithm>
#include <numeric>
#include <vector>

#include <pixelrnn/training/binarize.hpp>
#include <pixelrnn/training/dataset.hpp>

#include "support/catch.hpp"
#include "support/statistics.hpp"

using namespace pixelrnn;

namespace {

/// A data set of a user's own: image i of epoch e is i + e everywhere.
struct Counting {
  [[nodiscard]] Index count() const { return 3; }
  [[nodiscard]] ImageShape image_shape() const { return {2, 2, 1}; }
  [[nodiscard]] int levels() const { return 256; }
  void fetch(Index image, Index epoch, TensorView<Images::Level, 3> out) const {
    std::fill(out.begin(), out.end(), static_cast<Images::Level>(image + epoch));
  }
};
struct WithoutFetch {
  [[nodiscard]] Index count() const { return 3; }
  [[nodiscard]] ImageShape image_shape() const { return {2, 2, 1}; }
  [[nodiscard]] int levels() const { return 256; }
};

std::vector<Index> order_of(Index count, std::uint64_t seed, Index epoch) {
  std::vector<Index> order;
  epoch_order(count, seed, epoch, order);
  return order;
}

}  // namespace

TEST_CASE("A data set is told by its members", "[training][dataset]") {
  STATIC_REQUIRE(DataSet<Images>);
  STATIC_REQUIRE(DataSet<DynamicImages>);
  STATIC_REQUIRE(DataSet<Counting>);
  STATIC_REQUIRE_FALSE(DataSet<WithoutFetch>);
  STATIC_REQUIRE_FALSE(DataSet<int>);
}

TEST_CASE("Fixed images are the same in every epoch, a user's are what they say",
          "[training][dataset]") {
  Images images(2, {1, 2, 1}, 256);
  images[1](0, 0, 0) = 7;
  images[1](0, 1, 0) = 9;
  Tensor<Images::Level, 3> out({1, 2, 1});
  for (const Index epoch : {0, 5}) {
    fetch(images, 1, epoch, out);
    CHECK(out(0, 0, 0) == 7);
    CHECK(out(0, 1, 0) == 9);
  }
  Tensor<Images::Level, 3> counted({2, 2, 1});
  fetch(Counting{}, 2, 5, counted);
  CHECK(counted(1, 1, 0) == 7);
}

TEST_CASE("The order of an epoch shows every image once", "[training][dataset]") {
  for (const Index count : {0, 1, 2, 1000}) {
    CAPTURE(count);
    std::vector<Index> order = order_of(count, 1, 0), all(static_cast<std::size_t>(count));
    std::iota(all.begin(), all.end(), Index{0});
    if (count == 1000) CHECK(order != all);  // it is shuffled
    std::sort(order.begin(), order.end());
    CHECK(order == all);
  }
}

TEST_CASE("The order depends on seed and epoch alone", "[training][dataset]") {
  const std::vector<Index> order = order_of(50, 1, 3);
  CHECK(order_of(50, 1, 3) == order);
  CHECK(order_of(50, 1, 4) != order);
  CHECK(order_of(50, 2, 3) != order);
  std::vector<Index> reused{9, 9, 9};  // whatever the vector held
  epoch_order(50, 1, 3, reused);
  CHECK(reused == order);
}

TEST_CASE("Over the epochs every order of three images is equally likely", "[training][dataset]") {
  std::vector<std::size_t> seen(27);
  constexpr Index epochs = 6000;
  for (Index epoch = 0; epoch < epochs; ++epoch) {
    const auto order = order_of(3, 8, epoch);
    ++seen[static_cast<std::size_t>(order[0] * 9 + order[1] * 3 + order[2])];
  }
  std::vector<std::size_t> counts;
  for (const std::size_t n : {5u, 7u, 11u, 15u, 19u, 21u}) counts.push_back(seen[n]);
  CHECK(std::accumulate(counts.begin(), counts.end(), std::size_t{0}) == epochs);
  CHECK(test::chi_square_test(counts, std::vector<double>(6, 1.0 / 6)) > 1e-4);
  // The control: were each of three draws in the shuffle from all three images, some orders would
  // come 4 and others 5 times in 27.
  CHECK(test::chi_square_test(counts, {4. / 27, 5. / 27, 5. / 27, 5. / 27, 4. / 27, 4. / 27}) <
        1e-4);
}
