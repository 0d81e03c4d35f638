// SPDX-License-Identifier: MIT
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <pixelrnn/likelihood/bernoulli.hpp>
#include <pixelrnn/likelihood/logistic_mixture.hpp>
#include <pixelrnn/models/wave_net.hpp>
#include <pixelrnn/verify/samples.hpp>
#include <pixelrnn/verify/verify.hpp>

#include "support/allocations.hpp"
#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/model_proofs.hpp"
#include "support/samplers.hpp"

using namespace pixelrnn;

namespace {

using Mono = WaveNet<test::Softmax<3>, test::ReferenceBackend>;
using Binary = WaveNet<Bernoulli, test::ReferenceBackend>;

/// As many samples before an output as the docstring says, and the channels before its own.
test::Field line_field(const WaveNetConfig& c) {
  Index reach = c.kernel;
  for (Index l = 0; l < c.layers; ++l) reach += (c.kernel - 1) * (Index{1} << (l % c.cycle));
  return test::Field({1, 1, c.image.width, c.image.channels})
      .then([reach](const test::Cell& out, const test::Cell& in) {
        return (in.column < out.column && out.column - in.column <= reach) ||
               (test::is_same_pixel(in, out) && in.channel < out.channel);
      });
}

/// The docstring's equations as plain loops over weights by name; one channel, told nothing.
class NaiveWaveNet {
 public:
  template <class M>
  explicit NaiveWaveNet(const M& model) {
    for (const auto& [name, parameter] : parameters(model)) {
      weights_[name] = FeatureMap<double>(FeatureView<const double>(parameter->value()));
    }
  }
  /// Of x, a line of numbers.
  [[nodiscard]] FeatureMap<double> logits(const FeatureMap<double>& x,
                                          const WaveNetConfig& c) const {
    FeatureMap<double> h = causal("input", x, 1, 1, c.kernel);
    FeatureMap<double> s({1, 1, x.shape().w(), c.head});
    for (Index l = 0; l < c.layers; ++l) {
      const std::string layer = "layer" + std::to_string(l) + '.';
      const Index dilation = Index{1} << (l % c.cycle);
      const auto y = causal(layer + "dilated", h, dilation, 0, c.kernel - 1);
      FeatureMap<double> z({1, 1, x.shape().w(), c.hidden});
      for (Index t = 0; t < x.shape().w(); ++t) {
        for (Index i = 0; i < c.hidden; ++i) {
          z(0, 0, t, i) = std::tanh(y(0, 0, t, i)) / (1 + std::exp(-y(0, 0, t, c.hidden + i)));
        }
      }
      add(s, causal(layer + "skip", z, 1, 0, 0));
      if (l + 1 < c.layers) add(h, causal(layer + "residual", z, 1, 0, 0));
    }
    return causal("logits", positive(causal("head", positive(s), 1, 0, 0)), 1, 0, 0);
  }

 private:
  static void add(FeatureMap<double>& to, const FeatureMap<double>& x) {
    for (Index i = 0; i < to.size(); ++i) to.data()[i] += x.data()[i];
  }
  static FeatureMap<double> positive(FeatureMap<double> x) {
    for (double& v : x) v = std::max(v, 0.0);
    return x;
  }
  /// Taps `first` to `last` steps back, of a kernel whose middle is the present sample.
  [[nodiscard]] FeatureMap<double> causal(const std::string& name, const FeatureMap<double>& x,
                                          Index dilation, Index first, Index last) const {
    const FeatureMap<double>& k = weights_.at(name + ".weights");
    const FeatureMap<double>& bias = weights_.at(name + ".bias");
    const Shape<4> ks = k.shape();
    FeatureMap<double> y({1, 1, x.shape().w(), ks[3]});
    for (Index t = 0; t < x.shape().w(); ++t) {
      for (Index o = 0; o < ks[3]; ++o) {
        y(0, 0, t, o) = bias(0, 0, 0, o);
        for (Index back = first; back <= last && t >= back * dilation; ++back) {
          for (Index i = 0; i < ks[2]; ++i) {
            y(0, 0, t, o) += x(0, 0, t - back * dilation, i) * k(0, ks[1] / 2 - back, i, o);
          }
        }
      }
    }
    return y;
  }
  std::map<std::string, FeatureMap<double>> weights_;
};

}  // namespace

TEST_CASE("WaveNet computes the equations of its paper", "[models][wave_net]") {
  const WaveNetConfig config{
      .image = {1, 23, 1}, .layers = 5, .hidden = 3, .head = 4, .kernel = 3, .cycle = 3};
  const auto model = test::random_model<Mono>(config, 2);
  const auto x = test::encoded(model, test::random_images(1, config.image, 3, 3));
  const NaiveWaveNet naive(model);
  CHECK(test::difference(test::logits_of(model, x), naive.logits(x, config), 1e-12) == "");
  // The control: other dilations are another function.
  WaveNetConfig other = config;
  other.cycle = 5;
  CHECK(test::difference(test::logits_of(model, x), naive.logits(x, other), 1e-12) != "");
}

TEST_CASE("WaveNet sees the samples that its dilations reach, and nothing else",
          "[models][wave_net]") {
  for (const Index channels : {1, 2}) {
    for (const Index layers : {1, 4}) {
      const WaveNetConfig config{.image = {1, 17, channels},
                                 .layers = layers,
                                 .hidden = 6,
                                 .head = 16,
                                 .kernel = 2,
                                 .cycle = 3};
      CAPTURE(channels, layers);
      const auto model = test::random_model<Mono>(config, 3, 0.7);
      const auto report = test::check_field(model, line_field(config));
      CHECK(report.leak == "");
      CHECK(report.blind == "");
      // The control: one layer more would see more.
      WaveNetConfig deeper = config;
      ++deeper.layers;
      CHECK(test::check_field(model, line_field(deeper)).blind != "");
    }
  }
  Rng rng(1);
  // Of the paper's dilations 1 to 512: 1024 samples and the first convolution's two.
  CHECK(reach_of(Mono({.layers = 10}, rng).net()) == Reach{0, 1023 + 2, 0});
}

TEST_CASE("WaveNet's probabilities of all short lines sum to 1", "[models][wave_net]") {
  CHECK(test::total_probability(test::random_model<Mono>(
            {.image = {1, 6, 1}, .layers = 2, .hidden = 4, .head = 5}, 5)) ==
        Approx(1).epsilon(1e-12));
  CHECK(test::total_probability(test::random_model<Mono>(
            {.image = {1, 3, 2}, .layers = 2, .hidden = 4, .head = 5}, 6)) ==
        Approx(1).epsilon(1e-12));
}

TEST_CASE("WaveNet passes the gradient check as a whole", "[models][wave_net]") {
  for (const Index channels : {1, 2}) {
    auto model = test::random_model<Mono>(
        {.image = {1, 7, channels}, .layers = 3, .hidden = 4, .head = 3, .kernel = 3, .cycle = 2},
        7);
    const GradcheckReport report = test::check_gradients(model);
    INFO(report.where);
    CHECK(report);
  }
}

TEST_CASE("WaveNet: both samplers draw the same lines, and by its probabilities",
          "[models][wave_net]") {
  for (const Index channels : {1, 2}) {
    CAPTURE(channels);
    // Longer than what the rings hold.
    const auto model = test::random_model<WaveNet<test::Softmax<3>>>(
        {.image = {1, 40, channels}, .layers = 6, .hidden = 8, .head = 6, .kernel = 3, .cycle = 3},
        1);
    CHECK(test::sampler_difference(model) == "");
    CHECK(test::batch_difference(model) == "");
  }
  const auto tiny = test::random_model<WaveNet<test::Softmax<3>>>(
      {.image = {1, 4, 1}, .layers = 2, .hidden = 4, .head = 4}, 3);
  CHECK(verify_distribution(tiny).where == "");
}

TEST_CASE("WaveNet is told classes, and numbers for each sample", "[models][wave_net]") {
  for (const Condition condition : {Condition{.classes = 3}, Condition{.channels = 2},
                                    Condition{.channels = 2, .features = 3}}) {
    const auto model = test::random_model<Mono>(
        {.image = {1, 5, 1}, .layers = 2, .hidden = 4, .head = 4, .condition = condition}, 9);
    CHECK(verify_normalisation(model).where == "");
    CHECK(verify_causality(model).where == "");
    CHECK(verify_samplers(model).where == "");
  }
  // A local condition: another number at one sample changes what is said of those that see it.
  const auto model = test::random_model<Mono>(
      {.image = {1, 5, 1}, .layers = 1, .hidden = 4, .head = 4, .condition = {.channels = 1}}, 9);
  const auto x = test::encoded(model, test::random_images(1, {1, 5, 1}, 3, 3));
  const auto given = [&](float value) {
    FeatureMap<float> told({1, 1, 5, 1});
    told(0, 0, 3, 0) = value;
    Tape<double> tape;
    const auto z = logits_given(model, tape.constant(x), {.maps = told});
    return FeatureMap<double>(z.value());
  };
  const auto plain = given(0), other = given(1);
  for (Index t = 0; t < 5; ++t) CHECK((plain(0, 0, t, 0) != other(0, 0, t, 0)) == (t == 3));
}

TEST_CASE("A line without an end is walked in constant memory, with the bits of a short one",
          "[models][wave_net]") {
  using Fast = WaveNet<test::Softmax<3>>;
  const WaveNetConfig config{.image = {1, 90, 1}, .layers = 5, .hidden = 8, .head = 6, .cycle = 5};
  const auto model = test::random_model<Fast>(config, 4);
  const Images drawn = sample(model, 1, {.seed = 5});
  Walker endless(model, {.width = WalkerOptions::endless});
  std::size_t allocated = 0;
  for (Index t = 0; t < 90; ++t) {
    if (t == 2) allocated = test::allocation_count();
    const auto p = endless.next();
    const double u = keyed_uniform(5, 0, t, 0);
    int level = 0;
    while (level < 2 && u >= p.below(level + 1)) ++level;
    REQUIRE(level == drawn[0](0, t, 0));
    endless.put(static_cast<Images::Level>(level));
  }
  CHECK(test::allocation_count() == allocated);
  CHECK(!endless.done());
  CHECK_THROWS_ERROR(Walker(model, {.height = 2, .width = WalkerOptions::endless}), ConfigError,
                     "Walker: a line of an image is endless, expected a net that reads no rows");
}

TEST_CASE("WaveNet says what it is, and is made again of its words", "[models][wave_net]") {
  Rng rng(1);
  const Mono model(
      {.image = {1, 9, 1}, .layers = 2, .hidden = 4, .head = 5, .kernel = 3, .cycle = 2}, rng);
  auto words = model.describe();
  CHECK(words["net"] ==
        "WaveNet(1 = MaskedConv2d<A>(1->4, 1x7) of 0; 2 = MaskedConv2d<B>(4->8, 1x5) of 1; "
        "3 = Gate of 2; 4 = MaskedConv2d<B>(4->5, 1x1) of 3; 5 = MaskedConv2d<B>(4->4, 1x1) of 3; "
        "6 = 1 + 5; 7 = MaskedConv2d<B>(4->8, 1x5, dilation 2) of 6; 8 = Gate of 7; 9 = "
        "MaskedConv2d<B>(4->5, 1x1) of 8; 10 = 4 + 9; 11 = MaskedConv2d<B>(5->5, 1x1, of "
        "max(x, 0)) of 10; 12 = MaskedConv2d<B>(5->3, 1x1, of max(x, 0)) of 11)");
  words.erase("net");
  CHECK(words == std::map<std::string, std::string>{{"model", "wavenet"},
                                                    {"image", "1x9x1"},
                                                    {"likelihood", "categorical3"},
                                                    {"layers", "2"},
                                                    {"hidden", "4"},
                                                    {"head", "5"},
                                                    {"kernel", "3"},
                                                    {"cycle", "2"},
                                                    {"encoding", "-1..1"}});
  const auto again = WaveNet<Categorical>::made_of(ModelWords("test", model.describe()), 1 << 20);
  REQUIRE(again.has_value());
  CHECK(again->describe() == model.describe());
  std::uint64_t weights = 0;  // those that masks forbid are stored too
  for (const auto& [name, parameter] : parameters(model)) {
    weights += static_cast<std::uint64_t>(parameter->value().size());
  }
  CHECK(WaveNet<Categorical>::made_of(ModelWords("test", model.describe()), 2 * weights));
  words = model.describe();
  words["kernel"] = "16777215";
  CHECK_THROWS_ERROR(WaveNet<Categorical>::made_of(ModelWords("test", words), 1 << 20), ConfigError,
                     "has at least");
  // By hand: 3 taps back; 3 taps of 4 to 8 maps; skips and one residual; head and logits.
  const Index dilated = 3 * 4 * 8 + 8, skip = 4 * 5 + 5;
  CHECK(parameter_count(model) ==
        3 * 4 + 4 + 2 * (dilated + skip) + (4 * 4 + 4) + (5 * 5 + 5) + (5 * 3 + 3));
}

TEST_CASE("WaveNet's sizes are checked", "[models][wave_net]") {
  Rng rng(1);
  CHECK_THROWS_ERROR(Mono({.image = {2, 5, 1}}, rng), ConfigError,
                     "WaveNet: Config::image is 2x5x1 by rows, expected height 1 and rows");
  CHECK_THROWS_ERROR(Mono({.image = {1, 5, 1}, .orientation = {.by_columns = true}}, rng),
                     ConfigError, "by columns, expected height 1 and rows");
  CHECK_THROWS_ERROR(Mono({.kernel = 1}, rng), ConfigError,
                     "WaveNet: Config is {kernel=1, cycle=10}, expected a kernel of 2 or more");
  CHECK_THROWS_ERROR(Mono({.cycle = 17}, rng), ConfigError, "a cycle of 1 to 16");
  CHECK_THROWS_ERROR(Mono({.image = {1, 5, 2}, .hidden = 3}, rng), ConfigError,
                     "Config::hidden is 3, expected a multiple of 2, the channels");
}
