// SPDX-License-Identifier: MIT
// What a likelihood is: from the logits of one sub-pixel to the probability of its level.
#pragma once

#include <algorithm>
#include <concepts>
#include <numbers>
#include <string>

#include <pixelrnn/autodiff/tape.hpp>
#include <pixelrnn/core/images.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// A distribution over the levels 0 .. levels-1 of one sub-pixel, given `outputs` logits;
/// examples/custom_likelihood.cpp is one. All functions are static and pure:
///   nats(logits, level)                        -ln p(level), natural logarithm
///   add_gradient(logits, level, scale, d)      d[k] += scale · d nats / d logits[k]
///   log_probabilities(logits, out)             out[v] = ln p(v) for every level v
///   name()                                     for reports and checkpoints ("bernoulli")
template <class L, class T>
concept Likelihood = requires(const T* logits, int level, T scale, T* out) {
  { L::levels } -> std::convertible_to<int>;
  { L::outputs } -> std::convertible_to<Index>;
  { L::nats(logits, level) } -> std::same_as<T>;
  L::add_gradient(logits, level, scale, out);
  L::log_probabilities(logits, out);
  { L::name() } -> std::convertible_to<std::string>;
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
/// Throws ValueError if a level is none of L's.
template <class L>
void require_levels(const char* where, TensorView<const Images::Level, 4> images) {
  const auto top = std::max_element(images.begin(), images.end());
  if (top != images.end() && int{*top} >= L::levels) {
    fail<ValueError>(where, ": element ", top - images.begin(), " of the images is ", int{*top},
                     ", expected 0 to ", L::levels - 1, " for ", L::name());
  }
}
}  // namespace detail

/// -ln p of each image, (N, 1, 1, 1), as an operation on logits (N, H, W, C·outputs). `images`
/// (N, H, W, C) must outlive the tape's recording. Sums run in double, sub-pixel by sub-pixel.
/// Throws ShapeError if the shapes do not fit, ValueError if a level is none of L's. Images are
/// parallel by execution policy E.
template <class L, class E, class T>
requires Likelihood<L, T>
[[nodiscard]] Variable<T> image_nats(Variable<T> logits,
                                     TensorView<const Images::Level, 4> images) {
  struct Op {
    TensorView<const Images::Level, 4> images;
    void backward(Backward<T>& ctx) const {
      const FeatureView<const T> z = ctx.input(0), dy = ctx.output_gradient();
      const FeatureView<T> dz = ctx.input_gradient(0);
      E::for_each(ctx.threads(), images.shape().n(), [&](Index n, Index) {
        const auto levels = images[n];
        for (Index i = 0; i < levels.size(); ++i) {
          L::add_gradient(z[n].data() + i * L::outputs, levels.data()[i], dy.data()[n],
                          dz[n].data() + i * L::outputs);
        }
      });
    }
  };
  const Shape<4> expected = images.shape().with_channels(images.shape().c() * L::outputs);
  if (logits.shape() != expected) {
    detail::fail<ShapeError>("image_nats: logits are ", logits.shape(), ", expected ", expected,
                             " (", L::outputs, " for each of the ", images.shape().c(),
                             " channels) for images ", images.shape());
  }
  detail::require_levels<L>("image_nats", images);
  const FeatureView<T> y = logits.tape().allocate({images.shape().n(), 1, 1, 1});
  const FeatureView<const T> z = logits.value();
  E::for_each(logits.tape().threads(), images.shape().n(), [&](Index n, Index) {
    double sum = 0;
    const auto levels = images[n];
    for (Index i = 0; i < levels.size(); ++i) {
      sum += static_cast<double>(L::nats(z[n].data() + i * L::outputs, int{levels.data()[i]}));
    }
    y.data()[n] = static_cast<T>(sum);
  });
  return logits.tape().record("likelihood", y, {logits}, Op{images});
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
