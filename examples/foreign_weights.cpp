// SPDX-License-Identifier: MIT
// Weights of another program: example_foreign_weights best_params.npz reads those that come with
// taimir/pixel-rnn-lasagne, and draws from them. Without a file: our own weights, there and back.
#include <filesystem>
#include <iostream>

#include <pixelrnn/io/foreign_weights.hpp>
#include <pixelrnn/io/png.hpp>
#include <pixelrnn/pixelrnn.hpp>

using namespace pixelrnn;
using Theirs = PixelRNN<DiagonalBiLSTM<PaddedScanState>>;

namespace {

/// Blocks x + BiLSTM(x), as wide as their LSTMs; the padding is scanned, with a bias of its own;
/// ReLUs behind the head's layers; pixels are 0 or 1.
PixelRNNConfig config_of(Index side, Index hidden) {
  return {.image = {side, side, 1},
          .layers = 2,
          .hidden = hidden,
          .head = hidden,
          .stream = hidden,
          .upsample = false,
          .padding_bias = true,
          .head_relu_first = false,
          .encoding = Encoding::zero_one};
}

int read_and_draw(const std::filesystem::path& weights) {
  Rng rng(1);
  Theirs model(config_of(28, 64), rng);
  const auto here = std::filesystem::path(__FILE__).parent_path();
  import_weights(weights, model, read_weight_names(here / "weights" / "lasagne.names"));
  const Images images = sample(model, 32, {.seed = 1});
  write_png("foreign.png", grid(images, 8));
  std::cout << "32 digits in foreign.png, " << evaluate(model, images).nats_per_image()
            << " nats each\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) return read_and_draw(argv[1]);
  Rng rng(1);
  const Theirs model(config_of(6, 4), rng);
  Theirs other(config_of(6, 4), rng);
  std::string table = "# each weight by its own name, in PyTorch's layout\n";
  for (const auto& [name, parameter] : parameters(model)) table += name + " net." + name + '\n';
  export_weights("foreign.safetensors", model, WeightNames(table));
  import_weights("foreign.safetensors", other, WeightNames(table));
  const Images images = bars_and_stripes(20, 6, rng);
  const double before = evaluate(model, images).nats_per_image();
  const double after = evaluate(other, images).nats_per_image();
  std::cout << before << " nats, and from another program's file " << after << '\n';
  return before == after ? 0 : 1;
}
