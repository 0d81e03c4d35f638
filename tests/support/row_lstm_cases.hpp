// SPDX-License-Identifier: MIT
// The Row LSTMs that are tested.
#pragma once

#include <ostream>
#include <vector>

#include <pixelrnn/nn/row_lstm/row_lstm.hpp>

#include "support/layer_checks.hpp"

namespace pixelrnn::test {

struct RowLSTMCase {
  Index in_channels = 1, hidden = 1, kernel = 3, colours = 1;
};
inline std::ostream& operator<<(std::ostream& out, const RowLSTMCase& c) {
  return out << c.in_channels << "->" << c.hidden << ", k " << c.kernel << ", colours "
             << c.colours;
}

inline const std::vector<RowLSTMCase> row_lstm_cases{{1, 1, 1, 1},  {2, 3, 3, 1},  {3, 3, 5, 3},
                                                     {4, 5, 3, 3},  {5, 16, 3, 1}, {2, 20, 1, 3},
                                                     {1, 16, 5, 1}, {1, 1, 3, 3}};
/// Layers on maps of the paper's and of odd sizes, whose gradients are Reference's. In a long
/// recurrence of many units weights must be small, or it is chaotic.
struct LargeRowLSTM {
  RowLSTMCase layer;
  Shape<3> map;
  double bound;
};
inline const std::vector<LargeRowLSTM> large_row_lstms{{{4, 64, 3, 1}, {1, 28, 28}, 0.1},
                                                       {{3, 3, 3, 3}, {16, 28, 28}, 0.3},
                                                       {{2, 20, 3, 1}, {2, 33, 17}, 0.2},
                                                       {{3, 16, 3, 3}, {16, 5, 3}, 0.3},
                                                       {{1, 1, 5, 1}, {7, 33, 17}, 0.3}};
/// Those of few weights, for gradcheck.
inline const std::vector<RowLSTMCase> small_row_lstm_cases{
    {1, 1, 1, 1}, {2, 2, 3, 1}, {3, 4, 3, 3}, {1, 2, 5, 1}};

template <class State, class B>
[[nodiscard]] RowLSTM<State, B> make_row_lstm(const RowLSTMCase& c, double bound = 1) {
  Rng rng(1);
  RowLSTM<State, B> layer(
      {.in_channels = c.in_channels, .hidden = c.hidden, .kernel = c.kernel, .colours = c.colours},
      rng);
  randomise(layer, 1, bound);
  return layer;
}

/// A state and a backend in one type, for TEMPLATE_TEST_CASE.
template <class S, class B>
struct With {
  using State = S;
  using Backend = B;
};

}  // namespace pixelrnn::test
