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

/// The variant that is much taught, small.
GatedPixelCNNConfig taught(ImageShape image, Index hidden = 4) {
  return {.image = image,
          .layers = 4,
          .hidden = hidden,
          .head = 0,
          .first_kernel = 3,
          .dilations = {1, 2},
          .first_gated = false,
          .head_elu = true};
}

/// The equations of the paper's fig. 2 as plain loops over weights by name; grey, told nothing.
class NaiveGated {
 public:
  NaiveGated(const GatedGrey& model, const GatedPixelCNNConfig& config) : config_(config) {
    for (const auto& [name, parameter] : parameters(model)) {
      weights_[name] = FeatureMap<double>(FeatureView<const double>(parameter->value()));
    }
  }
  [[nodiscard]] FeatureMap<double> logits(const FeatureMap<double>& x) const {
    FeatureMap<double> v = x, h = x;
    for (Index l = 0; l < config_.layers; ++l) {
      const std::string name = "layer" + std::to_string(l) + '.';
      const auto turn = static_cast<std::size_t>(l - 1);
      const Index apart = l == 0 || config_.dilations.empty()
                              ? 1
                              : config_.dilations[turn % config_.dilations.size()];
      // Rows above; later layers also this row of what knows nothing but rows above.
      const auto rows = convolved(
          name + "vertical", v, [l](Index dy, Index) { return l == 0 ? dy < 0 : dy <= 0; }, apart);
      auto own = convolved(
          name + "horizontal", h, [l](Index, Index dx) { return l == 0 ? dx < 0 : dx <= 0; },
          apart);
      if (l == 0 && !config_.first_gated) {
        v = rows, h = own;
        continue;
      }
      const auto down = convolved(name + "down", rows, everything);
      for (Index i = 0; i < own.size(); ++i) own.data()[i] += down.data()[i];
      auto out = convolved(name + "out", gated(own), everything);
      for (Index i = 0; i < out.size() && l > 0; ++i) out.data()[i] += h.data()[i];
      v = gated(rows), h = out;
    }
    if (config_.head > 0) h = convolved("head", bent(h), everything);
    return convolved("logits", bent(h), everything);
  }

 private:
  static bool everything(Index, Index) { return true; }
  [[nodiscard]] FeatureMap<double> bent(FeatureMap<double> x) const {
    for (double& v : x) v = v > 0 ? v : config_.head_elu ? std::exp(v) - 1 : 0;
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
                                             Allowed allowed, Index apart = 1) const {
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
                const Index row = r + apart * dy, column = j + apart * dx;
                const bool is_inside = row >= 0 && row < s.h() && column >= 0 && column < s.w();
                if (!is_inside || !allowed(dy, dx)) continue;
                for (Index i = 0; i < s.c(); ++i) {
                  sum += x(n, row, column, i) * k(dy + ks[0] / 2, dx + ks[1] / 2, i, o);
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
  GatedPixelCNNConfig config_;
  std::map<std::string, FeatureMap<double>> weights_;
};

}  // namespace

TEST_CASE("Gated PixelCNN computes the equations of its paper", "[models][gated_pixel_cnn]") {
  const ImageShape image{5, 6, 1};
  const GatedPixelCNNConfig of_paper{
      .image = image, .layers = 3, .hidden = 4, .head = 3, .first_kernel = 5};
  GatedPixelCNNConfig only_gated = taught(image), only_dilated = of_paper, only_elu = of_paper;
  only_gated.first_gated = true, only_dilated.dilations = {2}, only_elu.head_elu = true;
  for (const auto& config : {of_paper, taught(image), only_gated, only_dilated, only_elu}) {
    const auto model = test::random_model<GatedGrey>(config, 2);
    const auto x = test::encoded(model, test::random_images(2, image, 2, 3));
    const auto is = [&](const GatedPixelCNNConfig& of) {
      return test::difference(test::logits_of(model, x), NaiveGated(model, of).logits(x), 1e-12);
    };
    CHECK(is(config) == "");
    // The controls: one layer less, other dilations and activations are other functions.
    GatedPixelCNNConfig other = config;
    other.layers -= 1;
    CHECK(is(other) != "");
    other = config, other.dilations = {1, 3};
    CHECK(is(other) != "");
    other = config, other.head_elu = !config.head_elu;
    CHECK(is(other) != "");
  }
}

TEST_CASE("Gated PixelCNN with dilations and a plain first layer passes all proofs",
          "[models][gated_pixel_cnn]") {
  // Four layers see three rows up, three columns to the left, and all that later ones reach.
  const auto model = test::random_model<GatedGrey>(taught({5, 4, 1}), 3, 0.5);
  const auto report = test::check_field(model, whole_past({5, 4, 1}));
  CHECK(report.leak == "");
  CHECK(report.blind == "");
  CHECK(verify_completeness(model).where == "");
  auto small = test::random_model<GatedGrey>(taught({3, 3, 1}), 7);
  CHECK(verify_normalisation(small).where == "");
  const GradcheckReport gradients = test::check_gradients(small);
  INFO(gradients.where);
  CHECK(gradients);
  // Colours, conditions and fast kernels.
  using FastColour = GatedPixelCNN<test::Softmax<3>>;
  GatedPixelCNNConfig config = taught({4, 3, 3}, 6);
  config.condition = {.classes = 3};
  const auto colour = test::random_model<FastColour>(config, 2);
  CHECK(verify_causality(colour).where == "");
  CHECK(verify_samplers(colour).where == "");
  CHECK(test::total_probability(test::random_model<GatedColour>(taught({1, 2, 3}, 6), 6)) ==
        Approx(1).epsilon(1e-12));
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
  // No layer but the first: two 1×1 convolutions beside its kernels, of 2h and h maps.
  words = wide.describe(), words["hidden"] = "100000", words["head"] = "1";
  words["first_kernel"] = words["kernel"] = "1";
  CHECK_THROWS_ERROR(GatedGrey::made_of(ModelWords("test", words), 1 << 20), ConfigError,
                     "has at least");
  words = wide.describe();
  words["kernel"] = "16777215", words["layers"] = "2";
  CHECK_THROWS_ERROR(GatedGrey::made_of(ModelWords("test", words), 1 << 20), ConfigError,
                     "has at least");
  // By hand: 5·5 taps of which 10 above, 1x5 with 2 left; then 3x3 with 6, 1x3 with 2.
  const Index first = 10 * 12 + 12 + 12 * 12 + 12 + 2 * 12 + 12 + 6 * 6 + 6;
  const Index second = 6 * 6 * 12 + 12 + 12 * 12 + 12 + 2 * 6 * 12 + 12 + 6 * 6 + 6;
  CHECK(parameter_count(model) == first + second + 6 * 7 + 7 + 7 * 1 + 1);
}

TEST_CASE("Gated PixelCNN's options are words, and words that are none are refused",
          "[models][gated_pixel_cnn]") {
  Rng rng(1);
  const GatedGrey model(taught({4, 5, 1}), rng);
  auto words = model.describe();
  CHECK(words["dilations"] == "1,2");
  CHECK(words["first_gated"] == "false");
  CHECK(words["head_elu"] == "true");
  CHECK(words["head"] == "0");
  const auto made = [](const auto& of, std::uint64_t bytes = 1 << 20) {
    return GatedGrey::made_of(ModelWords("test", of), bytes);
  };
  const auto again = made(words);
  REQUIRE(again.has_value());
  CHECK(again->describe() == words);
  std::uint64_t weights = 0;
  for (const auto& [name, parameter] : parameters(model)) {
    weights += static_cast<std::uint64_t>(parameter->value().size());
  }
  CHECK(made(words, 2 * weights));
  for (const char* const wrong :
       {"", ",", "1,", ",1", "0", "-1", "1 2", "1,99999999999999999999"}) {
    CAPTURE(wrong);
    words["dilations"] = wrong;
    CHECK_THROWS_ERROR(made(words), ConfigError, "test: dilations is ");
  }
  // A walk would keep as many rows, each as much wider.
  words["dilations"] = "16777216";
  CHECK_THROWS_ERROR(made(words), ConfigError,
                     "Config::dilations has 16777216, expected 1 to 5: kernels reach no further");
  words["image"] = "1x16777216x1", words["dilations"] = "257";
  CHECK_THROWS_ERROR(made(words), ConfigError, "expected 1 to 256: kernels reach no further");
  words["kernel"] = "9", words["dilations"] = "65";
  CHECK_THROWS_ERROR(made(words), ConfigError, "expected 1 to 64: kernels reach no further");
  words = model.describe(), words["dilations"] = "1,1,1,1,1";
  CHECK_THROWS_ERROR(made(words), ConfigError, "expected no more of them than layers");
  words = model.describe(), words["first_gated"] = "no";
  CHECK_THROWS_ERROR(made(words), ConfigError, "first_gated is \"no\", expected true or false");
}

TEST_CASE("Gated PixelCNN's sizes are checked", "[models][gated_pixel_cnn]") {
  Rng rng(1);
  CHECK_THROWS_ERROR(GatedColour({.image = {4, 5, 3}, .hidden = 16}, rng), ConfigError,
                     "GatedPixelCNN: Config::hidden is 16, expected a multiple of 3, the colours");
  CHECK_THROWS_ERROR(GatedGrey({.image = {4, 5, 1}, .layers = 0}, rng), ConfigError,
                     "model: Config is {layers=0");
  CHECK_THROWS_ERROR(GatedGrey({.image = {4, 5, 1}, .head = -1}, rng), ConfigError,
                     "model: Config is {layers=7, hidden=32, head=-1");
  CHECK_THROWS_ERROR(GatedGrey({.image = {4, 5, 1}, .layers = 1, .first_gated = false}, rng),
                     ConfigError, "first_gated is false and there is 1 layer, expected 2 or more");
  CHECK_THROWS_ERROR(GatedGrey({.image = {4, 5, 1}, .dilations = {1, 0}}, rng), ConfigError,
                     "Config::dilations has 0, expected 1 to 5");
  CHECK_THROWS_ERROR(GatedGrey({.image = {4, 5, 1}, .kernel = 4}, rng), ConfigError,
                     "expected odd kernel sizes");
}
