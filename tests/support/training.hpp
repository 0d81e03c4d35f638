// SPDX-License-Identifier: MIT
// A model small enough to train in a test, its data, and comparing what trainers hold.
#pragma once

#include <map>
#include <string>

#include <pixelrnn/models/pixel_cnn.hpp>
#include <pixelrnn/training/toy.hpp>
#include <pixelrnn/training/trainer.hpp>

#include "support/compare.hpp"

namespace pixelrnn::test {

using TinyModel = PixelCNN<>;

[[nodiscard]] inline TinyModel tiny_model(std::uint64_t seed = 1, Index size = 4) {
  Rng rng(seed);
  return TinyModel({.image = {size, size, 1}, .layers = 1, .hidden = 8, .head = 8}, rng);
}
[[nodiscard]] inline Images some_bars(Index count, Index size = 4) {
  Rng rng(2);
  return bars_and_stripes(count, size, rng);
}

/// Copies of named tensors.
template <class T>
using Snapshot = std::map<std::string, FeatureMap<T>>;

/// Of the weights of a model.
template <class M>
[[nodiscard]] Snapshot<typename M::Scalar> weights(M& model) {
  Snapshot<typename M::Scalar> copy;
  for (const auto& [name, values] : weights_of(model)) {
    copy[name] = FeatureMap<typename M::Scalar>(FeatureView<const typename M::Scalar>(values));
  }
  return copy;
}
/// Of everything a checkpoint of a trainer holds.
template <class Trainer>
[[nodiscard]] Snapshot<typename Trainer::Scalar> state_of(Trainer& trainer) {
  using T = typename Trainer::Scalar;
  Snapshot<T> copy;
  for (const auto& [name, values] : trainer.state()) {
    copy[name] = FeatureMap<T>(FeatureView<const T>(values));
  }
  return copy;
}

/// Where two snapshots first differ in a bit.
template <class T>
[[nodiscard]] std::string bit_difference(const Snapshot<T>& a, const Snapshot<T>& b) {
  if (a.size() != b.size()) return "not the same tensors";
  for (const auto& [name, values] : a) {
    const auto other = b.find(name);
    if (other == b.end()) return name + " is missing";
    const std::string where = bit_difference(values, other->second);
    if (!where.empty()) return name + ' ' + where;
  }
  return {};
}

}  // namespace pixelrnn::test
