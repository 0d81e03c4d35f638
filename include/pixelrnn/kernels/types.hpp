// SPDX-License-Identifier: MIT
// What kernels are told: terms of an affine map, packed weights, cells of an LSTM step.
#pragma once

#include <span>

#include <pixelrnn/core/tensor.hpp>
#include <pixelrnn/core/workspace.hpp>

namespace pixelrnn::inline PIXELRNN_ABI::kernels {

/// One term of an affine map: `length` consecutive values of each input row, which multiply the
/// next `length` rows of the packed weights. Rows are `stride` apart and may overlap (the taps of a
/// convolution: neighbouring pixels are `C` apart and k·C long) or run backwards (a diagonal).
template <class T>
struct Term {
  const T* data = nullptr;
  Index stride = 0;
  Index length = 0;
};

/// A matrix with any strides; transposing is swapping them.
template <class T>
struct Strided {
  const T* data = nullptr;
  Index rows = 0;
  Index columns = 0;
  Index row_stride = 0;
  Index column_stride = 1;

  [[nodiscard]] constexpr T operator()(Index r, Index c) const {
    return data[r * row_stride + c * column_stride];
  }
};

/// Units that are computed together at the least: four of the widest vectors in a plain map, one in
/// an LSTM.
inline constexpr Index unit_grain = 64, gate_grain = 16;

/// Weights in the order a kernel wants to read them; each kernel policy has its own. A matrix of
/// `rows` × (groups · units): groups is 1 for a plain map and 4 for the gates of an LSTM, whose
/// columns are o, f, i, g, each `units` wide. A product with a part of them computes units
/// [first, last) of its results and leaves the others alone.
///
/// Sums over an LSTM's gates are for lstm_step() to go on from, and so in the policy's own order
/// too: a row of them, as a bias that they begin with, is laid out like a packed matrix of one row.
template <class T>
struct Packed {
  T* data = nullptr;
  Index rows = 0;
  Index units = 0;
  Index groups = 1;
  Index first = 0;
  Index last = units;
  bool one_chain = false;  ///< of a plain map: bits of a column must not depend on its place

  [[nodiscard]] constexpr Index columns() const { return groups * units; }
  /// Parts may begin at multiples of this, which cut no vector and no panel of ours.
  [[nodiscard]] constexpr Index grain() const { return groups == 1 ? unit_grain : gate_grain; }
  [[nodiscard]] constexpr Packed part(Index begin, Index end) const {
    return {data, rows, units, groups, begin, end, one_chain};
  }
};

/// Whether a result replaces what is there or is added to it.
enum class Store { Overwrite, Add };

/// Gates of an LSTM in the order of eq. 3 of the paper.
enum Gate : Index { gate_o = 0, gate_f = 1, gate_i = 2, gate_g = 3, gate_count = 4 };

/// A column of rows: `stride` elements from one row to the next (negative allowed; 0: all rows are
/// one, as a bias is).
template <class T>
struct Rows {
  T* data = nullptr;
  Index stride = 0;

  [[nodiscard]] constexpr T* operator[](Index r) const { return data + r * stride; }
  [[nodiscard]] constexpr explicit operator bool() const { return data != nullptr; }
  constexpr operator Rows<const T>() const requires(!std::is_const_v<T>) { return {data, stride}; }
  /// The same from a row and column on; null stays null.
  [[nodiscard]] constexpr Rows from(Index row, Index column) const {
    return {data != nullptr ? data + row * stride + column : nullptr, stride};
  }
};

/// What one LSTM step reads beside its terms, and what it writes; `hidden` values a row.
template <class T>
struct LstmStep {
  Rows<const T> c_prev{};  ///< cell state before the step
  Rows<T> c{};             ///< cell state after it
  Rows<T> h{};             ///< output
  Rows<T> gates{};         ///< o, f, i, g after their non-linearity, 4·hidden a row
};

/// What the reverse of one LSTM step reads and writes; `hidden` values a row.
template <class T>
struct LstmStepBackward {
  Rows<const T> c_prev{};
  Rows<const T> c{};
  Rows<const T> dh{};  ///< gradient of the output
  Rows<const T> dc{};  ///< gradient of the cell state from later steps
  Rows<T> dc_prev{};   ///< overwritten with the gradient of c_prev; may be dc itself
  Rows<T> gates{};     ///< in: o, f, i, g; out: gradient of the pre-activations
};

/// `rows` rows of a map a, and as many of a map b that belong to them (what a layer read, and the
/// gradients of what it made of it).
template <class T>
struct RowPairs {
  const T* a = nullptr;
  const T* b = nullptr;
  Index rows = 0;
};

/// Values in a row, and from one row to the next.
struct RowShape {
  Index columns = 0, stride = 0;
};

}  // namespace pixelrnn::inline PIXELRNN_ABI::kernels
