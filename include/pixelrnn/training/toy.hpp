// SPDX-License-Identifier: MIT
// A data set that needs no download and whose entropy is known: what no model can beat.
#pragma once

#include <cmath>
#include <numbers>
#include <utility>
#include <vector>

#include <pixelrnn/core/images.hpp>
#include <pixelrnn/core/random.hpp>
#include <pixelrnn/likelihood/likelihood.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// `count` binary images of size × size (MacKay 2003, ch. 43): one coin decides between bars
/// (equal rows, label 0) and stripes (equal columns, label 1), and one more for each line whether
/// it is 1. Throws ConfigError if count is negative or size not positive.
[[nodiscard]] inline Images bars_and_stripes(Index count, Index size, Rng& rng) {
  if (count < 0 || size < 1) {
    detail::fail<ConfigError>("bars_and_stripes: count is ", count, " and size ", size,
                              ", expected count >= 0 and size >= 1");
  }
  Images images(count, {size, size, 1}, 2);
  std::vector<int> labels;
  for (Index i = 0; i < count; ++i) {
    const bool rows_are_equal = rng.below(2) == 1;
    labels.push_back(rows_are_equal ? 0 : 1);
    const TensorView<Images::Level, 3> image = images[i];
    for (Index line = 0; line < size; ++line) {
      const auto level = static_cast<Images::Level>(rng.below(2));
      for (Index k = 0; k < size; ++k) {
        (rows_are_equal ? image(k, line, 0) : image(line, k, 0)) = level;
      }
    }
  }
  images.set_labels(std::move(labels));
  return images;
}

/// The entropy of one such image: the mean nats of the true distribution, which no model is below
/// on average over fresh images. There are 2^(size+1) equally likely throws of the coins, and only
/// the two images of one level come from two throws each: (size+1) ln 2 - 2^(1-size) ln 2. Who is
/// told the label needs size · ln 2.
/// Throws ConfigError if size is not positive.
[[nodiscard]] inline Nats bars_and_stripes_entropy(Index size) {
  if (size < 1) {
    detail::fail<ConfigError>("bars_and_stripes_entropy: size is ", size, ", expected 1 or more");
  }
  const double throws = static_cast<double>(size) + 1;
  return {std::numbers::ln2 * (throws - std::exp2(1 - static_cast<double>(size)))};
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
