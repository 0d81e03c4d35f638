// SPDX-License-Identifier: MIT
// LogisticMixture: a discretised mixture of logistic distributions, for any number of levels.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>

#include <pixelrnn/likelihood/likelihood.hpp>
#include <pixelrnn/simd/math.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// Salimans et al. 2017 (PixelCNN++, arXiv 1701.05517), sec. 2.1 and 2.2. Levels v = 0 .. V-1 lie
/// at x = 2v/(V-1) - 1, with edges half way between; component k of K has mean μ_k and scale s_k:
///   P_k(v) = σ((e_{v+1} - μ_k)/s_k) - σ((e_v - μ_k)/s_k),   e_0 = -∞, e_V = +∞
/// so that all levels sum to 1. The channels of a pixel share the component, and each mean moves
/// with the channels before it, μ_c + Σ_{d<c} tanh(α_cd) x_d:
///   p(pixel) = Σ_k π_k Π_c P_kc(x_c)
/// Given its first channels, a pixel's next one has the posterior weights of the components.
/// Logits of a pixel of C channels: K weights (softmax); for each channel K means, K logarithms of
/// scales; for each channel and each one before it K coefficients: K (1 + 2C + C(C-1)/2), which is
/// 3K in grey and 10K for RGB. A scale is at least e^-7 · 255/(V-1), as theirs for 256 levels;
/// below that it has no gradient. Works in double, without cancellation: logarithms of P_k come
/// from σ(a) - σ(b) = σ(a) σ(-b) (1 - e^{b-a}). Cost: some ten functions a component and channel,
/// for any V; a draw takes log2(V) of them. Departs from the paper's code, which takes a density
/// where P is below 1e-5: here P is exact.
class LogisticMixture {
 public:
  static constexpr bool masks_colours = false;
  static constexpr int most_components = 64;

  /// Throws ConfigError unless 2 <= levels <= 65536 and 1 <= components <= 64.
  explicit LogisticMixture(int levels = 256, int components = 10)
      : levels_(levels), components_(components) {
    detail::require_level_count("LogisticMixture", levels);
    if (components < 1 || components > most_components) {
      detail::fail<ConfigError>("LogisticMixture: components is ", components, ", expected 1 to ",
                                most_components);
    }
    step_ = 2.0 / (levels - 1);
    least_log_scale_ = -7 - simd::log((levels - 1) / 255.0);
  }

  [[nodiscard]] int levels() const { return levels_; }
  [[nodiscard]] int components() const { return static_cast<int>(components_); }
  [[nodiscard]] Index outputs(Index channels) const { return coefficients(channels, channels, 0); }
  /// "logistic_mixture256x10"
  [[nodiscard]] std::string name() const {
    return std::string(prefix) + std::to_string(levels_) + 'x' + std::to_string(components_);
  }
  /// The likelihood of that name, if it is one.
  [[nodiscard]] static std::optional<LogisticMixture> named(std::string_view name) {
    if (!name.starts_with(prefix)) return std::nullopt;
    const char* const end = name.data() + name.size();
    int levels = 0, components = 0;
    const auto first = std::from_chars(name.data() + prefix.size(), end, levels);
    if (first.ec != std::errc{} || first.ptr == end || *first.ptr != 'x') return std::nullopt;
    const auto second = std::from_chars(first.ptr + 1, end, components);
    if (second.ec != std::errc{} || second.ptr != end || levels < 2 || levels > 65536 ||
        components < 1 || components > most_components) {
      return std::nullopt;
    }
    return LogisticMixture(levels, components);
  }

  template <class T>
  [[nodiscard]] double nats(const T* logits, std::span<const Images::Level> pixel) const {
    Numbers log_p = log_weights(logits);
    for (Index c = 0; c < std::ssize(pixel); ++c) add_channel(logits, pixel, c, log_p);
    return -log_sum_exp(log_p.data());
  }

  template <class T>
  void add_gradient(const T* logits, std::span<const Images::Level> pixel, T scale, T* d) const {
    const Numbers log_prior = log_weights(logits);
    Numbers log_p = log_prior, posterior;
    const Index channels = std::ssize(pixel);
    for (Index c = 0; c < channels; ++c) add_channel(logits, pixel, c, log_p);
    const double norm = log_sum_exp(log_p.data());
    for_each_part([&](Index k, Index n) {
      const Batch p = simd::exp(read(log_p, k, n) - Batch(norm));
      write(p, posterior, k, n);
      add(simd::exp(read(log_prior, k, n)) - p, scale, d + k, n);
    });
    for (Index c = 0; c < channels; ++c) {
      const Component channel = component(logits, pixel, c);
      for_each_part([&](Index k, Index n) {
        // -posterior · d ln P / dμ and d ln P / d ln s.
        const auto [of_mean, of_scale] = channel_gradient(channel, pixel[at(c)], k, n);
        const Batch minus = Batch(0.0) - read(posterior, k, n);
        const Batch d_mean = minus * of_mean;
        add(d_mean, scale, d + means(c) + k, n);
        add(minus * of_scale, scale, d + means(c) + components_ + k, n);
        for (Index e = 0; e < c; ++e) {
          const Index coefficient = coefficients(channels, c, e) + k;
          const Batch t = simd::tanh(load(logits + coefficient, n));
          add(d_mean * (Batch(1.0) - t * t) * Batch(value(pixel[at(e)])), scale, d + coefficient,
              n);
        }
      });
    }
  }

  class Conditional;
  template <class T>
  [[nodiscard]] Conditional conditional(const T* logits, std::span<const Images::Level> pixel,
                                        Index channel, std::vector<double>& room) const;

 private:
  using Batch = simd::Batch<double>;
  using Numbers = std::array<double, most_components>;
  static constexpr std::string_view prefix = "logistic_mixture";

  struct Component {
    Numbers mean, inverse;                       ///< μ, moved by the channels before, and 1/s
    std::array<bool, most_components> is_least;  ///< s is the least there is
  };

  static constexpr std::size_t at(Index i) { return static_cast<std::size_t>(i); }
  [[nodiscard]] double value(Images::Level level) const { return std::fma(step_, level, -1.0); }
  /// e_v, half a step below level v.
  [[nodiscard]] double edge(int level) const { return std::fma(step_, level - 0.5, -1.0); }

  // Where logits stand.
  [[nodiscard]] Index means(Index channel) const { return components_ * (1 + 2 * channel); }
  [[nodiscard]] Index coefficients(Index channels, Index channel, Index earlier) const {
    return components_ * (1 + 2 * channels + channel * (channel - 1) / 2 + earlier);
  }

  /// Calls f(k, n) for components [k, k + n), a vector at a time.
  template <class F>
  void for_each_part(F&& f) const {
    for (Index k = 0; k < components_; k += simd::lanes<double>) {
      f(k, std::min(simd::lanes<double>, components_ - k));
    }
  }
  template <class T>
  [[nodiscard]] static Batch load(const T* from, Index count) {
    alignas(64) double buffer[at(simd::lanes<double>)] = {};
    for (Index i = 0; i < count; ++i) buffer[i] = static_cast<double>(from[i]);
    return Batch::load_aligned(buffer);
  }
  [[nodiscard]] static Batch read(const Numbers& from, Index k, Index n) {
    return simd::load_up_to(from.data() + k, n);
  }
  static void write(Batch value, Numbers& to, Index k, Index n) {
    simd::store_up_to(to.data() + k, value, n);
  }
  template <class T>
  static void add(Batch value, T scale, T* d, Index n) {
    alignas(64) double buffer[at(simd::lanes<double>)];
    value.store_aligned(buffer);
    for (Index i = 0; i < n; ++i) d[i] += scale * static_cast<T>(buffer[i]);
  }

  /// ln Σ e^z of so many components, in their order.
  [[nodiscard]] double log_sum_exp(const double* z) const {
    const double top = *std::max_element(z, z + components_);
    Numbers e;
    for_each_part([&](Index k, Index n) {
      write(simd::exp(simd::load_up_to(z + k, n) - Batch(top)), e, k, n);
    });
    double sum = 0;
    for (Index k = 0; k < components_; ++k) sum += e[at(k)];
    return top + simd::log(sum);
  }
  template <class T>
  [[nodiscard]] Numbers log_weights(const T* logits) const {
    Numbers z;
    for (Index k = 0; k < components_; ++k) z[at(k)] = static_cast<double>(logits[k]);
    const double norm = log_sum_exp(z.data());
    for (Index k = 0; k < components_; ++k) z[at(k)] -= norm;
    return z;
  }
  template <class T>
  [[nodiscard]] Component component(const T* logits, std::span<const Images::Level> pixel,
                                    Index channel) const {
    Component c;
    const T* const mean = logits + means(channel);
    const Index channels = std::ssize(pixel);
    for_each_part([&](Index k, Index n) {
      Batch m = load(mean + k, n);
      for (Index e = 0; e < channel; ++e) {
        const Batch t = simd::tanh(load(logits + coefficients(channels, channel, e) + k, n));
        m = simd::fma(t, Batch(value(pixel[at(e)])), m);
      }
      write(m, c.mean, k, n);
      Numbers log_scale;
      for (Index i = k; i < k + n; ++i) {
        const double s = static_cast<double>(mean[components_ + i]);
        c.is_least[at(i)] = s < least_log_scale_;
        log_scale[at(i)] = c.is_least[at(i)] ? least_log_scale_ : s;  // NaN stays NaN
      }
      write(simd::exp(Batch(0.0) - read(log_scale, k, n)), c.inverse, k, n);
    });
    return c;
  }

  /// ln P_k(level) of components [k, k + n).
  template <class Parts>
  [[nodiscard]] Batch log_level(const Parts& c, Images::Level level, Index k, Index n) const {
    const Batch mean = simd::load_up_to(&c.mean[0] + k, n);
    const Batch inverse = simd::load_up_to(&c.inverse[0] + k, n), zero(0.0);
    const auto upper = [&] {  // -ln σ(a), with a of the edge above
      return simd::softplus((mean - Batch(edge(level + 1))) * inverse);
    };
    const auto lower = [&] {  // -ln σ(-b), with b of the edge below
      return simd::softplus((Batch(edge(level)) - mean) * inverse);
    };
    if (level == 0) return zero - upper();
    if (level == levels_ - 1) return zero - lower();
    // 1 - e^-δ = tanh(δ/2) (1 + e^-δ)
    const Batch delta = Batch(step_) * inverse;
    return simd::log(simd::tanh(delta * Batch(0.5))) + simd::softplus(zero - delta) - upper() -
           lower();
  }
  template <class T>
  void add_channel(const T* logits, std::span<const Images::Level> pixel, Index channel,
                   Numbers& log_p) const {
    const Component c = component(logits, pixel, channel);
    for_each_part([&](Index k, Index n) {
      write(read(log_p, k, n) + log_level(c, pixel[at(channel)], k, n), log_p, k, n);
    });
  }
  struct Slopes {
    Batch mean, log_scale;
  };
  /// d ln P_k / dμ_k and d ln P_k / d ln s_k.
  [[nodiscard]] Slopes channel_gradient(const Component& c, Images::Level level, Index k,
                                        Index n) const {
    const Batch mean = read(c.mean, k, n), inverse = read(c.inverse, k, n), zero(0.0), one(1.0);
    Slopes d{zero, zero};
    if (level < levels_ - 1) {
      const Batch a = (Batch(edge(level + 1)) - mean) * inverse, s = simd::logistic(zero - a);
      d.mean = d.mean - s * inverse, d.log_scale = d.log_scale - a * s;
    }
    if (level > 0) {
      const Batch b = (Batch(edge(level)) - mean) * inverse, s = simd::logistic(b);
      d.mean = d.mean + s * inverse, d.log_scale = d.log_scale + b * s;
    }
    if (level > 0 && level < levels_ - 1) {
      const Batch delta = Batch(step_) * inverse, e = simd::exp(zero - delta);
      d.log_scale = d.log_scale - delta * e / (simd::tanh(delta * Batch(0.5)) * (one + e));
    }
    Numbers kept;
    for (Index i = k; i < k + n; ++i) kept[at(i)] = c.is_least[at(i)] ? 0 : 1;
    d.log_scale = d.log_scale * read(kept, k, n);
    return d;
  }

  int levels_;
  Index components_;
  double step_, least_log_scale_;
};

class LogisticMixture::Conditional {
 public:
  [[nodiscard]] int levels() const { return mixture_.levels_; }
  [[nodiscard]] double log_probability(int level) const {
    Numbers log_p{};  // g++ 12 does not see that all that is read was written
    mixture_.for_each_part([&](Index k, Index n) {
      mixture_.write(simd::load_up_to(weights_ + k, n) +
                         mixture_.log_level(parts_, static_cast<Images::Level>(level), k, n),
                     log_p, k, n);
    });
    return mixture_.log_sum_exp(log_p.data());
  }
  /// Σ_k weight_k σ((e_level - μ_k)/s_k)
  [[nodiscard]] double below(int level) const {
    if (level <= 0) return 0;
    if (level >= mixture_.levels_) return 1;
    Numbers p;
    const Batch edge(mixture_.edge(level));
    mixture_.for_each_part([&](Index k, Index n) {
      const Batch z =
          (edge - simd::load_up_to(parts_.mean + k, n)) * simd::load_up_to(parts_.inverse + k, n);
      mixture_.write(simd::exp(simd::load_up_to(weights_ + k, n)) * simd::logistic(z), p, k, n);
    });
    double sum = 0;
    for (Index k = 0; k < mixture_.components_; ++k) sum += p[mixture_.at(k)];
    return std::min(sum, 1.0);
  }

 private:
  friend class LogisticMixture;
  struct Parts {
    const double *mean, *inverse;
  };
  Conditional(const LogisticMixture& mixture, const double* room)
      : mixture_(mixture),
        weights_(room),
        parts_{room + mixture.components_, room + 2 * mixture.components_} {}
  LogisticMixture mixture_;
  const double* weights_;  ///< their logarithms, given the channels before
  Parts parts_;
};

template <class T>
LogisticMixture::Conditional LogisticMixture::conditional(const T* logits,
                                                          std::span<const Images::Level> pixel,
                                                          Index channel,
                                                          std::vector<double>& room) const {
  Numbers log_p = log_weights(logits);
  for (Index c = 0; c < channel; ++c) add_channel(logits, pixel, c, log_p);
  const double norm = log_sum_exp(log_p.data());
  const Component own = component(logits, pixel, channel);
  room.resize(at(3 * components_));
  for (Index k = 0; k < components_; ++k) {
    room[at(k)] = log_p[at(k)] - norm;
    room[at(components_ + k)] = own.mean[at(k)];
    room[at(2 * components_ + k)] = own.inverse[at(k)];
  }
  return {*this, room.data()};
}

static_assert(Likelihood<LogisticMixture, float> && Likelihood<LogisticMixture, double>);

}  // namespace pixelrnn::inline PIXELRNN_ABI
