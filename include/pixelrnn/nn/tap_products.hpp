// SPDX-License-Identifier: MIT
// Tap products: a convolution, and its weight gradient, one matrix product a run of taps.
#pragma once

#include <vector>

#include <pixelrnn/nn/pieces.hpp>
#include <pixelrnn/nn/taps.hpp>

namespace pixelrnn::inline PIXELRNN_ABI::detail {

/// y(r, j) = bias + Σ over taps of x(r + dy, j + dx) · K[dy, dx] on lines of a frame. For the
/// transposed map taps are mirrored() and K is Kᵀ. PairProducts (pixel_pairs.hpp) is another way to
/// the same sums.
template <class B>
class TapProducts {
 public:
  using T = typename B::Scalar;
  using K = typename B::Kernels;

  using Weights = kernels::Packed<const T>;
  [[nodiscard]] static Weights prepare(Workspace& workspace, const std::vector<TapRun>& taps,
                                       TensorView<const T, 4> weights, bool transposed) {
    return pack_taps<K>(workspace, taps, weights, transposed);
  }

  TapProducts(Workspace& workspace, Index workers, Index /*line_pixels*/,
              const std::vector<TapRun>& taps, const Weights& weights)
      : taps_(taps), packed_(weights) {
    terms_ = workspace.allocate<kernels::Term<T>>(workers * std::ssize(taps));
  }
  /// Lines of a frame that operator() takes at a time, at most.
  [[nodiscard]] static constexpr Index lines(Index /*line_pixels*/) { return 1; }

  /// out = addend + what the sum above gives, for `lines` lines from `line` on. No bias or addend
  /// where they are null; the addend may be out.
  void operator()(Index worker, const Frame<T>& f, Index line, Index /*lines*/, const T* bias,
                  const T* addend, T* out) const {
    kernels::Term<T>* const terms = terms_ + worker * std::ssize(taps_);
    for (std::size_t t = 0; t < taps_.size(); ++t) {
      terms[t] = {f.at(line, taps_[t].dy, taps_[t].dx), f.channels, taps_[t].count * f.channels};
    }
    K::affine(f.pixels, std::span<const kernels::Term<T>>(terms, taps_.size()), packed_, bias,
              kernels::Rows<const T>{addend, packed_.units}, kernels::Rows<T>{out, packed_.units});
  }

 private:
  const std::vector<TapRun>& taps_;
  Weights packed_;
  kernels::Term<T>* terms_;
};

/// dK[dy, dx] += Σ over pixels of x(r + dy, j + dx)ᵀ dy(r, j), a frame of x at a time.
template <class B>
class TapGradients {
 public:
  using T = typename B::Scalar;
  using K = typename B::Kernels;

  /// `weights` is the shape of dK.
  TapGradients(Workspace& workspace, Index workers, const Pieces& pieces,
               const std::vector<TapRun>& taps, Shape<4> weights)
      : taps_(taps), weights_(weights), height_(pieces.height) {
    pairs_ = workspace.allocate<kernels::RowPairs<T>>(workers * height_);
  }
  void begin(Index /*worker*/) const {}
  /// `dy` belongs to the first pixel of the frame.
  void add(Index worker, const Frame<T>& f, const T* dy, T* dk) const {
    const Index in = weights_[2], out = weights_[3];
    kernels::RowPairs<T>* const list = pairs_ + worker * height_;
    for (const TapRun& run : taps_) {
      for (Index line = 0; line < f.lines; ++line) {
        list[line] = {f.at(line, run.dy, run.dx), dy + line * f.pixels * out, f.pixels};
      }
      K::add_outer_products(
          std::span<const kernels::RowPairs<T>>(list, static_cast<std::size_t>(f.lines)),
          kernels::RowShape{run.count * in, in}, kernels::RowShape{out, out},
          kernels::Rows<T>{dk + (run.row * weights_[1] + run.column) * in * out, out});
    }
  }
  void end(Index /*worker*/, T* /*dk*/) const {}

 private:
  const std::vector<TapRun>& taps_;
  Shape<4> weights_;
  Index height_;
  kernels::RowPairs<T>* pairs_;
};

}  // namespace pixelrnn::inline PIXELRNN_ABI::detail
