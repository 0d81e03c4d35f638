// SPDX-License-Identifier: MIT
#include <string>
#include <variant>
#include <vector>

#include <pixelrnn/io/load_model.hpp>
#include <pixelrnn/models/pixel_cnn.hpp>
#include <pixelrnn/models/pixel_rnn.hpp>
#include <pixelrnn/training/trainer.hpp>

#include "support/catch.hpp"
#include "support/models.hpp"
#include "support/temporary_directory.hpp"

using namespace pixelrnn;

namespace {

using BinaryCNN = PixelCNN<>;
using LevelsCNN = PixelCNN<Categorical>;
using BinaryRow = PixelRNN<RowLSTM<>>;
using PaddedDiagonal = PixelRNN<DiagonalBiLSTM<PaddedScanState>, Categorical>;
using LearnedDiagonal = PixelRNN<DiagonalBiLSTM<>, Categorical>;

template <class M, class... L>
M loadable(Condition condition, Encoding encoding, L... likelihood) {
  Rng rng(1);
  M model({.image = {3, 4, 1},
           .layers = 2,
           .hidden = 3,
           .head = 5,
           .skip = true,
           .encoding = encoding,
           .condition = condition},
          rng, likelihood...);
  test::randomise(model, 3, 0.5);
  apply_masks(model);
  return model;
}
auto load_any(const std::filesystem::path& path) {
  return load_model<BinaryRow, LearnedDiagonal, BinaryCNN, LevelsCNN, PaddedDiagonal>(path);
}

/// The model comes back, as the type it was saved as.
template <class M>
void check_comes_back(const M& model) {
  const test::TemporaryDirectory directory;
  const auto path = directory / "model.safetensors";
  save_weights(path, model);
  const auto any = load_any(path);
  REQUIRE(std::holds_alternative<M>(any));
  const M& found = std::get<M>(any);
  CHECK(found.describe() == model.describe());
  CHECK(found.likelihood().levels() == model.likelihood().levels());
  CHECK(fingerprint(found) == fingerprint(model));
}

}  // namespace

TEST_CASE("A model of other blocks than the paper's comes out of its file", "[io][load_model]") {
  Rng rng(1);
  PaddedDiagonal model({.image = {3, 4, 1},
                        .layers = 2,
                        .hidden = 3,
                        .head = 5,
                        .stream = 3,
                        .upsample = false,
                        .padding_bias = true,
                        .head_relu_first = false},
                       rng, Categorical(4));
  test::randomise(model, 3, 0.5);
  apply_masks(model);
  check_comes_back(model);
}

TEST_CASE("A stream that would not fit in the file is refused before it is made",
          "[io][load_model]") {
  const test::TemporaryDirectory directory;
  const auto path = directory / "hostile.safetensors";
  const std::vector<float> one{1};
  Metadata words = BinaryCNN({.image = {3, 4, 1}, .layers = 1, .hidden = 1, .head = 1},
                             *std::make_unique<Rng>(1))
                       .describe();
  words["format"] = "pixelrnn", words["format_version"] = "1";
  const auto refuses = [&](const std::string& layers, const std::string& stream,
                           const std::string& skip) {
    words["layers"] = layers, words["stream"] = stream, words["skip"] = skip;
    write_safetensors(path, {{stored("x", {1}, std::span(one))}}, words);
    CHECK_THROWS_ERROR(load_any(path), ConfigError, "and a stream of ");
  };
  refuses("1", "16000000", "false");
  refuses("100000", "1000", "false");
  refuses("1", "1000", "true");
}

TEST_CASE("A model comes out of its file as what it is", "[io][load_model]") {
  check_comes_back(loadable<BinaryCNN>({}, Encoding::scaled));
  check_comes_back(loadable<LevelsCNN>({.channels = 3}, Encoding::zero_one, Categorical(16)));
  check_comes_back(loadable<BinaryRow>({.classes = 10}, Encoding::scaled));
  check_comes_back(
      loadable<PaddedDiagonal>({.classes = 3, .channels = 2}, Encoding::scaled, Categorical(7)));
  check_comes_back(loadable<LearnedDiagonal>({}, Encoding::zero_one, Categorical(300)));
}

TEST_CASE("A model comes out of the checkpoint of its training", "[io][load_model]") {
  const test::TemporaryDirectory directory;
  auto model = loadable<BinaryCNN>({}, Encoding::scaled);
  Trainer trainer(model, Adam({}), {.average_decay = 0.9});
  trainer.fit(test::random_images(8, {3, 4, 1}, 2, 5), {.steps = 2, .batch_size = 4});
  save_checkpoint(directory / "run.safetensors", trainer);
  const auto load = [&](StoredWeights which) {
    return std::get<BinaryCNN>(load_model<BinaryCNN>(directory / "run.safetensors", which));
  };
  CHECK(fingerprint(load(StoredWeights::trained)) == fingerprint(model));
  CHECK(fingerprint(load(StoredWeights::averaged)) != fingerprint(model));
}

TEST_CASE("A model of another kind than those asked for is refused", "[io][load_model]") {
  const test::TemporaryDirectory directory;
  const auto path = directory / "model.safetensors";
  save_weights(path, loadable<PaddedDiagonal>({}, Encoding::scaled, Categorical(7)));
  CHECK_THROWS_ERROR((load_model<BinaryCNN, LevelsCNN, BinaryRow, LearnedDiagonal>(path)),
                     ConfigError,
                     "is a model of kind \"diagonal_bilstm\" with likelihood \"categorical7\" and "
                     "initial state \"padded_scan\", which is none of the 4 kinds that the program "
                     "asks for");
}

TEST_CASE("Words that no model has are refused before anything large is made", "[io][load_model]") {
  const test::TemporaryDirectory directory;
  const auto path = directory / "model.safetensors";
  const auto model = loadable<BinaryCNN>({.classes = 4}, Encoding::scaled);
  const auto load_with = [&](const std::string& key, const std::string& word) {
    Metadata words = model.describe();
    words["format"] = "pixelrnn";
    words[key] = word;
    return BinaryCNN::made_of(ModelWords("m.st", words), 10'000'000);
  };
  CHECK(load_with("likelihood", "bernoulli"));
  CHECK_FALSE(load_with("likelihood", "categorical7"));
  CHECK_FALSE(load_with("model", "wavenet"));
  for (const auto& [key, word, expected] : std::vector<std::array<std::string, 3>>{
           {"layers", "0", "m.st: layers is \"0\", expected a whole number from 1 to 2^24"},
           {"hidden", "9999999", "has at least"},
           {"head", "1e3", "m.st: head is \"1e3\""},
           {"layers", "16777216", "weights, the file only 10000000 bytes"},
           {"image", "28x28", "m.st: image is \"28x28\", expected HEIGHTxWIDTHxCHANNELS"},
           {"image", "16777216x16777216x1", "at most 2^24 sub-pixels"},
           {"skip", "yes", "m.st: skip is \"yes\", expected true or false"},
           {"encoding", "-2..2", "m.st: encoding is \"-2..2\", expected -1..1, 0..1 or level"},
           {"condition", "many", "m.st: condition is \"many\", expected CLASSES classes in N"},
           {"condition", " channels", "m.st: condition is \"\", expected a whole number"},
           {"condition", "x classes in 3 channels", "m.st: condition is \"x\""},
           {"condition", "16777216 classes in 16777216 channels", "has at least"},
           {"condition", "3 classes in  channels", "m.st: condition is \"\""}}) {
    CAPTURE(key, word);
    CHECK_THROWS_ERROR(load_with(key, word), ConfigError, expected);
  }
}

TEST_CASE("A likelihood knows its own names", "[io][load_model]") {
  CHECK(Bernoulli::named("bernoulli").has_value());
  CHECK_FALSE(Bernoulli::named("bernoulli2").has_value());
  CHECK(Categorical::named("categorical16")->levels() == 16);
  for (const char* name : {"categorical", "categorical1", "categorical65537", "categorical16x",
                           "categorical-5", "bernoulli", "categorical99999999999"}) {
    CAPTURE(name);
    CHECK_FALSE(Categorical::named(name).has_value());
  }
}
