// SPDX-License-Identifier: MIT
#include <cmath>
#include <memory>

#include <pixelrnn/models/pixel_cnn.hpp>
#include <pixelrnn/training/toy.hpp>
#include <pixelrnn/verify/resume.hpp>

#include "support/catch.hpp"

using namespace pixelrnn;

namespace {

constexpr ImageShape square{4, 4, 1};

Images bars() {
  Rng rng(2);
  return bars_and_stripes(5, 4, rng);
}

PixelCNN<> small() {
  Rng rng(1);
  return PixelCNN<>({.image = square, .layers = 1, .hidden = 3, .head = 4}, rng);
}

/// y = x · (1 + 1 / passes so far): remembers what no checkpoint holds.
struct Forgetful {
  using Scalar = float;
  std::shared_ptr<int> passes = std::make_shared<int>(0);
  [[nodiscard]] Variable<float> forward(Variable<float> x) const {
    return scale(x, 1.0f + 1.0f / static_cast<float>(++*passes));
  }
  [[nodiscard]] Shape<4> output_shape(Shape<4> x) const { return x; }
  void for_each_parameter(auto&&) {}
};
auto forgetful() {
  Rng rng(1);
  using Conv = MaskedConv2d<MaskA>;
  using Net = Sequential<Conv, Forgetful>;
  return ImageModel<Net, Bernoulli>(
      square, Net(Conv({.kernel_height = 3, .kernel_width = 3}, rng), Forgetful{}));
}

}  // namespace

TEST_CASE("A training that is stopped and resumed passes", "[verify][resume]") {
  const TrainerOptions options{.clip_norm = 1, .average_decay = 0.9, .schedule = cosine_rate(12)};
  for (const Index steps : {1, 3, 4}) {  // within an epoch of three steps, at its end, after it
    CAPTURE(steps);
    for (const VerifyReport& report :
         {verify_resume(small, bars(), Adam{}, options, steps),
          verify_resume(small, bars(), RMSProp{}, options, steps),
          verify_resume(small, bars(), SGD{.momentum = 0.9}, options, steps)}) {
      CHECK(report.where == "");
      CHECK(report);
      CHECK(report.checked > 100);
    }
  }
}

TEST_CASE("A model that remembers more than its parameters is found", "[verify][resume]") {
  const VerifyReport report = verify_resume(forgetful, bars(), Adam{});
  CHECK_FALSE(report);
  CHECK(report.where.find("value 0 of ") == 0);
  CHECK(report.value > 0);
}

TEST_CASE("No step is no training to resume", "[verify][resume]") {
  CHECK_THROWS_ERROR(verify_resume(small, bars(), Adam{}, {}, 0), ConfigError,
                     "verify_resume: steps is 0, expected 1 or more");
}
