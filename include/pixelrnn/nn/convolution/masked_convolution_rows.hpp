// SPDX-License-Identifier: MIT
// The walk of a masked convolution whose output is known a row at a time, as in a vertical stack.
#pragma once

#include <pixelrnn/nn/convolution/masked_convolution.hpp>

namespace pixelrnn::inline PIXELRNN_ABI::detail {

template <class B>
struct MaskedConvolution<B>::RowCache : Ring {
  kernels::Packed<const Scalar> packed{};  ///< of all taps
  typename ConditionWeights<B>::Walking start{};
};

template <class B>
typename MaskedConvolution<B>::RowCache MaskedConvolution<B>::make_row_cache(Walk walk) const {
  static_cast<void>(known({.domain = Domain::row}));
  RowCache cache;
  begin(cache, walk, false);
  cache.packed = pack_taps<Kernels>(cache.weights, taps_, masked_weights(cache.weights), false, 1,
                                    in_one_chain(config_.colours, config_.out_channels));
  cache.start = {condition_, walk, bias_row(), 0, config_.out_channels, cache.weights};
  return cache;
}

template <class B>
void MaskedConvolution<B>::observe_row(RowCache& cache, Index row,
                                       const MatrixView<const Scalar>& x) const {
  require_row("MaskedConv2d", cache.walk, row);
  require_row_values("MaskedConv2d", "x", cache.walk, x, config_.in_channels);
  const Index values = cache.walk.width * config_.in_channels;
  Scalar* const line =
      cache.rows.data() + line_of(row) * cache.line + padding_.left * config_.in_channels;
  for (Index b = 0; b < cache.walk.batch; ++b) {
    store(values, x.data + b * values, line + b * cache.image);
  }
}

template <class B>
void MaskedConvolution<B>::step_row(RowCache& cache, Index row, const MatrixView<Scalar>& y) const {
  require_row("MaskedConv2d", cache.walk, row);
  require_row_values("MaskedConv2d", "y", cache.walk, y, config_.out_channels);
  const Index width = cache.walk.width, out = config_.out_channels;
  for (Index column = 0; column < width && cache.start.exists(); ++column) {
    cache.start.copy(row, column, {y.data + column * out, width * out});
  }
  const Terms terms = terms_of(cache, row, 0, config_.in_channels, 0, taps_.size());
  for (Index b = 0; b < cache.walk.batch; ++b) {
    const kernels::Rows<Scalar> to{y.data + b * width * out, out};
    const kernels::Rows<const Scalar> start =
        cache.start.exists() ? kernels::Rows<const Scalar>(to) : cache.start.at(row, 0);
    share_units(cache.walk.team, width, cache.packed,
                [&](const kernels::Packed<const Scalar>& weights) {
                  Kernels::affine(width, terms, weights, start, kernels::Rows<const Scalar>{}, to);
                });
    for (kernels::Term<Scalar>& term : cache.terms) term.data += cache.image;
  }
}

}  // namespace pixelrnn::inline PIXELRNN_ABI::detail
