// SPDX-License-Identifier: MIT
// Taps: where a masked kernel reads, as runs of neighbouring pixels.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include <pixelrnn/kernels/kernels.hpp>
#include <pixelrnn/taps/mask.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// `count` taps side by side: kernel row `row`, kernel columns from `column` on, which read at
/// offsets (dy, dx), (dy, dx + 1), ... With channels last these are one contiguous slab of
/// count · C values, so a convolution is one matrix term a run, and masked taps cost nothing.
struct TapRun {
  Index row, column, count;
  Index dy, dx;
  bool in_part = false;  ///< holds a tap that is allowed for some colours only
};

/// The taps that a mask allows, in kernel order: for some colours at least. Dilated taps are not
/// neighbours: each is a run.
[[nodiscard]] inline std::vector<TapRun> allowed_taps(const KernelMask& mask) {
  std::vector<TapRun> runs;
  for (Index y = 0; y < mask.rows(); ++y) {
    for (Index x = 0; x < mask.columns(); ++x) {
      if (!mask.any(y, x)) continue;
      const bool goes_on = mask.dilation() == 1 && !runs.empty() && runs.back().row == y &&
                           runs.back().column + runs.back().count == x;
      if (!goes_on) runs.push_back({y, x, 0, mask.dy(y), mask.dx(x)});
      ++runs.back().count;
      if (!mask.all(y, x)) runs.back().in_part = true;
    }
  }
  return runs;
}

namespace detail {
/// What a walk knows of a sum over taps, of an input of which it knows `x`. Throws ConfigError if a
/// tap reads what a walk does not know yet: of pixels those after its own in raster order, of rows
/// those below.
[[nodiscard]] inline Known known_through(const char* where, const std::vector<TapRun>& taps,
                                         const KernelMask& mask, const Known& x) {
  bool reads_row = false;
  for (const TapRun& run : taps) {
    reads_row = reads_row || run.dy == 0;
    if (run.dy < 0 || (run.dy == 0 && (x.domain == Domain::row || run.dx + run.count <= 1))) {
      continue;
    }
    fail<ConfigError>(where, ": mask ", in_quotes(mask.name()), " reads row +", run.dy,
                      ", column +", run.dx + run.count - 1, " from a pixel, which a walk does not ",
                      "know yet; sample with FullForward, or use a mask of rows above and columns ",
                      "to the left");
  }
  Known y = x.through(mask.own_pixel(), mask.colours());
  if (!reads_row) y.domain = Domain::row;
  return y;
}
}  // namespace detail

/// Taps in all runs.
[[nodiscard]] inline Index tap_count(const std::vector<TapRun>& runs) {
  Index count = 0;
  for (const TapRun& run : runs) count += run.count;
  return count;
}

/// Packs the weights of a run, [count][C_in][C_out] but for the last `unread` inputs, below row
/// `first`; returns the row after them.
template <class K, class T>
Index pack_run(kernels::Packed<T> to, Index first, TensorView<const T, 4> weights,
               const TapRun& run, Index unread = 0) {
  const Index rows = run.count * weights.shape()[2] - unread, out = weights.shape()[3];
  const T* from = &weights(run.row, run.column, 0, 0);
  K::pack(to, first, kernels::Strided<T>{from, rows, out, out, 1});
  return first + rows;
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

/// The weights of units [first, first + count) of each of so many gates; all of them as they are.
template <class T>
[[nodiscard]] TensorView<const T, 4> units_of(TensorView<const T, 4> weights, Index gates,
                                              Index first, Index count, Workspace& workspace) {
  const Shape<4> s = weights.shape();
  const Index units = s[3] / gates, rows = s[0] * s[1] * s[2];
  if (count == units) return weights;
  const TensorView<T, 4> part = workspace.allocate<T>(Shape<4>{s[0], s[1], s[2], gates * count});
  for (Index row = 0; row < rows; ++row) {
    for (Index gate = 0; gate < gates; ++gate) {
      std::copy_n(weights.data() + (row * gates + gate) * units + first, count,
                  part.data() + (row * gates + gate) * count);
    }
  }
  return part;
}

/// Whether the columns of a plain product are summed in one chain each, so that a walk may compute
/// colour groups apart: from 64 columns on. Of fewer there would be no gain, and their last ones
/// had better keep two (kernels::Packed). By the shape alone, for bits depend on it.
[[nodiscard]] constexpr bool in_one_chain(Index colours, Index columns) {
  return colours > 1 && columns >= 64;
}
/// In how many groups a walk computes so many units of each of so many gates: one for each colour,
/// or all at once where groups, each padded to whole vectors, would take as long as a step of all
/// for each colour. Either way bits are the same, and no group is empty.
template <class K, class T>
[[nodiscard]] Index colour_groups(Index colours, Index units, Index gates) {
  if (units < colours || (gates == 1 && !in_one_chain(colours, units))) return 1;
  Index apart = 0;
  for (Index g = 0; g < colours; ++g) {
    apart += K::template packed_size<T>(1, ColourGroup{g, colours}.count(units), gates);
  }
  return apart < 2 * K::template packed_size<T>(1, units, gates) ? colours : 1;
}

/// Inputs at the end of the last tap of a run that no output reads: all their weights are 0, as
/// those of later colours are. One stays.
template <class T>
[[nodiscard]] Index unread_inputs(TensorView<const T, 4> weights, const TapRun& run) {
  const Index in = weights.shape()[2], out = weights.shape()[3];
  const T* const tap = &weights(run.row, run.column + run.count - 1, 0, 0);
  Index read = in;
  while (read > 1 && std::all_of(tap + (read - 1) * out, tap + read * out,
                                 [](T weight) { return weight == 0; })) {
    --read;
  }
  return in - read;
}

/// All runs, one below the other, in so many groups of columns; transposed: for runs that are
/// mirrored(). `one_chain`: see Packed. `unread`: inputs of the last tap that are left out.
template <class K, class T>
[[nodiscard]] kernels::Packed<const T> pack_taps(Workspace& workspace,
                                                 const std::vector<TapRun>& runs,
                                                 TensorView<const T, 4> weights, bool transposed,
                                                 Index groups = 1, bool one_chain = false,
                                                 Index unread = 0) {
  const Index in = weights.shape()[2], out = weights.shape()[3];
  const auto packed =
      kernels::allocate_packed<K, T>(workspace, tap_count(runs) * (transposed ? out : in) - unread,
                                     (transposed ? in : out) / groups, groups, one_chain);
  Index row = 0;
  for (const TapRun& run : runs) {
    row = transposed ? pack_run_transposed<K>(packed, row, weights, run)
                     : pack_run<K>(packed, row, weights, run, &run == &runs.back() ? unread : 0);
  }
  return as_const(packed);
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
