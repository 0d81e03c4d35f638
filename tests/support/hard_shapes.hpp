// SPDX-License-Identifier: MIT
// Whole models at the sizes that break things: single pixels, rows, columns, odd sizes, the
// paper's.
#pragma once

#include <algorithm>
#include <cmath>
#include <sstream>
#include <string>

#include "support/samplers.hpp"

namespace pixelrnn::test {

/// Where a model of one colour or three is wrong at a shape: Cached and FullForward must draw the
/// same last pixels of `batch` images, and logits must be finite and their probabilities sum to 1.
template <class M>
[[nodiscard]] std::string shape_fault(const M& model, Index batch) {
  using T = typename M::Scalar;
  const int levels = model.likelihood().levels();
  const Index outputs = model.likelihood().outputs(1);
  const FeatureMap<T> z =
      logits_of(model, encoded(model, random_images(batch, model.image_shape(), levels, 51)), 2);
  for (Index i = 0; i < z.size(); i += outputs) {
    double sum = 0;
    for (int level = 0; level < levels; ++level) {
      sum += probability<typename M::Likelihood>(z.data() + i, level);
    }
    const bool finite = std::all_of(z.data() + i, z.data() + i + outputs,
                                    [](T logit) { return std::isfinite(logit); });
    if (!finite || !(std::abs(sum - 1) < 1e-5)) {
      return "the probabilities of sub-pixel " + std::to_string(i / outputs) + " of all sum to " +
             std::to_string(sum);
    }
  }
  // FullForward takes a whole pass a pixel, so of most pixels the known level is kept.
  const KeepMask keep = pixelrnn::detail::keep_all_but(3, model.image_shape());
  return verify_samplers(model, keep, Multinomial{}, {.seed = 52, .threads = 2}, batch).where;
}

/// What breaks tiles, vectors and parts of batches.
struct HardShape {
  ImageShape image;
  Index hidden, batch;
};
/// Each image size, each width and each batch at least once, large ones with small ones.
inline constexpr HardShape hard_shapes[]{
    {{1, 1, 1}, 1, 1},    {{1, 1, 1}, 64, 16},  {{1, 9, 1}, 3, 7},    {{1, 17, 1}, 20, 2},
    {{9, 1, 1}, 16, 16},  {{17, 1, 1}, 1, 7},   {{5, 3, 1}, 64, 2},   {{5, 3, 1}, 20, 16},
    {{28, 28, 1}, 3, 2},  {{28, 28, 1}, 16, 1}, {{33, 17, 1}, 20, 1}, {{33, 17, 1}, 1, 7},
    {{28, 28, 1}, 64, 1},
};

/// Where a family of models is wrong at a hard shape: "" if nowhere.
template <class M>
[[nodiscard]] std::string faults_at_hard_shapes() {
  std::ostringstream out;
  for (const HardShape& s : hard_shapes) {
    typename M::Config config;
    config.image = s.image;
    config.layers = 1;
    config.hidden = s.hidden;
    config.head = 7;
    const std::string fault = shape_fault(random_model<M>(config, 53, 0.2), s.batch);
    if (fault.empty()) continue;
    out << s.image << ", hidden " << s.hidden << ", batch " << s.batch << ": " << fault << '\n';
  }
  return out.str();
}

}  // namespace pixelrnn::test
