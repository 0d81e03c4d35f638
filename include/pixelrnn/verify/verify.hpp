// SPDX-License-Identifier: MIT
// Proofs for a user's own model: causality, completeness, normalisation, receptive field.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include <pixelrnn/autodiff/functions.hpp>
#include <pixelrnn/core/random.hpp>
#include <pixelrnn/models/model.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// A position in the order of generation: raster, then colour.
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
};

namespace detail {

[[nodiscard]] inline SubPixel subpixel(Index i, const ImageShape& image) {
  return {i / image.channels / image.width, i / image.channels % image.width, i % image.channels};
}
template <Model M>
[[nodiscard]] Images random_images(const M& model, Index count, Rng& rng) {
  constexpr int levels = M::Likelihood::levels;
  Images images(count, model.image_shape(), levels, "random");
  for (Images::Level& v : images.pixels()) {
    v = static_cast<Images::Level>(rng.below(static_cast<std::uint64_t>(levels)));
  }
  return images;
}
template <Model M>
[[nodiscard]] FeatureMap<typename M::Scalar> random_input(const M& model, Rng& rng) {
  const Images image = random_images(model, 1, rng);
  FeatureMap<typename M::Scalar> x(image.pixels().shape());
  encode(model, image.pixels(), x);
  return x;
}
/// The encoding of another level than the one that `x` encodes; any other number if there is none.
template <Model M>
[[nodiscard]] typename M::Scalar other_input(const M& model, typename M::Scalar x, Rng& rng) {
  constexpr int levels = M::Likelihood::levels;
  const int first = static_cast<int>(rng.below(static_cast<std::uint64_t>(levels)));
  for (int k = 0; k < levels; ++k) {
    const typename M::Scalar other = model.encode((first + k) % levels);
    if (other != x) return other;
  }
  return x + static_cast<typename M::Scalar>(rng.uniform(1, 2));
}

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
  constexpr Index outputs = M::Likelihood::outputs;
  const ImageShape image = model.image_shape();
  const Index n = image.subpixels();
  const Index tested = options.positions > 0 ? std::min(options.positions, n) : n;
  Rng rng(options.seed);
  Tape<T> tape({.threads = options.threads, .record = false});
  VerifyReport report;
  bool any_changed = n == 1;
  for (int trial = 0; trial < images; ++trial) {
    const FeatureMap<T> x = detail::random_input(model, rng);
    tape.reset();
    const FeatureMap<T> before(model.logits(tape.constant(x)).value());
    for (Index t = 0; t < tested; ++t) {
      const Index j = n * t / tested;
      FeatureMap<T> y = x;
      for (Index k = j; k < n; ++k) y.data()[k] = detail::other_input(model, x.data()[k], rng);
      tape.reset();
      const FeatureView<const T> after = model.logits(tape.constant(y)).value();
      for (Index i = 0; i < n; ++i) {
        const bool changed =
            !std::equal(before.data() + i * outputs, before.data() + (i + 1) * outputs,
                        after.data() + i * outputs);
        any_changed = any_changed || changed;
        ++report.checked;
        if (i <= j && changed && report.passed) {
          report.passed = false;
          std::ostringstream where;
          where << "the logits of " << detail::subpixel(i, image) << " change with sub-pixels from "
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

/// Every sub-pixel that `promised(from, to)` says `to` may see must have a non-zero derivative
/// there, and every other a zero one. By default: all that come earlier. Models with a known blind
/// spot give their own promise. A derivative can vanish by chance (a ReLU that is off): `images`
/// random inputs are tried, and one non-zero derivative is enough. Clears the gradients of the
/// model's parameters. Cost: images · sub-pixels forward passes of one image, each recorded and
/// swept.
template <Model M, class Promise>
[[nodiscard]] VerifyReport verify_completeness(const M& model, Promise promised,
                                               VerifyOptions options = {}, int images = 4) {
  using T = typename M::Scalar;
  constexpr Index outputs = M::Likelihood::outputs;
  const ImageShape image = model.image_shape();
  const Index n = image.subpixels();
  Rng rng(options.seed);
  Tape<T> tape({.threads = options.threads});
  std::vector<bool> seen(static_cast<std::size_t>(n * n), false);
  for (int trial = 0; trial < images; ++trial) {
    const FeatureMap<T> x = detail::random_input(model, rng);
    for (Index to = 0; to < n; ++to) {
      tape.reset();
      const Variable<T> in = tape.input(x);
      const Variable<T> logits = model.logits(in);
      FeatureMap<T> seed(logits.shape());
      for (Index k = 0; k < outputs; ++k) {
        seed.data()[to * outputs + k] = static_cast<T>(rng.uniform(0.5, 1));
      }
      tape.backward(logits, seed);
      const FeatureView<const T> gradient = tape.gradient(in);
      for (Index from = 0; from < n; ++from) {
        if (gradient.data()[from] != T{0}) seen[static_cast<std::size_t>(to * n + from)] = true;
      }
    }
  }
  clear_gradients(model);
  VerifyReport report;
  for (Index to = 0; to < n; ++to) {
    for (Index from = 0; from < n; ++from) {
      ++report.checked;
      const SubPixel a = detail::subpixel(from, image), b = detail::subpixel(to, image);
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
  const ImageShape image = model.image_shape();
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
                                                    int threads) {
  using T = typename M::Scalar;
  using L = typename M::Likelihood;
  const ImageShape image = model.image_shape();
  const Index n = image.subpixels();
  if (static_cast<double>(n) * std::log2(static_cast<double>(L::levels)) > 20) {
    fail<ConfigError>(where, ": images ", image, " of ", L::levels,
                      " levels are too many to enumerate, expected at most 2^20");
  }
  Index total = 1;
  for (Index i = 0; i < n; ++i) total *= L::levels;
  Tape<T> tape({.threads = threads, .record = false});
  constexpr Index batch = 1024;
  std::vector<double> probabilities;
  probabilities.reserve(static_cast<std::size_t>(total));
  for (Index first = 0; first < total; first += batch) {
    Tensor<Images::Level, 4> levels(
        {std::min(batch, total - first), image.height, image.width, image.channels});
    for (Index b = 0; b < levels.shape().n(); ++b) {
      Index digits = first + b;
      for (Images::Level& v : levels.view()[b]) {
        v = static_cast<Images::Level>(digits % L::levels);
        digits /= L::levels;
      }
    }
    FeatureMap<T> x(levels.shape());
    encode(model, levels, x);
    tape.reset();
    const Variable<T> nats = image_nats<L, ExecutionOf<M>>(
        model.logits(tape.constant(x)), TensorView<const Images::Level, 4>(levels));
    for (const T v : nats.value()) probabilities.push_back(std::exp(-static_cast<double>(v)));
  }
  return probabilities;
}

}  // namespace detail

/// Σ p(x) over all images must be 1: catches every leak and every error of the likelihood. `value`
/// is the sum, which may differ from 1 by `tolerance`. Throws ConfigError if there are more than
/// 2^20 images: use a tiny model. Cost: levels^sub-pixels images through the net.
template <Model M>
[[nodiscard]] VerifyReport verify_normalisation(const M& model, double tolerance = 1e-4,
                                                VerifyOptions options = {}) {
  VerifyReport report;
  for (const double p : detail::all_probabilities("verify_normalisation", model, options.threads)) {
    report.value += p;
    ++report.checked;
  }
  report.passed = std::abs(report.value - 1) <= tolerance;
  if (!report.passed) report.where = "the probabilities sum to " + std::to_string(report.value);
  return report;
}

/// The pixels that the logits of pixel (row, column) see, (H, W), 1 where they do: by derivative,
/// for one random image. Clears the gradients of the model's parameters. Throws ShapeError if the
/// pixel is not in the image. Cost: one forward pass, recorded and swept.
template <Model M>
[[nodiscard]] Tensor<unsigned char, 2> receptive_field(const M& model, Index row, Index column,
                                                       VerifyOptions options = {}) {
  using T = typename M::Scalar;
  const ImageShape image = model.image_shape();
  if (row < 0 || row >= image.height || column < 0 || column >= image.width) {
    detail::fail<ShapeError>("receptive_field: pixel (", row, ", ", column, ") is not in images ",
                             image, ", expected row 0 to ", image.height - 1, " and column 0 to ",
                             image.width - 1);
  }
  Rng rng(options.seed);
  const FeatureMap<T> x = detail::random_input(model, rng);
  Tape<T> tape({.threads = options.threads});
  const Variable<T> in = tape.input(x);
  const Variable<T> logits = model.logits(in);
  FeatureMap<T> seed(logits.shape());
  for (Index c = 0; c < logits.shape().c(); ++c) seed(0, row, column, c) = T{1};
  tape.backward(logits, seed);
  clear_gradients(model);
  Tensor<unsigned char, 2> field({image.height, image.width});
  const FeatureView<const T> gradient = tape.gradient(in);
  for (Index i = 0; i < gradient.size(); ++i) {
    if (gradient.data()[i] != T{0}) field.data()[i / image.channels] = 1;
  }
  return field;
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
