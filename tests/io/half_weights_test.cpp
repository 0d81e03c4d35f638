// SPDX-License-Identifier: MIT
#include <pixelrnn/io/half_weights.hpp>

#include <filesystem>
#include <limits>

#include <pixelrnn/io/load_model.hpp>
#include <pixelrnn/models/pixel_rnn.hpp>
#include <pixelrnn/training/evaluate.hpp>

#include "support/catch.hpp"
#include "support/models.hpp"
#include "support/temporary_directory.hpp"
#include "support/training.hpp"

using namespace pixelrnn;

TEST_CASE("Half weights come back as they are, from a file of half the size", "[io][half]") {
  const test::TemporaryDirectory directory;
  using M = PixelRNN<RowLSTM<>>;
  auto model = test::random_model<M>({.image = {6, 5, 1}, .layers = 3, .hidden = 24}, 3);
  apply_masks(model);
  const auto path = directory / "half.safetensors", whole_path = directory / "whole.safetensors";
  save_weights(whole_path, model);
  const Images images = test::random_images(20, {6, 5, 1}, 2, 4);
  const double before = evaluate(model, images).nats_per_image();
  const auto unrounded = test::weights(model);

  CHECK_THROWS_ERROR(save_half_weights(path, model), ValueError,
                     "expected one of half precision; see round_to_half");
  CHECK_FALSE(std::filesystem::exists(path));
  round_to_half(model);
  CHECK(test::bit_difference(test::weights(model), unrounded) != "");
  save_half_weights(path, model, {{"mine", "1"}});
  const auto again = std::get<M>(load_model<M>(path));
  CHECK(test::bit_difference(test::weights(again), test::weights(model)) == "");
  CHECK(read_metadata(path).at("mine") == "1");
  const auto bytes = [](const auto& file) {
    return static_cast<double>(std::filesystem::file_size(file));
  };
  CHECK(bytes(path) < 0.6 * bytes(whole_path));
  // Each weight changes by at most 2^-11 of itself, or 2^-25.
  for (const auto& [name, values] : test::weights(model)) {
    for (Index i = 0; i < values.size(); ++i) {
      const float was = unrounded.at(name).data()[i];
      REQUIRE(std::abs(values.data()[i] - was) <= std::max(0x1p-11f * std::abs(was), 0x1p-25f));
    }
  }
  CHECK(std::abs(evaluate(again, images).nats_per_image() / before - 1) < 2e-3);
}

TEST_CASE("Weights that half precision cannot hold are refused, and none is changed",
          "[io][half]") {
  for (const float wrong : {70000.0f, -std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN()}) {
    auto model = test::tiny_model();
    parameters(model).back().parameter->value().data()[0] = wrong;
    const auto before = test::weights(model);
    CHECK_THROWS_ERROR(round_to_half(model), ValueError, "round_to_half: a weight of ");
    if (wrong == wrong) CHECK(test::bit_difference(test::weights(model), before) == "");
  }
}
