// SPDX-License-Identifier: MIT
// A model's execution policy is that of everything that is done with it.
#include <filesystem>
#include <iterator>

#include <pixelrnn/models/pixel_cnn.hpp>
#include <pixelrnn/nn/residual.hpp>
#include <pixelrnn/sampling/sample.hpp>
#include <pixelrnn/training/toy.hpp>
#include <pixelrnn/training/trainer.hpp>
#include <pixelrnn/verify/verify.hpp>

#include "support/catch.hpp"
#include "support/models.hpp"

using namespace pixelrnn;

namespace {

template <class E>
using ModelOn = PixelCNN<Bernoulli, Backend<float, kernels::Xsimd, E>>;

/// Threads of this process. OpenMP keeps those it has begun.
auto threads_of_process() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return std::distance(begin(tasks), end(tasks));
}

/// Trains, evaluates, samples and verifies, with four threads where the policy has them.
template <class E>
void use_model() {
  auto model =
      test::random_model<ModelOn<E>>({.image = {3, 3, 1}, .layers = 1, .hidden = 3, .head = 4}, 1);
  Rng rng(1);
  const Images images = bars_and_stripes(8, 3, rng);
  Trainer trainer(model, Adam{}, {.threads = 4});
  trainer.fit(images, {.epochs = 1, .batch_size = 8});
  static_cast<void>(evaluate(model, images, {.threads = 4}));
  static_cast<void>(sample(model, 8, {.threads = 4}));
  CHECK(verify_normalisation(model, 1e-4, {.threads = 4}));
}

/// A policy of a user's.
struct Mine : execution::Sequential {};

}  // namespace

TEST_CASE("The policy of a net's first layer is that of the model", "[training][execution]") {
  using Layer = MaskedConv2d<MaskB, Backend<float, kernels::Xsimd, Mine>>;
  STATIC_REQUIRE(std::same_as<ExecutionOf<Layer>, Mine>);
  STATIC_REQUIRE(std::same_as<ExecutionOf<Residual<Layer, Layer>>, Mine>);
  STATIC_REQUIRE(std::same_as<ExecutionOf<pixelrnn::Sequential<Residual<Layer>, Layer>>, Mine>);
  STATIC_REQUIRE(std::same_as<ExecutionOf<Stack<Residual<Layer>, Layer>>, Mine>);
  STATIC_REQUIRE(std::same_as<ExecutionOf<ModelOn<Mine>>, Mine>);
  STATIC_REQUIRE(std::same_as<ExecutionOf<PixelCNN<>>, execution::OpenMP>);
  STATIC_REQUIRE(std::same_as<ExecutionOf<int>, execution::OpenMP>);
}

TEST_CASE("A sequential model has no thread but the caller's", "[training][execution]") {
  const auto before = threads_of_process();
  use_model<execution::Sequential>();
  CHECK(threads_of_process() == before);
#if PIXELRNN_HAS_OPENMP
  use_model<execution::OpenMP>();
  CHECK(threads_of_process() > 1);  // or else nobody would have noticed
#endif
}
