// SPDX-License-Identifier: MIT
#include <pixelrnn/likelihood/categorical.hpp>
#include <pixelrnn/models/pixel_rnn.hpp>

#include "support/catch.hpp"
#include "support/hard_shapes.hpp"
#include "support/samplers.hpp"

using namespace pixelrnn;

namespace {

using GreyRow = PixelRNN<RowLSTM<>>;
using ZeroRow = PixelRNN<RowLSTM<ZeroState>>;
using ColourRow = PixelRNN<RowLSTM<>, test::Softmax<3>>;

}  // namespace

TEST_CASE("Row LSTM: Cached gives the images of FullForward", "[sampling][cached][row_lstm]") {
  for (const ImageShape image :
       {ImageShape{5, 4, 1}, ImageShape{1, 6, 1}, ImageShape{6, 1, 1}, ImageShape{8, 9, 1}}) {
    CAPTURE(image);
    CHECK(test::sampler_difference(test::random_model<GreyRow>(
              {.image = image, .layers = 2, .hidden = 5, .head = 6, .skip = true}, 1)) == "");
  }
  CHECK(test::sampler_difference(test::random_model<ZeroRow>(
            {.image = {5, 4, 1}, .layers = 2, .hidden = 5, .head = 6}, 5)) == "");
  for (const ImageShape image : {ImageShape{4, 3, 3}, ImageShape{1, 1, 3}}) {
    CAPTURE(image);
    CHECK(test::sampler_difference(test::random_model<ColourRow>(
              {.image = image, .layers = 2, .hidden = 5, .head = 6}, 2)) == "");
  }
}

TEST_CASE("Row LSTM: an image is the same in every batch, thread and call",
          "[sampling][cached][row_lstm]") {
  CHECK(test::batch_difference(test::random_model<GreyRow>(
            {.image = {5, 4, 1}, .layers = 2, .hidden = 5, .head = 6}, 3)) == "");
  CHECK(test::batch_difference(test::random_model<ColourRow>(
            {.image = {2, 3, 3}, .layers = 1, .hidden = 5, .head = 6}, 4)) == "");
}

TEST_CASE("Row LSTM: samplers agree and probabilities are finite at shapes that break things",
          "[sampling][cached][row_lstm]") {
  CHECK(test::faults_at_hard_shapes<GreyRow>() == "");
}
