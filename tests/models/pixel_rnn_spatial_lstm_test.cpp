// SPDX-License-Identifier: MIT
// PixelRNN with a Spatial LSTM: what came before Row LSTM and Diagonal BiLSTM.
#include <pixelrnn/likelihood/categorical.hpp>
#include <pixelrnn/models/pixel_rnn.hpp>
#include <pixelrnn/nn/spatial_lstm/spatial_lstm.hpp>
#include <pixelrnn/verify/samples.hpp>
#include <pixelrnn/verify/verify.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/model_proofs.hpp"
#include "support/samplers.hpp"

using namespace pixelrnn;

namespace {

using SpatialGrey = PixelRNN<SpatialLSTM<test::ReferenceBackend>>;
using SpatialColour = PixelRNN<SpatialLSTM<test::ReferenceBackend>, test::Softmax<3>>;
using SpatialFast = PixelRNN<SpatialLSTM<>>;
using SpatialFastColour = PixelRNN<SpatialLSTM<>, test::Softmax<3>>;

template <class M>
M spatial_model(ImageShape image, std::uint64_t seed, Index layers = 2) {
  return test::random_model<M>({.image = image, .layers = layers, .hidden = 5, .head = 6}, seed);
}
/// The 7×7 mask A, then quadrants: rows above as far right as three columns.
test::Field quadrants(const ImageShape& s, Index layers) {
  test::Field field =
      test::Field({1, s.height, s.width, s.channels}).then(test::convolution_field(7, false));
  for (Index l = 0; l < layers; ++l) {
    field = field.then([](const test::Cell& out, const test::Cell& in) {
      if (test::is_same_pixel(in, out)) return in.channel <= out.channel;
      return in.row <= out.row && in.column <= out.column;
    });
  }
  return field;
}

}  // namespace

TEST_CASE("PixelRNN with Spatial LSTMs sees quadrants and the first kernel, and nothing else",
          "[models][spatial_lstm]") {
  for (const ImageShape image : {ImageShape{5, 8, 1}, ImageShape{1, 6, 1}, ImageShape{6, 1, 1}}) {
    CAPTURE(image);
    const SpatialGrey model =
        test::open_pixel_rnn<SpatialGrey>({.image = image, .layers = 1, .hidden = 5, .head = 6}, 3);
    const auto report = test::check_field(model, quadrants(image, 1));
    CHECK(report.leak == "");
    CHECK(report.blind == "");
  }
  CHECK(verify_causality(spatial_model<SpatialColour>({3, 4, 3}, 4)).where == "");
}

TEST_CASE("PixelRNN with Spatial LSTMs is a distribution, with its gradients",
          "[models][spatial_lstm]") {
  CHECK(verify_normalisation(spatial_model<SpatialGrey>({3, 3, 1}, 5)).where == "");
  CHECK(verify_normalisation(spatial_model<SpatialColour>({1, 2, 3}, 6)).where == "");
  auto grey = spatial_model<SpatialGrey>({3, 4, 1}, 7);
  const GradcheckReport report = test::check_gradients(grey);
  INFO(report.where);
  CHECK(report);
  auto colour = spatial_model<SpatialColour>({2, 2, 3}, 8, 1);
  CHECK(test::check_gradients(colour));
}

TEST_CASE("PixelRNN with Spatial LSTMs: both samplers draw the same images, by its probabilities",
          "[models][spatial_lstm]") {
  const auto grey = spatial_model<SpatialFast>({5, 4, 1}, 9);
  CHECK(test::sampler_difference(grey) == "");
  CHECK(test::batch_difference(grey) == "");
  CHECK(test::sampler_difference(spatial_model<SpatialFastColour>({3, 3, 3}, 10)) == "");
  CHECK(verify_distribution(spatial_model<SpatialFast>({2, 3, 1}, 11)).where == "");
}

TEST_CASE("PixelRNN with Spatial LSTMs is made again of its words", "[models][spatial_lstm]") {
  Rng rng(1);
  const SpatialGrey model(
      {.image = {4, 5, 1}, .layers = 2, .hidden = 6, .condition = {.classes = 3}}, rng);
  const auto words = model.describe();
  CHECK(words.at("model") == "spatial_lstm");
  CHECK(words.at("net").find("SpatialLSTM(12->6, condition ") != std::string::npos);
  const auto again = SpatialGrey::made_of(ModelWords("test", words), 1 << 20);
  REQUIRE(again.has_value());
  CHECK(again->describe() == words);
  CHECK(verify_samplers(model).where == "");
}
