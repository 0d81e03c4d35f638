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

namespace {

/// A layer whose input's gradient has two contributions, the second of which is added.
template <class L>
struct UsedTwice {
  using Scalar = typename L::Scalar;
  using BackendPolicy = typename L::BackendPolicy;
  L layer;
  [[nodiscard]] Variable<Scalar> forward(Variable<Scalar> x) const {
    return add(layer.forward(x), layer.forward(x));
  }
  void for_each_parameter(auto&& visit) { layer.for_each_parameter(visit); }
};

}  // namespace

TEST_CASE("Few images have the same bits when each direction has a thread of its own",
          "[nn][diagonal_lstm]") {
  // Two million FLOP a direction: enough for a thread.
  using Layer = DiagonalBiLSTM<LearnedState, FloatXsimdBackend>;
  const UsedTwice<Layer> layer{test::make_diagonal<Layer>({20, 24, 1}, test::calm)};
  REQUIRE(layer.layer.flops(11, 13) > 2 * worth_a_thread);
  for (const Index images : {Index{1}, Index{2}, Index{3}}) {
    CAPTURE(images);
    test::check_same_bits_for_all_threads(layer, random_map<float>({images, 11, 13, 20}, 2));
  }
}
