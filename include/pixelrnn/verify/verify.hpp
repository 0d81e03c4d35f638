// SPDX-License-Identifier: MIT
// Proofs for a user's own model: causality, completeness, normalisation.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <pixelrnn/autodiff/functions.hpp>
#include <pixelrnn/core/random.hpp>
#include <pixelrnn/kernels/backend.hpp>
#include <pixelrnn/models/model.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// A position in the order of generation: of the pixel as the model goes through them (Orientation;
/// as in the image if that is raster order), then colour.
struct SubPixel {
  Index row = 0, column = 0, channel = 0;
  friend std::ostream& operator<<(std::ostream& out, const SubPixel& p) {
    return out << "(row " << p.row << ", column " << p.column << ", channel " << p.channel << ")";
  }
};

struct VerifyReport {
  bool passed = true;
  Index checked = 0;  ///< comparisons made
  std::string where;  ///< the first failure; empty if there is none
  double value = 0;   ///< what was measured: see each function
  explicit operator bool() const { return passed; }
};

struct VerifyOptions {
  std::uint64_t seed = 1;
  int threads = 0;
  /// Evenly spread positions that are tested; 0: all of them. Sub-pixels whose future is replaced,
  /// and pixels that are drawn.
  Index positions = 0;
  /// What a model with a condition is told: one for all images, or one for each image of a check
  /// that takes some. Empty: M::example_conditions.
  Conditions conditions{};
};

namespace detail {

[[nodiscard]] inline SubPixel subpixel(Index i, const ImageShape& image) {
  return {i / image.channels / image.width, i / image.channels % image.width, i % image.channels};
}
/// What is told of `count` images.
template <Model M>
[[nodiscard]] Conditions told_of(const M& model, Index count, const VerifyOptions& options) {
  const Conditions& told = options.conditions;
  if constexpr (ConditionalModel<M>) {
    if (told.labels.empty() && told.maps.empty()) return model.example_conditions(count);
  }
  return one_each("verify: VerifyOptions::conditions", told, count);
}
template <Model M>
[[nodiscard]] Images random_images(const M& model, Index count, Rng& rng) {
  const int levels = model.likelihood().levels();
  Images images(count, model.image_shape(), levels, "random");
  for (Images::Level& v : images.pixels()) {
    v = static_cast<Images::Level>(rng.below(static_cast<std::uint64_t>(levels)));
  }
  return images;
}
template <Model M>
[[nodiscard]] FeatureMap<typename M::Scalar> random_input(const M& model, Rng& rng) {
  const Images image = random_images(model, 1, rng);
  FeatureMap<typename M::Scalar> x(ordered_shape(orientation_of(model), image.pixels().shape()));
  encode(model, image.pixels(), x);
  return x;
}
/// The encoding of another level than the one that `x` encodes; any other number if there is none.
template <Model M>
[[nodiscard]] typename M::Scalar other_input(const M& model, typename M::Scalar x, Rng& rng) {
  const int levels = model.likelihood().levels();
  const int first = static_cast<int>(rng.below(static_cast<std::uint64_t>(levels)));
  for (int k = 0; k < levels; ++k) {
    const typename M::Scalar other = model.encode((first + k) % levels);
    if (other != x) return other;
  }
  return x + static_cast<typename M::Scalar>(rng.uniform(1, 2));
}
/// The encodings of all other levels if they are few, else of one.
template <Model M>
[[nodiscard]] std::vector<typename M::Scalar> other_inputs(const M& model, typename M::Scalar x,
                                                           Rng& rng) {
  constexpr int few = 4;
  const int levels = model.likelihood().levels();
  if (levels > few) return {other_input(model, x, rng)};
  std::vector<typename M::Scalar> others;
  for (int level = 0; level < levels; ++level) {
    const typename M::Scalar other = model.encode(level);
    if (other != x) others.push_back(other);
  }
  if (others.empty()) others.push_back(other_input(model, x, rng));
  return others;
}
/// Which logits belong together: those of a sub-pixel or, where the likelihood itself ties the
/// colours of a pixel together, all of a pixel, which then stand for its first channel: they must
/// not see any level of that pixel.
struct LogitGroups {
  template <Model M>
  explicit LogitGroups(const M& model)
      : image(orientation_of(model).ordered(model.image_shape())),
        a_pixel(M::Likelihood::masks_colours ? image.channels : 1),
        size(model.likelihood().outputs(image.channels) / a_pixel) {}

  [[nodiscard]] Index count() const { return image.height * image.width * a_pixel; }
  /// The number of the sub-pixel that group i stands for.
  [[nodiscard]] Index position(Index i) const { return i / a_pixel * image.channels + i % a_pixel; }
  [[nodiscard]] SubPixel subpixel(Index i) const { return detail::subpixel(position(i), image); }
  /// Whether group i has other bits in b than in a.
  template <class T>
  [[nodiscard]] bool differ(const T* a, const T* b, Index i) const {
    return !std::equal(a + i * size, a + (i + 1) * size, b + i * size);
  }

  ImageShape image;
  Index a_pixel, size;
};

/// The logits of inputs of one shape, without a recording; the view lives until the next call.
template <Model M>
class Logits {
 public:
  using T = typename M::Scalar;
  Logits(const M& model, const VerifyOptions& options)
      : model_(model),
        told_(told_of(model, 1, options)),
        tape_({.threads = options.threads, .record = false}) {}
  [[nodiscard]] FeatureView<const T> operator()(const FeatureMap<T>& x) {
    tape_.reset();
    return logits_given(model_, tape_.constant(x), told_).value();
  }

 private:
  const M& model_;
  Conditions told_;
  Tape<T> tape_;
};

}  // namespace detail

/// Eq. 1 and 2: the logits of sub-pixel i depend on sub-pixels before i only. For each position j
/// everything from j on is replaced by other levels, and the logits up to j must keep their bits.
/// A leak can hide (behind a ReLU that is off): `images` random inputs are tried.
/// Fails also if nothing in the image changes any logit: such a test would prove nothing.
/// Cost: images · (1 + positions) forward passes of one image.
template <Model M>
[[nodiscard]] VerifyReport verify_causality(const M& model, VerifyOptions options = {},
                                            int images = 4) {
  using T = typename M::Scalar;
  const detail::LogitGroups groups(model);
  const ImageShape image = groups.image;
  const Index n = image.subpixels();
  const Index tested = options.positions > 0 ? std::min(options.positions, n) : n;
  Rng rng(options.seed);
  detail::Logits<M> logits(model, options);
  VerifyReport report;
  bool any_changed = groups.count() == 1;
  for (int trial = 0; trial < images; ++trial) {
    const FeatureMap<T> x = detail::random_input(model, rng);
    const FeatureMap<T> before(logits(x));
    for (Index t = 0; t < tested; ++t) {
      const Index j = n * t / tested;
      FeatureMap<T> y = x;
      for (Index k = j; k < n; ++k) y.data()[k] = detail::other_input(model, x.data()[k], rng);
      const FeatureView<const T> after = logits(y);
      for (Index i = 0; i < groups.count(); ++i) {
        const bool changed = groups.differ(before.data(), after.data(), i);
        any_changed = any_changed || changed;
        ++report.checked;
        if (groups.position(i) <= j && changed && report.passed) {
          report.passed = false;
          std::ostringstream where;
          where << "the logits of " << groups.subpixel(i) << " change with sub-pixels from "
                << detail::subpixel(j, image) << " on";
          report.where = where.str();
        }
      }
    }
  }
  if (!any_changed) {
    report.passed = false;
    report.where = "no logit depends on any sub-pixel";
  }
  return report;
}

/// Every sub-pixel that `promised(from, to)` says `to` may see must be seen there, and no other. By
/// default: all that come earlier. Models with a known blind spot give their own promise. Seen is
/// what has a non-zero derivative, or changes the bits of the logits when its level alone is
/// replaced: a level that is looked up in a table has no derivative, and one at the kink of a ReLU
/// may have 0. Both can fail by chance (a ReLU that is off): `images` random inputs are tried, and
/// once seen is enough. Cost: images · sub-pixels
/// forward passes of one image, each recorded and swept, and images · (1 + sub-pixels) without a
/// recording; with 3 or 4 levels, all of which are tried, two or three times as many of these.
template <Model M, class Promise>
[[nodiscard]] VerifyReport verify_completeness(const M& model, Promise promised,
                                               VerifyOptions options = {}, int images = 4) {
  using T = typename M::Scalar;
  const detail::LogitGroups groups(model);
  const Index n = groups.image.subpixels();
  Rng rng(options.seed);
  Tape<T> tape({.threads = options.threads});
  const Conditions told = detail::told_of(model, 1, options);
  detail::Logits<M> logits_of(model, options);
  std::vector<bool> seen(static_cast<std::size_t>(groups.count() * n), false);
  for (int trial = 0; trial < images; ++trial) {
    FeatureMap<T> x = detail::random_input(model, rng);
    for (Index to = 0; to < groups.count(); ++to) {
      tape.reset();
      const Variable<T> in = tape.input(x);
      const Variable<T> logits = logits_given(model, in, told);
      FeatureMap<T> seed(logits.shape());
      for (Index k = 0; k < groups.size; ++k) {
        seed.data()[to * groups.size + k] = static_cast<T>(rng.uniform(0.5, 1));
      }
      tape.backward(logits, seed);
      const FeatureView<const T> gradient = tape.gradient(in);
      for (Index from = 0; from < n; ++from) {
        if (gradient.data()[from] != T{0}) seen[static_cast<std::size_t>(to * n + from)] = true;
      }
    }
    const FeatureMap<T> before(logits_of(x));
    for (Index from = 0; from < n; ++from) {
      const T level = x.data()[from];
      for (const T other : detail::other_inputs(model, level, rng)) {
        x.data()[from] = other;
        const FeatureView<const T> after = logits_of(x);
        for (Index to = 0; to < groups.count(); ++to) {
          if (groups.differ(before.data(), after.data(), to)) {
            seen[static_cast<std::size_t>(to * n + from)] = true;
          }
        }
      }
      x.data()[from] = level;
    }
  }
  VerifyReport report;
  for (Index to = 0; to < groups.count(); ++to) {
    for (Index from = 0; from < n; ++from) {
      ++report.checked;
      const SubPixel a = detail::subpixel(from, groups.image), b = groups.subpixel(to);
      const bool sees = seen[static_cast<std::size_t>(to * n + from)];
      if (sees == promised(a, b) || !report.passed) continue;
      report.passed = false;
      std::ostringstream where;
      where << "the logits of " << b << (sees ? " see " : " do not see ") << a;
      report.where = where.str();
    }
  }
  return report;
}
template <Model M>
[[nodiscard]] VerifyReport verify_completeness(const M& model, VerifyOptions options = {}) {
  const ImageShape image = orientation_of(model).ordered(model.image_shape());
  const auto order = [image](const SubPixel& p) {
    return (p.row * image.width + p.column) * image.channels + p.channel;
  };
  return verify_completeness(
      model, [order](const SubPixel& from, const SubPixel& to) { return order(from) < order(to); },
      options);
}

namespace detail {

/// p(x) of every image there is, image i having the digits of i to the base `levels`, the first
/// sub-pixel the lowest digit.
template <Model M>
[[nodiscard]] std::vector<double> all_probabilities(const char* where, const M& model,
                                                    const VerifyOptions& options) {
  using T = typename M::Scalar;
  const ImageShape image = model.image_shape();
  const Index n = image.subpixels(), base = model.likelihood().levels();
  if (static_cast<double>(n) * std::log2(static_cast<double>(base)) > 20) {
    fail<ConfigError>(where, ": images ", image, " of ", base,
                      " levels are too many to enumerate, expected at most 2^20");
  }
  Index total = 1;
  for (Index i = 0; i < n; ++i) total *= base;
  Tape<T> tape({.threads = options.threads, .record = false});
  const Conditions one = told_of(model, 1, options);
  constexpr Index batch = 1024;
  std::vector<double> probabilities;
  probabilities.reserve(static_cast<std::size_t>(total));
  for (Index first = 0; first < total; first += batch) {
    Tensor<Images::Level, 4> levels(
        {std::min(batch, total - first), image.height, image.width, image.channels});
    for (Index b = 0; b < levels.shape().n(); ++b) {
      Index digits = first + b;
      for (Images::Level& v : levels.view()[b]) {
        v = static_cast<Images::Level>(digits % base);
        digits /= base;
      }
    }
    FeatureMap<T> x(ordered_shape(orientation_of(model), levels.shape()));
    encode(model, levels, x);
    tape.reset();
    Workspace memory;
    const auto ordered = ordered_levels(model, TensorView<const Images::Level, 4>(levels), memory);
    const Conditions told = repeated(one, levels.shape().n());
    const Variable<T> nats = image_nats<ExecutionOf<M>>(
        model.likelihood(), logits_given(model, tape.constant(x), told), ordered);
    for (const T v : nats.value()) probabilities.push_back(std::exp(-static_cast<double>(v)));
  }
  return probabilities;
}

}  // namespace detail

/// Σ p(x) over all images must be 1: catches errors of the likelihood, and logits that see their
/// own sub-pixel or each other's. `value` is the sum, which may differ from 1 by `tolerance`. It is
/// 1 in any order in which no logit sees what comes later, from the last sub-pixel to the first
/// too: that the order is the raster's, in which samples are drawn, is for verify_causality to say.
/// Throws ConfigError if there are more than 2^20 images: use a tiny model. Cost: levels^sub-pixels
/// images through the net.
template <Model M>
[[nodiscard]] VerifyReport verify_normalisation(const M& model, double tolerance = 1e-4,
                                                VerifyOptions options = {}) {
  VerifyReport report;
  for (const double p : detail::all_probabilities("verify_normalisation", model, options)) {
    report.value += p;
    ++report.checked;
  }
  report.passed = std::abs(report.value - 1) <= tolerance;
  if (!report.passed) report.where = "the probabilities sum to " + std::to_string(report.value);
  return report;
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
