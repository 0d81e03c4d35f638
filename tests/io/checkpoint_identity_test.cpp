// SPDX-License-Identifier: MIT
// Checkpoints tell models apart that have the same names and shapes, and keep diverged ones out.
#include <pixelrnn/io/checkpoint.hpp>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <pixelrnn/likelihood/bernoulli.hpp>
#include <pixelrnn/models/pixel_rnn.hpp>
#include <pixelrnn/nn/convolution/masked_conv2d.hpp>
#include <pixelrnn/nn/diagonal_lstm/diagonal_lstm.hpp>
#include <pixelrnn/nn/relu.hpp>
#include <pixelrnn/training/toy.hpp>
#include <pixelrnn/training/trainer.hpp>

#include "support/catch.hpp"
#include "support/models.hpp"
#include "support/temporary_directory.hpp"

namespace pixelrnn {
namespace {

using test::read_text;
using test::TemporaryDirectory;

/// y = max(x, slope · x): a user's layer, which does not describe itself.
template <int SlopePercent>
struct Leaky {
  using Scalar = float;
  [[nodiscard]] Variable<float> forward(Variable<float> x) const {
    const FeatureView<float> y = x.tape().allocate(x.shape());
    std::transform(x.value().begin(), x.value().end(), y.begin(),
                   [](float v) { return std::max(v, SlopePercent * 0.01f * v); });
    return x.tape().constant(y);
  }
  [[nodiscard]] Shape<4> output_shape(Shape<4> x) const { return x; }
  void for_each_parameter(auto&&) {}
};

constexpr ImageShape small_image{4, 5, 1};

/// 3×3 mask A to four maps, whatever comes between, 1×1 mask B.
template <class Between>
auto convolutions_around(Between between, std::uint64_t seed) {
  Rng rng(seed);
  MaskedConv2d<MaskA> first({.out_channels = 4, .kernel_height = 3, .kernel_width = 3}, rng);
  MaskedConv2d<MaskB> last({.in_channels = 4}, rng);
  Sequential net(std::move(first), std::move(between), std::move(last));
  ImageModel<decltype(net), Bernoulli> model(small_image, std::move(net));
  test::randomise(model, seed, 0.5);
  return model;
}
template <class State>
auto diagonal_model(std::uint64_t seed) {
  Rng rng(seed);
  return convolutions_around(DiagonalBiLSTM<State>({.in_channels = 4, .hidden = 4}, rng), seed);
}

/// The same model but for its inputs, which are 0 and 1.
struct ZeroOneModel : decltype(convolutions_around(ReLU<>(), 1)) {
  using Base = decltype(convolutions_around(ReLU<>(), 1));
  explicit ZeroOneModel(std::uint64_t seed) : Base(convolutions_around(ReLU<>(), seed)) {}
  [[nodiscard]] float encode(int level) const { return static_cast<float>(level); }
};

/// Saves `saved`, and expects of `other` that it refuses the file, saying why, and is as before.
template <class Saved, class Other>
void check_refused(const Saved& saved, Other& other, const std::string& why) {
  const TemporaryDirectory directory;
  save_weights(directory / "weights", saved);
  std::vector<float> before;
  for (const auto& [name, values] : weights_of(other)) {
    before.insert(before.end(), values.begin(), values.end());
  }
  CHECK_THROWS_ERROR(load_weights(directory / "weights", other), ConfigError, why);
  std::vector<float> after;
  for (const auto& [name, values] : weights_of(other)) {
    after.insert(after.end(), values.begin(), values.end());
  }
  CHECK(before == after);
}

TEST_CASE("Weights of another state outside the image are refused by the description of the net",
          "[io][checkpoint]") {
  const auto zero = diagonal_model<ZeroState>(1);
  auto padded = diagonal_model<PaddedScanState>(2);
  check_refused(zero, padded, "DiagonalBiLSTM<padded_scan>(4->4)");
  auto same = diagonal_model<ZeroState>(3);
  const TemporaryDirectory directory;
  save_weights(directory / "weights", zero);
  CHECK_NOTHROW(load_weights(directory / "weights", same));
}

TEST_CASE("Weights of another activation or encoding are refused by the model's fingerprint",
          "[io][checkpoint]") {
  const auto leaky = convolutions_around(Leaky<10>(), 1);
  auto leakier = convolutions_around(Leaky<20>(), 2);
  REQUIRE(leaky.describe() == leakier.describe());  // what words cannot tell
  check_refused(leaky, leakier, "has weights of this model's names and shapes, but a logit is");

  const auto scaled = convolutions_around(ReLU<>(), 1);
  ZeroOneModel zero_one(2);
  REQUIRE(scaled.describe() == zero_one.describe());
  check_refused(scaled, zero_one, "where the file's model had");
}

TEST_CASE("A file without fingerprint and description of the net loads", "[io][checkpoint]") {
  const TemporaryDirectory directory;
  const auto leaky = convolutions_around(Leaky<10>(), 1);
  save_weights(directory / "new", leaky);
  {
    const SafetensorsFile file = read_safetensors(directory / "new");
    Metadata words = file.metadata();
    REQUIRE(words.erase("fingerprint") + words.erase("net") + words.erase("encoding") == 3);
    write_safetensors(directory / "old", file.tensors(), words);
  }
  auto leakier = convolutions_around(Leaky<20>(), 2);
  CHECK_NOTHROW(load_weights(directory / "old", leakier));
}

TEST_CASE("A fingerprint that is no numbers is refused, with its text", "[io][checkpoint]") {
  const TemporaryDirectory directory;
  auto model = convolutions_around(ReLU<>(), 1);
  save_weights(directory / "good", model);
  const SafetensorsFile file = read_safetensors(directory / "good");
  Metadata words = file.metadata();
  const std::string good = words.at("fingerprint");
  for (const std::string& bad : {std::string(), std::string("1"), good + " 1", good + " ",
                                 "nan" + good.substr(good.find(' ')), good.substr(0, 60)}) {
    words["fingerprint"] = bad;
    write_safetensors(directory / "bad", file.tensors(), words);
    CAPTURE(bad);
    CHECK_THROWS_ERROR(load_weights(directory / "bad", model), ConfigError,
                       "numbers with a blank between them");
  }
}

TEST_CASE("The fingerprint of a double model is that of its float twin within rounding",
          "[io][checkpoint]") {
  using Single = PixelRNN<DiagonalBiLSTM<>>;
  using Double = PixelRNN<DiagonalBiLSTM<LearnedState, Backend<double>>>;
  const PixelRNNConfig config{.image = {9, 8, 1}, .layers = 3, .hidden = 5};
  const auto single = test::random_model<Single>(config, 4, 0.3);
  Rng rng(5);
  Double exact(config, rng);
  const TemporaryDirectory directory;
  save_weights(directory / "float", single);
  CHECK_NOTHROW(load_weights(directory / "float", exact));
  CHECK(fingerprint(single).size() == 64);
  // A thousandth is told from a rounding error: the smallest change of what a model computes counts
  // in the end, but one weight's last bit does not.
  const std::string text = fingerprint_text(fingerprint(exact));
  CHECK(fingerprint_difference(fingerprint(exact), text).empty());
  std::vector<double> moved = fingerprint(exact);
  double largest = 0;
  for (const double v : moved) largest = std::max(largest, std::abs(v));
  moved[17] += 0.9e-3 * largest;
  CHECK(fingerprint_difference(moved, text).empty());
  moved[17] += 0.2e-3 * largest;
  CHECK(!fingerprint_difference(moved, text).empty());
}

TEST_CASE("The fingerprint of large images is that of a part of them, and costs no more",
          "[io][checkpoint]") {
  const auto with_image = [&](ImageShape image) {
    Rng weights(2);
    MaskedConv2d<MaskA> conv({.kernel_height = 3, .kernel_width = 3}, weights);
    return ImageModel<MaskedConv2d<MaskA>, Bernoulli>(image, std::move(conv));
  };
  CHECK(fingerprint(with_image({300, 64, 1})) == fingerprint(with_image({64, 64, 1})));
  CHECK(fingerprint(with_image({1 << 20, 1 << 20, 1})) == fingerprint(with_image({64, 64, 1})));
  CHECK(fingerprint(with_image({128, 128, 1})) != fingerprint(with_image({64, 64, 1})));

  // A model that takes whole images alone has none, and is saved and loaded without.
  struct Whole : ImageModel<MaskedConv2d<MaskA>, Bernoulli> {
    [[nodiscard]] Variable<float> logits(Variable<float> x) const {
      if (x.shape().h() != image_shape().height) throw ShapeError("the height is another");
      return ImageModel<MaskedConv2d<MaskA>, Bernoulli>::logits(x);
    }
  };
  Whole whole{with_image({300, 64, 1})};
  CHECK(fingerprint(whole).empty());
  const TemporaryDirectory directory;
  save_weights(directory / "file", whole);
  CHECK(!read_metadata(directory / "file").contains("fingerprint"));
  CHECK_NOTHROW(load_weights(directory / "file", whole));
}

TEST_CASE("A trainer's file keeps a fingerprint of the trained and of the averaged weights",
          "[io][checkpoint]") {
  const TemporaryDirectory directory;
  Rng rng(1);
  const Images images = bars_and_stripes(20, 5, rng);
  const auto make = [&](std::uint64_t seed) {
    Rng weights(seed);
    return PixelRNN<>({.image = {5, 5, 1}, .layers = 1, .hidden = 3, .head = 4}, weights);
  };
  const TrainerOptions options{.average_decay = 0.5};
  PixelRNN<> model = make(1);
  Trainer trainer(model, Adam{.learning_rate = 0.1}, options);
  trainer.fit(images, {.steps = 2, .batch_size = 4});
  save_checkpoint(directory / "good", trainer);
  const SafetensorsFile file = read_safetensors(directory / "good");
  REQUIRE(file.metadata().at("fingerprint") != file.metadata().at("average.fingerprint"));

  PixelRNN<> other = make(2);
  Trainer resumed(other, Adam{}, options);
  CHECK_NOTHROW(load_checkpoint(directory / "good", resumed));
  // Either of them is looked at, and a trainer that is refused a file stands where it stood.
  for (const char* word : {"fingerprint", "average.fingerprint"}) {
    Metadata words = file.metadata();
    words[word] =
        words.at(word == std::string("fingerprint") ? "average.fingerprint" : "fingerprint");
    write_safetensors(directory / "swapped", file.tensors(), words);
    PixelRNN<> fresh = make(3);
    Trainer before(fresh, Adam{}, options);
    const std::vector<double> old = fingerprint(fresh);
    CHECK_THROWS_ERROR(load_checkpoint(directory / "swapped", before), ConfigError,
                       "where the file's model had");
    CHECK(before.steps() == 0);
    CHECK(fingerprint(fresh) == old);
    const auto which =
        word == std::string("fingerprint") ? StoredWeights::trained : StoredWeights::averaged;
    CHECK_THROWS_AS(load_weights(directory / "swapped", fresh, which), ConfigError);
  }
}

TEST_CASE("A file gives the best weights if they were kept, else the averaged, else the trained",
          "[io][checkpoint]") {
  const TemporaryDirectory directory;
  Rng rng(1);
  const Images images = bars_and_stripes(20, 5, rng), validation = bars_and_stripes(30, 5, rng);
  const auto make = [&](std::uint64_t seed) {
    Rng weights(seed);
    return PixelRNN<>({.image = {5, 5, 1}, .layers = 1, .hidden = 3, .head = 4}, weights);
  };
  const TrainerOptions options{.average_decay = 0.5, .keep_best = true};
  PixelRNN<> model = make(1), other = make(2);
  Trainer trainer(model, Adam{.learning_rate = 0.3}, options);
  const auto loaded = [&](const char* file, StoredWeights which) {
    load_weights(directory / file, other, which);
    return fingerprint(other);
  };
  const auto now = [&] { return fingerprint(model); };

  // In the first epoch there is no best yet.
  trainer.fit(images, {.steps = 2, .batch_size = 4, .validation = &validation});
  save_checkpoint(directory / "early", trainer);
  CHECK(!read_metadata(directory / "early").contains("best.fingerprint"));
  CHECK(loaded("early", StoredWeights::best) == trainer.with_average(now));

  trainer.fit(images, {.epochs = 12, .batch_size = 4, .validation = &validation});
  save_checkpoint(directory / "late", trainer);
  const std::vector<double> best = trainer.with_best(now), average = trainer.with_average(now);
  REQUIRE(best != average);
  CHECK(loaded("late", StoredWeights::best) == best);
  CHECK(loaded("late", StoredWeights::averaged) == average);
  CHECK(loaded("late", StoredWeights::trained) == now());
  load_weights(directory / "late", other);
  CHECK(fingerprint(other) == best);

  // Resumed, the trainer knows them too, and holds the file to their fingerprint.
  PixelRNN<> third = make(3);
  Trainer resumed(third, Adam{.learning_rate = 0.3}, options);
  load_checkpoint(directory / "late", resumed);
  CHECK(resumed.with_best([&] { return fingerprint(third); }) == best);
  CHECK(resumed.best()->epoch == trainer.best()->epoch);
  CHECK(resumed.best()->nats_per_image == trainer.best()->nats_per_image);
  const SafetensorsFile file = read_safetensors(directory / "late");
  Metadata words = file.metadata();
  words["best.fingerprint"] = words.at("fingerprint");
  write_safetensors(directory / "wrong", file.tensors(), words);
  PixelRNN<> fourth = make(4);
  Trainer fresh(fourth, Adam{}, options);
  CHECK_THROWS_ERROR(load_checkpoint(directory / "wrong", fresh), ConfigError,
                     "where the file's model had");
  CHECK(fresh.steps() == 0);
  CHECK(!fresh.best());
}

TEST_CASE("What is not finite is not saved, and the old file is as it was", "[io][checkpoint]") {
  const TemporaryDirectory directory;
  auto model = convolutions_around(ReLU<>(), 1);
  save_weights(directory / "file", model);
  const std::string old = read_text(directory / "file");
  float& weight = weights_of(model).front().values.data()[0];
  const float good = weight;
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    weight = bad;
    CHECK_THROWS_ERROR(save_weights(directory / "file", model), NumericError,
                       "value 0 of 0.weights is ");
  }
  weight = good;
  // Finite weights that give logits which are not.
  for (const auto& [name, values] : weights_of(model)) {
    std::fill(values.begin(), values.end(), 3e38f);
  }
  CHECK_THROWS_ERROR(save_weights(directory / "file", model), NumericError,
                     "with these weights a logit of the model is");
  CHECK(read_text(directory / "file") == old);
  CHECK(directory.names() == std::set<std::string>{"file"});
}

TEST_CASE("A state of the update rule that is not finite is not saved", "[io][checkpoint]") {
  const TemporaryDirectory directory;
  Rng rng(1);
  const Images images = bars_and_stripes(20, 5, rng);
  PixelRNN<> model({.image = {5, 5, 1}, .layers = 1, .hidden = 3, .head = 4}, rng);
  Trainer trainer(model, Adam{});
  trainer.fit(images, {.steps = 1, .batch_size = 4});
  save_checkpoint(directory / "file", trainer);
  const std::string old = read_text(directory / "file");
  trainer.optimizer().state(2, 1).data()[3] = std::numeric_limits<float>::infinity();
  CHECK_THROWS_ERROR(save_checkpoint(directory / "file", trainer), NumericError,
                     "mean_square is inf");
  CHECK(read_text(directory / "file") == old);
}

TEST_CASE("Every name that is missing in a file is listed", "[io][checkpoint]") {
  const TemporaryDirectory directory;
  Rng rng(1);
  PixelRNN<> model({.image = {5, 5, 1}, .layers = 4, .hidden = 3, .head = 4}, rng);
  write_safetensors(directory / "empty", std::vector<StoredTensor>{});
  std::string message;
  try {
    load_weights(directory / "empty", model);
  } catch (const ConfigError& error) {
    message = error.what();
  }
  const auto weights = weights_of(model);
  REQUIRE(weights.size() > 40);
  for (const auto& [name, values] : weights) {
    CAPTURE(name);
    CHECK(message.find(name) != std::string::npos);
  }
}

TEST_CASE("Weights that the mask forbids are zero after loading, whatever the file says",
          "[io][checkpoint]") {
  const TemporaryDirectory directory;
  auto model = convolutions_around(ReLU<>(), 1), loaded = convolutions_around(ReLU<>(), 2);
  // A 3×3 kernel of mask A: rows and columns of the centre and after it hold nothing.
  for (const auto& [name, values] : weights_of(model)) std::fill(values.begin(), values.end(), 1);
  std::vector<StoredTensor> tensors;
  for (const auto& [name, values] : weights_of(model)) tensors.push_back(stored(name, values));
  write_safetensors(directory / "full", tensors);
  load_weights(directory / "full", loaded);
  const auto kernel = weights_of(loaded).front().values;
  for (Index y = 0; y < 3; ++y) {
    for (Index x = 0; x < 3; ++x) {
      CHECK(kernel(y, x, 0, 2) == (y == 0 || (y == 1 && x == 0) ? 1 : 0));
    }
  }
}

}  // namespace
}  // namespace pixelrnn
