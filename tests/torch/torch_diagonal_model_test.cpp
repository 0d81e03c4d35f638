// SPDX-License-Identifier: MIT
// A whole model of Diagonal BiLSTMs against PyTorch, from tests/fixtures.
#include <pixelrnn/models/pixel_rnn.hpp>

#include "support/backends.hpp"
#include "support/fixture_checks.hpp"

using namespace pixelrnn;
using test::check_model;

TEMPLATE_TEST_CASE("PixelRNN of Diagonal BiLSTMs with skip connections is that of PyTorch",
                   "[io][torch]", test::XsimdBackend, test::FloatXsimdBackend) {
  check_model<TestType, PixelRNN<DiagonalBiLSTM<LearnedState, TestType>>>(
      "pixel_rnn_diagonal_bilstm_skip",
      {.image = {4, 5, 1}, .layers = 2, .hidden = 3, .head = 4, .skip = true});
}
