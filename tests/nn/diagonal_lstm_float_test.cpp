// SPDX-License-Identifier: MIT
#include "support/diagonal_cases.hpp"

using namespace pixelrnn;
using test::DiagonalCase, test::random_map;
using test::FloatEigenBackend, test::FloatReferenceBackend, test::FloatXsimdBackend;

TEMPLATE_TEST_CASE("Diagonal BiLSTM in float is the skewed formulation of the paper",
                   "[nn][diagonal_lstm]", (DiagonalBiLSTM<LearnedState, FloatReferenceBackend>),
                   (DiagonalBiLSTM<PaddedScanState, FloatEigenBackend>),
                   (DiagonalBiLSTM<ZeroState, FloatXsimdBackend>),
                   (DiagonalBiLSTM<LearnedState, FloatXsimdBackend>),
                   (DiagonalBiLSTM<PaddedScanState, FloatXsimdBackend>)) {
  for (const DiagonalCase& c : test::diagonal_cases) {
    const auto layer = test::make_diagonal<TestType>(c, test::calm);
    for (const Shape<3>& map : test::maps) {
      CAPTURE(c, map);
      const auto x = random_map<float>(test::with_channels(map, c.in_channels), 2);
      CHECK(test::difference(test::output(layer, x),
                             test::naive_diagonal(layer, test::naive::in_double(x), c.colours),
                             test::rounding<float>) == "");
      test::check_walk_is_forward<typename TestType::BackendPolicy>(layer, x);
    }
  }
}

TEST_CASE("Diagonal BiLSTM in float has the same bits for any number of threads and any batch",
          "[nn][diagonal_lstm]") {
  for (const DiagonalCase& c : test::diagonal_cases) {
    const auto layer = test::make_diagonal<DiagonalBiLSTM<LearnedState, FloatXsimdBackend>>(c);
    const auto x = random_map<float>({11, 5, 6, c.in_channels}, 2);
    CAPTURE(c);
    test::check_same_bits_for_all_threads(layer, x);
    test::check_images_do_not_depend_on_each_other(layer, x);
  }
}

TEMPLATE_TEST_CASE("Few images have the same bits when each direction has a thread of its own",
                   "[nn][diagonal_lstm]", LearnedState, PaddedScanState) {
  // Two million FLOP a direction: enough for a thread. Of one row the right one has none.
  using Layer = DiagonalBiLSTM<TestType, FloatXsimdBackend>;
  const test::UsedTwice<Layer> layer{test::make_diagonal<Layer>({20, 24, 1}, test::calm)};
  for (const Shape<2>& map : {Shape<2>{11, 13}, Shape<2>{1, 400}}) {
    REQUIRE(layer.layer.flops(map[0], map[1]) > 2 * worth_a_thread);
    for (const Index images : {Index{1}, Index{2}, Index{3}}) {
      CAPTURE(map, images);
      test::check_same_bits_for_all_threads(layer,
                                            random_map<float>({images, map[0], map[1], 20}, 2));
    }
  }
}
