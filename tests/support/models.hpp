// SPDX-License-Identifier: MIT
// Whole models: random weights, logits, and the probability of every image there is, by the
// definition of the likelihoods.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include <pixelrnn/core/images.hpp>
#include <pixelrnn/likelihood/categorical.hpp>
#include <pixelrnn/models/model.hpp>

#include "support/compare.hpp"
#include "support/random.hpp"

namespace pixelrnn::test {

/// Categorical(V) by itself, so that the type of a test's model tells its levels.
template <int V>
class Softmax : public Categorical {
 public:
  Softmax() : Categorical(V) {}
};

/// A model with every parameter random: weights, biases and initial states.
template <class M>
[[nodiscard]] M random_model(const typename M::Config& config, std::uint64_t seed,
                             double bound = 0.5) {
  Rng rng(seed);
  M model(config, rng);
  randomise(model, seed, bound);
  return model;
}

/// Adds `amount` to the parameters whose name ends so: large biases open the ReLUs after them.
template <class M>
void raise(M& model, const std::string& ending, double amount) {
  for (const auto& [name, parameter] : parameters(model)) {
    if (!name.ends_with(ending)) continue;
    for (auto& v : parameter->value()) v += static_cast<typename M::Scalar>(amount);
  }
}

/// A random PixelRNN whose ReLUs are open, so that none hides what lies behind it.
template <class M>
[[nodiscard]] M open_pixel_rnn(const typename M::Config& config, std::uint64_t seed) {
  M model = random_model<M>(config, seed);
  raise(model, "upsample.bias", 10);
  raise(model, "head1.bias", 100);
  return model;
}

/// Images whose every level is random.
[[nodiscard]] inline Images random_images(Index count, ImageShape image, int levels,
                                          std::uint64_t seed) {
  Images images(count, image, levels);
  Rng rng(seed);
  for (Images::Level& v : images.pixels()) {
    v = static_cast<Images::Level>(rng.below(static_cast<std::uint64_t>(levels)));
  }
  return images;
}

/// Every image of a size: image i has the digits of i to the base `levels`, the first sub-pixel
/// being the highest digit.
[[nodiscard]] inline Images all_images(ImageShape image, int levels) {
  Index count = 1;
  for (Index i = 0; i < image.subpixels(); ++i) count *= levels;
  Images images(count, image, levels);
  for (Index n = 0; n < count; ++n) {
    Index digits = n;
    for (Index i = image.subpixels(); i-- > 0; digits /= levels) {
      images[n].data()[i] = static_cast<Images::Level>(digits % levels);
    }
  }
  return images;
}
/// The number an image has among all of its size.
[[nodiscard]] inline std::size_t number_of(TensorView<const Images::Level, 3> image, int levels) {
  std::size_t number = 0;
  for (const Images::Level v : image) number = number * static_cast<std::size_t>(levels) + v;
  return number;
}

/// Where the images of two sets first differ.
[[nodiscard]] inline std::string difference(const Images& a, const Images& b) {
  return detail::first_difference<Images::Level, Images::Level>(
      a.pixels(), b.pixels(), [](Images::Level x, Images::Level y) { return x != y; });
}

/// The images as a model sees them: (N, H, W, C) in [-1, 1].
template <class M>
[[nodiscard]] FeatureMap<typename M::Scalar> encoded(const M& model, const Images& images) {
  FeatureMap<typename M::Scalar> x(images.pixels().shape());
  encode(model, images.pixels(), x);
  return x;
}

/// What the net gives for any input of the model's shape.
template <class M>
[[nodiscard]] FeatureMap<typename M::Scalar> logits_of(const M& model,
                                                       const FeatureMap<typename M::Scalar>& x,
                                                       int threads = 1) {
  Tape<typename M::Scalar> tape({.threads = threads, .record = false});
  return FeatureMap<typename M::Scalar>(model.logits(tape.constant(x)).value());
}

/// p(level) by the definitions: 1 / (1 + e^-z) for one logit, e^z_v / Σ e^z for several.
template <class L, class T>
[[nodiscard]] double probability(const T* logits, int level) {
  const auto e = [](T z) { return std::exp(static_cast<double>(z)); };
  const Index outputs = L().outputs(1);
  if (outputs == 1) return level == 1 ? 1 / (1 + e(-logits[0])) : 1 / (1 + e(logits[0]));
  double sum = 0;
  for (Index v = 0; v < outputs; ++v) sum += e(logits[v]);
  return e(logits[level]) / sum;
}

/// p(x) of each image: the product over its sub-pixels.
template <class M>
[[nodiscard]] std::vector<double> probabilities(const M& model, const Images& images) {
  using L = typename M::Likelihood;
  const FeatureMap<typename M::Scalar> z = logits_of(model, encoded(model, images));
  const Index subpixels = images.image_shape().subpixels();
  std::vector<double> p;
  for (Index n = 0; n < images.count(); ++n) {
    p.push_back(1);
    for (Index i = 0; i < subpixels; ++i) {
      p.back() *=
          probability<L>(z.data() + (n * subpixels + i) * L().outputs(1), int{images[n].data()[i]});
    }
  }
  return p;
}

/// Σ p(x) over all images there are.
template <class M>
[[nodiscard]] double total_probability(const M& model) {
  double sum = 0;
  for (const double p :
       probabilities(model, all_images(model.image_shape(), typename M::Likelihood().levels()))) {
    sum += p;
  }
  return sum;
}

}  // namespace pixelrnn::test
