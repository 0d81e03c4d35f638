// SPDX-License-Identifier: MIT
// Layers and optimisers against PyTorch, from tests/fixtures.
#include <filesystem>
#include <set>
#include <string>

#include <pixelrnn/nn/diagonal_lstm.hpp>
#include <pixelrnn/nn/masked_conv2d.hpp>
#include <pixelrnn/nn/row_lstm.hpp>
#include <pixelrnn/optim/optimizer.hpp>

#include "support/backends.hpp"
#include "support/fixture.hpp"

using namespace pixelrnn;
using test::Fixture, test::Kind;

namespace {

/// Everything a fixture of a layer says, against a layer with its parameters: empty, or where they
/// first disagree.
template <class L>
std::string layer_disagreement(const L& layer, Fixture& fixture) {
  using T = typename L::Scalar;
  clear_gradients(layer);
  Tape<T> tape({.threads = 2});
  const FeatureMap<T> input = fixture.map<T>("input");
  const Variable<T> x = tape.input(input);
  const Variable<T> y = layer.forward(x);
  const FeatureMap<T> output_gradient = fixture.map<T>("output_gradient");
  tape.backward(y, output_gradient);
  std::string where = test::disagreement(FeatureMap<T>(y.value()), fixture, "output", Kind::output);
  if (where.empty()) {
    where = test::disagreement(FeatureMap<T>(tape.gradient(x)), fixture, "input_gradient",
                               Kind::gradient);
  }
  return where.empty() ? test::gradient_disagreement(layer, fixture) : where;
}

template <class L>
void check_layer(const std::string& name, const typename L::Config& config) {
  CAPTURE(name);
  Fixture fixture(name);
  Rng rng(1);
  L layer(config, rng);
  test::load_parameters(layer, fixture);
  CHECK(layer_disagreement(layer, fixture) == "");
  CHECK(fixture.unread() == "");
}

/// Two parameters of a user's model, as in the fixtures of optimisers.
template <class T>
struct Pair {
  using Scalar = T;
  Parameter<T> a{Shape<4>{1, 1, 2, 3}}, b{Shape<4>{1, 1, 1, 2}};
  void for_each_parameter(auto&& visit) { visit("a", a), visit("b", b); }
};

/// Steps along the gradients of a fixture, comparing the parameters after each.
template <class T, class Rule>
void check_steps(Fixture& fixture, const Rule& rule) {
  Pair<T> pair;
  test::load_parameters(pair, fixture, "initial.");
  Optimizer<Rule, T> optimizer(rule, parameters(pair));
  const Index steps = fixture.map<T>("gradients.a").shape()[0];
  REQUIRE(steps == 5);
  for (Index t = 0; t < steps; ++t) {
    CAPTURE(t);
    for (const auto& [name, parameter] : parameters(pair)) {
      const Tensor<T, 4> all = fixture.map<T>("gradients." + name);
      std::copy_n(all.view().slice(t, 1).begin(), parameter->size(), parameter->gradient().begin());
    }
    optimizer.step();
    for (const auto& [name, parameter] : parameters(pair)) {
      CAPTURE(name);
      const FeatureMap<double> all = fixture.map<double>("values." + name);
      const FeatureMap<T> found{FeatureView<const T>(parameter->value())};
      CHECK(test::disagreement(found, FeatureMap<double>(all.view().slice(t, 1)), Kind::output) ==
            "");
    }
  }
  CHECK(fixture.unread() == "");
}

}  // namespace

TEMPLATE_TEST_CASE("Masked convolutions are those of PyTorch", "[io][torch]", test::XsimdBackend,
                   test::FloatXsimdBackend) {
  using A = MaskedConv2d<MaskA, TestType>;
  using B = MaskedConv2d<MaskB, TestType>;
  check_layer<A>("masked_conv2d_a", {.out_channels = 3, .kernel_height = 7, .kernel_width = 7});
  check_layer<A>(
      "masked_conv2d_a_rgb",
      {.in_channels = 3, .out_channels = 5, .kernel_height = 3, .kernel_width = 5, .colours = 3});
  check_layer<B>("masked_conv2d_b",
                 {.in_channels = 2, .out_channels = 3, .kernel_height = 3, .kernel_width = 3});
  check_layer<B>(
      "masked_conv2d_b_rgb",
      {.in_channels = 4, .out_channels = 5, .kernel_height = 5, .kernel_width = 3, .colours = 3});
  check_layer<B>(
      "masked_conv2d_b_dilated",
      {.in_channels = 2, .out_channels = 3, .kernel_height = 3, .kernel_width = 3, .dilation = 2});
  check_layer<B>("masked_conv2d_b_relu", {.in_channels = 2,
                                          .out_channels = 3,
                                          .kernel_height = 3,
                                          .kernel_width = 3,
                                          .relu_input = true});
}

TEMPLATE_TEST_CASE("Row LSTM is that of PyTorch", "[io][torch]", test::XsimdBackend,
                   test::FloatXsimdBackend) {
  using Zero = RowLSTM<ZeroState, TestType>;
  using Learned = RowLSTM<LearnedState, TestType>;
  check_layer<Zero>("row_lstm_zero", {.in_channels = 2, .hidden = 3});
  check_layer<Learned>("row_lstm_learned", {.in_channels = 2, .hidden = 3, .kernel = 5});
  check_layer<Learned>("row_lstm_learned_rgb", {.in_channels = 4, .hidden = 3, .colours = 3});
}

TEMPLATE_TEST_CASE("Diagonal BiLSTM with a learned state is that of PyTorch", "[io][torch]",
                   test::XsimdBackend, test::FloatXsimdBackend) {
  using State = LearnedState;
  const DiagonalConfig grey{.in_channels = 2, .hidden = 3};
  const DiagonalConfig rgb{.in_channels = 4, .hidden = 3, .colours = 3};
  check_layer<DiagonalLSTM<FromLeft, State, TestType>>("diagonal_left_learned", grey);
  check_layer<DiagonalLSTM<FromRight, State, TestType>>("diagonal_right_learned", grey);
  check_layer<DiagonalBiLSTM<State, TestType>>("diagonal_bilstm_learned", grey);
  check_layer<DiagonalBiLSTM<State, TestType>>("diagonal_bilstm_rgb_learned", rgb);
}

TEMPLATE_TEST_CASE("Diagonal BiLSTM whose state is scanned over the padding is that of PyTorch",
                   "[io][torch]", test::XsimdBackend, test::FloatXsimdBackend) {
  using State = PaddedScanState;
  const DiagonalConfig grey{.in_channels = 2, .hidden = 3};
  const DiagonalConfig rgb{.in_channels = 4, .hidden = 3, .colours = 3};
  check_layer<DiagonalLSTM<FromLeft, State, TestType>>("diagonal_left_padded_scan", grey);
  check_layer<DiagonalLSTM<FromRight, State, TestType>>("diagonal_right_padded_scan", grey);
  check_layer<DiagonalBiLSTM<State, TestType>>("diagonal_bilstm_padded_scan", grey);
  check_layer<DiagonalBiLSTM<State, TestType>>("diagonal_bilstm_rgb_padded_scan", rgb);
}

TEMPLATE_TEST_CASE("SGD, RMSProp and Adam take the steps of PyTorch", "[io][torch]", double,
                   float) {
  Fixture sgd("optim_sgd"), rmsprop("optim_rmsprop"), adam("optim_adam");
  check_steps<TestType>(
      sgd, SGD{.learning_rate = sgd.number("learning_rate"), .momentum = sgd.number("momentum")});
  check_steps<TestType>(rmsprop, RMSProp{.learning_rate = rmsprop.number("learning_rate"),
                                         .decay = rmsprop.number("decay"),
                                         .epsilon = rmsprop.number("epsilon")});
  check_steps<TestType>(adam, Adam{.learning_rate = adam.number("learning_rate"),
                                   .beta1 = adam.number("beta1"),
                                   .beta2 = adam.number("beta2"),
                                   .epsilon = adam.number("epsilon")});
}

TEMPLATE_TEST_CASE("Gradients are clipped as by PyTorch", "[io][torch]", double, float) {
  Fixture fixture("optim_clip");
  Pair<TestType> pair;
  for (const auto& [name, parameter] : parameters(pair)) {
    const auto gradient = fixture.map<TestType>("gradients." + name);
    std::copy(gradient.begin(), gradient.end(), parameter->gradient().begin());
  }
  const double norm = clip_gradients(parameters(pair), fixture.number("max_norm"));
  CHECK(norm ==
        Approx(fixture.number("norm")).epsilon(std::same_as<TestType, double> ? 1e-9 : 1e-5));
  for (const auto& [name, parameter] : parameters(pair)) {
    const FeatureMap<TestType> clipped{FeatureView<const TestType>(parameter->gradient())};
    CHECK(test::disagreement(clipped, fixture, "clipped." + name, Kind::output) == "");
  }
  CHECK(fixture.unread() == "");
}

TEST_CASE("The comparison with PyTorch reports one number that is not the same", "[io][torch]") {
  Fixture fixture("row_lstm_learned");
  for (const std::string name : {"output", "input_gradient", "gradients.h0"}) {
    CAPTURE(name);
    const auto found = fixture.map<double>(name);
    const auto found_float = fixture.map<float>(name);
    for (Index i = 0; i < found.size(); ++i) {
      auto expected = found;
      double& v = expected.data()[i];
      v += v < 0 ? -2e-4 : 2e-4;
      CHECK(test::disagreement(found, expected, Kind::output) != "");
      CHECK(test::disagreement(found_float, expected, Kind::output) != "");
    }
    // In double every value is held to its own size, not to the largest.
    auto expected = found;
    expected.data()[0] *= 1 + 3e-9;
    CHECK(test::disagreement(found, expected, Kind::output) != "");
    CHECK(test::disagreement(found, expected, Kind::gradient) != "");
    double& last = expected.data()[expected.size() - 1];
    last += last < 0 ? -0.05 : 0.05;
    CHECK(test::disagreement(found_float, expected, Kind::gradient) != "");
    // What is the same agrees, or the above says nothing.
    CHECK(test::disagreement(found, found, Kind::output) == "");
    CHECK(test::disagreement(found_float, found, Kind::gradient) == "");
  }
}

TEST_CASE("The comparison with PyTorch reports another layer with the same parameters",
          "[io][torch]") {
  Rng rng(1);
  Fixture dilated("masked_conv2d_b_dilated");
  MaskedConv2d<MaskB, test::XsimdBackend> dense(
      {.in_channels = 2, .out_channels = 3, .kernel_height = 3, .kernel_width = 3}, rng);
  test::load_parameters(dense, dilated);
  CHECK(layer_disagreement(dense, dilated) != "");

  // Weights for a state scanned over the padding, with a state that is zero there instead.
  Fixture padded("diagonal_bilstm_padded_scan");
  DiagonalBiLSTM<LearnedState, test::XsimdBackend> zero({.in_channels = 2, .hidden = 3}, rng);
  for (const auto& [name, parameter] : parameters(zero)) {
    if (name.ends_with("0")) continue;  // h0 and c0
    const auto values = padded.map<double>("parameters." + name);
    std::copy(values.begin(), values.end(), parameter->value().begin());
  }
  CHECK(layer_disagreement(zero, padded) != "");
}

TEST_CASE("A fixture reports what nobody read", "[io][torch]") {
  Fixture fixture("optim_clip");
  for (const char* name : {"gradients.a", "gradients.b", "clipped.a", "max_norm", "norm"}) {
    static_cast<void>(fixture.map<double>(name));
  }
  CHECK(fixture.unread() == "clipped.b\n");
  CHECK_THROWS_ERROR(fixture.map<double>("clipped.c"), FileError, "has no tensor");
}

TEST_CASE("There are no fixtures but those that tests compare with", "[io][torch]") {
  const std::set<std::string> compared{"diagonal_bilstm_learned",
                                       "diagonal_bilstm_padded_scan",
                                       "diagonal_bilstm_rgb_learned",
                                       "diagonal_bilstm_rgb_padded_scan",
                                       "diagonal_left_learned",
                                       "diagonal_left_padded_scan",
                                       "diagonal_right_learned",
                                       "diagonal_right_padded_scan",
                                       "masked_conv2d_a",
                                       "masked_conv2d_a_rgb",
                                       "masked_conv2d_b",
                                       "masked_conv2d_b_dilated",
                                       "masked_conv2d_b_relu",
                                       "masked_conv2d_b_rgb",
                                       "optim_adam",
                                       "optim_clip",
                                       "optim_rmsprop",
                                       "optim_sgd",
                                       "pixel_cnn",
                                       "pixel_rnn_diagonal_bilstm_skip",
                                       "pixel_rnn_row_lstm_rgb",
                                       "row_lstm_learned",
                                       "row_lstm_learned_rgb",
                                       "row_lstm_zero"};
  std::set<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(PIXELRNN_TEST_FIXTURES)) {
    if (entry.path().extension() == ".safetensors") found.insert(entry.path().stem().string());
  }
  CHECK(found == compared);
}
