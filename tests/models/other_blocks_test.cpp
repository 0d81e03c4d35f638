// SPDX-License-Identifier: MIT
// Nets that are not the paper's in the width of the stream, in their blocks, in their head: what
// weights from elsewhere need.
#include <string>

#include <pixelrnn/models/pixel_cnn.hpp>
#include <pixelrnn/models/pixel_rnn.hpp>
#include <pixelrnn/verify/samples.hpp>
#include <pixelrnn/verify/verify.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/model_proofs.hpp"
#include "support/naive.hpp"

using namespace pixelrnn;
namespace naive = test::naive;

namespace {

using PlainDiagonal = PixelRNN<DiagonalBiLSTM<PaddedScanState, test::XsimdBackend>>;
using PlainRow = PixelRNN<RowLSTM<LearnedState, test::XsimdBackend>>;
using PlainCNN = PixelCNN<Bernoulli, test::XsimdBackend>;

/// As code that the paper inspired has it: x + BiLSTM(x), ReLUs behind the head's layers.
PixelRNNConfig plain(ImageShape image) {
  return {.image = image,
          .layers = 2,
          .hidden = 3,
          .head = 4,
          .stream = 3,
          .upsample = false,
          .padding_bias = true,
          .head_relu_first = false,
          .encoding = Encoding::zero_one};
}
naive::Map relu(naive::Map x) {
  for (double& v : x) v = std::max(v, 0.0);
  return x;
}

}  // namespace

TEST_CASE("A net of plain blocks is what its description says", "[models][other_blocks]") {
  const auto model = test::random_model<PlainDiagonal>(plain({5, 4, 1}), 3);
  const naive::Weights w = naive::weights_of(model);
  const FeatureMap<double> x = test::encoded(model, test::random_images(2, {5, 4, 1}, 2, 5));
  const auto layer = [&](const naive::Map& in, const std::string& name, naive::Mask mask) {
    return naive::convolve(in, w.at(name + ".weights"), &w.at(name + ".bias"), {.mask = mask});
  };
  naive::Map y = layer(x, "input", naive::Mask::A);
  for (const char* block : {"blocks.0.recurrence", "blocks.1.recurrence"}) {
    y = naive::add(
        y, naive::diagonal_bilstm(y, naive::part(w, block), naive::Edge::padding_is_scanned));
  }
  y = relu(layer(y, "head1", naive::Mask::B));
  y = relu(layer(y, "head2", naive::Mask::B));
  CHECK(test::difference(test::logits_of(model, x), layer(y, "logits", naive::Mask::B), 1e-11) ==
        "");
}

TEMPLATE_TEST_CASE("Other widths and blocks keep every promise of a model",
                   "[models][other_blocks]", PlainDiagonal, PlainRow, PlainCNN) {
  const auto config = [](ImageShape image) {
    typename TestType::Config c;
    c.image = image;
    c.layers = 2, c.hidden = 3, c.head = 4, c.stream = 5, c.head_relu_first = false;
    if constexpr (std::is_same_v<TestType, PlainDiagonal>) c = plain(image);
    return c;
  };
  const auto model = test::random_model<TestType>(config({3, 4, 1}), 3);
  CHECK(verify_causality(model).where == "");
  CHECK(verify_completeness(model).where == "");  // in so small an image
  CHECK(verify_samplers(model).where == "");
  CHECK(verify_determinism(model).where == "");
  auto small = test::random_model<TestType>(config({2, 3, 1}), 4);
  CHECK(test::total_probability(small) == Approx(1).epsilon(1e-12));
  const GradcheckReport gradients = test::check_gradients(small);
  CHECK(gradients.where.find("kink") == std::string::npos);
  CHECK(gradients);
}

TEST_CASE("The stream's width is where the parameters say", "[models][other_blocks]") {
  Rng rng(1);
  const PlainCNN cnn({.image = {4, 4, 1}, .layers = 1, .hidden = 3, .head = 4, .stream = 5}, rng);
  const auto shape_of = [&](const auto& model, const std::string& name) {
    for (const auto& [found, parameter] : parameters(model)) {
      if (found == name) return parameter->shape();
    }
    return Shape<4>{};
  };
  CHECK(shape_of(cnn, "input.weights") == Shape<4>{7, 7, 1, 5});
  CHECK(shape_of(cnn, "blocks.0.up.weights") == Shape<4>{1, 1, 3, 5});
  CHECK(shape_of(cnn, "head1.weights") == Shape<4>{1, 1, 5, 4});
  CHECK(cnn.describe().at("stream") == "5");
  const PlainDiagonal diagonal(plain({4, 4, 1}), rng);
  CHECK(shape_of(diagonal, "blocks.0.upsample.weights") == Shape<4>{});
  CHECK(diagonal.describe().at("upsample") == "false");
  CHECK(diagonal.describe().at("padding_bias") == "true");
  CHECK(diagonal.describe().at("head_relu_first") == "false");
}

TEST_CASE("Blocks that cannot be are refused", "[models][other_blocks]") {
  Rng rng(1);
  auto config = plain({4, 4, 1});
  config.stream = 0;  // is h then
  CHECK(PlainDiagonal(config, rng).net().output_shape({1, 4, 4, 1}) == Shape<4>{1, 4, 4, 1});
  config.stream = 6;
  CHECK_THROWS_ERROR(PlainDiagonal(config, rng), ConfigError,
                     "model: Config::upsample is false and Config::stream 6, expected "
                     "Config::hidden, which is 3");
  config.stream = -1;
  CHECK_THROWS_ERROR(PlainDiagonal(config, rng), ConfigError, "model: Config::stream is -1");
  CHECK_THROWS_ERROR(PlainRow(plain({4, 4, 1}), rng), ConfigError,
                     "model: Config::padding_bias is true, but row_lstm has no padding");
}
