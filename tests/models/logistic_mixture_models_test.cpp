// SPDX-License-Identifier: MIT
// Models whose pixels are distributed as a logistic mixture, in grey and in colour.
#include <pixelrnn/likelihood/logistic_mixture.hpp>
#include <pixelrnn/models/gated_pixel_cnn.hpp>
#include <pixelrnn/models/pixel_cnn.hpp>
#include <pixelrnn/models/pixel_rnn.hpp>
#include <pixelrnn/training/evaluate.hpp>
#include <pixelrnn/verify/samples.hpp>
#include <pixelrnn/verify/verify.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/model_proofs.hpp"
#include "support/samplers.hpp"

using namespace pixelrnn;

namespace {

/// A few levels and components, as a type of its own for the helpers of these tests.
struct TinyMixture : LogisticMixture {
  explicit TinyMixture(int levels = 3) : LogisticMixture(levels, 2) {}
};
template <class M>
M mixture_model(ImageShape image, std::uint64_t seed) {
  return test::random_model<M>({.image = image, .layers = 2, .hidden = 6, .head = 5}, seed, 0.4);
}
using MixtureCNN = PixelCNN<TinyMixture, test::ReferenceBackend>;
using MixtureGated = GatedPixelCNN<TinyMixture, test::ReferenceBackend>;

/// Adds up its channels as if each had drawn a component of its own, and moves none.
struct ForgetfulMixture : TinyMixture {
  template <class T>
  [[nodiscard]] double nats(const T* logits, std::span<const Images::Level> pixel) const {
    double sum = 0;
    std::vector<double> room;
    for (Index c = 0; c < std::ssize(pixel); ++c) {
      sum -= TinyMixture::conditional(logits, pixel, c, room)
                 .log_probability(pixel[static_cast<std::size_t>(c > 0 ? c - 1 : c)]);
    }
    return sum;
  }
};

}  // namespace

TEST_CASE("Models of logistic mixtures are distributions, causal and complete",
          "[models][logistic_mixture]") {
  for (const ImageShape image : {ImageShape{2, 2, 1}, ImageShape{1, 2, 3}}) {
    CAPTURE(image);
    CHECK(verify_normalisation(mixture_model<MixtureCNN>(image, 1)).where == "");
    CHECK(verify_normalisation(mixture_model<MixtureGated>(image, 2)).where == "");
  }
  for (const ImageShape image : {ImageShape{4, 3, 1}, ImageShape{3, 3, 3}}) {
    CAPTURE(image);
    const auto gated = mixture_model<MixtureGated>(image, 3);
    CHECK(verify_causality(gated).where == "");
    CHECK(verify_completeness(gated).where == "");
  }
}

TEST_CASE("A likelihood that forgets its channels' components is no distribution",
          "[models][logistic_mixture]") {
  const auto model =
      mixture_model<PixelCNN<ForgetfulMixture, test::ReferenceBackend>>({1, 2, 3}, 1);
  CHECK_FALSE(verify_normalisation(model).passed);
}

TEST_CASE("Models of logistic mixtures pass the gradient check", "[models][logistic_mixture]") {
  for (const ImageShape image : {ImageShape{2, 3, 1}, ImageShape{2, 2, 3}}) {
    CAPTURE(image);
    auto model = mixture_model<MixtureGated>(image, 5);
    const GradcheckReport report = test::check_gradients(model);
    INFO(report.where);
    CHECK(report);
  }
}

TEST_CASE("Models of logistic mixtures draw by both samplers, and what they say",
          "[models][logistic_mixture]") {
  const auto colour = mixture_model<GatedPixelCNN<TinyMixture>>({3, 3, 3}, 6);
  CHECK(test::sampler_difference(colour) == "");
  CHECK(test::batch_difference(colour) == "");
  CHECK(test::sampler_difference(
            mixture_model<PixelRNN<DiagonalBiLSTM<>, TinyMixture>>({3, 4, 1}, 7)) == "");
  CHECK(verify_distribution(mixture_model<GatedPixelCNN<TinyMixture>>({1, 2, 3}, 8)).where == "");
}

TEST_CASE("65,536 levels take a mixture of a few numbers", "[models][logistic_mixture]") {
  Rng rng(1);
  const GatedPixelCNN<LogisticMixture> model({.image = {3, 4, 1}, .layers = 2, .hidden = 8}, rng,
                                             LogisticMixture(65536, 5));
  const Images images = sample(model, 3, {.seed = 1});
  CHECK(images.levels() == 65536);
  CHECK(std::isfinite(evaluate(model, images).nats_per_image()));
  CHECK(verify_samplers(model, {}, 2).where == "");
}
