// SPDX-License-Identifier: MIT
// Spatial LSTM: a two-dimensional LSTM, whose cells remember what lies left and what lies above.
#pragma once

#include <pixelrnn/nn/spatial_lstm/spatial_scan.hpp>
#include <pixelrnn/nn/spatial_lstm/spatial_scan_backward.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// Spatial LSTM (Theis & Bethge 2015, arXiv 1506.03478, eq. 7 and 8). Cell (r, j):
///   z(r, j) = x(r, j)·K_is + h(r-1, j)·K_ss[0] + h(r, j-1)·K_ss[1] + b
///   [o, f_left, f_above, i, g] = σ(z)              σ: logistic; tanh for g
///   c(r, j) = f_left ⊙ c(r, j-1) + f_above ⊙ c(r-1, j) + i ⊙ g
///   h(r, j) = tanh(o ⊙ c(r, j))                    the product is inside, unlike an LSTM's
/// h and c are zero outside the image, as theirs.
///   x (N, H, W, C)    K_is [1][1][C][5·hidden] mask B    K_ss [2][1][hidden][5·hidden], above then
///   left, no mask    h (N, H, W, hidden)
/// One layer sees rows <= r and columns <= j: a quarter of the past. As plain
/// loops: NaiveSpatial in tests/nn/spatial_lstm_test.cpp.
/// The cells of a diagonal r + j = d need only the diagonal before it, and are one matrix product
/// on rows that lie a row down and a column back from each other; states have a border of zeros.
/// Images are parallel. Cost: 10·hidden·(C + 2·hidden) FLOP a pixel. Saves 7·hidden values a pixel.
/// Throws ConfigError unless sizes are positive, ShapeError if x has not C channels.
template <class B = Backend<>>
class SpatialLSTM : public detail::SpatialScan<B> {
 public:
  using detail::SpatialScan<B>::SpatialScan;
  static constexpr std::string_view kind = "spatial_lstm";
  static constexpr std::string_view state_kind = "zero";
};

static_assert(IncrementalLayer<SpatialLSTM<>>);

}  // namespace pixelrnn::inline PIXELRNN_ABI
