// SPDX-License-Identifier: MIT
// Our memory as Eigen matrices and Eigen's as our views, without copying.
#pragma once

#include <pixelrnn/core/tensor.hpp>

PIXELRNN_BEGIN_OTHERS_HEADERS
#include <Eigen/Core>
PIXELRNN_END_OTHERS_HEADERS

namespace pixelrnn::inline PIXELRNN_ABI {

template <class T>
using RowMajor =
    ::Eigen::Matrix<std::remove_const_t<T>, ::Eigen::Dynamic, ::Eigen::Dynamic, ::Eigen::RowMajor>;

/// A rank-2 view as an Eigen matrix of the same rows and columns; writes go to the view's memory.
template <class T>
[[nodiscard]] auto as_eigen(TensorView<T, 2> view) {
  using Matrix = std::conditional_t<std::is_const_v<T>, const RowMajor<T>, RowMajor<T>>;
  return ::Eigen::Map<Matrix>(view.data(), view.shape()[0], view.shape()[1]);
}
/// All pixels of a feature map as an Eigen matrix (N·H·W, C).
template <class T>
[[nodiscard]] auto as_eigen(TensorView<T, 4> map) {
  const Shape<4>& s = map.shape();
  return as_eigen(map.reshape(Shape<2>{s.n() * s.h() * s.w(), s.c()}));
}
/// A row-major Eigen matrix as a view.
template <class Derived>
[[nodiscard]] auto view_of(::Eigen::PlainObjectBase<Derived>& matrix) {
  static_assert(Derived::IsRowMajor, "pixelrnn views are row-major: use RowMajor<T>");
  return TensorView<typename Derived::Scalar, 2>(matrix.data(),
                                                 Shape<2>{matrix.rows(), matrix.cols()});
}
template <class Derived>
[[nodiscard]] auto view_of(const ::Eigen::PlainObjectBase<Derived>& matrix) {
  static_assert(Derived::IsRowMajor, "pixelrnn views are row-major: use RowMajor<T>");
  return TensorView<const typename Derived::Scalar, 2>(matrix.data(),
                                                       Shape<2>{matrix.rows(), matrix.cols()});
}

namespace kernels {

/// Rows of `columns` values, `stride` apart, as a map (const for const memory). Strides may be
/// smaller than a row (overlapping taps) or negative (a diagonal walked upwards).
template <class T>
[[nodiscard]] auto map_rows(T* data, Index rows, Index columns, Index stride) {
  using Matrix = std::conditional_t<std::is_const_v<T>, const RowMajor<T>, RowMajor<T>>;
  return ::Eigen::Map<Matrix, 0, ::Eigen::OuterStride<>>(data, rows, columns,
                                                         ::Eigen::OuterStride<>(stride));
}
template <class T>
[[nodiscard]] auto map_row(const T* data, Index columns) {
  using Row = ::Eigen::Matrix<T, 1, ::Eigen::Dynamic>;
  return ::Eigen::Map<const Row>(data, columns);
}

}  // namespace kernels
}  // namespace pixelrnn::inline PIXELRNN_ABI
