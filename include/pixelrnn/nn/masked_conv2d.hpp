// SPDX-License-Identifier: MIT
// Masked convolution as a sum of matrix products over allowed taps; no im2col, no masked work.
#pragma once

#include <pixelrnn/nn/backend.hpp>
#include <pixelrnn/nn/init.hpp>
#include <pixelrnn/nn/layer.hpp>
#include <pixelrnn/nn/pieces.hpp>
#include <pixelrnn/nn/taps.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

namespace detail {

/// What MaskedConv2d computes, for either mask: compiled once for both.
template <class B>
class MaskedConvolution {
 public:
  using Scalar = typename B::Scalar;
  using Kernels = typename B::Kernels;
  using BackendPolicy = B;
  static constexpr bool separates_images = true;
  struct Config {
    Index in_channels = 1;
    Index out_channels = 1;
    Index kernel_height = 1;
    Index kernel_width = 1;
    Index dilation = 1;
    Index colours = 1;
    bool relu_input = false;  ///< convolve max(x, 0): "ReLU followed by ..." of the paper's Table 1
  };

  MaskedConvolution(Mask mask, Config config, Rng& rng)
      : mask_(mask),
        config_(checked(config)),
        taps_(allowed_taps(mask, config.kernel_height, config.kernel_width, config.dilation,
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
    require_channels("MaskedConv2d", x, config_.in_channels, "Config::in_channels");
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
  void apply_mask() { pixelrnn::apply_mask(mask_, weights_.value(), config_.colours); }

  [[nodiscard]] Variable<Scalar> forward(Variable<Scalar> x) const {
    const FeatureView<Scalar> y = convolve(x, nullptr);
    return x.tape().record("MaskedConv2d", y, {x, x.tape().leaf(bias_)}, Op{this});
  }
  /// residual + forward(x). Throws ShapeError if the residual has not the output's shape.
  [[nodiscard]] Variable<Scalar> forward_add(Variable<Scalar> x, Variable<Scalar> residual) const {
    struct AddOp {
      const MaskedConvolution* layer;
      void backward(pixelrnn::Backward<Scalar>& ctx) const {
        if (ctx.wants_gradient(2)) ctx.pass_gradient(2);
        Op{layer}.backward(ctx);
      }
    };
    if (residual.shape() != output_shape(x.shape())) {
      fail<ShapeError>("MaskedConv2d::forward_add: residual is ", residual.shape(), ", expected ",
                       output_shape(x.shape()));
    }
    const FeatureView<Scalar> y = convolve(x, residual.value().data());
    return x.tape().record("MaskedConv2d", y, {x, x.tape().leaf(bias_), residual}, AddOp{this});
  }

  /// A ring of the input rows that taps reach, for each image with its padding.
  struct Cache {
    FeatureMap<Scalar> rows;  ///< (rows above + 1, batch, padded width, C_in)
    Index image, line;        ///< values of one row of an image, of all images
    Workspace weights;
    kernels::Packed<const Scalar> packed;
    std::vector<kernels::Term<Scalar>> terms;
    Team* team;
  };
  [[nodiscard]] Cache make_cache(Walk walk) const {
    Cache cache;
    cache.rows =
        FeatureMap<Scalar>({padding_.above + 1, walk.batch,
                            walk.width + padding_.left + padding_.right, config_.in_channels});
    cache.image = cache.rows.shape()[2] * config_.in_channels;
    cache.line = walk.batch * cache.image;
    cache.packed = as_const(pack(cache.weights));
    for (const TapRun& run : taps_) {
      cache.terms.push_back({nullptr, cache.image, run.count * config_.in_channels});
    }
    cache.team = walk.team;
    return cache;
  }
  void step(Cache& cache, Index row, Index column, const MatrixView<const Scalar>& x,
            const MatrixView<Scalar>& y) const {
    step_add(cache, row, column, x, {}, y);
  }
  /// y = residual + what step gives. No residual: none is added.
  void step_add(Cache& cache, Index row, Index column, const MatrixView<const Scalar>& x,
                const MatrixView<const Scalar>& residual, const MatrixView<Scalar>& y) const {
    remember(cache, row, column, x);
    const Index ring = padding_.above + 1, here = line_of(row);
    for (std::size_t t = 0; t < taps_.size(); ++t) {
      const Index line = here + taps_[t].dy;
      cache.terms[t].data = cache.rows.data() + (line < 0 ? line + ring : line) * cache.line +
                            (padding_.left + column + taps_[t].dx) * config_.in_channels;
    }
    share_units(cache.team, x.rows, cache.packed,
                [&](const kernels::Packed<const Scalar>& weights) {
                  Kernels::affine(x.rows, Terms(cache.terms), weights, bias_.value().data(),
                                  kernels::Rows<const Scalar>{residual.data, residual.stride},
                                  kernels::Rows<Scalar>{y.data, y.stride});
                });
  }
  void end_row(Cache&, Index) const {}

 protected:
  /// Puts a pixel into the ring.
  void remember(Cache& cache, Index row, Index column, const MatrixView<const Scalar>& x) const {
    Scalar* const pixel =
        cache.rows.data() + line_of(row) * cache.line + (padding_.left + column) * x.columns;
    share_columns(cache.team, x.rows, x.columns, [&](Index first, Index last) {
      for (Index b = 0; b < x.rows; ++b) {
        const Scalar* const from = x.row(b) + first;
        Scalar* const to = pixel + b * cache.image + first;
        if (config_.relu_input) {
          Kernels::relu(last - first, from, to);
        } else {
          std::copy_n(from, last - first, to);
        }
      }
    });
  }

 private:
  /// The line of the ring that holds a row.
  [[nodiscard]] Index line_of(Index row) const {
    return padding_.above == 0 ? 0 : row % (padding_.above + 1);
  }

  using Terms = std::span<const kernels::Term<Scalar>>;

  /// What each worker writes to while it works: a frame, a line of results, terms.
  class Rooms {
   public:
    Rooms(Workspace& workspace, int threads, const Pieces& pieces, Index frame, Index line,
          std::size_t terms)
        : frame_(frame), line_(line), term_count_(static_cast<Index>(terms)) {
      const Index workers = B::Execution::workers(threads, pieces.chunks.size());
      values_ = workspace.allocate<Scalar>(workers * (frame_ + line_));
      terms_ = workspace.allocate<kernels::Term<Scalar>>(workers * term_count_);
    }
    [[nodiscard]] Scalar* frame(Index worker) const { return values_ + worker * (frame_ + line_); }
    [[nodiscard]] Scalar* line(Index worker) const { return frame(worker) + frame_; }
    /// The terms of one line: each run's slab, as `offset(run)` finds it.
    template <class Offset>
    [[nodiscard]] Terms terms(Index worker, const std::vector<TapRun>& taps, const Frame<Scalar>& f,
                              Offset&& offset) const {
      kernels::Term<Scalar>* const list = terms_ + worker * term_count_;
      for (std::size_t t = 0; t < taps.size(); ++t) {
        list[t] = {offset(taps[t]), f.channels, taps[t].count * f.channels};
      }
      return Terms(list, taps.size());
    }

   private:
    Index frame_, line_, term_count_;
    Scalar* values_;
    kernels::Term<Scalar>* terms_;
  };
  /// Pixels of a line of a frame.
  [[nodiscard]] Index line_pixels(const Pieces& pieces) const {
    return padding_.none() ? frame_pixels : pieces.width;
  }

  /// The output map, with `residual` added where it is not null.
  [[nodiscard]] FeatureView<Scalar> convolve(Variable<Scalar> x, const Scalar* residual) const {
    Tape<Scalar>& tape = x.tape();
    const FeatureView<Scalar> y = tape.allocate(output_shape(x.shape()));
    const Scratch guard(tape.scratch());
    const Pieces pieces(x.shape());
    const Index in = config_.in_channels, out = config_.out_channels;
    const auto packed = as_const(pack(tape.scratch()));
    const Rooms rooms(tape.scratch(), tape.threads(), pieces, frame_size(pieces, in, padding_), 0,
                      taps_.size());
    const Scalar* const from = x.value().data();
    B::Execution::for_each(tape.threads(), pieces.chunks.size(), [&](Index chunk, Index worker) {
      for_each_frame<Kernels>(
          from, in, pieces, chunk, padding_, config_.relu_input, rooms.frame(worker),
          [&](const Frame<Scalar>& f, Index first_pixel) {
            for (Index line = 0; line < f.lines; ++line) {
              const Index pixel = (first_pixel + line * f.pixels) * out;
              const Terms terms = rooms.terms(
                  worker, taps_, f, [&](const TapRun& run) { return f.at(line, run.dy, run.dx); });
              const kernels::Rows<const Scalar> addend{
                  residual != nullptr ? residual + pixel : nullptr, out};
              Kernels::affine(f.pixels, terms, packed, bias_.value().data(), addend,
                              kernels::Rows<Scalar>{y.data() + pixel, out});
            }
          });
    });
    return y;
  }

  struct Op {
    const MaskedConvolution* layer;
    void backward(pixelrnn::Backward<Scalar>& ctx) const {
      if (ctx.wants_gradient(0)) layer->input_gradient(ctx);
      layer->weight_gradient(ctx);
    }
  };

  static Config checked(const Config& c) {
    const auto odd = [](Index k) { return k > 0 && k % 2 == 1; };
    if (c.in_channels < 1 || c.out_channels < 1 || !odd(c.kernel_height) || !odd(c.kernel_width) ||
        c.dilation < 1 || c.colours < 1) {
      fail<ConfigError>("MaskedConv2d: Config is {in_channels=", c.in_channels,
                        ", out_channels=", c.out_channels, ", kernel_height=", c.kernel_height,
                        ", kernel_width=", c.kernel_width, ", dilation=", c.dilation,
                        ", colours=", c.colours,
                        "}, expected odd kernel sizes and 1 or more of the others");
    }
    return c;
  }

  /// The allowed taps' weights, one below the other.
  [[nodiscard]] kernels::Packed<Scalar> pack(Workspace& workspace) const {
    const auto weights = masked(mask_, weights_.value(), config_.colours, 1, workspace);
    const auto packed = kernels::allocate_packed<Kernels, Scalar>(
        workspace, tap_count(taps_) * config_.in_channels, config_.out_channels);
    Index row = 0;
    for (const TapRun& run : taps_) row = pack_run<Kernels>(packed, row, weights, run);
    return packed;
  }
  [[nodiscard]] kernels::Packed<Scalar> pack_transposed(Workspace& workspace) const {
    const auto weights = masked(mask_, weights_.value(), config_.colours, 1, workspace);
    const auto packed = kernels::allocate_packed<Kernels, Scalar>(
        workspace, tap_count(taps_) * config_.out_channels, config_.in_channels);
    Index row = 0;
    for (const TapRun& run : taps_) row = pack_run_transposed<Kernels>(packed, row, weights, run);
    return packed;
  }

  /// dx(r, j) += Σ over taps of dy(r - dy, j - dx) · K[dy, dx]ᵀ, where x > 0 if relu_input.
  void input_gradient(pixelrnn::Backward<Scalar>& ctx) const {
    const Pieces pieces(ctx.input(0).shape());
    const Index in = config_.in_channels, out = config_.out_channels;
    const Padding pad = padding_.mirrored();
    const auto packed = as_const(pack_transposed(ctx.scratch()));
    const Rooms rooms(ctx.scratch(), ctx.threads(), pieces, frame_size(pieces, out, pad),
                      config_.relu_input ? line_pixels(pieces) * in : 0, taps_.size());
    const auto claim = ctx.claim_gradient(0);
    Scalar* const dx = claim.gradient.data();
    const auto store = claim.fresh ? kernels::Store::Overwrite : kernels::Store::Add;
    const Scalar* const x = ctx.input(0).data();
    const Scalar* const dy = ctx.output_gradient().data();
    B::Execution::for_each(ctx.threads(), pieces.chunks.size(), [&](Index chunk, Index worker) {
      for_each_frame<Kernels>(
          dy, out, pieces, chunk, pad, false, rooms.frame(worker),
          [&](const Frame<Scalar>& f, Index first_pixel) {
            for (Index line = 0; line < f.lines; ++line) {
              const Index at = (first_pixel + line * f.pixels) * in;
              const Terms terms = rooms.terms(worker, taps_, f, [&](const TapRun& run) {
                return f.at(line, -run.dy, -run.dx - run.count + 1);
              });
              Scalar* const to = config_.relu_input ? rooms.line(worker) : dx + at;
              const bool add = !config_.relu_input && !claim.fresh;
              Kernels::affine(f.pixels, terms, packed, static_cast<const Scalar*>(nullptr),
                              kernels::Rows<const Scalar>{add ? to : nullptr, in},
                              kernels::Rows<Scalar>{to, in});
              if (config_.relu_input) {
                Kernels::relu_backward(f.pixels * in, x + at, to, dx + at, store);
              }
            }
          });
    });
  }

  /// dK[dy, dx] += Σ over pixels of x(r + dy, j + dx)ᵀ dy(r, j);  db += Σ dy(r, j).
  void weight_gradient(pixelrnn::Backward<Scalar>& ctx) const {
    const Pieces pieces(ctx.input(0).shape());
    const Index in = config_.in_channels, out = config_.out_channels;
    const int threads = ctx.threads();
    const Index chunks = pieces.chunks.size();
    const Rooms rooms(ctx.scratch(), threads, pieces, frame_size(pieces, in, padding_), 0, 0);
    auto* const pairs = ctx.scratch().template allocate<kernels::RowPairs<Scalar>>(
        B::Execution::workers(threads, chunks) * pieces.height);
    const Index part = weights_.size() + out;
    Scalar* const parts = allocate_chunks<B, Scalar>(ctx.scratch(), threads, chunks, part);
    const Scalar* const x = ctx.input(0).data();
    const Scalar* const dy = ctx.output_gradient().data();
    B::Execution::for_each(threads, chunks, [&](Index chunk, Index worker) {
      Scalar* const dk = parts + chunk * part;
      for_each_frame<Kernels>(
          x, in, pieces, chunk, padding_, config_.relu_input, rooms.frame(worker),
          [&](const Frame<Scalar>& f, Index first_pixel) {
            const Scalar* const d = dy + first_pixel * out;
            kernels::RowPairs<Scalar>* const list = pairs + worker * pieces.height;
            for (const TapRun& run : taps_) {
              for (Index line = 0; line < f.lines; ++line) {
                list[line] = {f.at(line, run.dy, run.dx), d + line * f.pixels * out, f.pixels};
              }
              Kernels::add_outer_products(
                  std::span<const kernels::RowPairs<Scalar>>(list,
                                                             static_cast<std::size_t>(f.lines)),
                  kernels::RowShape{run.count * in, in}, kernels::RowShape{out, out},
                  kernels::Rows<Scalar>{
                      dk + (run.row * config_.kernel_width + run.column) * in * out, out});
            }
            Kernels::add_column_sums(f.lines * f.pixels, out, kernels::Rows<const Scalar>{d, out},
                                     dk + weights_.size());
          });
    });
    add_chunks<B>(threads, parts, chunks, part, weights_.size(), weights_.gradient().data());
    add_chunks<B>(threads, parts + weights_.size(), chunks, part, out, bias_.gradient().data());
    if (config_.colours > 1) pixelrnn::apply_mask(mask_, weights_.gradient(), config_.colours);
  }

  Mask mask_;
  Config config_;
  std::vector<TapRun> taps_;
  Padding padding_;
  Parameter<Scalar> weights_;
  Parameter<Scalar> bias_;
};

}  // namespace detail

/// Masked convolution (van den Oord et al. 2016, sec. 3.4):
///   y(r, j) = b + Σ over allowed (dy, dx) of x(r + dy, j + dx) · K[dy, dx],   zero outside the
///   map. x (N, H, W, C_in)    K [kernel height][kernel width][C_in][C_out]    y (N, H, W, C_out)
/// Weights the mask forbids are exactly zero in value and gradient: they take no part in any sum.
/// With colours = 3 the channels on both sides are R, G, B groups (colour_group in mask.hpp).
/// Cost: 2 · allowed taps · C_in · C_out FLOP a pixel. Saves nothing but its input.
/// Throws ConfigError unless sizes are positive and the kernel odd; ShapeError if x has not C_in
/// channels.
template <CausalMask M, class B = Backend<>>
class MaskedConv2d : public detail::MaskedConvolution<B> {
 public:
  using typename detail::MaskedConvolution<B>::Scalar;
  using typename detail::MaskedConvolution<B>::Config;
  using typename detail::MaskedConvolution<B>::Cache;

  MaskedConv2d(Config config, Rng& rng) : detail::MaskedConvolution<B>(M{}, config, rng) {}

  /// The input of a pixel was not known when it was stepped: now it is. Under mask B the output
  /// would have to follow.
  void observe(Cache& cache, Index row, Index column, const MatrixView<const Scalar>& x) const
      requires(!M::sees_self) {
    this->remember(cache, row, column, x);
  }
};

static_assert(IncrementalLayer<MaskedConv2d<MaskB>> && !ObservingLayer<MaskedConv2d<MaskB>>);
static_assert(ObservingLayer<MaskedConv2d<MaskA>>);

}  // namespace pixelrnn::inline PIXELRNN_ABI
