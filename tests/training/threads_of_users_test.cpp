// SPDX-License-Identifier: MIT
// Threads that the user made, each with work of its own: for the race detector too.
#include <optional>
#include <thread>
#include <vector>

#include <pixelrnn/models/pixel_rnn.hpp>
#include <pixelrnn/sampling/sample.hpp>
#include <pixelrnn/training/batch_gradient.hpp>
#include <pixelrnn/training/trainer.hpp>

#include "support/catch.hpp"
#include "support/models.hpp"
#include "support/training.hpp"

using namespace pixelrnn;

namespace {

using Diagonal = PixelRNN<DiagonalBiLSTM<>>;

/// Work of one thread: a model is trained, evaluated and sampled.
struct Work {
  explicit Work(std::uint64_t seed) : seed_(seed) {}

  void operator()() {
    Rng rng(seed_);
    Diagonal model({.image = {20, 20, 1}, .layers = 1, .hidden = 4, .head = 4}, rng);
    const Images images = test::random_images(12, {20, 20, 1}, 2, seed_);
    Trainer trainer(model, Adam{}, {.seed = seed_, .threads = 2});
    trainer.fit(images, {.epochs = 2, .batch_size = 6});
    weights = test::weights(model);
    nats = evaluate(model, images, {.threads = 2}).nats_per_image();
    drawn.emplace(sample(model, 3, {.seed = seed_, .threads = 2}));
  }

  test::Snapshot<float> weights;
  double nats = 0;
  std::optional<Images> drawn;

 private:
  std::uint64_t seed_;
};

}  // namespace

TEST_CASE("Models train side by side in threads of the user's, as they do alone",
          "[training][threads_of_users]") {
  std::vector<Work> together{Work(1), Work(2), Work(3)};
  {
    std::vector<std::jthread> threads;
    for (Work& work : together) threads.emplace_back([&work] { work(); });
  }
  for (std::uint64_t i = 0; i < together.size(); ++i) {
    Work alone(i + 1);
    alone();
    CHECK(test::bit_difference(alone.weights, together[i].weights) == "");
    CHECK(test::same_bits(alone.nats, together[i].nats));
    CHECK(std::ranges::equal(alone.drawn->pixels(), together[i].drawn->pixels()));
  }
  CHECK(test::bit_difference(together[0].weights, together[1].weights) != "");
}

TEST_CASE("One model is differentiated by several threads of the user's at once",
          "[training][threads_of_users]") {
  const auto model =
      test::random_model<Diagonal>({.image = {20, 20, 1}, .layers = 1, .hidden = 4, .head = 4}, 3);
  const auto gradients_of = [&](std::uint64_t seed) {
    const Images images = test::random_images(6, {20, 20, 1}, 2, seed);
    Gradients gradients(model);
    static_cast<void>(BatchGradient(model, 2)(images, gradients));
    return gradients;
  };
  std::vector<Gradients<float>> together(3, Gradients(model));
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < together.size(); ++i) {
      threads.emplace_back([&, i] { together[i] = gradients_of(i); });
    }
  }
  for (std::size_t i = 0; i < together.size(); ++i) {
    CHECK(std::ranges::equal(gradients_of(i).values(), together[i].values()));
  }
  CHECK_FALSE(std::ranges::equal(together[0].values(), together[1].values()));
}
