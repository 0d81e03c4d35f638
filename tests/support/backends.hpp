// SPDX-License-Identifier: MIT
// The backends that layers are tested with: each kernel policy, each execution policy, both
// scalars.
#pragma once

#include <concepts>

#include <pixelrnn/kernels/backend.hpp>
#include <pixelrnn/kernels/eigen.hpp>
#include <pixelrnn/kernels/reference.hpp>
#include <pixelrnn/kernels/xsimd.hpp>

namespace pixelrnn::test {

using ReferenceBackend = Backend<double, kernels::Reference, execution::Sequential>;
using EigenBackend = Backend<double, kernels::Eigen, execution::OpenMP>;
using XsimdBackend = Backend<double, kernels::Xsimd, execution::OpenMP>;

using FloatReferenceBackend = Backend<float, kernels::Reference, execution::OpenMP>;
using FloatEigenBackend = Backend<float, kernels::Eigen, execution::Sequential>;
using FloatXsimdBackend = Backend<float, kernels::Xsimd, execution::OpenMP>;

/// Xsimd with convolutions and Row LSTM by pairs of pixels, however few channels they have.
struct InPairs : kernels::Xsimd {
  [[nodiscard]] static constexpr bool pairs_pay(Index, Index) { return true; }
};
using PairBackend = Backend<double, InPairs, execution::OpenMP>;
using FloatPairBackend = Backend<float, InPairs, execution::OpenMP>;

/// Whether the bits of a row do not depend on the number of rows: Eigen's matrix product chooses
/// its order of summation by that.
template <class B>
inline constexpr bool promises_bits = !std::same_as<typename B::Kernels, kernels::Eigen>;
/// Whether a pass has the bits of a walk without being asked for them: with Xsimd itself only where
/// it does not pay to work in pairs of pixels, as in most tests.
template <class B>
inline constexpr bool has_walk_bits =
    promises_bits<B> && !std::same_as<typename B::Kernels, InPairs>;

/// What rounding may do to the sums of a small layer of weights up to 1.
template <class T>
inline constexpr double rounding = std::same_as<T, float> ? 5e-5 : 1e-12;
/// In float a recurrence of such weights is chaotic, and after some thirty steps no two ways of
/// rounding agree: there recurrences get weights up to this.
inline constexpr double calm = 0.3;

}  // namespace pixelrnn::test
