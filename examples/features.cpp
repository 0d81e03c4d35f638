// SPDX-License-Identifier: MIT
// Features for another task: a Diagonal BiLSTM under a mean over pixels and a softmax classifies.
//   example_features [IMAGES LABELS TEST-IMAGES TEST-LABELS]    IDX files, such as Fashion-MNIST's
#include <algorithm>
#include <iostream>

#include <pixelrnn/io/image_files.hpp>
#include <pixelrnn/pixelrnn.hpp>

using namespace pixelrnn;

/// The mean over the pixels of each image: (N, H, W, C) to (N, 1, 1, C).
template <class T>
Variable<T> pixel_mean(Variable<T> x) {
  struct Op {
    void backward(Backward<T>& ctx) const {
      const FeatureView<T> dx = ctx.input_gradient(0);
      const Shape<4> s = dx.shape();
      const Index image = s.h() * s.w() * s.c();
      for (Index i = 0; i < dx.size(); ++i) {
        dx.data()[i] +=
            ctx.output_gradient()(i / image, 0, 0, i % s.c()) / static_cast<T>(s.h() * s.w());
      }
    }
  };
  const Shape<4> s = x.shape();
  const FeatureView<T> y = x.tape().allocate({s.n(), 1, 1, s.c()});
  std::fill(y.begin(), y.end(), T{0});
  for (Index i = 0; i < x.value().size(); ++i) {
    y(i / (s.h() * s.w() * s.c()), 0, 0, i % s.c()) +=
        x.value().data()[i] / static_cast<T>(s.h() * s.w());
  }
  return x.tape().record("pixel_mean", y, {x}, Op{});
}

/// Where no data are given: waves along one of four directions (the class), with noise.
Images waves(Index count, Rng& rng) {
  Images images(count, {12, 12, 1}, 256);
  std::vector<int> labels;
  for (Index n = 0; n < count; ++n) {
    labels.push_back(static_cast<int>(rng.below(4)));
    const double angle = labels.back() * 0.785 + rng.uniform(-0.2, 0.2), phase = rng.uniform(0, 6);
    for (Index i = 0; i < 144; ++i) {
      const double along = std::cos(angle) * static_cast<double>(i % 12) +
                           std::sin(angle) * static_cast<double>(i / 12);
      const double level = 128 + 60 * std::sin(along + phase) + 30 * rng.normal();
      images[n].data()[i] = static_cast<Images::Level>(std::clamp(level, 0.0, 255.0));
    }
  }
  images.set_labels(std::move(labels));
  return images;
}

int main(int argc, char** argv) {
  Rng rng(1);
  const bool is_given = argc == 5;
  const Images train_set =
      is_given ? read_images({argv[1]}, {.labels = {argv[2]}}) : waves(1024, rng);
  const Images test_set =
      is_given ? read_images({argv[3]}, {.labels = {argv[4]}}) : waves(256, rng);
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
