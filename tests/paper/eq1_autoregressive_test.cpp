// SPDX-License-Identifier: MIT
// Eq. 1 and 2 of van den Oord et al. 2016:
//   p(x) = Π p(x_i | x_1, ..., x_{i-1}),
//   p(x_i | x_<i) = p(x_R | x_<i) · p(x_G | x_<i, x_R) · p(x_B | x_<i, x_R, x_G).
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <pixelrnn/likelihood/categorical.hpp>
#include <pixelrnn/models/pixel_cnn.hpp>
#include <pixelrnn/training/evaluate.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/models.hpp"

using namespace pixelrnn;

namespace {

using B = test::ReferenceBackend;
using Grey = PixelCNN<Bernoulli, B>;
using Colour = PixelCNN<test::Softmax<3>, B>;
/// The control: mask B in the only layer, so that every conditional sees what it predicts.
using Leak = ImageModel<Sequential<MaskedConv2d<MaskB, B>>, Bernoulli>;

Leak leak(ImageShape image) {
  Rng rng(1);
  Leak model(image, Sequential<MaskedConv2d<MaskB, B>>(
                        MaskedConv2d<MaskB, B>({.kernel_height = 3, .kernel_width = 3}, rng)));
  test::randomise(model, 2);
  return model;
}

/// -ln p(x_i | x_<i) by a model that is shown the past alone: from i on there are other levels.
template <class M>
double conditional_nats(const M& model, const Images& image, Index i, Images::Level future) {
  Images past = image;
  for (Index k = i; k < past.image_shape().subpixels(); ++k) past[0].data()[k] = future;
  const auto z = test::logits_of(model, test::encoded(model, past));
  using L = typename M::Likelihood;
  return -std::log(test::probability<L>(z.data() + i * L().outputs(1), int{image[0].data()[i]}));
}

/// Empty if -ln p(x) is the sum of the conditionals given nothing but the past, for each of some
/// images and whatever level stands in the future; else where it is not.
template <class M>
std::string factorisation_fails(const M& model) {
  const int levels = typename M::Likelihood().levels();
  const ImageShape shape = model.image_shape();
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    const Images image = test::random_images(1, shape, levels, seed);
    const Tensor<double, 4> map = nats_map(model, image, {.threads = 1});
    const double whole = evaluate(model, image, {.threads = 1}).image_nats[0].value;
    for (int future = 0; future < levels; ++future) {
      double product = 0;
      for (Index i = 0; i < shape.subpixels(); ++i) {
        const double nats = conditional_nats(model, image, i, static_cast<Images::Level>(future));
        if (std::abs(nats - map.data()[i]) > 1e-9) {
          return "the conditional of sub-pixel " + std::to_string(i) + " knows its future";
        }
        product += nats;
      }
      if (std::abs(product - whole) > 1e-9) return "p(x) is not the product";
    }
  }
  return {};
}

/// p of all images with the first `known` sub-pixels of a given one, summed: what eq. 1 says it is
/// by its first factors alone.
template <class M>
double marginal(const M& model, const Images& image, Index known) {
  const Images all = test::all_images(model.image_shape(), typename M::Likelihood().levels());
  const std::vector<double> p = test::probabilities(model, all);
  double sum = 0;
  for (Index n = 0; n < all.count(); ++n) {
    const auto pixels = all[n];
    if (std::equal(pixels.begin(), pixels.begin() + known, image[0].begin())) {
      sum += p[static_cast<std::size_t>(n)];
    }
  }
  return sum;
}

template <class M>
void check_marginals(const M& model) {
  const Images image =
      test::random_images(1, model.image_shape(), typename M::Likelihood().levels(), 9);
  double product = 1;
  for (Index i = 0; i < model.image_shape().subpixels(); ++i) {
    CAPTURE(i);
    CHECK(marginal(model, image, i) == Approx(product).epsilon(1e-10));
    product *= std::exp(-conditional_nats(model, image, i, 0));
  }
}

}  // namespace

TEST_CASE("Eq. 1: p(x) is the product of conditionals that know the past alone", "[paper][eq1]") {
  CHECK(factorisation_fails(test::random_model<Grey>(
            {.image = {4, 5, 1}, .layers = 2, .hidden = 4, .head = 5}, 1)) == "");
  CHECK(factorisation_fails(leak({4, 5, 1})).find("knows its future") != std::string::npos);
}

TEST_CASE("Eq. 2: within a pixel R comes first, then G, then B", "[paper][eq1]") {
  const auto model =
      test::random_model<Colour>({.image = {2, 3, 3}, .layers = 1, .hidden = 6, .head = 6}, 2);
  CHECK(factorisation_fails(model) == "");
  // And G does hear of R, B of both, which independent colours would not.
  Colour open = model;
  test::raise(open, "bias", 5);  // no ReLU hides a colour by chance
  const Images image = test::random_images(1, {2, 3, 3}, 3, 1);
  const auto logits_with = [&](Index channel, Images::Level level) {
    Images other = image;
    other[0](0, 0, channel) = level;
    return test::logits_of(open, test::encoded(open, other));
  };
  for (const Index channel : {0, 1}) {
    const auto a = logits_with(channel, 0), b = logits_with(channel, 2);
    for (Index later = channel + 1; later < 3; ++later) {
      CAPTURE(channel, later);
      CHECK(a(0, 0, 0, later * 3) != b(0, 0, 0, later * 3));
    }
  }
}

TEST_CASE("Eq. 1: summing over the futures of a beginning leaves the factors of the beginning",
          "[paper][eq1]") {
  check_marginals(
      test::random_model<Grey>({.image = {2, 3, 1}, .layers = 2, .hidden = 4, .head = 5}, 3));
  check_marginals(
      test::random_model<Colour>({.image = {1, 2, 3}, .layers = 1, .hidden = 6, .head = 6}, 4));
}

TEST_CASE("Eq. 1: a model that sees what it predicts has no such marginals", "[paper][eq1]") {
  const Images image = test::random_images(1, {2, 2, 1}, 2, 9);
  CHECK(std::abs(marginal(leak({2, 2, 1}), image, 0) - 1) > 0.01);
}
