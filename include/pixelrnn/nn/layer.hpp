// SPDX-License-Identifier: MIT
// What a layer is: a pass over whole maps for training, and a walk for sampling.
#pragma once

#include <concepts>
#include <string>
#include <string_view>

#include <pixelrnn/autodiff/tape.hpp>
#include <pixelrnn/nn/walk.hpp>
#include <pixelrnn/taps/mask.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

namespace detail {
/// Stands for any visitor of parameters in the concepts below.
struct AnyVisitor {
  void operator()(const char*, auto&) const {}
};
}  // namespace detail

/// A layer maps a feature map (N, H, W, C_in) to (N, H, W, C_out); examples/custom_layer.cpp is the
/// shortest one. forward sees the whole map (teacher forcing); output_shape throws ShapeError on a
/// map the layer does not take.
template <class L>
concept Layer = requires(const L& layer, L& owner, Variable<typename L::Scalar> x, Shape<4> shape) {
  { layer.forward(x) } -> std::same_as<Variable<typename L::Scalar>>;
  { layer.output_shape(shape) } -> std::same_as<Shape<4>>;
  owner.for_each_parameter(detail::AnyVisitor{});
};

/// The promise of a layer, net or model that what becomes of an image depends on that image alone,
/// and that several threads may go through it at once, forward and in reverse, each with a tape of
/// its own. Whoever makes it says so: static constexpr bool separates_images = true. All layers of
/// the library do, and what is made of such layers. A trainer then may work through a batch in
/// parts, which small nets do faster and in less memory. A layer that normalises over the batch, or
/// draws random numbers as it goes, must not promise it, and if it derives from one that does takes
/// it back with = false; verify_determinism finds one whose outputs break it.
template <class L>
concept SeparatesImages = requires {
  requires L::separates_images;
};

namespace detail {
/// The base of what is described by a function of a pass: see Network.
struct NetworkTag {};
}  // namespace detail
template <class L>
concept IsNetwork = Layer<L> && std::derived_from<L, detail::NetworkTag>;

namespace detail {
// The members of a walk one by one, so that a layer that lacks one is told which.
template <class L>
concept HasCache = requires {
  typename L::Cache;
};
template <class L>
concept MakesCache = requires(const L& layer, Walk walk) {
  { layer.make_cache(walk) } -> std::same_as<typename L::Cache>;
};
template <class L>
concept Steps = requires(const L& layer, typename L::Cache& cache, Index i,
                         MatrixView<const typename L::Scalar> x, MatrixView<typename L::Scalar> y) {
  layer.step(cache, i, i, x, y);
};
template <class L>
concept EndsRows = requires(const L& layer, typename L::Cache& cache, Index i) {
  layer.end_row(cache, i);
};
template <class L>
concept BeginsWalk = HasCache<L> || requires(L& layer, Walk walk) {
  layer.make_cache(walk);
};
template <class L>
concept SaysNoWalk = requires {
  requires !L::is_incremental;
};
}  // namespace detail

/// The walk, for sampling: pixels in raster order, each from its input and a cache of the
/// past. It must give what forward gives: with kernels that promise them, the same bits as on a
/// tape with TapeOptions::walk_bits.
///   Cache make_cache(Walk) const;             packs weights and makes room; nothing seen yet
///   void step(cache, row, column, x, y) const;  x (batch, C_in) to y (batch, C_out) at one pixel
///   void end_row(cache, row) const;             after the last pixel of each row
/// A step may take one argument more, const ColourGroup& colour = {}: of the outputs only that
/// group is asked for then, those of earlier groups stand in y already. A pixel may be stepped
/// several times in a row with different x (once for each colour): the last one counts. Layers of
/// the library throw ShapeError unless x and y have a row for each image of the walk, and the walk
/// has the pixel. Who has a Cache means to have a walk: what is made of layers does not compile
/// with half of one, which would sample by whole forward passes without a word. A template that has
/// a Cache whatever it is made of says static constexpr bool is_incremental = false where it has no
/// walk.
template <class L>
concept IncrementalLayer =
    Layer<L> && detail::MakesCache<L> && detail::Steps<L> && detail::EndsRows<L>;

/// A layer that can be told the true input of the pixel last stepped, without computing its output
/// again: for one whose mask A hides the pixel from itself, so that nothing but the stored input
/// changes once the pixel has been drawn. A layer that says what is known of its output
/// (known_after) may offer it whatever that is.
template <class L>
concept ObservingLayer = IncrementalLayer<L> &&
    requires(const L& layer, typename L::Cache& cache, Index i,
             MatrixView<const typename L::Scalar> x) {
  layer.observe(cache, i, i, x);
};

/// A layer that adds its output to something in one pass, in the bits of `residual` plus its
/// output:
///   Variable forward_add(x, residual) const;
///   void step_add(cache, row, column, x, residual, y, colour) const;   residual.data may be null
template <class L>
concept AddingLayer = IncrementalLayer<L> &&
    requires(const L& layer, typename L::Cache& cache, Index i, Variable<typename L::Scalar> v,
             MatrixView<const typename L::Scalar> x, MatrixView<typename L::Scalar> y,
             const ColourGroup& colour) {
  { layer.forward_add(v, v) } -> std::same_as<Variable<typename L::Scalar>>;
  layer.step_add(cache, i, i, x, x, y, colour);
};

/// A layer that can go through a map row by row. Its input is put in pixel by pixel or as whole
/// rows (batch · width, C), before the output of the next row, or of that row, is asked for:
///   RowCache make_row_cache(Walk) const;
///   void observe(RowCache&, row, column, x) const;   void observe_row(RowCache&, row, x) const;
///   void step_row(RowCache&, row, y) const;
template <class L>
concept RowLayer = IncrementalLayer<L> &&
    requires(const L& layer, typename L::RowCache& cache, Walk walk, Index i,
             MatrixView<const typename L::Scalar> x, MatrixView<typename L::Scalar> y) {
  { layer.make_row_cache(walk) } -> std::same_as<typename L::RowCache>;
  layer.observe(cache, i, i, x), layer.observe_row(cache, i, x), layer.step_row(cache, i, y);
};

/// The promise that the output of a pixel depends on that pixel's input alone, colour by colour
/// unless the layer says otherwise (known_after), wherever it is, so that the pixels of a row may
/// be stepped as if they were images of one pixel: static constexpr bool is_pointwise = true.
template <class L>
concept PointwiseLayer = IncrementalLayer<L> && requires {
  requires L::is_pointwise;
};

/// What a walk knows of a layer's output, given what it knows of x. A layer says it by
///   Known known(Known x) const;   ConfigError if it reads what a walk does not know yet
/// One that does not is taken to be computed pixel by pixel, and to pass on all that x knows of the
/// pixel unless it observes (ObservingLayer), by which it promises to hide it.
template <class L>
[[nodiscard]] Known known_after(const L& layer, const Known& x) {
  if constexpr (requires {
                  { layer.known(x) } -> std::same_as<Known>;
                }) {
    return layer.known(x);
  } else if constexpr (PointwiseLayer<L>) {
    return x;
  } else {
    Known y = ObservingLayer<L> ? x.through(OwnPixel::earlier_colours, x.colours) : x;
    y.domain = Domain::pixel;
    return y;
  }
}

namespace detail {

/// What a net asks for with p.condition(channels) must be told; `told` is the number of channels.
inline void require_condition(Index channels, Index told) {
  if (told == 0) {
    fail<ConfigError>("Network: run asks for a condition, but nothing is told of the images; see ",
                      "Tape::set_condition and Walk::condition, or Config::condition of models");
  }
  if (told != channels) {
    fail<ShapeError>("Network: run asks for a condition of ", channels, " channels, the images ",
                     "are told ", told);
  }
}

/// A layer whose steps take a colour group; else all outputs are computed.
template <class L>
concept TakesColour = IncrementalLayer<L> &&
    requires(const L& layer, typename L::Cache& cache, Index i,
             MatrixView<const typename L::Scalar> x, MatrixView<typename L::Scalar> y,
             const ColourGroup& colour) {
  layer.step(cache, i, i, x, y, colour);
};
template <IncrementalLayer L>
void step_colour(const L& layer, typename L::Cache& cache, Index row, Index column,
                 const MatrixView<const typename L::Scalar>& x,
                 const MatrixView<typename L::Scalar>& y, const ColourGroup& colour) {
  if constexpr (TakesColour<L>) {
    layer.step(cache, row, column, x, y, colour);
  } else {
    layer.step(cache, row, column, x, y);
  }
}

/// Refuses a layer whose walk was begun and is no walk; what is made of layers asks for its value.
template <class L>
struct WholeWalk {
  static constexpr bool is_begun = Layer<L> && BeginsWalk<L> && !SaysNoWalk<L>;
  static constexpr bool has_cache = is_begun && HasCache<L>;
  static_assert(!is_begun || has_cache,
                "A layer with a make_cache has a walk, which needs a public type: Cache "
                "(concept IncrementalLayer in pixelrnn/nn/layer.hpp)");
  static_assert(!has_cache || MakesCache<L>,
                "A layer with a Cache has a walk, which needs: Cache make_cache(Walk) const "
                "(concept IncrementalLayer in pixelrnn/nn/layer.hpp; without a walk, no Cache)");
  static_assert(!has_cache || Steps<L>,
                "A layer with a Cache has a walk, which needs: void step(Cache&, Index row, Index "
                "column, MatrixView<const Scalar> x, MatrixView<Scalar> y) const "
                "(concept IncrementalLayer in pixelrnn/nn/layer.hpp; without a walk, no Cache)");
  static_assert(!has_cache || EndsRows<L>,
                "A layer with a Cache has a walk, which needs: void end_row(Cache&, Index row) "
                "const (concept IncrementalLayer in pixelrnn/nn/layer.hpp; without a walk, no "
                "Cache)");
  static constexpr bool value = true;
};

/// Whether layers take and give values of one type, as those in one net must.
template <class First, class... Rest>
concept OneScalar = (std::same_as<typename First::Scalar, typename Rest::Scalar> && ...);

}  // namespace detail

/// Useful FLOP of one forward pass over a height × width map: a multiply and an add for each
/// allowed tap that lies inside the map, element-wise work not counted. 0 for layers that do not
/// say.
template <class L>
[[nodiscard]] Index flops(const L& layer, Index height, Index width) {
  if constexpr (requires {
                  { layer.flops(height, width) } -> std::same_as<Index>;
                }) {
    return layer.flops(height, width);
  } else {
    return 0;
  }
}

/// What a layer computes, in words: its kind, sizes, activation, and the state outside the image.
/// Model files carry it and are held to it. "custom" for a layer that does not say, by a member
/// std::string describe() const.
template <class L>
[[nodiscard]] std::string description_of(const L& layer) {
  if constexpr (requires {
                  { layer.describe() } -> std::convertible_to<std::string>;
                }) {
    return layer.describe();
  } else {
    return "custom";
  }
}

namespace detail {

/// "(in->out, colours 3)", with `more` before the colours; grey needs no word.
[[nodiscard]] inline std::string describe_sizes(Index in, Index out, Index colours,
                                                const std::string& more = {}) {
  std::string text = '(' + std::to_string(in) + "->" + std::to_string(out) + more;
  if (colours > 1) text += ", colours " + std::to_string(colours);
  return text + ')';
}

/// "MaskedConv2d<A>(1->32, 7x7)"
template <class Config>
[[nodiscard]] std::string describe_convolution(std::string_view mask, const Config& c) {
  std::string more = ", " + std::to_string(c.kernel_height) + 'x' + std::to_string(c.kernel_width);
  if (c.dilation > 1) more += ", dilation " + std::to_string(c.dilation);
  if (c.relu_input) more += ", of max(x, 0)";
  return "MaskedConv2d<" + std::string(mask) + '>' +
         describe_sizes(c.in_channels, c.out_channels, c.colours, more);
}

/// Throws ShapeError unless the map has `channels` channels; `knob` names the option that says so.
inline void require_channels(const char* where, const Shape<4>& x, Index channels,
                             const char* knob) {
  if (x.c() != channels) {
    fail<ShapeError>(where, ": x is ", x, ", expected (N, H, W, C=", channels, "); C is ", knob);
  }
}

}  // namespace detail
}  // namespace pixelrnn::inline PIXELRNN_ABI
