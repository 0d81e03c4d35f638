// SPDX-License-Identifier: MIT
#include <algorithm>
#include <limits>

#include "support/allocations.hpp"
#include "support/diagonal_cases.hpp"

using namespace pixelrnn;
using test::DiagonalCase, test::random_map;
using test::EigenBackend, test::ReferenceBackend, test::XsimdBackend;
namespace naive = test::naive;

TEMPLATE_TEST_CASE(
    "The gradient of Diagonal BiLSTM is right", "[nn][diagonal_lstm]",
    (DiagonalBiLSTM<ZeroState, ReferenceBackend>), (DiagonalBiLSTM<LearnedState, ReferenceBackend>),
    (DiagonalBiLSTM<PaddedScanState, ReferenceBackend>), (DiagonalBiLSTM<ZeroState, EigenBackend>),
    (DiagonalBiLSTM<LearnedState, EigenBackend>), (DiagonalBiLSTM<PaddedScanState, EigenBackend>),
    (DiagonalBiLSTM<ZeroState, XsimdBackend>), (DiagonalBiLSTM<LearnedState, XsimdBackend>),
    (DiagonalBiLSTM<PaddedScanState, XsimdBackend>)) {
  for (const DiagonalCase& c : test::small_diagonal_cases) {
    auto layer = test::make_diagonal<TestType>(c);
    CAPTURE(c);
    test::check_gradients(layer, c.in_channels);
  }
}

TEMPLATE_TEST_CASE("The gradient of Diagonal LSTM is right in either direction",
                   "[nn][diagonal_lstm]", (DiagonalLSTM<FromLeft, LearnedState, XsimdBackend>),
                   (DiagonalLSTM<FromRight, LearnedState, XsimdBackend>),
                   (DiagonalLSTM<FromLeft, PaddedScanState, ReferenceBackend>),
                   (DiagonalLSTM<FromRight, PaddedScanState, EigenBackend>)) {
  for (const DiagonalCase& c : test::small_diagonal_cases) {
    auto layer = test::make_diagonal<TestType>(c);
    CAPTURE(c);
    test::check_gradients(layer, c.in_channels);
  }
}

TEMPLATE_TEST_CASE("The gradient of a Diagonal LSTM that is used twice is added up",
                   "[nn][diagonal_lstm]", (DiagonalBiLSTM<LearnedState, XsimdBackend>),
                   (DiagonalLSTM<FromRight, LearnedState, XsimdBackend>),
                   (DiagonalLSTM<FromRight, PaddedScanState, ReferenceBackend>)) {
  for (const DiagonalCase& c : test::small_diagonal_cases) {
    test::UsedTwice<TestType> layer{test::make_diagonal<TestType>(c)};
    CAPTURE(c);
    test::check_gradients(layer, c.in_channels);
  }
}

TEMPLATE_TEST_CASE("The scan from the right never touches the last row, which it would shift away",
                   "[nn][diagonal_lstm]", (DiagonalLSTM<FromRight, LearnedState, ReferenceBackend>),
                   (DiagonalLSTM<FromRight, PaddedScanState, EigenBackend>),
                   (DiagonalLSTM<FromRight, LearnedState, XsimdBackend>)) {
  const auto layer = test::make_diagonal<TestType>({2, 3, 1});
  for (const Index height : {Index{1}, Index{2}, Index{5}}) {
    CAPTURE(height);
    const auto x = random_map<double>({2, height, 4, 2}, 2);
    auto spoilt = x;
    for (Index n = 0; n < 2; ++n) {
      std::fill_n(&spoilt(n, height - 1, 0, 0), 4 * 2, std::numeric_limits<double>::quiet_NaN());
    }
    CHECK(test::bit_difference(test::output(layer, spoilt), test::output(layer, x)) == "");
    CHECK(test::bit_difference(test::gradients(layer, spoilt), test::gradients(layer, x)) == "");
  }
}

TEMPLATE_TEST_CASE("Diagonal BiLSTM takes maps without images, rows or columns",
                   "[nn][diagonal_lstm]", (DiagonalBiLSTM<LearnedState, ReferenceBackend>),
                   (DiagonalBiLSTM<PaddedScanState, EigenBackend>),
                   (DiagonalBiLSTM<PaddedScanState, XsimdBackend>),
                   (DiagonalLSTM<FromRight, LearnedState, XsimdBackend>)) {
  for (const DiagonalCase& c : test::small_diagonal_cases) {
    auto layer = test::make_diagonal<TestType>(c);
    for (const Shape<3>& map : {Shape<3>{0, 4, 3}, Shape<3>{2, 0, 3}, Shape<3>{2, 3, 0}}) {
      CAPTURE(c, map);
      const auto x = random_map<double>(test::with_channels(map, c.in_channels), 2);
      CHECK(test::output(layer, x).shape() == layer.output_shape(x.shape()));
      CHECK(test::gradcheck_says(layer, x) == "");
    }
  }
}

TEMPLATE_TEST_CASE("Gradients of large Diagonal BiLSTMs are Reference's", "[nn][diagonal_lstm]",
                   EigenBackend, XsimdBackend) {
  for (const DiagonalCase& c : test::diagonal_cases) {
    const auto x = random_map<double>({3, 7, 9, c.in_channels}, 2);
    const auto expected =
        test::gradients(test::make_diagonal<DiagonalBiLSTM<LearnedState, ReferenceBackend>>(c), x);
    const auto found =
        test::gradients(test::make_diagonal<DiagonalBiLSTM<LearnedState, TestType>>(c), x);
    CAPTURE(c);
    CHECK(test::difference(found, expected, 1e-11, 1e-11) == "");
  }
}

TEMPLATE_TEST_CASE("Gradients of Diagonal BiLSTMs at hard sizes are Reference's",
                   "[nn][diagonal_lstm]", EigenBackend, XsimdBackend) {
  for (const auto& [c, map, bound] : test::large_diagonals) {
    const auto x = random_map<double>(test::with_channels(map, c.in_channels), 2);
    auto reference = test::make_diagonal<DiagonalBiLSTM<LearnedState, ReferenceBackend>>(c, bound);
    const auto expected = test::gradients(reference, x);
    const auto found =
        test::gradients(test::make_diagonal<DiagonalBiLSTM<LearnedState, TestType>>(c, bound), x);
    CAPTURE(c, map);
    CHECK(test::difference(found, expected, 1e-11, 1e-11) == "");
    // The control: one weight that is a millionth larger is found.
    *parameters(reference)[1].parameter->value().data() += 1e-6;
    CHECK(test::difference(found, test::gradients(reference, x), 1e-11, 1e-11) != "");
  }
}

TEMPLATE_TEST_CASE("Diagonal BiLSTM has the same bits for any number of threads",
                   "[nn][diagonal_lstm]", (DiagonalBiLSTM<LearnedState, EigenBackend>),
                   (DiagonalBiLSTM<PaddedScanState, XsimdBackend>),
                   (DiagonalLSTM<FromRight, LearnedState, XsimdBackend>)) {
  for (const DiagonalCase& c : test::diagonal_cases) {
    CAPTURE(c);
    test::check_same_bits_for_all_threads(test::make_diagonal<TestType>(c),
                                          random_map<double>({11, 5, 6, c.in_channels}, 2));
  }
}

TEMPLATE_TEST_CASE("Diagonal BiLSTM never uses input weights that the mask forbids",
                   "[nn][diagonal_lstm]", (DiagonalBiLSTM<ZeroState, ReferenceBackend>),
                   (DiagonalBiLSTM<PaddedScanState, EigenBackend>),
                   (DiagonalBiLSTM<LearnedState, XsimdBackend>)) {
  for (const DiagonalCase& c : test::diagonal_cases) {
    if (c.in_channels < 3) continue;  // one or two channels are red and green: nothing is masked
    if (c.colours == 1) continue;
    CAPTURE(c);
    for (const char* name : {"left.input_weights", "right.input_weights"}) {
      test::check_masked_weights_are_never_used(test::make_diagonal<TestType>(c), name,
                                                random_map<double>({2, 4, 5, c.in_channels}, 3),
                                                naive::Mask::B, c.colours, 4);
    }
  }
}

TEMPLATE_TEST_CASE("A repeated step with Diagonal BiLSTM allocates nothing once warm",
                   "[nn][diagonal_lstm]", (DiagonalBiLSTM<LearnedState, XsimdBackend>),
                   (DiagonalBiLSTM<PaddedScanState, ReferenceBackend>)) {
  const auto layer = test::make_diagonal<TestType>({3, 4, 3});
  const auto x = random_map<double>({9, 7, 6, 3}, 1);
  Tape<double> tape({.threads = 2});
  const auto step = [&] {
    tape.reset();
    tape.backward(mean(layer.forward(tape.input(x))));
  };
  for (int warm = 0; warm < 3; ++warm) step();
  const std::size_t before = test::allocation_count();
  for (int i = 0; i < 3; ++i) step();
  CHECK(test::allocation_count() == before);
}
