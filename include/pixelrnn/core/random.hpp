// SPDX-License-Identifier: MIT
// Counter-based random numbers: the n-th number of a stream is a pure function of (seed, n).
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <utility>

#include <pixelrnn/core/shape.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// Philox4x32-10 (Salmon, Moraes, Dror & Shaw 2011, "Parallel Random Numbers: As Easy as 1, 2, 3"):
/// four 32-bit words from a 128-bit counter and a 64-bit key, by ten rounds of multiply and mix.
[[nodiscard]] constexpr std::array<std::uint32_t, 4> philox4x32(
    std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53} * counter[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57} * counter[2];
    counter = {
        static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
        static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

namespace detail {

[[nodiscard]] constexpr std::array<std::uint32_t, 2> key_of(std::uint64_t seed) {
  return {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)};
}

/// 53 random bits as a double in [0, 1).
[[nodiscard]] constexpr double unit_double(std::uint32_t high, std::uint32_t low) {
  const std::uint64_t bits = (std::uint64_t{high} << 32 | low) >> 11;
  return static_cast<double>(bits) * 0x1.0p-53;
}

}  // namespace detail

/// Uniform in [0, 1), a pure function of where it is used: the draw for channel `channel` of pixel
/// `pixel` (raster index) of image `image` is the same whatever batch, thread or sampler asks.
/// `purpose` keeps independent users of one seed apart.
[[nodiscard]] constexpr double keyed_uniform(std::uint64_t seed, std::uint64_t image, Index pixel,
                                             Index channel, std::uint8_t purpose = 0) {
  const std::array<std::uint32_t, 4> counter{
      static_cast<std::uint32_t>(pixel), static_cast<std::uint32_t>(channel) << 8 | purpose,
      static_cast<std::uint32_t>(image),
      static_cast<std::uint32_t>(image >> 32) ^ 0x80000000u};  // never meets a counter of Rng
  const std::array<std::uint32_t, 4> words = philox4x32(counter, detail::key_of(seed));
  return detail::unit_double(words[0], words[1]);
}

/// A stream of random numbers. Copyable, and restorable from (seed, position): two numbers to save.
class Rng {
 public:
  explicit constexpr Rng(std::uint64_t seed, std::uint64_t position = 0)
      : seed_(seed), position_(position) {}

  [[nodiscard]] constexpr std::uint64_t seed() const { return seed_; }
  /// Numbers drawn so far.
  [[nodiscard]] constexpr std::uint64_t position() const { return position_; }

  /// The next 64 random bits.
  constexpr std::uint64_t next() {
    const std::array<std::uint32_t, 4> words = philox4x32(
        {static_cast<std::uint32_t>(position_), static_cast<std::uint32_t>(position_ >> 32), 0, 0},
        detail::key_of(seed_));
    ++position_;
    return std::uint64_t{words[0]} << 32 | words[1];
  }
  /// Uniform in [0, 1).
  constexpr double uniform() {
    const std::uint64_t bits = next();
    return detail::unit_double(static_cast<std::uint32_t>(bits >> 32),
                               static_cast<std::uint32_t>(bits));
  }
  /// Uniform in [low, high). Rounded once: where the compiler may choose, bits would differ.
  double uniform(double low, double high) { return std::fma(high - low, uniform(), low); }
  /// Standard normal (Box & Muller 1958); draws two numbers.
  double normal() {
    const double radius = std::sqrt(-2.0 * std::log1p(-uniform()));
    return radius * std::cos(2.0 * std::numbers::pi * uniform());
  }
  /// Uniform in 0 .. bound - 1, without bias; bound must be positive.
  constexpr std::uint64_t below(std::uint64_t bound) {
    const std::uint64_t rejected = (0 - bound) % bound;  // 2^64 mod bound
    std::uint64_t bits = next();
    while (bits < rejected) bits = next();
    return bits % bound;
  }
  /// Puts the range in random order (Fisher & Yates).
  template <class Range>
  constexpr void shuffle(Range& range) {
    for (std::size_t i = range.size(); i > 1; --i) {
      std::swap(range[i - 1], range[static_cast<std::size_t>(below(i))]);
    }
  }

 private:
  std::uint64_t seed_;
  std::uint64_t position_;
};

}  // namespace pixelrnn::inline PIXELRNN_ABI
