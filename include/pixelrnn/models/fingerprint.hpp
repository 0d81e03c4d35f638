// SPDX-License-Identifier: MIT
// The fingerprint of a model: some of its logits for one fixed image, to tell models apart by.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

#include <pixelrnn/core/random.hpp>
#include <pixelrnn/models/model.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// Some logits of one image whose levels are random, the same for all models of its size: at most
/// 64, at random places. Weights that fit another model too compute something else in it, and so
/// this tells whether they are where they belong. Names and shapes do not tell activations, the
/// state outside the image, nor how levels are encoded. Of images of more than 2^14 sub-pixels it
/// takes the first 64 × 64 pixels: the size of an image may be but a word of a stranger's file.
/// Empty if the model does not take them (ShapeError). Cost: a forward pass of such an image.
template <Model M>
[[nodiscard]] std::vector<double> fingerprint(const M& model) {
  using T = typename M::Scalar;
  constexpr std::size_t most = 64;
  constexpr Index large = 1 << 14, side = 64;
  ImageShape s = model.image_shape();
  const bool is_large = s.subpixels() > large;
  if (is_large) s = {std::min(s.height, side), std::min(s.width, side), s.channels};
  Rng rng(0x706978656c);  // any fixed number would do
  Tensor<Images::Level, 4> levels({1, s.height, s.width, s.channels});
  for (Images::Level& level : levels) {
    level = static_cast<Images::Level>(
        rng.below(static_cast<std::uint64_t>(model.likelihood().levels())));
  }
  FeatureMap<T> x(detail::ordered_shape(orientation_of(model), levels.shape()));
  encode(model, levels, x);
  Conditions told;
  if constexpr (ConditionalModel<M>) told = model.example_conditions(1);
  Tape<T> tape({.threads = 1, .record = false});
  FeatureView<const T> logits;
  try {
    logits = logits_given(model, tape.constant(x), told).value();
  } catch (const ShapeError&) {
    if (is_large) return {};
    throw;
  }
  const auto size = static_cast<std::size_t>(logits.size());
  std::vector<double> some(std::min(most, size));
  for (std::size_t i = 0; i < some.size(); ++i) {
    const std::size_t at = size <= most ? i : static_cast<std::size_t>(rng.below(size));
    some[i] = static_cast<double>(logits.data()[at]);
  }
  return some;
}

/// Numbers with a blank between them, as a word of a file.
[[nodiscard]] inline std::string fingerprint_text(const std::vector<double>& fingerprint) {
  std::string text;
  for (const double value : fingerprint) {
    char digits[32];
    const auto end =
        std::to_chars(digits, digits + sizeof digits, value, std::chars_format::scientific, 7);
    if (!text.empty()) text += ' ';
    text.append(digits, end.ptr);
  }
  return text;
}

/// How a fingerprint differs from the one that stands in a file, in words; empty if it does not by
/// more than 1e-3 of the largest number: rounding differs between processors and kernels, and a
/// file may hold weights of 16 bits.
[[nodiscard]] inline std::string fingerprint_difference(const std::vector<double>& found,
                                                        const std::string& expected) {
  constexpr double tolerance = 1e-3;
  const char* from = expected.data();
  const char* const end = from + expected.size();
  double largest = 0, difference = 0;
  std::ostringstream text;
  for (std::size_t i = 0; i < found.size(); ++i) {
    double value = 0;
    const auto [stopped, error] = std::from_chars(from, end, value);
    const bool is_last = i + 1 == found.size();
    if (error != std::errc{} || !std::isfinite(value) || is_last != (stopped == end) ||
        (!is_last && *stopped != ' ')) {
      text << "the fingerprint is " << detail::in_quotes(expected) << ", expected " << found.size()
           << " numbers with a blank between them";
      return text.str();
    }
    from = stopped + 1;
    largest = std::max(largest, std::abs(value));
    if (std::abs(found[i] - value) <= difference) continue;
    difference = std::abs(found[i] - value);
    text.str("");
    text << "a logit is " << found[i] << " where the file's model had " << value;
  }
  return difference > tolerance * largest ? text.str() : "";
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
