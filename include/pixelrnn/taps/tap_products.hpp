// SPDX-License-Identifier: MIT
// Tap products: the sums of a convolution and of its weight gradient as matrix products.
#pragma once

#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include <pixelrnn/core/tuning.hpp>
#include <pixelrnn/taps/pieces.hpp>
#include <pixelrnn/taps/taps.hpp>
#include <pixelrnn/taps/winograd.hpp>

namespace pixelrnn::inline PIXELRNN_ABI::detail {

/// Whether a backend's kernels offer what pairs of pixels need.
template <class B>
inline constexpr bool can_pair = kernels::PairingKernels<typename B::Kernels, typename B::Scalar>;

/// y(r, j) = bias + Σ over taps of x(r + dy, j + dx) · K[dy, dx] on lines of a frame: one product
/// with a term for each run of taps, or by pairs of pixels (taps/winograd.hpp), for which lines
/// have an even number of pixels and runs up to three taps. For the transposed map taps are
/// mirrored(). By pairs, the last product of each pixel may be made by others: add_pairs().
template <class B>
class TapProducts {
 public:
  using T = typename B::Scalar;
  using K = typename B::Kernels;

  /// Packed weights: one matrix, or one of each PairSum.
  struct Weights {
    std::array<kernels::Packed<const T>, std::size(pair_sums)> packed{};
    bool in_pairs = false;
  };
  /// `groups`: of the weights' columns. With gates, what the sums begin with, what they are added
  /// to and they themselves are rows in the order of the kernels (Packed).
  [[nodiscard]] static Weights prepare(Workspace& workspace, const std::vector<TapRun>& taps,
                                       TensorView<const T, 4> weights, bool transposed,
                                       bool in_pairs, Index groups = 1, bool one_chain = false) {
    Weights made{.in_pairs = in_pairs};
    if constexpr (can_pair<B>) {
      if (in_pairs) {
        for (const PairSum sum : pair_sums) {
          made.packed[static_cast<std::size_t>(sum)] =
              pack_pairs<K>(workspace, taps, sum, weights, transposed, groups);
        }
        return made;
      }
    }
    made.packed[0] = pack_taps<K>(workspace, taps, weights, transposed, groups, one_chain);
    return made;
  }

  /// Takes memory for so many workers, with lines of so many pixels at most.
  TapProducts(Workspace& workspace, Index workers, Index line_pixels,
              const std::vector<TapRun>& taps, const Weights& weights)
      : taps_(taps),
        weights_(weights),
        columns_(columns_of(weights.packed[0], weights.packed[0].units)) {
    term_count_ = std::ssize(taps);
    if (weights.in_pairs) {
      Index most = 0;
      for (const auto& packed : weights.packed) most = std::max(most, packed.rows);
      term_count_ *= 2;
      rows_ = lines(line_pixels) * line_pixels / 2;
      room_ = rows_ * (most + 3 * columns_);
      rooms_ = workspace.allocate<T>(workers * room_);
    }
    terms_ = workspace.allocate<kernels::Term<T>>(workers * term_count_);
  }
  /// The same of units [first, last) alone, with the same memory: for threads that share units.
  [[nodiscard]] TapProducts part(Index first, Index last) const {
    TapProducts made = *this;
    for (auto& packed : made.weights_.packed) packed = packed.part(first, last);
    return made;
  }
  /// Lines of a frame that operator() takes at a time, at most.
  [[nodiscard]] Index lines(Index line_pixels) const {
    return weights_.in_pairs ? lines_in(frame_pixels, line_pixels) : 1;
  }

  /// out = addend + what the sum above gives, for `count` lines from `line` on, beginning with rows
  /// `start`. No start or addend where they are null; the addend may be out. By pairs there is
  /// either an addend or a start that differs from pixel to pixel, not both.
  PIXELRNN_COMPILED_ONCE void operator()(Index worker, const Frame<T>& f, Index line, Index count,
                                         kernels::Rows<const T> start, const T* addend,
                                         T* out) const {
    if constexpr (can_pair<B>) {
      if (weights_.in_pairs) {
        const bool is_bias = start.stride == 0;
        add_pairs(
            worker, f, line, count, is_bias ? start.data : nullptr, is_bias ? addend : start.data,
            [&](PairSum sum, Index pairs, Terms terms, const kernels::Packed<const T>& weights,
                kernels::Rows<const T> begin) {
              const kernels::Rows<T> to{sum == PairSum::odd ? out + columns_ : out, 2 * columns_};
              K::affine(pairs, terms, weights, begin, kernels::Rows<const T>{}, to);
            });
        return;
      }
    }
    kernels::Term<T>* const terms = terms_ + worker * term_count_;
    for (std::size_t t = 0; t < taps_.size(); ++t) {
      terms[t] = {f.at(line, taps_[t].dy, taps_[t].dx), f.channels, taps_[t].count * f.channels};
    }
    K::affine(f.pixels, std::span<const kernels::Term<T>>(terms, taps_.size()), weights_.packed[0],
              start, kernels::Rows<const T>{addend, columns_}, kernels::Rows<T>{out, columns_});
  }

  /// The same by pairs, but for the last product: finish(sum, pairs, terms, weights, start) for the
  /// even and for the odd pixels is to make start + terms · weights of them.
  template <class F>
  void add_pairs(Index worker, const Frame<T>& f, Index line, Index lines, const T* bias,
                 const T* addend, F&& finish) const {
    const Index rows = lines * f.pixels / 2;
    T* const both = rooms_ + worker * room_;
    T* const opposite = both + rows_ * columns_;
    T* const even = opposite + rows_ * columns_;
    const auto multiply = [&](PairSum sum, const T* shift, T* to) {
      K::affine(rows, gather(sum, worker, f, line, lines), weights_of(sum),
                kernels::Rows<const T>{shift, 0}, kernels::Rows<const T>{},
                kernels::Rows<T>{to, columns_});
    };
    multiply(PairSum::both, bias, both);
    multiply(PairSum::opposite, nullptr, opposite);
    const Index first = columns_of(weights_.packed[0], weights_.packed[0].first);
    const Index count = columns_of(weights_.packed[0], weights_.packed[0].last) - first;
    const auto mine = [=, this](T* sums) { return kernels::Rows<T>{sums + first, columns_}; };
    K::add_scaled(rows, count, mine(both), T{1}, mine(opposite), mine(even));
    K::add_scaled(rows, count, mine(both), T{-1}, mine(opposite), mine(both));
    if (addend != nullptr) {
      const kernels::Rows<const T> from_even{addend + first, 2 * columns_};
      const kernels::Rows<const T> from_odd{addend + columns_ + first, 2 * columns_};
      K::move_rows(rows, count, from_even, mine(even), kernels::Store::Add);
      K::move_rows(rows, count, from_odd, mine(both), kernels::Store::Add);
    }
    for (const PairSum sum : {PairSum::even, PairSum::odd}) {
      finish(sum, rows, gather(sum, worker, f, line, lines), weights_of(sum),
             kernels::Rows<const T>{sum == PairSum::even ? even : both, columns_});
    }
  }

 private:
  using Terms = std::span<const kernels::Term<T>>;

  /// Values in a row of sums of so many units.
  [[nodiscard]] static Index columns_of(const kernels::Packed<const T>& weights, Index units) {
    return weights.groups == 1 ? units : kernels::gate_row<K, T>(units);
  }
  [[nodiscard]] const kernels::Packed<const T>& weights_of(PairSum sum) const {
    return weights_.packed[static_cast<std::size_t>(sum)];
  }
  /// What the products of one sum read of these lines, for all pairs.
  [[nodiscard]] PIXELRNN_COMPILED_ONCE Terms gather(PairSum sum, Index worker, const Frame<T>& f,
                                                    Index line, Index lines) const {
    const Index rows = lines * f.pixels / 2;
    T* operand = rooms_ + worker * room_ + 3 * rows_ * columns_;
    kernels::Term<T>* const terms = terms_ + worker * term_count_;
    std::size_t count = 0;
    for_each_product(taps_, sum, [&](const PairProduct& product, const TapRun& run) {
      gather_pairs<K>(f, line, lines, product, run, operand);
      terms[count++] = {operand, f.channels, f.channels};
      operand += rows * f.channels;
    });
    return {terms, count};
  }

  const std::vector<TapRun>& taps_;
  Weights weights_;
  Index columns_, term_count_ = 0;
  Index rows_ = 0, room_ = 0;  ///< pairs of the most lines; values of a worker's room
  T* rooms_ = nullptr;         ///< three maps of `rows_` outputs, then operands
  kernels::Term<T>* terms_ = nullptr;
};

/// dK[dy, dx] += Σ over pixels of x(r + dy, j + dx)ᵀ dy(r, j), a frame of both at a time; by pairs,
/// the transpose of their sums.
template <class B>
class TapGradients {
 public:
  using T = typename B::Scalar;
  using K = typename B::Kernels;

  /// `weights` is the shape of dK.
  TapGradients(Workspace& workspace, Index workers, const Pieces& pieces,
               const std::vector<TapRun>& taps, Shape<4> weights, bool in_pairs)
      : taps_(taps), weights_(weights), in_pairs_(in_pairs), height_(pieces.height) {
    pairs_ = workspace.allocate<kernels::RowPairs<T>>(workers * height_);
    if (!in_pairs) return;
    products_ = product_count(taps);
    rows_ = lines(pieces.width) * pieces.width / 2;
    room_ = products_ * kernel() + rows_ * (in() + 2 * out());
    rooms_ = workspace.allocate<T>(workers * room_);
  }
  /// Before the frames of a chunk.
  void begin(Index worker) const {
    if (in_pairs_) std::fill_n(rooms_ + worker * room_, products_ * kernel(), T{0});
  }
  /// `f` of x and `dy` have the same lines.
  PIXELRNN_COMPILED_ONCE void add(Index worker, const Frame<T>& f, const Frame<T>& dy,
                                  T* dk) const {
    if constexpr (can_pair<B>) {
      if (in_pairs_) {
        const Index step = lines(f.pixels);
        for (Index line = 0; line < f.lines; line += step) {
          add_pairs(worker, f, dy, line, std::min(step, f.lines - line));
        }
        return;
      }
    }
    kernels::RowPairs<T>* const list = pairs_ + worker * height_;
    for (const TapRun& run : taps_) {
      for (Index line = 0; line < f.lines; ++line) {
        list[line] = {f.at(line, run.dy, run.dx), dy.at(line, 0, 0), f.pixels};
      }
      K::add_outer_products(
          std::span<const kernels::RowPairs<T>>(list, static_cast<std::size_t>(f.lines)),
          kernels::RowShape{run.count * in(), in()}, kernels::RowShape{out(), out()},
          kernels::Rows<T>{dk + (run.row * weights_[1] + run.column) * kernel(), out()});
    }
  }
  /// After them.
  void end(Index worker, T* dk) const {
    if constexpr (can_pair<B>) {
      if (!in_pairs_) return;
      const T* from = rooms_ + worker * room_;
      for_each_sum([&](const PairProduct& product, const TapRun& run) {
        for (Index t = 0; t < run.count; ++t) {
          const auto scale = static_cast<T>(product.taps[static_cast<std::size_t>(t)]);
          if (scale == T{0}) continue;
          const kernels::Rows<T> to{dk + (run.row * weights_[1] + run.column + t) * kernel(), 0};
          K::add_scaled(1, kernel(), to, scale, kernels::Rows<const T>{from, 0}, to);
        }
        from += kernel();
      });
    }
  }

 private:
  [[nodiscard]] static constexpr Index lines(Index line_pixels) {
    return lines_in(tuning::gradient_pairs, line_pixels);
  }
  [[nodiscard]] Index in() const { return weights_[2]; }
  [[nodiscard]] Index out() const { return weights_[3]; }
  [[nodiscard]] Index kernel() const { return in() * out(); }
  template <class F>
  void for_each_sum(F&& f) const {
    for (const PairSum sum : pair_sums) for_each_product(taps_, sum, f);
  }

  void add_pairs(Index worker, const Frame<T>& f, const Frame<T>& dy, Index line,
                 Index lines) const {
    const Index pairs = f.pixels / 2;  // of a line
    T* to = rooms_ + worker * room_;
    T* const operand = to + products_ * kernel();
    T* const both = operand + rows_ * in();
    T* const opposite = both + rows_ * out();
    for (Index l = 0; l < lines; ++l) {
      const kernels::Rows<const T> even{dy.at(line + l, 0, 0), 2 * out()};
      const kernels::Rows<const T> odd{dy.at(line + l, 0, 1), 2 * out()};
      const Index at = l * pairs * out();
      K::add_scaled(pairs, out(), even, T{1}, odd, kernels::Rows<T>{both + at, out()});
      K::add_scaled(pairs, out(), even, T{-1}, odd, kernels::Rows<T>{opposite + at, out()});
    }
    kernels::RowPairs<T>* const list = pairs_ + worker * height_;
    for_each_sum([&](const PairProduct& product, const TapRun& run) {
      gather_pairs<K>(f, line, lines, product, run, operand);
      const bool is_even = product.sum == PairSum::even, is_odd = product.sum == PairSum::odd;
      const T* const sums = product.sum == PairSum::both ? both : opposite;
      for (Index l = 0; l < lines; ++l) {
        list[l] = {
            operand + l * pairs * in(),
            is_even || is_odd ? dy.at(line + l, 0, is_odd ? 1 : 0) : sums + l * pairs * out(),
            pairs};
      }
      K::add_outer_products(
          std::span<const kernels::RowPairs<T>>(list, static_cast<std::size_t>(lines)),
          kernels::RowShape{in(), in()},
          kernels::RowShape{out(), is_even || is_odd ? 2 * out() : out()},
          kernels::Rows<T>{to, out()});
      to += kernel();
    });
  }

  const std::vector<TapRun>& taps_;
  Shape<4> weights_;
  bool in_pairs_;
  Index height_;
  kernels::RowPairs<T>* pairs_;
  Index products_ = 0, rows_ = 0, room_ = 0;
  T* rooms_ = nullptr;  ///< a worker's: the sum of each product, an operand, gradients of two sums
};

}  // namespace pixelrnn::inline PIXELRNN_ABI::detail
