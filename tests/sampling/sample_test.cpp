// SPDX-License-Identifier: MIT
#include <algorithm>
#include <limits>
#include <string>
#include <type_traits>

#include <pixelrnn/autodiff/functions.hpp>
#include <pixelrnn/likelihood/bernoulli.hpp>
#include <pixelrnn/likelihood/categorical.hpp>
#include <pixelrnn/nn/convolution/masked_conv2d.hpp>
#include <pixelrnn/nn/relu.hpp>
#include <pixelrnn/nn/sequential.hpp>
#include <pixelrnn/sampling/sample.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/samplers.hpp"

using namespace pixelrnn;

namespace {

using B = test::ReferenceBackend;
using First = MaskedConv2d<MaskA, B>;
using Later = MaskedConv2d<MaskB, B>;

template <class Conv>
Conv conv(Index in, Index out, Index colours = 1) {
  Rng rng(1);
  return Conv({.in_channels = in,
               .out_channels = out,
               .kernel_height = 3,
               .kernel_width = 3,
               .colours = colours},
              rng);
}
template <class L = Bernoulli, class... Layers>
auto model_of(ImageShape image, Layers... layers) {
  ImageModel<Sequential<Layers...>, L> model(image, Sequential<Layers...>(std::move(layers)...));
  test::randomise(model, 3, 1.5);
  return model;
}
/// A small net that walks.
template <class L = Bernoulli>
auto small_model(ImageShape image) {
  return model_of<L>(image, conv<First>(image.channels, 6, image.channels), ReLU<B>(),
                     conv<Later>(6, image.channels * L().outputs(1), image.channels));
}

/// y = x²: a user's layer without a step.
struct Square {
  using Scalar = double;
  [[nodiscard]] Variable<double> forward(Variable<double> x) const { return mul(x, x); }
  [[nodiscard]] Shape<4> output_shape(Shape<4> x) const { return x; }
  void for_each_parameter(auto&&) {}
};
/// The same with a step.
struct SteppedSquare : Square {
  struct Cache {};
  [[nodiscard]] Cache make_cache(Walk) const { return {}; }
  void step(Cache&, Index, Index, MatrixView<const double> x, MatrixView<double> y) const {
    for (Index b = 0; b < x.rows; ++b) {
      for (Index c = 0; c < x.columns; ++c) y(b, c) = x(b, c) * x(b, c);
    }
  }
  void end_row(Cache&, Index) const {}
};
/// The same with a step that is another function.
struct WronglySteppedSquare : SteppedSquare {
  void step(Cache&, Index, Index, MatrixView<const double> x, MatrixView<double> y) const {
    for (Index b = 0; b < x.rows; ++b) {
      for (Index c = 0; c < x.columns; ++c) y(b, c) = -x(b, c) * x(b, c);
    }
  }
};

/// y = 2 x, which counts its steps.
struct CountingSteps {
  using Scalar = double;
  Index* steps;
  struct Cache {};
  [[nodiscard]] Variable<double> forward(Variable<double> x) const { return add(x, x); }
  [[nodiscard]] Shape<4> output_shape(Shape<4> x) const { return x; }
  void for_each_parameter(auto&&) {}
  [[nodiscard]] Cache make_cache(Walk) const { return {}; }
  void step(Cache&, Index, Index, MatrixView<const double> x, MatrixView<double> y) const {
    ++*steps;
    for (Index b = 0; b < x.rows; ++b) {
      for (Index c = 0; c < x.columns; ++c) y(b, c) = x(b, c) + x(b, c);
    }
  }
  void end_row(Cache&, Index) const {}
};

/// y = x², which remembers the most images it has seen at once.
struct Counting : Square {
  Index* most;
  [[nodiscard]] Variable<double> forward(Variable<double> x) const {
    *most = std::max(*most, x.shape().n());
    return Square::forward(x);
  }
};

/// A user's model without a net: every logit is 0.
struct Netless {
  using Scalar = double;
  using Likelihood = Bernoulli;
  [[nodiscard]] static Likelihood likelihood() { return {}; }
  [[nodiscard]] ImageShape image_shape() const { return {2, 3, 1}; }
  [[nodiscard]] double encode(int level) const { return level; }
  [[nodiscard]] Variable<double> logits(Variable<double> x) const {
    const FeatureView<double> zeros = x.tape().allocate(x.shape());
    std::fill(zeros.begin(), zeros.end(), 0.0);
    return x.tape().constant(zeros);
  }
  [[nodiscard]] std::map<std::string, std::string> describe() const { return {}; }
  void for_each_parameter(auto&&) {}
};
/// The same, with a type of the name that ImageModel's net has.
struct NetTypeOnly : Netless {
  using NetType = Sequential<First>;
};
/// A user's model that shows its net, and no more.
struct Shown : Netless {
  explicit Shown(Index seed) : net_(conv<First>(1, 1)) {
    test::randomise(net_, static_cast<std::uint64_t>(seed), 1.5);
  }
  [[nodiscard]] Variable<double> logits(Variable<double> x) const { return net_.forward(x); }
  [[nodiscard]] const First& net() const { return net_; }

 private:
  First net_;
};
/// One with a net that has no walk, and one whose net() is something else.
struct ShownSquare : Netless {
  [[nodiscard]] Square net() const { return {}; }
  [[nodiscard]] Variable<double> logits(Variable<double> x) const { return net().forward(x); }
};
struct Weight : Netless {
  [[nodiscard]] double net() const { return 3.5; }
};
/// And one that remembers whether it was asked for the bits of a walk, each time.
struct Asked : Netless {
  bool* always;
  [[nodiscard]] Variable<double> logits(Variable<double> x) const {
    *always = *always && x.tape().walk_bits();
    return Netless::logits(x);
  }
};

}  // namespace

TEST_CASE("FullForward asks for the bits of a walk", "[sampling][sample]") {
  bool always = true;
  const Asked model{{}, &always};
  CHECK(sample(model, 3, {.seed = 1}).count() == 3);
  CHECK(always);
  static_cast<void>(test::logits_of(model, FeatureMap<double>({1, 2, 3, 1})));  // the control
  CHECK_FALSE(always);
}

TEST_CASE("Samples are images of the model's shape and levels", "[sampling][sample]") {
  const Images images = sample(small_model<test::Softmax<5>>({3, 4, 3}), 7, {.seed = 1});
  CHECK(images.count() == 7);
  CHECK(images.image_shape() == ImageShape{3, 4, 3});
  CHECK(images.levels() == 5);
  CHECK(images.binarization() == "sampled");
  CHECK(sample(small_model({3, 4, 1}), 0).count() == 0);
}

TEST_CASE("Seeds and image numbers give other images", "[sampling][sample]") {
  const auto model = small_model({5, 4, 1});
  const Images a = sample(model, 4, {.seed = 1}), b = sample(model, 4, {.seed = 1}),
               c = sample(model, 4, {.seed = 2}), d = sample(model, 4, {.seed = 1, .first = 4});
  CHECK(test::difference(a, b) == "");
  CHECK(test::difference(a, c) != "");
  CHECK(test::difference(a, d) != "");
  CHECK(test::difference(a.slice(0, 1), a.slice(1, 1)) != "");
  // Beyond 32 bits too.
  const std::uint64_t far = (std::uint64_t{1} << 40) + 5;
  CHECK(test::difference(sample(model, 2, {.seed = 1, .first = far}).slice(1, 1),
                         sample(model, 1, {.seed = 1, .first = far + 1})) == "");
}

TEST_CASE("Nets of a user's own are walked as they run", "[sampling][sample]") {
  CHECK(test::sampler_difference(small_model({5, 4, 1})) == "");
  CHECK(test::sampler_difference(small_model<test::Softmax<3>>({3, 4, 3})) == "");
  CHECK(test::batch_difference(small_model<test::Softmax<3>>({3, 4, 3})) == "");
  CHECK(test::sampler_difference(
            model_of({5, 4, 1}, conv<First>(1, 4), SteppedSquare{}, conv<Later>(4, 1))) == "");
}

TEST_CASE("A net may hide the pixel from itself in a later layer", "[sampling][sample]") {
  // The first layer sees the pixel: once that is drawn, its output must follow.
  CHECK(test::sampler_difference(
            model_of({5, 4, 1}, conv<Later>(1, 4), ReLU<B>(), conv<First>(4, 1))) == "");
}

TEST_CASE("A pixel that is drawn is stepped again only before the mask that hides it",
          "[sampling][sample]") {
  const auto check = [](Index channels, auto... between) {
    Index before = 0, after = 0;
    const auto model = model_of({5, 4, channels}, CountingSteps{&before}, between...,
                                conv<First>(channels, 6, channels), CountingSteps{&after},
                                conv<Later>(6, channels, channels));
    const Images images = sample(model, 3, {.seed = 1, .threads = 1});
    CHECK(after == 20 * channels);
    CHECK(before == 20 * (channels + 1));
    const Images whole = sample(model, 3, {.seed = 1, .threads = 1}, Multinomial{}, FullForward{});
    CHECK(test::difference(images, whole) == "");
    CHECK(test::sampler_difference(model) == "");
    before = after = 0;
    static_cast<void>(complete(model, images, KeepRows{3}, {.threads = 1}));
    CHECK(after == 12 + 8 * channels);  // a pixel that is kept is stepped once
    CHECK(before == 12 + 8 * (channels + 1));
  };
  check(1);
  check(3);
  check(1, conv<Later>(1, 1));
  check(1, Sequential<ReLU<B>>(ReLU<B>()));
}

TEST_CASE("Comparing the samplers finds a step that is not the layer's", "[sampling][sample]") {
  CHECK(test::sampler_difference(model_of({5, 4, 1}, conv<First>(1, 4), WronglySteppedSquare{},
                                          conv<Later>(4, 1))) != "");
}

TEST_CASE("A layer without a step samples by whole forward passes", "[sampling][sample]") {
  const auto plain = model_of({5, 4, 1}, conv<First>(1, 4), Square{}, conv<Later>(4, 1));
  const auto stepped = model_of({5, 4, 1}, conv<First>(1, 4), SteppedSquare{}, conv<Later>(4, 1));
  STATIC_REQUIRE(std::is_same_v<DefaultSampler<std::remove_const_t<decltype(plain)>>, FullForward>);
  STATIC_REQUIRE(std::is_same_v<DefaultSampler<std::remove_const_t<decltype(stepped)>>, Cached>);
  CHECK(test::difference(sample(plain, 5, {.seed = 2}), sample(stepped, 5, {.seed = 2})) == "");
}

TEST_CASE("A model of a user's own is walked if it shows its net, by whatever name of its type",
          "[sampling][sample]") {
  STATIC_REQUIRE(WalkableModel<Shown>);
  STATIC_REQUIRE(std::is_same_v<DefaultSampler<Shown>, Cached>);
  CHECK(test::sampler_difference(Shown(1)) == "");
  CHECK(test::difference(sample(Shown(1), 4), sample(Shown(2), 4)) != "");
}

TEST_CASE("A model without a net to walk samples by whole forward passes", "[sampling][sample]") {
  const auto check = [](const auto& model) {
    using M = std::remove_cvref_t<decltype(model)>;
    STATIC_REQUIRE(Model<M>);
    STATIC_REQUIRE_FALSE(WalkableModel<M>);
    STATIC_REQUIRE(std::is_same_v<DefaultSampler<M>, FullForward>);
    CHECK(sample(model, 3, {.seed = 1}).count() == 3);
  };
  check(Netless{});
  check(NetTypeOnly{});
  check(ShownSquare{});
  check(Weight{});
}

TEST_CASE("Whole forward passes take no more images at once than a batch", "[sampling][sample]") {
  Index most = 0;
  const auto model = model_of({3, 2, 1}, conv<First>(1, 4), Counting{{}, &most}, conv<Later>(4, 1));
  const Images all = sample(model, 7, {.seed = 2, .first = 5}, Multinomial{}, FullForward{});
  CHECK(most == 7);
  for (const Index batch : {1, 3, 7}) {
    CAPTURE(batch);
    most = 0;
    const SampleOptions options{.seed = 2, .batch = batch, .first = 5};
    CHECK(test::difference(sample(model, 7, options, Multinomial{}, FullForward{}), all) == "");
    CHECK(most == batch);
  }
  most = 0;
  static_cast<void>(sample(model, 70));
  CHECK(most == SampleOptions{}.batch);
}

TEST_CASE("Completion keeps known pixels and draws all others", "[sampling][complete]") {
  const auto model = small_model<test::Softmax<3>>({4, 5, 3});
  const Images known = test::random_images(6, {4, 5, 3}, 3, 1);
  Images noise = known;
  for (Images::Level& v : noise.pixels()) v = static_cast<Images::Level>((v + 1) % 3);
  test::for_each_keep_policy(known.image_shape(), [&](const char* name, const auto& keep) {
    CAPTURE(name);
    const Images done = complete(model, known, keep, {.seed = 1});
    // Whatever stood on the unknown pixels does not matter.
    Images masked = noise;
    Index kept = 0, changed = 0;
    for (Index n = 0; n < 6; ++n) {
      for (Index r = 0; r < 4; ++r) {
        for (Index j = 0; j < 5; ++j) {
          for (Index c = 0; c < 3; ++c) {
            if (keep.keeps(r, j)) {
              ++kept;
              CHECK(done[n](r, j, c) == known[n](r, j, c));
              masked[n](r, j, c) = known[n](r, j, c);
            } else {
              changed += done[n](r, j, c) != known[n](r, j, c) ? 1 : 0;
            }
          }
        }
      }
    }
    CHECK(test::difference(complete(model, masked, keep, {.seed = 1}), done) == "");
    CHECK((changed > 0) == (kept < known.pixels().size()));
  });
  CHECK(complete(model, known, KeepRows{2}).binarization() == known.binarization());
}

TEST_CASE("A kept pixel further on does not influence those before it", "[sampling][complete]") {
  const auto model = small_model({4, 5, 1});
  const Images a = test::random_images(5, {4, 5, 1}, 2, 1);
  Images b = a;
  for (Index n = 0; n < 5; ++n) b[n](2, 3, 0) = static_cast<Images::Level>(1 - b[n](2, 3, 0));
  const KeepBox keep{2, 3, 1, 1};
  const Images from_a = complete(model, a, keep, {.seed = 1});
  const Images from_b = complete(model, b, keep, {.seed = 1});
  Index after = 0;
  for (Index n = 0; n < 5; ++n) {
    for (Index i = 0; i < 20; ++i) {
      const bool differs = from_a[n].data()[i] != from_b[n].data()[i];
      if (i < 2 * 5 + 3) CHECK_FALSE(differs);
      if (i > 2 * 5 + 3) after += differs ? 1 : 0;
    }
  }
  CHECK(after > 0);
}

TEST_CASE("Argmax takes the most probable level of every sub-pixel", "[sampling][sample]") {
  const auto model = small_model<test::Softmax<3>>({4, 5, 1});
  const Images image = sample(model, 1, {}, Argmax{});
  const auto z = test::logits_of(model, test::encoded(model, image));
  for (Index r = 0; r < 4; ++r) {
    for (Index j = 0; j < 5; ++j) {
      const int level = image[0](r, j, 0);
      for (Index v = 0; v < 3; ++v) CHECK(z(0, r, j, level) >= z(0, r, j, v));
    }
  }
  CHECK(test::difference(sample(model, 1, {.seed = 9}, Argmax{}), image) == "");
  CHECK(test::difference(sample(model, 1, {.seed = 9}, Temperature{1e-6}), image) == "");
}

TEST_CASE("A model that gives NaN is named with the pixel", "[sampling][sample]") {
  auto model = small_model<test::Softmax<3>>({2, 3, 1});
  // The weight of the pixel above: the first row does not see it.
  parameters(model)[0].parameter->value()(0, 1, 0, 0) = std::numeric_limits<double>::quiet_NaN();
  const char* const message =
      "sample: the model gives NaN at pixel 3, channel 0 of image 0; its weights are not finite or "
      "diverged";
  // Zeros outside the image meet the weight as well, and 0 · NaN is NaN: so spare the first row.
  const auto complete_second_row = [&](auto sampler) {
    return complete(model, Images(1, {2, 3, 1}, 3), KeepRows{1}, {.threads = 1}, Multinomial{},
                    sampler);
  };
  CHECK_THROWS_ERROR(complete_second_row(Cached{}), NumericError, message);
  CHECK_THROWS_ERROR(complete_second_row(FullForward{}), NumericError, message);
}

TEST_CASE("What sample and complete cannot do is named", "[sampling][sample]") {
  const auto model = small_model({4, 5, 1});
  const Images known(2, {4, 5, 1}, 2);
  CHECK_THROWS_ERROR(sample(model, -1), ConfigError, "N=-1");
  CHECK_THROWS_ERROR(sample(model, 1, {.batch = 0}), ConfigError,
                     "complete: batch is 0, expected 1 or more");
  CHECK_THROWS_ERROR(sample(model, 1, {.threads = -2}), ConfigError,
                     "complete: threads is -2, expected 0 (as many as OpenMP offers) or more");
  CHECK_THROWS_ERROR(sample(model, 1, {}, Temperature{0}), ConfigError, "temperature is 0");
  CHECK_THROWS_ERROR(complete(model, known, KeepRows{5}), ConfigError, "KeepRows: rows is 5");
  CHECK_THROWS_ERROR(complete(model, known, KeepMask{Tensor<unsigned char, 2>({5, 4})}), ShapeError,
                     "KeepMask: mask is (5, 4), expected (4, 5) for images 4x5x1");
  CHECK_THROWS_ERROR(complete(model, Images(2, {4, 5, 3}, 2), KeepRows{1}), ShapeError,
                     "complete: images are 4x5x3, the model's are 4x5x1 (height x width x "
                     "channels); their number of channels must be the same");
  CHECK_THROWS_ERROR(complete(model, Images(2, {4, 5, 1}, 256), KeepRows{1}), ConfigError,
                     "complete: images have 256 levels, the model's bernoulli likelihood has 2");
}

namespace {

/// A checkerboard, by where it draws; what it finds already drawn must be one.
struct Checkerboard {
  Index* wrong;
  void check() const {}
  template <class P>
  [[nodiscard]] int draw(const P& p, double u, const DrawSite& site) const {
    const auto level = [&](Index row, Index column) {
      return static_cast<int>((row + column + static_cast<Index>(site.image)) % 2);
    };
    for (Index row = 0; row <= site.row; ++row) {
      for (Index column = 0; row < site.row ? column < site.drawn.shape()[1] : column < site.column;
           ++column) {
        if (site.drawn(row, column, site.channel) != level(row, column)) ++*wrong;
      }
    }
    const bool fits = std::ssize(site.room) == p.levels() && u >= 0 && u < 1;
    return fits ? level(site.row, site.column) : 1 - level(site.row, site.column);
  }
};
struct OutOfRange {
  int level;
  void check() const {}
  template <class P>
  [[nodiscard]] int draw(const P&, double, const DrawSite&) const {
    return level;
  }
};

}  // namespace

TEST_CASE("A rule sees where it draws, and what it has drawn", "[sampling][sample]") {
  const auto model = small_model<test::Softmax<3>>({4, 5, 3});
  Index wrong = 0;
  const SampleOptions options{.seed = 1, .threads = 1, .batch = 2, .first = 7};
  const Images walked = sample(model, 3, options, Checkerboard{&wrong}, Cached{});
  const Images passed = sample(model, 3, options, Checkerboard{&wrong}, FullForward{});
  CHECK(wrong == 0);
  CHECK(test::difference(walked, passed) == "");
  for (Index n = 0; n < 3; ++n) {
    for (Index column = 0; column < 5; ++column) {
      CHECK(int{walked[n](2, column, 1)} == (2 + column + n + 7) % 2);
    }
  }
}

TEST_CASE("A level that a rule must not draw is refused", "[sampling][sample]") {
  const auto model = small_model<test::Softmax<3>>({2, 2, 1});
  for (const int bad : {-1, 3}) {
    CHECK_THROWS_ERROR(static_cast<void>(sample(model, 1, {}, OutOfRange{bad})), ValueError,
                       "sample: the rule draws level " + std::to_string(bad) +
                           " at pixel 0, channel 0 of image 0, expected 0 to 2");
  }
}
