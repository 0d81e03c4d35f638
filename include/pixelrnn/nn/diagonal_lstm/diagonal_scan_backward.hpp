// SPDX-License-Identifier: MIT
// The reverse of DiagonalScan: the same diagonals from last to first.
#pragma once

#include <pixelrnn/nn/diagonal_lstm/diagonal_scan.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

template <ScanSide Side, InitialState State, class B>
auto DiagonalScan<Side, State, B>::prepare_backward(Workspace& workspace) const
    -> PreparedBackward {
  const Index in = config_.in_channels, hidden = config_.hidden;
  const auto to_input = kernels::allocate_packed<Kernels, Scalar>(workspace, gates(), in);
  Kernels::pack(to_input, 0,
                kernels::Strided<Scalar>{parameters_.masked_input_weights(workspace).data(),
                                         gates(), in, 1, gates()});
  const auto to_state = kernels::allocate_packed<Kernels, Scalar>(workspace, 2 * gates(), hidden);
  for (Index tap = 0; tap < 2; ++tap) {
    Kernels::pack(to_state, tap * gates(),
                  kernels::Strided<Scalar>{&parameters_.state_weights.value()(tap, 0, 0, 0),
                                           gates(), hidden, 1, gates()});
  }
  return {as_const(to_input), as_const(to_state),
          workspace.template allocate_zero<Scalar>(gates())};
}

/// Diagonals from last to first; the gates become dz, the gradients of the pre-activations:
///   dL/dh(r, j) = dy(r, j) + dz(r+1, j)·K_ss[0]ᵀ + dz(r, j+1)·K_ss[1]ᵀ     dx = dz·K_isᵀ.
/// Then, each as one product over all diagonals,
///   dK_is = Σ xᵀdz   dK_ss[0] = Σ h(r-1, j)ᵀdz   dK_ss[1] = Σ h(r, j-1)ᵀdz.
/// dy (H, W, hidden) is the gradient of the layer's output; dx may be null.
template <ScanSide Side, InitialState State, class B>
void DiagonalScan<Side, State, B>::backward(const DiagonalGeometry& g, const PreparedBackward& p,
                                            const Scalar* x, const Maps& maps, const Scalar* dy,
                                            Scalar* dx, kernels::Store store,
                                            const BackwardRoom& room, Scalar* gradient) const {
  using Rows = kernels::Rows<Scalar>;
  using ConstRows = kernels::Rows<const Scalar>;
  const Index hidden = config_.hidden, in = config_.in_channels;
  const auto state = [&](Index d, Index r) { return maps.states + g.state(d, r) * hidden; };
  const auto cell = [&](Index d, Index r) { return maps.cells + g.state(d, r) * hidden; };
  const auto dz = [&](Index d, Index r) { return maps.gates + g.gate(d, r) * gates(); };
  Scalar* const dh = room.values;                // of the cells of one diagonal
  Scalar* const dc = dh + g.longest() * hidden;  // of c(r, j), for each row r
  const GradientLayout at = gradient_layout(g.height);

  if (dx != nullptr && store == kernels::Store::Overwrite) {  // rows that are left out
    std::fill_n(dx + g.height * g.width * in, row_shift * g.width * in, Scalar{0});
  }
  std::fill_n(dc, g.height * hidden, Scalar{0});
  for (Index d = 0; d <= g.diagonals(); ++d) {  // before, between and after the diagonals
    std::fill_n(dz(d, g.first_row(d) - 1), gates(), Scalar{0});
  }
  for (Index d = g.diagonals() - 1; d >= 0; --d) {
    const Index r = g.first_row(d), rows = g.rows(d);
    const ConstRows of_output = pixels(g, d, row_shift, hidden, dy);
    if (d + 1 < g.diagonals()) {
      const std::array<kernels::Term<Scalar>, 2> terms{
          kernels::Term<Scalar>{dz(d + 1, r + 1), gates(), gates()},
          kernels::Term<Scalar>{dz(d + 1, r), gates(), gates()}};
      Kernels::affine(rows, Terms(terms), p.to_state, ConstRows{}, of_output, Rows{dh, hidden});
    } else {
      Kernels::move_rows(rows, hidden, of_output, Rows{dh, hidden}, kernels::Store::Overwrite);
    }
    Kernels::lstm_step_backward(
        rows, hidden,
        kernels::LstmStepBackward<Scalar>{.c_prev = {cell(d - 1, r), hidden},
                                          .c = {cell(d, r), hidden},
                                          .dh = {dh, hidden},
                                          .dc = {dc + r * hidden, hidden},
                                          .dc_prev = {dc + r * hidden, hidden},
                                          .gates = {dz(d, r), gates()}});
    if (d < g.height) {  // row d begins here
      Kernels::add(gates(), dz(d, d), gradient + at.edge_z + d * gates());
    }
    if (dx == nullptr) continue;
    const kernels::Term<Scalar> term{dz(d, r), gates(), gates()};
    const Rows to = pixels(g, d, 0, in, dx);
    Kernels::affine(rows, Terms(&term, 1), p.to_input, ConstRows{},
                    store == kernels::Store::Add ? ConstRows(to) : ConstRows{}, to);
  }
  Kernels::add(g.height * hidden, dc, gradient + at.edge_c);

  const auto weight_gradient = [&](Index channels, Index stride, Scalar* to, auto source) {
    const auto count = static_cast<std::size_t>(g.diagonals());
    for (Index d = 0; d < g.diagonals(); ++d) {
      room.pairs[d] = {source(d), dz(d, g.first_row(d)), g.rows(d)};
    }
    Kernels::add_outer_products(std::span<const kernels::RowPairs<Scalar>>(room.pairs, count),
                                kernels::RowShape{channels, stride},
                                kernels::RowShape{gates(), gates()}, Rows{to, gates()});
  };
  weight_gradient(in, g.pixel_step<Side>() * in, gradient,
                  [&](Index d) { return pixels(g, d, 0, in, x).data; });
  Scalar* const above = gradient + at.state_weights;
  weight_gradient(hidden, hidden, above, [&](Index d) { return state(d - 1, g.first_row(d) - 1); });
  weight_gradient(hidden, hidden, above + hidden * gates(),
                  [&](Index d) { return state(d - 1, g.first_row(d)); });
  Kernels::add_column_sums(g.gates(), gates(), ConstRows{maps.gates, gates()}, gradient + at.bias);
}

template <ScanSide Side, InitialState State, class B>
void DiagonalScan<Side, State, B>::condition_gradient(pixelrnn::Backward<Scalar>& ctx,
                                                      const Shape<4>& x, const Maps& maps) const {
  const DiagonalGeometry g = geometry(x, true);
  condition_.backward(ctx, 2, g.diagonals(), g.pixel_step<Side>(), gates(),
                      [&](Index image, Index d) {
                        const Index r = g.first_row(d);
                        return typename detail::ConditionWeights<B>::Line{
                            maps_of(maps, g, image).gates + g.gate(d, r) * gates(),
                            g.pixel<Side>(r, d - r), g.rows(d)};
                      });
}

template <ScanSide Side, InitialState State, class B>
void DiagonalScan<Side, State, B>::finish(pixelrnn::Backward<Scalar>& ctx,
                                          const DiagonalGeometry& g, const Edges& edges,
                                          const PreparedBackward& p, Scalar* gradient) const {
  const Index hidden = config_.hidden;
  const GradientLayout at = gradient_layout(g.height);
  Workspace& workspace = ctx.scratch();
  const Scratch guard(workspace);
  // dL/dh(r, -1): the state at column -1 is the left neighbour of the row's first cell only.
  Scalar* const dh = workspace.template allocate<Scalar>(g.height * hidden);
  const std::array<kernels::Term<Scalar>, 2> first_cells{
      kernels::Term<Scalar>{p.zero, 0, gates()},
      kernels::Term<Scalar>{gradient + at.edge_z, gates(), gates()}};
  Kernels::affine(g.height, Terms(first_cells), p.to_state, kernels::Rows<const Scalar>{},
                  kernels::Rows<const Scalar>{}, kernels::Rows<Scalar>{dh, hidden});
  if constexpr (State::is_scanned) {
    // Back through the steps over the padding; state 0 is the constant zero.
    Scalar* const dc = gradient + at.edge_c;
    Scalar* const dc_prev = workspace.template allocate<Scalar>(hidden);
    Scalar* const d_bias =
        config_.padding_bias ? ctx.gradient(padding_bias_).data() : gradient + at.bias;
    for (Index r = g.height - 1; r > 0; --r) {
      Scalar* const dz = edges.gates + r * gates();
      Kernels::lstm_step_backward(1, hidden,
                                  kernels::LstmStepBackward<Scalar>{.c_prev = {edges.c[r - 1], 0},
                                                                    .c = {edges.c[r], 0},
                                                                    .dh = {dh + r * hidden, 0},
                                                                    .dc = {dc + r * hidden, 0},
                                                                    .dc_prev = {dc_prev, 0},
                                                                    .gates = {dz, 0}});
      Kernels::add(hidden, dc_prev, dc + (r - 1) * hidden);
      const std::array<kernels::Term<Scalar>, 2> terms{kernels::Term<Scalar>{dz, 0, gates()},
                                                       kernels::Term<Scalar>{dz, 0, gates()}};
      Kernels::affine(1, Terms(terms), p.to_state, kernels::Rows<const Scalar>{},
                      kernels::Rows<const Scalar>{dh + (r - 1) * hidden, 0},
                      kernels::Rows<Scalar>{dh + (r - 1) * hidden, 0});
      const kernels::RowPairs<Scalar> pair{edges.h[r - 1], dz, 1};
      for (Index tap = 0; tap < 2; ++tap) {
        Kernels::add_outer_products(
            std::span<const kernels::RowPairs<Scalar>>(&pair, 1), kernels::RowShape{hidden, hidden},
            kernels::RowShape{gates(), gates()},
            kernels::Rows<Scalar>{gradient + at.state_weights + tap * hidden * gates(), gates()});
      }
      Kernels::add(gates(), dz, d_bias);
    }
  }
  Kernels::add(parameters_.input_weights.size(), gradient,
               ctx.gradient(parameters_.input_weights).data());
  Kernels::add(parameters_.state_weights.size(), gradient + at.state_weights,
               ctx.gradient(parameters_.state_weights).data());
  Kernels::add(gates(), gradient + at.bias, ctx.gradient(parameters_.bias).data());
  if constexpr (State::is_learned) {
    Kernels::add_column_sums(g.height, hidden, kernels::Rows<const Scalar>{dh, hidden},
                             ctx.gradient(parameters_.h0).data());
    Kernels::add_column_sums(g.height, hidden,
                             kernels::Rows<const Scalar>{gradient + at.edge_c, hidden},
                             ctx.gradient(parameters_.c0).data());
  }
  parameters_.mask_gradient(ctx);
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
