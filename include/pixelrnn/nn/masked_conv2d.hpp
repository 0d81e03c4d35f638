// SPDX-License-Identifier: MIT
// Masked convolution as a sum of matrix products over allowed taps; no im2col, no masked work.
#pragma once

#include <pixelrnn/nn/backend.hpp>
#include <pixelrnn/nn/init.hpp>
#include <pixelrnn/nn/layer.hpp>
#include <pixelrnn/nn/pieces.hpp>
#include <pixelrnn/nn/tap_products.hpp>
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
        taps_of_gradient_(mirrored(taps_)),
        pairs_save_(pairs_save(taps_)),
        weights_(shape_of(config), mask_rule(mask, shape_of(config), config.colours)),
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
  [[nodiscard]] std::string describe() const {
    return describe_convolution(mask_.sees_self ? 'B' : 'A', config_);
  }
  void for_each_parameter(auto&& visit) { visit("weights", weights_), visit("bias", bias_); }
  /// Zeroes what the mask forbids: for weights that come from elsewhere.
  void apply_mask() { weights_.apply_mask(); }

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

  /// A ring of the input rows that taps reach, for each image with its padding. If the walk is
  /// split, what the rows above give to all pixels of this one.
  struct Cache {
    FeatureMap<Scalar> rows;  ///< (rows above + 1, batch, padded width, C_in)
    Index image, line;        ///< values of one row of an image, of all images
    FeatureMap<Scalar> sums;  ///< (1, batch, padded width, C_out)
    Workspace weights;
    kernels::Packed<const Scalar> packed;      ///< of a pixel's taps
    kernels::Packed<const Scalar> ahead;       ///< of the taps above, if split
    std::size_t split;                         ///< runs of them; 0: not split
    std::vector<kernels::Term<Scalar>> terms;  ///< a room for each run
    GuardedWalk walk;
  };
  [[nodiscard]] Cache make_cache(Walk walk) const {
    Cache cache;
    cache.rows =
        FeatureMap<Scalar>({padding_.above + 1, walk.batch,
                            walk.width + padding_.left + padding_.right, config_.in_channels});
    cache.image = cache.rows.shape()[2] * config_.in_channels;
    cache.line = walk.batch * cache.image;
    cache.terms.resize(taps_.size());
    cache.walk = {walk};
    // Runs are in kernel order: those of the rows above come first.
    const auto here =
        std::find_if(taps_.begin(), taps_.end(), [](const TapRun& run) { return run.dy == 0; });
    const std::vector<TapRun> above(taps_.begin(), here), rest(here, taps_.end());
    const Index weights = tap_count(above) * config_.in_channels * config_.out_channels;
    cache.split = row_ahead_pays<Scalar>(walk.batch, weights) ? above.size() : 0;
    const auto masked = masked_weights(cache.weights);
    cache.packed = pack_taps<Kernels>(cache.weights, cache.split > 0 ? rest : taps_, masked, false);
    if (cache.split > 0) {
      cache.sums = FeatureMap<Scalar>({1, walk.batch, cache.rows.shape()[2], config_.out_channels});
      cache.ahead = pack_taps<Kernels>(cache.weights, above, masked, false);
      begin_row(cache, 0);
    }
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
    require_output("MaskedConv2d", cache.walk, y, config_.out_channels, residual);
    const Terms terms = terms_of(cache, row, column, cache.image, cache.split, taps_.size());
    const kernels::Rows<const Scalar> start =
        cache.split > 0 ? kernels::Rows<const Scalar>{&cache.sums(0, 0, column, 0),
                                                      cache.sums.shape()[2] * config_.out_channels}
                        : bias_row();
    share_units(cache.walk.team, x.rows, cache.packed,
                [&](const kernels::Packed<const Scalar>& weights) {
                  Kernels::affine(x.rows, terms, weights, start,
                                  kernels::Rows<const Scalar>{residual.data, residual.stride},
                                  kernels::Rows<Scalar>{y.data, y.stride});
                });
  }
  void end_row(Cache& cache, Index row) const {
    require_row("MaskedConv2d", cache.walk, row);
    if (cache.split > 0 && row + 1 < cache.walk.height) begin_row(cache, row + 1);
  }

 protected:
  /// Puts a pixel into the ring.
  void remember(Cache& cache, Index row, Index column, const MatrixView<const Scalar>& x) const {
    require_input("MaskedConv2d", cache.walk, row, column, x, config_.in_channels);
    Scalar* const pixel =
        cache.rows.data() + line_of(row) * cache.line + (padding_.left + column) * x.columns;
    share_columns(cache.walk.team, x.rows, x.columns, [&](Index first, Index last) {
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

  [[nodiscard]] kernels::Rows<const Scalar> bias_row() const { return {bias_.value().data(), 0}; }
  /// What runs [first, last) of taps read for a pixel of the first image, in rows `stride` apart.
  [[nodiscard]] Terms terms_of(Cache& cache, Index row, Index column, Index stride,
                               std::size_t first, std::size_t last) const {
    const Index ring = padding_.above + 1, in = config_.in_channels;
    for (std::size_t t = first; t < last; ++t) {
      const TapRun& run = taps_[t];
      const Index line = line_of(row) + run.dy;
      const Scalar* const from = cache.rows.data() + (line < 0 ? line + ring : line) * cache.line;
      cache.terms[t] = {from + (padding_.left + column + run.dx) * in, stride, run.count * in};
    }
    return Terms(cache.terms).subspan(first, last - first);
  }
  /// What the rows above give to a row: to all pixels of all images, and to the padding between.
  void begin_row(Cache& cache, Index row) const {
    const Index out = config_.out_channels;
    const Index pixels = cache.sums.size() / out - padding_.left - padding_.right;
    const Terms terms = terms_of(cache, row, 0, config_.in_channels, 0, cache.split);
    share_units(cache.walk.team, pixels, cache.ahead,
                [&](const kernels::Packed<const Scalar>& weights) {
                  Kernels::affine(pixels, terms, weights, bias_row(), kernels::Rows<const Scalar>{},
                                  kernels::Rows<Scalar>{cache.sums.data(), out});
                });
  }

  using Products = TapProducts<B>;

  /// Whether maps of this width are convolved by pairs of pixels.
  [[nodiscard]] bool in_pairs(Index width) const {
    if constexpr (can_pair<B>) {
      return config_.kernel_width == 3 && config_.dilation == 1 && width % 2 == 0 && pairs_save_ &&
             Kernels::pairs_pay(config_.in_channels, config_.out_channels);
    }
    return false;
  }
  [[nodiscard]] TensorView<const Scalar, 4> masked_weights(Workspace& workspace) const {
    return masked(mask_, weights_.value(), config_.colours, 1, workspace);
  }
  /// Pixels of a line of a frame.
  [[nodiscard]] Index line_pixels(const Pieces& pieces) const {
    return padding_.none() ? frame_pixels : pieces.width;
  }
  /// Calls f(worker, frame, line, lines, pixel) for as many lines as `multiply` takes at a time of
  /// all frames of a map, in parallel, with what for_each_frame does for each; `pixel` is the
  /// first.
  template <class F>
  static void for_each_lines(Workspace& workspace, int threads, const Products& multiply,
                             const Scalar* map, Index channels, const Pieces& pieces,
                             const Padding& pad, bool relu, F&& f) {
    const Index chunks = pieces.chunks.size(), size = frame_size(pieces, channels, pad);
    Scalar* const rooms = workspace.allocate<Scalar>(B::Execution::workers(threads, chunks) * size);
    B::Execution::for_each(threads, chunks, [&](Index chunk, Index worker) {
      for_each_frame<Kernels>(map, channels, pieces, chunk, pad, relu, rooms + worker * size,
                              [&](const Frame<Scalar>& frame, Index first_pixel) {
                                const Index step = multiply.lines(frame.pixels);
                                for (Index line = 0; line < frame.lines; line += step) {
                                  f(worker, frame, line, std::min(step, frame.lines - line),
                                    first_pixel + line * frame.pixels);
                                }
                              });
    });
  }

  /// The output map, with `residual` added where it is not null.
  [[nodiscard]] FeatureView<Scalar> convolve(Variable<Scalar> x, const Scalar* residual) const {
    Tape<Scalar>& tape = x.tape();
    const FeatureView<Scalar> y = tape.allocate(output_shape(x.shape()));
    Workspace& scratch = tape.scratch();
    const Scratch guard(scratch);
    const Pieces pieces(x.shape());
    const Index out = config_.out_channels;
    const bool pairs = in_pairs(pieces.width) && !tape.walk_bits();
    const auto weights = tape.template prepare<typename Products::Weights>(
        pairs ? static_cast<const void*>(&weights_) : &bias_, [&](Workspace& room) {
          return Products::prepare(room, taps_, masked_weights(scratch), false, pairs);
        });
    const Products multiply(scratch, B::Execution::workers(tape.threads(), pieces.chunks.size()),
                            line_pixels(pieces), taps_, weights);
    for_each_lines(scratch, tape.threads(), multiply, x.value().data(), config_.in_channels, pieces,
                   padding_, config_.relu_input,
                   [&](Index worker, const Frame<Scalar>& f, Index line, Index lines, Index pixel) {
                     const Index at = pixel * out;
                     multiply(worker, f, line, lines, bias_.value().data(),
                              residual != nullptr ? residual + at : nullptr, y.data() + at);
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

  static Shape<4> shape_of(const Config& c) {
    return {c.kernel_height, c.kernel_width, c.in_channels, c.out_channels};
  }
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

  /// dx(r, j) += Σ over taps of dy(r - dy, j - dx) · K[dy, dx]ᵀ, where x > 0 if relu_input.
  void input_gradient(pixelrnn::Backward<Scalar>& ctx) const {
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
                       multiply(worker, f, line, lines, nullptr, claim.fresh ? nullptr : dx + at,
                                dx + at);
                       return;
                     }
                     Scalar* const to = rooms + worker * room;
                     multiply(worker, f, line, lines, nullptr, nullptr, to);
                     Kernels::relu_backward(lines * f.pixels * in, x + at, to, dx + at, store);
                   });
  }

  /// dK[dy, dx] += Σ over pixels of x(r + dy, j + dx)ᵀ dy(r, j);  db += Σ dy(r, j).
  void weight_gradient(pixelrnn::Backward<Scalar>& ctx) const {
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
          ctx.input(0).data(), in, pieces, chunk, padding_, config_.relu_input,
          rooms + worker * size, [&](const Frame<Scalar>& f, Index first_pixel) {
            const Scalar* const d = dy + first_pixel * out;
            gradients.add(worker, f, {d, f.lines, f.pixels, f.pixels * out, out}, dk);
            Kernels::add_column_sums(f.lines * f.pixels, out, kernels::Rows<const Scalar>{d, out},
                                     dk + weights_.size());
          });
      gradients.end(worker, dk);
    });
    add_chunks<B>(threads, parts, chunks, part, weights_.size(), weights_.gradient().data());
    add_chunks<B>(threads, parts + weights_.size(), chunks, part, out, bias_.gradient().data());
    if (config_.colours > 1) pixelrnn::apply_mask(mask_, weights_.gradient(), config_.colours);
  }

  Mask mask_;
  Config config_;
  std::vector<TapRun> taps_, taps_of_gradient_;
  bool pairs_save_;
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
/// Cost: 2 · allowed taps · C_in · C_out FLOP a pixel. With three columns, many channels, no
/// dilation and maps of even width less, as two neighbouring pixels then share products
/// (pixel_pairs.hpp; a 3×3 kernel under mask B: seven instead of ten, with three colours eight). A
/// walk has but one pixel, and its sums may differ from these by rounding: TapeOptions::walk_bits.
/// Saves nothing but its input. Throws ConfigError unless sizes are positive and the kernel odd;
/// ShapeError if x has not C_in channels.
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
