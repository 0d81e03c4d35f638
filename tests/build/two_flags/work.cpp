// SPDX-License-Identifier: MIT
// Work with the library's default types; compiled once for each instruction set.
#include "work.hpp"

#include <pixelrnn/pixelrnn.hpp>

#ifdef WITH_IO
#include <pixelrnn/io/checkpoint.hpp>
#endif

#define PIXELRNN_TEXT_OF(text) #text
#define PIXELRNN_TEXT(macro) PIXELRNN_TEXT_OF(macro)

namespace PLACE {

using namespace pixelrnn;

/// The sum of 840 uniform numbers, 105 of each of 8 streams, drawn by two threads.
double random_sum() {
  Tensor<double, 2> sums({8, 1});
  execution::OpenMP::for_each(2, 8, [&sums](Index stream, Index) {
    Rng rng(static_cast<std::uint64_t>(stream));
    for (int i = 0; i < 105; ++i) sums(stream, 0) += rng.uniform();
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

/// Nats an image of a small model after some training.
double work() {
  Rng rng{7};
  const Images train_set = bars_and_stripes(128, 4, rng);
  PixelRNN<DiagonalBiLSTM<>, Bernoulli> model({.image = {4, 4, 1}, .layers = 2, .hidden = 8}, rng);
  Trainer trainer(model, Adam{.learning_rate = 1e-2});
  trainer.fit(train_set, {.epochs = 20});
#ifdef WITH_IO
  // There and back again, for the symbols of io.
  const char* const path = "two_flags_" PIXELRNN_TEXT(PLACE) ".safetensors";
  save_checkpoint(path, trainer);
  load_checkpoint(path, trainer);
  load_weights(path, model);
#endif
  return evaluate(model, train_set).nats_per_image();
}

const char* abi() { return PIXELRNN_TEXT(PIXELRNN_ABI); }

}  // namespace PLACE
