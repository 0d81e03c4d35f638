// SPDX-License-Identifier: MIT
#include <pixelrnn/io/checkpoint.hpp>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <pixelrnn/models/pixel_cnn.hpp>
#include <pixelrnn/models/pixel_rnn.hpp>
#include <pixelrnn/training/binarize.hpp>
#include <pixelrnn/training/trainer.hpp>

#include "support/catch.hpp"
#include "support/damage.hpp"
#include "support/temporary_directory.hpp"

namespace pixelrnn {
namespace {

using test::read_text;
using test::TemporaryDirectory;
using test::write_text;

using Net = PixelRNN<RowLSTM<>>;
constexpr PixelRNNConfig tiny{.image = {4, 3, 1}, .layers = 2, .hidden = 3, .head = 4};

template <class M = Net>
M make(PixelRNNConfig config = tiny, std::uint64_t seed = 7) {
  Rng rng(seed);
  return M(config, rng);
}

/// 10 images: with batches of 4 an epoch has steps of 4, 4 and 2.
Images few_images() {
  Images images(10, tiny.image, 256);
  Rng rng(3);
  for (auto& level : images.pixels()) level = static_cast<Images::Level>(rng.below(256));
  return images;
}

/// The bits of everything a trainer or model is made of, and its words.
template <class S>
std::string bits(S& trainer) {
  std::string all;
  for (const auto& [name, values] : trainer.state()) {
    all += name;
    all.append(reinterpret_cast<const char*>(values.data()),
               static_cast<std::size_t>(values.size()) * sizeof(*values.data()));
  }
  for (const auto& [key, value] : trainer.metadata()) all += key + '=' + value + '\n';
  return all;
}
template <class M>
std::string weight_bits(M& model) {
  std::string all;
  for (const auto& [name, values] : weights_of(model)) {
    all.append(reinterpret_cast<const char*>(values.data()),
               static_cast<std::size_t>(values.size()) * sizeof(*values.data()));
  }
  return all;
}

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}
bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != text.npos;
}

/// A checkpoint of a trainer in the middle of its second epoch.
template <class Rule = Adam>
void write_trained(const std::filesystem::path& path, TrainerOptions options = {}) {
  Net model = make();
  Trainer trainer(model, Rule{}, options);
  trainer.fit(binarize(few_images(), Threshold{}), {.epochs = 9, .steps = 4, .batch_size = 4});
  save_checkpoint(path, trainer);
}

}  // namespace

TEMPLATE_TEST_CASE("2k steps are k steps, a checkpoint, and k steps in a fresh trainer, to the bit",
                   "[io][checkpoint]", SGD, RMSProp, Adam) {
  // 5 and 10 steps: in the middle of an epoch of 4 + 4 + 2 images, and in that of a later one.
  const Index k = GENERATE(1, 3, 5);
  TestType rule;
  if constexpr (requires { rule.momentum; }) rule.momentum = 0.9;
  const TrainerOptions options{.seed = 11, .clip_norm = 5, .average_decay = 0.9};
  const auto train = [&](auto& trainer, Index steps) {
    std::vector<double> losses;
    trainer.fit(
        binarize(few_images(), Dynamic{5}),
        {.epochs = 99, .steps = steps, .batch_size = 4, .on_step = [&](const StepReport& report) {
           losses.push_back(report.nats_per_image);
           return true;
         }});
    return losses;
  };
  const TemporaryDirectory directory;
  Net straight_model = make();
  Trainer straight(straight_model, rule, options);
  const std::vector<double> all_losses = train(straight, 2 * k);

  Net first_model = make();
  Trainer first(first_model, rule, options);
  train(first, k);
  save_checkpoint(directory / "half", first);

  Net second_model = make({tiny}, 99);  // other weights, all to be replaced
  Trainer second(second_model, rule, options);
  load_checkpoint(directory / "half", second);
  CHECK(bits(second) == bits(first));
  const std::vector<double> losses = train(second, 2 * k);
  CHECK(losses == std::vector<double>(all_losses.begin() + k, all_losses.end()));
  CHECK(bits(second) == bits(straight));

  // The same with weights alone is something else: the test sees what it looks for.
  Net other_model = make({tiny}, 99);
  load_weights(directory / "half", other_model, StoredWeights::trained);
  Trainer other(other_model, rule, options);
  train(other, k);
  CHECK(bits(other) != bits(straight));
}

TEST_CASE("A checkpoint taken within a callback is the same as one taken after fit",
          "[io][checkpoint]") {
  const TemporaryDirectory directory;
  const auto run = [&](Index save_at, Index steps) {
    Net model = make();
    Trainer trainer(model, Adam{});
    trainer.fit(
        binarize(few_images(), Threshold{}),
        {.epochs = 9, .steps = steps, .batch_size = 4, .on_step = [&](const StepReport& report) {
           if (report.step == save_at) {
             save_checkpoint(directory / "within", trainer);
           }
           return true;
         }});
    save_checkpoint(directory / "after", trainer);
  };
  run(5, 8);
  run(0, 5);
  CHECK(read_text(directory / "within") == read_text(directory / "after"));
}

TEST_CASE("Weights come back with the same bits, and with words of one's own", "[io][checkpoint]") {
  const TemporaryDirectory directory;
  Net saved = make(), loaded = make({tiny}, 8);
  REQUIRE(weight_bits(saved) != weight_bits(loaded));
  save_weights(directory / "weights", saved, {{"note", "of mine"}});
  load_weights(directory / "weights", loaded);
  CHECK(weight_bits(saved) == weight_bits(loaded));

  const Metadata words = read_metadata(directory / "weights");
  CHECK(words.at("note") == "of mine");
  CHECK(words.at("format") == "pixelrnn");
  CHECK(words.at("format_version") == "1");
  for (const auto& [key, value] : saved.describe()) CHECK(words.at(key) == value);
}

TEST_CASE("The words of a checkpoint are read without its weights", "[io][checkpoint]") {
  // A file with a hole in it: one tensor of more bytes than any reader takes by default.
  const TemporaryDirectory directory;
  const std::uint64_t bytes = default_max_bytes + 1;
  const std::string header =
      R"({"__metadata__":{"format":"pixelrnn","format_version":"1","note":"huge"},)"
      R"("w":{"dtype":"U8","shape":[)" +
      std::to_string(bytes) + R"(],"data_offsets":[0,)" + std::to_string(bytes) + "]}}";
  std::string start(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) start[i] = static_cast<char>(header.size() >> (8 * i) & 255);
  start += header;
  write_text(directory / "huge", start);
  std::filesystem::resize_file(directory / "huge", start.size() + bytes);
  CHECK(read_metadata(directory / "huge").at("note") == "huge");
  // All of it must be there nevertheless.
  std::filesystem::resize_file(directory / "huge", start.size() + bytes - 1);
  CHECK_THROWS_ERROR(static_cast<void>(read_metadata(directory / "huge")), FileError, "S12: ");
}

TEST_CASE("Extra words may not take the place of a checkpoint's own", "[io][checkpoint]") {
  const TemporaryDirectory directory;
  const Net model = make();
  CHECK_THROWS_ERROR(save_weights(directory / "w", model, {{"hidden", "4"}}), ConfigError,
                     "the extra word \"hidden\"");
  CHECK_THROWS_ERROR(save_weights(directory / "w", model, {{"format", "x"}}), ConfigError,
                     "the extra word \"format\"");
  CHECK(directory.names().empty());
}

TEST_CASE("A checkpoint gives the averaged weights, or on demand the trained ones",
          "[io][checkpoint]") {
  const TemporaryDirectory directory;
  Net model = make();
  Trainer trainer(model, Adam{.learning_rate = 0.1}, {.average_decay = 0.5});
  trainer.fit(binarize(few_images(), Threshold{}), {.steps = 2, .batch_size = 4});
  save_checkpoint(directory / "checkpoint", trainer);
  const std::string trained = weight_bits(model);
  const std::string averaged = trainer.with_average([&] { return weight_bits(model); });
  REQUIRE(trained != averaged);

  Net loaded = make({tiny}, 8);
  load_weights(directory / "checkpoint", loaded);
  CHECK(weight_bits(loaded) == averaged);
  load_weights(directory / "checkpoint", loaded, StoredWeights::trained);
  CHECK(weight_bits(loaded) == trained);

  write_trained(directory / "without");
  Net plain = make({tiny}, 8), same = make({tiny}, 8);
  load_weights(directory / "without", plain);
  load_weights(directory / "without", same, StoredWeights::trained);
  CHECK(weight_bits(plain) == weight_bits(same));
}

TEST_CASE("A float file loads into a double model and a double file into a float one",
          "[io][checkpoint]") {
  using Double = PixelRNN<RowLSTM<LearnedState, Backend<double>>>;
  const TemporaryDirectory directory;
  Net single = make();
  save_weights(directory / "float", single);
  Double twice = make<Double>(tiny, 8);
  load_weights(directory / "float", twice);
  const auto a = weights_of(single);
  const auto b = weights_of(twice);
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    CHECK(std::equal(a[i].values.begin(), a[i].values.end(), b[i].values.begin(),
                     [](float x, double y) { return static_cast<double>(x) == y; }));
  }
  save_weights(directory / "double", twice);
  Net back = make({tiny}, 9);
  load_weights(directory / "double", back);
  CHECK(weight_bits(back) == weight_bits(single));

  // What float cannot hold is refused, and nothing is changed.
  weights_of(twice).back().values.data()[0] = 1e300;
  save_weights(directory / "large", twice);
  const std::string before = weight_bits(back);
  CHECK_THROWS_ERROR(load_weights(directory / "large", back), ValueError, "1e+300");
  CHECK(weight_bits(back) == before);
}

TEST_CASE("A file of another model is refused with a list of all that differs",
          "[io][checkpoint]") {
  const TemporaryDirectory directory;
  const Net wide = make({.image = {4, 3, 1}, .layers = 1, .hidden = 4, .head = 4, .skip = true});
  save_weights(directory / "wide", wide);
  Net model = make();
  const std::string before = weight_bits(model);
  const std::string message = message_of([&] { load_weights(directory / "wide", model); });
  CAPTURE(message);
  CHECK(contains(message, (directory / "wide").string()));
  for (const char* part :
       {"hidden is \"4\", expected \"3\"", "layers is \"1\", expected \"2\"",
        "skip is \"true\", expected \"false\"", "missing: blocks.1.recurrence.input_weights, ",
        "unexpected: \"blocks.skip0.bias\", \"blocks.skip0.weights\"",
        "shapes: input.weights is F32 (7, 7, 1, 8), expected floating-point (7, 7, 1, 6), "}) {
    CAPTURE(part);
    CHECK(contains(message, part));
  }
  CHECK(!contains(message, "image"));
  CHECK(weight_bits(model) == before);

  // The same shapes with another meaning are another model too.
  Net larger = make({.image = {5, 3, 1}, .layers = 2, .hidden = 3, .head = 4});
  save_weights(directory / "larger", larger);
  CHECK_THROWS_ERROR(load_weights(directory / "larger", model), ConfigError,
                     "does not fit; words: image is \"5x3x1\", expected \"4x3x1\"");
}

TEST_CASE("A long list of differences is cut", "[io][checkpoint]") {
  const TemporaryDirectory directory;
  const float value = 1;
  std::vector<StoredTensor> tensors;
  for (int i = 0; i < 500; ++i) {
    tensors.push_back(stored("stray" + std::to_string(i), {}, std::span(&value, 1)));
  }
  write_safetensors(directory / "stray", tensors);
  Net model = make();
  const std::string message = message_of([&] { load_weights(directory / "stray", model); });
  CHECK(contains(message, " more"));
  CHECK(message.size() < 5000);
}

TEST_CASE("A checkpoint resumes only the run it was taken of", "[io][checkpoint]") {
  const TemporaryDirectory directory;
  write_trained(directory / "adam", {.seed = 4});
  Net model = make({tiny}, 8);

  Trainer other_rule(model, SGD{}, {.seed = 4});
  const std::string rule = message_of([&] { load_checkpoint(directory / "adam", other_rule); });
  CAPTURE(rule);
  CHECK(contains(rule, "trainer.rule is \"adam\", expected \"sgd\""));
  CHECK(contains(rule, "missing: optimizer.input.weights.velocity, "));
  CHECK(contains(rule, "unexpected: \"optimizer.blocks.0.recurrence.bias.mean\", "));

  Trainer other_seed(model, Adam{}, {.seed = 5});
  CHECK_THROWS_ERROR(load_checkpoint(directory / "adam", other_seed), ConfigError,
                     "trainer.seed is \"4\", expected \"5\"");
  Trainer averaging(model, Adam{}, {.seed = 4, .average_decay = 0.9});
  CHECK_THROWS_ERROR(load_checkpoint(directory / "adam", averaging), ConfigError,
                     "missing: average.input.weights, ");

  Trainer same(model, Adam{.learning_rate = 0.5}, {.seed = 4, .clip_norm = 1});
  CHECK_NOTHROW(load_checkpoint(directory / "adam", same));
  CHECK(same.steps() == 4);
  CHECK(same.epoch() == 1);
  CHECK(same.position() == 4);
}

TEST_CASE("Positions that are no numbers are refused, and the trainer is as before",
          "[io][checkpoint]") {
  const TemporaryDirectory directory;
  write_trained(directory / "good");
  Net model = make({tiny}, 8);
  Trainer trainer(model, Adam{});
  const std::string before = bits(trainer);
  for (const char* value : {"", "-1", "1e3", "4 ", "99999999999999999999"}) {
    const SafetensorsFile file = read_safetensors(directory / "good");
    Metadata words = file.metadata();
    words["trainer.position"] = value;
    write_safetensors(directory / "bad", file.tensors(), words);
    CAPTURE(value);
    CHECK_THROWS_ERROR(load_checkpoint(directory / "bad", trainer), ConfigError,
                       "trainer.position is \"" + std::string(value) + '"');
    CHECK(bits(trainer) == before);
  }
}

TEST_CASE(
    "A checkpoint that does not say its epoch's nats is refused, and the trainer is as before",
    "[io][checkpoint]") {
  const TemporaryDirectory directory;
  write_trained(directory / "good");
  Net model = make({tiny}, 8);
  Trainer trainer(model, Adam{});
  const std::string before = bits(trainer);
  const SafetensorsFile file = read_safetensors(directory / "good");
  Metadata words = file.metadata();
  REQUIRE(words.at("trainer.position") != "0");
  CHECK(std::stod(words.at("trainer.epoch_nats")) > 0);  // in the middle of an epoch
  words.erase("trainer.epoch_nats");
  write_safetensors(directory / "without", file.tensors(), words);
  words["trainer.epoch_nats"] = "nan";
  write_safetensors(directory / "nan", file.tensors(), words);
  CHECK_THROWS_ERROR(load_checkpoint(directory / "without", trainer), ConfigError,
                     R"(trainer.epoch_nats is "", expected a number)");
  CHECK_THROWS_ERROR(load_checkpoint(directory / "nan", trainer), ConfigError,
                     R"(trainer.epoch_nats is "nan", expected a number)");
  CHECK(bits(trainer) == before);
}

TEST_CASE("Weights of any writer load by name and shape", "[io][checkpoint]") {
  const TemporaryDirectory directory;
  Net model = make(), loaded = make({tiny}, 8);
  std::vector<StoredTensor> tensors;
  for (const auto& [name, values] : weights_of(model)) tensors.push_back(stored(name, values));
  write_safetensors(directory / "foreign", tensors, {{"format", "pt"}});
  load_weights(directory / "foreign", loaded);
  CHECK(weight_bits(loaded) == weight_bits(model));

  // But nothing may be left over: what a checkpoint would be forgiven is foreign here.
  const float value = 1;
  tensors.push_back(stored("optimizer.x", {}, std::span(&value, 1)));
  write_safetensors(directory / "more", tensors);
  CHECK_THROWS_ERROR(load_weights(directory / "more", loaded), ConfigError,
                     "unexpected: \"optimizer.x\"");

  CHECK_THROWS_ERROR(static_cast<void>(read_metadata(directory / "foreign")), FileError,
                     "is no checkpoint of pixelrnn");
  Trainer trainer(loaded, Adam{});
  CHECK_THROWS_ERROR(load_checkpoint(directory / "foreign", trainer), FileError,
                     "is no checkpoint of pixelrnn");
}

TEST_CASE("A file of a later format is not guessed at", "[io][checkpoint]") {
  const TemporaryDirectory directory;
  Net model = make();
  save_weights(directory / "now", model);
  const SafetensorsFile file = read_safetensors(directory / "now");
  Metadata words = file.metadata();
  for (const char* version : {"2", "", "1.0"}) {
    words["format_version"] = version;
    write_safetensors(directory / "later", file.tensors(), words);
    CHECK_THROWS_ERROR(load_weights(directory / "later", model), FileError, "format_version");
    CHECK_THROWS_ERROR(static_cast<void>(read_metadata(directory / "later")), FileError,
                       "format_version");
  }
  words.erase("format_version");
  write_safetensors(directory / "later", file.tensors(), words);
  CHECK_THROWS_ERROR(load_weights(directory / "later", model), FileError, "format_version");
}

TEST_CASE("Whole numbers are no weights", "[io][checkpoint]") {
  const TemporaryDirectory directory;
  Net model = make();
  std::vector<std::vector<std::int64_t>> storage;
  std::vector<StoredTensor> tensors;
  for (const auto& [name, values] : weights_of(model)) {
    storage.emplace_back(static_cast<std::size_t>(values.size()));
    const Shape<4>& s = values.shape();
    tensors.push_back(
        stored(name, {s.n(), s.h(), s.w(), s.c()}, std::span<const std::int64_t>(storage.back())));
  }
  write_safetensors(directory / "whole", tensors);
  CHECK_THROWS_ERROR(load_weights(directory / "whole", model), ConfigError,
                     "input.weights is I64 (7, 7, 1, 6), expected floating-point (7, 7, 1, 6)");
}

TEST_CASE("Damaged and hostile checkpoints are errors that name the rule, and change nothing",
          "[io][checkpoint]") {
  const TemporaryDirectory directory;
  write_trained(directory / "good");
  const std::string good = read_text(directory / "good");
  Net model = make({tiny}, 8);
  Trainer trainer(model, Adam{});
  const std::string before = bits(trainer);
  const auto check = [&](const char* rule, const std::string& content) {
    CAPTURE(rule);
    write_text(directory / "bad", content);
    const std::string start = std::string(rule) + ": ";
    CHECK(message_of([&] { load_checkpoint(directory / "bad", trainer); }).starts_with(start));
    CHECK(message_of([&] { load_weights(directory / "bad", model); }).starts_with(start));
    CHECK(bits(trainer) == before);
  };
  check("S1", "");
  check("S2", "\xff\xff\xff\xff\xff\xff\xff\x7f" + good.substr(8));
  check("S3", good.substr(0, 100));
  check("S12", good.substr(0, good.size() - 1));
  check("S12", good + "x");
  check("S5", std::string(good).replace(8, 1, "["));
  // The last value of the file becomes NaN.
  check("S14", std::string(good).replace(good.size() - 2, 2, "\xff\x7f"));
  CHECK_NOTHROW(load_checkpoint(directory / "good", trainer));
  CHECK(bits(trainer) != before);
}

TEST_CASE("A checkpoint that promises much is refused for little", "[io][checkpoint]") {
  Net model = make();
  Trainer trainer(model, Adam{});
  const auto refused = [&](const std::string& header_bytes, const std::string& header,
                           const char* says) {
    const std::string file = header_bytes + header;
    test::check_refused_cheaply(file, says, [](const auto& path) { return read_metadata(path); });
    test::check_refused_cheaply(file, says, [&](const auto& path) {
      load_weights(path, model);
      return 0;
    });
    test::check_refused_cheaply(file, says, [&](const auto& path) {
      load_checkpoint(path, trainer);
      return 0;
    });
  };
  const auto size_of = [](const std::string& header) {
    return std::string{static_cast<char>(header.size()), 0, 0, 0, 0, 0, 0, 0};
  };
  const std::string words = "{\"__metadata__\":{\"format\":\"pixelrnn\",\"format_version\":\"1\"}";
  refused(std::string("\0\0\0\0\0\1\0\0", 8), words + '}', "S2: ");
  refused(std::string("\0\0\xff\0\0\0\0\0", 8), words + '}', "S3: ");
  const std::string huge =
      words + ",\"w\":{\"dtype\":\"F32\",\"shape\":[1,1099511627776],\"data_offsets\":[0,";
  refused(size_of(huge + "4]}}"), huge + "4]}}", "S10: ");
  refused(size_of(huge + "4398046511104]}}"), huge + "4398046511104]}}", "S12: ");
}

TEST_CASE("A checkpoint that cannot be written leaves the old one", "[io][checkpoint]") {
  const TemporaryDirectory directory;
  Net model = make();
  CHECK_THROWS_ERROR(save_weights(directory / "no" / "such", model), FileError, "no/such");
  save_weights(directory / "kept", model);
  const std::string old = read_text(directory / "kept");
  CHECK_THROWS_AS(save_weights(directory / "kept", model, {{"layers", ""}}), ConfigError);
  CHECK(read_text(directory / "kept") == old);
  CHECK(directory.names() == std::set<std::string>{"kept"});
}

}  // namespace pixelrnn
