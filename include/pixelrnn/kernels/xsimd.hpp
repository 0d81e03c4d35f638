// SPDX-License-Identifier: MIT
// Xsimd kernels: register tiles on packed weights, LSTM cells finished in registers.
#pragma once

#include <pixelrnn/core/tuning.hpp>
#include <pixelrnn/kernels/gates.hpp>
#include <pixelrnn/kernels/kernels.hpp>
#include <pixelrnn/kernels/outer_products.hpp>
#include <pixelrnn/kernels/tile.hpp>

namespace pixelrnn::inline PIXELRNN_ABI::kernels {

/// The default policy. Packed weights are panels: for each panel of 4, 2 or 1 vectors of columns
/// all rows of the matrix one after the other, so that a tile reads its weights front to back. The
/// four gates of an LSTM are interleaved: one panel holds o, f, i, g of the same `lanes` hidden
/// units, so a tile ends with all it needs to finish those cells without going through memory.
///
/// Each sum runs over its terms in an order that the shape of the weights fixes and is rounded once
/// an addition, whatever the tile: the bits of a row do not depend on the rows beside it, nor,
/// where there are fused multiply-adds, on the instruction set.
struct Xsimd {
  static constexpr std::string_view name = "Xsimd";

  template <class T>
  [[nodiscard]] static constexpr Index packed_size(Index rows, Index units, Index groups) {
    return rows * groups * (groups == 1 ? detail::padded<T>(units) : whole_vectors<T>(units));
  }

  template <class T>
  PIXELRNN_COMPILED_ONCE static void pack(Packed<T> to, Index first_row, Strided<T> from) noexcept {
    constexpr Index width = simd::lanes<T>;
    if (to.groups == gate_count) {
      for (Index unit = 0; unit < to.units; unit += width) {
        T* panel = to.data + (unit * to.rows + first_row * width) * gate_count;
        for (Index r = 0; r < from.rows; ++r) {
          for (Index gate = 0; gate < gate_count; ++gate, panel += width) {
            pack_row(from, r, gate * to.units + unit, std::min(width, to.units - unit), width,
                     panel);
          }
        }
      }
      return;
    }
    const Index two = two_chains_from(to);
    detail::for_each_panel<T>(0, to.units, two, [&]<int V, int C>(Index column) {
      T* panel = to.data + column * to.rows + first_row * V * width;
      for (Index r = 0; r < from.rows; ++r, panel += V * width) {
        pack_row(from, r, column, std::min(V * width, to.units - column), V * width, panel);
      }
    });
  }

  template <class T>
  static void affine(Index rows, std::span<const Term<T>> terms, const Packed<const T>& weights,
                     Rows<const T> start, Rows<const T> addend, Rows<T> out) noexcept {
    if (weights.groups == gate_count) {  // in this order, plain panels of four vectors, one chain
      const Index columns = packed_size<T>(1, weights.units, gate_count);
      const Packed<const T> plain{weights.data,
                                  weights.rows,
                                  columns,
                                  1,
                                  weights.first * gate_count,
                                  packed_size<T>(1, weights.last, gate_count),
                                  true};
      return add_panels(rows, terms, plain, columns, start, addend, out);
    }
    add_panels(rows, terms, weights, two_chains_from(weights), start, addend, out);
  }

  template <class T>
  static void lstm_step(Index rows, std::span<const Term<T>> terms, const Packed<const T>& weights,
                        Rows<const T> start, const LstmStep<T>& step) noexcept {
    constexpr Index width = simd::lanes<T>, line = gate_count * width;
    alignas(64) T z[static_cast<std::size_t>(detail::stretch_rows * line)];
    const T* const fetched_until = end_to_fetch(rows, weights, gate_count);
    for (Index unit = weights.first; unit < weights.last; unit += width) {
      const T* const panel = weights.data + unit * weights.rows * gate_count;
      const Index count = std::min(width, weights.units - unit);
      for (Index first = 0; first < rows; first += detail::stretch_rows) {
        const Index stretch = std::min(detail::stretch_rows, rows - first);
        detail::multiply<gate_count, 1>(
            first, stretch, terms, panel,
            detail::Sums<T>{.start = start.from(first, unit * gate_count), .out = {z, line}},
            fetched_until);
        detail::prepare_gates(stretch, z);
        if (count == width) {
          finish_cells<true>(z, first, stretch, weights.units, unit, width, step);
        } else {
          finish_cells<false>(z, first, stretch, weights.units, unit, count, step);
        }
      }
    }
  }

  template <class T>
  static void lstm_step_backward(Index rows, Index hidden, const LstmStepBackward<T>& s) noexcept {
    constexpr Index width = simd::lanes<T>;
    for (Index m = 0; m < rows; ++m) {
      Index k = 0;
      for (; k + width <= hidden; k += width) reverse_cells<true>(m, k, hidden, width, s);
      if (k < hidden) reverse_cells<false>(m, k, hidden, hidden - k, s);
    }
  }

  template <class T>
  static void add_outer_products(std::span<const RowPairs<T>> pairs, RowShape a, RowShape b,
                                 Rows<T> out) noexcept {
    detail::add_outer_products(pairs, a, b, out, detail::reads_in_place<T>(b.columns));
  }

  template <class T>
  static void add_column_sums(Index rows, Index columns, Rows<const T> in, T* out) noexcept {
    constexpr Index width = simd::lanes<T>;
    for (Index n = 0; n < columns; n += width) {
      const Index count = columns - n;
      simd::Batch<T> sum(T{0});
      for (Index r = 0; r < rows; ++r) sum = sum + simd::load_up_to(in[r] + n, count);
      simd::store_up_to(out + n, simd::load_up_to(out + n, count) + sum, count);
    }
  }

  template <class T>
  static void relu(Index count, const T* x, T* y) noexcept {
    simd::transform(count, x, y, [](simd::Batch<T> v) { return simd::relu(v); });
  }
  template <class T>
  static void relu_backward(Index count, const T* x, const T* dy, T* dx, Store store) noexcept {
    using B = simd::Batch<T>;
    const B zero(T{0});
    if (store == Store::Overwrite) {
      simd::transform(count, x, dy, dx,
                      [zero](B v, B d) { return simd::select(v > zero, d, zero); });
      return;
    }
    for (Index i = 0; i < count; i += simd::lanes<T>) {
      const Index rest = count - i;
      const B d =
          simd::select(simd::load_up_to(x + i, rest) > zero, simd::load_up_to(dy + i, rest), zero);
      simd::store_up_to(dx + i, simd::load_up_to(dx + i, rest) + d, rest);
    }
  }
  template <class T>
  static void add(Index count, const T* x, T* y) noexcept {
    simd::transform(count, x, y, y, [](simd::Batch<T> a, simd::Batch<T> b) { return b + a; });
  }
  /// out = a + scale · b; out may be a or b.
  template <class T>
  static void add_scaled(Index rows, Index columns, std::type_identity_t<Rows<const T>> a, T scale,
                         std::type_identity_t<Rows<const T>> b, Rows<T> out) noexcept {
    const simd::Batch<T> factor(scale);
    for (Index r = 0; r < rows; ++r) {
      simd::transform(columns, a[r], b[r], out[r], [factor](simd::Batch<T> x, simd::Batch<T> y) {
        return simd::fma(factor, y, x);
      });
    }
  }
  /// See PairingKernels.
  [[nodiscard]] static constexpr bool pairs_pay(Index in, Index out) {
    return std::min(in, out) >= tuning::pairs_channels && in * out >= tuning::pairs_weights;
  }
  template <class T>
  static void move_rows(Index rows, Index columns, Rows<const T> from, Rows<T> to,
                        Store store) noexcept {
    constexpr Index width = simd::lanes<T>;
    const Index whole = columns / width * width;
    for (Index r = 0; r < rows; ++r) {
      const T* const x = from[r];
      T* const y = to[r];
      if (store == Store::Add) {
        for (Index c = 0; c < whole; c += width) {
          simd::store(y + c, simd::load(y + c) + simd::load(x + c));
        }
        for (Index c = whole; c < columns; ++c) y[c] += x[c];
      } else {
        for (Index c = 0; c < whole; c += width) simd::store(y + c, simd::load(x + c));
        for (Index c = whole; c < columns; ++c) y[c] = x[c];
      }
    }
  }

 private:
  template <class T>
  [[nodiscard]] static constexpr Index two_chains_from(const Packed<T>& plain) {
    return plain.one_chain ? plain.units : detail::two_chains_from(plain.units);
  }
  template <class T>
  [[nodiscard]] static constexpr Index whole_vectors(Index count) {
    return (count + simd::lanes<T> - 1) / simd::lanes<T> * simd::lanes<T>;
  }

  /// affine() of a plain matrix whose columns keep two chains from `two` on.
  template <class T>
  static void add_panels(Index rows, std::span<const Term<T>> terms, const Packed<const T>& weights,
                         Index two, Rows<const T> start, Rows<const T> addend,
                         Rows<T> out) noexcept {
    // In blocks of rows that stay in the second-level cache while every panel meets them.
    const Index block =
        rows <= detail::stretch_rows
            ? rows
            : std::max(detail::stretch_rows, detail::cached_values / (weights.rows + 1));
    const T* const fetched_until = end_to_fetch(rows, weights, 1);
    for (Index begin = 0; begin < rows; begin += block) {
      const Index end = std::min(rows, begin + block);
      detail::for_each_panel<T>(weights.first, weights.last, two, [&]<int V, int C>(Index column) {
        constexpr Index width = V * simd::lanes<T>;
        const T* const panel = weights.data + column * weights.rows;
        const bool aside =
            weights.units - column < width ||
            (addend.data == out.data && !detail::is_one_part<T, V, C>(terms, weights.rows));
        const auto sums = [=](Index first) {
          return detail::Sums<T>{.start = start.from(first, column),
                                 .addend = addend.from(first, column),
                                 .out = out.from(first, column)};
        };
        if (!aside) {
          detail::multiply<V, C>(begin, end - begin, terms, panel, sums(begin), fetched_until);
          return;
        }
        for (Index first = begin; first < end; first += detail::stretch_rows) {
          affine_aside<V, C>(first, std::min(detail::stretch_rows, end - first), terms, panel,
                             std::min(width, weights.units - column), sums(first));
        }
      });
    }
  }

  /// How far the weights of a product should be fetched ahead of the tiles (see multiply()); null:
  /// not at all. Those of one tile the processor itself fetches as fast.
  template <class T>
  [[nodiscard]] static const T* end_to_fetch(Index rows, const Packed<const T>& weights,
                                             Index groups) noexcept {
    const Index bytes = weights.rows * weights.units * groups * Index{sizeof(T)};
    const Index least =
        rows <= detail::stretch_rows ? tuning::fetch_bytes_few_rows : tuning::fetch_bytes;
    const bool pays = rows > detail::max_tile_rows<4, 1> && bytes >= least;
    return pays ? weights.data + weights.last * weights.rows * groups : nullptr;
  }

  /// multiply() for a panel of which only `columns` columns exist, or whose addend would be
  /// overwritten too early: through memory of its own.
  template <int V, int C, class T>
  static void affine_aside(Index first, Index rows, std::span<const Term<T>> terms, const T* panel,
                           Index columns, const detail::Sums<T>& sums) noexcept {
    constexpr Index line = V * simd::lanes<T>;
    alignas(64) T room[static_cast<std::size_t>(detail::stretch_rows * line)];
    alignas(64) T bias[static_cast<std::size_t>(line)];
    const bool is_bias = sums.start.stride == 0;
    T* const begin = is_bias ? bias : room;
    for (Index m = 0; m < (is_bias ? 1 : rows) && sums.start; ++m) {
      T* const to = begin + m * line;
      std::fill(std::copy_n(sums.start[m], columns, to), to + line, T{0});
    }
    detail::multiply<V, C>(
        first, rows, terms, panel,
        detail::Sums<T>{.start = {sums.start ? begin : nullptr, is_bias ? 0 : line},
                        .out = {room, line}});
    put_sums(rows, columns, Rows<const T>{room, line}, sums.addend, sums.out);
  }
  /// out = addend, which may be null or out, + sums.
  template <class T>
  static void put_sums(Index rows, Index columns, Rows<const T> sums, Rows<const T> addend,
                       Rows<T> out) noexcept {
    if (addend && addend.data != out.data) {
      move_rows(rows, columns, addend, out, Store::Overwrite);
    }
    move_rows(rows, columns, sums, out, addend ? Store::Add : Store::Overwrite);
  }

  /// From lines of prepared gates to gates, cell states and outputs of `rows` cells from `first`
  /// on; `count` units from `unit` on of each exist.
  template <bool Whole, class T>
  static void finish_cells(const T* z, Index first, Index rows, Index hidden, Index unit,
                           Index count, const LstmStep<T>& step) noexcept {
    using B = simd::Batch<T>;
    const auto get = [=](const T* from) PIXELRNN_INLINE_LAMBDA {
      return Whole ? simd::load(from) : simd::load_first(from, count);
    };
    const auto put = [=](T* to, B x) PIXELRNN_INLINE_LAMBDA {
      if constexpr (Whole) {
        simd::store(to, x);
      } else {
        simd::store_first(to, x, count);
      }
    };
    for (Index m = first; m < first + rows; ++m, z += gate_count * simd::lanes<T>) {
      const detail::Gates<T> gate = detail::gates_of(z);
      T* const gates = step.gates[m] + unit;
      put(gates + gate_o * hidden, gate.o);
      put(gates + gate_f * hidden, gate.f);
      put(gates + gate_i * hidden, gate.i);
      put(gates + gate_g * hidden, gate.g);
      put(step.c[m] + unit, simd::fma(gate.f, get(step.c_prev[m] + unit), gate.i * gate.g));
    }
    for (Index m = first; m < first + rows; ++m) {  // apart, as in gates.hpp
      put(step.h[m] + unit,
          get(step.gates[m] + unit + gate_o * hidden) * simd::tanh(get(step.c[m] + unit)));
    }
  }

  /// One row of a panel: `count` columns from `column` on, zeros up to `width`.
  template <class T>
  static void pack_row(const Strided<T>& from, Index row, Index column, Index count, Index width,
                       T* to) noexcept {
    for (Index c = 0; c < count; ++c) to[c] = from(row, column + c);
    for (Index c = count; c < width; ++c) to[c] = T{0};
  }

  /// `count` units from k on of cell m, backwards: see Reference::lstm_step_backward.
  template <bool Whole, class T>
  PIXELRNN_ALWAYS_INLINE static void reverse_cells(Index m, Index k, Index hidden, Index count,
                                                   const LstmStepBackward<T>& s) noexcept {
    using B = simd::Batch<T>;
    const auto get = [=](const T* from) PIXELRNN_INLINE_LAMBDA {
      return Whole ? simd::load(from) : simd::load_first(from, count);
    };
    const auto put = [=](T* to, B x) PIXELRNN_INLINE_LAMBDA {
      if constexpr (Whole) {
        simd::store(to, x);
      } else {
        simd::store_first(to, x, count);
      }
    };
    const B one(T{1});
    T* const gates = s.gates[m] + k;
    const B o = get(gates + gate_o * hidden), f = get(gates + gate_f * hidden);
    const B i = get(gates + gate_i * hidden), g = get(gates + gate_g * hidden);
    const B tanh_c = simd::tanh(get(s.c[m] + k));
    const B dh = get(s.dh[m] + k);
    const B dc = get(s.dc[m] + k) + dh * o * (one - tanh_c * tanh_c);
    const B c_prev = get(s.c_prev[m] + k);
    put(s.dc_prev[m] + k, dc * f);
    put(gates + gate_o * hidden, dh * tanh_c * o * (one - o));
    put(gates + gate_f * hidden, dc * c_prev * f * (one - f));
    put(gates + gate_i * hidden, dc * g * i * (one - i));
    put(gates + gate_g * hidden, dc * i * (one - g * g));
  }
};

static_assert(PairingKernels<Xsimd, float> && PairingKernels<Xsimd, double>);
static_assert(unit_grain % (4 * simd::lanes<float>) == 0 && gate_grain % simd::lanes<float> == 0,
              "parts of packed weights must be whole panels (lanes of double are fewer)");

}  // namespace pixelrnn::inline PIXELRNN_ABI::kernels
