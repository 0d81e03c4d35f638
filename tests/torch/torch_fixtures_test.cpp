// SPDX-License-Identifier: MIT
// Optimisers against PyTorch, from tests/fixtures; and what the comparison itself must report.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>
#include <string>

#include <pixelrnn/optim/optimizer.hpp>

#include "support/fixture.hpp"
#include "support/pair.hpp"

using namespace pixelrnn;
using test::Fixture, test::Kind;
using test::Pair;

namespace {

/// Steps along the gradients of a fixture, comparing the parameters after each.
template <class T, class Rule>
void check_steps(Fixture& fixture, const Rule& rule) {
  Pair<T> pair;
  test::load_parameters(pair, fixture, "initial.");
  Optimizer<Rule, T> optimizer(rule, parameters(pair));
  Gradients gradients(pair);
  const Index steps = fixture.map<T>("gradients.a").shape()[0];
  REQUIRE(steps == 5);
  for (Index t = 0; t < steps; ++t) {
    CAPTURE(t);
    for (const auto& [name, parameter] : parameters(pair)) {
      const Tensor<T, 4> all = fixture.map<T>("gradients." + name);
      std::copy_n(all.view().slice(t, 1).begin(), parameter->size(), gradients[*parameter].begin());
    }
    optimizer.step(gradients);
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
  const Pair<TestType> pair;
  Gradients gradients(pair);
  for (const auto& [name, parameter] : parameters(pair)) {
    const auto gradient = fixture.map<TestType>("gradients." + name);
    std::copy(gradient.begin(), gradient.end(), gradients[*parameter].begin());
  }
  const double norm = clip_gradients(gradients, fixture.number("max_norm"));
  CHECK(norm ==
        Approx(fixture.number("norm")).epsilon(std::same_as<TestType, double> ? 1e-9 : 1e-5));
  for (const auto& [name, parameter] : parameters(pair)) {
    const FeatureMap<TestType> clipped(std::as_const(gradients)[*parameter]);
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
    // Gradients in float are held to their own size too, but for a millionth of the largest.
    double largest = 0;
    for (const double v : found) largest = std::max(largest, std::abs(v));
    for (Index i = 0; i < found.size(); ++i) {
      auto expected = found;
      double& v = expected.data()[i];
      v += 2e-4 * v + (v < 0 ? -2e-6 : 2e-6) * largest;
      CHECK(test::disagreement(found_float, expected, Kind::gradient) != "");
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
                                       "diagonal_bilstm_padding_bias",
                                       "diagonal_bilstm_rgb_learned",
                                       "diagonal_bilstm_rgb_padded_scan",
                                       "diagonal_left_learned",
                                       "diagonal_left_padded_scan",
                                       "diagonal_right_learned",
                                       "diagonal_right_padded_scan",
                                       "gated_pixel_cnn",
                                       "gated_pixel_cnn_dilated",
                                       "gated_pixel_cnn_rgb",
                                       "wave_net",
                                       "wave_net_stereo",
                                       "logistic_mixture",
                                       "logistic_mixture_rgb",
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
                                       "pixel_rnn_spatial_lstm",
                                       "row_lstm_learned",
                                       "row_lstm_learned_rgb",
                                       "row_lstm_zero",
                                       "spatial_lstm",
                                       "spatial_lstm_rgb",
                                       "told_diagonal_bilstm",
                                       "told_gated_pixel_cnn",
                                       "told_pixel_cnn",
                                       "told_row_lstm",
                                       "told_wave_net"};
  std::set<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(PIXELRNN_TEST_FIXTURES)) {
    if (entry.path().extension() == ".safetensors") found.insert(entry.path().stem().string());
  }
  CHECK(found == compared);
}
