// SPDX-License-Identifier: MIT
// The reverse of a Spatial LSTM.
#pragma once

#include <pixelrnn/nn/spatial_lstm/spatial_scan.hpp>

namespace pixelrnn::inline PIXELRNN_ABI::detail {

/// With q = o ⊙ c, of which h = tanh(q), and what later cells give back,
///   dh(r, j) = dy + dz(r+1, j)·K_ss[0]ᵀ + dz(r, j+1)·K_ss[1]ᵀ        dq = dh ⊙ tanh'(q)
///   dc(r, j) = dq ⊙ o + (f_left ⊙ dc)(r, j+1) + (f_above ⊙ dc)(r+1, j)
/// tanh'(q) = 4 σ(2q) σ(-2q), not 1 - h²: two forget gates may let c grow without bound, and dc
/// with it on the way back, so where h is nearly 1 the rounding of that difference would outgrow
/// all else. dz is the gradient of the pre-activations. It, f_left ⊙ dc and f_above ⊙ dc have a
/// border of zeros below and right.
template <class B>
void SpatialScan<B>::backward(pixelrnn::Backward<Scalar>& ctx, const Maps& maps) const {
  const Shape<4> s = ctx.input(0).shape();
  if (ctx.output().empty()) return;
  const Index in = s.c(), hidden = config_.hidden, pixels = s.h() * s.w();
  const Index padded = (s.h() + 1) * (s.w() + 1), line = (s.w() + 1) * gates();
  Workspace& scratch = ctx.scratch();
  const auto transposed = [&](const Scalar* weights, Index rows) {
    return kernels::Strided<Scalar>{weights, gates(), rows, 1, gates()};
  };
  const auto to_state = kernels::allocate_packed<Kernels, Scalar>(scratch, 2 * gates(), hidden);
  const Scalar* const state = state_weights_.value().data();
  Kernels::pack(to_state, 0, transposed(state, hidden));
  Kernels::pack(to_state, gates(), transposed(state + hidden * gates(), hidden));
  const auto to_input = kernels::allocate_packed<Kernels, Scalar>(scratch, gates(), in);
  Kernels::pack(to_input, 0, transposed(masked_input_weights(scratch).data(), in));

  const Chunks chunks{s.n()};
  const Index workers = B::Execution::workers(ctx.threads(), chunks.size());
  Scalar* const dz = scratch.template allocate_zero<Scalar>(s.n() * padded * gates());
  const Index room = 2 * padded * hidden + std::min(s.h(), s.w()) * hidden;
  Scalar* const rooms = scratch.template allocate_zero<Scalar>(workers * room);
  // Gradients of K_is, K_ss and b, chunk by chunk.
  const Index of_state = input_weights_.size(), of_bias = of_state + state_weights_.size(),
              part = of_bias + gates();
  Scalar* const parts = allocate_chunks<B, Scalar>(scratch, ctx.threads(), chunks.size(), part);
  auto* const pairs = scratch.template allocate<kernels::RowPairs<Scalar>>(workers * s.h());
  const bool wants_dx = ctx.wants_gradient(0);
  const auto claim =
      wants_dx ? ctx.claim_gradient(0) : typename pixelrnn::Backward<Scalar>::Claim{};
  const Scalar* const x = ctx.input(0).data();
  const Scalar* const dy = ctx.output_gradient().data();
  B::Execution::for_each(ctx.threads(), chunks.size(), [&](Index chunk, Index worker) {
    Scalar* const gradient = parts + chunk * part;
    kernels::RowPairs<Scalar>* const rows = pairs + worker * s.h();
    for (Index n = chunks.first(chunk); n < chunks.last(chunk); ++n) {
      const Maps own = maps.of(s, hidden, n);
      Scalar* const d = dz + n * padded * gates();
      Scalar* const dc = rooms + worker * room;
      scan_back(s, as_const(to_state), own, dy + n * pixels * hidden, d, dc,
                dc + 2 * padded * hidden);
      for (Index r = 0; r < s.h() && wants_dx; ++r) {
        const kernels::Term<Scalar> term{d + r * line, gates(), gates()};
        const kernels::Rows<Scalar> to{claim.gradient.data() + (n * pixels + r * s.w()) * in, in};
        Kernels::affine(s.w(), Terms(&term, 1), as_const(to_input), kernels::Rows<const Scalar>{},
                        claim.fresh ? kernels::Rows<const Scalar>{} : to, to);
      }
      // Of x, of h above and of h left: a row of the map at a time.
      const auto outer = [&](const Scalar* map, Index row_values, Index channels, Scalar* to) {
        for (Index r = 0; r < s.h(); ++r) rows[r] = {map + r * row_values, d + r * line, s.w()};
        Kernels::add_outer_products(
            std::span<const kernels::RowPairs<Scalar>>(rows, static_cast<std::size_t>(s.h())),
            kernels::RowShape{channels, channels}, kernels::RowShape{gates(), gates()},
            kernels::Rows<Scalar>{to, gates()});
      };
      const Index state_row = (s.w() + 1) * hidden;
      outer(x + n * pixels * in, s.w() * in, in, gradient);
      outer(own.h + hidden, state_row, hidden, gradient + of_state);
      outer(own.h + state_row, state_row, hidden, gradient + of_state + hidden * gates());
      for (Index r = 0; r < s.h(); ++r) {
        Kernels::add_column_sums(s.w(), gates(), kernels::Rows<const Scalar>{d + r * line, gates()},
                                 gradient + of_bias);
      }
    }
  });
  const auto add = [&](Index from, const Parameter<Scalar>& parameter) {
    add_chunks<B>(ctx.threads(), parts + from, chunks.size(), part, parameter.size(),
                  ctx.gradient(parameter).data());
  };
  add(0, input_weights_), add(of_state, state_weights_), add(of_bias, bias_);
  if (mask_.has_parts()) mask_.apply(ctx.gradient(input_weights_), gate_count);
  condition_.backward(ctx, 2, s.h(), 1, gates(), [&](Index n, Index r) {
    return
        typename ConditionWeights<B>::Line{dz + n * padded * gates() + r * line, r * s.w(), s.w()};
  });
}

/// dz of an image, from its last diagonal to its first. `dc` has room for f_left ⊙ dc and then
/// f_above ⊙ dc, whose borders are zero, `dh` for a diagonal.
template <class B>
void SpatialScan<B>::scan_back(const Shape<4>& s, const kernels::Packed<const Scalar>& to_state,
                               const Maps& maps, const Scalar* dy, Scalar* dz, Scalar* dc,
                               Scalar* dh) const {
  const Index hidden = config_.hidden, width = s.w() + 1;
  Scalar* const dc_left = dc;
  Scalar* const dc_above = dc + (s.h() + 1) * width * hidden;
  for (Index d = s.h() + s.w() - 2; d >= 0; --d) {
    const Diagonal cells(s, d);
    const auto below = cells.of(dz, width, gates(), 1, 0),
               right = cells.of(dz, width, gates(), 0, 1);
    const std::array<kernels::Term<Scalar>, 2> terms{
        kernels::Term<Scalar>{below.data, below.stride, gates()},
        kernels::Term<Scalar>{right.data, right.stride, gates()}};
    Kernels::affine(cells.cells, Terms(terms), to_state, cells.of(dy, s.w(), hidden),
                    kernels::Rows<const Scalar>{}, kernels::Rows<Scalar>{dh, hidden});
    const auto state = [&](Scalar* map, Index down, Index to_right) {
      return cells.of(map, width, hidden, down, to_right);
    };
    const auto gate = cells.of(maps.gates, s.w(), gates());
    const auto own = cells.of(dz, width, gates());
    for (Index i = 0; i < cells.cells; ++i) {
      reverse_cell(hidden, gate[i], state(maps.c, 1, 0)[i], state(maps.c, 0, 1)[i],
                   state(maps.c, 1, 1)[i], dh + i * hidden, state(dc_left, 0, 1)[i],
                   state(dc_above, 1, 0)[i], own[i], state(dc_left, 0, 0)[i],
                   state(dc_above, 0, 0)[i]);
    }
  }
}

/// From dh and what the cells right and below give to c, to dz and what goes to the cells left and
/// above.
template <class B>
void SpatialScan<B>::reverse_cell(Index hidden, const Scalar* gates, const Scalar* c_left,
                                  const Scalar* c_above, const Scalar* c, const Scalar* dh,
                                  const Scalar* from_right, const Scalar* from_below, Scalar* dz,
                                  Scalar* dc_left, Scalar* dc_above) {
  const Vector one(Scalar{1}), zero(Scalar{0});
  for (Index u = 0; u < hidden; u += simd::lanes<Scalar>) {
    const Index n = std::min(simd::lanes<Scalar>, hidden - u);
    const auto read = [&](const Scalar* from) { return simd::load_up_to(from + u, n); };
    const auto write = [&](Scalar* to, Vector value) { simd::store_up_to(to + u, value, n); };
    const auto gate = [&](Gate which) { return read(gates + which * hidden); };
    /// Through a logistic gate of value s.
    const auto logistic = [&](Gate which, Vector s, Vector d) {
      write(dz + which * hidden, d * s * (one - s));
    };
    const Vector o = gate(gate_o), left = gate(gate_left), above = gate(gate_above),
                 i = gate(gate_i), g = gate(gate_g), cell = read(c);
    const Vector twice = Vector(Scalar{2}) * o * cell;
    const Vector slope = Vector(Scalar{4}) * simd::logistic(twice) * simd::logistic(-twice);
    // Below 1e-26 products would soon be denormal, which processors are slow at.
    const Vector dq = simd::select(twice * twice < Vector(Scalar{3600}), read(dh) * slope, zero);
    const Vector dc = dq * o + read(from_right) + read(from_below);
    logistic(gate_o, o, dq * cell);
    logistic(gate_left, left, dc * read(c_left));
    logistic(gate_above, above, dc * read(c_above));
    logistic(gate_i, i, dc * g);
    write(dz + gate_g * hidden, dc * i * (one - g * g));
    write(dc_left, dc * left);
    write(dc_above, dc * above);
  }
}

}  // namespace pixelrnn::inline PIXELRNN_ABI::detail
