// SPDX-License-Identifier: MIT
// Comparing samplers: one mathematics, two walks.
#pragma once

#include <sstream>
#include <string>

#include <pixelrnn/sampling/sample.hpp>

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
  const Images known = random_images(3, model.image_shape(), M::Likelihood::levels, 21);
  std::ostringstream out;
  for_each_rule([&](const char* rule_name, auto rule) {
    for_each_keep_policy(model.image_shape(), [&](const char* keep_name, const auto& keep) {
      const SampleOptions options{.seed = 31, .threads = 1};
      const Images cached = complete(model, known, keep, options, rule, Cached{});
      const Images full = complete(model, known, keep, options, rule, FullForward{});
      const std::string where = difference(cached, full);
      if (!where.empty()) out << rule_name << ", keeping " << keep_name << ": " << where << '\n';
    });
  });
  return out.str();
}

/// Where an image depends on the batch, the threads, the sampler or the number it is asked for by.
template <class M>
[[nodiscard]] std::string batch_difference(const M& model, Index count = 11) {
  const Images base = sample(model, count, {.seed = 41, .threads = 1, .batch = count});
  std::ostringstream out;
  const auto compare = [&](const Images& images, const Images& expected, SampleOptions how,
                           const char* sampler) {
    const std::string where = difference(images, expected);
    if (where.empty()) return;
    out << sampler << ", batch " << how.batch << ", threads " << how.threads << ", first "
        << how.first << ": " << where << '\n';
  };
  for (const Index batch : {1, 2, 8, 64}) {
    for (const int threads : {1, 2, 4}) {
      const SampleOptions how{.seed = 41, .threads = threads, .batch = batch};
      compare(sample(model, count, how, Multinomial{}, Cached{}), base, how, "Cached");
      if (batch == 1) {
        compare(sample(model, count, how, Multinomial{}, FullForward{}), base, how, "FullForward");
      }
    }
  }
  for (const Index first : {Index{1}, count / 2, count - 1}) {
    const SampleOptions how{
        .seed = 41, .threads = 2, .batch = 3, .first = static_cast<std::uint64_t>(first)};
    compare(sample(model, count - first, how), base.slice(first, count - first), how, "default");
  }
  return out.str();
}

}  // namespace pixelrnn::test
