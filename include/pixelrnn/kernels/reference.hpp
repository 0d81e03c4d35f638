// SPDX-License-Identifier: MIT
// Reference kernels: plain loops straight from the equations; the oracle of every other policy.
#pragma once

#include <algorithm>
#include <cmath>

#include <pixelrnn/kernels/kernels.hpp>

namespace pixelrnn::inline PIXELRNN_ABI::kernels {

struct Reference {
  static constexpr std::string_view name = "Reference";

  /// Scalars that a packed (rows × groups·units) matrix needs. Here: plain row-major.
  template <class T>
  [[nodiscard]] static constexpr Index packed_size(Index rows, Index units, Index groups) noexcept {
    return rows * units * groups;
  }

  /// Writes `from` to rows [first_row, first_row + from.rows) of `to`; columns must agree.
  template <class T>
  static void pack(Packed<T> to, Index first_row, Strided<T> from) noexcept {
    for (Index r = 0; r < from.rows; ++r) {
      for (Index c = 0; c < from.columns; ++c) {
        to.data[(first_row + r) * to.columns() + c] = from(r, c);
      }
    }
  }

  /// out[m] = addend[m] + (start[m] + Σ_terms term[m] · weights), for m in [0, rows). The terms'
  /// lengths add up to weights.rows. start and addend may be null; addend may be out and, without
  /// one, start may; a bias is a start of stride 0. Of a part only units [first, last) of each
  /// group are computed. With the gates of an LSTM start, addend and out are rows in the policy's
  /// order (Packed). Sums go on term by term: what some terms give, as the start of the others,
  /// ends in the bits of one call.
  template <class T>
  static void affine(Index rows, std::span<const Term<T>> terms, const Packed<const T>& weights,
                     Rows<const T> start, Rows<const T> addend, Rows<T> out) noexcept {
    for (Index m = 0; m < rows; ++m) {
      for (Index group = 0; group < weights.groups; ++group) {
        for (Index k = weights.first; k < weights.last; ++k) {
          const Index n = group * weights.units + k;
          const T sum = add_products(start ? start[m][n] : T{0}, terms, m, weights, n);
          out[m][n] = addend ? addend[m][n] + sum : sum;
        }
      }
    }
  }

  /// One LSTM step of `rows` independent cells (eq. 3 of the paper):
  ///   [o, f, i, g] = σ(start[m] + Σ_terms term[m]·weights),  σ: logistic for o, f, i; tanh for g;
  ///   c = f ⊙ c_prev + i ⊙ g;   h = o ⊙ tanh(c).
  /// Weights are packed with 4 groups of `hidden` units; of a part only units [first, last). The
  /// sums are affine()'s, and so is what may be their start.
  template <class T>
  static void lstm_step(Index rows, std::span<const Term<T>> terms, const Packed<const T>& weights,
                        Rows<const T> start, const LstmStep<T>& step) noexcept {
    const Index hidden = weights.units;
    const auto logistic = [](T z) { return T{1} / (T{1} + std::exp(-z)); };
    for (Index m = 0; m < rows; ++m) {
      for (Index k = weights.first; k < weights.last; ++k) {
        const auto z = [&](Gate gate) {
          const Index n = gate * hidden + k;
          return add_products(start ? start[m][n] : T{0}, terms, m, weights, n);
        };
        const T o = logistic(z(gate_o));
        const T f = logistic(z(gate_f));
        const T i = logistic(z(gate_i));
        const T g = std::tanh(z(gate_g));
        const T c = f * step.c_prev[m][k] + i * g;
        step.c[m][k] = c;
        step.h[m][k] = o * std::tanh(c);
        step.gates[m][gate_o * hidden + k] = o;
        step.gates[m][gate_f * hidden + k] = f;
        step.gates[m][gate_i * hidden + k] = i;
        step.gates[m][gate_g * hidden + k] = g;
      }
    }
  }

  /// The reverse of lstm_step by the chain rule: from dL/dh and dL/dc to the gradients of the
  /// pre-activations (written over the gates) and of c_prev.
  template <class T>
  static void lstm_step_backward(Index rows, Index hidden, const LstmStepBackward<T>& s) noexcept {
    for (Index m = 0; m < rows; ++m) {
      T* const gates = s.gates[m];
      for (Index k = 0; k < hidden; ++k) {
        T& o = gates[gate_o * hidden + k];
        T& f = gates[gate_f * hidden + k];
        T& i = gates[gate_i * hidden + k];
        T& g = gates[gate_g * hidden + k];
        const T tanh_c = std::tanh(s.c[m][k]);
        const T dh = s.dh[m][k];
        const T dc = s.dc[m][k] + dh * o * (1 - tanh_c * tanh_c);
        const T d_o = dh * tanh_c * o * (1 - o);
        const T d_f = dc * s.c_prev[m][k] * f * (1 - f);
        const T d_i = dc * g * i * (1 - i);
        const T d_g = dc * i * (1 - g * g);
        s.dc_prev[m][k] = dc * f;
        o = d_o, f = d_f, i = d_i, g = d_g;
      }
    }
  }

  /// out += Σ over pairs and their rows of a[row]ᵀ b[row]: the gradient of weights that map a to b;
  /// out is (a columns × b columns).
  template <class T>
  static void add_outer_products(std::span<const RowPairs<T>> pairs, RowShape a, RowShape b,
                                 Rows<T> out) noexcept {
    for (const RowPairs<T>& pair : pairs) {
      for (Index r = 0; r < pair.rows; ++r) {
        const T* x = pair.a + r * a.stride;
        const T* y = pair.b + r * b.stride;
        for (Index m = 0; m < a.columns; ++m) {
          for (Index n = 0; n < b.columns; ++n) out[m][n] += x[m] * y[n];
        }
      }
    }
  }

  /// out[n] += Σ_rows in[row][n]: the gradient of a bias.
  template <class T>
  static void add_column_sums(Index rows, Index columns, Rows<const T> in, T* out) noexcept {
    for (Index r = 0; r < rows; ++r) {
      for (Index n = 0; n < columns; ++n) out[n] += in[r][n];
    }
  }

  /// y = max(x, 0), NaN kept.
  template <class T>
  static void relu(Index count, const T* x, T* y) noexcept {
    for (Index i = 0; i < count; ++i) y[i] = x[i] < T{0} ? T{0} : x[i];
  }
  /// dx = dy where x > 0, else 0 (0 at the kink); overwrites or adds.
  template <class T>
  static void relu_backward(Index count, const T* x, const T* dy, T* dx, Store store) noexcept {
    for (Index i = 0; i < count; ++i) {
      const T d = x[i] > T{0} ? dy[i] : T{0};
      dx[i] = store == Store::Add ? dx[i] + d : d;
    }
  }
  /// y += x.
  template <class T>
  static void add(Index count, const T* x, T* y) noexcept {
    for (Index i = 0; i < count; ++i) y[i] += x[i];
  }
  /// to[r] = from[r], or to[r] += from[r]: between the cells of a diagonal and their pixels, say.
  template <class T>
  static void move_rows(Index rows, Index columns, Rows<const T> from, Rows<T> to,
                        Store store) noexcept {
    for (Index r = 0; r < rows; ++r) {
      for (Index c = 0; c < columns; ++c) {
        to[r][c] = store == Store::Add ? to[r][c] + from[r][c] : from[r][c];
      }
    }
  }

 private:
  /// sum + Σ_terms term[m] · column n of the weights.
  template <class T>
  static T add_products(T sum, std::span<const Term<T>> terms, Index m,
                        const Packed<const T>& weights, Index n) noexcept {
    Index row = 0;
    for (const Term<T>& term : terms) {
      for (Index k = 0; k < term.length; ++k, ++row) {
        sum += term.data[m * term.stride + k] * weights.data[row * weights.columns() + n];
      }
    }
    return sum;
  }
};

static_assert(Kernels<Reference, float> && Kernels<Reference, double>);

}  // namespace pixelrnn::inline PIXELRNN_ABI::kernels
