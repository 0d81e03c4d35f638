// SPDX-License-Identifier: MIT
// Masked convolutions and Row LSTM against PyTorch, from tests/fixtures.
#include <pixelrnn/nn/convolution/masked_conv2d.hpp>
#include <pixelrnn/nn/row_lstm/row_lstm.hpp>

#include "support/backends.hpp"
#include "support/fixture_checks.hpp"

using namespace pixelrnn;
using test::check_layer;

TEMPLATE_TEST_CASE("Masked convolutions are those of PyTorch", "[io][torch]", test::XsimdBackend,
                   test::FloatXsimdBackend, test::PairBackend, test::FloatPairBackend) {
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
                   test::FloatXsimdBackend, test::PairBackend, test::FloatPairBackend) {
  using Zero = RowLSTM<ZeroState, TestType>;
  using Learned = RowLSTM<LearnedState, TestType>;
  check_layer<Zero>("row_lstm_zero", {.in_channels = 2, .hidden = 3});
  check_layer<Learned>("row_lstm_learned", {.in_channels = 2, .hidden = 3, .kernel = 5});
  check_layer<Learned>("row_lstm_learned_rgb", {.in_channels = 4, .hidden = 3, .colours = 3});
}

TEST_CASE("The comparison with PyTorch reports a convolution of another dilation", "[io][torch]") {
  Rng rng(1);
  test::Fixture dilated("masked_conv2d_b_dilated");
  MaskedConv2d<MaskB, test::XsimdBackend> dense(
      {.in_channels = 2, .out_channels = 3, .kernel_height = 3, .kernel_width = 3}, rng);
  test::load_parameters(dense, dilated);
  CHECK(test::layer_disagreement(dense, dilated) != "");
}
