// SPDX-License-Identifier: MIT
#include <limits>

#include <pixelrnn/likelihood/categorical.hpp>
#include <pixelrnn/models/pixel_cnn.hpp>

#include "support/catch.hpp"
#include "support/hard_shapes.hpp"
#include "support/samplers.hpp"

using namespace pixelrnn;

namespace {

using GreyCNN = PixelCNN<>;
using ColourCNN = PixelCNN<test::Softmax<3>>;

}  // namespace

TEST_CASE("PixelCNN: Cached gives the images of FullForward", "[sampling][cached][pixel_cnn]") {
  for (const ImageShape image :
       {ImageShape{5, 4, 1}, ImageShape{1, 6, 1}, ImageShape{6, 1, 1}, ImageShape{8, 9, 1}}) {
    CAPTURE(image);
    CHECK(test::sampler_difference(test::random_model<GreyCNN>(
              {.image = image, .layers = 2, .hidden = 5, .head = 6, .skip = true}, 1)) == "");
  }
  for (const ImageShape image : {ImageShape{4, 3, 3}, ImageShape{1, 1, 3}}) {
    CAPTURE(image);
    CHECK(test::sampler_difference(test::random_model<ColourCNN>(
              {.image = image, .layers = 2, .hidden = 5, .head = 6}, 2)) == "");
  }
}

TEST_CASE("PixelCNN: an image is the same in every batch, thread and call",
          "[sampling][cached][pixel_cnn]") {
  CHECK(test::batch_difference(test::random_model<GreyCNN>(
            {.image = {5, 4, 1}, .layers = 2, .hidden = 5, .head = 6}, 3)) == "");
  CHECK(test::batch_difference(test::random_model<ColourCNN>(
            {.image = {2, 3, 3}, .layers = 1, .hidden = 5, .head = 6}, 4)) == "");
}

TEST_CASE("PixelCNN: samplers agree and probabilities are finite at shapes that break things",
          "[sampling][cached][pixel_cnn]") {
  CHECK(test::faults_at_hard_shapes<GreyCNN>() == "");
}

TEST_CASE("PixelCNN: FullForward's images are the same in every thread and call",
          "[sampling][cached][pixel_cnn]") {
  const auto model =
      test::random_model<GreyCNN>({.image = {5, 4, 1}, .layers = 1, .hidden = 5, .head = 6}, 3);
  CHECK(verify_determinism(model, {.positions = 3}, 70, FullForward{}).where == "");
}

TEST_CASE("A weight that is not finite is found at a hard shape", "[sampling][cached]") {
  auto model = test::random_model<GreyCNN>(
      {.image = {33, 17, 1}, .layers = 1, .hidden = 3, .head = 7}, 3, 0.2);
  CHECK(test::shape_fault(model, 2) == "");
  parameters(model).back().parameter->value().data()[0] = std::numeric_limits<float>::infinity();
  CHECK(test::shape_fault(model, 2).find("the probabilities of sub-pixel 0 of all sum to") == 0);
}
