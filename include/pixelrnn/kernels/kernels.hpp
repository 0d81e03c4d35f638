// SPDX-License-Identifier: MIT
// The Kernels concept: everything a policy must compute for the layers above.
#pragma once

#include <concepts>
#include <string_view>

#include <pixelrnn/kernels/types.hpp>

namespace pixelrnn::inline PIXELRNN_ABI::kernels {

/// A kernel policy: pure functions on memory, without state. Reference (reference.hpp) defines the
/// meaning of each function; every other policy must agree with it to rounding.
///
/// Reference and Xsimd promise one thing more: every output element is computed from its own row
/// in an order that depends neither on the number of rows nor on the part of the weights that is
/// asked for, so a sampled image does not depend on its batch or its threads. Eigen's matrix
/// product chooses its order by its size and cannot promise that.
template <class K, class T>
concept Kernels = std::floating_point<T> &&
    requires(Index n, const T* x, T* y, std::span<const Term<T>> terms, Packed<T> packed,
             Packed<const T> weights, Strided<T> matrix, Store store, LstmStep<T> step,
             LstmStepBackward<T> step_backward, std::span<const RowPairs<T>> pairs, RowShape shape,
             Rows<const T> in, Rows<T> out) {
  { K::name } -> std::convertible_to<std::string_view>;
  { K::template packed_size<T>(n, n, n) } -> std::same_as<Index>;
  {K::pack(packed, n, matrix)};
  {K::affine(n, terms, weights, in, in, out)};
  {K::lstm_step(n, terms, weights, in, step)};
  {K::lstm_step_backward(n, n, step_backward)};
  {K::add_outer_products(pairs, shape, shape, out)};
  {K::add_column_sums(n, n, in, y)};
  {K::relu(n, x, y)};
  {K::relu_backward(n, x, x, y, store)};
  {K::add(n, x, y)};
  {K::move_rows(n, n, in, out, store)};
};

/// A policy may offer in addition what convolutions and Row LSTM need to compute two neighbouring
/// pixels from fewer products (taps/winograd.hpp): pairs_pay(C_in, C_out), whether that is faster
/// for products of so many channels and for their reverse, and add_scaled(rows, columns, a, scale,
/// b, out), out = a + scale · b, where out may be a or b. In their rows of sums over gates units
/// [first, last), as in Packed::part, are columns [gate_row(first), gate_row(last)).
template <class K, class T>
concept PairingKernels = Kernels<K, T> &&
    requires(Index n, T scale, Rows<const T> in, Rows<T> out) {
  { K::pairs_pay(n, n) } -> std::same_as<bool>;
  {K::add_scaled(n, n, in, scale, in, out)};
};

/// Room for a packed matrix in a workspace.
template <class K, class T>
[[nodiscard]] Packed<T> allocate_packed(Workspace& workspace, Index rows, Index units,
                                        Index groups = 1, bool one_chain = false) {
  // With one chain all columns may be padded to the widest panel.
  const Index room = one_chain ? (units + unit_grain - 1) / unit_grain * unit_grain : units;
  return {.data = workspace.allocate<T>(K::template packed_size<T>(rows, room, groups)),
          .rows = rows,
          .units = units,
          .groups = groups,
          .one_chain = one_chain};
}

/// Values in a row of sums over an LSTM's gates.
template <class K, class T>
[[nodiscard]] constexpr Index gate_row(Index units) {
  return K::template packed_size<T>(1, units, gate_count);
}
/// A bias of an LSTM's gates, for sums to begin with.
template <class K, class T>
[[nodiscard]] Rows<const T> pack_gate_bias(Workspace& workspace, const T* bias, Index units) {
  const Packed<T> row = allocate_packed<K, T>(workspace, 1, units, gate_count);
  K::pack(row, 0, Strided<T>{bias, 1, row.columns(), row.columns(), 1});
  return {row.data, 0};
}

template <class T>
[[nodiscard]] constexpr Packed<const T> as_const(Packed<T> packed) {
  return {packed.data,  packed.rows, packed.units,    packed.groups,
          packed.first, packed.last, packed.one_chain};
}

}  // namespace pixelrnn::inline PIXELRNN_ABI::kernels
