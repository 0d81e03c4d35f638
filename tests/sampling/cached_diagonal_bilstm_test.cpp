// SPDX-License-Identifier: MIT
#include <pixelrnn/likelihood/categorical.hpp>
#include <pixelrnn/models/pixel_rnn.hpp>

#include "support/catch.hpp"
#include "support/hard_shapes.hpp"
#include "support/samplers.hpp"

using namespace pixelrnn;

namespace {

using GreyDiagonal = PixelRNN<>;
using PaddedDiagonal = PixelRNN<DiagonalBiLSTM<PaddedScanState>>;
using ColourDiagonal = PixelRNN<DiagonalBiLSTM<>, test::Softmax<3>>;

}  // namespace

TEST_CASE("Diagonal BiLSTM: Cached gives the images of FullForward",
          "[sampling][cached][diagonal]") {
  for (const ImageShape image :
       {ImageShape{5, 4, 1}, ImageShape{1, 6, 1}, ImageShape{6, 1, 1}, ImageShape{8, 9, 1}}) {
    CAPTURE(image);
    CHECK(test::sampler_difference(test::random_model<GreyDiagonal>(
              {.image = image, .layers = 2, .hidden = 5, .head = 6, .skip = true}, 1)) == "");
  }
  CHECK(test::sampler_difference(test::random_model<PaddedDiagonal>(
            {.image = {5, 4, 1}, .layers = 2, .hidden = 5, .head = 6}, 5)) == "");
  for (const ImageShape image : {ImageShape{4, 3, 3}, ImageShape{1, 1, 3}}) {
    CAPTURE(image);
    CHECK(test::sampler_difference(test::random_model<ColourDiagonal>(
              {.image = image, .layers = 2, .hidden = 5, .head = 6}, 2)) == "");
  }
}

TEST_CASE("Diagonal BiLSTM: an image is the same in every batch, thread and call",
          "[sampling][cached][diagonal]") {
  CHECK(test::batch_difference(test::random_model<GreyDiagonal>(
            {.image = {5, 4, 1}, .layers = 2, .hidden = 5, .head = 6}, 3)) == "");
  CHECK(test::batch_difference(test::random_model<ColourDiagonal>(
            {.image = {2, 3, 3}, .layers = 1, .hidden = 5, .head = 6}, 4)) == "");
}

TEST_CASE(
    "Diagonal BiLSTM: samplers agree and probabilities are finite at shapes that break things",
    "[sampling][cached][diagonal]") {
  CHECK(test::faults_at_hard_shapes<GreyDiagonal>() == "");
}
