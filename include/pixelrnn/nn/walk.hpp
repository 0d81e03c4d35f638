// SPDX-License-Identifier: MIT
// Walk: what an incremental walk is told of its images, and the threads that share its products.
#pragma once

#include <concepts>
#include <variant>

#include <pixelrnn/core/team.hpp>
#include <pixelrnn/core/tensor.hpp>
#include <pixelrnn/core/tuning.hpp>
#include <pixelrnn/kernels/types.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// An incremental walk: `batch` images of height × width, pixel by pixel.
struct Walk {
  Index batch = 1;
  Index height = 1;
  Index width = 1;
  /// C of x, by which a Network makes its room; other layers know their own.
  Index channels = 0;
  /// Shares the work of a step; null: the calling thread does it alone. It must outlive the cache,
  /// and its leader must be who steps.
  Team* team = nullptr;
  /// What the images are told, (batch, 1, 1, C) or (batch, height, width, C), for layers whose
  /// Config::condition_channels is C; it must outlive the cache. Empty: nothing.
  std::variant<FeatureView<const float>, FeatureView<const double>> condition{};
};

namespace detail {

/// What a layer keeps of its walk to check its steps by. Those of a layer within another follow
/// from the outer one's, which trusts itself: a check of each would cost small nets some percent.
struct GuardedWalk : Walk {
  bool is_trusted = false;
};
/// The cache of a layer within another.
template <class L>
[[nodiscard]] typename L::Cache make_inner_cache(const L& layer, const Walk& walk) {
  typename L::Cache cache = layer.make_cache(walk);
  if constexpr (requires {
                  { cache.walk } -> std::same_as<GuardedWalk&>;
                }) {
    cache.walk.is_trusted = true;
  }
  return cache;
}

template <class T>
void check_rows(const char* where, const char* what, const Walk& walk, const MatrixView<T>& rows,
                Index channels) {
  if (rows.rows != walk.batch || rows.columns != channels) {
    fail<ShapeError>(where, ": ", what, " of a step is (", rows.rows, ", ", rows.columns,
                     "), expected (", walk.batch, ", ", channels,
                     "), (Walk::batch, C): a row for each image that the cache was made for");
  }
}
template <class T>
[[gnu::noinline]] void check_input(const char* where, const Walk& walk, Index row, Index column,
                                   const MatrixView<const T>& x, Index channels) {
  if (row < 0 || row >= walk.height || column < 0 || column >= walk.width) {
    fail<ShapeError>(where, ": row ", row, ", column ", column, " is not in the ", walk.height, "x",
                     walk.width, " map that the cache was made for (Walk::height x Walk::width)");
  }
  check_rows(where, "x", walk, x, channels);
}
template <class T>
[[gnu::noinline]] void check_output(const char* where, const Walk& walk, const MatrixView<T>& y,
                                    Index channels, const MatrixView<const T>& residual) {
  check_rows(where, "y", walk, y, channels);
  if (residual.data != nullptr) check_rows(where, "residual", walk, residual, channels);
}

/// Throws ShapeError unless the walk has the pixel, and x one row of so many channels for each of
/// its images.
template <class T>
void require_input(const char* where, const GuardedWalk& walk, Index row, Index column,
                   const MatrixView<const T>& x, Index channels) {
  if (!walk.is_trusted) check_input(where, walk, row, column, x, channels);
}
/// Likewise of y and, if there is one, the residual.
template <class T>
void require_output(const char* where, const GuardedWalk& walk, const MatrixView<T>& y,
                    Index channels,
                    const std::type_identity_t<MatrixView<const T>>& residual = {}) {
  if (!walk.is_trusted) check_output(where, walk, y, channels, residual);
}
/// Throws ShapeError unless a row of pixels of all images, (batch · width, C), has so many
/// channels.
template <class T>
void require_row_values(const char* where, const char* what, const Walk& walk,
                        const MatrixView<T>& values, Index channels) {
  if (values.rows != walk.batch * walk.width || values.columns != channels ||
      values.stride != channels) {
    fail<ShapeError>(where, ": ", what, " of a row is (", values.rows, ", ", values.columns,
                     ") with rows ", values.stride, " apart, expected (", walk.batch * walk.width,
                     ", ", channels, "), one after the other");
  }
}
/// Throws ShapeError unless the walk has the row.
inline void require_row(const char* where, const Walk& walk, Index row) {
  if (row < 0 || row >= walk.height) {
    fail<ShapeError>(where, ": row ", row, " is not in the ", walk.height, "x", walk.width,
                     " map that the cache was made for (Walk::height x Walk::width)");
  }
}

}  // namespace detail

using tuning::worth_sharing, tuning::worth_sharing_values;

namespace detail {
/// Whether a walk of so many images is faster if what earlier rows give to the pixels of a row, by
/// so many weights, is summed for all of them at the row's begin, and each pixel goes on from
/// there: those weights meet a whole row at once then, not a pixel of each image.
template <class T>
[[nodiscard]] constexpr bool row_ahead_pays(Index images, Index weights) {
  const Index bytes = weights * static_cast<Index>(sizeof(T));
  return images <= tuning::row_ahead_images ||
         (images <= tuning::row_ahead_images_if_wide && bytes >= tuning::row_ahead_bytes);
}

/// Calls work(first, last) for ranges of whole grains that make up [0, units), one for each member
/// of the team. The same units always go to the same member, who has them in its caches.
template <class Work>
void share_range(Team& team, Index units, Index grain, const Work& work) {
  const Index grains = (units + grain - 1) / grain;
  const Index parts = std::min(team.size(), grains);
  if (parts == 1) return work(Index{0}, units);
  team.share([&](Index part) {
    if (part >= parts) return;
    const Index last = grains * (part + 1) / parts * grain;
    work(grains * part / parts * grain, std::min(units, last));
  });
}
}  // namespace detail

/// Calls product(part) for parts that make up the weights, one for each member of a walk's team, or
/// once for all of them. Each thread then reads its own part of the weights, for all images: where
/// they do not stay in a core's caches that is half of what two threads read that share the images.
/// Bits do not depend on the parts, with kernels that promise it (kernels.hpp).
template <class T, class Product>
void share_units(Team* team, Index rows, const kernels::Packed<const T>& weights,
                 const Product& product) {
  if (team == nullptr || team->size() == 1 ||
      2 * rows * weights.rows * weights.columns() < worth_sharing) {
    return product(weights);
  }
  detail::share_range(*team, weights.units, weights.grain(),
                      [&](Index first, Index last) { product(weights.part(first, last)); });
}

/// Calls copy(first, last) for ranges of columns that make up [0, columns) of `rows` rows,
/// likewise: each member takes what it computed in a plain product of so many units.
template <class Copy>
void share_columns(Team* team, Index rows, Index columns, const Copy& copy) {
  if (team == nullptr || team->size() == 1 || rows * columns < worth_sharing_values) {
    return copy(Index{0}, columns);
  }
  detail::share_range(*team, columns, kernels::unit_grain, copy);
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
