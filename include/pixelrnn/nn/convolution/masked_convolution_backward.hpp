// SPDX-License-Identifier: MIT
// The reverse of a masked convolution.
#pragma once

#include <pixelrnn/nn/convolution/masked_convolution.hpp>

namespace pixelrnn::inline PIXELRNN_ABI::detail {

template <class B>
void MaskedConvolution<B>::backward(pixelrnn::Backward<Scalar>& ctx, Index condition) const {
  if (ctx.wants_gradient(0)) input_gradient(ctx);
  weight_gradient(ctx);
  const Shape<4> s = ctx.output().shape();
  const Index pixels = s.h() * s.w();
  const Scalar* const dy = ctx.output_gradient().data();
  condition_.backward(ctx, condition, 1, 1, s.c(), [&](Index n, Index) {
    return typename ConditionWeights<B>::Line{dy + n * pixels * s.c(), 0, pixels};
  });
}

/// dx(r, j) += Σ over taps of dy(r - dy, j - dx) · K[dy, dx]ᵀ, where x > 0 if relu_input.
template <class B>
void MaskedConvolution<B>::input_gradient(pixelrnn::Backward<Scalar>& ctx) const {
  const Pieces pieces(ctx.input(0).shape());
  const Index in = config_.in_channels;
  const Index workers = B::Execution::workers(ctx.threads(), pieces.chunks.size());
  const auto claim = ctx.claim_gradient(0);
  Scalar* const dx = claim.gradient.data();
  const auto store = claim.fresh ? kernels::Store::Overwrite : kernels::Store::Add;
  const Scalar* const x = ctx.input(0).data();
  const Products multiply(
      ctx.scratch(), workers, line_pixels(pieces), taps_of_gradient_,
      Products::prepare(ctx.scratch(), taps_of_gradient_, masked_weights(ctx.scratch()), true,
                        in_pairs(pieces.width)));
  const Index room = multiply.lines(line_pixels(pieces)) * line_pixels(pieces) * in;
  Scalar* const rooms =
      config_.relu_input ? ctx.scratch().template allocate<Scalar>(workers * room) : nullptr;
  for_each_lines(ctx.scratch(), ctx.threads(), multiply, ctx.output_gradient().data(),
                 config_.out_channels, pieces, padding_.mirrored(), false,
                 [&](Index worker, const Frame<Scalar>& f, Index line, Index lines, Index pixel) {
                   const Index at = pixel * in;
                   if (!config_.relu_input) {
                     multiply(worker, f, line, lines, {}, claim.fresh ? nullptr : dx + at, dx + at);
                     return;
                   }
                   Scalar* const to = rooms + worker * room;
                   multiply(worker, f, line, lines, {}, nullptr, to);
                   Kernels::relu_backward(lines * f.pixels * in, x + at, to, dx + at, store);
                 });
}

/// dK[dy, dx] += Σ over pixels of x(r + dy, j + dx)ᵀ dy(r, j);  db += Σ dy(r, j).
template <class B>
void MaskedConvolution<B>::weight_gradient(pixelrnn::Backward<Scalar>& ctx) const {
  const Pieces pieces(ctx.input(0).shape());
  const Index in = config_.in_channels, out = config_.out_channels;
  const int threads = ctx.threads();
  const Index chunks = pieces.chunks.size();
  const Index size = frame_size(pieces, in, padding_), part = weights_.size() + out;
  const Index workers = B::Execution::workers(threads, chunks);
  Scalar* const rooms = ctx.scratch().template allocate<Scalar>(workers * size);
  Scalar* const parts = allocate_chunks<B, Scalar>(ctx.scratch(), threads, chunks, part);
  const Scalar* const dy = ctx.output_gradient().data();
  const TapGradients<B> gradients(ctx.scratch(), workers, pieces, taps_, weights_.value().shape(),
                                  in_pairs(pieces.width));
  B::Execution::for_each(threads, chunks, [&](Index chunk, Index worker) {
    Scalar* const dk = parts + chunk * part;
    gradients.begin(worker);
    for_each_frame<Kernels>(
        ctx.input(0).data(), in, pieces, chunk, padding_, config_.relu_input, rooms + worker * size,
        [&](const Frame<Scalar>& f, Index first_pixel) {
          const Scalar* const d = dy + first_pixel * out;
          gradients.add(worker, f, {d, f.lines, f.pixels, f.pixels * out, out}, dk);
          Kernels::add_column_sums(f.lines * f.pixels, out, kernels::Rows<const Scalar>{d, out},
                                   dk + weights_.size());
        });
    gradients.end(worker, dk);
  });
  add_chunks<B>(threads, parts, chunks, part, weights_.size(), ctx.gradient(weights_).data());
  add_chunks<B>(threads, parts + weights_.size(), chunks, part, out, ctx.gradient(bias_).data());
  if (mask_.has_parts()) mask_.apply(ctx.gradient(weights_));
}

}  // namespace pixelrnn::inline PIXELRNN_ABI::detail
