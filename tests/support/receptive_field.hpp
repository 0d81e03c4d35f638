// SPDX-License-Identifier: MIT
// Receptive fields computed from the text of the paper: which input cells each output cell may see,
// layer by layer, by following every path from cell to cell.
#pragma once

#include <cstdlib>
#include <vector>

#include "support/dependency.hpp"

namespace pixelrnn::test {

// What one cell of a layer's output sees of its input; the channel of a Cell is its colour.

/// k × k convolution under mask A or B (sec. 3.4).
[[nodiscard]] inline auto convolution_field(Index k, bool sees_self) {
  return [=](const Cell& out, const Cell& in) {
    if (std::abs(in.row - out.row) > k / 2 || std::abs(in.column - out.column) > k / 2)
      return false;
    if (is_same_pixel(in, out)) {
      return in.channel < out.channel || (sees_self && in.channel == out.channel);
    }
    return is_before(in, out);
  };
}
/// Row LSTM with k = 3 (sec. 3.1): j-1 .. j of its own row, j-(m+1) .. j+m of the row m above.
[[nodiscard]] inline bool row_lstm_field(const Cell& out, const Cell& in) {
  const Index above = out.row - in.row, dx = in.column - out.column;
  if (above < 0) return false;
  if (above == 0) return dx == -1 || (dx == 0 && in.channel <= out.channel);
  return -(above + 1) <= dx && dx <= above;
}
/// Diagonal BiLSTM (sec. 3.2): everything before.
[[nodiscard]] inline bool diagonal_bilstm_field(const Cell& out, const Cell& in) {
  return is_before(in, out) || (is_same_pixel(in, out) && in.channel <= out.channel);
}

/// The field of layers one after the other on maps of height × width × colours cells.
class Field {
 public:
  /// A field in which every cell sees itself only.
  explicit Field(Shape<4> map) : map_(map), size_(map.h() * map.w() * map.c()) {
    sees_.assign(static_cast<std::size_t>(size_ * size_), false);
    for (Index i = 0; i < size_; ++i) sees_[index(i, i)] = true;
  }

  /// With another layer after what is there already.
  template <class Sees>
  [[nodiscard]] Field then(Sees&& layer) const {
    Field result(map_);
    for (Index out = 0; out < size_; ++out) {
      for (Index in = 0; in < size_; ++in) {
        bool path = false;
        for (Index between = 0; between < size_ && !path; ++between) {
          path = layer(cell_of(out, map_), cell_of(between, map_)) && sees_[index(between, in)];
        }
        result.sees_[result.index(out, in)] = path;
      }
    }
    return result;
  }

  [[nodiscard]] bool sees(const Cell& out, const Cell& in) const {
    return sees_[index(number(out), number(in))];
  }

 private:
  [[nodiscard]] std::size_t index(Index out, Index in) const {
    return static_cast<std::size_t>(out * size_ + in);
  }
  [[nodiscard]] Index number(const Cell& cell) const {
    return (cell.row * map_.w() + cell.column) * map_.c() + cell.channel;
  }

  Shape<4> map_;
  Index size_;
  std::vector<bool> sees_;
};

}  // namespace pixelrnn::test
