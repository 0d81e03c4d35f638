// SPDX-License-Identifier: MIT
// Categorical: a softmax over the levels of a sub-pixel.
#pragma once

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>

#include <pixelrnn/likelihood/likelihood.hpp>
#include <pixelrnn/simd/math.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// p(v) = e^z_v / Σ_u e^z_u: the 256-way softmax of van den Oord et al. 2016, sec. 5.1, for any
/// number of levels V. V logits a channel: those of the first channel, then those of the next.
class Categorical {
 public:
  static constexpr bool masks_colours = true;

  /// Throws ConfigError unless 2 <= levels <= 65536.
  explicit Categorical(int levels = 256) : levels_(levels) {
    detail::require_level_count("Categorical", levels);
  }

  [[nodiscard]] int levels() const { return levels_; }
  [[nodiscard]] Index outputs(Index channels) const { return channels * levels_; }
  [[nodiscard]] std::string name() const { return "categorical" + std::to_string(levels_); }
  /// The likelihood of that name, if it is one: "categorical16" has 16 levels.
  [[nodiscard]] static std::optional<Categorical> named(std::string_view name) {
    constexpr std::string_view prefix = "categorical";
    if (!name.starts_with(prefix)) return std::nullopt;
    const char* const end = name.data() + name.size();
    int levels = 0;
    const auto [stopped, error] = std::from_chars(name.data() + prefix.size(), end, levels);
    if (error != std::errc{} || stopped != end || levels < 2 || levels > 65536) return std::nullopt;
    return Categorical(levels);
  }

  template <class T>
  [[nodiscard]] double nats(const T* logits, std::span<const Images::Level> pixel) const {
    double sum = 0;
    for (const Images::Level level : pixel) {
      sum += static_cast<double>(log_sum_exp(logits) - logits[level]);
      logits += levels_;
    }
    return sum;
  }
  template <class T>
  void add_gradient(const T* logits, std::span<const Images::Level> pixel, T scale, T* d) const {
    for (const Images::Level level : pixel) {
      const simd::Batch<T> norm(log_sum_exp(logits)), factor(scale);
      simd::transform(Index{levels_}, logits, d, d, [=](simd::Batch<T> z, simd::Batch<T> sum) {
        return sum + factor * simd::exp(z - norm);
      });
      d[level] -= scale;
      logits += levels_, d += levels_;
    }
  }

  template <class T>
  class Conditional {
   public:
    /// `norm` is ln Σ e^z; e^z up to a factor, summed over the levels below each, stand in `sums`.
    Conditional(const T* logits, T norm, std::span<const double> sums)
        : logits_(logits), norm_(norm), sums_(sums) {}
    [[nodiscard]] int levels() const { return static_cast<int>(sums_.size()) - 1; }
    [[nodiscard]] double log_probability(int level) const {
      return static_cast<double>(logits_[level] - norm_);
    }
    [[nodiscard]] double below(int level) const {
      return sums_[static_cast<std::size_t>(level)] / sums_.back();
    }

   private:
    const T* logits_;
    T norm_;
    std::span<const double> sums_;
  };
  template <class T>
  [[nodiscard]] Conditional<T> conditional(const T* logits, std::span<const Images::Level>,
                                           Index channel, std::vector<double>& room) const {
    const T* const z = logits + channel * levels_;
    room.resize(static_cast<std::size_t>(levels_) + 1);
    double sum = 0;
    const T norm = log_sum_exp(z, [&](Index level, T e) {
      room[static_cast<std::size_t>(level)] = sum;
      sum += static_cast<double>(e);
    });
    room.back() = sum;
    return {z, norm, room};
  }

 private:
  /// ln Σ e^z, shifted by the largest z so that nothing overflows; NaN stays NaN. The sum runs in
  /// double, level by level. Calls each(level, e^(z - largest)).
  template <class T, class F>
  [[nodiscard]] T log_sum_exp(const T* z, F&& each) const {
    constexpr Index block = 64;
    alignas(64) T e[std::size_t{block}];
    const T top = *std::max_element(z, z + levels_);
    const simd::Batch<T> shift(top);
    double sum = 0;
    for (Index first = 0; first < levels_; first += block) {
      const Index count = std::min<Index>(block, levels_ - first);
      simd::transform(count, z + first, e, [=](simd::Batch<T> v) { return simd::exp(v - shift); });
      for (Index i = 0; i < count; ++i) {
        sum += static_cast<double>(e[i]);
        each(first + i, e[i]);
      }
    }
    return top + simd::log(static_cast<T>(sum));
  }
  template <class T>
  [[nodiscard]] T log_sum_exp(const T* z) const {
    return log_sum_exp(z, [](Index, T) {});
  }

  int levels_;
};

static_assert(Likelihood<Categorical, float> && Likelihood<Categorical, double>);

}  // namespace pixelrnn::inline PIXELRNN_ABI
