// SPDX-License-Identifier: MIT
// Diagonal LSTM and BiLSTM against PyTorch, from tests/fixtures.
#include <pixelrnn/nn/diagonal_lstm/diagonal_lstm.hpp>

#include "support/backends.hpp"
#include "support/fixture_checks.hpp"

using namespace pixelrnn;
using test::check_layer;

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
  check_layer<DiagonalBiLSTM<State, TestType>>(
      "diagonal_bilstm_padding_bias", {.in_channels = 2, .hidden = 3, .padding_bias = true});
}

TEST_CASE("The comparison with PyTorch reports another state outside the image", "[io][torch]") {
  Rng rng(1);
  // Weights for a state scanned over the padding, with a state that is zero there instead.
  test::Fixture padded("diagonal_bilstm_padded_scan");
  DiagonalBiLSTM<LearnedState, test::XsimdBackend> zero({.in_channels = 2, .hidden = 3}, rng);
  for (const auto& [name, parameter] : parameters(zero)) {
    if (name.ends_with("0")) continue;  // h0 and c0
    const auto values = padded.map<double>("parameters." + name);
    std::copy(values.begin(), values.end(), parameter->value().begin());
  }
  CHECK(test::layer_disagreement(zero, padded) != "");
}
