// SPDX-License-Identifier: MIT
// StepDropout: what a step of training leaves out, as a pure function of where it stands.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include <pixelrnn/core/error.hpp>
#include <pixelrnn/core/random.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// Dropout in one step of training (Srivastava et al. 2014): of the maps that a net gives to
/// dropout() each number becomes 0 with probability `rate`, and 1 / (1 - rate) times what it was
/// otherwise. Which numbers those are depends on the seed, the step, the image, which map of the
/// net it is, and where in it: they are the same for any number of threads and parts of a batch.
struct StepDropout {
  double rate = 0;          ///< 0: none; less than 1, in steps of 1/65,536
  std::uint64_t seed = 0;   ///< the trainer's
  std::uint32_t step = 0;   ///< of the training: each has draws of its own
  std::uint32_t image = 0;  ///< of the step: the first one of the batch, or of a part of it
};

/// Throws ConfigError unless 0 <= rate < 1.
inline void require_dropout(const char* where, double rate) {
  if (rate >= 0 && rate < 1) return;  // not NaN
  detail::fail<ConfigError>(where, ": dropout is ", rate, ", expected 0 (none) to less than 1");
}

namespace detail {

/// The counter's purpose, see keyed_uniform.
inline constexpr std::uint32_t dropout_purpose = 2;
inline constexpr Index dropout_block = 8;  ///< numbers of one call of philox4x32

/// One map of one recording.
class DroppedMap {
 public:
  DroppedMap(const StepDropout& draws, std::uint32_t map)
      : draws_(draws),
        map_(map),
        below_(static_cast<std::uint32_t>(std::min<long>(65535, std::lround(draws.rate * 65536)))) {
  }

  /// What kept numbers are multiplied by.
  [[nodiscard]] double factor() const { return 65536.0 / (65536.0 - below_); }
  /// Numbers [8·block, 8·block + 8) of the image: bit i is set if number i is kept.
  [[nodiscard]] std::uint8_t kept(std::uint32_t image, Index block) const {
    const std::array<std::uint32_t, 4> words =
        philox4x32({static_cast<std::uint32_t>(block), map_ << 8 | dropout_purpose, draws_.step,
                    (draws_.image + image) | 0x80000000u},  // never meets a counter of Rng
                   key_of(draws_.seed));
    std::uint32_t bits = 0;
    for (std::uint32_t i = 0; i < 4; ++i) {
      bits |= static_cast<std::uint32_t>((words[i] & 0xFFFF) >= below_) << 2 * i;
      bits |= static_cast<std::uint32_t>((words[i] >> 16) >= below_) << (2 * i + 1);
    }
    return static_cast<std::uint8_t>(bits);
  }

 private:
  StepDropout draws_;
  std::uint32_t map_;
  std::uint32_t below_;  ///< 16 random bits that leave a number out
};

}  // namespace detail
}  // namespace pixelrnn::inline PIXELRNN_ABI
