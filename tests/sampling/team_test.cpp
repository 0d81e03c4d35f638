// SPDX-License-Identifier: MIT
// Walks whose products are shared by a team of threads.
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include <pixelrnn/likelihood/categorical.hpp>
#include <pixelrnn/models/pixel_cnn.hpp>
#include <pixelrnn/models/pixel_rnn.hpp>
#include <pixelrnn/nn/relu.hpp>
#include <pixelrnn/sampling/sample.hpp>

#include "support/catch.hpp"
#include "support/samplers.hpp"

using namespace pixelrnn;

namespace {

/// Wide enough to be shared; 130 units are no whole number of vectors or of parts.
template <class M>
M wide_model(Index layers) {
  const Index channels = typename M::Likelihood().levels() == 2 ? 1 : 3;
  const ImageShape image{4, 3, channels};
  M model =
      test::random_model<M>({.image = image, .layers = layers, .hidden = 130, .head = 200}, 3, 0.1);
  REQUIRE(flops(model.net(), image.height, image.width) >= 4'000'000 * image.height * image.width);
  return model;
}

/// Where images drawn by teams are not those of one thread.
template <class M>
std::string team_difference(const M& model) {
  const Images expected = sample(model, 5, {.seed = 1, .threads = 1});
  const KeepAlternate keep;
  const Images completed = complete(model, expected, keep, {.seed = 2, .threads = 1});
  std::ostringstream out;
  for (const int threads : {2, 3, 8}) {
    const Index batch = threads == 3 ? 2 : 64;
    out << test::difference(sample(model, 5, {.seed = 1, .threads = threads, .batch = batch}),
                            expected)
        << test::difference(sample(model, 1, {.seed = 1, .threads = threads, .first = 4}),
                            expected.slice(4, 1))
        << test::difference(complete(model, expected, keep, {.seed = 2, .threads = threads}),
                            completed);
  }
  return out.str();
}

/// y = x, which says that it is much work and remembers the team and the images of each walk.
struct Watching : ReLU<> {
  using Scalar = float;
  struct Walked {
    Index team, images;
  };
  std::vector<Walked>* walks;
  Index flops_of_a_pixel;

  [[nodiscard]] Index flops(Index height, Index width) const {
    return height * width * flops_of_a_pixel;
  }
  [[nodiscard]] Cache make_cache(Walk walk) const {
#pragma omp critical
    walks->push_back({walk.team->size(), walk.batch});
    return {};
  }
};

}  // namespace

TEST_CASE("Images drawn by a team are those of one thread", "[sampling][team]") {
  CHECK(team_difference(wide_model<PixelCNN<>>(20)) == "");
  CHECK(team_difference(wide_model<PixelCNN<test::Softmax<3>>>(20)) == "");
  CHECK(team_difference(wide_model<PixelCNN<test::Softmax<256>>>(20)) ==
        "");  // draws are shared too
  CHECK(team_difference(wide_model<PixelCNN<Bernoulli, Backend<double>>>(20)) == "");
  CHECK(team_difference(wide_model<PixelRNN<RowLSTM<>>>(8)) == "");
  CHECK(team_difference(wide_model<PixelRNN<DiagonalBiLSTM<>>>(8)) == "");
}

TEST_CASE("What goes wrong in a draw that a team shares is the caller's error",
          "[sampling][team]") {
  auto model = wide_model<PixelCNN<test::Softmax<256>>>(20);
  parameters(model).back().parameter->value().data()[0] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_ERROR(sample(model, 5, {.threads = 2}), NumericError,
                     "the model gives NaN at pixel");
}

TEST_CASE("A team's images are FullForward's", "[sampling][team]") {
  const auto model = wide_model<PixelRNN<RowLSTM<>>>(8);
  CHECK(test::difference(
            sample(model, 2, {.seed = 1, .threads = 2}),
            sample(model, 2, {.seed = 1, .threads = 1}, Multinomial{}, FullForward{})) == "");
}

#if PIXELRNN_HAS_OPENMP
TEST_CASE("Threads share images where there are many, else products", "[sampling][team]") {
  std::vector<Watching::Walked> walks;
  Rng rng(1);
  const MaskedConv2d<MaskA> first(
      {.in_channels = 1, .out_channels = 1, .kernel_height = 3, .kernel_width = 3}, rng);
  using Net = Sequential<MaskedConv2d<MaskA>, Watching>;
  // How many walks there were, of how large a team and batch.
  const auto check = [&](Index flops_of_a_pixel, int threads, Index images, std::size_t count,
                         Index team, Index batch) {
    const ImageModel<Net, Bernoulli> model({3, 2, 1},
                                           Net(first, Watching{{}, &walks, flops_of_a_pixel}));
    walks.clear();
    static_cast<void>(sample(model, images, {.threads = threads}));
    CAPTURE(flops_of_a_pixel, threads, images);
    CHECK(walks.size() == count);
    for (const Watching::Walked& walk : walks) {
      CHECK(walk.team == team);
      CHECK(walk.images == batch);
    }
  };
  constexpr Index much = 5'000'000, narrow = 2'000'000, small = 100'000;
  check(much, 1, 16, 1, 1, 16);
  check(much, 2, 16, 1, 2, 16);  // a pair
  check(much, 2, 32, 2, 1, 16);  // 16 images keep a thread busy
  check(much, 4, 8, 2, 2, 4);    // two pairs
  check(much, 3, 20, 1, 3, 20);  // no thread is left out
  check(much, 4, 1, 1, 4, 1);    // more threads than images
  check(much, 16, 1, 1, 8, 1);   // not more than eight
  check(narrow, 2, 16, 2, 1, 8);
  check(narrow, 4, 2, 2, 2, 1);
  check(small, 4, 1, 1, 1, 1);
}
#endif

TEST_CASE("A model that gives NaN is named by a team too", "[sampling][team]") {
  auto model = wide_model<PixelCNN<>>(20);
  parameters(model).back().parameter->value().data()[0] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_ERROR(sample(model, 2, {.threads = 2}), NumericError,
                     "sample: the model gives NaN at pixel 0, channel 0 of image 0");
}
