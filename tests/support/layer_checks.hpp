// SPDX-License-Identifier: MIT
// What must hold for every layer, whatever it computes.
#pragma once

#include <limits>
#include <string>
#include <vector>

#include <pixelrnn/autodiff/gradcheck.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/layers.hpp"
#include "support/naive.hpp"
#include "support/random.hpp"

namespace pixelrnn::test {

/// Single pixels, rows and columns; more rows than columns and fewer.
inline const std::vector<Shape<3>> small_maps{
    {1, 1, 1}, {2, 1, 5}, {1, 6, 1}, {2, 5, 3}, {3, 2, 4}};
/// The same, one that no vector or tile divides, and one of several groups of lines.
inline const std::vector<Shape<3>> maps{{1, 1, 1}, {2, 1, 9}, {1, 8, 1},   {2, 5, 3},
                                        {7, 3, 5}, {9, 2, 2}, {1, 33, 17}, {4, 9, 34}};

[[nodiscard]] inline Shape<4> with_channels(const Shape<3>& map, Index channels) {
  return {map[0], map[1], map[2], channels};
}

/// Empty if gradcheck passes and has checked all values, else what is wrong.
template <class L>
[[nodiscard]] std::string gradcheck_says(L& layer, const FeatureMap<double>& x) {
  const GradcheckReport report = gradcheck(layer, x, {.threads = 2});
  if (report.checked != x.size() + value_count(layer)) return "not every value was checked";
  return report.passed ? "" : report.where;
}

/// The gradients of a layer are right on small maps.
template <class L>
void check_gradients(L& layer, Index in_channels) {
  for (const Shape<3>& map : small_maps) {
    CAPTURE(map);
    CHECK(gradcheck_says(layer, random_map<double>(with_channels(map, in_channels), 2)) == "");
  }
}

/// The walk gives what forward gives: the same bits if the kernels promise them.
template <class B, class L>
void check_walk_is_forward(const L& layer, const FeatureMap<typename L::Scalar>& x) {
  const auto y = output(layer, x, {.threads = 2, .record = false, .walk_bits = true});
  if constexpr (has_walk_bits<B>) {
    CHECK(bit_difference(output(layer, x), y) == "");
  } else {
    CHECK(difference(output(layer, x), y, rounding<typename L::Scalar>) == "");
  }
  for (const Visits visits : {Visits::once, Visits::thrice}) {
    CAPTURE(visits == Visits::thrice);
    const auto walked = walk(layer, x, visits);
    if constexpr (promises_bits<B>) {
      CHECK(bit_difference(walked, y) == "");
    } else {
      CHECK(difference(walked, y, rounding<typename L::Scalar>) == "");
    }
  }
}

/// Where values or gradients change a bit with the number of threads; or with a recording, whose
/// passes group images in their own way, if the kernels promise the bits of rows.
template <class L>
[[nodiscard]] std::string thread_difference(const L& layer,
                                            const FeatureMap<typename L::Scalar>& x) {
  const auto y = output(layer, x, {.threads = 1});
  const auto unrecorded = output(layer, x, {.threads = 1, .record = false});
  const auto d = gradients(layer, x, 1);
  const std::string recording = promises_bits<typename L::BackendPolicy>
                                    ? bit_difference(unrecorded, y)
                                    : difference(unrecorded, y, rounding<typename L::Scalar>);
  if (!recording.empty()) return "without a recording " + recording;
  for (const int threads : {1, 2, 4}) {
    const std::string how = "with " + std::to_string(threads) + " threads ";
    for (const std::string& where :
         {bit_difference(output(layer, x, {.threads = threads}), y),
          bit_difference(output(layer, x, {.threads = threads, .record = false}), unrecorded)}) {
      if (!where.empty()) return how + where;
    }
    const std::string where = bit_difference(gradients(layer, x, threads), d);
    if (!where.empty()) return how + "the gradient of " + where;
  }
  return {};
}
template <class L>
void check_same_bits_for_all_threads(const L& layer, const FeatureMap<typename L::Scalar>& x) {
  CHECK(thread_difference(layer, x) == "");
}

/// Where an image's bits depend on the images beside it.
template <class L>
[[nodiscard]] std::string neighbour_difference(const L& layer,
                                               const FeatureMap<typename L::Scalar>& x) {
  using T = typename L::Scalar;
  const auto y = output(layer, x);
  for (Index n = 0; n < x.shape().n(); ++n) {
    const auto alone = output(layer, FeatureMap<T>(x.view().slice(n, 1)));
    const std::string where = bit_difference(alone, FeatureMap<T>(y.view().slice(n, 1)));
    if (!where.empty()) return "image " + std::to_string(n) + ' ' + where;
  }
  return {};
}
template <class L>
void check_images_do_not_depend_on_each_other(const L& layer,
                                              const FeatureMap<typename L::Scalar>& x) {
  CHECK(neighbour_difference(layer, x) == "");
}

/// A layer whose masked weights are NaN computes what it computes when they are 0, and gives them a
/// gradient of exactly 0. `name` is the masked parameter's.
template <class L>
void check_masked_weights_are_never_used(L layer, const std::string& name,
                                         const FeatureMap<typename L::Scalar>& x, naive::Mask mask,
                                         Index colours, Index gates) {
  using T = typename L::Scalar;
  L clean(layer);
  clean.apply_mask();
  Index masked = 0;
  const auto for_each_masked = [&](L& of, auto f) {  // with its place
    for (const auto& [found, parameter] : parameters(of)) {
      if (found != name) continue;
      const Shape<4> k = parameter->shape();
      const Index units = k[3] / gates;
      for (Index y = 0; y < k[0]; ++y)
        for (Index c = 0; c < k[1]; ++c)
          for (Index i = 0; i < k[2]; ++i)
            for (Index o = 0; o < k[3]; ++o) {
              if (naive::mask_value(mask, y, c, k[0], k[1], naive::group(i, k[2], colours),
                                    naive::group(o % units, units, colours)) == 0) {
                f(parameter->value()(y, c, i, o), Shape<4>{y, c, i, o});
              }
            }
    }
  };
  for_each_masked(layer, [&](T& value, const Shape<4>&) {
    value = std::numeric_limits<T>::quiet_NaN();
    ++masked;
  });
  REQUIRE(masked > 0);
  CHECK(bit_difference(output(layer, x), output(clean, x)) == "");
  bool all_zero = true;
  const auto found = gradients(layer, x);
  for_each_masked(layer, [&](T&, const Shape<4>& at) {
    all_zero = all_zero && found.parameters.at(name)(at[0], at[1], at[2], at[3]) == 0;
  });
  CHECK(all_zero);
  CHECK(bit_difference(found, gradients(clean, x)) == "");
  bool is_applied = true;
  for_each_masked(clean, [&](T& value, const Shape<4>&) { is_applied = is_applied && value == 0; });
  CHECK(is_applied);
}

}  // namespace pixelrnn::test
