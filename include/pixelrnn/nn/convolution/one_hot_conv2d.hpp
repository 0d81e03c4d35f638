// SPDX-License-Identifier: MIT
// OneHotConv2d: a masked convolution of one-hot levels, as sums of rows of its weights.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include <pixelrnn/kernels/backend.hpp>
#include <pixelrnn/nn/condition.hpp>
#include <pixelrnn/nn/init.hpp>
#include <pixelrnn/nn/layer.hpp>
#include <pixelrnn/nn/level_input.hpp>
#include <pixelrnn/taps/taps.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

struct OneHotConfig {
  Index channels = 1;  ///< C of the images
  int levels = 256;    ///< V
  Index out_channels = 1;
  Index kernel_height = 1;
  Index kernel_width = 1;
  Index colours = 1;  ///< 1, or C: outputs in C groups, and what channel c gives is colour c
  Index condition_channels = 0;  ///< of what images are told (Tape::set_condition); 0: nothing
};

/// What MaskedConv2d makes of the one-hot map of an image, in which level v of channel c is a 1 in
/// channel c·V + v and all else 0, without that map:
///   y(r, j) = b + Σ over allowed (dy, dx) and channels c of K[dy, dx][c·V + x(r + dy, j + dx, c)]
///   x (N, H, W, C)    K [kernel height][kernel width][C·V][C_out]    y (N, H, W, C_out)
/// x are levels as whole numbers (Encoding::level). The first layer of a net for levels that are
/// names, or for weights that were trained on one-hot inputs; a pixel outside the image gives
/// nothing. Levels have no derivative: x gets none. Cost: allowed taps · C · C_out additions a
/// pixel, whatever V. Weights begin uniform as if the C ones of a pixel were its inputs. Throws
/// ConfigError unless sizes are positive, the kernel odd, 2 <= levels <= 65536 and colours 1 or C;
/// ShapeError if x has not C channels; ValueError if a number is no level.
template <MaskPolicy M = Mask, class B = Backend<>>
class OneHotConv2d {
 public:
  using Scalar = typename B::Scalar;
  using Kernels = typename B::Kernels;
  using BackendPolicy = B;
  static constexpr bool separates_images = true;
  using Config = OneHotConfig;

  OneHotConv2d(Config config, Rng& rng) requires std::default_initializable<M>
      : OneHotConv2d(M{}, config, rng) {}
  OneHotConv2d(const M& mask, Config config, Rng& rng)
      : config_(checked(config)),
        mask_(mask, config.kernel_height, config.kernel_width, 1, config.colours),
        taps_(allowed_taps(mask_)),
        weights_(shape_of(config), mask_.rule(shape_of(config))),
        bias_({1, 1, 1, config.out_channels}),
        condition_("OneHotConv2d", config.condition_channels, config.out_channels, 1,
                   config.colours) {
    const Index taps = tap_count(taps_);
    glorot_uniform(weights_.value(), taps * config.channels, taps * config.out_channels, rng);
    apply_mask();
    condition_.draw(rng);
  }

  [[nodiscard]] const Config& config() const { return config_; }
  [[nodiscard]] Shape<4> output_shape(Shape<4> x) const {
    detail::require_channels("OneHotConv2d", x, config_.channels, "Config::channels");
    return x.with_channels(config_.out_channels);
  }
  /// "OneHotConv2d<A>(3 of 256 levels->32, 7x7, colours 3)"
  [[nodiscard]] std::string describe() const {
    std::string text =
        "OneHotConv2d<" + mask_.name() + ">(" + std::to_string(config_.channels) + " of " +
        std::to_string(config_.levels) + " levels->" + std::to_string(config_.out_channels) + ", " +
        std::to_string(config_.kernel_height) + 'x' + std::to_string(config_.kernel_width);
    if (config_.colours > 1) text += ", colours " + std::to_string(config_.colours);
    return text + ')' + condition_.describe();
  }
  void for_each_parameter(auto&& visit) {
    visit("weights", weights_), visit("bias", bias_);
    condition_.for_each_parameter(visit);
  }
  /// Zeroes what the mask forbids: for weights that come from elsewhere.
  void apply_mask() { weights_.apply_mask(); }

  [[nodiscard]] Variable<Scalar> forward(Variable<Scalar> x) const {
    struct Op {
      const OneHotConv2d* layer;
      void backward(pixelrnn::Backward<Scalar>& ctx) const { layer->add_gradients(ctx); }
    };
    Tape<Scalar>& tape = x.tape();
    const Shape<4> s = x.shape();
    const FeatureView<Scalar> y = tape.allocate(output_shape(s));
    const FeatureView<const Scalar> in = x.value();
    B::Execution::for_each(tape.threads(), s.n() * s.h(), [&](Index line, Index) {
      const Index n = line / s.h(), row = line % s.h();
      for (Index i = 0; i < s.w() * s.c(); ++i) {
        static_cast<void>(detail::level_of("OneHotConv2d", (&in(n, row, 0, 0))[i], config_.levels));
      }
    });
    const Scratch guard(tape.scratch());
    const auto starts = condition_.starts(tape, s, {bias_.value().data(), 0});
    B::Execution::for_each(tape.threads(), s.n() * s.h(), [&](Index line, Index) {
      const Index n = line / s.h(), row = line % s.h();
      for (Index column = 0; column < s.w(); ++column) {
        sum_rows(
            row, column, s, [&](Index r, Index c) { return &in(n, r, c, 0); },
            starts.rows(n, row * s.w() + column).data, &y(n, row, column, 0));
      }
    });
    return condition_.record("OneHotConv2d", y, {x, tape.leaf(bias_)}, Op{this});
  }

  /// The levels of all pixels so far.
  struct Cache {
    FeatureMap<Scalar> levels;  ///< (batch, H, W, C)
    Workspace memory;
    typename detail::ConditionWeights<B>::Walking start;
    detail::GuardedWalk walk;
  };
  [[nodiscard]] Known known(Known x) const {
    return detail::known_through("OneHotConv2d", taps_, mask_, x);
  }
  [[nodiscard]] Cache make_cache(Walk walk) const {
    static_cast<void>(known({}));
    return begin(walk);
  }
  void step(Cache& cache, Index row, Index column, const MatrixView<const Scalar>& x,
            const MatrixView<Scalar>& y) const {
    observe(cache, row, column, x);
    detail::require_output("OneHotConv2d", cache.walk, y, config_.out_channels);
    const auto start = cache.start.at(row, column);
    for (Index b = 0; b < x.rows; ++b) step_pixel(cache, b, row, column, start[b], y.row(b));
  }
  void end_row(Cache&, Index) const {}
  /// The levels of a pixel, which were not known when it was stepped.
  void observe(Cache& cache, Index row, Index column, const MatrixView<const Scalar>& x) const {
    detail::require_input("OneHotConv2d", cache.walk, row, column, x, config_.channels);
    for (Index b = 0; b < x.rows; ++b) observe_pixel(cache, b, row, column, x.row(b));
  }

  // A walk row by row: see RowLayer.
  using RowCache = Cache;
  [[nodiscard]] RowCache make_row_cache(Walk walk) const {
    static_cast<void>(known({.domain = Domain::row}));
    return begin(walk);
  }
  void observe_row(RowCache& cache, Index row, const MatrixView<const Scalar>& x) const {
    detail::require_row("OneHotConv2d", cache.walk, row);
    detail::require_row_values("OneHotConv2d", "x", cache.walk, x, config_.channels);
    const Index width = cache.walk.width;
    for (Index at = 0; at < x.rows; ++at) {
      observe_pixel(cache, at / width, row, at % width, x.row(at));
    }
  }
  void step_row(RowCache& cache, Index row, const MatrixView<Scalar>& y) const {
    detail::require_row("OneHotConv2d", cache.walk, row);
    detail::require_row_values("OneHotConv2d", "y", cache.walk, y, config_.out_channels);
    const Index width = cache.walk.width;
    for (Index column = 0; column < width; ++column) {
      const auto start = cache.start.at(row, column);
      for (Index b = 0; b < cache.walk.batch; ++b) {
        step_pixel(cache, b, row, column, start[b], y.row(b * width + column));
      }
    }
  }

 private:
  [[nodiscard]] static Shape<4> shape_of(const Config& c) {
    return {c.kernel_height, c.kernel_width, c.channels * c.levels, c.out_channels};
  }
  [[nodiscard]] static const Config& checked(const Config& c) {
    detail::require_level_count("OneHotConv2d: Config", c.levels);
    if (c.channels < 1 || c.out_channels < 1 || c.kernel_height < 1 || c.kernel_width < 1 ||
        c.kernel_height % 2 == 0 || c.kernel_width % 2 == 0 ||
        (c.colours != 1 && c.colours != c.channels)) {
      detail::fail<ConfigError>(
          "OneHotConv2d: Config is {channels=", c.channels, ", out_channels=", c.out_channels,
          ", kernel_height=", c.kernel_height, ", kernel_width=", c.kernel_width,
          ", colours=", c.colours, "}, expected odd kernel sizes, 1 or more of the others, and ",
          "colours 1 or channels");
    }
    return c;
  }
  [[nodiscard]] Cache begin(const Walk& walk) const {
    Cache cache{FeatureMap<Scalar>({walk.batch, walk.height, walk.width, config_.channels}),
                {},
                {},
                {walk}};
    cache.start = {condition_,           walk,        {bias_.value().data(), 0}, 0,
                   config_.out_channels, cache.memory};
    return cache;
  }
  void observe_pixel(Cache& cache, Index b, Index row, Index column, const Scalar* x) const {
    for (Index c = 0; c < config_.channels; ++c) {
      static_cast<void>(detail::level_of("OneHotConv2d", x[c], config_.levels));
      cache.levels(b, row, column, c) = x[c];
    }
  }
  void step_pixel(const Cache& cache, Index b, Index row, Index column, const Scalar* start,
                  Scalar* y) const {
    sum_rows(
        row, column, cache.levels.shape(),
        [&](Index r, Index c) { return &cache.levels(b, r, c, 0); }, start, y);
  }

  /// Calls f(offset in the weights, first output, how many) for all that pixel (row, column) of a
  /// map reads, one call for each stretch of outputs that may see it; pixel(r, c) points to the
  /// levels of another.
  template <class Pixel, class F>
  void for_each_row(Index row, Index column, const Shape<4>& map, const Pixel& pixel, F&& f) const {
    const Index out = config_.out_channels, colours = config_.colours;
    for (const TapRun& run : taps_) {
      if (row + run.dy < 0 || row + run.dy >= map.h()) continue;
      for (Index t = 0; t < run.count; ++t) {
        const Index at = column + run.dx + t;
        if (at < 0 || at >= map.w()) continue;
        const Scalar* const levels = pixel(row + run.dy, at);
        const Index tap = run.row * config_.kernel_width + run.column + t;
        for (Index c = 0; c < config_.channels; ++c) {
          const Index input = c * config_.levels + static_cast<Index>(levels[c]);
          const Index offset = (tap * config_.channels * config_.levels + input) * out;
          const Index from = colours == 1 ? 0 : c;
          for (Index to = 0, end; to < colours; to = end) {
            const bool is_seen = mask_.allowed(run.row, run.column + t, from, to);
            for (end = to + 1;
                 end < colours && mask_.allowed(run.row, run.column + t, from, end) == is_seen;) {
              ++end;
            }
            const Index first = first_of_group(to, out, colours);
            if (is_seen) f(offset + first, first, first_of_group(end, out, colours) - first);
          }
        }
      }
    }
  }
  template <class Pixel>
  void sum_rows(Index row, Index column, const Shape<4>& map, const Pixel& pixel,
                const Scalar* start, Scalar* y) const {
    std::copy_n(start, config_.out_channels, y);
    const Scalar* const weights = weights_.value().data();
    for_each_row(row, column, map, pixel, [&](Index offset, Index first, Index count) {
      Kernels::add(count, weights + offset, y + first);
    });
  }

  /// dK[dy, dx][level read] += dy(r, j), db += dy(r, j), in the order of pixels.
  void add_gradients(pixelrnn::Backward<Scalar>& ctx) const {
    const FeatureView<const Scalar> in = ctx.input(0), dy = ctx.output_gradient();
    const Shape<4> s = in.shape();
    Scalar* const dk = ctx.gradient(weights_).data();
    Scalar* const db = ctx.gradient(bias_).data();
    for (Index n = 0; n < s.n(); ++n) {
      for (Index row = 0; row < s.h(); ++row) {
        for (Index column = 0; column < s.w(); ++column) {
          const Scalar* const d = &dy(n, row, column, 0);
          Kernels::add(config_.out_channels, d, db);
          for_each_row(
              row, column, s, [&](Index r, Index c) { return &in(n, r, c, 0); },
              [&](Index offset, Index first, Index count) {
                Kernels::add(count, d + first, dk + offset);
              });
        }
      }
    }
    const Scalar* const d = dy.data();
    const Index pixels = s.h() * s.w(), out = config_.out_channels;
    condition_.backward(ctx, 2, 1, 1, out, [&](Index n, Index) {
      return typename detail::ConditionWeights<B>::Line{d + n * pixels * out, 0, pixels};
    });
  }

  Config config_;
  KernelMask mask_;
  std::vector<TapRun> taps_;
  Parameter<Scalar> weights_;
  Parameter<Scalar> bias_;
  detail::ConditionWeights<B> condition_;
};

static_assert(ObservingLayer<OneHotConv2d<MaskA>> && RowLayer<OneHotConv2d<MaskAbove>>);

}  // namespace pixelrnn::inline PIXELRNN_ABI
