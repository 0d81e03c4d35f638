// SPDX-License-Identifier: MIT
// Taps: where a masked kernel reads, as runs of neighbouring pixels.
#pragma once

#include <vector>

#include <pixelrnn/kernels/kernels.hpp>
#include <pixelrnn/nn/mask.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// `count` taps side by side: kernel row `row`, kernel columns from `column` on, which read at
/// offsets (dy, dx), (dy, dx + 1), ... With channels last these are one contiguous slab of
/// count · C values, so a convolution is one matrix term a run, and masked taps cost nothing.
struct TapRun {
  Index row, column, count;
  Index dy, dx;
  bool in_part = false;  ///< holds the centre, of which colours allow a part
};

/// The taps that a mask allows of a height × width kernel, in kernel order. The centre is in if any
/// of its colour groups is. Dilated taps are not neighbours: each is a run.
[[nodiscard]] inline std::vector<TapRun> allowed_taps(Mask mask, Index height, Index width,
                                                      Index dilation, Index colours) {
  std::vector<TapRun> runs;
  for (Index y = 0; y < height; ++y) {
    for (Index x = 0; x < width; ++x) {
      const Index dy = (y - height / 2) * dilation;
      const Index dx = (x - width / 2) * dilation;
      if (!is_allowed(mask, dy, dx, 0, colours - 1)) continue;
      if (dilation == 1 && !runs.empty() && runs.back().row == y) {
        ++runs.back().count;
      } else {
        runs.push_back({y, x, 1, dy, dx});
      }
      runs.back().in_part = colours > 1 && dy == 0 && dx == 0;
    }
  }
  return runs;
}

/// Taps in all runs.
[[nodiscard]] inline Index tap_count(const std::vector<TapRun>& runs) {
  Index count = 0;
  for (const TapRun& run : runs) count += run.count;
  return count;
}

/// Packs the weights of a run, [count][C_in][C_out], below row `first`; returns the row after them.
template <class K, class T>
Index pack_run(kernels::Packed<T> to, Index first, TensorView<const T, 4> weights,
               const TapRun& run) {
  const Index in = weights.shape()[2], out = weights.shape()[3];
  const T* from = &weights(run.row, run.column, 0, 0);
  K::pack(to, first, kernels::Strided<T>{from, run.count * in, out, out, 1});
  return first + run.count * in;
}
/// The same for the transposed map: Kᵀ of each tap, the run backwards, since what pixel p gave to
/// p - tap comes back from there.
template <class K, class T>
Index pack_run_transposed(kernels::Packed<T> to, Index first, TensorView<const T, 4> weights,
                          const TapRun& run) {
  const Index in = weights.shape()[2], out = weights.shape()[3];
  for (Index t = run.count - 1; t >= 0; --t, first += out) {
    const T* from = &weights(run.row, run.column + t, 0, 0);
    K::pack(to, first, kernels::Strided<T>{from, out, in, 1, out});
  }
  return first;
}

/// The taps of the transposed convolution: it reads where the convolution was read from.
[[nodiscard]] inline std::vector<TapRun> mirrored(std::vector<TapRun> runs) {
  for (TapRun& run : runs) run.dy = -run.dy, run.dx = 1 - run.dx - run.count;
  return runs;
}

/// All runs, one below the other, in so many groups of columns; transposed: for runs that are
/// mirrored().
template <class K, class T>
[[nodiscard]] kernels::Packed<const T> pack_taps(Workspace& workspace,
                                                 const std::vector<TapRun>& runs,
                                                 TensorView<const T, 4> weights, bool transposed,
                                                 Index groups = 1) {
  const Index in = weights.shape()[2], out = weights.shape()[3];
  const auto packed =
      kernels::allocate_packed<K, T>(workspace, tap_count(runs) * (transposed ? out : in),
                                     (transposed ? in : out) / groups, groups);
  Index row = 0;
  for (const TapRun& run : runs) {
    row = transposed ? pack_run_transposed<K>(packed, row, weights, run)
                     : pack_run<K>(packed, row, weights, run);
  }
  return as_const(packed);
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
