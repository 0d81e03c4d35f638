// SPDX-License-Identifier: MIT
// The reverse of DiagonalScan: the same diagonals from last to first.
#pragma once

#include <pixelrnn/nn/diagonal_scan.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

template <ScanSide Side, InitialState State, class B>
auto DiagonalScan<Side, State, B>::prepare_backward(Workspace& workspace) const
    -> PreparedBackward {
  const Index in = config_.in_channels, hidden = config_.hidden;
  const auto to_input = kernels::allocate_packed<Kernels, Scalar>(workspace, gates(), in);
  Kernels::pack(
      to_input, 0,
      kernels::Strided<Scalar>{masked_input_weights(workspace).data(), gates(), in, 1, gates()});
  const auto to_state = kernels::allocate_packed<Kernels, Scalar>(workspace, 2 * gates(), hidden);
  for (Index tap = 0; tap < 2; ++tap) {
    Kernels::pack(to_state, tap * gates(),
                  kernels::Strided<Scalar>{&state_weights_.value()(tap, 0, 0, 0), gates(), hidden,
                                           1, gates()});
  }
  return {as_const(to_input), as_const(to_state),
          workspace.template allocate_zero<Scalar>(gates())};
}

/// Diagonals from last to first; the gates become dz, the gradients of the pre-activations:
///   dL/dh(r, j) = dy(r, j) + dz(r+1, j)·K_ss[0]ᵀ + dz(r, j+1)·K_ss[1]ᵀ.
/// Then, each as one product over the whole image,
///   dx = dz·K_isᵀ   dK_is = Σ xᵀdz   dK_ss[0] = Σ h(r-1, j)ᵀdz   dK_ss[1] = Σ h(r, j-1)ᵀdz.
/// dy (H, W, hidden) is the gradient of the layer's output; dx may be null.
template <ScanSide Side, InitialState State, class B>
void DiagonalScan<Side, State, B>::backward(const DiagonalGeometry& g, const PreparedBackward& p,
                                            const Scalar* x, const Maps& maps, const Scalar* dy,
                                            Scalar* dx, kernels::Store store, Scalar* scratch,
                                            Scalar* gradient) const {
  const Index hidden = config_.hidden, in = config_.in_channels;
  const Index next = g.state_step<Side>() * hidden, next_gate = g.state_step<Side>() * gates();
  const auto cell = [&](Index r, Index j) { return maps.cells + g.state<Side>(r, j) * hidden; };
  const auto dz = [&](Index r, Index j) { return maps.gates + g.gate<Side>(r, j) * gates(); };
  Scalar* const dh = scratch;                 // of the cells of one diagonal
  Scalar* const dc = dh + g.height * hidden;  // of c(r, j), one for each row r
  std::fill_n(dc, g.height * hidden, Scalar{0});
  const auto add_later = [&](Index rows, kernels::Rows<const Scalar> below,
                             kernels::Rows<const Scalar> right, Scalar* to) {
    const std::array<kernels::Term<Scalar>, 2> terms{
        kernels::Term<Scalar>{below.data, below.stride, gates()},
        kernels::Term<Scalar>{right.data, right.stride, gates()}};
    Kernels::affine(rows, Terms(terms), p.to_state, static_cast<const Scalar*>(nullptr),
                    kernels::Rows<Scalar>{to, hidden}, kernels::Store::Add);
  };
  for (Index d = g.diagonals() - 1; d >= 0; --d) {
    const Index r = g.first_row(d), j = d - r, rows = g.last_row(d) - r;
    for (Index m = 0; m < rows; ++m) {
      const Index output_row = r + m + row_shift;
      if (output_row < g.height) {
        std::copy_n(dy + g.pixel<Side>(output_row, j - m) * hidden, hidden, dh + m * hidden);
      } else {
        std::fill_n(dh + m * hidden, hidden, Scalar{0});
      }
    }
    add_later(rows, {dz(r + 1, j), next_gate}, {dz(r, j + 1), next_gate}, dh);
    Kernels::lstm_step_backward(
        rows, hidden,
        kernels::LstmStepBackward<Scalar>{.c_prev = {cell(r, j - 1), next},
                                          .c = {cell(r, j), next},
                                          .dh = {dh, hidden},
                                          .dc = {dc + r * hidden, hidden},
                                          .dc_prev = {dc + r * hidden, hidden},
                                          .gates = {dz(r, j), next_gate}});
  }

  const GradientLayout at = gradient_layout(g.height);
  add_later(g.height, {p.zero, 0}, {dz(0, 0), g.padded_row() * gates()}, gradient + at.edge_h);
  Kernels::add(g.height * hidden, dc, gradient + at.edge_c);

  const kernels::BlockedRows<Scalar> dz_rows{maps.gates + g.first_gate<Side>(0) * gates(),
                                             g.padded_row() * gates(), gates(), gates()};
  const auto weight_gradient = [&](const Scalar* from, Index line, Index channels, Scalar* to) {
    Kernels::add_outer_products(g.height, g.width,
                                kernels::BlockedRows<Scalar>{from, line, channels, channels},
                                dz_rows, kernels::Rows<Scalar>{to, gates()});
  };
  const Index state_line = g.padded_row() * hidden;
  weight_gradient(x, g.width * in, in, gradient);
  weight_gradient(maps.states + g.first_state<Side>(-1) * hidden, state_line, hidden,
                  gradient + at.state_weights);
  weight_gradient(maps.states + g.first_neighbour<Side>(0) * hidden, state_line, hidden,
                  gradient + at.state_weights + hidden * gates());
  for (Index r = 0; r < g.height; ++r) {
    const Scalar* const row = maps.gates + g.first_gate<Side>(r) * gates();
    Kernels::add_column_sums(g.width, gates(), kernels::Rows<const Scalar>{row, gates()},
                             gradient + at.bias);
    if (dx == nullptr) continue;
    const kernels::Term<Scalar> term{row, gates(), gates()};
    Kernels::affine(g.width, Terms(&term, 1), p.to_input, static_cast<const Scalar*>(nullptr),
                    kernels::Rows<Scalar>{dx + r * g.width * in, in}, store);
  }
}

template <ScanSide Side, InitialState State, class B>
void DiagonalScan<Side, State, B>::finish(const DiagonalGeometry& g, const Prepared& edge,
                                          const PreparedBackward& p, Workspace& workspace,
                                          Scalar* gradient) const {
  const Index hidden = config_.hidden;
  const GradientLayout at = gradient_layout(g.height);
  if constexpr (State::is_scanned) {
    // Back through the steps over the padding; state 0 is the constant zero.
    const Scratch guard(workspace);
    Scalar* const dh = gradient + at.edge_h;
    Scalar* const dc = gradient + at.edge_c;
    Scalar* const dc_prev = workspace.template allocate<Scalar>(hidden);
    for (Index r = g.height - 1; r > 0; --r) {
      Scalar* const dz = edge.edge_gates + r * gates();
      Kernels::lstm_step_backward(
          1, hidden,
          kernels::LstmStepBackward<Scalar>{.c_prev = {edge.edge_c[r - 1], 0},
                                            .c = {edge.edge_c[r], 0},
                                            .dh = {dh + r * hidden, 0},
                                            .dc = {dc + r * hidden, 0},
                                            .dc_prev = {dc_prev, 0},
                                            .gates = {dz, 0}});
      Kernels::add(hidden, dc_prev, dc + (r - 1) * hidden);
      const std::array<kernels::Term<Scalar>, 2> terms{kernels::Term<Scalar>{dz, 0, gates()},
                                                       kernels::Term<Scalar>{dz, 0, gates()}};
      Kernels::affine(1, Terms(terms), p.to_state, static_cast<const Scalar*>(nullptr),
                      kernels::Rows<Scalar>{dh + (r - 1) * hidden, 0}, kernels::Store::Add);
      const kernels::BlockedRows<Scalar> before{edge.edge_h[r - 1], 0, 0, hidden};
      const kernels::BlockedRows<Scalar> d{dz, 0, 0, gates()};
      for (Index tap = 0; tap < 2; ++tap) {
        Kernels::add_outer_products(
            1, 1, before, d,
            kernels::Rows<Scalar>{gradient + at.state_weights + tap * hidden * gates(), gates()});
      }
      Kernels::add(gates(), dz, gradient + at.bias);
    }
  }
  Kernels::add(input_weights_.size(), gradient, input_weights_.gradient().data());
  Kernels::add(state_weights_.size(), gradient + at.state_weights,
               state_weights_.gradient().data());
  Kernels::add(gates(), gradient + at.bias, bias_.gradient().data());
  if constexpr (State::is_learned) {
    Kernels::add_column_sums(g.height, hidden,
                             kernels::Rows<const Scalar>{gradient + at.edge_h, hidden},
                             h0_.gradient().data());
    Kernels::add_column_sums(g.height, hidden,
                             kernels::Rows<const Scalar>{gradient + at.edge_c, hidden},
                             c0_.gradient().data());
  }
  if (config_.colours > 1) {
    pixelrnn::apply_mask<MaskB>(input_weights_.gradient(), config_.colours, kernels::gate_count);
  }
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
