// SPDX-License-Identifier: MIT
// Walks whose products are shared by a team of threads.
#include <limits>
#include <vector>

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
M wide_model() {
  const ImageShape image{4, 3, 1};
  M model =
      test::random_model<M>({.image = image, .layers = 8, .hidden = 130, .head = 200}, 3, 0.1);
  REQUIRE(flops(model.net(), image.height, image.width) >=
          worth_a_thread * image.height * image.width);
  return model;
}

/// y = x, which says that it is much work and remembers the team and the images of each walk.
struct Watching : ReLU<> {
  using Scalar = float;
  struct Walked {
    Index team, images;
  };
  std::vector<Walked>* walks;

  [[nodiscard]] Index flops(Index height, Index width) const {
    return height * width * worth_a_thread;
  }
  [[nodiscard]] Cache make_cache(Walk walk) const {
#pragma omp critical
    walks->push_back({walk.team->size(), walk.batch});
    return {};
  }
};

}  // namespace

TEMPLATE_TEST_CASE("Images drawn by a team are those of one thread", "[sampling][team]", PixelCNN<>,
                   PixelRNN<RowLSTM<>>, PixelRNN<DiagonalBiLSTM<>>) {
  const TestType model = wide_model<TestType>();
  const Images expected = sample(model, 5, {.seed = 1, .threads = 1});
  CHECK(test::difference(sample(model, 5, {.seed = 1, .threads = 1}, {}, FullForward{}),
                         expected) == "");
  for (const int threads : {2, 3, 4, 8}) {
    for (const Index batch : {1, 2, 64}) {
      CAPTURE(threads, batch);
      CHECK(test::difference(sample(model, 5, {.seed = 1, .threads = threads, .batch = batch}),
                             expected) == "");
    }
    CHECK(test::difference(sample(model, 1, {.seed = 1, .threads = threads, .first = 4}),
                           expected.slice(4, 1)) == "");
  }
}

#if PIXELRNN_HAS_OPENMP
TEST_CASE("Threads share images where there are many, else products", "[sampling][team]") {
  std::vector<Watching::Walked> walks;
  Rng rng(1);
  const MaskedConv2d<MaskA> first(
      {.in_channels = 1, .out_channels = 1, .kernel_height = 3, .kernel_width = 3}, rng);
  using Net = Sequential<MaskedConv2d<MaskA>, Watching>;
  const ImageModel<Net, Bernoulli> model({3, 2, 1}, Net(first, Watching{{}, &walks}));
  // How many walks there were, of how large a team and batch.
  const auto check = [&](int threads, Index images, std::size_t count, Index team, Index batch) {
    walks.clear();
    static_cast<void>(sample(model, images, {.threads = threads}));
    CAPTURE(threads, images);
    CHECK(walks.size() == count);
    for (const Watching::Walked& walk : walks) {
      CHECK(walk.team == team);
      CHECK(walk.images == batch);
    }
  };
  check(1, 16, 1, 1, 16);
  check(2, 16, 1, 2, 16);  // a pair
  check(2, 32, 2, 1, 16);  // 16 images keep a thread busy
  check(4, 8, 2, 2, 4);    // two pairs
  check(4, 1, 1, 4, 1);    // more threads than images
  check(16, 1, 1, 8, 1);   // not more than eight
}
#endif

TEST_CASE("A model that gives NaN is named by a team too", "[sampling][team]") {
  auto model = wide_model<PixelCNN<>>();
  parameters(model).back().parameter->value().data()[0] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_ERROR(sample(model, 2, {.threads = 2}), NumericError,
                     "sample: the model gives NaN at pixel 0, channel 0 of image 0");
}
