// SPDX-License-Identifier: MIT
// The lines of a plan: layers and sums, computed for a pixel or for a row.
#pragma once

#include <algorithm>

#include <pixelrnn/autodiff/functions.hpp>
#include <pixelrnn/nn/layer.hpp>

namespace pixelrnn::inline PIXELRNN_ABI::detail {

/// Where a walk keeps a value: of one pixel of all images, of a row, or of the whole map.
template <class T>
struct Slot {
  T* data = nullptr;
  Index channels = 0;
  Index image = 0;            ///< values from one image to the next
  Index row = 0, column = 0;  ///< and from one pixel to the next; 0: the same room for all
  FeatureMap<T> memory{};

  [[nodiscard]] MatrixView<T> at(Index batch, Index r, Index j) const {
    return {data + r * row + j * column, batch, channels, image};
  }
};

/// What operations of a walk are told: the slots, the pixel and the colours that are asked for.
template <class T>
struct Moment {
  const Slot<T>* slots;
  const GuardedWalk& walk;
  Index row, column;
  ColourGroup colour{};

  [[nodiscard]] MatrixView<T> at(Index slot) const {
    return slots[slot].at(walk.batch, row, column);
  }
  /// A value of the row domain: (batch · width, C).
  [[nodiscard]] MatrixView<T> whole_row(Index slot) const {
    const Index channels = slots[slot].channels;
    return {slots[slot].data, walk.batch * walk.width, channels, channels};
  }
};

/// One line of a plan. What it reads was computed by lines before it.
template <class T>
struct Operation {
  Operation() = default;
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;
  virtual ~Operation() = default;
  virtual void begin_row(const Moment<T>&) {}
  virtual void step(const Moment<T>&) {}
  /// The pixel that was stepped last is known now. Called if the operation reads something that
  /// changes with it.
  virtual void observe(const Moment<T>&) {}
  virtual void end_row(Index) {}
  bool sees_own = false;  ///< whether it does
};

template <class T, class L>
struct PixelOperation final : Operation<T> {
  PixelOperation(const L& l, const Walk& walk, Index from, Index to, Index added, bool hides)
      : layer(l),
        cache(make_inner_cache(l, walk)),
        x(from),
        y(to),
        addend(added),
        hides_own(hides) {}
  void step(const Moment<T>& m) override {
    const MatrixView<const T> in = m.at(x);
    if constexpr (AddingLayer<L>) {
      const auto residual = addend < 0 ? MatrixView<const T>{} : MatrixView<const T>(m.at(addend));
      layer.step_add(cache, m.row, m.column, in, residual, m.at(y), m.colour);
    } else {
      step_colour(layer, cache, m.row, m.column, in, m.at(y), m.colour);
    }
  }
  void observe(const Moment<T>& m) override {
    if constexpr (ObservingLayer<L>) {
      if (hides_own) return layer.observe(cache, m.row, m.column, m.at(x));
    }
    step(m);
  }
  void end_row(Index row) override { layer.end_row(cache, row); }

  const L& layer;
  typename L::Cache cache;
  Index x, y, addend;
  bool hides_own;  ///< the output does not change with the pixel's own colour
};

/// A RowLayer whose output is known a row at a time, from pixels or from rows.
template <class T, class L>
struct RowOperation final : Operation<T> {
  RowOperation(const L& l, const Walk& walk, Index from, Index to, bool pixels)
      : layer(l), cache(l.make_row_cache(walk)), x(from), y(to), of_pixels(pixels) {}
  void begin_row(const Moment<T>& m) override {
    if (!of_pixels) layer.observe_row(cache, m.row, m.whole_row(x));
    layer.step_row(cache, m.row, m.whole_row(y));
  }
  void step(const Moment<T>& m) override {
    if (of_pixels) layer.observe(cache, m.row, m.column, m.at(x));
  }
  void observe(const Moment<T>& m) override { step(m); }

  const L& layer;
  typename L::RowCache cache;
  Index x, y;
  bool of_pixels;
};

/// A PointwiseLayer on a row: its pixels are stepped as images of one pixel.
template <class T, class L>
struct PointwiseRow final : Operation<T> {
  PointwiseRow(const L& l, Walk walk, Index from, Index to)
      : layer(l), cache(make_inner_cache(l, of_pixels(walk))), x(from), y(to) {}
  static Walk of_pixels(const Walk& walk) {
    return {.batch = walk.batch * walk.width, .channels = walk.channels, .team = walk.team};
  }
  void begin_row(const Moment<T>& m) override {
    layer.step(cache, 0, 0, m.whole_row(x), m.whole_row(y));
  }

  const L& layer;
  typename L::Cache cache;
  Index x, y;
};

/// y = a + b, pixel by pixel or of a row.
template <class T>
struct Addition final : Operation<T> {
  Addition(Index left, Index right, Index to, bool rows)
      : a(left), b(right), y(to), of_rows(rows) {}
  void begin_row(const Moment<T>& m) override {
    if (of_rows) add(m.whole_row(a), m.whole_row(b), m.whole_row(y), {});
  }
  void step(const Moment<T>& m) override {
    if (!of_rows) add(m.at(a), m.at(b), m.at(y), m.colour);
  }
  void observe(const Moment<T>& m) override { step(m); }
  static void add(const MatrixView<T>& a, const MatrixView<T>& b, const MatrixView<T>& y,
                  const ColourGroup& colour) {
    const Index first = colour.first(y.columns), count = colour.count(y.columns);
    for (Index n = 0; n < y.rows; ++n) {
      simd::transform(count, a.row(n) + first, b.row(n) + first, y.row(n) + first,
                      [](simd::Batch<T> l, simd::Batch<T> r) { return l + r; });
    }
  }

  Index a, b, y;
  bool of_rows;
};

/// A row of a map, for operations on rows.
template <class T>
struct RowOfMap final : Operation<T> {
  RowOfMap(Index from, Index to) : x(from), y(to) {}
  void begin_row(const Moment<T>& m) override {
    const MatrixView<T> out = m.whole_row(y);
    for (Index j = 0; j < m.walk.width; ++j) {
      const MatrixView<T> in = m.slots[x].at(m.walk.batch, m.row, j);
      for (Index n = 0; n < in.rows; ++n) {
        std::copy_n(in.row(n), in.columns, out.row(n * m.walk.width + j));
      }
    }
  }

  Index x, y;
};

/// What a net gives if it is none of its operations' outputs for a pixel.
template <class T>
struct Copy final : Operation<T> {
  Copy(Index from, Index to) : x(from), y(to) {}
  void step(const Moment<T>& m) override {
    const MatrixView<T> in = m.at(x), out = m.at(y);
    const Index first = m.colour.first(in.columns), count = m.colour.count(in.columns);
    for (Index n = 0; n < in.rows; ++n) std::copy_n(in.row(n) + first, count, out.row(n) + first);
  }

  Index x, y;
};

}  // namespace pixelrnn::inline PIXELRNN_ABI::detail
