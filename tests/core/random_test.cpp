// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <numeric>
#include <set>
#include <vector>

#include <pixelrnn/core/random.hpp>

#include "support/catch.hpp"

using namespace pixelrnn;

namespace {

using Words = std::array<std::uint32_t, 4>;

/// Pearson's chi-square of counts against equal expectations.
double chi_square(const std::vector<std::size_t>& counts) {
  const double total = static_cast<double>(std::accumulate(counts.begin(), counts.end(), 0UL));
  const double expected = total / static_cast<double>(counts.size());
  double sum = 0;
  for (const std::size_t count : counts) {
    const double off = static_cast<double>(count) - expected;
    sum += off * off / expected;
  }
  return sum;
}

/// What chi-square with that many degrees of freedom exceeds once in a million draws or less
/// (Wilson & Hilferty 1931, at 4.75 standard deviations). The seeds are fixed: it does or it does
/// not, always.
double chi_square_limit(double freedom) {
  const double step = 2.0 / (9.0 * freedom);
  return freedom * std::pow(1.0 - step + 4.75 * std::sqrt(step), 3.0);
}

}  // namespace

TEST_CASE("Philox gives the known answers of its authors' library", "[core][random]") {
  // Random123, kat_vectors: philox4x32, 10 rounds.
  STATIC_REQUIRE(philox4x32({0, 0, 0, 0}, {0, 0}) ==
                 Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  STATIC_REQUIRE(
      philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}) ==
      Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  STATIC_REQUIRE(
      philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
      Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("Every word of Philox depends on every word of counter and key", "[core][random]") {
  const Words before = philox4x32({1, 2, 3, 4}, {5, 6});
  for (std::size_t flipped = 0; flipped < 6; ++flipped) {
    Words counter{1, 2, 3, 4};
    std::array<std::uint32_t, 2> key{5, 6};
    (flipped < 4 ? counter[flipped] : key[flipped - 4]) ^= 1;
    const Words after = philox4x32(counter, key);
    for (std::size_t word = 0; word < 4; ++word) CHECK(after[word] != before[word]);
  }
}

TEST_CASE("The first number of a stream is the known answer of its counter", "[core][random]") {
  Rng rng{0};
  CHECK(rng.next() == 0x6627e8d5e169c58d);
}

TEST_CASE("A stream is a pure function of seed and position", "[core][random]") {
  Rng rng{42};
  CHECK(rng.seed() == 42);
  CHECK(rng.position() == 0);
  std::vector<std::uint64_t> drawn(20);
  std::generate(drawn.begin(), drawn.end(), [&rng] { return rng.next(); });
  CHECK(rng.position() == 20);
  for (std::uint64_t position = 0; position < 20; ++position) {
    Rng restored(42, position);
    CHECK(restored.next() == drawn[position]);
  }
}

TEST_CASE("A copy of a stream goes on by itself", "[core][random]") {
  Rng original{7};
  original.next();
  Rng copy = original;
  const std::uint64_t next = original.next();
  CHECK(copy.position() == 1);
  CHECK(copy.next() == next);
}

TEST_CASE("Streams of different seeds share no numbers", "[core][random]") {
  std::set<std::uint64_t> seen;
  for (const std::uint64_t seed : {0ull, 1ull, 2ull, 1ull << 32, ~0ull}) {
    Rng rng{seed};
    for (int i = 0; i < 1000; ++i) seen.insert(rng.next());
  }
  CHECK(seen.size() == 5000);
}

TEST_CASE("A stream goes on beyond 2^32 numbers without repeating", "[core][random]") {
  Rng low(3, 0), high(3, std::uint64_t{1} << 32);
  CHECK(low.next() != high.next());
  CHECK(high.position() == (std::uint64_t{1} << 32) + 1);
}

TEST_CASE("uniform is the top 53 bits of a number, in [0, 1)", "[core][random]") {
  Rng rng{5};
  Rng same{5};
  for (int i = 0; i < 1000; ++i) {
    const double u = rng.uniform();
    CHECK(u == std::ldexp(static_cast<double>(same.next() >> 11), -53));
    CHECK(u >= 0.0);
    CHECK(u < 1.0);
  }
  STATIC_REQUIRE(detail::unit_double(0xffffffff, 0xffffffff) < 1.0);
  STATIC_REQUIRE(detail::unit_double(0xffffffff, 0xffffffff) == 1.0 - 0x1.0p-53);
  STATIC_REQUIRE(detail::unit_double(0x80000000, 0) == 0.5);
  STATIC_REQUIRE(detail::unit_double(0, 0) == 0.0);
}

TEST_CASE("uniform fills its interval evenly", "[core][random]") {
  Rng rng{11};
  std::vector<std::size_t> bins(64);
  for (int i = 0; i < 64000; ++i) ++bins[static_cast<std::size_t>(64.0 * rng.uniform())];
  CHECK(chi_square(bins) < chi_square_limit(63));
  // The limit can be exceeded: a half-empty bin is found out.
  bins[3] /= 2;
  CHECK(chi_square(bins) > chi_square_limit(63));
}

TEST_CASE("uniform of an interval stays in it and is a scaled uniform", "[core][random]") {
  Rng rng{13};
  Rng same{13};
  for (int i = 0; i < 100; ++i) {
    const double value = rng.uniform(-2.0, 3.0);
    CHECK(value == std::fma(5.0, same.uniform(), -2.0));
    CHECK(value >= -2.0);
    CHECK(value < 3.0);
  }
}

TEST_CASE("normal has the moments of a standard normal and draws two numbers", "[core][random]") {
  Rng rng{17};
  constexpr int count = 100000;
  double sum = 0, square = 0, cube = 0, fourth = 0;
  for (int i = 0; i < count; ++i) {
    const double x = rng.normal();
    REQUIRE(std::isfinite(x));
    sum += x;
    square += x * x;
    cube += x * x * x;
    fourth += x * x * x * x;
  }
  CHECK(rng.position() == 2 * count);
  // Five standard errors: sqrt(1, 2, 15, 96) / sqrt(count).
  const double error = 5.0 / std::sqrt(count);
  CHECK(sum / count == Approx(0.0).margin(error));
  CHECK(square / count == Approx(1.0).margin(error * std::sqrt(2.0)));
  CHECK(cube / count == Approx(0.0).margin(error * std::sqrt(15.0)));
  CHECK(fourth / count == Approx(3.0).margin(error * std::sqrt(96.0)));
}

TEST_CASE("normal is finite where the uniform number is 0", "[core][random]") {
  // Box & Muller take log(1 - u), which no u in [0, 1) makes infinite.
  CHECK(std::isfinite(std::log1p(-detail::unit_double(0xffffffff, 0xffffffff))));
  CHECK(std::log1p(-detail::unit_double(0, 0)) == 0.0);
}

TEST_CASE("below gives every number under the bound equally often, and no other",
          "[core][random]") {
  for (const std::uint64_t bound : {1u, 2u, 3u, 7u, 64u, 100u}) {
    Rng rng{bound};
    std::vector<std::size_t> counts(bound);
    for (std::uint64_t i = 0; i < 1000 * bound; ++i) {
      const std::uint64_t value = rng.below(bound);
      REQUIRE(value < bound);
      ++counts[value];
    }
    if (bound > 1) CHECK(chi_square(counts) < chi_square_limit(static_cast<double>(bound - 1)));
  }
}

TEST_CASE("below rejects draws that would favour small numbers", "[core][random]") {
  // Under 3 * 2^62 a plain remainder of 64 bits would give the lowest third twice as often.
  constexpr std::uint64_t bound = std::uint64_t{3} << 62;
  Rng rng{19};
  std::vector<std::size_t> thirds(3);
  for (int i = 0; i < 30000; ++i) ++thirds[rng.below(bound) >> 62];
  CHECK(chi_square(thirds) < chi_square_limit(2));
  CHECK(rng.position() > 30000);  // a quarter of the draws was rejected
  CHECK(rng.position() < 45000);

  std::vector<std::size_t> biased(3);
  Rng plain{19};
  for (int i = 0; i < 30000; ++i) ++biased[plain.next() % bound >> 62];
  CHECK(chi_square(biased) > chi_square_limit(2));
}

TEST_CASE("shuffle keeps the elements and gives every order equally often", "[core][random]") {
  Rng rng{23};
  std::map<std::array<int, 4>, std::size_t> orders;
  for (int i = 0; i < 24000; ++i) {
    std::array<int, 4> items{0, 1, 2, 3};
    rng.shuffle(items);
    ++orders[items];
  }
  REQUIRE(orders.size() == 24);
  std::vector<std::size_t> counts;
  for (const auto& [order, count] : orders) {
    CHECK(std::is_permutation(order.begin(), order.end(), std::array{0, 1, 2, 3}.begin()));
    counts.push_back(count);
  }
  CHECK(chi_square(counts) < chi_square_limit(23));
}

TEST_CASE("shuffle repeats with the seed and takes ranges of 0 and 1", "[core][random]") {
  std::vector<int> none, one{5}, first(50), second(50);
  std::iota(first.begin(), first.end(), 0);
  std::iota(second.begin(), second.end(), 0);
  const std::vector<int> sorted = first;
  Rng a{29}, b{29};
  a.shuffle(none);
  a.shuffle(one);
  CHECK(a.position() == 0);
  CHECK(one == std::vector<int>{5});
  a.shuffle(first);
  b.shuffle(second);
  CHECK(first == second);
  CHECK(first != sorted);
}

TEST_CASE("keyed_uniform is a function of place alone and changes with each part of it",
          "[core][random]") {
  const double here = keyed_uniform(1, 2, 3, 4, 5);
  CHECK(here == keyed_uniform(1, 2, 3, 4, 5));
  CHECK(here != keyed_uniform(9, 2, 3, 4, 5));
  CHECK(here != keyed_uniform(1, 9, 3, 4, 5));
  CHECK(here != keyed_uniform(1, 2, 9, 4, 5));
  CHECK(here != keyed_uniform(1, 2, 3, 9, 5));
  CHECK(here != keyed_uniform(1, 2, 3, 4, 9));
  CHECK(here != keyed_uniform(1ull << 32 | 1, 2, 3, 4, 5));
  CHECK(here != keyed_uniform(1, 1ull << 32 | 2, 3, 4, 5));
}

TEST_CASE("keyed_uniform gives neighbouring pixels, channels and images different numbers",
          "[core][random]") {
  std::set<double> seen;
  std::vector<std::size_t> bins(32);
  for (std::uint64_t image = 0; image < 16; ++image) {
    for (Index pixel = 0; pixel < 256; ++pixel) {
      for (Index channel = 0; channel < 3; ++channel) {
        const double u = keyed_uniform(7, image, pixel, channel);
        CHECK((u >= 0.0 && u < 1.0));
        seen.insert(u);
        ++bins[static_cast<std::size_t>(32.0 * u)];
      }
    }
  }
  CHECK(seen.size() == 16 * 256 * 3);
  CHECK(chi_square(bins) < chi_square_limit(31));
}

TEST_CASE("keyed_uniform never repeats the stream of the same seed", "[core][random]") {
  std::set<double> stream;
  Rng rng{31};
  for (int i = 0; i < 4096; ++i) stream.insert(rng.uniform());
  for (Index pixel = 0; pixel < 4096; ++pixel) {
    CHECK(stream.count(keyed_uniform(31, 0, pixel, 0)) == 0);
  }
}

TEST_CASE("Random numbers can be drawn at compile time", "[core][random]") {
  STATIC_REQUIRE(keyed_uniform(0, 0, 0, 0) < 1.0);
  STATIC_REQUIRE([] {
    Rng rng{0};
    return rng.next();
  }() == 0x6627e8d5e169c58d);
}
