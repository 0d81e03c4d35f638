// SPDX-License-Identifier: MIT
// Bernoulli: one logit for a binary sub-pixel.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <pixelrnn/likelihood/likelihood.hpp>
#include <pixelrnn/simd/math.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// p(1) = 1 / (1 + e^-z): the sigmoid output for binary images (van den Oord et al. 2016,
/// sec. 5.5). One logit a channel.
struct Bernoulli {
  static constexpr bool masks_colours = true;
  [[nodiscard]] static constexpr int levels() { return 2; }
  [[nodiscard]] static constexpr Index outputs(Index channels) { return channels; }
  [[nodiscard]] static std::string name() { return "bernoulli"; }
  /// The likelihood of that name, if it is one.
  [[nodiscard]] static std::optional<Bernoulli> named(std::string_view name) {
    return name == "bernoulli" ? std::optional(Bernoulli()) : std::nullopt;
  }

  template <class T>
  [[nodiscard]] static double nats(const T* logits, std::span<const Images::Level> pixel) {
    double sum = 0;
    for (const Images::Level level : pixel) sum += nats_of(*logits++, level);
    return sum;
  }
  template <class T>
  static void add_gradient(const T* logits, std::span<const Images::Level> pixel, T scale, T* d) {
    for (const Images::Level level : pixel) {
      *d++ += scale * (simd::logistic(*logits++) - static_cast<T>(level));
    }
  }

  template <class T>
  class Conditional {
   public:
    explicit Conditional(T logit) : logit_(logit) {}
    [[nodiscard]] static constexpr int levels() { return 2; }
    [[nodiscard]] double log_probability(int level) const { return -nats_of(logit_, level); }
    [[nodiscard]] double below(int level) const {
      return level == 1 ? static_cast<double>(simd::logistic(-logit_)) : level / 2;
    }

   private:
    T logit_;
  };
  template <class T>
  [[nodiscard]] static Conditional<T> conditional(const T* logits, std::span<const Images::Level>,
                                                  Index channel, std::vector<double>&) {
    return Conditional<T>(logits[channel]);
  }

 private:
  /// -ln p(0) = ln(1 + e^z) and -ln p(1) = ln(1 + e^-z).
  template <class T>
  [[nodiscard]] static double nats_of(T logit, int level) {
    return static_cast<double>(simd::softplus(level == 0 ? logit : -logit));
  }
};

static_assert(Likelihood<Bernoulli, float> && Likelihood<Bernoulli, double>);

}  // namespace pixelrnn::inline PIXELRNN_ABI
