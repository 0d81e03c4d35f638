// SPDX-License-Identifier: MIT
// Initial-state policies: what a recurrence finds where the image ends.
#pragma once

#include <concepts>
#include <string_view>

#include <pixelrnn/autodiff/parameter.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// h and c are zero outside the image.
struct ZeroState {
  static constexpr std::string_view name = "zero";
  static constexpr bool is_learned = false;
  static constexpr bool is_scanned = false;
};

/// h and c are trained, one value a hidden unit (the paper learns them): above the first row for
/// Row LSTM, at column -1 of every row for Diagonal LSTM (above row 0 its state stays zero).
struct LearnedState {
  static constexpr std::string_view name = "learned";
  static constexpr bool is_learned = true;
  static constexpr bool is_scanned = false;
};

/// For Diagonal LSTM weights that were trained by running the recurrence over the padding of the
/// skewed map: the state at (r, -1) is what r steps over zero inputs give, h and c starting from
/// zero. Depends on the weights and on r, not on the image; computed once a forward pass. Without
/// it such weights compute another function. Whether the bias of the input is part of such a step
/// depends on when the map was skewed: see DiagonalConfig::padding_bias.
struct PaddedScanState {
  static constexpr std::string_view name = "padded_scan";
  static constexpr bool is_learned = false;
  static constexpr bool is_scanned = true;
};

template <class S>
concept InitialState = requires {
  { S::name } -> std::convertible_to<std::string_view>;
  { S::is_learned } -> std::convertible_to<bool>;
  { S::is_scanned } -> std::convertible_to<bool>;
};

namespace detail {

/// h or c of `hidden` units outside the image: (1, 1, 1, hidden) if it is learned, else nothing.
template <InitialState S, class T>
[[nodiscard]] Parameter<T> initial_parameter(Index hidden) {
  if constexpr (S::is_learned) {
    return Parameter<T>({1, 1, 1, hidden});
  } else {
    return {};
  }
}

}  // namespace detail
}  // namespace pixelrnn::inline PIXELRNN_ABI
