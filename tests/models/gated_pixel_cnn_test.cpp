// SPDX-License-Identifier: MIT
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <pixelrnn/likelihood/categorical.hpp>
#include <pixelrnn/models/gated_pixel_cnn.hpp>
#include <pixelrnn/verify/samples.hpp>
#include <pixelrnn/verify/verify.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/model_proofs.hpp"
#include "support/samplers.hpp"

using namespace pixelrnn;

namespace {

using GatedGrey = GatedPixelCNN<Bernoulli, test::ReferenceBackend>;
using GatedColour = GatedPixelCNN<test::Softmax<3>, test::ReferenceBackend>;

/// Everything before an output, R, G, B one after the other: there is no blind spot.
test::Field whole_past(const ImageShape& s) {
  return test::Field({1, s.height, s.width, s.channels})
      .then([](const test::Cell& out, const test::Cell& in) {
        return test::is_before(in, out) ||
               (test::is_same_pixel(in, out) && in.channel < out.channel);
      });
}

/// The equations of the paper's fig. 2 as plain loops over weights by name; grey, told nothing.
class NaiveGated {
 public:
  explicit NaiveGated(const GatedGrey& model) {
    for (const auto& [name, parameter] : parameters(model)) {
      weights_[name] = FeatureMap<double>(FeatureView<const double>(parameter->value()));
    }
  }
  [[nodiscard]] FeatureMap<double> logits(const FeatureMap<double>& x, Index layers) const {
    FeatureMap<double> v = x, h = x;
    for (Index l = 0; l < layers; ++l) {
      const std::string name = "layer" + std::to_string(l) + '.';
      // Rows above; later layers also this row of what knows nothing but rows above.
      const auto rows = convolved(name + "vertical", v,
                                  [l](Index dy, Index) { return l == 0 ? dy < 0 : dy <= 0; });
      auto own = convolved(name + "horizontal", h,
                           [l](Index, Index dx) { return l == 0 ? dx < 0 : dx <= 0; });
      const auto down = convolved(name + "down", rows, everything);
      for (Index i = 0; i < own.size(); ++i) own.data()[i] += down.data()[i];
      auto out = convolved(name + "out", gated(own), everything);
      for (Index i = 0; i < out.size() && l > 0; ++i) out.data()[i] += h.data()[i];
      v = gated(rows), h = out;
    }
    return convolved("logits", positive(convolved("head", positive(h), everything)), everything);
  }

 private:
  static bool everything(Index, Index) { return true; }
  static FeatureMap<double> positive(FeatureMap<double> x) {
    for (double& v : x) v = std::max(v, 0.0);
    return x;
  }
  static FeatureMap<double> gated(const FeatureMap<double>& x) {
    const Index half = x.shape().c() / 2;
    FeatureMap<double> y(x.shape().with_channels(half));
    for (Index i = 0; i < y.size(); ++i) {
      const double* const pair = x.data() + i / half * 2 * half + i % half;
      y.data()[i] = std::tanh(pair[0]) / (1 + std::exp(-pair[half]));
    }
    return y;
  }
  template <class Allowed>
  [[nodiscard]] FeatureMap<double> convolved(const std::string& name, const FeatureMap<double>& x,
                                             Allowed allowed) const {
    const FeatureMap<double>& k = weights_.at(name + ".weights");
    const FeatureMap<double>& bias = weights_.at(name + ".bias");
    const Shape<4> s = x.shape(), ks = k.shape();
    FeatureMap<double> y(s.with_channels(ks[3]));
    for (Index n = 0; n < s.n(); ++n) {
      for (Index r = 0; r < s.h(); ++r) {
        for (Index j = 0; j < s.w(); ++j) {
          for (Index o = 0; o < ks[3]; ++o) {
            double sum = bias(0, 0, 0, o);
            for (Index dy = -ks[0] / 2; dy <= ks[0] / 2; ++dy) {
              for (Index dx = -ks[1] / 2; dx <= ks[1] / 2; ++dx) {
                const bool is_inside =
                    r + dy >= 0 && r + dy < s.h() && j + dx >= 0 && j + dx < s.w();
                if (!is_inside || !allowed(dy, dx)) continue;
                for (Index i = 0; i < s.c(); ++i) {
                  sum += x(n, r + dy, j + dx, i) * k(dy + ks[0] / 2, dx + ks[1] / 2, i, o);
                }
              }
            }
            y(n, r, j, o) = sum;
          }
        }
      }
    }
    return y;
  }
  std::map<std::string, FeatureMap<double>> weights_;
};

}  // namespace

TEST_CASE("Gated PixelCNN computes the equations of its paper", "[models][gated_pixel_cnn]") {
  const Index layers = 3;
  const auto model = test::random_model<GatedGrey>(
      {.image = {5, 6, 1}, .layers = layers, .hidden = 4, .head = 3, .first_kernel = 5}, 2);
  const auto x = test::encoded(model, test::random_images(2, {5, 6, 1}, 2, 3));
  CHECK(test::difference(test::logits_of(model, x), NaiveGated(model).logits(x, layers), 1e-12) ==
        "");
  // The control: one layer less is another function.
  CHECK(test::difference(test::logits_of(model, x), NaiveGated(model).logits(x, layers - 1),
                         1e-12) != "");
}

TEST_CASE("Gated PixelCNN sees the whole past, and nothing else", "[models][gated_pixel_cnn]") {
  for (const ImageShape image :
       {ImageShape{1, 1, 1}, ImageShape{1, 6, 1}, ImageShape{6, 1, 1}, ImageShape{5, 4, 1}}) {
    CAPTURE(image);
    const auto model = test::random_model<GatedGrey>(
        {.image = image, .layers = 4, .hidden = 4, .head = 5}, 3, 0.5);
    const auto report = test::check_field(model, whole_past(image));
    CHECK(report.leak == "");
    CHECK(report.blind == "");
  }
  const auto colour = test::random_model<GatedColour>(
      {.image = {3, 3, 3}, .layers = 3, .hidden = 18, .head = 24}, 4, 0.5);
  const auto report = test::check_field(colour, whole_past({3, 3, 3}));
  CHECK(report.leak == "");
  CHECK(report.blind == "");
}

TEST_CASE("Gated PixelCNN's probabilities of all tiny images sum to 1",
          "[models][gated_pixel_cnn]") {
  for (const ImageShape image : {ImageShape{1, 1, 1}, ImageShape{3, 3, 1}, ImageShape{1, 2, 3}}) {
    CAPTURE(image);
    CHECK(test::total_probability(test::random_model<GatedGrey>(
              {.image = image, .layers = 2, .hidden = 6, .head = 5}, 5)) ==
          Approx(1).epsilon(1e-12));
  }
  CHECK(test::total_probability(test::random_model<GatedColour>(
            {.image = {1, 2, 3}, .layers = 2, .hidden = 6, .head = 5}, 6)) ==
        Approx(1).epsilon(1e-12));
}

TEST_CASE("Gated PixelCNN passes the gradient check as a whole", "[models][gated_pixel_cnn]") {
  auto grey =
      test::random_model<GatedGrey>({.image = {3, 4, 1}, .layers = 2, .hidden = 3, .head = 4}, 7);
  const GradcheckReport of_grey = test::check_gradients(grey);
  INFO(of_grey.where);
  CHECK(of_grey);
  auto colour =
      test::random_model<GatedColour>({.image = {2, 3, 3}, .layers = 2, .hidden = 3, .head = 3}, 8);
  const GradcheckReport of_colour = test::check_gradients(colour);
  INFO(of_colour.where);
  CHECK(of_colour);
}

TEST_CASE("Gated PixelCNN: both samplers draw the same images, and by its probabilities",
          "[models][gated_pixel_cnn]") {
  using Fast = GatedPixelCNN<>;
  CHECK(test::sampler_difference(test::random_model<Fast>(
            {.image = {5, 4, 1}, .layers = 3, .hidden = 16, .head = 6}, 1)) == "");
  using FastColour = GatedPixelCNN<test::Softmax<3>>;
  const auto colour =
      test::random_model<FastColour>({.image = {4, 3, 3}, .layers = 2, .hidden = 6, .head = 6}, 2);
  CHECK(test::sampler_difference(colour) == "");
  CHECK(test::batch_difference(colour) == "");
  const auto tiny =
      test::random_model<Fast>({.image = {2, 3, 1}, .layers = 2, .hidden = 4, .head = 4}, 3);
  CHECK(verify_distribution(tiny).where == "");
}

TEST_CASE("Gated PixelCNN is told classes and maps in both stacks", "[models][gated_pixel_cnn]") {
  for (const Condition condition : {Condition{.classes = 3}, Condition{.channels = 2}}) {
    const auto model = test::random_model<GatedGrey>(
        {.image = {3, 3, 1}, .layers = 2, .hidden = 4, .head = 4, .condition = condition}, 9);
    CHECK(verify_normalisation(model).where == "");
    CHECK(verify_causality(model).where == "");
    CHECK(verify_samplers(model).where == "");
  }
  Rng rng(1);
  const GatedGrey told({.image = {3, 3, 1}, .layers = 2, .condition = {.classes = 3}}, rng);
  const auto names = test::parameter_names(told);
  for (const char* const name :
       {"layer0.vertical.condition_weights", "layer1.horizontal.condition_weights"}) {
    CAPTURE(name);
    CHECK(std::count(names.begin(), names.end(), name) == 1);
  }
}

TEST_CASE("Gated PixelCNN says what it is, and is made again of its words",
          "[models][gated_pixel_cnn]") {
  Rng rng(1);
  const GatedGrey model(
      {.image = {4, 5, 1}, .layers = 2, .hidden = 6, .head = 7, .first_kernel = 5}, rng);
  auto words = model.describe();
  CHECK(
      words["net"].find("GatedPixelCNN(1 = MaskedConv2d<above>(1->12, 5x5) of 0; 2 = "
                        "MaskedConv2d<A>(1->12, 1x5) of 0; 3 = MaskedConv2d<none>(12->12, 1x1) of "
                        "1; 4 = 2 + 3; 5 = Gate of 4; 6 = Gate of 1; 7 = "
                        "MaskedConv2d<B>(6->6, 1x1) of 5; ") == 0);
  words.erase("net");
  CHECK(words == std::map<std::string, std::string>{{"model", "gated_pixel_cnn"},
                                                    {"image", "4x5x1"},
                                                    {"likelihood", "bernoulli"},
                                                    {"layers", "2"},
                                                    {"hidden", "6"},
                                                    {"head", "7"},
                                                    {"first_kernel", "5"},
                                                    {"kernel", "3"},
                                                    {"encoding", "-1..1"}});
  const auto again = GatedGrey::made_of(ModelWords("test", model.describe()), 1 << 20);
  REQUIRE(again.has_value());
  CHECK(again->describe() == model.describe());
  // The smallest file of it has two bytes a weight.
  const GatedGrey wide({.image = {4, 5, 1}, .layers = 1, .hidden = 2, .head = 64}, rng);
  std::uint64_t weights = 0;  // those that masks forbid are stored too
  for (const auto& [name, parameter] : parameters(wide)) {
    weights += static_cast<std::uint64_t>(parameter->value().size());
  }
  CHECK(GatedGrey::made_of(ModelWords("test", wide.describe()), 2 * weights));
  words = wide.describe();
  words["kernel"] = "16777215", words["layers"] = "2";
  CHECK_THROWS_ERROR(GatedGrey::made_of(ModelWords("test", words), 1 << 20), ConfigError,
                     "has at least");
  // By hand: 5·5 taps of which 10 above, 1x5 with 2 left; then 3x3 with 6, 1x3 with 2.
  const Index first = 10 * 12 + 12 + 12 * 12 + 12 + 2 * 12 + 12 + 6 * 6 + 6;
  const Index second = 6 * 6 * 12 + 12 + 12 * 12 + 12 + 2 * 6 * 12 + 12 + 6 * 6 + 6;
  CHECK(parameter_count(model) == first + second + 6 * 7 + 7 + 7 * 1 + 1);
}

TEST_CASE("Gated PixelCNN's sizes are checked", "[models][gated_pixel_cnn]") {
  Rng rng(1);
  CHECK_THROWS_ERROR(GatedColour({.image = {4, 5, 3}, .hidden = 16}, rng), ConfigError,
                     "GatedPixelCNN: Config::hidden is 16, expected a multiple of 3, the colours");
  CHECK_THROWS_ERROR(GatedGrey({.image = {4, 5, 1}, .layers = 0}, rng), ConfigError,
                     "model: Config is {layers=0");
  CHECK_THROWS_ERROR(GatedGrey({.image = {4, 5, 1}, .kernel = 4}, rng), ConfigError,
                     "expected odd kernel sizes");
}
