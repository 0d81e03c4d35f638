// SPDX-License-Identifier: MIT
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <pixelrnn/io/foreign_weights.hpp>
#include <pixelrnn/models/pixel_cnn.hpp>
#include <pixelrnn/models/pixel_rnn.hpp>
#include <pixelrnn/models/wave_net.hpp>

#include "support/catch.hpp"
#include "support/models.hpp"
#include "support/temporary_directory.hpp"

using namespace pixelrnn;

namespace {

/// One weight and one bias.
struct One {
  using Scalar = float;
  Parameter<float> weights, bias;
  explicit One(Shape<4> shape) : weights(shape), bias(Shape<4>{1, 1, 1, shape[3]}) {}
  void for_each_parameter(auto&& visit) { visit("weights", weights), visit("bias", bias); }
};
std::vector<float> counted(Index count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i + 1);
  return values;
}
struct Theirs {
  std::string name;
  std::vector<Index> shape;
  std::vector<float> values;
};
std::filesystem::path write(const test::TemporaryDirectory& directory,
                            const std::vector<Theirs>& arrays) {
  std::vector<StoredTensor> tensors;
  for (const Theirs& a : arrays) {
    tensors.push_back(stored(a.name, a.shape, std::span<const float>(a.values)));
  }
  write_safetensors(directory / "theirs.safetensors", tensors, {});
  return directory / "theirs.safetensors";
}

}  // namespace

TEST_CASE("A convolution's weights come in PyTorch's layout", "[io][foreign_weights]") {
  const test::TemporaryDirectory directory;
  const auto path = write(directory, {{"w", {4, 3, 2, 5}, counted(120)}, {"b", {4}, counted(4)}});
  One one({2, 5, 3, 4});
  import_weights(path, one, WeightNames("weights w\nbias b  # the bias\n"));
  for (Index y = 0; y < 2; ++y)
    for (Index x = 0; x < 5; ++x)
      for (Index i = 0; i < 3; ++i)
        for (Index o = 0; o < 4; ++o) {
          CHECK(one.weights.value()(y, x, i, o) ==
                static_cast<float>(((o * 3 + i) * 2 + y) * 5 + x + 1));
        }
  CHECK(one.bias.value()(0, 0, 0, 3) == 4);
}

TEST_CASE("Lines of taps, matrices, causal kernels and our own layout", "[io][foreign_weights]") {
  const test::TemporaryDirectory directory;
  const auto value_at = [&](Shape<4> ours, const std::vector<Index>& theirs, const char* form,
                            Shape<4> at) {
    Index count = 1;
    for (const Index extent : theirs) count *= extent;
    const auto path = write(directory, {{"w", theirs, counted(count)}, {"b", {1}, {7}}});
    One one(ours);
    import_weights(path, one, WeightNames("weights w " + std::string(form) + "\nbias b"));
    CHECK(one.bias.value()(0, 0, 0, ours[3] - 1) == 7);  // one value is that of all
    return one.weights.value()(at[0], at[1], at[2], at[3]);
  };
  // o = 2, i = 1, tap 1 of two.
  CHECK(value_at({2, 1, 3, 4}, {4, 3, 2}, "conv1d", {1, 0, 1, 2}) == (2 * 3 + 1) * 2 + 1 + 1);
  CHECK(value_at({1, 2, 3, 4}, {4, 3, 2}, "", {0, 1, 1, 2}) == (2 * 3 + 1) * 2 + 1 + 1);
  CHECK(value_at({1, 1, 3, 4}, {4, 3}, "linear", {0, 0, 1, 2}) == 2 * 3 + 1 + 1);
  CHECK(value_at({1, 1, 3, 4}, {4, 3, 1, 1}, "", {0, 0, 1, 2}) == 2 * 3 + 1 + 1);
  CHECK(value_at({1, 3, 3, 4}, {4, 3, 2}, "causal", {0, 1, 1, 2}) == (2 * 3 + 1) * 2 + 1 + 1);
  CHECK(value_at({1, 3, 3, 4}, {4, 3, 2}, "causal", {0, 2, 1, 2}) == 0);
  CHECK(value_at({1, 1, 3, 4}, {3, 4}, "same", {0, 0, 1, 2}) == 1 * 4 + 2 + 1);
}

TEST_CASE("Gates in another order, and biases in two parts", "[io][foreign_weights]") {
  const test::TemporaryDirectory directory;
  const auto path = write(directory, {{"w", {8, 1}, counted(8)},
                                      {"b1", {8}, counted(8)},
                                      {"b2", {8}, std::vector<float>(8, 100)}});
  One one({1, 1, 1, 8});
  // Two units a gate, theirs i, f, g, o.
  import_weights(path, one, WeightNames("weights w linear gates=ifgo\nbias b1+b2 gates=ifgo\n"));
  const std::vector<float> expected{7, 8, 3, 4, 1, 2, 5, 6};  // o, f, i, g
  for (std::size_t i = 0; i < 8; ++i) {
    CHECK(one.weights.value().data()[i] == expected[i]);
    CHECK(one.bias.value().data()[i] == expected[i] + 100);
  }
}

TEMPLATE_TEST_CASE("What was exported is imported again, to the bit", "[io][foreign_weights]",
                   PixelCNN<>, PixelRNN<DiagonalBiLSTM<>>, PixelRNN<RowLSTM<>>) {
  const test::TemporaryDirectory directory;
  const auto path = directory / "theirs.safetensors";
  const WeightNames names(R"(
    input.weights   stem.weight
    input.bias      stem.bias
    blocks.*.down.weights  body.*.a.weight
    blocks.*.down.bias     body.*.a.bias
    blocks.*.conv.weights  body.*.b.weight
    blocks.*.conv.bias     body.*.b.bias
    blocks.*.up.weights    body.*.c.weight linear
    blocks.*.up.bias       body.*.c.bias
    blocks.*.upsample.weights  body.*.up.weight linear
    blocks.*.upsample.bias     body.*.up.bias
    blocks.*.recurrence.input_weights body.*.is conv1d gates=ifgo
    blocks.*.recurrence.state_weights body.*.ss conv1d gates=ifgo
    blocks.*.recurrence.bias  body.*.b gates=ifgo
    blocks.*.recurrence.h0    body.*.h
    blocks.*.recurrence.c0    body.*.c
    blocks.*.recurrence.left.input_weights body.*.left.is conv1d gates=gofi
    blocks.*.recurrence.left.state_weights body.*.left.ss conv1d gates=gofi
    blocks.*.recurrence.left.bias  body.*.left.b gates=gofi
    blocks.*.recurrence.left.h0    body.*.left.h
    blocks.*.recurrence.left.c0    body.*.left.c
    blocks.*.recurrence.right.input_weights body.*.right.is same
    blocks.*.recurrence.right.state_weights body.*.right.ss same
    blocks.*.recurrence.right.bias  body.*.right.b
    blocks.*.recurrence.right.h0    body.*.right.h
    blocks.*.recurrence.right.c0    body.*.right.c
    head1.weights h1.weight linear
    head1.bias h1.bias
    head2.weights h2.weight
    head2.bias h2.bias
    logits.weights out.weight
    logits.bias out.bias
  )");
  const typename TestType::Config config{.image = {4, 5, 1}, .layers = 2, .hidden = 3, .head = 4};
  auto model = test::random_model<TestType>(config, 3);
  apply_masks(model);
  export_weights(path, model, names);
  auto other = test::random_model<TestType>(config, 4);
  import_weights(path, other, names);
  const auto expected = parameters(model);
  std::size_t p = 0;
  for (const auto& [name, parameter] : parameters(other)) {
    CAPTURE(name);
    CHECK(std::ranges::equal(parameter->value(), expected[p++].parameter->value()));
  }
  CHECK(read_safetensors(path).at("stem.weight").shape == std::vector<Index>{6, 1, 7, 7});
}

TEST_CASE("A causal kernel goes out without its zeros, and comes back", "[io][foreign_weights]") {
  const test::TemporaryDirectory directory;
  const auto path = directory / "theirs.safetensors";
  Rng rng(1);
  WaveNet<Categorical> model({.image = {1, 9, 1}, .layers = 2, .hidden = 3, .head = 4, .cycle = 2},
                             rng, Categorical(4));
  std::string table;
  for (const auto& [name, parameter] : parameters(model)) {
    const bool is_causal = name.ends_with(".weights") && parameter->shape()[1] > 1;
    table += name + ' ' + name + (is_causal ? " causal\n" : "\n");
  }
  export_weights(path, model, WeightNames(table));
  CHECK(read_safetensors(path).at("layer0.dilated.weights").shape == std::vector<Index>{6, 3, 2});
  auto other = model;
  test::randomise(other, 5);
  import_weights(path, other, WeightNames(table));
  const FeatureMap<float> x = test::random_map<float>({1, 1, 9, 1}, 2);
  CHECK(test::bit_difference(test::logits_of(other, x), test::logits_of(model, x)) == "");
}

TEST_CASE("All that does not fit is listed, and nothing changed", "[io][foreign_weights]") {
  const test::TemporaryDirectory directory;
  const auto path = write(
      directory, {{"w", {4, 3, 2, 5}, counted(120)}, {"b", {4}, counted(4)}, {"extra", {1}, {1}}});
  One one({2, 5, 3, 4});
  const auto refuses = [&](const std::string& table, const std::string& says) {
    CHECK_THROWS_ERROR(import_weights(path, one, WeightNames(table)), ConfigError, says);
    for (const float w : one.weights.value()) CHECK(w == 0);
  };
  refuses("weights w\n", "the table of names does not fit the model; not named: bias");
  refuses("weights v\nbias b\n- w\n- extra", "missing: v");
  refuses("weights w\nbias b\n", "taken by no weight of the model: \"extra\"");
  refuses(
      "weights b\nbias w\n- extra",
      "shapes: \"b\" is F32 (4), expected floating-point (4, 3, 2, 5) for weights, \"w\" is F32 "
      "(4, 3, 2, 5), expected floating-point (4) or a single value for bias");
  One line({1, 5, 3, 4});
  CHECK_THROWS_ERROR(import_weights(path, line, WeightNames("weights w causal\nbias b\n- extra")),
                     ConfigError, "expected floating-point (4, 3, 3) for weights");
  CHECK_NOTHROW(import_weights(path, one, WeightNames("weights w\nbias b\n- extra")));
  const auto bad = write(directory, {{"w", {4, 3, 2, 5}, counted(120)},
                                     {"b", {1}, {std::numeric_limits<float>::infinity()}}});
  CHECK_THROWS_ERROR(import_weights(bad, one, WeightNames("weights w\nbias b")), ValueError,
                     "value 0 of \"b\" is inf, which makes value 0 of bias inf");
  One three({1, 1, 3, 3});
  CHECK_THROWS_ERROR(
      import_weights(path, three, WeightNames("weights w gates=ifgo\nbias b\n- extra")),
      ConfigError, "weights has 3 output maps, expected four gates of them");
}

TEST_CASE("Exports that could not come back are refused", "[io][foreign_weights]") {
  const test::TemporaryDirectory directory;
  const auto path = directory / "theirs.safetensors";
  const One one({2, 5, 3, 4});
  const auto refuses = [&](const std::string& table, const std::string& says) {
    CHECK_THROWS_ERROR(export_weights(path, one, WeightNames(table)), ConfigError, says);
    CHECK_FALSE(std::filesystem::exists(path));
  };
  refuses("weights w\nbias b+c", "gives bias as a sum");
  refuses("weights w\nbias w", "gives weights and bias the one name \"w\"");
  refuses("weights w linear\nbias b", "weights is (N=2, H=5, W=3, C=4), which is no linear");
  refuses("weights w causal\nbias b", "weights is (N=2, H=5, W=3, C=4), which is no causal");
  One row({1, 3, 2, 4});  // sees to the right
  row.weights.value()(0, 2, 1, 3) = 0.5;
  CHECK_THROWS_ERROR(export_weights(path, row, WeightNames("weights w causal\nbias b")),
                     ConfigError,
                     "says causal of weights, whose value 23 behind the middle is 0.5, expected 0");
  // Weights of one number are a matrix too.
  export_weights(path, One({1, 1, 1, 4}), WeightNames("weights w linear\nbias b"));
  CHECK(read_safetensors(path).at("w").shape == std::vector<Index>{4, 1});
  CHECK(read_safetensors(path).at("b").shape == std::vector<Index>{4});
}

TEST_CASE("Lines that are none are refused by their number", "[io][foreign_weights]") {
  const auto refuses = [](const std::string& table, const std::string& says) {
    CHECK_THROWS_ERROR(WeightNames(table, "names.txt"), ConfigError, says);
  };
  refuses("\na\n", "names.txt: line 2: expected OURS THEIRS, found \"a\"");
  refuses("a b conv3d", "line 1: \"conv3d\", expected conv2d, conv1d, linear, causal, same");
  refuses("a b gates=ifgg", "expected gates= and the letters i, f, g and o");
  refuses("a b+", "\"b+\" ends with +");
  refuses("a b++c", "expected names joined by +");
  refuses("a b.*", "with one * at most, and none if OURS has none");
  refuses("a.*.* b", "has more than one *");
  refuses("- b same", "\"same\" follows an array that is not needed");
  const WeightNames names("blocks.*.w  net.*.v\nblocks.3.w never\n- gone.*");
  CHECK(names.find("blocks.12.w")->theirs.front() == "net.12.v");
  CHECK(names.find("blocks.3.w")->theirs.front() == "net.3.v");  // the first line counts
  CHECK_FALSE(names.find("blocks.x.w"));
  CHECK_FALSE(names.find("blocks..w"));
  CHECK(names.is_unused("gone.7"));
  CHECK_FALSE(names.is_unused("gone.x"));
  CHECK_THROWS_AS(read_weight_names("there/is/none"), FileError);
}
