// SPDX-License-Identifier: MIT
// The reverse of RowScan: the same rows from last to first.
#pragma once

#include <pixelrnn/nn/row_lstm/row_scan.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// Rows from last to first; the gates become dz, the gradients of the pre-activations:
///   dL/dh(r, j) = dy(r, j) + Σ_d dz(r + 1, j - d) K_ss[d]ᵀ; from it and dL/dc(r, j), which comes
///   from row r + 1, dz(r, j) and dL/dc(r - 1, j): kernels::Reference::lstm_step_backward
///   dx(r, j) = Σ_d dz(r, j - d) K_is[d]ᵀ
/// Then, each as one product over all rows of an image,
///   dK_is[d] = Σ x(r, j + d)ᵀ dz(r, j)   dK_ss[d] = Σ h(r - 1, j + d)ᵀ dz(r, j)   db = Σ dz,
/// and dh0, dc0 of what is left before row 0.
template <InitialState State, class B>
void RowScan<State, B>::backward(pixelrnn::Backward<Scalar>& ctx, const Maps& maps) const {
  using ConstRows = kernels::Rows<const Scalar>;
  const Shape<4> s = ctx.input(0).shape();
  const Index hidden = config_.hidden;
  const Layout at(*this, s);
  const Pieces pieces(s);
  const Chunks chunks{s.n()};
  const Index workers = B::Execution::workers(ctx.threads(), chunks.size());
  const bool pairs = in_pairs(s.w()), pairs_of_input = pairs && detail::pairs_save(input_taps_);
  Workspace& scratch = ctx.scratch();
  const Products to_input(
      scratch, workers, s.w(), taps_to_input_,
      Products::prepare(scratch, taps_to_input_, parameters_.masked_input_weights(scratch), true,
                        pairs_of_input));
  const Products to_state(
      scratch, workers, s.w(), taps_to_state_,
      Products::prepare(scratch, taps_to_state_, parameters_.state_weights.value(), true, pairs));
  const detail::TapGradients<B> input_gradients(scratch, workers, pieces, input_taps_,
                                                parameters_.input_weights.value().shape(),
                                                pairs_of_input);
  const detail::TapGradients<B> state_gradients(scratch, workers, pieces, state_taps_,
                                                parameters_.state_weights.value().shape(), pairs);
  Scalar* const frames = scratch.template allocate<Scalar>(workers * at.input_size);
  Scalar* const states = scratch.template allocate_zero<Scalar>(workers * at.state_size);
  Scalar* const rows = scratch.template allocate<Scalar>(workers * 2 * at.cells_line);
  const Index input_part = parameters_.input_weights.size(),
              state_part = parameters_.state_weights.size();
  const Index part = input_part + state_part + gates() + 2 * hidden;
  Scalar* const parts =
      detail::allocate_chunks<B, Scalar>(scratch, ctx.threads(), chunks.size(), part);
  const bool wants_dx = ctx.wants_gradient(0);
  const auto claim =
      wants_dx ? ctx.claim_gradient(0) : typename pixelrnn::Backward<Scalar>::Claim{};
  const Scalar* const x = ctx.input(0).data();
  const Scalar* const y = ctx.output().data();
  const Scalar* const dy = ctx.output_gradient().data();

  B::Execution::for_each(ctx.threads(), chunks.size(), [&](Index chunk, Index worker) {
    Scalar* const dh = rows + worker * 2 * at.cells_line;
    Scalar* const dc = dh + at.cells_line;
    Scalar* const state = states + worker * at.state_size + reach_ * hidden;
    Scalar* const d_input = parts + chunk * part;
    Scalar* const d_state = d_input + input_part;
    Scalar* const d_bias = d_state + state_part;
    Scalar* const d_initial = d_bias + gates();
    input_gradients.begin(worker);
    state_gradients.begin(worker);
    for (Index image = chunks.first(chunk); image < chunks.last(chunk); ++image) {
      const Index first_pixel = image * s.h() * s.w();
      Scalar* const gate_rows = maps.gates + image * at.gates_size + reach_ * gates();
      const Frame<Scalar> dz{gate_rows, s.h(), s.w(), at.gates_line, gates()};
      const Scalar* const c = maps.cells + image * at.cells_size;
      std::fill_n(dc, at.cells_line, Scalar{0});
      for (Index r = s.h() - 1; r >= -1; --r) {
        // Of row -1 there is no output.
        const Scalar* const of_output = r >= 0 ? dy + (first_pixel + r * s.w()) * hidden : nullptr;
        if (r + 1 < s.h()) {
          to_state(worker, dz, r + 1, 1, {}, of_output, dh);
        } else if (r >= 0) {
          std::copy_n(of_output, at.cells_line, dh);
        } else {
          std::fill_n(dh, at.cells_line, Scalar{0});  // no rows at all
        }
        if (r < 0) break;
        Kernels::lstm_step_backward(
            s.w(), hidden,
            kernels::LstmStepBackward<Scalar>{.c_prev = {c + r * at.cells_line, hidden},
                                              .c = {c + (r + 1) * at.cells_line, hidden},
                                              .dh = {dh, hidden},
                                              .dc = {dc, hidden},
                                              .dc_prev = {dc, hidden},
                                              .gates = {gate_rows + r * at.gates_line, gates()}});
      }
      // dh and dc now belong to row -1.
      Kernels::add_column_sums(s.w(), hidden, ConstRows{dh, hidden}, d_initial);
      Kernels::add_column_sums(s.w(), hidden, ConstRows{dc, hidden}, d_initial + hidden);

      const Frame<Scalar> input =
          padded_frame<Kernels>(x + first_pixel * s.c(), s.c(), pieces, 0, s.h(), at.input_padding,
                                false, frames + worker * at.input_size);
      input_gradients.add(worker, input, dz, d_input);
      fill_initial(parameters_.h0, state, s.w());
      for (Index r = 0; r + 1 < s.h(); ++r) {
        std::copy_n(y + (first_pixel + r * s.w()) * hidden, at.cells_line,
                    state + (r + 1) * at.state_line);
      }
      state_gradients.add(worker, {state, s.h(), s.w(), at.state_line, hidden}, dz, d_state);
      for (Index r = 0; r < s.h(); ++r) {
        Kernels::add_column_sums(s.w(), gates(), ConstRows{dz.at(r, 0, 0), gates()}, d_bias);
      }
      if (!wants_dx) continue;
      const Index group = to_input.lines(s.w());
      for (Index r = 0; r < s.h(); r += group) {
        const Index lines = std::min(group, s.h() - r);
        Scalar* const dx = claim.gradient.data() + (first_pixel + r * s.w()) * s.c();
        to_input(worker, dz, r, lines, {}, claim.fresh ? nullptr : dx, dx);
      }
    }
    input_gradients.end(worker, d_input);
    state_gradients.end(worker, d_state);
  });
  condition_.backward(ctx, 2, s.h(), 1, gates(), [&](Index image, Index r) {
    const Scalar* const dz = maps.gates + image * at.gates_size + reach_ * gates();
    return typename detail::ConditionWeights<B>::Line{dz + r * at.gates_line, r * s.w(), s.w()};
  });
  const Scalar* from = parts;
  const auto reduce = [&](const Parameter<Scalar>& parameter, Index count) {
    if (parameter.size() > 0) {
      detail::add_chunks<B>(ctx.threads(), from, chunks.size(), part, count,
                            ctx.gradient(parameter).data());
    }
    from += count;
  };
  reduce(parameters_.input_weights, input_part);
  reduce(parameters_.state_weights, state_part);
  reduce(parameters_.bias, gates());
  reduce(parameters_.h0, hidden);
  reduce(parameters_.c0, hidden);
  parameters_.mask_gradient(ctx);
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
