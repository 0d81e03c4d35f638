// SPDX-License-Identifier: MIT
// Comparing samplers: one mathematics, two walks.
#pragma once

#include <sstream>
#include <string>

#include <pixelrnn/verify/samples.hpp>

#include "support/models.hpp"

namespace pixelrnn::test {

/// Calls f(name, keep) for keep policies of every kind.
template <class F>
void for_each_keep_policy(const ImageShape& image, F&& f) {
  const Index h = image.height, w = image.width;
  KeepMask mask{Tensor<unsigned char, 2>({h, w})};
  Rng rng(5);
  for (unsigned char& v : mask.mask) v = static_cast<unsigned char>(rng.below(2));
  f("nothing", KeepRows{0});
  f("a row", KeepRows{1});
  f("everything", KeepRows{h});
  f("a box", KeepBox{h / 3, w / 2, h - h / 3, w - w / 2});
  f("all but a box", KeepBox{0, w / 4, h / 2, w / 2, false});
  f("alternate pixels", KeepAlternate{});
  f("a mask", mask);
}
/// Calls f(name, rule) for each sampling rule.
template <class F>
void for_each_rule(F&& f) {
  f("Multinomial", Multinomial{});
  f("Temperature", Temperature{0.6});
  f("Argmax", Argmax{});
}

/// Where Cached and FullForward give different images, for every rule and keep policy.
template <class M>
[[nodiscard]] std::string sampler_difference(const M& model) {
  std::ostringstream out;
  for_each_rule([&](const char* rule_name, auto rule) {
    for_each_keep_policy(model.image_shape(), [&](const char* keep_name, const auto& keep) {
      const VerifyReport report = verify_samplers(model, keep, rule, {.seed = 31, .threads = 1}, 3);
      if (report) return;
      out << rule_name << ", keeping " << keep_name << ": " << report.where << '\n';
    });
  });
  return out.str();
}

/// Where an image depends on the batch, the threads or the number it is asked for by.
template <class M>
[[nodiscard]] std::string batch_difference(const M& model) {
  return verify_determinism(model, {.seed = 41}).where;
}

}  // namespace pixelrnn::test
