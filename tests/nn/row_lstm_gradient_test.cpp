// SPDX-License-Identifier: MIT
#include "support/allocations.hpp"
#include "support/dependency.hpp"
#include "support/row_lstm_cases.hpp"

using namespace pixelrnn;
using test::Cell, test::random_map, test::RowLSTMCase, test::With;
namespace naive = test::naive;

namespace {

/// DESIGN of one layer: row r is seen in columns j - q .. j, of the centre only its own and earlier
/// colours; row r - m in columns j - (m + 1) q .. j + m q, all colours.
bool sees(const RowLSTMCase& c, const Cell& out, const Cell& in) {
  const Index q = c.kernel / 2, m = out.row - in.row, dx = in.column - out.column;
  if (m < 0 || dx < -(m + 1) * q || dx > m * q) return false;
  if (m > 0 || dx < 0) return true;
  return naive::group(in.channel, c.in_channels, c.colours) <=
         naive::group(out.channel, c.hidden, c.colours);
}

}  // namespace

TEMPLATE_TEST_CASE("The gradient of Row LSTM is right", "[nn][row_lstm]",
                   (With<ZeroState, test::ReferenceBackend>),
                   (With<LearnedState, test::ReferenceBackend>),
                   (With<LearnedState, test::EigenBackend>), (With<ZeroState, test::XsimdBackend>),
                   (With<LearnedState, test::XsimdBackend>),
                   (With<LearnedState, test::PairBackend>)) {
  for (const RowLSTMCase& c : test::small_row_lstm_cases) {
    auto layer = test::make_row_lstm<typename TestType::State, typename TestType::Backend>(c);
    CAPTURE(c);
    test::check_gradients(layer, c.in_channels);
  }
}

TEMPLATE_TEST_CASE("Row LSTM takes maps without images, rows or columns", "[nn][row_lstm]",
                   test::ReferenceBackend, test::EigenBackend, test::XsimdBackend,
                   test::PairBackend) {
  for (const RowLSTMCase& c : test::small_row_lstm_cases) {
    auto layer = test::make_row_lstm<LearnedState, TestType>(c);
    for (const Shape<3>& map : {Shape<3>{0, 4, 3}, Shape<3>{0, 4, 2}, Shape<3>{2, 0, 3},
                                Shape<3>{2, 0, 2}, Shape<3>{2, 3, 0}}) {
      CAPTURE(c, map);
      const auto x = random_map<double>(test::with_channels(map, c.in_channels), 2);
      CHECK(test::output(layer, x).shape() == layer.output_shape(x.shape()));
      CHECK(test::gradcheck_says(layer, x) == "");
    }
  }
}

TEMPLATE_TEST_CASE("Gradients of large Row LSTMs are Reference's", "[nn][row_lstm]",
                   test::EigenBackend, test::XsimdBackend, test::PairBackend) {
  for (const RowLSTMCase& c : test::row_lstm_cases) {
    const auto x = random_map<double>({3, 7, 18, c.in_channels}, 2);
    const auto expected =
        test::gradients(test::make_row_lstm<LearnedState, test::ReferenceBackend>(c), x);
    const auto found = test::gradients(test::make_row_lstm<LearnedState, TestType>(c), x);
    CAPTURE(c);
    CHECK(test::difference(found, expected, 1e-11, 1e-11) == "");
  }
}

TEMPLATE_TEST_CASE("Gradients of Row LSTMs at hard sizes are Reference's", "[nn][row_lstm]",
                   test::EigenBackend, test::XsimdBackend, test::PairBackend) {
  for (const auto& [c, map, bound] : test::large_row_lstms) {
    const auto x = random_map<double>(test::with_channels(map, c.in_channels), 2);
    auto reference = test::make_row_lstm<LearnedState, test::ReferenceBackend>(c, bound);
    const auto expected = test::gradients(reference, x);
    const auto found = test::gradients(test::make_row_lstm<LearnedState, TestType>(c, bound), x);
    CAPTURE(c, map);
    CHECK(test::difference(found, expected, 1e-11, 1e-11) == "");
    // The control: one weight that is a millionth larger is found.
    *parameters(reference)[1].parameter->value().data() += 1e-6;
    CHECK(test::difference(found, test::gradients(reference, x), 1e-11, 1e-11) != "");
  }
}

TEMPLATE_TEST_CASE("Row LSTM has the same bits for any number of threads", "[nn][row_lstm]",
                   test::EigenBackend, test::XsimdBackend, test::PairBackend) {
  for (const RowLSTMCase& c : test::row_lstm_cases) {
    CAPTURE(c);
    test::check_same_bits_for_all_threads(test::make_row_lstm<LearnedState, TestType>(c),
                                          random_map<double>({11, 5, 6, c.in_channels}, 2));
  }
}

TEMPLATE_TEST_CASE("Row LSTM never uses input weights that the mask forbids", "[nn][row_lstm]",
                   test::ReferenceBackend, test::EigenBackend, test::XsimdBackend,
                   test::PairBackend) {
  for (const RowLSTMCase& c : test::row_lstm_cases) {
    if (c.kernel == 1 && c.colours == 1) continue;  // nothing is masked
    CAPTURE(c);
    for (const Index width : {5, 6}) {
      test::check_masked_weights_are_never_used(
          test::make_row_lstm<LearnedState, TestType>(c), "input_weights",
          random_map<double>({2, 4, width, c.in_channels}, 3), naive::Mask::B, c.colours, 4);
    }
  }
}

TEMPLATE_TEST_CASE("An output of Row LSTM depends on its triangle and on nothing else",
                   "[nn][row_lstm]", (With<ZeroState, test::ReferenceBackend>),
                   (With<LearnedState, test::EigenBackend>),
                   (With<LearnedState, test::XsimdBackend>),
                   (With<LearnedState, test::PairBackend>)) {
  for (const RowLSTMCase& c : test::small_row_lstm_cases) {
    const auto layer = test::make_row_lstm<typename TestType::State, typename TestType::Backend>(c);
    for (const Shape<3>& map : {Shape<3>{1, 4, 6}, Shape<3>{1, 5, 1}, Shape<3>{1, 1, 5}}) {
      CAPTURE(c, map);
      const auto report = test::check_dependencies(
          [&](const FeatureMap<double>& x) { return test::output(layer, x); },
          random_map<double>(test::with_channels(map, c.in_channels), 4),
          [&](const Cell& out, const Cell& in) { return sees(c, out, in); });
      CHECK(report.leak == "");
      CHECK(report.blind == "");
    }
  }
}

TEST_CASE("The checker of dependencies reports colours grouped over all gates at once",
          "[nn][row_lstm]") {
  // The classic leak: with groups over 4·hidden maps the output gate is all red and g all blue.
  const RowLSTMCase c{3, 4, 1, 3};
  const auto layer = test::make_row_lstm<ZeroState, test::ReferenceBackend>(c);
  naive::Weights wrong = naive::weights_of(layer);
  naive::Map& kernel = wrong.at("input_weights");
  for (Index i = 0; i < 3; ++i) {
    for (Index o = 0; o < 16; ++o) {
      if (naive::group(i, 3, 3) > naive::group(o, 16, 3)) kernel(0, 0, i, o) = 0;
    }
  }
  const auto report =
      test::check_dependencies([&](const naive::Map& x) { return naive::row_lstm(x, wrong, 1); },
                               random_map<double>({1, 2, 2, 3}, 4),
                               [&](const Cell& out, const Cell& in) { return sees(c, out, in); });
  CHECK(report.leak != "");
}

TEST_CASE("The checker of dependencies reports a state that is not centred", "[nn][row_lstm]") {
  // As if the state-to-state convolution were shifted to the left: the upper right is lost.
  const RowLSTMCase c{1, 2, 3, 1};
  naive::Weights wrong =
      naive::weights_of(test::make_row_lstm<ZeroState, test::ReferenceBackend>(c));
  for (Index i = 0; i < 2; ++i) {
    for (Index o = 0; o < 8; ++o) wrong.at("state_weights")(0, 2, i, o) = 0;
  }
  const auto report =
      test::check_dependencies([&](const naive::Map& x) { return naive::row_lstm(x, wrong); },
                               random_map<double>({1, 3, 4, 1}, 4),
                               [&](const Cell& out, const Cell& in) { return sees(c, out, in); });
  CHECK(report.leak == "");
  CHECK(report.blind != "");
}

TEST_CASE("A repeated step with Row LSTM allocates nothing once warm", "[nn][row_lstm]") {
  const auto layer = test::make_row_lstm<LearnedState, test::XsimdBackend>({3, 4, 3, 3});
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
