// SPDX-License-Identifier: MIT
// Exact likelihood of images under a model: nats, bits/dim, and a map of where they come from.
#pragma once

#include <string>
#include <vector>

#include <pixelrnn/models/model.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

struct EvaluateOptions {
  Index batch_size = 32;
  int threads = 0;  ///< 0: as many as OpenMP offers
};

/// -ln p of a set of images. The binarisation is part of the result: without it the number means
/// nothing.
struct Evaluation {
  std::vector<Nats> image_nats;
  ImageShape image{};
  std::string binarization;

  [[nodiscard]] Index images() const { return static_cast<Index>(image_nats.size()); }
  /// The mean; NaN if there are no images.
  [[nodiscard]] double nats_per_image() const {
    double sum = 0;
    for (const Nats nats : image_nats) sum += nats.value;
    return sum / static_cast<double>(image_nats.size());
  }
  [[nodiscard]] double bits_per_dim() const {
    return pixelrnn::bits_per_dim(Nats{nats_per_image()}, image);
  }
};

namespace detail {

/// Calls use(first image, logits, levels) for each batch of a no-grad pass over the images.
template <Model M, class Use>
void for_each_logits(const char* where, const M& model, const Images& images,
                     const EvaluateOptions& options, Use&& use) {
  using T = typename M::Scalar;
  require_images(where, model, images);
  if (options.batch_size < 1) {
    fail<ConfigError>(where, ": batch_size is ", options.batch_size, ", expected 1 or more");
  }
  Tape<T> tape({.threads = options.threads, .record = false});
  const ImageShape s = images.image_shape();
  FeatureMap<T> x({std::min(options.batch_size, images.count()), s.height, s.width, s.channels});
  for (Index first = 0; first < images.count(); first += options.batch_size) {
    const auto levels =
        images.pixels().slice(first, std::min(options.batch_size, images.count() - first));
    const FeatureView<T> in = x.view().slice(0, levels.shape().n());
    encode(model, levels, in);
    tape.reset();
    use(first, model.logits(tape.constant(in)), levels);
  }
}

}  // namespace detail

/// Exact -ln p(x) of every image. Throws ShapeError or ConfigError if the images do not fit.
template <Model M>
[[nodiscard]] Evaluation evaluate(const M& model, const Images& images,
                                  EvaluateOptions options = {}) {
  using L = typename M::Likelihood;
  Evaluation result{{}, images.image_shape(), images.binarization()};
  result.image_nats.resize(static_cast<std::size_t>(images.count()));
  detail::for_each_logits(
      "evaluate", model, images, options, [&](Index first, auto logits, auto levels) {
        const auto z = logits.value();
        ExecutionOf<M>::for_each(options.threads, levels.shape().n(), [&](Index n, Index) {
          double sum = 0;
          for (Index i = 0; i < levels[n].size(); ++i) {
            sum += static_cast<double>(
                L::nats(z[n].data() + i * L::outputs, int{levels[n].data()[i]}));
          }
          result.image_nats[static_cast<std::size_t>(first + n)] = {sum};
        });
      });
  return result;
}

/// -ln p(x_i | x_<i) of every sub-pixel, (N, H, W, C): sums to the nats of each image.
template <Model M>
[[nodiscard]] Tensor<double, 4> nats_map(const M& model, const Images& images,
                                         EvaluateOptions options = {}) {
  using L = typename M::Likelihood;
  Tensor<double, 4> map(images.pixels().shape());
  detail::for_each_logits(
      "nats_map", model, images, options, [&](Index first, auto logits, auto levels) {
        const auto z = logits.value();
        double* const out = map.data() + first * images.image_shape().subpixels();
        for (Index i = 0; i < levels.size(); ++i) {
          out[i] = static_cast<double>(L::nats(z.data() + i * L::outputs, int{levels.data()[i]}));
        }
      });
  return map;
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
