// SPDX-License-Identifier: MIT
// One call of each kernel function on awkward memory: overlapping, reversed and constant rows,
// unaligned, with guard values wherever nothing may be written. Any policy can be asked for it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include <pixelrnn/core/random.hpp>
#include <pixelrnn/kernels/kernels.hpp>

namespace pixelrnn::test {

// Sizes around the tiles and vectors of every instruction set.
inline const std::vector<Index> row_counts{0, 1, 2, 5, 7, 13, 28};
inline const std::vector<Index> column_counts{1, 3, 16, 17, 20, 33, 64, 65, 130};

/// Small whole numbers, whose sums and products are exact in any order, or numbers in [-1, 1).
enum class Numbers { whole, real };

template <class T>
class Source {
 public:
  Source(Numbers numbers, std::uint64_t seed) : numbers_(numbers), rng_(seed) {}
  T operator()() {
    return numbers_ == Numbers::whole ? static_cast<T>(rng_.below(9)) - T{4}
                                      : static_cast<T>(rng_.uniform(-1, 1));
  }
  std::vector<T> operator()(Index count) {
    std::vector<T> values(static_cast<std::size_t>(count));
    for (T& v : values) v = (*this)();
    return values;
  }

 private:
  Numbers numbers_;
  Rng rng_;
};

/// The order of a matrix's rows in memory.
enum class Order { forwards, backwards };

/// A matrix whose memory holds guard values before, between and after its rows.
template <class T>
class GuardedMatrix {
 public:
  static constexpr Index gap = 3;
  GuardedMatrix(Index rows, Index columns, Order order = Order::forwards)
      : rows_(rows),
        columns_(columns),
        first_(gap + (order == Order::forwards || rows == 0 ? 0 : (rows - 1) * (columns + gap))),
        stride_(order == Order::forwards ? columns + gap : -(columns + gap)),
        memory_(static_cast<std::size_t>(gap + rows * (columns + gap)), guard()) {}
  GuardedMatrix(Index rows, Index columns, Source<T>& source, Order order = Order::forwards)
      : GuardedMatrix(rows, columns, order) {
    for (Index r = 0; r < rows; ++r) {
      for (Index c = 0; c < columns; ++c) (*this)(r, c) = source();
    }
  }

  [[nodiscard]] T& operator()(Index r, Index c) { return at(first_ + r * stride_ + c); }
  [[nodiscard]] const T& operator()(Index r, Index c) const {
    return const_cast<GuardedMatrix&>(*this)(r, c);
  }
  /// From row `first` on.
  [[nodiscard]] kernels::Rows<T> rows(Index first = 0) {
    return {memory_.data() + first_ + first * stride_, stride_};
  }
  [[nodiscard]] kernels::Rows<const T> rows(Index first = 0) const {
    return const_cast<GuardedMatrix&>(*this).rows(first);
  }
  [[nodiscard]] std::vector<T> values() const {
    std::vector<T> values;
    for (Index r = 0; r < rows_; ++r) {
      for (Index c = 0; c < columns_; ++c) values.push_back((*this)(r, c));
    }
    return values;
  }
  /// Whether nobody wrote outside the rows.
  [[nodiscard]] bool is_intact() {
    GuardedMatrix blank(*this);
    for (Index r = 0; r < rows_; ++r) {
      for (Index c = 0; c < columns_; ++c) blank(r, c) = guard();
    }
    return std::all_of(blank.memory_.begin(), blank.memory_.end(),
                       [](T v) { return v == guard(); });
  }

 private:
  static constexpr T guard() { return T{-12345}; }
  T& at(Index i) { return memory_[static_cast<std::size_t>(i)]; }

  Index rows_, columns_, first_, stride_;
  std::vector<T> memory_;
};

/// What sums begin with: nothing, a bias, a row for each.
enum class Start { none, bias, rows, itself };

/// The operands of an affine map: taps that overlap, rows that run backwards, one row for all.
template <class T>
struct Operands {
  static constexpr Index tap_stride = 3, tap_length = 6, back_length = 7, same_length = 4;
  static constexpr Index length = tap_length + back_length + same_length;

  Operands(Index rows, Index columns_, Numbers numbers, std::uint64_t seed = 1)
      : columns(columns_), source(numbers, seed) {
    taps = source(rows * tap_stride + tap_length - tap_stride);
    back = GuardedMatrix<T>(rows, back_length, source, Order::backwards);
    same = source(same_length);
    weights = source(length * columns);
    bias = source(columns);
    starts = GuardedMatrix<T>(rows, columns, source, Order::backwards);
  }
  /// The terms of the rows from `first` on.
  [[nodiscard]] std::vector<kernels::Term<T>> terms(Index first = 0) const {
    const kernels::Rows<const T> b = back.rows(first);
    return {{taps.data() + first * tap_stride, tap_stride, tap_length},
            {b.data, b.stride, back_length},
            {same.data(), 0, same_length}};
  }
  /// What the sum of row m and column n begins with.
  [[nodiscard]] T start(Start kind, Index m, Index n) const {
    if (kind == Start::none) return T{0};
    return kind == Start::bias ? bias[static_cast<std::size_t>(n)] : starts(m, n);
  }
  /// Value k of row m, all terms side by side.
  [[nodiscard]] T operator()(Index m, Index k) const {
    if (k < tap_length) return taps[static_cast<std::size_t>(m * tap_stride + k)];
    k -= tap_length;
    if (k < back_length) return back(m, k);
    return same[static_cast<std::size_t>(k - back_length)];
  }
  [[nodiscard]] T weight(Index k, Index n) const {
    return weights[static_cast<std::size_t>(k * columns + n)];
  }

  Index columns;
  Source<T> source;
  std::vector<T> taps, same, weights, bias;
  GuardedMatrix<T> back{0, 0}, starts{0, 0};
};

/// Weights in the policy's order, packed in two parts: the upper rows as they are, the lower ones
/// from their transpose. `says` is empty if packing kept to its memory.
template <class K, class T>
struct PackedWeights {
  PackedWeights(const Operands<T>& operands, Index groups) {
    const Index rows = Operands<T>::length, columns = operands.columns, upper = 5;
    const Index size = K::template packed_size<T>(rows, columns / groups, groups);
    memory.assign(static_cast<std::size_t>(size + 2), T{-12345});
    packed = {memory.data() + 1, rows, columns / groups, groups};
    K::pack(packed, 0, kernels::Strided<T>{operands.weights.data(), upper, columns, columns, 1});
    std::vector<T> transposed;
    for (Index n = 0; n < columns; ++n) {
      for (Index k = upper; k < rows; ++k) transposed.push_back(operands.weight(k, n));
    }
    K::pack(packed, upper,
            kernels::Strided<T>{transposed.data(), rows - upper, columns, 1, rows - upper});
    is_intact = memory.front() == T{-12345} && memory.back() == T{-12345};
  }
  std::vector<T> memory;
  kernels::Packed<T> packed;
  bool is_intact = false;
};

/// Results of a call, and whether it kept to its memory.
template <class T>
struct Result {
  std::vector<T> values;
  bool is_intact = true;
};

/// Calls f(first, count) for the rows in calls of at most `at_a_time`; all at once if that is 0.
template <class F>
void in_calls(Index rows, Index at_a_time, F f) {
  if (at_a_time == 0) return f(Index{0}, rows);
  for (Index first = 0; first < rows; first += at_a_time) {
    f(first, std::min(at_a_time, rows - first));
  }
}

/// Calls f(weights) once, or for parts that make up the weights, each as small as it may be.
template <class T, class F>
void in_parts(const kernels::Packed<const T>& weights, bool in_many, F f) {
  if (!in_many) return f(weights);
  for (Index first = 0; first < weights.units; first += weights.grain()) {
    f(weights.part(first, std::min(weights.units, first + weights.grain())));
  }
}

/// Rows of sums in the policy's own order of columns, which is how it packs a row of numbers.
template <class K, class T>
class Sums {
 public:
  Sums(Index rows, Index columns, Index groups, Order order = Order::forwards)
      : rows_(rows),
        width_(groups == 1 ? columns : K::template packed_size<T>(1, columns / groups, groups)),
        places_(static_cast<std::size_t>(columns)),
        memory_(rows, width_, order) {
    std::vector<T> numbers(places_.size()), packed(static_cast<std::size_t>(width_), T{-1});
    std::iota(numbers.begin(), numbers.end(), T{0});
    std::iota(places_.begin(), places_.end(), Index{0});
    if (groups == 1) return;
    K::pack(kernels::Packed<T>{packed.data(), 1, columns / groups, groups}, 0,
            kernels::Strided<T>{numbers.data(), 1, columns, columns, 1});
    for (Index& place : places_) {
      // Padding may be zero: the number 0 is the first one that is.
      place = std::find(packed.begin(), packed.end(), static_cast<T>(place)) - packed.begin();
    }
  }
  [[nodiscard]] T& operator()(Index r, Index c) {
    return memory_(r, places_[static_cast<std::size_t>(c)]);
  }
  [[nodiscard]] kernels::Rows<T> rows(Index first = 0) { return memory_.rows(first); }
  [[nodiscard]] bool is_intact() { return memory_.is_intact(); }
  [[nodiscard]] std::vector<T> values() {
    std::vector<T> values;
    for (Index r = 0; r < rows_; ++r) {
      for (const Index place : places_) values.push_back(memory_(r, place));
    }
    return values;
  }

 private:
  Index rows_, width_;
  std::vector<Index> places_;  ///< where each column lies
  GuardedMatrix<T> memory_;
};

/// What sums of some operands begin with, as a policy wants to be told it.
template <class K, class T>
class StartRows {
 public:
  StartRows(Index rows, const Operands<T>& operands, Index groups, Start kind)
      : kind_(kind),
        sums_(kind == Start::bias ? 1 : rows, operands.columns, groups, Order::backwards) {
    for (Index r = 0; r < (kind == Start::bias ? 1 : rows); ++r) {
      for (Index c = 0; c < operands.columns; ++c) sums_(r, c) = operands.start(kind, r, c);
    }
  }
  [[nodiscard]] kernels::Rows<const T> rows(Index first = 0) {
    if (kind_ == Start::none) return {nullptr, 3};  // null, whatever the stride
    return kind_ == Start::rows ? sums_.rows(first) : kernels::Rows<T>{sums_.rows().data, 0};
  }

 private:
  Start kind_;
  Sums<K, T> sums_;
};

/// What an affine map is added to: nothing, what the output holds, another matrix of these values.
enum class Addend { none, itself, other };

/// K::affine on `rows` rows.
template <class K, class T>
[[nodiscard]] Result<T> affine(Index rows, const Operands<T>& operands, Start start, Addend addend,
                               Index at_a_time = 0, bool parts = false, Index groups = 1) {
  const PackedWeights<K, T> weights(operands, groups);
  Source<T> old(Numbers::whole, 9);
  const bool goes_on = start == Start::itself;
  StartRows<K, T> starts(rows, operands, groups, goes_on ? Start::rows : start);
  Sums<K, T> other(rows, operands.columns, groups, Order::backwards);
  Sums<K, T> out(rows, operands.columns, groups);
  for (Index r = 0; r < rows; ++r) {
    for (Index c = 0; c < operands.columns; ++c) {
      out(r, c) = other(r, c) = old();
      if (goes_on) out(r, c) = operands.start(Start::rows, r, c);
    }
  }
  in_calls(rows, at_a_time, [&](Index first, Index count) {
    const std::vector<kernels::Term<T>> terms = operands.terms(first);
    in_parts(kernels::as_const(weights.packed), parts, [&](const kernels::Packed<const T>& part) {
      K::affine(count, std::span<const kernels::Term<T>>(terms), part,
                goes_on ? out.rows(first) : starts.rows(first),
                addend == Addend::none ? kernels::Rows<const T>{}
                                       : (addend == Addend::itself ? out : other).rows(first),
                out.rows(first));
    });
  });
  return {out.values(), out.is_intact() && weights.is_intact};
}

/// K::lstm_step on `rows` cells of `hidden` units: c, h and gates one after the other.
template <class K, class T>
[[nodiscard]] Result<T> lstm_step(Index rows, Index hidden, const Operands<T>& operands,
                                  Start start, Index at_a_time = 0, bool parts = false) {
  const PackedWeights<K, T> weights(operands, kernels::gate_count);
  Source<T> source(Numbers::real, 8);
  const GuardedMatrix<T> c_prev(rows, hidden, source, Order::backwards);
  StartRows<K, T> starts(rows, operands, kernels::gate_count, start);
  GuardedMatrix<T> c(rows, hidden), h(rows, hidden, Order::backwards), gates(rows, 4 * hidden);
  in_calls(rows, at_a_time, [&](Index first, Index count) {
    const std::vector<kernels::Term<T>> terms = operands.terms(first);
    in_parts(kernels::as_const(weights.packed), parts, [&](const kernels::Packed<const T>& part) {
      K::lstm_step(count, std::span<const kernels::Term<T>>(terms), part, starts.rows(first),
                   kernels::LstmStep<T>{.c_prev = c_prev.rows(first),
                                        .c = c.rows(first),
                                        .h = h.rows(first),
                                        .gates = gates.rows(first)});
    });
  });
  Result<T> result{c.values(), c.is_intact() && h.is_intact() && gates.is_intact()};
  for (const std::vector<T>& more : {h.values(), gates.values()}) {
    result.values.insert(result.values.end(), more.begin(), more.end());
  }
  return result;
}

/// K::lstm_step_backward: dc_prev and the gates' gradients one after the other.
template <class K, class T>
[[nodiscard]] Result<T> lstm_step_backward(Index rows, Index hidden, bool in_place,
                                           Index at_a_time = 0) {
  Source<T> source(Numbers::real, 7);
  const GuardedMatrix<T> c_prev(rows, hidden, source), c(rows, hidden, source, Order::backwards);
  const GuardedMatrix<T> dh(rows, hidden, source);
  GuardedMatrix<T> dc(rows, hidden, source), dc_prev(rows, hidden);
  GuardedMatrix<T> gates(rows, 4 * hidden, source, Order::backwards);
  for (Index m = 0; m < rows; ++m) {  // o, f, i come from a logistic
    for (Index k = 0; k < 3 * hidden; ++k) gates(m, k) = (gates(m, k) + T{1}) / T{2};
  }
  GuardedMatrix<T>& to = in_place ? dc : dc_prev;
  in_calls(rows, at_a_time, [&](Index first, Index count) {
    K::lstm_step_backward(count, hidden,
                          kernels::LstmStepBackward<T>{.c_prev = c_prev.rows(first),
                                                       .c = c.rows(first),
                                                       .dh = dh.rows(first),
                                                       .dc = dc.rows(first),
                                                       .dc_prev = to.rows(first),
                                                       .gates = gates.rows(first)});
  });
  Result<T> result{to.values(), to.is_intact() && gates.is_intact()};
  const std::vector<T> more = gates.values();
  result.values.insert(result.values.end(), more.begin(), more.end());
  return result;
}

/// Rows in blocks, `rows` of them in the first and one less in each that follows; neighbouring rows
/// overlap by a value.
template <class T>
struct OverlappingRows {
  OverlappingRows(Index blocks_, Index rows_, Index columns, Source<T>& source)
      : blocks(blocks_), rows(rows_), shape{columns, std::max<Index>(1, columns - 1)} {
    memory = source(blocks * block_stride() + columns + 1);
  }
  [[nodiscard]] Index block_stride() const { return rows * shape.stride + 2; }
  [[nodiscard]] Index rows_of(Index block) const { return std::max<Index>(0, rows - block); }
  [[nodiscard]] const T* block(Index b) const { return memory.data() + 1 + b * block_stride(); }
  [[nodiscard]] T operator()(Index b, Index row, Index column) const {
    return block(b)[row * shape.stride + column];
  }
  Index blocks, rows;
  kernels::RowShape shape;
  std::vector<T> memory;
};

/// K::add_outer_products of blocks of rows of m and of n columns.
template <class K, class T>
[[nodiscard]] Result<T> add_outer_products(Index blocks, Index rows, Index m, Index n,
                                           Numbers numbers) {
  Source<T> source(numbers, 6);
  const OverlappingRows<T> a(blocks, rows, m, source), b(blocks, rows, n, source);
  std::vector<kernels::RowPairs<T>> pairs;
  for (Index i = 0; i < blocks; ++i) pairs.push_back({a.block(i), b.block(i), a.rows_of(i)});
  GuardedMatrix<T> out(m, n, source);
  K::add_outer_products(std::span<const kernels::RowPairs<T>>(pairs), a.shape, b.shape, out.rows());
  return {out.values(), out.is_intact()};
}

/// K::add_column_sums.
template <class K, class T>
[[nodiscard]] Result<T> add_column_sums(Index rows, Index columns, Numbers numbers) {
  Source<T> source(numbers, 5);
  const GuardedMatrix<T> in(rows, columns, source, Order::backwards);
  GuardedMatrix<T> out(1, columns, source);
  K::add_column_sums(rows, columns, in.rows(), out.rows().data);
  return {out.values(), out.is_intact()};
}

/// K::relu, K::relu_backward with both stores, and K::add, one after the other.
template <class K, class T>
[[nodiscard]] Result<T> pointwise(Index count) {
  Source<T> source(Numbers::whole, 4);  // every ninth number is 0, where relu has its kink
  const GuardedMatrix<T> x(1, count, source), dy(1, count, source);
  GuardedMatrix<T> y(1, count), dx(1, count), dx_added(1, count, source), sum(1, count, source);
  K::relu(count, x.rows().data, y.rows().data);
  K::relu_backward(count, x.rows().data, dy.rows().data, dx.rows().data, kernels::Store::Overwrite);
  K::relu_backward(count, x.rows().data, dy.rows().data, dx_added.rows().data, kernels::Store::Add);
  K::add(count, x.rows().data, sum.rows().data);
  Result<T> result{y.values(),
                   y.is_intact() && dx.is_intact() && dx_added.is_intact() && sum.is_intact()};
  for (const std::vector<T>& more : {dx.values(), dx_added.values(), sum.values()}) {
    result.values.insert(result.values.end(), more.begin(), more.end());
  }
  return result;
}

/// K::move_rows with both stores, one after the other.
template <class K, class T>
[[nodiscard]] Result<T> move_rows(Index rows, Index columns) {
  Source<T> source(Numbers::whole, 3);
  const GuardedMatrix<T> from(rows, columns, source, Order::backwards);
  GuardedMatrix<T> to(rows, columns), sum(rows, columns, source, Order::backwards);
  K::move_rows(rows, columns, from.rows(), to.rows(), kernels::Store::Overwrite);
  K::move_rows(rows, columns, from.rows(), sum.rows(), kernels::Store::Add);
  Result<T> result{to.values(), to.is_intact() && sum.is_intact()};
  const std::vector<T> more = sum.values();
  result.values.insert(result.values.end(), more.begin(), more.end());
  return result;
}

/// Where two results first differ by more than absolute + relative · |b|; empty if nowhere, and
/// always something if one of them wrote where it must not.
template <class A, class B>
[[nodiscard]] std::string difference(const Result<A>& a, const Result<B>& b, double absolute,
                                     double relative = 0) {
  if (!a.is_intact || !b.is_intact) return "guard values are gone";
  std::ostringstream out;
  if (a.values.size() != b.values.size()) return "another number of values";
  for (std::size_t i = 0; i < a.values.size(); ++i) {
    const double x = static_cast<double>(a.values[i]), y = static_cast<double>(b.values[i]);
    if (std::abs(x - y) <= absolute + relative * std::abs(y)) continue;
    out << "value " << i << ": " << x << " and " << y;
    return out.str();
  }
  return {};
}
template <class T>
[[nodiscard]] std::string bit_difference(const Result<T>& a, const Result<T>& b) {
  return difference(a, b, 0);
}

}  // namespace pixelrnn::test
