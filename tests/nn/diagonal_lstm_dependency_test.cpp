// SPDX-License-Identifier: MIT
#include "support/diagonal_cases.hpp"

using namespace pixelrnn;
using test::Cell, test::DiagonalCase, test::DependencyReport, test::random_map;
using test::EigenBackend, test::ReferenceBackend, test::XsimdBackend;
namespace naive = test::naive;

namespace {

const std::vector<Shape<3>> small_images{{1, 4, 5}, {1, 5, 3}, {1, 5, 1}, {1, 1, 5}};

template <class L, class Sees>
void check_layer(Sees sees) {
  for (const DiagonalCase& c : test::small_diagonal_cases) {
    const auto layer = test::make_diagonal<L>(c);
    for (const Shape<3>& map : small_images) {
      CAPTURE(c, map);
      const DependencyReport report = test::check_dependencies(
          [&](const FeatureMap<double>& x) { return test::output(layer, x); },
          random_map<double>(test::with_channels(map, c.in_channels), 4),
          [&](const Cell& out, const Cell& in) { return sees(c, out, in); });
      CHECK(report.leak == "");
      CHECK(report.blind == "");
    }
  }
}

/// The report on a function of grey maps that should see all of the past and nothing else.
template <class F>
DependencyReport report_on(F f) {
  return test::check_dependencies(f, random_map<double>({1, 5, 5, 1}, 4),
                                  [](const Cell& out, const Cell& in) {
                                    return test::both_see({1, 2, 1}, out, in);
                                  });
}

/// The naive layer's weights.
naive::Weights weights() {
  return naive::weights_of(
      test::make_diagonal<DiagonalBiLSTM<LearnedState, ReferenceBackend>>({1, 2, 1}));
}
constexpr naive::Edge edge = naive::Edge::initial_state;

}  // namespace

TEMPLATE_TEST_CASE("One Diagonal BiLSTM sees every past pixel, itself, and nothing else",
                   "[nn][diagonal_lstm]", (DiagonalBiLSTM<ZeroState, ReferenceBackend>),
                   (DiagonalBiLSTM<LearnedState, EigenBackend>),
                   (DiagonalBiLSTM<LearnedState, XsimdBackend>),
                   (DiagonalBiLSTM<PaddedScanState, XsimdBackend>)) {
  check_layer<TestType>(test::both_see);
}

TEMPLATE_TEST_CASE("The scan from the left sees rows up to its own and columns up to its own",
                   "[nn][diagonal_lstm]", (DiagonalLSTM<FromLeft, LearnedState, XsimdBackend>),
                   (DiagonalLSTM<FromLeft, PaddedScanState, ReferenceBackend>)) {
  check_layer<TestType>(test::left_sees);
}

TEMPLATE_TEST_CASE("The scan from the right sees rows before its own and columns from its own on",
                   "[nn][diagonal_lstm]", (DiagonalLSTM<FromRight, LearnedState, XsimdBackend>),
                   (DiagonalLSTM<FromRight, PaddedScanState, ReferenceBackend>)) {
  check_layer<TestType>(test::right_sees);
}

TEST_CASE("The checker passes the two directions put together by hand", "[nn][diagonal_lstm]") {
  const DependencyReport report =
      report_on([](const naive::Map& x) { return naive::diagonal_bilstm(x, weights(), edge); });
  CHECK(report.leak == "");
  CHECK(report.blind == "");
}

TEST_CASE("The checker reports a BiLSTM whose right direction is not shifted down",
          "[nn][diagonal_lstm]") {
  const DependencyReport report = report_on([](const naive::Map& x) {
    return naive::add(naive::diagonal_lstm(x, naive::part(weights(), "left"), edge),
                      naive::diagonal_lstm_from_right(x, naive::part(weights(), "right"), edge));
  });
  CHECK(report.leak != "");
}

TEST_CASE("The checker reports zeros that are appended at the bottom instead of the top",
          "[nn][diagonal_lstm]") {
  const DependencyReport report = report_on([](const naive::Map& x) {
    const naive::Map right =
        naive::diagonal_lstm_from_right(x, naive::part(weights(), "right"), edge);
    naive::Map kept(right);  // rows 0 .. H-2 where they are, the last row zero
    for (Index j = 0; j < 5; ++j) {
      for (Index k = 0; k < 2; ++k) kept(0, 4, j, k) = 0;
    }
    return naive::add(naive::diagonal_lstm(x, naive::part(weights(), "left"), edge), kept);
  });
  CHECK(report.leak != "");
}

TEST_CASE("The checker reports a blind spot where the mirrored map is the skewed one",
          "[nn][diagonal_lstm]") {
  // Mirroring after skewing makes the right scan read (r - 1, j + 2) for the pixel above.
  const DependencyReport report = report_on([](const naive::Map& x) {
    const naive::Map mirrored = naive::mirror(naive::skew(x));
    // A scan over rows whose cells lie two columns apart instead of one below the other.
    naive::Map spread({1, 5, 9 + 4, 1});
    for (Index r = 0; r < 5; ++r) {
      for (Index t = 0; t < 9; ++t) spread(0, r, t + r, 0) = mirrored(0, r, t, 0);
    }
    const naive::Map out =
        naive::diagonal_lstm(naive::unskew(spread), naive::part(weights(), "right"), edge);
    naive::Map right({1, 5, 5, 2});
    const naive::Map back = naive::unskew(naive::mirror(out));
    for (Index r = 1; r < 5; ++r) {
      for (Index j = 0; j + 1 < 5; ++j) {
        for (Index k = 0; k < 2; ++k) right(0, r, j, k) = back(0, r - 1, j + 1, k);
      }
    }
    return naive::add(naive::diagonal_lstm(x, naive::part(weights(), "left"), edge), right);
  });
  CHECK(report.leak == "");
  CHECK(report.blind != "");
}

TEST_CASE("The checker reports a layer that scans from the left only", "[nn][diagonal_lstm]") {
  const DependencyReport report = report_on([](const naive::Map& x) {
    return naive::diagonal_lstm(x, naive::part(weights(), "left"), edge);
  });
  CHECK(report.leak == "");
  CHECK(report.blind != "");
}
