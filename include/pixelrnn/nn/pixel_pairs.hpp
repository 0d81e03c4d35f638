// SPDX-License-Identifier: MIT
// Pixel pairs: two neighbouring outputs of a convolution from seven products instead of ten.
#pragma once

#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include <pixelrnn/nn/pieces.hpp>
#include <pixelrnn/nn/taps.hpp>

namespace pixelrnn::inline PIXELRNN_ABI::detail {

/// The sums that make a pair: even pixel = even + both + opposite, odd = odd + both - opposite.
enum class PairSum { even, odd, both, opposite };

/// One product of a pair: (x[first] + sign · x[second]) · Σ over t of taps[t] · K[t], where x[0] is
/// what the first tap of a run reads for the even pixel.
struct PairProduct {
  PairSum sum;
  Index first, sign, second;
  std::array<float, 3> taps;
};

/// Winograd's minimal filters F(2, 3) and F(2, 2) (Lavin & Gray 2016, arXiv 1509.09308, sec. 4.1)
/// for runs of up to three taps. A pixel's sums read what its own taps read and nothing else: what
/// it must not see cannot change a bit of it.
inline constexpr std::array<PairProduct, 2> pair_of_one{{
    {PairSum::even, 0, 0, 0, {1}},
    {PairSum::odd, 1, 0, 0, {1}},
}};
inline constexpr std::array<PairProduct, 3> pair_of_two{{
    {PairSum::even, 0, -1, 1, {1, 0}},
    {PairSum::odd, 2, -1, 1, {0, 1}},
    {PairSum::both, 1, 0, 0, {1, 1}},
}};
/// Two taps of which colours allow a part of one: where its weight is zero the sums above would be
/// right to rounding only, and a pixel would see by their last bit what it must not.
inline constexpr std::array<PairProduct, 4> pair_of_two_in_part{{
    {PairSum::even, 0, 0, 0, {1, 0}},
    {PairSum::even, 1, 0, 0, {0, 1}},
    {PairSum::odd, 1, 0, 0, {1, 0}},
    {PairSum::odd, 2, 0, 0, {0, 1}},
}};
inline constexpr std::array<PairProduct, 4> pair_of_three{{
    {PairSum::even, 0, -1, 2, {1, 0, 0}},
    {PairSum::odd, 3, -1, 1, {0, 0, 1}},
    {PairSum::both, 1, 1, 2, {0.5F, 0.5F, 0.5F}},
    {PairSum::opposite, 2, -1, 1, {0.5F, -0.5F, 0.5F}},
}};
[[nodiscard]] constexpr std::span<const PairProduct> pair_products(const TapRun& run) {
  if (run.count == 1) return pair_of_one;
  if (run.count == 2 && run.in_part) return pair_of_two_in_part;
  if (run.count == 2) return pair_of_two;
  return pair_of_three;
}

/// Calls f(product, run) for all products of a kind of sum.
template <class F>
void for_each_product(const std::vector<TapRun>& taps, PairSum sum, F&& f) {
  for (const TapRun& run : taps) {
    for (const PairProduct& product : pair_products(run)) {
      if (product.sum == sum) f(product, run);
    }
  }
}
[[nodiscard]] inline Index product_count(const std::vector<TapRun>& taps, PairSum sum) {
  Index count = 0;
  for_each_product(taps, sum, [&](const PairProduct&, const TapRun&) { ++count; });
  return count;
}
inline constexpr PairSum pair_sums[]{PairSum::even, PairSum::odd, PairSum::both, PairSum::opposite};

/// What a product reads of `lines` lines of a frame, for all pairs side by side.
template <class K, class T>
void gather_pairs(const Frame<T>& f, Index line, Index lines, const PairProduct& product,
                  const TapRun& run, T* to) {
  const Index pairs = f.pixels / 2;
  const auto from = [&](Index l, Index x) {
    return kernels::Rows<const T>{f.at(l, run.dy, run.dx + x), 2 * f.channels};
  };
  for (Index l = line; l < line + lines; ++l, to += pairs * f.channels) {
    const kernels::Rows<T> rows{to, f.channels};
    if (product.sign == 0) {
      K::move_rows(pairs, f.channels, from(l, product.first), rows, kernels::Store::Overwrite);
    } else {
      K::add_scaled(pairs, f.channels, from(l, product.first), static_cast<T>(product.sign),
                    from(l, product.second), rows);
    }
  }
}

/// TapProducts by pairs, for lines of an even number of pixels and runs of up to three taps.
template <class B>
requires kernels::PairingKernels<typename B::Kernels, typename B::Scalar>
class PairProducts {
 public:
  using T = typename B::Scalar;
  using K = typename B::Kernels;

  using Weights = std::array<kernels::Packed<const T>, std::size(pair_sums)>;  ///< of each sum
  [[nodiscard]] static Weights prepare(Workspace& workspace, const std::vector<TapRun>& taps,
                                       TensorView<const T, 4> weights, bool transposed) {
    Weights packed;
    for (const PairSum sum : pair_sums) {
      packed[index(sum)] = pack(workspace, taps, sum, weights, transposed);
    }
    return packed;
  }

  PairProducts(Workspace& workspace, Index workers, Index line_pixels,
               const std::vector<TapRun>& taps, const Weights& weights)
      : taps_(taps), packed_(weights), units_(weights[0].units) {
    Index most = 0;
    for (const auto& packed : packed_) most = std::max(most, packed.rows);
    rows_ = lines(line_pixels) * line_pixels / 2;
    room_ = rows_ * (most + 3 * units_);
    rooms_ = workspace.allocate<T>(workers * room_);
    terms_ = workspace.allocate<kernels::Term<T>>(workers * 2 * std::ssize(taps));
  }
  [[nodiscard]] static constexpr Index lines(Index line_pixels) {
    return std::max<Index>(1, frame_pixels / std::max<Index>(1, line_pixels));
  }

  void operator()(Index worker, const Frame<T>& f, Index line, Index lines, const T* bias,
                  const T* addend, T* out) const {
    const Index rows = lines * f.pixels / 2;
    T* const both = rooms_ + worker * room_;
    T* const opposite = both + rows_ * units_;
    T* const even = opposite + rows_ * units_;
    T* const operands = even + rows_ * units_;
    kernels::Term<T>* const terms = terms_ + worker * 2 * std::ssize(taps_);
    const auto side_by_side = [this](T* data) { return kernels::Rows<T>{data, units_}; };
    const auto every_second = [this](auto* data) { return kernels::Rows{data, 2 * units_}; };
    const auto multiply = [&](PairSum sum, const T* shift, const T* start, kernels::Rows<T> to) {
      std::size_t count = 0;
      for_each_product(taps_, sum, [&](const PairProduct& product, const TapRun& run) {
        T* const operand = operands + static_cast<Index>(count) * rows * f.channels;
        gather_pairs<K>(f, line, lines, product, run, operand);
        terms[count++] = {operand, f.channels, f.channels};
      });
      K::affine(rows, std::span<const kernels::Term<T>>(terms, count), packed_[index(sum)], shift,
                kernels::Rows<const T>{start, units_}, to);
    };
    multiply(PairSum::both, bias, nullptr, side_by_side(both));
    multiply(PairSum::opposite, nullptr, nullptr, side_by_side(opposite));
    K::add_scaled(rows, units_, side_by_side(both), T{1}, side_by_side(opposite),
                  side_by_side(even));
    T* const odd = both;
    K::add_scaled(rows, units_, side_by_side(both), T{-1}, side_by_side(opposite),
                  side_by_side(odd));
    if (addend != nullptr) {
      K::move_rows(rows, units_, every_second(addend), side_by_side(even), kernels::Store::Add);
      K::move_rows(rows, units_, every_second(addend + units_), side_by_side(odd),
                   kernels::Store::Add);
    }
    multiply(PairSum::even, nullptr, even, every_second(out));
    multiply(PairSum::odd, nullptr, odd, every_second(out + units_));
  }

 private:
  static constexpr std::size_t index(PairSum sum) { return static_cast<std::size_t>(sum); }

  [[nodiscard]] static kernels::Packed<const T> pack(Workspace& workspace,
                                                     const std::vector<TapRun>& taps, PairSum sum,
                                                     TensorView<const T, 4> weights,
                                                     bool transposed) {
    const Index in = weights.shape()[2], out = weights.shape()[3];
    const Index rows = transposed ? out : in;
    const auto packed = kernels::allocate_packed<K, T>(workspace, product_count(taps, sum) * rows,
                                                       transposed ? in : out);
    T* const k = workspace.allocate<T>(in * out);
    const kernels::Rows<T> row{k, in * out};
    Index first = 0;
    for_each_product(taps, sum, [&](const PairProduct& product, const TapRun& run) {
      std::fill_n(k, in * out, T{0});
      for (Index t = 0; t < run.count; ++t) {
        const auto scale = static_cast<T>(product.taps[static_cast<std::size_t>(t)]);
        if (scale == T{0}) continue;
        const Index column = run.column + (transposed ? run.count - 1 - t : t);
        K::add_scaled(1, in * out, row, scale,
                      kernels::Rows<const T>{&weights(run.row, column, 0, 0), 0}, row);
      }
      K::pack(packed, first,
              transposed ? kernels::Strided<T>{k, out, in, 1, out}
                         : kernels::Strided<T>{k, in, out, out, 1});
      first += rows;
    });
    return as_const(packed);
  }

  const std::vector<TapRun>& taps_;
  Weights packed_;
  Index units_, rows_ = 0, room_ = 0;
  T* rooms_ = nullptr;
  kernels::Term<T>* terms_ = nullptr;
};

/// TapGradients by pairs: the transpose of the same sums.
template <class B>
requires kernels::PairingKernels<typename B::Kernels, typename B::Scalar>
class PairGradients {
 public:
  using T = typename B::Scalar;
  using K = typename B::Kernels;

  PairGradients(Workspace& workspace, Index workers, const Pieces& pieces,
                const std::vector<TapRun>& taps, Shape<4> weights)
      : taps_(taps), weights_(weights) {
    for (const PairSum sum : pair_sums) products_ += product_count(taps, sum);
    rows_ = lines(pieces.width) * pieces.width / 2;
    room_ = products_ * kernel() + rows_ * (in() + 2 * out());
    rooms_ = workspace.allocate<T>(workers * room_);
  }
  void begin(Index worker) const { std::fill_n(sums(worker), products_ * kernel(), T{0}); }
  void add(Index worker, const Frame<T>& f, const T* dy, T* /*dk*/) const {
    for (Index line = 0; line < f.lines; line += lines(f.pixels)) {
      add_lines(worker, f, line, std::min(lines(f.pixels), f.lines - line),
                dy + line * f.pixels * out());
    }
  }
  void end(Index worker, T* dk) const {
    const T* from = sums(worker);
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

 private:
  /// Enough pairs for a part of an outer product.
  [[nodiscard]] static constexpr Index lines(Index line_pixels) {
    return std::max<Index>(1, 256 / std::max<Index>(1, line_pixels));
  }
  [[nodiscard]] Index in() const { return weights_[2]; }
  [[nodiscard]] Index out() const { return weights_[3]; }
  [[nodiscard]] Index kernel() const { return in() * out(); }
  [[nodiscard]] T* sums(Index worker) const { return rooms_ + worker * room_; }
  template <class F>
  void for_each_sum(F&& f) const {
    for (const PairSum sum : pair_sums) for_each_product(taps_, sum, f);
  }

  void add_lines(Index worker, const Frame<T>& f, Index line, Index lines, const T* dy) const {
    const Index rows = lines * f.pixels / 2;
    T* to = sums(worker);
    T* const operand = to + products_ * kernel();
    T* const both = operand + rows_ * in();
    T* const opposite = both + rows_ * out();
    const kernels::Rows<const T> even{dy, 2 * out()}, odd{dy + out(), 2 * out()};
    K::add_scaled(rows, out(), even, T{1}, odd, kernels::Rows<T>{both, out()});
    K::add_scaled(rows, out(), even, T{-1}, odd, kernels::Rows<T>{opposite, out()});
    const kernels::Rows<const T> gradients[]{even, odd, {both, out()}, {opposite, out()}};
    for_each_sum([&](const PairProduct& product, const TapRun& run) {
      const kernels::Rows<const T> d = gradients[static_cast<std::size_t>(product.sum)];
      gather_pairs<K>(f, line, lines, product, run, operand);
      const kernels::RowPairs<T> pair{operand, d.data, rows};
      K::add_outer_products(std::span(&pair, 1), kernels::RowShape{in(), in()},
                            kernels::RowShape{out(), d.stride}, kernels::Rows<T>{to, out()});
      to += kernel();
    });
  }

  const std::vector<TapRun>& taps_;
  Shape<4> weights_;
  Index products_ = 0, rows_ = 0, room_ = 0;
  T* rooms_ = nullptr;
};

}  // namespace pixelrnn::inline PIXELRNN_ABI::detail
