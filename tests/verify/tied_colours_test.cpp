// SPDX-License-Identifier: MIT
// A likelihood that ties the colours of a pixel together itself, and levels that no byte holds.
#include <string>
#include <vector>

#include <pixelrnn/likelihood/bernoulli.hpp>
#include <pixelrnn/likelihood/categorical.hpp>
#include <pixelrnn/models/pixel_cnn.hpp>
#include <pixelrnn/models/pixel_rnn.hpp>
#include <pixelrnn/training/trainer.hpp>
#include <pixelrnn/verify/samples.hpp>

#include "support/catch.hpp"
#include "support/models.hpp"

using namespace pixelrnn;

namespace {

/// Two levels; channel c has the logit z_c + 2·z_(C+c)·(the level before it, -1 or 1). The net may
/// mix all colours of earlier pixels. With a fault it reads the level behind it instead, or counts
/// the last channel twice.
enum class TieFault { none, looks_ahead, counts_twice };
template <TieFault fault = TieFault::none>
struct Tied {
  static constexpr bool masks_colours = false;
  static int levels() { return 2; }
  static Index outputs(Index channels) { return 2 * channels; }
  static std::string name() { return "tied"; }

  template <class T>
  static T logit(const T* z, std::span<const Images::Level> pixel, Index channel) {
    const auto channels = std::ssize(pixel);
    const Index other = fault == TieFault::looks_ahead ? (channel + 1) % channels : channel - 1;
    const T sign =
        other < 0 ? T{0} : static_cast<T>(4 * pixel[static_cast<std::size_t>(other)]) - 2;
    return z[channel] + z[channels + channel] * sign;
  }
  template <class T>
  static double nats(const T* z, std::span<const Images::Level> pixel) {
    double sum = 0;
    for (Index c = 0; c < std::ssize(pixel); ++c) {
      const T l = logit(z, pixel, c);
      sum += Bernoulli::nats(&l, pixel.subspan(static_cast<std::size_t>(c), 1));
      if (fault == TieFault::counts_twice && c + 1 == std::ssize(pixel)) sum *= 2;
    }
    return sum;
  }
  template <class T>
  static void add_gradient(const T* z, std::span<const Images::Level> pixel, T scale, T* d) {
    const auto channels = std::ssize(pixel);
    for (Index c = 0; c < channels; ++c) {
      const T l = logit(z, pixel, c);
      T slope{0};
      Bernoulli::add_gradient(&l, pixel.subspan(static_cast<std::size_t>(c), 1), scale, &slope);
      d[c] += slope;
      if (c > 0) {
        d[channels + c] += slope * (static_cast<T>(4 * pixel[static_cast<std::size_t>(c - 1)]) - 2);
      }
    }
  }
  template <class T>
  static Bernoulli::Conditional<T> conditional(const T* z, std::span<const Images::Level> pixel,
                                               Index channel, std::vector<double>&) {
    return Bernoulli::Conditional<T>(logit(z, pixel, channel));
  }
};
static_assert(Likelihood<Tied<>, float>);

template <class L>
using TiedRNN = PixelRNN<DiagonalBiLSTM<>, L>;

template <class M>
M tied_model(ImageShape image) {
  return test::random_model<M>({.image = image, .layers = 1, .hidden = 4, .head = 5}, 3);
}

}  // namespace

TEMPLATE_TEST_CASE("Colours that a likelihood ties together pass every proof", "[verify][tied]",
                   TiedRNN<Tied<>>, PixelCNN<Tied<>>) {
  const auto small = tied_model<TestType>({1, 2, 3});
  const VerifyReport sum = verify_normalisation(small);
  CHECK(sum.checked == 64);
  CHECK(sum.where == "");
  CHECK(verify_distribution(small).where == "");
  const auto larger = tied_model<TestType>({3, 3, 3});
  CHECK(verify_causality(larger).where == "");
  CHECK(verify_samplers(larger).where == "");
  CHECK(verify_determinism(larger, {.positions = 3}).where == "");
}

TEST_CASE("A pixel's logits must see all pixels before it, and none of its own colours",
          "[verify][tied]") {
  const auto tied = test::open_pixel_rnn<TiedRNN<Tied<>>>(
      {.image = {2, 2, 3}, .layers = 1, .hidden = 4, .head = 5}, 3);
  const auto is_earlier = [](const SubPixel& a, const SubPixel& b) {
    return a.row < b.row || (a.row == b.row && a.column < b.column);
  };
  const VerifyReport report = verify_completeness(tied, is_earlier);
  CHECK(report.where == "");
  CHECK(report.checked == 4 * 12);
  // Control: a promise that is not kept.
  CHECK_FALSE(verify_completeness(tied, [&](const SubPixel& a, const SubPixel& b) {
    return is_earlier(a, b) && a.channel != 1;
  }));
}

TEST_CASE("A likelihood that reads colours behind its own, or one twice, is found",
          "[verify][tied]") {
  CHECK_FALSE(verify_normalisation(tied_model<TiedRNN<Tied<TieFault::counts_twice>>>({1, 2, 3})));
  const auto ahead = tied_model<TiedRNN<Tied<TieFault::looks_ahead>>>({1, 1, 3});
  CHECK_FALSE((verify_normalisation(ahead) && verify_distribution(ahead)));
}

TEST_CASE("Tied colours are trained", "[verify][tied]") {
  // Each colour is that before it, the first a coin: ln 2 a pixel.
  Rng rng(1);
  Images images(256, {2, 2, 3}, 2);
  for (Index i = 0; i < images.pixels().size(); i += 3) {
    std::fill_n(images.pixels().data() + i, 3, static_cast<Images::Level>(rng.below(2)));
  }
  PixelCNN<Tied<>> tied({.image = {2, 2, 3}, .layers = 1, .hidden = 4, .head = 4}, rng);
  Trainer trainer(tied, Adam{.learning_rate = 3e-2});
  trainer.fit(images, {.epochs = 20, .batch_size = 16});
  const double nats = evaluate(tied, images).nats_per_image();
  CHECK(nats < 4 * 0.6932 + 0.15);
  CHECK(nats > 4 * 0.6931 - 0.15);
}

TEST_CASE("Levels that no byte holds are learned, drawn and summed to 1", "[verify][levels]") {
  const Categorical likelihood(300);
  Rng rng(2);
  TiedRNN<Categorical> wide({.image = {1, 2, 1}, .layers = 1, .hidden = 4, .head = 5}, rng,
                            likelihood);
  const VerifyReport sum = verify_normalisation(wide);
  CHECK(sum.checked == 300 * 300);
  CHECK(sum.where == "");
  CHECK(verify_samplers(wide).where == "");

  // Only levels 10, 160 and 299, the second what the first is.
  Images images(96, {1, 2, 1}, 300);
  constexpr Images::Level levels[]{10, 160, 299};
  for (Index i = 0; i < 96; ++i) {
    images[i](0, 0, 0) = images[i](0, 1, 0) = levels[static_cast<std::size_t>(i % 3)];
  }
  Trainer trainer(wide, Adam{.learning_rate = 2e-2});
  trainer.fit(images, {.epochs = 200, .batch_size = 16});
  CHECK(evaluate(wide, images).nats_per_image() < 1.3);
  const Images drawn = sample(wide, 60, {.seed = 3});
  Index seen = 0;
  for (Index i = 0; i < 60; ++i) {
    const auto first = drawn[i](0, 0, 0);
    const bool is_known = first == 10 || first == 160 || first == 299;
    if (is_known && drawn[i](0, 1, 0) == first) ++seen;
  }
  CHECK(seen > 45);
}
