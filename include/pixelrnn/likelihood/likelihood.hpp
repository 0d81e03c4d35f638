// SPDX-License-Identifier: MIT
// What a likelihood is: from the logits of a pixel to the probability of its levels.
#pragma once

#include <algorithm>
#include <concepts>
#include <numbers>
#include <span>
#include <string>
#include <vector>

#include <pixelrnn/autodiff/tape.hpp>
#include <pixelrnn/core/images.hpp>
#include <pixelrnn/simd/math.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// The distribution of one sub-pixel, given all that comes before it:
///   levels()                number of levels, 0 .. levels()-1
///   log_probability(level)  ln P(x = level), NaN if the logits are not numbers
///   below(level)            P(x < level), rising from 0 at level 0 to 1 at level levels()
/// Sampling rules draw from it.
template <class P>
concept Conditional = requires(const P& p, int level) {
  { p.levels() } -> std::same_as<int>;
  { p.log_probability(level) } -> std::same_as<double>;
  { p.below(level) } -> std::same_as<double>;
};

/// A Conditional by enumeration, for likelihoods that know no better.
class EnumeratedLevels {
 public:
  /// From ln P(x = level) for levels 0, 1, ... `room` holds what it needs, as long as it lives.
  template <class F>
  EnumeratedLevels(int levels, std::vector<double>& room, F&& log_probability) {
    const auto count = static_cast<std::size_t>(levels);
    room.resize(2 * count + 1);
    const std::span<double> log_p(room.data(), count), below(room.data() + count, count + 1);
    for (int v = 0; v < levels; ++v) {
      log_p[static_cast<std::size_t>(v)] = static_cast<double>(log_probability(v));
    }
    simd::transform(Index{levels}, log_p.data(), below.data() + 1,
                    [](simd::Batch<double> x) { return simd::exp(x); });
    below[0] = 0;
    for (std::size_t v = 1; v <= count; ++v) below[v] += below[v - 1];
    log_p_ = log_p, below_ = below;
  }
  [[nodiscard]] int levels() const { return static_cast<int>(log_p_.size()); }
  [[nodiscard]] double log_probability(int level) const {
    return log_p_[static_cast<std::size_t>(level)];
  }
  [[nodiscard]] double below(int level) const {
    return below_[static_cast<std::size_t>(level)] / below_.back();
  }

 private:
  std::span<const double> log_p_, below_;
};

/// A distribution over the levels of a pixel, one for each channel, given the logits of that pixel;
/// examples/custom_likelihood.cpp is one. A value: what it needs to know it was made with. All
/// functions are pure, and `logits` are outputs(C) numbers of a pixel of C channels:
///   levels()                     number of levels, 2 to 65536
///   outputs(C)                   logits of a pixel
///   masks_colours                static: whether the net must keep colours apart, so that a
///                                channel's logits see the channels before it and no other
///   nats(logits, pixel)          -ln p of all channels together, in double
///   add_gradient(logits, pixel, scale, d)            d[k] += scale · d nats / d logits[k]
///   conditional(logits, pixel, channel, room)        the Conditional of a channel; reads the
///                                channels of `pixel` before it. It may keep what it finds in
///                                `room` and lives as long as that is left alone (see also
///                                EnumeratedLevels).
///   name()                       for reports and checkpoints ("bernoulli")
template <class L, class T>
concept Likelihood = std::copyable<L> &&
    requires(const L& likelihood, const T* logits, std::span<const Images::Level> pixel, T scale,
             T* d, Index number, std::vector<double>& room) {
  { likelihood.levels() } -> std::same_as<int>;
  { likelihood.outputs(number) } -> std::same_as<Index>;
  { L::masks_colours } -> std::convertible_to<bool>;
  { likelihood.nats(logits, pixel) } -> std::same_as<double>;
  likelihood.add_gradient(logits, pixel, scale, d);
  { likelihood.conditional(logits, pixel, number, room) } -> Conditional;
  { likelihood.name() } -> std::convertible_to<std::string>;
};

/// -ln p in natural units, summed over one image or averaged over images, as its name says.
struct Nats {
  double value = 0;
};
/// The same in bits a sub-pixel: nats / (H·W·C·ln 2).
[[nodiscard]] constexpr double bits_per_dim(Nats per_image, const ImageShape& image) {
  return per_image.value / (static_cast<double>(image.subpixels()) * std::numbers::ln2);
}

namespace detail {

/// Throws ValueError if a level is none of the likelihood's.
template <class L>
void require_levels(const char* where, const L& likelihood,
                    TensorView<const Images::Level, 4> images) {
  const auto top = std::max_element(images.begin(), images.end());
  if (top != images.end() && int{*top} >= likelihood.levels()) {
    fail<ValueError>(where, ": element ", top - images.begin(), " of the images is ", int{*top},
                     ", expected 0 to ", likelihood.levels() - 1, " for ", likelihood.name());
  }
}

/// Calls f(logits, levels) for each pixel of an image (H, W, C), its logits (H, W, outputs).
template <class T, class F>
void for_each_pixel(TensorView<T, 3> logits, TensorView<const Images::Level, 3> image, F&& f) {
  const Index channels = image.shape()[2], outputs = logits.shape()[2];
  const Index pixels = channels == 0 ? 0 : image.size() / channels;
  for (Index p = 0; p < pixels; ++p) {
    f(logits.data() + p * outputs,
      std::span<const Images::Level>(image.data() + p * channels,
                                     static_cast<std::size_t>(channels)));
  }
}

/// -ln p of an image, added up pixel by pixel.
template <class L, class T>
[[nodiscard]] double nats_of(const L& likelihood, TensorView<const T, 3> logits,
                             TensorView<const Images::Level, 3> image) {
  double sum = 0;
  for_each_pixel(logits, image,
                 [&](const T* z, std::span<const Images::Level> pixel)
                     PIXELRNN_INLINE_LAMBDA { sum += likelihood.nats(z, pixel); });
  return sum;
}

/// Of an image in a loss.
template <class T>
[[nodiscard]] T weight_of(std::span<const double> weights, Index n) {
  return weights.empty() ? T{1} : static_cast<T>(weights[static_cast<std::size_t>(n)]);
}

}  // namespace detail

/// -ln p of each image, (N, 1, 1, 1), as an operation on logits (N, H, W, outputs(C)); with
/// `weights`, one an image and of either sign, each times its weight. `images` (N, H, W, C) and
/// weights must outlive the tape's recording. Sums run in double, pixel by pixel. Throws ShapeError
/// if the shapes do not fit, ValueError if a level is none of the likelihood's. Images are parallel
/// by execution policy E.
template <class E, class T, class L>
requires Likelihood<L, T>
[[nodiscard]] Variable<T> image_nats(const L& likelihood, Variable<T> logits,
                                     TensorView<const Images::Level, 4> images,
                                     std::span<const double> weights = {}) {
  struct Op {
    L likelihood;
    TensorView<const Images::Level, 4> images;
    std::span<const double> weights;
    void backward(Backward<T>& ctx) const {
      const FeatureView<const T> z = ctx.input(0), dy = ctx.output_gradient();
      const FeatureView<T> dz = ctx.input_gradient(0);
      E::for_each(ctx.threads(), images.shape().n(), [&](Index n, Index) {
        const Index outputs = z.shape().c();
        T* d = dz[n].data();
        const T scale = dy.data()[n] * detail::weight_of<T>(weights, n);
        detail::for_each_pixel(z[n], images[n],
                               [&](const T* logits_of_pixel, std::span<const Images::Level> pixel) {
                                 likelihood.add_gradient(logits_of_pixel, pixel, scale, d);
                                 d += outputs;
                               });
      });
    }
  };
  const Index channels = images.shape().c();
  const Shape<4> expected = images.shape().with_channels(likelihood.outputs(channels));
  if (logits.shape() != expected) {
    detail::fail<ShapeError>("image_nats: logits are ", logits.shape(), ", expected ", expected,
                             " (", expected.c(), " for each pixel of ", channels,
                             " channels) for images ", images.shape());
  }
  detail::require_levels("image_nats", likelihood, images);
  if (!weights.empty() && std::ssize(weights) != images.shape().n()) {
    detail::fail<ShapeError>("image_nats: there are ", weights.size(), " weights, expected ",
                             images.shape().n(), ", one an image (or none)");
  }
  const FeatureView<T> y = logits.tape().allocate({images.shape().n(), 1, 1, 1});
  const FeatureView<const T> z = logits.value();
  E::for_each(logits.tape().threads(), images.shape().n(), [&](Index n, Index) {
    const double nats = detail::nats_of(likelihood, z[n], images[n]);
    y.data()[n] = static_cast<T>(detail::weight_of<double>(weights, n) * nats);
  });
  return logits.tape().record("likelihood", y, {logits}, Op{likelihood, images, weights});
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
