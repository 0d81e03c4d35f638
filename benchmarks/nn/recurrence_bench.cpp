// SPDX-License-Identifier: MIT
// The recurrences where the models use them: 2h maps in, h out.
#include "support/layers.hpp"

namespace {

using namespace pixelrnn;
using namespace pixelrnn::bench;

template <template <class K> class Layer>
auto recurrence(Index hidden) {
  return [=]<class K>(K) {
    Rng rng(1);
    return Layer<K>({.in_channels = 2 * hidden, .hidden = hidden}, rng);
  };
}
template <class K>
using Row = RowLSTM<LearnedState, BackendOf<K>>;
template <class K>
using OneDirection = DiagonalLSTM<FromLeft, LearnedState, BackendOf<K>>;
template <class K>
using BothDirections = DiagonalBiLSTM<LearnedState, BackendOf<K>>;

const bool registered = [] {
  for (const Case& c : layer_cases) {
    const Index h = c.hidden;
    add_layer("row_lstm", c, 2 * h, recurrence<Row>(h));
    add_layer("diagonal_lstm", c, 2 * h, recurrence<OneDirection>(h));
    add_layer("diagonal_bilstm", c, 2 * h, recurrence<BothDirections>(h));
  }
  return true;
}();

}  // namespace
