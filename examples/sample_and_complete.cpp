// SPDX-License-Identifier: MIT
// Sampling and completing: rules, samplers, what is kept, and what the seed promises.
#include <algorithm>
#include <iostream>

#include <pixelrnn/pixelrnn.hpp>

using namespace pixelrnn;

void print(const char* title, const Images& images) {
  const Images canvas = grid(images, images.count(), 2);
  std::cout << title << '\n';
  for (Index y = 0; y < canvas.image_shape().height; ++y) {
    for (const auto level : canvas[0][y].flat()) std::cout << ". #"[level / 127];
    std::cout << '\n';
  }
}

bool equal(const Images& a, const Images& b) { return std::ranges::equal(a.pixels(), b.pixels()); }

/// How many of the images are bars or stripes.
Index count_right(const Images& images) {
  Index right = 0;
  for (Index i = 0; i < images.count(); ++i) {
    bool rows_equal = true, columns_equal = true;
    for (Index y = 0; y < 8; ++y) {
      for (Index x = 0; x < 8; ++x) {
        rows_equal = rows_equal && images[i](y, x, 0) == images[i](0, x, 0);
        columns_equal = columns_equal && images[i](y, x, 0) == images[i](y, 0, 0);
      }
    }
    right += rows_equal || columns_equal;
  }
  return right;
}

int main() {
  Rng rng(42);
  const Images train_set = bars_and_stripes(2048, 8, rng), fresh = bars_and_stripes(200, 8, rng);
  PixelRNN<> model({.image = {8, 8, 1}, .layers = 1, .hidden = 16}, rng);
  Trainer trainer(model, Adam{.learning_rate = 1e-2}, {.schedule = cosine_rate(512)});
  trainer.fit(train_set, {.epochs = 4, .batch_size = 16});

  // An image is a function of the model, the seed, its number and the rule; of nothing else. So
  // batches, threads and samplers may change, and a set of samples can be continued.
  const Images samples = sample(model, 200, {.seed = 7});
  print("samples", samples.first(8));
  bool same = equal(sample(model, 200, {.seed = 7, .threads = 1, .batch = 3}), samples);
  same = same && equal(sample(model, 50, {.seed = 7, .first = 150}), samples.slice(150, 50));
  same = same &&
         equal(sample(model, 20, {.seed = 7}, Multinomial{}, FullForward{}), samples.first(20));
  std::cout << (same ? "the same" : "NOT the same")
            << " images in other batches, later on, and by the full forward pass\n\n";

  // Rules: as the model says; bolder; the most probable level throughout, which is one image.
  const Images bold = sample(model, 200, {.seed = 7}, Temperature{0.7});
  const Images most = sample(model, 2, {.seed = 7}, Argmax{});
  std::cout << count_right(samples) << " of 200 samples are bars or stripes, " << count_right(bold)
            << " at temperature 0.7\n\n";

  // Completion in raster order: what comes first decides.
  const Images top = complete(model, fresh, KeepRows{3}, {.seed = 7});
  print("the first three rows given", top.first(8));
  bool kept = true;
  for (Index i = 0; i < top.count(); ++i) {
    kept = kept && std::equal(top[i].begin(), top[i].begin() + 3 * 8, fresh[i].begin());
  }
  std::cout << count_right(top) << " of 200 completions are bars or stripes\n\n";

  // Any mask will do. A kept pixel further on is not overwritten, but a model in raster order
  // cannot look ahead to it: it does not influence the pixels before it.
  Tensor<unsigned char, 2> diagonal({8, 8});
  for (Index i = 0; i < 8; ++i) diagonal(i, i) = 1;
  const Images given = complete(model, fresh.first(8), KeepMask{diagonal}, {.seed = 7});
  print("the diagonal given", given);
  for (Index i = 0; i < 8; ++i) kept = kept && given[0](i, i, 0) == fresh[0](i, i, 0);

  // Where the model was surprised: a bit for each coin, and nothing where the image is decided.
  const Tensor<double, 4> surprise = nats_map(model, fresh);
  double corner = 0, inside = 0;
  for (Index i = 0; i < fresh.count(); ++i) {
    corner += surprise(i, 0, 0, 0) / (200 * std::numbers::ln2);
    inside += surprise(i, 4, 4, 0) / (200 * std::numbers::ln2);
  }
  std::cout << "\nmean surprise of pixel (0, 0): " << corner << " bit, of pixel (4, 4): " << inside
            << " bit\n";

  const bool learned = count_right(samples) > 150 && count_right(bold) >= count_right(samples) &&
                       count_right(top) > 170 && inside < 0.1 && std::abs(corner - 1) < 0.1;
  return same && kept && learned && equal(most.slice(0, 1), most.slice(1, 1)) ? 0 : 1;
}
