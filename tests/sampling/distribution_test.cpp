// SPDX-License-Identifier: MIT
// Samples against the exact probability of every image there is.
#include <vector>

#include <pixelrnn/likelihood/categorical.hpp>
#include <pixelrnn/models/pixel_cnn.hpp>
#include <pixelrnn/models/pixel_rnn.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/samplers.hpp"
#include "support/statistics.hpp"

using namespace pixelrnn;

namespace {

using B = test::ReferenceBackend;

template <class M>
M make(ImageShape image) {
  typename M::Config config;
  config.image = image;
  config.layers = 1;
  config.hidden = 4;
  config.head = 5;
  return test::random_model<M>(config, 7, 0.35);
}

/// How often each image there is occurs.
std::vector<std::size_t> count(const Images& images) {
  std::vector<std::size_t> counts(
      static_cast<std::size_t>(test::all_images(images.image_shape(), images.levels()).count()));
  for (Index n = 0; n < images.count(); ++n) {
    ++counts[test::number_of(images[n], images.levels())];
  }
  return counts;
}

template <class M>
std::vector<double> exact(const M& model) {
  return test::probabilities(
      model, test::all_images(model.image_shape(), typename M::Likelihood().levels()));
}

}  // namespace

TEST_CASE("Images are numbered as they are counted", "[sampling][distribution]") {
  const Images all = test::all_images({1, 2, 3}, 3);
  CHECK(all.count() == 729);
  for (Index n = 0; n < all.count(); ++n) {
    CHECK(test::number_of(all[n], 3) == static_cast<std::size_t>(n));
  }
}

TEMPLATE_TEST_CASE("Binary samples come from the model's distribution", "[sampling][distribution]",
                   (PixelCNN<Bernoulli, B>), (PixelRNN<RowLSTM<LearnedState, B>>),
                   (PixelRNN<DiagonalBiLSTM<LearnedState, B>>)) {
  const auto model = make<TestType>({2, 2, 1});
  const std::vector<double> p = exact(model);
  CHECK(test::chi_square_test(count(sample(model, 20000, {.seed = 5, .batch = 500})), p) > 1e-4);
  // The control: what is drawn at temperature 2 does not pass.
  CHECK(test::chi_square_test(count(sample(model, 20000, {.seed = 5}, Temperature{2})), p) < 1e-4);
}

TEMPLATE_TEST_CASE("Colour samples come from the model's distribution", "[sampling][distribution]",
                   (PixelCNN<test::Softmax<3>, B>),
                   (PixelRNN<RowLSTM<LearnedState, B>, test::Softmax<3>>),
                   (PixelRNN<DiagonalBiLSTM<LearnedState, B>, test::Softmax<3>>)) {
  const auto model = make<TestType>({1, 2, 3});
  const std::vector<double> p = exact(model);
  CHECK(test::chi_square_test(count(sample(model, 40000, {.seed = 6, .batch = 500})), p) > 1e-4);
  CHECK(test::chi_square_test(count(sample(model, 40000, {.seed = 6}, Temperature{2})), p) < 1e-4);
}

TEST_CASE("What is completed after the known pixels has their conditional distribution",
          "[sampling][distribution]") {
  const auto model = make<PixelRNN<DiagonalBiLSTM<LearnedState, B>>>({2, 3, 1});
  const std::vector<double> p = exact(model);
  const Images all = test::all_images({2, 3, 1}, 2);
  // The first four pixels are known, then two are drawn: images are numbered in that order.
  KeepMask keep{Tensor<unsigned char, 2>({2, 3}, 1)};
  keep.mask(1, 1) = keep.mask(1, 2) = 0;
  for (std::size_t known = 0; known < 16; ++known) {
    std::vector<double> conditional(p.begin() + static_cast<Index>(4 * known),
                                    p.begin() + static_cast<Index>(4 * known + 4));
    double sum = 0;
    for (const double v : conditional) sum += v;
    for (double& v : conditional) v /= sum;
    const std::vector<Index> copies(5000, static_cast<Index>(4 * known + known % 4));
    const Images done =
        complete(model, all.select(copies), keep, {.seed = 50 + known, .batch = 500});
    std::vector<std::size_t> counts(4);
    for (Index n = 0; n < done.count(); ++n) {
      const std::size_t number = test::number_of(done[n], 2);
      REQUIRE(number / 4 == known);
      ++counts[number % 4];
    }
    CAPTURE(known);
    CHECK(test::chi_square_test(counts, conditional) > 1e-4);
    std::reverse(conditional.begin(), conditional.end());
    CHECK(test::chi_square_test(counts, conditional) < 1e-4);
  }
}

TEST_CASE("A kept pixel further on leaves the others as they would be without it",
          "[sampling][distribution]") {
  // Raster order cannot look ahead: the pixels before have their unconditional distribution.
  const auto model = make<PixelRNN<DiagonalBiLSTM<LearnedState, B>>>({2, 2, 1});
  const std::vector<double> p = exact(model);
  Images known(20000, {2, 2, 1}, 2);
  for (Index n = 0; n < known.count(); ++n) known[n](1, 1, 0) = 1;
  const Images done = complete(model, known, KeepBox{1, 1, 1, 1}, {.seed = 8, .batch = 500});
  std::vector<double> before(8);
  std::vector<std::size_t> counts(8);
  for (std::size_t i = 0; i < 16; ++i) before[i / 2] += p[i];
  for (Index n = 0; n < done.count(); ++n) {
    if (done[n](1, 1, 0) != 1) FAIL("image " << n << " lost its known pixel");
    ++counts[test::number_of(done[n], 2) / 2];
  }
  CHECK(test::chi_square_test(counts, before) > 1e-4);
}
