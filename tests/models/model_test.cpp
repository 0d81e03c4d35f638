// SPDX-License-Identifier: MIT
#include <map>
#include <string>

#include <pixelrnn/autodiff/functions.hpp>
#include <pixelrnn/likelihood/bernoulli.hpp>
#include <pixelrnn/likelihood/categorical.hpp>
#include <pixelrnn/models/model.hpp>
#include <pixelrnn/nn/convolution/masked_conv2d.hpp>
#include <pixelrnn/nn/relu.hpp>
#include <pixelrnn/nn/sequential.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/models.hpp"

using namespace pixelrnn;

namespace {

using B = test::ReferenceBackend;
using Conv = MaskedConv2d<MaskA, B>;
template <class L>
using OneLayer = ImageModel<Sequential<Conv>, L>;

template <class L>
OneLayer<L> make(ImageShape image, Index outputs = L().outputs(1),
                 std::map<std::string, std::string> words = {}) {
  Rng rng(1);
  return OneLayer<L>(image,
                     Sequential<Conv>(Conv({.in_channels = image.channels,
                                            .out_channels = image.channels * outputs,
                                            .kernel_height = 3,
                                            .kernel_width = 3,
                                            .colours = image.channels},
                                           rng)),
                     L(), std::move(words));
}

/// A model of a user's own: every pixel has the same logit, whatever stands before it.
struct Coin {
  using Scalar = double;
  using Likelihood = Bernoulli;
  [[nodiscard]] static Likelihood likelihood() { return {}; }
  Parameter<double> logit{Shape<4>{1, 1, 1, 1}};
  [[nodiscard]] ImageShape image_shape() const { return {2, 2, 1}; }
  [[nodiscard]] double encode(int level) const { return level; }
  [[nodiscard]] Variable<double> logits(Variable<double> x) const {
    FeatureView<double> ones = x.tape().allocate(x.shape());
    std::fill(ones.begin(), ones.end(), 1.0);
    return mul(x.tape().constant(ones), x.tape().leaf(logit));
  }
  [[nodiscard]] std::map<std::string, std::string> describe() const { return {{"model", "coin"}}; }
  void for_each_parameter(auto&& visit) { visit("logit", logit); }
};

/// The same with a net, of another scalar in the second.
struct CoinWithNet : Coin {
  Sequential<ReLU<B>> net_{ReLU<B>()};
  [[nodiscard]] const Sequential<ReLU<B>>& net() const { return net_; }
};
struct CoinWithFloats : Coin {
  Sequential<ReLU<>> net_{ReLU<>()};
  [[nodiscard]] const Sequential<ReLU<>>& net() const { return net_; }
};
struct CoinWithMutableNet : Coin {
  Sequential<ReLU<B>> net_{ReLU<B>()};
  [[nodiscard]] Sequential<ReLU<B>>& net() { return net_; }
};

struct NotAModel {
  using Scalar = double;
};

}  // namespace

TEST_CASE("A model is told by its members", "[models][model]") {
  STATIC_REQUIRE(Model<OneLayer<Bernoulli>>);
  STATIC_REQUIRE(Model<OneLayer<test::Softmax<5>>>);
  STATIC_REQUIRE(Model<Coin>);
  STATIC_REQUIRE_FALSE(Model<NotAModel>);
  STATIC_REQUIRE_FALSE(Model<int>);
}

TEST_CASE("A model can be walked if it shows a net that walks, of its own scalar",
          "[models][model]") {
  STATIC_REQUIRE(WalkableModel<OneLayer<Bernoulli>>);
  STATIC_REQUIRE(WalkableModel<CoinWithNet>);
  STATIC_REQUIRE(Model<CoinWithFloats>);
  STATIC_REQUIRE_FALSE(WalkableModel<CoinWithFloats>);
  STATIC_REQUIRE_FALSE(WalkableModel<CoinWithMutableNet>);
  STATIC_REQUIRE_FALSE(WalkableModel<Coin>);
  STATIC_REQUIRE_FALSE(WalkableModel<NotAModel>);
}

TEST_CASE("A user's model has probabilities like any other", "[models][model]") {
  Coin coin;
  coin.logit.value().data()[0] = 0.7;
  CHECK(test::total_probability(coin) == Approx(1).epsilon(1e-14));
}

TEST_CASE("Levels are encoded evenly from -1 to 1", "[models][model]") {
  const auto binary = make<Bernoulli>({2, 2, 1});
  CHECK(binary.encode(0) == -1);
  CHECK(binary.encode(1) == 1);
  const auto five = make<test::Softmax<5>>({2, 2, 1});
  for (int level = 0; level < 5; ++level) CHECK(five.encode(level) == -1 + 0.5 * level);

  const Images images(Tensor<Images::Level, 4>({1, 1, 2, 2}), 5);
  Images other = images;
  other[0](0, 1, 0) = 4;
  other[0](0, 1, 1) = 3;
  FeatureMap<double> x({1, 1, 2, 2});
  encode(five, other.pixels(), x);
  CHECK(x(0, 0, 0, 0) == -1);
  CHECK(x(0, 0, 0, 1) == -1);
  CHECK(x(0, 0, 1, 0) == 1);
  CHECK(x(0, 0, 1, 1) == 0.5);
}

TEST_CASE("An image model gives the logits of its net", "[models][model]") {
  const auto model = make<test::Softmax<3>>({4, 5, 2});
  CHECK(model.image_shape() == ImageShape{4, 5, 2});
  const auto x = test::encoded(model, test::random_images(3, {4, 5, 2}, 3, 1));
  Tape<double> tape({.threads = 1});
  const FeatureMap<double> y(model.net().forward(tape.constant(x)).value());
  CHECK(y.shape() == Shape<4>{3, 4, 5, 6});
  CHECK(test::bit_difference(test::logits_of(model, x), y) == "");
}

TEST_CASE("A custom model is described as one, unless it says more", "[models][model]") {
  CHECK(make<Bernoulli>({4, 5, 1}).describe() ==
        std::map<std::string, std::string>{{"model", "custom"},
                                           {"image", "4x5x1"},
                                           {"likelihood", "bernoulli"},
                                           {"net", "Sequential(MaskedConv2d<A>(1->1, 3x3))"},
                                           {"encoding", "-1..1"}});
  CHECK(make<test::Softmax<3>>({4, 5, 3}, 3, {{"model", "mine"}, {"depth", "1"}}).describe() ==
        std::map<std::string, std::string>{
            {"model", "mine"},
            {"depth", "1"},
            {"image", "4x5x3"},
            {"likelihood", "categorical3"},
            {"net", "Sequential(MaskedConv2d<A>(3->9, 3x3, colours 3))"},
            {"encoding", "-1..1"}});
}

TEST_CASE("A net must end in the logits its likelihood reads", "[models][model]") {
  CHECK_THROWS_ERROR(make<test::Softmax<3>>({4, 5, 2}, 2), ShapeError,
                     "ImageModel: the net turns (N=1, H=4, W=5, C=2) into (N=1, H=4, W=5, C=4), "
                     "expected (N=1, H=4, W=5, C=6): 6 logits a pixel for categorical3");
  Rng rng(1);
  CHECK_THROWS_ERROR(
      OneLayer<Bernoulli>({4, 5, 3}, Sequential<Conv>(Conv({.in_channels = 1}, rng))), ShapeError,
      "MaskedConv2d: x is (N=1, H=4, W=5, C=3), expected (N, H, W, C=1)");
  CHECK_THROWS_ERROR(OneLayer<Bernoulli>({4, 0, 1}, Sequential<Conv>(Conv({}, rng))), ConfigError,
                     "ImageModel: image is 4x0x1");
}

TEST_CASE("Images that a model cannot read are named", "[models][model]") {
  const auto model = make<test::Softmax<3>>({4, 5, 1});
  CHECK_NOTHROW(require_images("here", model, Images(2, {4, 5, 1}, 3)));
  CHECK_NOTHROW(require_images("here", model, Images(2, {5, 4, 1}, 3)));  // of another size
  CHECK_THROWS_ERROR(require_images("here", model, Images(2, {4, 5, 2}, 3)), ShapeError,
                     "here: images are 4x5x2, the model's are 4x5x1 (height x width x channels); "
                     "their number of channels must be the same");
  CHECK_THROWS_ERROR(require_images("here", model, Images(2, {4, 5, 1}, 2)), ConfigError,
                     "here: images have 2 levels, the model's categorical3 likelihood has 3; see "
                     "binarize() and quantize()");
}
