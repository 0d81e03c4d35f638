// SPDX-License-Identifier: MIT
#include "support/diagonal_cases.hpp"

using namespace pixelrnn;
using test::DiagonalCase, test::random_map;
using test::ReferenceBackend, test::XsimdBackend;
namespace naive = test::naive;

namespace {

template <class L>
L with_padding_bias(const DiagonalCase& c) {
  Rng rng(1);
  L layer({.in_channels = c.in_channels,
           .hidden = c.hidden,
           .colours = c.colours,
           .padding_bias = true},
          rng);
  test::randomise(layer, 1);
  return layer;
}

}  // namespace

TEMPLATE_TEST_CASE("Padding with a bias of its own is scanned as the naive reference scans it",
                   "[nn][diagonal_lstm]", (DiagonalBiLSTM<PaddedScanState, ReferenceBackend>),
                   (DiagonalBiLSTM<PaddedScanState, XsimdBackend>),
                   (DiagonalLSTM<FromRight, PaddedScanState, XsimdBackend>)) {
  for (const DiagonalCase& c : test::diagonal_cases) {
    CAPTURE(c);
    const auto layer = with_padding_bias<TestType>(c);
    for (const Shape<3>& map : test::maps) {
      CAPTURE(map);
      const auto x = random_map<double>(test::with_channels(map, c.in_channels), 2);
      CHECK(test::difference(test::output(layer, x), test::naive_diagonal(layer, x, c.colours),
                             1e-11) == "");
      test::check_walk_is_forward<typename TestType::BackendPolicy>(layer, x);
    }
  }
}

TEMPLATE_TEST_CASE("The gradient of a padding's own bias is right", "[nn][diagonal_lstm]",
                   (DiagonalBiLSTM<PaddedScanState, XsimdBackend>),
                   (DiagonalLSTM<FromLeft, PaddedScanState, ReferenceBackend>)) {
  for (const DiagonalCase& c : test::small_diagonal_cases) {
    CAPTURE(c);
    auto layer = with_padding_bias<TestType>(c);
    test::check_gradients(layer, c.in_channels);
    test::check_same_bits_for_all_threads(layer, random_map<double>({5, 6, 3, c.in_channels}, 3));
  }
}

TEST_CASE("A padding's own bias is a parameter, told, and that of the cells if it is the same",
          "[nn][diagonal_lstm]") {
  using L = DiagonalBiLSTM<PaddedScanState, XsimdBackend>;
  const DiagonalCase c{2, 3, 1};
  auto own = with_padding_bias<L>(c);
  CHECK(parameters(own).size() == 8);
  CHECK(parameters(own)[3].name == "left.padding_bias");
  CHECK(own.describe() == "DiagonalBiLSTM<padded_scan>(2->3), padding bias");
  auto shared = test::make_diagonal<L>(c);
  const auto weights = parameters(own);
  std::size_t p = 0;
  for (const auto& [name, parameter] : parameters(shared)) {
    if (weights[p].name.ends_with("padding_bias")) ++p;
    std::ranges::copy(weights[p++].parameter->value(), parameter->value().begin());
  }
  const auto x = random_map<double>({2, 4, 5, 2}, 2);
  CHECK(test::difference(test::output(own, x), test::output(shared, x), 1e-3) != "");
  for (const char* side : {"left.", "right."}) {
    const auto named = [&](const std::string& name) {
      return std::ranges::find(weights, side + name, &NamedParameter<double>::name)->parameter;
    };
    std::ranges::copy(named("bias")->value(), named("padding_bias")->value().begin());
  }
  CHECK(test::bit_difference(test::output(own, x), test::output(shared, x)) == "");
}

TEST_CASE("A padding's bias is refused where no padding is scanned", "[nn][diagonal_lstm]") {
  Rng rng(1);
  CHECK_THROWS_ERROR((DiagonalBiLSTM<>({.padding_bias = true}, rng)), ConfigError,
                     "DiagonalLSTM: Config::padding_bias is true, but the state is learned");
}
