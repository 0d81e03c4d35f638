// SPDX-License-Identifier: MIT
// MaskedConvolution: a convolution as a sum of products over allowed taps alone, without im2col.
#pragma once

#include <pixelrnn/kernels/backend.hpp>
#include <pixelrnn/nn/condition.hpp>
#include <pixelrnn/nn/init.hpp>
#include <pixelrnn/nn/network/reach.hpp>
#include <pixelrnn/taps/pieces.hpp>
#include <pixelrnn/taps/tap_products.hpp>
#include <pixelrnn/taps/taps.hpp>

namespace pixelrnn::inline PIXELRNN_ABI::detail {

/// What MaskedConv2d computes, for any mask: compiled once for all.
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
    Index condition_channels = 0;  ///< of what images are told (Tape::set_condition); 0: nothing
  };

  MaskedConvolution(const Mask& mask, Config config, Rng& rng)
      : config_(checked(config)),
        mask_(mask, config.kernel_height, config.kernel_width, config.dilation, config.colours),
        taps_(allowed_taps(mask_)),
        taps_of_gradient_(mirrored(taps_)),
        pairs_save_(pairs_save(taps_)),
        padding_(padding_of(taps_)),
        weights_(shape_of(config), mask_.rule(shape_of(config))),
        bias_({1, 1, 1, config.out_channels}),
        condition_("MaskedConv2d", config.condition_channels, config.out_channels, 1,
                   config.colours) {
    const Index taps = tap_count(taps_);
    glorot_uniform(weights_.value(), taps * config.in_channels, taps * config.out_channels, rng);
    apply_mask();
    condition_.draw(rng);
  }

  [[nodiscard]] const Config& config() const { return config_; }
  [[nodiscard]] Shape<4> output_shape(Shape<4> x) const {
    require_channels("MaskedConv2d", x, config_.in_channels, "Config::in_channels");
    return x.with_channels(config_.out_channels);
  }
  [[nodiscard]] Reach reach() const { return {padding_.above, padding_.left, padding_.right}; }
  [[nodiscard]] Index flops(Index height, Index width) const {
    Index products = 0;  // of C_in × C_out each; a colour mask on the centre is not deducted
    for (const TapRun& run : taps_) {
      const Index rows = std::max<Index>(0, height - std::abs(run.dy));
      for (Index dx = run.dx; dx < run.dx + run.count; ++dx)
        products += rows * std::max<Index>(0, width - std::abs(dx));
    }
    return 2 * products * config_.in_channels * config_.out_channels;
  }
  [[nodiscard]] std::string describe() const {
    return describe_convolution(mask_.name(), config_) + condition_.describe();
  }
  void for_each_parameter(auto&& visit) {
    visit("weights", weights_), visit("bias", bias_);
    condition_.for_each_parameter(visit);
  }
  /// Zeroes what the mask forbids: for weights that come from elsewhere.
  void apply_mask() { weights_.apply_mask(); }

  [[nodiscard]] Variable<Scalar> forward(Variable<Scalar> x) const {
    const FeatureView<Scalar> y = convolve(x, nullptr);
    return condition_.record("MaskedConv2d", y, {x, x.tape().leaf(bias_)}, Op{this, 2});
  }
  /// residual + forward(x). Throws ShapeError if the residual has not the output's shape.
  [[nodiscard]] Variable<Scalar> forward_add(Variable<Scalar> x, Variable<Scalar> residual) const {
    struct AddOp {
      const MaskedConvolution* layer;
      void backward(pixelrnn::Backward<Scalar>& ctx) const {
        if (ctx.wants_gradient(2)) ctx.pass_gradient(2);
        layer->backward(ctx, 3);
      }
    };
    if (residual.shape() != output_shape(x.shape())) {
      fail<ShapeError>("MaskedConv2d::forward_add: residual is ", residual.shape(), ", expected ",
                       output_shape(x.shape()));
    }
    const FeatureView<Scalar> y = convolve(x, residual.value().data());
    return condition_.record("MaskedConv2d", y, {x, x.tape().leaf(bias_), residual}, AddOp{this});
  }

  /// What a walk computes of one colour group of outputs, of all of them without colours.
  struct Group {
    Index first, count, unread = 0;  ///< output channels; inputs of the last tap they do not see
    FeatureMap<Scalar> sums{};  ///< (1, batch, padded width, count): what rows above give, if split
    kernels::Packed<const Scalar> packed{};  ///< of a pixel's taps
    kernels::Packed<const Scalar> ahead{};   ///< of the taps above, if split
    typename ConditionWeights<B>::Walking start{};
  };
  /// What taps reach of the input: a ring of rows, for each image with its padding; or, if they
  /// reach no rows above, of left + 1 columns, so that a line may have no end. Where taps lie side
  /// by side each column stands twice, so that they do so in memory.
  struct Ring {
    FeatureMap<Scalar> rows;                   ///< (rows above + 1, batch, padded width, C_in)
    Index columns = 0;                         ///< of the ring of columns; 0: of whole rows
    bool is_twice = false;                     ///< the ring of columns stands twice
    Index image, line;                         ///< values of one row of an image, of all images
    std::vector<kernels::Term<Scalar>> terms;  ///< a room for each run
    Workspace weights;
    GuardedWalk walk;
  };
  /// If the walk is split, what the rows above give to all pixels of this one.
  struct Cache : Ring {
    std::vector<Group> groups;
    std::size_t split;  ///< runs of taps above; 0: not split
  };
  [[nodiscard]] Known known(Known x) const {
    return known_through("MaskedConv2d", taps_, mask_, x);
  }
  [[nodiscard]] Cache make_cache(Walk walk) const {
    static_cast<void>(known({}));
    Cache cache;
    begin(cache, walk, padding_.above == 0);
    // Runs are in kernel order: those of the rows above come first.
    const auto here =
        std::find_if(taps_.begin(), taps_.end(), [](const TapRun& run) { return run.dy == 0; });
    const std::vector<TapRun> above(taps_.begin(), here), rest(here, taps_.end());
    const Index weights = tap_count(above) * config_.in_channels * config_.out_channels;
    cache.split = row_ahead_pays<Scalar>(walk.batch, weights) ? above.size() : 0;
    const auto masked = masked_weights(cache.weights);
    const bool one_chain = in_one_chain(config_.colours, config_.out_channels);
    const Index groups = colour_groups<Kernels, Scalar>(config_.colours, config_.out_channels, 1);
    for (Index g = 0; g < groups; ++g) {
      const ColourGroup colour{g, groups};
      Group group{colour.first(config_.out_channels), colour.count(config_.out_channels)};
      const auto part = units_of(masked, 1, group.first, group.count, cache.weights);
      const auto pack = [&](const std::vector<TapRun>& runs, Index unread = 0) {
        return pack_taps<Kernels>(cache.weights, runs, part, false, 1, one_chain, unread);
      };
      if (groups > 1 && !rest.empty()) group.unread = unread_inputs(part, rest.back());
      group.packed = pack(cache.split > 0 ? rest : taps_, group.unread);
      group.start = {condition_,  walk,        {bias_row().data + group.first, 0},
                     group.first, group.count, cache.weights};
      if (cache.split > 0) {
        group.sums = FeatureMap<Scalar>({1, walk.batch, cache.rows.shape()[2], group.count});
        group.ahead = pack(above);
      }
      cache.groups.push_back(std::move(group));
    }
    if (cache.split > 0) begin_row(cache, 0);
    return cache;
  }
  /// `colour`: of the outputs only this group is asked for; see ColourGroup.
  void step(Cache& cache, Index row, Index column, const MatrixView<const Scalar>& x,
            const MatrixView<Scalar>& y, const ColourGroup& colour = {}) const {
    step_add(cache, row, column, x, {}, y, colour);
  }
  /// y = residual + what step gives. No residual: none is added.
  void step_add(Cache& cache, Index row, Index column, const MatrixView<const Scalar>& x,
                const MatrixView<const Scalar>& residual, const MatrixView<Scalar>& y,
                const ColourGroup& colour = {}) const {
    observe(cache, row, column, x);
    require_output("MaskedConv2d", cache.walk, y, config_.out_channels, residual);
    const kernels::Rows<const Scalar> addend{residual.data, residual.stride};
    for_each_asked(cache.groups, colour, [&](const Group& group) {
      const Terms terms =
          terms_of(cache, row, column, cache.image, cache.split, taps_.size(), group.unread);
      const kernels::Rows<const Scalar> start =
          cache.split > 0 ? kernels::Rows<const Scalar>{&group.sums(0, 0, column, 0),
                                                        group.sums.shape()[2] * group.count}
                          : group.start.at(row, column);
      share_units(cache.walk.team, x.rows, group.packed,
                  [&](const kernels::Packed<const Scalar>& weights) {
                    Kernels::affine(x.rows, terms, weights, start, addend.from(0, group.first),
                                    kernels::Rows<Scalar>{y.data + group.first, y.stride});
                  });
    });
  }
  void end_row(Cache& cache, Index row) const {
    require_row("MaskedConv2d", cache.walk, row);
    if (cache.columns > 1) cache.rows.fill(Scalar{0});
    if (cache.split > 0 && row + 1 < cache.walk.height) begin_row(cache, row + 1);
  }
  /// Puts the input of a pixel, which was not known when it was stepped, into the ring. Where the
  /// output knows its own pixel it would have to follow.
  void observe(Ring& ring, Index row, Index column, const MatrixView<const Scalar>& x) const {
    require_input("MaskedConv2d", ring.walk, row, column, x, config_.in_channels);
    Scalar* const pixel =
        ring.rows.data() + line_of(row) * ring.line + place_of(ring, column) * x.columns;
    share_columns(ring.walk.team, x.rows, x.columns, [&](Index first, Index last) {
      for (Index b = 0; b < x.rows; ++b) {
        Scalar* const to = pixel + b * ring.image + first;
        store(last - first, x.row(b) + first, to);
        if (ring.is_twice) std::copy_n(to, last - first, to - ring.columns * x.columns);
      }
    });
  }

  // A walk row by row: see RowLayer.
  struct RowCache;
  [[nodiscard]] RowCache make_row_cache(Walk walk) const;
  void observe_row(RowCache& cache, Index row, const MatrixView<const Scalar>& x) const;
  void step_row(RowCache& cache, Index row, const MatrixView<Scalar>& y) const;

 private:
  void begin(Ring& ring, const Walk& walk, bool by_columns) const {
    ring.columns = by_columns ? padding_.left + 1 : 0;
    ring.is_twice = by_columns && std::any_of(taps_.begin(), taps_.end(),
                                              [](const TapRun& run) { return run.count > 1; });
    const Index width = by_columns ? ring.columns * (ring.is_twice ? 2 : 1)
                                   : walk.width + padding_.left + padding_.right;
    ring.rows = FeatureMap<Scalar>({padding_.above + 1, walk.batch, width, config_.in_channels});
    ring.image = ring.rows.shape()[2] * config_.in_channels;
    ring.line = walk.batch * ring.image;
    ring.terms.resize(taps_.size());
    ring.walk = {walk};
  }
  void store(Index count, const Scalar* from, Scalar* to) const {
    if (config_.relu_input) {
      Kernels::relu(count, from, to);
    } else {
      std::copy_n(from, count, to);
    }
  }
  /// The line of the ring that holds a row.
  [[nodiscard]] Index line_of(Index row) const {
    return padding_.above == 0 ? 0 : row % (padding_.above + 1);
  }
  /// Where a column stands in its line: those that taps reach stand before it, or at the end.
  [[nodiscard]] Index place_of(const Ring& ring, Index column) const {
    if (ring.columns < 2) return ring.columns == 0 ? padding_.left + column : 0;
    return column % ring.columns + (ring.is_twice ? ring.columns : 0);
  }

  using Terms = std::span<const kernels::Term<Scalar>>;
  [[nodiscard]] kernels::Rows<const Scalar> bias_row() const { return {bias_.value().data(), 0}; }
  /// What runs [first, last) read, but for the last `unread` inputs; images are `stride` apart.
  [[nodiscard]] Terms terms_of(Ring& ring, Index row, Index column, Index stride, std::size_t first,
                               std::size_t last, Index unread = 0) const {
    const Index lines = padding_.above + 1, in = config_.in_channels;
    const Index place = place_of(ring, column);
    for (std::size_t t = first; t < last; ++t) {
      const TapRun& run = taps_[t];
      const Index line = line_of(row) + run.dy, at = place + run.dx;
      const Scalar* const from = ring.rows.data() + (line < 0 ? line + lines : line) * ring.line;
      ring.terms[t] = {from + (at < 0 ? at + ring.columns : at) * in, stride,
                       run.count * in - (t + 1 == last ? unread : 0)};
    }
    return Terms(ring.terms).subspan(first, last - first);
  }
  /// What the rows above give to a row: to all pixels of all images, and to the padding between.
  /// With a condition image by image, whose sums do not begin with one row.
  void begin_row(Cache& cache, Index row) const {
    for (Group& group : cache.groups) {
      const Index out = group.count;
      const auto sum = [&](Index pixels, const Terms& terms, Scalar* sums) {
        const kernels::Rows<Scalar> to{sums, out};
        const kernels::Rows<const Scalar> start =
            group.start.exists() ? kernels::Rows<const Scalar>(to) : group.start.at(row, 0);
        share_units(cache.walk.team, pixels, group.ahead,
                    [&](const kernels::Packed<const Scalar>& weights) {
                      Kernels::affine(pixels, terms, weights, start, kernels::Rows<const Scalar>{},
                                      to);
                    });
      };
      const Terms terms = terms_of(cache, row, 0, config_.in_channels, 0, cache.split);
      if (!group.start.exists()) {
        sum(group.sums.size() / out - padding_.left - padding_.right, terms, group.sums.data());
        continue;
      }
      for (Index column = 0; column < cache.walk.width; ++column) {
        group.start.copy(row, column, {&group.sums(0, 0, column, 0), group.sums.shape()[2] * out});
      }
      for (Index b = 0; b < cache.walk.batch; ++b) {
        sum(cache.walk.width, terms, &group.sums(0, b, 0, 0));
        for (std::size_t t = 0; t < cache.split; ++t) cache.terms[t].data += cache.image;
      }
    }
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
    return mask_.masked(weights_.value(), 1, workspace);
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
    const Index image = std::max<Index>(1, pieces.height * pieces.width);
    const Starts<Scalar> starts = condition_.starts(tape, x.shape(), bias_row());
    // By pairs a start of each pixel is what sums are added to; a residual would be another.
    const bool pairs =
        in_pairs(pieces.width) && !tape.walk_bits() && (starts.pixel == 0 || residual == nullptr);
    const auto weights = tape.template prepare<typename Products::Weights>(
        pairs ? static_cast<const void*>(&weights_) : &bias_, [&](Workspace& room) {
          return Products::prepare(room, taps_, masked_weights(scratch), false, pairs, 1,
                                   in_one_chain(config_.colours, config_.out_channels));
        });
    const Products multiply(scratch, B::Execution::workers(tape.threads(), pieces.chunks.size()),
                            line_pixels(pieces), taps_, weights);
    for_each_lines(scratch, tape.threads(), multiply, x.value().data(), config_.in_channels, pieces,
                   padding_, config_.relu_input,
                   [&](Index worker, const Frame<Scalar>& f, Index line, Index lines, Index pixel) {
                     const Index at = pixel * out;
                     multiply(worker, f, line, lines, starts.rows(pixel / image, pixel % image),
                              residual != nullptr ? residual + at : nullptr, y.data() + at);
                   });
    return y;
  }

  struct Op {
    const MaskedConvolution* layer;
    Index condition;  ///< which of the inputs
    void backward(pixelrnn::Backward<Scalar>& ctx) const { layer->backward(ctx, condition); }
  };

  static Shape<4> shape_of(const Config& c) {
    return {c.kernel_height, c.kernel_width, c.in_channels, c.out_channels};
  }
  /// What the taps reach beyond a pixel.
  static Padding padding_of(const std::vector<TapRun>& taps) {
    Padding pad;
    for (const TapRun& run : taps) {
      pad.above = std::max(pad.above, -run.dy), pad.below = std::max(pad.below, run.dy);
      pad.left = std::max(pad.left, -run.dx);
      pad.right = std::max(pad.right, run.dx + run.count - 1);
    }
    return pad;
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

  void input_gradient(pixelrnn::Backward<Scalar>& ctx) const;
  void weight_gradient(pixelrnn::Backward<Scalar>& ctx) const;
  void backward(pixelrnn::Backward<Scalar>& ctx, Index condition) const;

  Config config_;
  KernelMask mask_;
  std::vector<TapRun> taps_, taps_of_gradient_;
  bool pairs_save_;
  Padding padding_;
  Parameter<Scalar> weights_;
  Parameter<Scalar> bias_;
  ConditionWeights<B> condition_;
};

}  // namespace pixelrnn::inline PIXELRNN_ABI::detail
