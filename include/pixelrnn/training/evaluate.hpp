// SPDX-License-Identifier: MIT
// Exact likelihood of images under a model: nats, bits/dim, and a map of where they come from.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <pixelrnn/core/thread_choice.hpp>
#include <pixelrnn/kernels/backend.hpp>
#include <pixelrnn/models/model.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

struct EvaluateOptions {
  Index batch_size = 32;
  int threads = 0;  ///< 0: as many as OpenMP offers
  /// true: in float the same bits on every machine with fused multiply-adds. Wide convolutions then
  /// compute each pixel by itself: ten products where seven would do (TapeOptions::walk_bits).
  bool walk_bits = false;
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

/// What the calling thread found when it last used such a model: this one, or another is new.
template <class M, class Use>
ThreadChoice& choice_for(const M& model, Index batch_size) {
  struct Kept {
    const M* model = nullptr;
    Index batch_size = 0;
    ThreadChoice choice;
  };
  thread_local Kept kept;
  if (kept.model != &model || kept.batch_size != batch_size) kept = {&model, batch_size, {}};
  return kept.choice;
}

/// Calls use(first image, logits, levels) for each batch of a no-grad pass over the images, both in
/// the model's order.
template <Model M, class Use>
void for_each_logits(const char* where, const M& model, const Images& images,
                     const EvaluateOptions& options, Use&& use) {
  using T = typename M::Scalar;
  require_images(where, model, images);
  if (options.batch_size < 1) {
    fail<ConfigError>(where, ": batch_size is ", options.batch_size, ", expected 1 or more");
  }
  ThreadChoice& choice = choice_for<M, Use>(model, options.batch_size);
  Tape<T> tape({.threads = options.threads, .record = false, .walk_bits = options.walk_bits});
  const ImageShape s = images.image_shape();
  const ConditionView told = images.conditions();
  const Orientation orientation = orientation_of(model);
  FeatureMap<T> x(ordered_shape(
      orientation, {std::min(options.batch_size, images.count()), s.height, s.width, s.channels}));
  Workspace ordered;
  for (Index first = 0; first < images.count(); first += options.batch_size) {
    const auto levels =
        images.pixels().slice(first, std::min(options.batch_size, images.count() - first));
    const FeatureView<T> in = x.view().slice(0, levels.shape().n());
    choice.run<ExecutionOf<M>>(options.threads, levels.shape().n(), [&] {
      encode(model, levels, in);
      tape.reset();
      ordered.reset();
      use(first, logits_given(model, tape.constant(in), told.slice(first, levels.shape().n())),
          ordered_levels(model, levels, ordered));
    });
  }
}

/// Throws NumericError if the nats of an image are not a number.
inline void require_number(const char* where, double nats, Index image) {
  if (std::isnan(nats)) {
    fail<NumericError>(where, ": the nats of image ", image,
                       " are NaN; the model's weights are not ", "finite or diverged");
  }
}

/// Of every image, NaN included.
template <Model M>
[[nodiscard]] Evaluation evaluate_unchecked(const M& model, const Images& images,
                                            EvaluateOptions options) {
  Evaluation result{{}, images.image_shape(), images.binarization()};
  result.image_nats.resize(static_cast<std::size_t>(images.count()));
  for_each_logits("evaluate", model, images, options, [&](Index first, auto logits, auto levels) {
    const auto z = logits.value();
    ExecutionOf<M>::for_each(options.threads, levels.shape().n(), [&](Index n, Index) {
      result.image_nats[static_cast<std::size_t>(first + n)] = {
          nats_of(model.likelihood(), z[n], levels[n])};
    });
  });
  return result;
}

}  // namespace detail

/// Exact -ln p(x) of every image. Throws ShapeError or ConfigError if the images do not fit,
/// NumericError if the model gives NaN.
template <Model M>
[[nodiscard]] Evaluation evaluate(const M& model, const Images& images,
                                  EvaluateOptions options = {}) {
  Evaluation result = detail::evaluate_unchecked(model, images, options);
  for (Index n = 0; n < images.count(); ++n) {
    detail::require_number("evaluate", result.image_nats[static_cast<std::size_t>(n)].value, n);
  }
  return result;
}

/// -ln p(x_i | x_<i) of every sub-pixel, (N, H, W, C): sums to the nats of each image. Throws as
/// evaluate does.
template <Model M>
[[nodiscard]] Tensor<double, 4> nats_map(const M& model, const Images& images,
                                         EvaluateOptions options = {}) {
  Tensor<double, 4> map(images.pixels().shape());
  std::vector<double> room;
  const std::vector<Index> of_order = detail::pixels_of_order(model, images.image_shape());
  detail::for_each_logits(
      "nats_map", model, images, options, [&](Index first, auto logits, auto levels) {
        const auto z = logits.value();
        for (Index n = 0; n < levels.shape().n(); ++n) {
          double* const image = map.view()[first + n].data();
          std::size_t p = 0;
          detail::for_each_pixel(z[n], levels[n], [&](const auto* logits_of_pixel, auto pixel) {
            double* out = image + of_order[p++] * std::ssize(pixel);
            for (std::size_t c = 0; c < pixel.size(); ++c, ++out) {
              *out = -model.likelihood()
                          .conditional(logits_of_pixel, pixel, static_cast<Index>(c), room)
                          .log_probability(pixel[c]);
              detail::require_number("nats_map", *out, first + n);
            }
          });
        }
      });
  return map;
}

/// The logits of all images, (N, H, W, outputs(C)), as their likelihood reads them: for other
/// programs. Memory for all of them at once. Throws ShapeError or ConfigError as evaluate does.
template <Model M>
[[nodiscard]] FeatureMap<typename M::Scalar> logits_map(const M& model, const Images& images,
                                                        EvaluateOptions options = {}) {
  const Shape<4> s = images.pixels().shape();
  FeatureMap<typename M::Scalar> map(s.with_channels(model.likelihood().outputs(s.c())));
  const std::vector<Index> of_order = detail::pixels_of_order(model, images.image_shape());
  detail::for_each_logits("logits_map", model, images, options,
                          [&](Index first, auto logits, const auto&) {
                            const auto z = logits.value();
                            const Index outputs = z.shape().c();
                            for (Index n = 0; n < z.shape().n(); ++n) {
                              auto* const to = map.view()[first + n].data();
                              for (std::size_t p = 0; p < of_order.size(); ++p) {
                                std::copy_n(z[n].data() + static_cast<Index>(p) * outputs, outputs,
                                            to + of_order[p] * outputs);
                              }
                            }
                          });
  return map;
}

/// The mean over the images of one class.
struct ClassNats {
  int label = 0;
  Index images = 0;
  double nats_per_image = 0;
};

/// The means of an evaluation over the images of each label that occurs, in the order of labels.
/// Throws ShapeError unless there is a label for each image.
[[nodiscard]] inline std::vector<ClassNats> nats_by_class(const Evaluation& evaluation,
                                                          std::span<const int> labels) {
  if (std::ssize(labels) != evaluation.images()) {
    detail::fail<ShapeError>("nats_by_class: there are ", labels.size(), " labels for ",
                             evaluation.images(), " images, expected one an image");
  }
  std::map<int, ClassNats> classes;
  for (std::size_t n = 0; n < labels.size(); ++n) {
    ClassNats& one = classes[labels[n]];
    one.label = labels[n];
    one.nats_per_image += evaluation.image_nats[n].value;
    ++one.images;
  }
  std::vector<ClassNats> means;
  for (auto& [label, one] : classes) {
    one.nats_per_image /= static_cast<double>(one.images);
    means.push_back(one);
  }
  return means;
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
