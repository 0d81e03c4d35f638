// SPDX-License-Identifier: MIT
// Backend: the three policies every layer is computed with, as one type.
#pragma once

#include <algorithm>

#include <pixelrnn/core/parallel.hpp>
#include <pixelrnn/core/tuning.hpp>
#include <pixelrnn/core/workspace.hpp>
#include <pixelrnn/kernels/kernels.hpp>
#include <pixelrnn/kernels/xsimd.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// Scalar (float or double), kernels (kernels::Reference, Eigen, Xsimd) and execution
/// (execution::Sequential, OpenMP). A finished type: Backend<double, kernels::Reference>.
template <class T = float, class K = kernels::Xsimd, class E = execution::OpenMP>
requires kernels::Kernels<K, T> && Execution<E>
struct Backend {
  using Scalar = T;
  using Kernels = K;
  using Execution = E;
};

namespace detail {
template <class L>
struct FindExecution {
  using type = execution::OpenMP;
};
template <class L>
requires requires { typename L::BackendPolicy; }
struct FindExecution<L> {
  using type = typename L::BackendPolicy::Execution;
};
template <class L>
requires requires { typename L::Execution; }
struct FindExecution<L> {
  using type = typename L::Execution;
};
}  // namespace detail
/// The policy of a layer, net or model: its `Execution`, else that of its `BackendPolicy`, else
/// OpenMP. What is made of layers names that of its first as its own.
template <class L>
using ExecutionOf = typename detail::FindExecution<L>::type;

using tuning::reduction_chunks;

/// Splits [0, count) into at most so many parts of nearly equal size.
struct Chunks {
  Index count, most = reduction_chunks;
  /// Parts of `size` at most, but no fewer than reductions have.
  [[nodiscard]] static constexpr Chunks of(Index count, Index size) {
    return {count, std::max(reduction_chunks, (count + size - 1) / size)};
  }
  [[nodiscard]] constexpr Index size() const { return std::min(count, most); }
  [[nodiscard]] constexpr Index first(Index chunk) const { return count * chunk / size(); }
  [[nodiscard]] constexpr Index last(Index chunk) const { return first(chunk + 1); }
};

namespace detail {

/// Zeros for add_chunks to begin with: of wide layers too many for one thread while others wait.
template <class B, class T>
[[nodiscard]] T* allocate_chunks(Workspace& workspace, int threads, Index chunks, Index part) {
  T* const parts = workspace.allocate<T>(chunks * part);
  for_each_part<typename B::Execution>(
      threads, chunks * part, [=](Index at, Index count) { std::fill_n(parts + at, count, T{0}); });
  return parts;
}

/// total[i] += Σ over chunks of parts[chunk][i], in the order of the chunks.
template <class B, class T>
void add_chunks(int threads, const T* parts, Index chunks, Index part_stride, Index count,
                T* total) {
  for_each_part<typename B::Execution>(threads, count, [=](Index at, Index size) {
    for (Index chunk = 0; chunk < chunks; ++chunk) {
      B::Kernels::add(size, parts + chunk * part_stride + at, total + at);
    }
  });
}

}  // namespace detail
}  // namespace pixelrnn::inline PIXELRNN_ABI
