// SPDX-License-Identifier: MIT
// Mixture: several models whose likelihoods are averaged, for one in several orders.
#pragma once

#include <cmath>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include <pixelrnn/sampling/sample.hpp>
#include <pixelrnn/training/evaluate.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

namespace detail {
/// Weights that sum to 1: as given, or equal ones. Throws ConfigError if there is not one of 0 or
/// more for each of `count` parts, or all are 0.
[[nodiscard]] inline std::vector<double> normalised_weights(const char* where,
                                                            std::span<const double> weights,
                                                            Index count) {
  if (count < 1) fail<ConfigError>(where, ": there is no model, expected 1 or more");
  std::vector<double> w(weights.begin(), weights.end());
  if (w.empty()) w.assign(static_cast<std::size_t>(count), 1.0);
  double sum = 0;
  for (const double v : w) sum += v;
  const bool is_fit = std::ssize(w) == count && std::isfinite(sum) && sum > 0 &&
                      std::all_of(w.begin(), w.end(), [](double v) { return v >= 0; });
  if (!is_fit) {
    fail<ConfigError>(where, ": there are ", w.size(), " weights whose sum is ", sum, ", for ",
                      count, " models, expected none, or one of 0 or more for each");
  }
  for (double& v : w) v /= sum;
  return w;
}
/// Which part image `number` is drawn from. Weights sum to 1. The key of the draw has nothing to do
/// with those of the image's pixels.
[[nodiscard]] inline std::size_t part_of_image(std::span<const double> weights, std::uint64_t seed,
                                               std::uint64_t number) {
  const std::uint64_t key = Rng(seed, 1).below(std::uint64_t{1} << 63);
  const double u = keyed_uniform(key, number, 0, 0);
  double below = 0;
  for (std::size_t k = 0; k + 1 < weights.size(); ++k) {
    below += weights[k];
    if (u < below) return k;
  }
  // Rounding may leave the last one with no weight a hair of the interval.
  std::size_t last = weights.size() - 1;
  while (weights[last] == 0) --last;
  return last;
}
}  // namespace detail

/// What a mixture says of images, of what its parts say: -ln Σ_k w_k exp(-part k) of each. Parts
/// are evaluations of the same images, by models of any kinds. Weights need not sum to 1; none:
/// equal ones. Throws ConfigError if they do not fit, ShapeError unless the parts are of as many
/// images of the same size.
[[nodiscard]] inline Evaluation mixed(std::span<const Evaluation> parts,
                                      std::span<const double> weights = {}) {
  const auto w = detail::normalised_weights("mixed", weights, std::ssize(parts));
  Evaluation mean = parts[0];
  for (const Evaluation& part : parts) {
    if (part.images() != mean.images() || part.image != mean.image) {
      detail::fail<ShapeError>("mixed: parts are of ", mean.images(), " images ", mean.image,
                               " and of ", part.images(), " images ", part.image,
                               ", expected the same images");
    }
  }
  for (std::size_t n = 0; n < mean.image_nats.size(); ++n) {
    // From the least nats of those that have a weight: the largest exp is 1.
    double least = std::numeric_limits<double>::infinity(), sum = 0;
    for (std::size_t k = 0; k < w.size(); ++k) {
      if (w[k] > 0) least = std::min(least, parts[k].image_nats[n].value);
    }
    if (!std::isfinite(least)) {
      mean.image_nats[n] = {least};
      continue;
    }
    for (std::size_t k = 0; k < w.size(); ++k) {
      if (w[k] > 0) sum += w[k] * std::exp(least - parts[k].image_nats[n].value);
    }
    mean.image_nats[n] = {least - std::log(sum)};
  }
  return mean;
}

/// Several models, one of which is drawn for each image: p(x) = Σ_k w_k p_k(x). Of models that
/// differ in their Orientation or their seed alone that is more likely than the mean of them, by
/// Jensen's inequality; lmconv (Jain et al. 2020, arXiv 2006.12486) averages orders so.
///   Mixture mixture{std::vector{by_rows, by_columns}};
///   evaluate(mixture, test_set); sample(mixture, 16, {.seed = 7});
/// It has no logits: a pixel's conditional depends on which model is at work. Models of several
/// kinds: evaluate each, then mixed(). Cost: that of all models to evaluate, of one to sample.
template <Model M>
struct Mixture {
  std::vector<M> models;
  std::vector<double> weights{};  ///< need not sum to 1; none: equal ones
};
template <class M>
Mixture(std::vector<M>) -> Mixture<M>;
template <class M>
Mixture(std::vector<M>, std::vector<double>) -> Mixture<M>;

/// -ln Σ_k w_k p_k(x) of each image. Throws as evaluate(model, ...) does, and ConfigError if there
/// is no model or the weights do not fit.
template <Model M>
[[nodiscard]] Evaluation evaluate(const Mixture<M>& mixture, const Images& images,
                                  const EvaluateOptions& options = {}) {
  static_cast<void>(
      detail::normalised_weights("Mixture", mixture.weights, std::ssize(mixture.models)));
  std::vector<Evaluation> parts;
  for (const M& model : mixture.models) parts.push_back(evaluate(model, images, options));
  return mixed(parts, mixture.weights);
}

/// Which of several models, by their weights, image `number` of a mixture is drawn from: a pure
/// function of the weights, the seed and the number. Throws ConfigError if there is no weight, or
/// they are none.
[[nodiscard]] inline std::size_t model_of_image(std::span<const double> weights, std::uint64_t seed,
                                                std::uint64_t number) {
  const auto w = detail::normalised_weights("Mixture", weights, std::ssize(weights));
  return detail::part_of_image(w, seed, number);
}

namespace detail {
/// Fills images by draw(k, images, options) of each model k, for those that it is to draw. Weights
/// sum to 1.
template <class Draw>
void draw_mixed(Images& all, std::span<const double> weights, const SampleOptions& options,
                const Draw& draw) {
  require_numbers(options, all.count());
  std::vector<std::vector<Index>> of_model(weights.size());
  for (Index n = 0; n < all.count(); ++n) {
    of_model[part_of_image(weights, options.seed, number_of_image(options, n))].push_back(n);
  }
  for (std::size_t k = 0; k < of_model.size(); ++k) {
    if (of_model[k].empty()) continue;
    SampleOptions own = options;
    own.numbers.clear();
    for (const Index n : of_model[k]) own.numbers.push_back(number_of_image(options, n));
    const Images drawn = draw(k, all.select(of_model[k]), own);
    for (Index i = 0; i < drawn.count(); ++i) {
      std::copy(drawn[i].begin(), drawn[i].end(),
                all[of_model[k][static_cast<std::size_t>(i)]].begin());
    }
  }
}
}  // namespace detail

/// Images of the mixture: image number i (SampleOptions::first or numbers) is number i of the model
/// that model_of_image gives it, with the bits that this model draws. Throws as sample(model, ...)
/// does, and ConfigError if there is no model or the weights do not fit.
template <Model M, SamplingRule Rule = Multinomial>
[[nodiscard]] Images sample(const Mixture<M>& mixture, Index count, SampleOptions options = {},
                            Rule rule = {}) {
  const auto weights =
      detail::normalised_weights("Mixture", mixture.weights, std::ssize(mixture.models));
  Images all = detail::canvas(mixture.models[0], count, options);
  detail::draw_mixed(all, weights, options,
                     [&](std::size_t k, const Images& part, const SampleOptions& own) {
                       return complete(mixture.models[k], part, KeepRows{0}, own, rule);
                     });
  return all;
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
