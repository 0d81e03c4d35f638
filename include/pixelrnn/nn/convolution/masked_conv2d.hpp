// SPDX-License-Identifier: MIT
// MaskedConv2d: the masked convolution as a layer.
#pragma once

#include <pixelrnn/nn/convolution/masked_convolution.hpp>
#include <pixelrnn/nn/convolution/masked_convolution_backward.hpp>
#include <pixelrnn/nn/convolution/masked_convolution_rows.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// Masked convolution (van den Oord et al. 2016, sec. 3.4):
///   y(r, j) = b + Σ over allowed (dy, dx) of x(r + dy, j + dx) · K[dy, dx],   zero outside the
///   map. x (N, H, W, C_in)    K [kernel height][kernel width][C_in][C_out]    y (N, H, W, C_out)
/// Weights the mask forbids are exactly zero in value and gradient: they take no part in any sum.
/// With colours = 3 the channels on both sides are R, G, B groups (colour_group in taps/mask.hpp).
/// Cost: 2 · allowed taps · C_in · C_out FLOP a pixel. With three columns, many channels, no
/// dilation and maps of even width less, as two neighbouring pixels then share products
/// (taps/winograd.hpp; a 3×3 kernel under mask B: seven instead of ten, with three colours eight).
/// A walk has but one pixel, and its sums may differ from these by rounding:
/// TapeOptions::walk_bits. Saves nothing but its input. Throws ConfigError unless sizes are
/// positive and the kernel odd; ShapeError if x has not C_in channels.
template <MaskPolicy M = Mask, class B = Backend<>>
class MaskedConv2d : public detail::MaskedConvolution<B> {
 public:
  using typename detail::MaskedConvolution<B>::Scalar;
  using typename detail::MaskedConvolution<B>::Config;
  using typename detail::MaskedConvolution<B>::Cache;
  using typename detail::MaskedConvolution<B>::RowCache;

  MaskedConv2d(Config config, Rng& rng) requires std::default_initializable<M>
      : detail::MaskedConvolution<B>(M{}, config, rng) {}
  MaskedConv2d(const M& mask, Config config, Rng& rng)
      : detail::MaskedConvolution<B>(mask, config, rng) {}
};

static_assert(IncrementalLayer<MaskedConv2d<MaskB>> && ObservingLayer<MaskedConv2d<MaskA>>);
static_assert(RowLayer<MaskedConv2d<MaskAbove>> && AddingLayer<MaskedConv2d<>>);

}  // namespace pixelrnn::inline PIXELRNN_ABI
