// SPDX-License-Identifier: MIT
// Weights in half precision: files of half the size.
#pragma once

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <vector>

#include <pixelrnn/io/checkpoint.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// Rounds every weight of a model to the nearest number of half precision, ties to even: by at most
/// 2^-11 of itself, or by 2^-25 where it is smaller than 2^-14; a double as the nearest float is.
/// What that costs, evaluate() says. Throws ValueError, before it changes any, if one would be
/// larger than 65,504, the largest of them, or is not finite.
template <Model M>
void round_to_half(M& model) {
  const auto weights = weights_of(model);
  for (const auto& [name, values] : weights) {
    for (const auto value : values) {
      if (std::isfinite(from_f16(to_f16(static_cast<float>(value))))) continue;
      detail::fail<ValueError>("round_to_half: a weight of ", name, " is ", value,
                               ", expected what rounds to 65,504 in size at most");
    }
  }
  using T = typename M::Scalar;
  for (const auto& [name, values] : weights) {
    for (T& value : values) {
      value = static_cast<T>(from_f16(to_f16(static_cast<float>(value))));
    }
  }
}

/// As save_weights, but in half precision: load_weights and load_model give the very weights back.
/// Throws likewise, and ValueError if a weight is none of half precision; see round_to_half.
template <Model M>
void save_half_weights(const std::filesystem::path& path, const M& model,
                       const Metadata& extra = {}) {
  const char* const where = "save_half_weights";
  const auto weights = weights_of(model);
  std::vector<std::vector<std::uint16_t>> halves;
  std::vector<StoredTensor> tensors;
  for (const auto& [name, values] : weights) {
    std::vector<std::uint16_t>& half = halves.emplace_back();
    for (const auto value : values) {
      half.push_back(to_f16(static_cast<float>(value)));
      const auto back = static_cast<typename M::Scalar>(from_f16(half.back()));
      if (back == value || std::isnan(value)) continue;
      detail::fail<ValueError>(where, ": a weight of ", name, " is ", value,
                               ", expected one of half precision; see round_to_half");
    }
    const Shape<4> s = values.shape();
    tensors.push_back({name, Dtype::f16, {s[0], s[1], s[2], s[3]}, std::as_bytes(std::span(half))});
  }
  detail::write_weights(where, path, model, tensors, extra);
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
