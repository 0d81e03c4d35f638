// SPDX-License-Identifier: MIT
// Xsimd kernels: register tiles on packed weights, LSTM cells finished in registers.
#pragma once

#include <pixelrnn/kernels/gates.hpp>
#include <pixelrnn/kernels/kernels.hpp>
#include <pixelrnn/kernels/tile.hpp>

namespace pixelrnn::inline PIXELRNN_ABI::kernels {

/// The default policy. Packed weights are panels: for each panel of 4, 2 or 1 vectors of columns
/// all rows of the matrix one after the other, so that a tile reads its weights front to back. The
/// four gates of an LSTM are interleaved: one panel holds o, f, i, g of the same `lanes` hidden
/// units, so a tile ends with all it needs to finish those cells without going through memory.
///
/// Each sum runs over its terms in order and is rounded once an addition, whatever the tile: the
/// bits of a row do not depend on the rows beside it.
struct Xsimd {
  static constexpr std::string_view name = "Xsimd";

  template <class T>
  [[nodiscard]] static constexpr Index packed_size(Index rows, Index units, Index groups) {
    return rows * groups * detail::padded<T>(units);
  }

  template <class T>
  static void pack(Packed<T> to, Index first_row, Strided<T> from) noexcept {
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
    detail::for_each_panel<T>(to.units, [&]<int V>(Index column) {
      T* panel = to.data + column * to.rows + first_row * V * width;
      for (Index r = 0; r < from.rows; ++r, panel += V * width) {
        pack_row(from, r, column, std::min(V * width, to.units - column), V * width, panel);
      }
    });
  }

  template <class T>
  static void affine(Index rows, std::span<const Term<T>> terms, Packed<const T> weights,
                     const T* bias, Rows<T> out, Store store) noexcept {
    detail::for_each_panel<T>(weights.units, [&]<int V>(Index column) {
      const T* panel = weights.data + column * weights.rows;
      const Index columns = weights.units - column;
      detail::multiply<V>(rows, terms, panel, weights.rows,
                          [&]<int R>(Index first, const detail::Tile<T, R, V>& tile) {
                            finish_affine(tile, columns, bias != nullptr ? bias + column : nullptr,
                                          Rows<T>{out[first] + column, out.stride}, store);
                          });
    });
  }

  template <class T>
  static void lstm_step(Index rows, std::span<const Term<T>> terms, Packed<const T> weights,
                        const T* bias, const LstmStep<T>& step) noexcept {
    constexpr Index width = simd::lanes<T>;
    const Index hidden = weights.units;
    for (Index unit = 0; unit < hidden; unit += width) {
      const T* panel = weights.data + unit * weights.rows * gate_count;
      const Index count = hidden - unit;
      simd::Batch<T> shift[gate_count];
      for (Index gate = 0; gate < gate_count; ++gate) {
        shift[gate] = bias != nullptr ? simd::load_up_to(bias + gate * hidden + unit, count)
                                      : simd::Batch<T>(T{0});
      }
      detail::multiply<gate_count>(
          rows, terms, panel, weights.rows,
          [&]<int R>(Index first, detail::Tile<T, R, gate_count>& tile) {
            detail::unrolled<R * gate_count>([&](auto i) PIXELRNN_INLINE_LAMBDA {
              auto& sum = tile.sum[i / gate_count][i % gate_count];
              sum = sum + shift[i % gate_count];
            });
            if (count >= width) {
              finish_cells<true>(tile, first, hidden, unit, width, step);
            } else {
              finish_cells<false>(tile, first, hidden, unit, count, step);
            }
          });
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
  static void add_outer_products(Index blocks, Index rows, BlockedRows<T> a, BlockedRows<T> b,
                                 Rows<T> out) noexcept {
    // In parts whose rows of b stay in the first-level cache for all columns of a.
    const Index part = detail::cached_rows<T, 4>;
    if (blocks > 1) {
      const Index few = std::max<Index>(1, part / std::max<Index>(rows, 1));
      for (Index block = 0; block < blocks; block += few) {
        add_part(std::min(few, blocks - block), rows, a, b, out);
        a.data += few * a.block_stride, b.data += few * b.block_stride;
      }
    } else {
      for (Index row = 0; row < rows; row += part) {
        add_part(blocks, std::min(part, rows - row), a, b, out);
        a.data += part * a.stride, b.data += part * b.stride;
      }
    }
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

 private:
  /// Bias, addition and store of a tile at `out`; `columns` of it exist.
  template <int R, int V, class T>
  PIXELRNN_ALWAYS_INLINE static void finish_affine(const detail::Tile<T, R, V>& tile, Index columns,
                                                   const T* bias, Rows<T> out,
                                                   Store store) noexcept {
    constexpr Index width = simd::lanes<T>;
    const auto finish = [&](auto load, auto write) PIXELRNN_INLINE_LAMBDA {
      detail::unrolled<V>([&](auto v) PIXELRNN_INLINE_LAMBDA {
        const simd::Batch<T> shift =
            bias != nullptr ? load(bias + v * width, v) : simd::Batch<T>(T{0});
        detail::unrolled<R>([&](auto r) PIXELRNN_INLINE_LAMBDA {
          T* const to = out[r] + v * width;
          const simd::Batch<T> sum = tile.sum[r][v] + shift;
          write(to, store == Store::Add ? load(to, v) + sum : sum, v);
        });
      });
    };
    if (columns >= V * width) {
      finish([](const T* from, auto) PIXELRNN_INLINE_LAMBDA { return simd::load(from); },
             [](T* to, simd::Batch<T> x, auto) PIXELRNN_INLINE_LAMBDA { simd::store(to, x); });
    } else {
      finish(
          [&](const T* from, auto v) { return simd::load_up_to(from, columns - v * width); },
          [&](T* to, simd::Batch<T> x, auto v) { simd::store_up_to(to, x, columns - v * width); });
    }
  }

  /// From a tile of pre-activations to gates, cell states and outputs; `count` units of it exist.
  template <bool Whole, int R, class T>
  PIXELRNN_ALWAYS_INLINE static void finish_cells(const detail::Tile<T, R, gate_count>& tile,
                                                  Index first, Index hidden, Index unit,
                                                  Index count, const LstmStep<T>& step) noexcept {
    const auto put = [=](T* to, simd::Batch<T> x) PIXELRNN_INLINE_LAMBDA {
      if constexpr (Whole) {
        simd::store(to, x);
      } else {
        simd::store_first(to, x, count);
      }
    };
    detail::unrolled<R>([&](auto r) PIXELRNN_INLINE_LAMBDA {
      const Index m = first + r;
      const T* const from = step.c_prev[m] + unit;
      const detail::Gates<T> gate = detail::activate(tile.sum[r][gate_o], tile.sum[r][gate_f],
                                                     tile.sum[r][gate_i], tile.sum[r][gate_g]);
      const simd::Batch<T> c = simd::fma(
          gate.f, Whole ? simd::load(from) : simd::load_first(from, count), gate.i * gate.g);
      T* const gates = step.gates[m] + unit;
      put(step.c[m] + unit, c);
      put(step.h[m] + unit, gate.o * simd::tanh(c));
      put(gates + gate_o * hidden, gate.o);
      put(gates + gate_f * hidden, gate.f);
      put(gates + gate_i * hidden, gate.i);
      put(gates + gate_g * hidden, gate.g);
    });
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

  template <class T>
  static void add_part(Index blocks, Index rows, BlockedRows<T> a, BlockedRows<T> b,
                       Rows<T> out) noexcept {
    constexpr Index width = simd::lanes<T>;
    const Index whole = b.columns / width * width;
    detail::for_each_panel<T>(whole, [&]<int V>(Index column) {
      detail::for_each_tile<V>(a.columns, [&]<int R>(Index first) {
        const detail::Tile<T, R, V> tile = outer<R, V>(blocks, rows, a, first, b, column);
        detail::unrolled<R * V>([&](auto i) PIXELRNN_INLINE_LAMBDA {
          T* const to = out[first + i / V] + column + i % V * width;
          simd::store(to, simd::load(to) + tile.sum[i / V][i % V]);
        });
      });
    });
    if (whole == b.columns) return;
    // The last few columns: the same tile with the operands' roles swapped, stored transposed.
    const Index rest = b.columns - whole;
    const Index whole_rows = a.columns / width * width;
    for (Index row = 0; row < whole_rows; row += width) {
      for (Index column = 0; column < rest; ++column) {
        const detail::Tile<T, 1, 1> tile = outer<1, 1>(blocks, rows, b, whole + column, a, row);
        alignas(64) T sums[static_cast<std::size_t>(width)];
        tile.save(sums);
        for (Index lane = 0; lane < width; ++lane) out[row + lane][whole + column] += sums[lane];
      }
    }
    // And the corner that neither operand fills with whole vectors.
    a.data += whole_rows, a.columns -= whole_rows;
    b.data += whole, b.columns = rest;
    for (Index m = 0; m < a.columns; ++m) {
      for (Index n = 0; n < rest; ++n) {
        T sum{0};
        for (Index block = 0; block < blocks; ++block) {
          const T* x = a.data + block * a.block_stride + m;
          const T* y = b.data + block * b.block_stride + n;
          for (Index r = 0; r < rows; ++r) sum += x[r * a.stride] * y[r * b.stride];
        }
        out[whole_rows + m][whole + n] += sum;
      }
    }
  }

  /// R columns of a times V vectors of columns of b, summed over all rows.
  template <int R, int V, class T>
  [[nodiscard]] PIXELRNN_ALWAYS_INLINE static detail::Tile<T, R, V> outer(Index blocks, Index rows,
                                                                          const BlockedRows<T>& a,
                                                                          Index a_column,
                                                                          const BlockedRows<T>& b,
                                                                          Index b_column) noexcept {
    detail::Tile<T, R, V> tile;
    for (Index block = 0; block < blocks; ++block) {
      tile.accumulate(a.data + block * a.block_stride + a_column, 1, a.stride,
                      b.data + block * b.block_stride + b_column, b.stride, rows);
    }
    return tile;
  }
};

static_assert(Kernels<Xsimd, float> && Kernels<Xsimd, double>);

}  // namespace pixelrnn::inline PIXELRNN_ABI::kernels
