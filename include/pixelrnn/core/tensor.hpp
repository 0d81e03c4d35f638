// SPDX-License-Identifier: MIT
// Tensor owns aligned memory that is zero at birth; TensorView looks at anybody's memory.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

#include <pixelrnn/core/shape.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// A contiguous row-major view of rank Rank; T may be const. Copying a view copies no element.
template <class T, std::size_t Rank>
class TensorView {
 public:
  using Scalar = std::remove_const_t<T>;

  constexpr TensorView() = default;
  constexpr TensorView(T* data, Shape<Rank> shape) : data_(data), shape_(shape) {}
  /// A view of mutable elements serves as a view of const ones.
  constexpr operator TensorView<const T, Rank>() const requires(!std::is_const_v<T>) {
    return {data_, shape_};
  }

  [[nodiscard]] constexpr T* data() const { return data_; }
  [[nodiscard]] constexpr Shape<Rank> shape() const { return shape_; }
  [[nodiscard]] constexpr Index size() const { return shape_.count(); }
  [[nodiscard]] constexpr bool empty() const { return size() == 0; }
  [[nodiscard]] constexpr T* begin() const { return data_; }
  [[nodiscard]] constexpr T* end() const { return data_ + size(); }
  [[nodiscard]] constexpr std::span<T> flat() const {
    return {data_, static_cast<std::size_t>(size())};
  }

  /// Element at (i, j, ...), one index an axis; not checked.
  template <class... I>
  requires(sizeof...(I) == Rank) [[nodiscard]] constexpr T& operator()(I... indices) const {
    Index offset = 0;
    std::size_t axis = 0;
    ((offset = offset * shape_[axis++] + static_cast<Index>(indices)), ...);
    return data_[offset];
  }
  /// The i-th slice along the outermost axis, of one rank less; not checked.
  [[nodiscard]] constexpr TensorView<T, Rank - 1> operator[](Index i) const requires(Rank > 1) {
    Shape<Rank - 1> inner;
    for (std::size_t axis = 1; axis < Rank; ++axis) inner[axis - 1] = shape_[axis];
    return {data_ + i * inner.count(), inner};
  }
  /// Slices [first, first + count) along the outermost axis. Throws ShapeError if they leave it.
  [[nodiscard]] TensorView slice(Index first, Index count) const {
    if (first < 0 || count < 0 || first > shape_[0] - count) {
      detail::fail<ShapeError>("TensorView::slice: [", first, ", ", first + count,
                               ") leaves the outermost axis of ", shape_);
    }
    Shape<Rank> part = shape_;
    part[0] = count;
    const Index inner = shape_[0] == 0 ? 0 : size() / shape_[0];
    return {data_ + first * inner, part};
  }
  /// The same elements under another shape. Throws ShapeError if the element counts differ.
  template <std::size_t OtherRank>
  [[nodiscard]] TensorView<T, OtherRank> reshape(Shape<OtherRank> shape) const {
    if (shape.count() != size()) {
      detail::fail<ShapeError>("TensorView::reshape: ", shape_, " has ", size(),
                               " elements and cannot become ", shape);
    }
    return {data_, shape};
  }

 private:
  T* data_ = nullptr;
  Shape<Rank> shape_{};
};

/// An owning row-major tensor: 64-byte aligned, zero at birth, deep copies, cheap moves.
/// Throws ConfigError on negative or overflowing extents, std::bad_alloc when memory is out.
template <class T, std::size_t Rank>
requires std::is_trivially_copyable_v<T>
class Tensor {
 public:
  using Scalar = T;
  static constexpr std::size_t alignment = 64;

  Tensor() = default;
  explicit Tensor(Shape<Rank> shape) : shape_(shape) {
    require_valid(shape, "Tensor");
    data_ = allocate(shape.count());
  }
  Tensor(Shape<Rank> shape, T value) : Tensor(shape) { fill(value); }
  /// A copy of what the view shows.
  explicit Tensor(TensorView<const T, Rank> from) : Tensor(from.shape()) {
    std::copy(from.begin(), from.end(), data());
  }
  Tensor(const Tensor& other) : Tensor(TensorView<const T, Rank>(other)) {}
  Tensor& operator=(const Tensor& other) {
    if (this != &other) *this = Tensor(other);
    return *this;
  }
  Tensor(Tensor&& other) noexcept
      : data_(std::move(other.data_)), shape_(std::exchange(other.shape_, Shape<Rank>{})) {}
  Tensor& operator=(Tensor&& other) noexcept {
    data_ = std::move(other.data_);
    shape_ = std::exchange(other.shape_, Shape<Rank>{});
    return *this;
  }
  ~Tensor() = default;

  [[nodiscard]] T* data() { return data_.get(); }
  [[nodiscard]] const T* data() const { return data_.get(); }
  [[nodiscard]] const Shape<Rank>& shape() const { return shape_; }
  [[nodiscard]] Index size() const { return data_ ? shape_.count() : 0; }
  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] T* begin() { return data(); }
  [[nodiscard]] T* end() { return data() + size(); }
  [[nodiscard]] const T* begin() const { return data(); }
  [[nodiscard]] const T* end() const { return data() + size(); }

  [[nodiscard]] TensorView<T, Rank> view() { return {data(), shape_}; }
  [[nodiscard]] TensorView<const T, Rank> view() const { return {data(), shape_}; }
  operator TensorView<T, Rank>() { return view(); }
  operator TensorView<const T, Rank>() const { return view(); }

  template <class... I>
  requires(sizeof...(I) == Rank) [[nodiscard]] T& operator()(I... indices) {
    return view()(indices...);
  }
  template <class... I>
  requires(sizeof...(I) == Rank) [[nodiscard]] const T& operator()(I... indices) const {
    return view()(indices...);
  }

  void fill(T value) { std::fill(begin(), end(), value); }

 private:
  struct Free {
    void operator()(T* memory) const { ::operator delete (memory, std::align_val_t{alignment}); }
  };
  using Memory = std::unique_ptr<T[], Free>;

  static Memory allocate(Index count) {
    // Even an empty tensor owns a byte, so that data() of a constructed tensor is never null.
    const std::size_t wanted = static_cast<std::size_t>(std::max<Index>(count, 1));
    if (wanted > static_cast<std::size_t>(PTRDIFF_MAX) / sizeof(T)) throw std::bad_alloc();
    Memory memory(
        static_cast<T*>(::operator new (wanted * sizeof(T), std::align_val_t{alignment})));
    std::memset(static_cast<void*>(memory.get()), 0, wanted * sizeof(T));
    return memory;
  }

  Memory data_;
  Shape<Rank> shape_{};
};

/// A feature map: (N, H, W, C), channels last. Every value on the tape has this shape.
template <class T>
using FeatureMap = Tensor<T, 4>;
template <class T>
using FeatureView = TensorView<T, 4>;

/// Rows of equal length, `stride` elements apart; without a stride, one after the other.
template <class T>
struct MatrixView {
  T* data = nullptr;
  Index rows = 0;
  Index columns = 0;
  Index stride = columns;  ///< elements from one row to the next

  [[nodiscard]] constexpr T* row(Index r) const { return data + r * stride; }
  [[nodiscard]] constexpr T& operator()(Index r, Index c) const { return data[r * stride + c]; }
  constexpr operator MatrixView<const T>() const requires(!std::is_const_v<T>) {
    return {data, rows, columns, stride};
  }
};

/// All pixels of a feature map as rows of C values; no copy.
template <class T>
[[nodiscard]] constexpr MatrixView<T> as_rows(TensorView<T, 4> map) {
  const Shape<4>& s = map.shape();
  return {map.data(), s.n() * s.h() * s.w(), s.c(), s.c()};
}

}  // namespace pixelrnn::inline PIXELRNN_ABI

// A view owns nothing: its iterators outlive it, and it can begin a pipeline of views. <span>,
// which says the same of span, knows both names; <ranges> would cost every program a third of a
// second.
template <class T, std::size_t Rank>
inline constexpr bool std::ranges::enable_borrowed_range<pixelrnn::TensorView<T, Rank>> = true;
template <class T, std::size_t Rank>
inline constexpr bool std::ranges::enable_view<pixelrnn::TensorView<T, Rank>> = true;
