// SPDX-License-Identifier: MIT
#include "support/row_lstm_cases.hpp"

using namespace pixelrnn;
using test::random_map, test::RowLSTMCase, test::With;
namespace naive = test::naive;

TEMPLATE_TEST_CASE("Row LSTM in float is equation 3 of the paper", "[nn][row_lstm]",
                   (With<ZeroState, test::FloatReferenceBackend>),
                   (With<LearnedState, test::FloatEigenBackend>),
                   (With<ZeroState, test::FloatXsimdBackend>),
                   (With<LearnedState, test::FloatXsimdBackend>),
                   (With<LearnedState, test::FloatPairBackend>)) {
  for (const RowLSTMCase& c : test::row_lstm_cases) {
    const auto layer =
        test::make_row_lstm<typename TestType::State, typename TestType::Backend>(c, test::calm);
    for (const Shape<3>& map : test::maps) {
      CAPTURE(c, map);
      const auto x = random_map<float>(test::with_channels(map, c.in_channels), 2);
      CHECK(test::difference(
                test::output(layer, x),
                naive::row_lstm(naive::in_double(x), naive::weights_of(layer), c.colours),
                test::rounding<float>) == "");
      test::check_walk_is_forward<typename TestType::Backend>(layer, x);
    }
  }
}

TEMPLATE_TEST_CASE("Row LSTM in float has the same bits for any number of threads and any batch",
                   "[nn][row_lstm]", test::FloatXsimdBackend, test::FloatPairBackend) {
  for (const RowLSTMCase& c : test::row_lstm_cases) {
    const auto layer = test::make_row_lstm<LearnedState, TestType>(c);
    const auto x = random_map<float>({11, 5, 6, c.in_channels}, 2);
    CAPTURE(c);
    test::check_same_bits_for_all_threads(layer, x);
    test::check_images_do_not_depend_on_each_other(layer, x);
  }
}

TEMPLATE_TEST_CASE("One image has the same bits when threads share its units", "[nn][row_lstm]",
                   test::FloatXsimdBackend, test::FloatPairBackend) {
  // Units that no number of threads divides, nor a vector.
  const auto layer = test::make_row_lstm<LearnedState, TestType>({24, 56, 3, 1}, test::calm);
  // Four million FLOP a row: enough for four threads; and short rows, of which pairs take some at a
  // time.
  const auto in_colours = test::make_row_lstm<LearnedState, TestType>({24, 48, 3, 3}, test::calm);
  for (const auto& [height, width] : {std::pair{3, 57}, std::pair{3, 58}, std::pair{7, 32}}) {
    const Index threads = (layer.flops(2, width) - layer.flops(1, width)) / worth_a_thread;
    REQUIRE(threads >= (width > 32 ? 4 : 2));
    const auto x = random_map<float>({1, height, width, 24}, 2);
    test::check_same_bits_for_all_threads(layer, x);
    test::check_same_bits_for_all_threads(in_colours, x);
    CHECK(test::difference(test::output(layer, x, {.threads = 4}),
                           naive::row_lstm(naive::in_double(x), naive::weights_of(layer), 1),
                           test::rounding<float>) == "");
  }
}
