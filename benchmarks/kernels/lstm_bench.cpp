// SPDX-License-Identifier: MIT
// One LSTM step and its reverse, at the row counts a diagonal, a map row and a walk bring.
#include "support/report.hpp"
#include "support/verify.hpp"

namespace {

using namespace pixelrnn;
using namespace pixelrnn::bench;
using kernels::gate_count;

/// `rows` cells of `hidden` units over 4·hidden inputs: 2h of the stream, two h of the state.
struct Cells {
  Cells(Index rows_, Index hidden_)
      : rows(rows_),
        hidden(hidden_),
        x(noise_map({1, 1, rows, inputs()})),
        weights(noise_map({1, 1, inputs(), gates()}, 5)),
        bias(noise_map({1, 1, 1, gates()}, 6)),
        c_prev(noise_map({1, 1, rows, hidden})),
        c({1, 1, rows, hidden}),
        h({1, 1, rows, hidden}),
        gate({1, 1, rows, gates()}) {
    for (float& w : weights) w /= std::sqrt(static_cast<float>(inputs()));
  }
  [[nodiscard]] Index inputs() const { return 4 * hidden; }
  [[nodiscard]] Index gates() const { return gate_count * hidden; }
  [[nodiscard]] double pixels() const { return static_cast<double>(rows); }
  [[nodiscard]] double flop() const { return 2 * static_cast<double>(rows * inputs() * gates()); }

  Index rows, hidden;
  FeatureMap<float> x, weights, bias, c_prev, c, h, gate;
};

template <class K>
class Step {
 public:
  explicit Step(Cells& cells) : cells_(cells) {
    packed_ =
        kernels::allocate_packed<K, float>(workspace_, cells.inputs(), cells.hidden, gate_count);
    K::pack(packed_, 0,
            kernels::Strided<float>{cells.weights.data(), cells.inputs(), cells.gates(),
                                    cells.gates(), 1});
  }
  void operator()() {
    Cells& s = cells_;
    const kernels::Term<float> term{s.x.data(), s.inputs(), s.inputs()};
    K::lstm_step(s.rows, std::span<const kernels::Term<float>>(&term, 1),
                 kernels::as_const(packed_), kernels::Rows<const float>{s.bias.data(), 0},
                 kernels::LstmStep<float>{.c_prev = {s.c_prev.data(), s.hidden},
                                          .c = {s.c.data(), s.hidden},
                                          .h = {s.h.data(), s.hidden},
                                          .gates = {s.gate.data(), s.gates()}});
  }

 private:
  Cells& cells_;
  Workspace workspace_;
  kernels::Packed<float> packed_;
};

template <class K>
void step(benchmark::State& state, Index rows, Index hidden) {
  Cells cells(rows, hidden), expected(rows, hidden);
  Step<K> run(cells);
  run();
  Step<kernels::Reference>{expected}();
  if (relative_error(cells.h, expected.h) > tolerance ||
      relative_error(cells.c, expected.c) > tolerance ||
      relative_error(cells.gate, expected.gate) > tolerance) {
    return state.SkipWithError("differs from Reference");
  }
  for (auto _ : state) {
    run();
    benchmark::ClobberMemory();
  }
  report(state, {.flop = cells.flop(), .pixels = cells.pixels()}, 1);
}

/// The reverse is element-wise work on 9 values a unit; gates are its input and its output, so it
/// reads a fresh copy each time (4 of the 13 values moved).
template <class K>
void reverse(Cells& cells, const FeatureMap<float>& gates, FeatureMap<float>& dc) {
  std::copy(gates.begin(), gates.end(), cells.gate.begin());
  std::fill(dc.begin(), dc.end(), 0.5f);
  K::lstm_step_backward(
      cells.rows, cells.hidden,
      kernels::LstmStepBackward<float>{.c_prev = {cells.c_prev.data(), cells.hidden},
                                       .c = {cells.c.data(), cells.hidden},
                                       .dh = {cells.h.data(), cells.hidden},
                                       .dc = {dc.data(), cells.hidden},
                                       .dc_prev = {dc.data(), cells.hidden},
                                       .gates = {cells.gate.data(), cells.gates()}});
}

template <class K>
void step_backward(benchmark::State& state, Index rows, Index hidden) {
  Cells cells(rows, hidden), expected(rows, hidden);
  Step<kernels::Reference>{cells}();
  Step<kernels::Reference>{expected}();
  const FeatureMap<float> gates = cells.gate;
  FeatureMap<float> dc({1, 1, rows, hidden}), expected_dc = dc;
  reverse<K>(cells, gates, dc);
  reverse<kernels::Reference>(expected, gates, expected_dc);
  if (relative_error(cells.gate, expected.gate) > tolerance ||
      relative_error(dc, expected_dc) > tolerance) {
    return state.SkipWithError("differs from Reference");
  }
  for (auto _ : state) {
    reverse<K>(cells, gates, dc);
    benchmark::ClobberMemory();
  }
  report(state, {.pixels = cells.pixels(), .bytes = cells.pixels() * 4.0 * 18 * double(hidden)}, 1);
}

const bool registered = [] {
  for (const Index hidden : {16, 32, 64, 128}) {
    for (const Index rows : {1, 16, 28, 64, 1024}) {
      const auto with = [=](const char* what, auto kernels, auto run) {
        add(join(what, numbered("h", hidden), numbered("m", rows), decltype(kernels)::name),
            [=](benchmark::State& state) { run(state, rows, hidden); });
      };
      const auto with_all = [=]<class K>(K k) {
        with("lstm_step", k, step<K>);
        with("lstm_step_backward", k, step_backward<K>);
      };
      with_all(kernels::Xsimd{});
      with_all(kernels::Eigen{});
      if (hidden <= 32) with_all(kernels::Reference{});
    }
  }
  return true;
}();

}  // namespace
