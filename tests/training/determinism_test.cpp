// SPDX-License-Identifier: MIT
#include <vector>

#include <pixelrnn/models/pixel_rnn.hpp>
#include <pixelrnn/sampling/sample.hpp>

#include "support/catch.hpp"
#include "support/models.hpp"
#include "support/training.hpp"

using namespace pixelrnn;

namespace {

/// The weights after two epochs on 10 images in batches of 6 and 4.
template <class M>
test::Snapshot<float> trained(M& model, int threads, std::uint64_t seed = 1) {
  Trainer trainer(model, RMSProp{.learning_rate = 0.01},
                  {.seed = seed, .threads = threads, .clip_norm = 1, .average_decay = 0.9});
  trainer.fit(test::some_bars(10, 5), {.epochs = 2, .batch_size = 6});
  return test::state_of(trainer);
}

PixelRNN<> recurrent_model() {
  Rng rng(1);
  return PixelRNN<>({.image = {5, 5, 1}, .layers = 2, .hidden = 5, .head = 6, .skip = true}, rng);
}

}  // namespace

TEST_CASE("Training a PixelCNN gives the same bits for any number of threads",
          "[training][determinism]") {
  auto one = test::tiny_model(1, 5);
  const auto state = trained(one, 1);
  for (const int threads : {1, 2, 4, 0}) {
    CAPTURE(threads);
    auto model = test::tiny_model(1, 5);
    CHECK(test::bit_difference(trained(model, threads), state) == "");
  }
  // The controls: another order of the images, another model.
  auto other_order = test::tiny_model(1, 5), other = test::tiny_model(2, 5);
  CHECK(test::bit_difference(trained(other_order, 1, 2), state) != "");
  CHECK(test::bit_difference(trained(other, 1), state) != "");
}

TEST_CASE("Training a PixelRNN gives the same bits for any number of threads",
          "[training][determinism]") {
  auto one = recurrent_model();
  const auto state = trained(one, 1);
  for (const int threads : {1, 2, 4}) {
    CAPTURE(threads);
    auto model = recurrent_model();
    CHECK(test::bit_difference(trained(model, threads), state) == "");
  }
}

TEST_CASE("A trained model's samples are the same for any batch and number of threads",
          "[training][determinism]") {
  auto model = recurrent_model();
  trained(model, 1);
  const Images images = sample(model, 11, {.seed = 4, .threads = 1, .batch = 11});
  for (const Index batch : {1, 3, 64}) {
    for (const int threads : {1, 2, 4}) {
      CAPTURE(batch, threads);
      CHECK(test::difference(sample(model, 11, {.seed = 4, .threads = threads, .batch = batch}),
                             images) == "");
    }
  }
  CHECK(test::difference(sample(model, 5, {.seed = 4, .threads = 1, .first = 6}),
                         images.slice(6, 5)) == "");
  CHECK(test::difference(sample(model, 11, {.seed = 5, .threads = 1}), images) != "");
}
