// SPDX-License-Identifier: MIT
// Features for another task: a Diagonal BiLSTM under a mean over pixels and a softmax classifies.
//   example_features [IMAGES LABELS TEST-IMAGES TEST-LABELS]    IDX files, such as Fashion-MNIST's
#include <algorithm>
#include <iostream>

#include <pixelrnn/io/image_files.hpp>
#include <pixelrnn/pixelrnn.hpp>

#include "stand_ins.hpp"

using namespace pixelrnn;

int main(int argc, char** argv) {
  Rng rng(1);
  const bool is_given = argc == 5;
  const Images train_set =
      is_given ? read_images({argv[1]}, {.labels = {argv[2]}}) : stand_ins::waves(1024, rng);
  const Images test_set =
      is_given ? read_images({argv[3]}, {.labels = {argv[4]}}) : stand_ins::waves(256, rng);
  const Index classes = *std::ranges::max_element(train_set.labels()) + 1, width = 24;

  // Nothing here is drawn, so masks may look everywhere.
  Sequential net(
      MaskedConv2d<NoMask>({.out_channels = width, .kernel_height = 3, .kernel_width = 3}, rng),
      DiagonalBiLSTM<>({.in_channels = width, .hidden = width}, rng),
      MaskedConv2d<NoMask>({.in_channels = width, .out_channels = classes}, rng));
  const Categorical softmax(static_cast<int>(classes));
  FeatureMap<float> x;  // a tape looks at it until its gradients are there
  const auto scores = [&](Tape<float>& tape, const Images& images) {
    x = FeatureMap<float>(images.pixels().shape());
    std::ranges::transform(images.pixels(), x.begin(),
                           [](int v) { return static_cast<float>(v) / 128 - 1; });
    return pixel_mean(net.forward(tape.constant(x)));
  };
  Optimizer optimizer(Adam{.learning_rate = 4e-3}, parameters(net));
  Tape<float> tape;
  Gradients gradients(net);
  const Index steps = is_given ? 4000 : 160, batch = 32;
  for (Index step = 0; step < steps; ++step) {
    const Images some = train_set.slice(step * batch % (train_set.count() - batch + 1), batch);
    Tensor<Images::Level, 4> labels({batch, 1, 1, 1});
    std::ranges::copy(some.labels(), labels.begin());
    tape.reset();
    gradients.clear();
    const auto nats = image_nats<execution::OpenMP>(softmax, scores(tape, some), labels.view());
    tape.backward(mean(nats), gradients);
    optimizer.step(gradients, cosine_rate(steps)(step));
  }

  Index right = 0;
  for (Index n = 0; n < test_set.count(); ++n) {
    Tape<float> plain({.record = false});
    const auto z = scores(plain, test_set.slice(n, 1)).value();
    const auto best = std::max_element(z.begin(), z.end()) - z.begin();
    right += best == test_set.labels()[static_cast<std::size_t>(n)] ? 1 : 0;
  }
  const double accuracy = static_cast<double>(right) / static_cast<double>(test_set.count());
  std::cout << "accuracy " << accuracy << " of " << classes << " classes\n";
  return accuracy > (is_given ? 0.75 : 0.95) ? 0 : 1;
}
