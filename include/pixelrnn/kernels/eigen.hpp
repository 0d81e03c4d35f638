// SPDX-License-Identifier: MIT
// Eigen kernels: the same functions as matrix expressions on Eigen::Map.
#pragma once

#include <pixelrnn/kernels/eigen_map.hpp>
#include <pixelrnn/kernels/kernels.hpp>

namespace pixelrnn::inline PIXELRNN_ABI::kernels {

/// Opt-in policy: Eigen's own symbols do not carry our ABI namespace, so a program that uses this
/// policy must be built with one -march throughout. May throw std::bad_alloc (Eigen's blocking).
/// Outside our parallel regions Eigen may start threads of its own for large products, whatever our
/// thread count says: Eigen::setNbThreads(1) or EIGEN_DONT_PARALLELIZE keep it to one.
struct Eigen {
  static constexpr std::string_view name = "Eigen";

  template <class T>
  [[nodiscard]] static constexpr Index packed_size(Index rows, Index units, Index groups) {
    return rows * units * groups;
  }

  template <class T>
  static void pack(Packed<T> to, Index first_row, Strided<T> from) {
    using General = ::Eigen::Stride<::Eigen::Dynamic, ::Eigen::Dynamic>;
    const ::Eigen::Map<const RowMajor<T>, 0, General> source(
        from.data, from.rows, from.columns, General(from.row_stride, from.column_stride));
    map_rows(to.data + first_row * to.columns(), from.rows, to.columns(), to.columns()) = source;
  }

  template <class T>
  static void affine(Index rows, std::span<const Term<T>> terms, const Packed<const T>& weights,
                     Rows<const T> start, Rows<const T> addend, Rows<T> out) {
    const Index count = weights.last - weights.first;
    if (count == weights.units) {
      return add_columns(rows, terms, weights, 0, weights.columns(), start, addend, out);
    }
    for (Index group = 0; group < weights.groups; ++group) {
      add_columns(rows, terms, weights, group * weights.units + weights.first, count, start, addend,
                  out);
    }
  }

  template <class T>
  static void lstm_step(Index rows, std::span<const Term<T>> terms, const Packed<const T>& weights,
                        Rows<const T> start, const LstmStep<T>& step) {
    const Index hidden = weights.units, first = weights.first, count = weights.last - first;
    affine(rows, terms, weights, start, Rows<const T>{}, step.gates);
    const auto units = [=](auto states, Index gate = 0) {
      return map_rows(states.data + gate * hidden + first, rows, count, states.stride).array();
    };
    auto o = units(step.gates, gate_o), f = units(step.gates, gate_f);
    auto i = units(step.gates, gate_i), g = units(step.gates, gate_g);
    for (auto* gate : {&o, &f, &i}) *gate = (T{1} + (-*gate).exp()).inverse();
    g = g.tanh();
    auto c = units(step.c);
    c = f * units(step.c_prev) + i * g;
    units(step.h) = o * c.tanh();
  }

  template <class T>
  static void lstm_step_backward(Index rows, Index hidden, const LstmStepBackward<T>& s) {
    // Row by row: the temporaries of a row are vectors that Eigen keeps as expressions.
    for (Index m = 0; m < rows; ++m) {
      const auto gate = [&](Gate g) {
        return ::Eigen::Map<::Eigen::Array<T, 1, ::Eigen::Dynamic>>(s.gates[m] + g * hidden,
                                                                    hidden);
      };
      auto o = gate(gate_o), f = gate(gate_f), i = gate(gate_i), g = gate(gate_g);
      const ::Eigen::Array<T, 1, ::Eigen::Dynamic> tanh_c = map_row(s.c[m], hidden).array().tanh();
      const auto dh = map_row(s.dh[m], hidden).array();
      const ::Eigen::Array<T, 1, ::Eigen::Dynamic> dc =
          map_row(s.dc[m], hidden).array() + dh * o * (T{1} - tanh_c.square());
      map_rows(s.dc_prev[m], 1, hidden, hidden).array() = dc * f;
      o = dh * tanh_c * o * (T{1} - o);
      f = dc * map_row(s.c_prev[m], hidden).array() * f * (T{1} - f);
      const ::Eigen::Array<T, 1, ::Eigen::Dynamic> d_i = dc * g * i * (T{1} - i);
      g = dc * i * (T{1} - g.square());
      i = d_i;
    }
  }

  template <class T>
  static void add_outer_products(std::span<const RowPairs<T>> pairs, RowShape a, RowShape b,
                                 Rows<T> out) {
    auto result = map_rows(out.data, a.columns, b.columns, out.stride);
    for (const RowPairs<T>& pair : pairs) {
      const auto x = map_rows(pair.a, pair.rows, a.columns, a.stride);
      const auto y = map_rows(pair.b, pair.rows, b.columns, b.stride);
      result.noalias() += x.transpose() * y;
    }
  }

  template <class T>
  static void add_column_sums(Index rows, Index columns, Rows<const T> in, T* out) {
    map_rows(out, 1, columns, columns) +=
        map_rows(in.data, rows, columns, in.stride).colwise().sum();
  }

  template <class T>
  static void relu(Index count, const T* x, T* y) {
    const auto in = map_row(x, count).array();
    map_rows(y, 1, count, count).array() = (in < T{0}).select(T{0}, in);
  }
  template <class T>
  static void relu_backward(Index count, const T* x, const T* dy, T* dx, Store store) {
    const auto d = (map_row(x, count).array() > T{0}).select(map_row(dy, count).array(), T{0});
    auto out = map_rows(dx, 1, count, count).array();
    if (store == Store::Add) {
      out += d;
    } else {
      out = d;
    }
  }
  template <class T>
  static void add(Index count, const T* x, T* y) {
    map_rows(y, 1, count, count) += map_row(x, count);
  }
  template <class T>
  static void move_rows(Index rows, Index columns, Rows<const T> from, Rows<T> to, Store store) {
    const auto in = map_rows(from.data, rows, columns, from.stride);
    auto out = map_rows(to.data, rows, columns, to.stride);
    if (store == Store::Add) {
      out += in;
    } else {
      out = in;
    }
  }

 private:
  /// affine() of columns [first, first + count).
  template <class T>
  static void add_columns(Index rows, std::span<const Term<T>> terms,
                          const Packed<const T>& weights, Index first, Index count,
                          Rows<const T> start, Rows<const T> addend, Rows<T> out) {
    auto result = map_rows(out.data + first, rows, count, out.stride);
    const bool goes_on = start && !addend && start.data == out.data;
    if (goes_on) {
      start = {};
    } else if (!addend) {
      result.setZero();
    } else if (addend.data != out.data) {
      result = map_rows(addend.data + first, rows, count, addend.stride);
    }
    if (start && start.stride == 0) {
      result.rowwise() += map_row(start.data + first, count);
    } else if (start) {
      result += map_rows(start.data + first, rows, count, start.stride);
    }
    const T* row = weights.data + first;
    for (const Term<T>& term : terms) {
      result.noalias() += map_rows(term.data, rows, term.length, term.stride) *
                          map_rows(row, term.length, count, weights.columns());
      row += term.length * weights.columns();
    }
  }
};

static_assert(Kernels<Eigen, float> && Kernels<Eigen, double>);

}  // namespace pixelrnn::inline PIXELRNN_ABI::kernels
