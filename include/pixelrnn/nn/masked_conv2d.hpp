// SPDX-License-Identifier: MIT
// Masked convolution as a sum of matrix products over allowed taps; no im2col, no masked work.
#pragma once

#include <pixelrnn/nn/backend.hpp>
#include <pixelrnn/nn/init.hpp>
#include <pixelrnn/nn/layer.hpp>
#include <pixelrnn/nn/pieces.hpp>
#include <pixelrnn/nn/taps.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// Masked convolution (van den Oord et al. 2016, sec. 3.4):
///   y(r, j) = b + Σ over allowed (dy, dx) of x(r + dy, j + dx) · K[dy, dx],   zero outside the
///   map. x (N, H, W, C_in)    K [kernel height][kernel width][C_in][C_out]    y (N, H, W, C_out)
/// Weights the mask forbids are exactly zero in value and gradient: they take no part in any sum.
/// With colours = 3 the channels on both sides are R, G, B groups (colour_group in mask.hpp).
/// Cost: 2 · allowed taps · C_in · C_out FLOP a pixel. Saves nothing but its input.
/// Throws ConfigError unless sizes are positive and the kernel odd; ShapeError if x has not C_in
/// channels.
template <CausalMask M, class B = Backend<>>
class MaskedConv2d {
 public:
  using Scalar = typename B::Scalar;
  using Kernels = typename B::Kernels;
  struct Config {
    Index in_channels = 1;
    Index out_channels = 1;
    Index kernel_height = 1;
    Index kernel_width = 1;
    Index dilation = 1;
    Index colours = 1;
  };

  MaskedConv2d(Config config, Rng& rng)
      : config_(checked(config)),
        taps_(allowed_taps<M>(config.kernel_height, config.kernel_width, config.dilation,
                              config.colours)),
        weights_(
            {config.kernel_height, config.kernel_width, config.in_channels, config.out_channels}),
        bias_({1, 1, 1, config.out_channels}) {
    const Index reach = config.kernel_width / 2 * config.dilation;
    const Index above = config.kernel_height / 2 * config.dilation;
    padding_ = {above, 0, reach, above > 0 ? reach : 0};
    const Index taps = tap_count(taps_);
    glorot_uniform(weights_.value(), taps * config.in_channels, taps * config.out_channels, rng);
    apply_mask();
  }

  [[nodiscard]] const Config& config() const { return config_; }
  [[nodiscard]] Shape<4> output_shape(Shape<4> x) const {
    detail::require_channels("MaskedConv2d", x, config_.in_channels, "Config::in_channels");
    return x.with_channels(config_.out_channels);
  }
  [[nodiscard]] Index flops(Index height, Index width) const {
    Index products = 0;  // of C_in × C_out each; a colour mask on the centre is not deducted
    for (const TapRun& run : taps_) {
      for (Index dx = run.dx; dx < run.dx + run.count; ++dx) {
        products += std::max<Index>(0, height + run.dy) * std::max<Index>(0, width - std::abs(dx));
      }
    }
    return 2 * products * config_.in_channels * config_.out_channels;
  }
  void for_each_parameter(auto&& visit) { visit("weights", weights_), visit("bias", bias_); }
  /// Zeroes what the mask forbids: for weights that come from elsewhere.
  void apply_mask() { pixelrnn::apply_mask<M>(weights_.value(), config_.colours); }

  [[nodiscard]] Variable<Scalar> forward(Variable<Scalar> x) const {
    Tape<Scalar>& tape = x.tape();
    const FeatureView<Scalar> y = tape.allocate(output_shape(x.shape()));
    const Scratch guard(tape.scratch());
    const Pieces pieces(x.shape());
    const auto packed = as_const(pack(tape.scratch()));
    const Rooms rooms(tape.scratch(), tape.threads(), pieces, config_.in_channels, *this);
    const Scalar* in = x.value().data();
    B::Execution::for_each(tape.threads(), pieces.chunks.size(), [&](Index chunk, Index worker) {
      pieces.for_each(chunk, [&](const Piece& piece) {
        const Frame<Scalar> f =
            frame(in, config_.in_channels, pieces, piece, padding_, rooms.frame(worker));
        for (Index line = 0; line < f.lines; ++line) {
          kernels::Term<Scalar>* terms = rooms.terms(worker);
          for (std::size_t t = 0; t < taps_.size(); ++t) {
            terms[t] = {f.at(line, taps_[t].dy, taps_[t].dx), f.channels,
                        taps_[t].count * f.channels};
          }
          Kernels::affine(f.pixels, std::span<const kernels::Term<Scalar>>(terms, taps_.size()),
                          packed, bias_.value().data(),
                          rows_from(y, piece.first_pixel + line * f.pixels),
                          kernels::Store::Overwrite);
        }
      });
    });
    return tape.record("MaskedConv2d", y, {x, tape.leaf(bias_)}, Op{this});
  }

  /// A ring of the input rows that taps reach, for each image with its padding.
  struct Cache {
    FeatureMap<Scalar> rows;  ///< (rows above + 1, batch, padded width, C_in)
    Workspace weights;
    kernels::Packed<const Scalar> packed;
    std::vector<kernels::Term<Scalar>> terms;
  };
  [[nodiscard]] Cache make_cache(WalkShape walk) const {
    Cache cache;
    cache.rows =
        FeatureMap<Scalar>({padding_.above + 1, walk.batch,
                            walk.width + padding_.left + padding_.right, config_.in_channels});
    cache.packed = as_const(pack(cache.weights));
    cache.terms.resize(taps_.size());
    return cache;
  }
  void step(Cache& cache, Index row, Index column, MatrixView<const Scalar> x,
            MatrixView<Scalar> y) const {
    const Index ring = cache.rows.shape()[0], image = cache.rows.shape()[2] * x.columns;
    const auto at = [&](Index r, Index j) {
      return &cache.rows((r + ring) % ring, 0, padding_.left + j, 0);
    };
    remember(cache, row, column, x);
    for (std::size_t t = 0; t < taps_.size(); ++t) {
      cache.terms[t] = {at(row + taps_[t].dy, column + taps_[t].dx), image,
                        taps_[t].count * x.columns};
    }
    Kernels::affine(x.rows, std::span<const kernels::Term<Scalar>>(cache.terms), cache.packed,
                    bias_.value().data(), kernels::Rows<Scalar>{y.data, y.stride},
                    kernels::Store::Overwrite);
  }
  /// The input of a pixel was not known when it was stepped: now it is. Under mask B the output
  /// would have to follow.
  void observe(Cache& cache, Index row, Index column, MatrixView<const Scalar> x) const
      requires(!M::sees_self) {
    remember(cache, row, column, x);
  }
  void end_row(Cache&, Index) const {}

 private:
  /// What each worker writes to while it works on a piece.
  class Rooms {
   public:
    Rooms(Workspace& workspace, int threads, const Pieces& pieces, Index channels,
          const MaskedConv2d& layer)
        : frame_size_(frame_size(pieces, channels, layer.padding_)),
          term_count_(static_cast<Index>(layer.taps_.size())) {
      const Index workers = B::Execution::workers(threads, pieces.chunks.size());
      frames_ = workspace.allocate<Scalar>(workers * frame_size_);
      terms_ = workspace.allocate<kernels::Term<Scalar>>(workers * term_count_);
    }
    [[nodiscard]] Scalar* frame(Index worker) const { return frames_ + worker * frame_size_; }
    [[nodiscard]] kernels::Term<Scalar>* terms(Index worker) const {
      return terms_ + worker * term_count_;
    }

   private:
    Index frame_size_, term_count_;
    Scalar* frames_;
    kernels::Term<Scalar>* terms_;
  };

  struct Op {
    const MaskedConv2d* layer;
    void backward(pixelrnn::Backward<Scalar>& ctx) const {
      if (ctx.wants_gradient(0)) layer->input_gradient(ctx);
      layer->weight_gradient(ctx);
    }
  };

  void remember(Cache& cache, Index row, Index column, MatrixView<const Scalar> x) const {
    const Index ring = cache.rows.shape()[0];
    for (Index b = 0; b < x.rows; ++b) {
      std::copy_n(x.row(b), x.columns, &cache.rows(row % ring, b, padding_.left + column, 0));
    }
  }

  static Config checked(const Config& c) {
    const auto odd = [](Index k) { return k > 0 && k % 2 == 1; };
    if (c.in_channels < 1 || c.out_channels < 1 || !odd(c.kernel_height) || !odd(c.kernel_width) ||
        c.dilation < 1 || c.colours < 1) {
      detail::fail<ConfigError>(
          "MaskedConv2d: Config is {in_channels=", c.in_channels, ", out_channels=", c.out_channels,
          ", kernel_height=", c.kernel_height, ", kernel_width=", c.kernel_width,
          ", dilation=", c.dilation, ", colours=", c.colours,
          "}, expected odd kernel sizes and 1 or more of the others");
    }
    return c;
  }

  static kernels::Rows<Scalar> rows_from(FeatureView<Scalar> map, Index pixel) {
    const Index channels = map.shape().c();
    return {map.data() + pixel * channels, channels};
  }

  /// The allowed taps' weights, one below the other.
  [[nodiscard]] kernels::Packed<Scalar> pack(Workspace& workspace) const {
    const auto weights = masked<M>(weights_.value(), config_.colours, 1, workspace);
    const auto packed = kernels::allocate_packed<Kernels, Scalar>(
        workspace, tap_count(taps_) * config_.in_channels, config_.out_channels);
    Index row = 0;
    for (const TapRun& run : taps_) row = pack_run<Kernels>(packed, row, weights, run);
    return packed;
  }
  [[nodiscard]] kernels::Packed<Scalar> pack_transposed(Workspace& workspace) const {
    const auto weights = masked<M>(weights_.value(), config_.colours, 1, workspace);
    const auto packed = kernels::allocate_packed<Kernels, Scalar>(
        workspace, tap_count(taps_) * config_.out_channels, config_.in_channels);
    Index row = 0;
    for (const TapRun& run : taps_) row = pack_run_transposed<Kernels>(packed, row, weights, run);
    return packed;
  }

  /// dx(r, j) += Σ over taps of dy(r - dy, j - dx) · K[dy, dx]ᵀ.
  void input_gradient(pixelrnn::Backward<Scalar>& ctx) const {
    const Pieces pieces(ctx.input(0).shape());
    const Index out_channels = config_.out_channels;
    const auto packed = as_const(pack_transposed(ctx.scratch()));
    const Rooms rooms(ctx.scratch(), ctx.threads(), pieces, out_channels, *this);
    const auto [dx, fresh] = ctx.claim_gradient(0);
    const FeatureView<Scalar> to = dx;
    const auto store = fresh ? kernels::Store::Overwrite : kernels::Store::Add;
    const Scalar* dy = ctx.output_gradient().data();
    B::Execution::for_each(ctx.threads(), pieces.chunks.size(), [&](Index chunk, Index worker) {
      pieces.for_each(chunk, [&](const Piece& piece) {
        const Frame<Scalar> f =
            frame(dy, out_channels, pieces, piece, padding_.mirrored(), rooms.frame(worker));
        for (Index line = 0; line < f.lines; ++line) {
          kernels::Term<Scalar>* terms = rooms.terms(worker);
          for (std::size_t t = 0; t < taps_.size(); ++t) {
            terms[t] = {f.at(line, -taps_[t].dy, -taps_[t].dx - taps_[t].count + 1), f.channels,
                        taps_[t].count * f.channels};
          }
          Kernels::affine(f.pixels, std::span<const kernels::Term<Scalar>>(terms, taps_.size()),
                          packed, static_cast<const Scalar*>(nullptr),
                          rows_from(to, piece.first_pixel + line * f.pixels), store);
        }
      });
    });
  }

  /// dK[dy, dx] += Σ over pixels of x(r + dy, j + dx)ᵀ dy(r, j);  db += Σ dy(r, j).
  void weight_gradient(pixelrnn::Backward<Scalar>& ctx) const {
    const Pieces pieces(ctx.input(0).shape());
    const Index in = config_.in_channels, out = config_.out_channels;
    const Rooms rooms(ctx.scratch(), ctx.threads(), pieces, in, *this);
    const Index part = weights_.size() + out;
    Scalar* parts = ctx.scratch().template allocate_zero<Scalar>(pieces.chunks.size() * part);
    const Scalar* x = ctx.input(0).data();
    const Scalar* dy = ctx.output_gradient().data();
    B::Execution::for_each(ctx.threads(), pieces.chunks.size(), [&](Index chunk, Index worker) {
      Scalar* const dk = parts + chunk * part;
      pieces.for_each(chunk, [&](const Piece& piece) {
        const Frame<Scalar> f = frame(x, in, pieces, piece, padding_, rooms.frame(worker));
        const Scalar* d = dy + piece.first_pixel * out;
        const Index pixels = f.lines * f.pixels;
        for (const TapRun& run : taps_) {
          Kernels::add_outer_products(
              f.lines, f.pixels,
              kernels::BlockedRows<Scalar>{f.at(0, run.dy, run.dx), f.line_stride, in,
                                           run.count * in},
              kernels::BlockedRows<Scalar>{d, f.pixels * out, out, out},
              kernels::Rows<Scalar>{dk + (run.row * config_.kernel_width + run.column) * in * out,
                                    out});
        }
        Kernels::add_column_sums(pixels, out, kernels::Rows<const Scalar>{d, out},
                                 dk + weights_.size());
      });
    });
    detail::add_chunks<B>(parts, pieces.chunks.size(), part, weights_.size(),
                          weights_.gradient().data());
    detail::add_chunks<B>(parts + weights_.size(), pieces.chunks.size(), part, out,
                          bias_.gradient().data());
    if (config_.colours > 1) pixelrnn::apply_mask<M>(weights_.gradient(), config_.colours);
  }

  Config config_;
  std::vector<TapRun> taps_;
  Padding padding_;
  Parameter<Scalar> weights_;
  Parameter<Scalar> bias_;
};

static_assert(IncrementalLayer<MaskedConv2d<MaskB>> && !ObservingLayer<MaskedConv2d<MaskB>>);
static_assert(ObservingLayer<MaskedConv2d<MaskA>>);

}  // namespace pixelrnn::inline PIXELRNN_ABI
