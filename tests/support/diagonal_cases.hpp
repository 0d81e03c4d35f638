// SPDX-License-Identifier: MIT
// The Diagonal LSTMs that are tested, in one direction and in both.
#pragma once

#include <ostream>
#include <vector>

#include <pixelrnn/nn/diagonal_lstm/diagonal_lstm.hpp>

#include "support/dependency.hpp"
#include "support/layer_checks.hpp"

namespace pixelrnn::test {

struct DiagonalCase {
  Index in_channels = 1, hidden = 1, colours = 1;
};
inline std::ostream& operator<<(std::ostream& out, const DiagonalCase& c) {
  return out << c.in_channels << "->" << c.hidden << ", colours " << c.colours;
}

inline const std::vector<DiagonalCase> diagonal_cases{{1, 1, 1}, {2, 3, 1},  {3, 3, 3}, {4, 5, 3},
                                                      {1, 1, 3}, {5, 16, 1}, {2, 20, 3}};
/// Layers on maps of the paper's and of odd sizes, whose gradients are Reference's. In a long
/// recurrence of many units weights must be small, or it is chaotic.
struct LargeDiagonal {
  DiagonalCase layer;
  Shape<3> map;
  double bound;
};
inline const std::vector<LargeDiagonal> large_diagonals{{{4, 64, 1}, {1, 28, 28}, 0.1},
                                                        {{3, 3, 3}, {16, 28, 28}, 0.3},
                                                        {{2, 20, 1}, {2, 33, 17}, 0.2},
                                                        {{3, 16, 3}, {16, 5, 3}, 0.3},
                                                        {{1, 1, 1}, {7, 33, 17}, 0.3}};
/// Those of few weights, for gradcheck.
inline const std::vector<DiagonalCase> small_diagonal_cases{{1, 1, 1}, {2, 2, 1}, {3, 4, 3}};

template <class L>
[[nodiscard]] L make_diagonal(const DiagonalCase& c, double bound = 1) {
  Rng rng(1);
  L layer({.in_channels = c.in_channels, .hidden = c.hidden, .colours = c.colours}, rng);
  randomise(layer, 1, bound);
  return layer;
}

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

/// What an initial-state policy means on the skewed map.
template <class State>
inline constexpr naive::Edge edge_of =
    State::is_scanned ? naive::Edge::padding_is_scanned : naive::Edge::initial_state;

/// What each layer must compute, in the paper's skewed formulation.
template <class State, class B>
[[nodiscard]] naive::Map naive_diagonal(const DiagonalLSTM<FromLeft, State, B>& layer,
                                        const naive::Map& x, Index colours) {
  return naive::diagonal_lstm(x, naive::weights_of(layer), edge_of<State>, colours);
}
template <class State, class B>
[[nodiscard]] naive::Map naive_diagonal(const DiagonalLSTM<FromRight, State, B>& layer,
                                        const naive::Map& x, Index colours) {
  return naive::shift_down(
      naive::diagonal_lstm_from_right(x, naive::weights_of(layer), edge_of<State>, colours));
}
template <class State, class B>
[[nodiscard]] naive::Map naive_diagonal(const DiagonalBiLSTM<State, B>& layer, const naive::Map& x,
                                        Index colours) {
  return naive::diagonal_bilstm(x, naive::weights_of(layer), edge_of<State>, colours);
}

/// Whether the colour of `in` is known to `out` where both are one pixel.
[[nodiscard]] inline bool colour_is_known(const DiagonalCase& c, const Cell& out, const Cell& in) {
  return naive::group(in.channel, c.in_channels, c.colours) <=
         naive::group(out.channel, c.hidden, c.colours);
}
/// What the scan from the left must see: rows up to r, columns up to j.
[[nodiscard]] inline bool left_sees(const DiagonalCase& c, const Cell& out, const Cell& in) {
  if (in.row > out.row || in.column > out.column) return false;
  return !is_same_pixel(in, out) || colour_is_known(c, out, in);
}
/// What the shifted scan from the right must see: rows before r, columns from j on. The pixel it
/// takes for itself is the one above, of which it knows as much as a mask B lets through.
[[nodiscard]] inline bool right_sees(const DiagonalCase& c, const Cell& out, const Cell& in) {
  if (in.row >= out.row || in.column < out.column) return false;
  return in.row < out.row - 1 || in.column > out.column || colour_is_known(c, out, in);
}
/// What both together must see: every past pixel, and the current one as far as it is known.
[[nodiscard]] inline bool both_see(const DiagonalCase& c, const Cell& out, const Cell& in) {
  return is_before(in, out) || (is_same_pixel(in, out) && colour_is_known(c, out, in));
}

}  // namespace pixelrnn::test
