// SPDX-License-Identifier: MIT
// ConditionWeights: what a layer adds to its sums of what its images are told.
#pragma once

#include <initializer_list>
#include <string>
#include <variant>

#include <pixelrnn/autodiff/tape.hpp>
#include <pixelrnn/core/tuning.hpp>
#include <pixelrnn/kernels/backend.hpp>
#include <pixelrnn/nn/init.hpp>
#include <pixelrnn/nn/walk.hpp>
#include <pixelrnn/taps/taps.hpp>

namespace pixelrnn::inline PIXELRNN_ABI::detail {

/// What the sums of a pass begin with: `data` for all pixels, or one row for each image or pixel.
template <class T>
struct Starts {
  const T* data;
  Index image = 0, pixel = 0;  ///< values from one image to the next, and from one pixel

  /// Those of one image.
  [[nodiscard]] Starts of(Index n) const { return {data + n * image, 0, pixel}; }
  /// Of pixel `first` of an image and those after it.
  [[nodiscard]] kernels::Rows<const T> rows(Index n, Index first) const {
    return {data + n * image + first * pixel, pixel};
  }
};

/// An unmasked 1×1 map of a condition c to the sums z of a layer: z begins with b + K_c c (van den
/// Oord et al. 2016, sec. 3.6, and 2016b, arXiv 1606.05328, sec. 2.3), where c is a vector for each
/// image, (N, 1, 1, C_c), or a map, (N, H, W, C_c). Without channels it is nothing: z begins with
/// b.
///   K_c [1][1][C_c][gates · units]
/// Cost: 2 · C_c · gates · units FLOP an image or a pixel.
template <class B>
class ConditionWeights {
 public:
  using T = typename B::Scalar;
  using K = typename B::Kernels;

  /// `layer`, of so many colours, names it in errors. Weights are zero until draw(). Throws
  /// ConfigError if channels are negative.
  ConditionWeights(const char* layer, Index channels, Index units, Index gates, Index colours)
      : layer_(layer), units_(units), gates_(gates), one_chain_(in_one_chain(colours, units)) {
    if (channels < 0) {
      fail<ConfigError>(layer, ": Config::condition_channels is ", channels,
                        ", expected 0 (no condition) or more");
    }
    if (channels > 0) weights_ = Parameter<T>({1, 1, channels, gates * units});
  }
  /// After the layer's other weights, so that the order of random numbers is that of layers without
  /// a condition.
  void draw(Rng& rng) {
    if (channels() > 0) glorot_uniform(weights_.value(), channels(), units_, rng);
  }

  [[nodiscard]] Index channels() const { return weights_.size() > 0 ? weights_.shape()[2] : 0; }
  void for_each_parameter(auto&& visit) {
    if (channels() > 0) visit("condition_weights", weights_);
  }
  /// ", condition 16", or nothing.
  [[nodiscard]] std::string describe() const {
    return channels() > 0 ? ", condition " + std::to_string(channels()) : std::string();
  }

  /// For a pass over x (N, H, W, any), with memory of the tape's scratch; `bias` and what is found
  /// are in the kernels' order. Throws ConfigError if the tape has no condition, ShapeError if it
  /// does not fit.
  [[nodiscard]] Starts<T> starts(Tape<T>& tape, const Shape<4>& x,
                                 kernels::Rows<const T> bias) const {
    if (channels() == 0) return {bias.data};
    if (!tape.condition()) fail_without();
    const FeatureView<const T> c = tape.condition()->value();
    require_fits(c.shape(), x);
    const auto weights = tape.template prepare<kernels::Packed<const T>>(
        &weights_, [this](Workspace& room) { return pack(room, 0, units_); });
    const Index rows = c.shape().n() * c.shape().h() * c.shape().w(), line = sums(units_),
                in = channels();
    T* const out = tape.scratch().template allocate<T>(rows * line);
    const Chunks chunks = Chunks::of(rows, frame);
    B::Execution::for_each(tape.threads(), chunks.size(), [&](Index chunk, Index) {
      const Index first = chunks.first(chunk);
      multiply(chunks.last(chunk) - first, {c.data() + first * in, in, in}, weights, bias,
               {out + first * line, line});
    });
    const Index pixels = c.shape().h() * c.shape().w();
    return {out, pixels * line, pixels == 1 ? 0 : line};
  }
  /// Tape::record, with the condition, if there is one, as the last of the two or three inputs.
  template <class Op>
  [[nodiscard]] Variable<T> record(const char* name, FeatureView<T> y,
                                   std::initializer_list<Variable<T>> inputs, Op op) const {
    Tape<T>& tape = inputs.begin()->tape();
    if (channels() == 0) return tape.record(name, y, inputs, op);
    const Variable<T>* const i = inputs.begin();
    const Variable<T>& c = *tape.condition();
    if (inputs.size() == 2) return tape.record(name, y, {i[0], i[1], c}, op);
    return tape.record(name, y, {i[0], i[1], i[2], c}, op);
  }

  /// Gradients dz of the sums of `count` pixels of an image, from pixel `first` on.
  struct Line {
    const T* dz;
    Index first, count;
  };
  /// dK_c += Σ c(p)ᵀ dz(p) and dc(p) += dz(p) K_cᵀ. `input` is the condition's place in the
  /// operation; line(n, l) for l < lines is all there is of image n: of every `step`th pixel, rows
  /// of dz `stride` apart.
  template <class F>
  void backward(Backward<T>& ctx, Index input, Index lines, Index step, Index stride,
                F&& line) const {
    if (channels() == 0) return;
    const FeatureView<const T> c = ctx.input(input);
    const Shape<4> s = c.shape();
    const bool is_map = s.h() * s.w() > 1;
    const Index out = gates_ * units_, in = channels(), image = s.h() * s.w() * in;
    Workspace& scratch = ctx.scratch();
    // Of vectors only the sum over an image counts: it is the one line of that image then.
    T* const totals = is_map ? nullptr : scratch.template allocate_zero<T>(s.n() * out);
    const auto all = [&](Index n, Index l) {
      return is_map ? line(n, l) : Line{totals + n * out, 0, 1};
    };
    if (!is_map) {
      B::Execution::for_each(ctx.threads(), s.n(), [&](Index n, Index) {
        for (Index l = 0; l < lines; ++l) {
          const Line one = line(n, l);
          K::add_column_sums(one.count, out, kernels::Rows<const T>{one.dz, stride},
                             totals + n * out);
        }
      });
      lines = 1, step = 1, stride = out;
    }
    const bool wants = ctx.wants_gradient(input);
    T* const dc = wants ? ctx.input_gradient(input).data() : nullptr;
    const kernels::Packed<const T> transposed = pack_transposed(scratch);
    const Chunks chunks{s.n()};
    T* const parts = allocate_chunks<B, T>(scratch, ctx.threads(), chunks.size(), weights_.size());
    const Index workers = B::Execution::workers(ctx.threads(), chunks.size());
    auto* const rooms = scratch.template allocate<kernels::RowPairs<T>>(workers * lines);
    B::Execution::for_each(ctx.threads(), chunks.size(), [&](Index chunk, Index worker) {
      kernels::RowPairs<T>* const pairs = rooms + worker * lines;
      for (Index n = chunks.first(chunk); n < chunks.last(chunk); ++n) {
        for (Index l = 0; l < lines; ++l) {
          const Line one = all(n, l);
          pairs[l] = {c.data() + n * image + one.first * in, one.dz, one.count};
          if (!wants) continue;
          const kernels::Rows<T> to{dc + n * image + one.first * in, step * in};
          const kernels::Term<T> term{one.dz, stride, out};
          K::affine(one.count, std::span<const kernels::Term<T>>(&term, 1), transposed,
                    kernels::Rows<const T>{}, kernels::Rows<const T>(to), to);
        }
        K::add_outer_products(
            std::span<const kernels::RowPairs<T>>(pairs, static_cast<std::size_t>(lines)),
            kernels::RowShape{in, step * in}, kernels::RowShape{out, stride},
            kernels::Rows<T>{parts + chunk * weights_.size(), out});
      }
    });
    add_chunks<B>(ctx.threads(), parts, chunks.size(), weights_.size(), weights_.size(),
                  ctx.gradient(weights_).data());
  }

  /// What the sums of a walk begin with, pixel by pixel.
  class Walking {
   public:
    Walking() = default;
    /// Of units [first, first + count), whose bias is given. Throws ConfigError if the walk has no
    /// condition, ShapeError if it does not fit.
    Walking(const ConditionWeights& weights, const Walk& walk, kernels::Rows<const T> bias,
            Index first, Index count, Workspace& memory)
        : rows_(bias) {
      if (weights.channels() == 0) return;
      const auto* const told = std::get_if<FeatureView<const T>>(&walk.condition);
      if (told == nullptr || told->empty()) weights.fail_without();
      weights.require_fits(told->shape(), {walk.batch, walk.height, walk.width, 1});
      condition_ = *told;
      weights_ = weights.pack(memory, first, count);
      bias_ = bias;
      const Index line = weights.sums(count);
      rows_ = room_ = {memory.allocate<T>(walk.batch * line), line};
      is_map_ = told->shape().h() * told->shape().w() > 1;
      find(0, 0);
    }
    /// For all images, until the next call.
    [[nodiscard]] kernels::Rows<const T> at(Index row, Index column) const {
      if (is_map_) find(row, column);
      return rows_;
    }
    /// Whether there is a condition: else at() is one row for all images.
    [[nodiscard]] bool exists() const { return static_cast<bool>(room_); }
    /// at(), as rows for sums to go on from.
    void copy(Index row, Index column, kernels::Rows<T> to) const {
      K::move_rows(condition_.shape().n(), room_.stride, at(row, column), to,
                   kernels::Store::Overwrite);
    }

   private:
    void find(Index row, Index column) const {
      const Shape<4> s = condition_.shape();
      const T* const from = &condition_(0, row, column, 0);
      multiply(s.n(), {from, s.h() * s.w() * s.c(), s.c()}, weights_, bias_, room_);
    }
    FeatureView<const T> condition_{};
    kernels::Packed<const T> weights_{};
    kernels::Rows<const T> bias_{}, rows_{};
    kernels::Rows<T> room_{};
    bool is_map_ = false;
  };

 private:
  /// Rows that are worked on together.
  static constexpr Index frame = tuning::frame_pixels;

  /// Values in a row of sums of so many units.
  [[nodiscard]] Index sums(Index units) const {
    return gates_ == 1 ? units : kernels::gate_row<K, T>(units);
  }
  static void multiply(Index rows, const kernels::Term<T>& term,
                       const kernels::Packed<const T>& weights, kernels::Rows<const T> bias,
                       kernels::Rows<T> out) {
    K::affine(rows, std::span<const kernels::Term<T>>(&term, 1), weights, bias,
              kernels::Rows<const T>{}, out);
  }
  [[nodiscard]] kernels::Packed<const T> pack(Workspace& workspace, Index first,
                                              Index count) const {
    const Index in = channels(), out = gates_ * count;
    const auto packed =
        kernels::allocate_packed<K, T>(workspace, in, count, gates_, gates_ == 1 && one_chain_);
    const auto part = units_of(weights_.value(), gates_, first, count, workspace);
    K::pack(packed, 0, kernels::Strided<T>{part.data(), in, out, out, 1});
    return as_const(packed);
  }
  [[nodiscard]] kernels::Packed<const T> pack_transposed(Workspace& workspace) const {
    const Index in = channels(), out = gates_ * units_;
    const auto packed = kernels::allocate_packed<K, T>(workspace, out, in);
    K::pack(packed, 0, kernels::Strided<T>{weights_.value().data(), out, in, 1, out});
    return as_const(packed);
  }
  void require_fits(const Shape<4>& c, const Shape<4>& x) const {
    const bool is_vector = c.h() == 1 && c.w() == 1, is_map = c.h() == x.h() && c.w() == x.w();
    if (c.n() == x.n() && c.c() == channels() && (is_vector || is_map)) return;
    fail<ShapeError>(layer_, ": the condition is ", c, ", expected (N=", x.n(),
                     ", H=1, W=1, C=", channels(), ") or (N=", x.n(), ", H=", x.h(), ", W=", x.w(),
                     ", C=", channels(), "); C is Config::condition_channels");
  }
  [[noreturn]] void fail_without() const {
    fail<ConfigError>(layer_, ": Config::condition_channels is ", channels(),
                      ", but nothing is told of the images; see Tape::set_condition, ",
                      "Walk::condition and Images::set_labels");
  }

  const char* layer_;
  Index units_, gates_;
  bool one_chain_;
  Parameter<T> weights_;
};

}  // namespace pixelrnn::inline PIXELRNN_ABI::detail
