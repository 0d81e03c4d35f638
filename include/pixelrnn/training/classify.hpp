// SPDX-License-Identifier: MIT
// What a model that is told the class of an image says of the class of an image (Bayes).
#pragma once

#include <cmath>
#include <limits>
#include <vector>

#include <pixelrnn/training/evaluate.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// -ln p(x | c) of some images for each class c, and p(c).
struct ClassEvaluation {
  Tensor<double, 2> nats;     ///< (images, classes)
  std::vector<double> prior;  ///< p(c)
  ImageShape image{};

  [[nodiscard]] Index images() const { return nats.shape()[0]; }
  [[nodiscard]] Index classes() const { return nats.shape()[1]; }
  /// -ln p(x) = -ln Σ p(c) p(x | c), of somebody who is not told the class.
  [[nodiscard]] Nats image_nats(Index n) const {
    double least = std::numeric_limits<double>::infinity();
    for (Index c = 0; c < classes(); ++c) least = std::min(least, joint(n, c));
    if (std::isinf(least)) return {least};
    double sum = 0;
    for (Index c = 0; c < classes(); ++c) sum += std::exp(least - joint(n, c));
    return {least - std::log(sum)};
  }
  [[nodiscard]] double nats_per_image() const {
    double sum = 0;
    for (Index n = 0; n < images(); ++n) sum += image_nats(n).value;
    return sum / static_cast<double>(images());
  }
  /// p(c | x) = p(c) p(x | c) / p(x).
  [[nodiscard]] double probability(Index n, Index c) const {
    return std::exp(image_nats(n).value - joint(n, c));
  }
  /// The class of largest p(c | x), the first of equals.
  [[nodiscard]] int most_probable(Index n) const {
    Index best = 0;
    for (Index c = 1; c < classes(); ++c) {
      if (joint(n, c) < joint(n, best)) best = c;
    }
    return static_cast<int>(best);
  }
  /// The share of images whose most probable class is their label. Throws ShapeError unless there
  /// is a label for each.
  [[nodiscard]] double accuracy(const std::vector<int>& labels) const {
    if (std::ssize(labels) != images()) {
      detail::fail<ShapeError>("ClassEvaluation::accuracy: there are ", labels.size(),
                               " labels for ", images(), " images, expected one an image");
    }
    Index right = 0;
    for (Index n = 0; n < images(); ++n) {
      if (most_probable(n) == labels[static_cast<std::size_t>(n)]) ++right;
    }
    return static_cast<double>(right) / static_cast<double>(images());
  }

 private:
  /// -ln p(x, c).
  [[nodiscard]] double joint(Index n, Index c) const {
    return nats(n, c) - std::log(prior[static_cast<std::size_t>(c)]);
  }
};

/// Evaluates images under every class that a model can be told, whatever their labels. `prior` is
/// p(c), which may be any positive numbers: equal ones if it is empty. Cost: a pass for each class.
/// Throws ConfigError if the model is not told a class, or a prior is not positive; ShapeError
/// unless there is one for each class; and what evaluate throws.
template <ConditionalModel M>
[[nodiscard]] ClassEvaluation evaluate_classes(const M& model, Images images,
                                               EvaluateOptions options = {},
                                               std::vector<double> prior = {}) {
  const Index classes = model.condition().classes;
  if (classes == 0) {
    detail::fail<ConfigError>("evaluate_classes: the model is told no class; see ",
                              "Config::condition.classes");
  }
  if (prior.empty()) prior.assign(static_cast<std::size_t>(classes), 1.0);
  if (std::ssize(prior) != classes) {
    detail::fail<ShapeError>("evaluate_classes: prior has ", prior.size(), " numbers, expected ",
                             classes, ", one a class");
  }
  double sum = 0;
  for (const double p : prior) {
    if (!(p > 0 && std::isfinite(p))) {
      detail::fail<ConfigError>("evaluate_classes: a prior is ", p,
                                ", expected finite numbers above 0");
    }
    sum += p;
  }
  for (double& p : prior) p /= sum;
  ClassEvaluation result{Tensor<double, 2>({images.count(), classes}), std::move(prior),
                         images.image_shape()};
  for (Index c = 0; c < classes; ++c) {
    images.set_labels(
        std::vector<int>(static_cast<std::size_t>(images.count()), static_cast<int>(c)));
    const Evaluation told = evaluate(model, images, options);
    for (Index n = 0; n < images.count(); ++n) {
      result.nats(n, c) = told.image_nats[static_cast<std::size_t>(n)].value;
    }
  }
  return result;
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
