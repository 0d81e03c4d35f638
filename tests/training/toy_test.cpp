// SPDX-License-Identifier: MIT
#include <array>
#include <cmath>
#include <map>
#include <vector>

#include <pixelrnn/training/toy.hpp>

#include "support/catch.hpp"

using namespace pixelrnn;

namespace {

using Level = Images::Level;

/// The pixels of an image as a number, the first one the lowest bit.
unsigned bits_of(TensorView<const Level, 3> image) {
  unsigned bits = 0;
  for (Index i = 0; i < image.size(); ++i) bits |= unsigned{image.data()[i]} << i;
  return bits;
}

/// The exact distribution, by going through all throws of the coins.
std::map<unsigned, double> distribution(unsigned size) {
  std::map<unsigned, double> p;
  const unsigned lines = 1u << size;
  for (unsigned coins = 0; coins < lines; ++coins) {
    unsigned rows = 0, columns = 0;
    for (unsigned y = 0; y < size; ++y) {
      for (unsigned x = 0; x < size; ++x) {
        rows |= (coins >> x & 1u) << (y * size + x);
        columns |= (coins >> y & 1u) << (y * size + x);
      }
    }
    p[rows] += 0.5 / lines;
    p[columns] += 0.5 / lines;
  }
  return p;
}

}  // namespace

TEST_CASE("Bars and stripes are binary square images of one channel", "[training][toy]") {
  Rng rng(1);
  const Images images = bars_and_stripes(5, 4, rng);
  CHECK(images.count() == 5);
  CHECK(images.image_shape() == ImageShape{4, 4, 1});
  CHECK(images.levels() == 2);
  CHECK(bars_and_stripes(0, 4, rng).empty());
}

TEST_CASE("Bars and stripes depend on the generator alone", "[training][toy]") {
  Rng a(7), b(7), other(8);
  const Images first = bars_and_stripes(20, 6, a), again = bars_and_stripes(20, 6, b);
  CHECK(std::equal(first.pixels().begin(), first.pixels().end(), again.pixels().begin()));
  CHECK(a.position() == b.position());
  const Images different = bars_and_stripes(20, 6, other);
  CHECK_FALSE(std::equal(first.pixels().begin(), first.pixels().end(), different.pixels().begin()));
}

TEST_CASE("Bars and stripes come with the probabilities of the coins", "[training][toy]") {
  constexpr unsigned size = 3;
  const std::map<unsigned, double> p = distribution(size);
  REQUIRE(p.size() == 14);  // 2·2^3 throws, two images of one level twice
  constexpr Index count = 14000;
  Rng rng(3);
  const Images images = bars_and_stripes(count, size, rng);
  std::map<unsigned, Index> seen;
  for (Index i = 0; i < count; ++i) ++seen[bits_of(images[i])];
  const auto chi_square = [&](const std::map<unsigned, double>& expected) {
    double sum = 0;
    for (const auto& [image, probability] : expected) {
      const double mean = probability * static_cast<double>(count);
      const double difference = static_cast<double>(seen[image]) - mean;
      sum += difference * difference / mean;
    }
    return sum;
  };
  // 13 degrees of freedom: more than 45 by chance once in 50,000 seeds.
  CHECK(chi_square(p) < 45);
  CHECK(seen.size() == p.size());  // nothing but bars and stripes
  // The control: all 14 images equally likely is another distribution, and is told apart.
  std::map<unsigned, double> uniform = p;
  for (auto& [image, probability] : uniform) probability = 1.0 / 14;
  CHECK(chi_square(uniform) > 45);
}

TEST_CASE("The entropy of bars and stripes is that of all throws", "[training][toy]") {
  for (const unsigned size : {1u, 2u, 3u, 4u, 5u}) {
    double entropy = 0;
    for (const auto& [image, p] : distribution(size)) entropy -= p * std::log(p);
    CAPTURE(size);
    CHECK(bars_and_stripes_entropy(static_cast<Index>(size)).value ==
          Approx(entropy).epsilon(1e-12));
  }
  CHECK(bars_and_stripes_entropy(8).value ==
        Approx(std::log(512) - std::log(2) / 128).epsilon(1e-12));
}

TEST_CASE("Bars and stripes refuse sizes that cannot be", "[training][toy]") {
  Rng rng(1);
  CHECK_THROWS_ERROR(bars_and_stripes(-1, 4, rng), ConfigError,
                     "count is -1 and size 4, expected count >= 0 and size >= 1");
  CHECK_THROWS_ERROR(bars_and_stripes(1, 0, rng), ConfigError, "count is 1 and size 0");
  CHECK_THROWS_ERROR(bars_and_stripes_entropy(0), ConfigError, "size is 0, expected 1 or more");
}
