// SPDX-License-Identifier: MIT
// Proofs about samples: the same images by every sampler, batch and thread, from the right p(x).
#pragma once

#include <algorithm>
#include <cstring>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <pixelrnn/sampling/sample.hpp>
#include <pixelrnn/verify/chi_square.hpp>
#include <pixelrnn/verify/verify.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

namespace detail {

/// All pixels but `positions` evenly spread ones, of which the last pixel is one: it has the
/// longest past. 0: none.
[[nodiscard]] inline KeepMask keep_all_but(Index positions, const ImageShape& image) {
  const Index n = image.height * image.width;
  const Index drawn = positions > 0 ? std::min(positions, n) : n;
  KeepMask keep{Tensor<unsigned char, 2>({image.height, image.width}, 1)};
  for (Index t = 0; t < drawn; ++t) keep.mask.data()[n * (t + 1) / drawn - 1] = 0;
  return keep;
}

/// Calls f(first, logits) with what the net gives for `most` batches of x, or for all if there are
/// not so many: the first, the last and some evenly between.
template <Model M, class F>
void for_some_batches(const M& model, const FeatureMap<typename M::Scalar>& x,
                      const ConditionView& told, TapeOptions options, Index batch, Index most,
                      F&& f) {
  using T = typename M::Scalar;
  Tape<T> tape(options);
  const Index batches = (x.shape().n() + batch - 1) / batch, asked = std::min(most, batches);
  for (Index t = 0; t < asked; ++t) {
    const Index first = asked == 1 ? 0 : (batches - 1) * t / (asked - 1) * batch;
    const FeatureView<const T> part = x.view().slice(first, std::min(batch, x.shape().n() - first));
    tape.reset();
    f(first, logits_given(model, tape.constant(part), told.slice(first, part.shape().n())).value());
  }
}

/// Adds to a report the comparison, by bits, of two times `count` numbers, of which as many belong
/// to one pixel; image 0 here is number `first` of all. `what` and `why` go around the place.
template <class T>
void compare_bits(VerifyReport& report, const T* a, const T* b, Index count, Index a_pixel,
                  const ImageShape& image, Index first, const std::string& what,
                  const std::string& why) {
  report.checked += count;
  if (!report.passed) return;
  for (Index i = 0; i < count; ++i) {
    if (std::memcmp(a + i, b + i, sizeof(T)) == 0) continue;
    const Index pixels = image.height * image.width, at = i / a_pixel;
    std::ostringstream where;
    where << what
          << subpixel(at % pixels * image.channels + i % a_pixel * image.channels / a_pixel, image)
          << " of image " << first + at / pixels << why;
    report.passed = false;
    report.where = where.str();
    return;
  }
}

inline constexpr int thread_counts[]{1, 2, 4};
inline constexpr Index batch_sizes[]{1, 2, 8, 64};

}  // namespace detail

/// Cached and FullForward must draw the same images with this rule and keep policy, from images of
/// random levels. For models whose net can step; kernels::Eigen, which rounds a batch in other ways
/// than an image alone, may by chance make them differ. Errors: those of complete.
/// Cost: a forward pass of all `images` for each sub-pixel that is drawn.
template <Model M, KeepPolicy Keep, SamplingRule Rule>
[[nodiscard]] VerifyReport verify_samplers(const M& model, const Keep& keep, const Rule& rule,
                                           VerifyOptions options = {}, Index images = 4) {
  Rng rng(options.seed);
  Images known = detail::random_images(model, images, rng);
  known.set_conditions(detail::told_of(model, images, options));
  const SampleOptions how{.seed = options.seed, .threads = options.threads};
  const Images walked = complete(model, known, keep, how, rule, Cached{});
  const Images expected = complete(model, known, keep, how, rule, FullForward{});
  VerifyReport report;
  detail::compare_bits(report, walked.pixels().data(), expected.pixels().data(),
                       expected.pixels().size(), model.image_shape().channels, model.image_shape(),
                       0, "Cached and FullForward draw different levels at ", "");
  return report;
}
/// The same with all sampling rules of the library, and with a random half of the pixels kept.
/// With `options.positions` only so many pixels are drawn, evenly spread, and the others kept.
/// Cost: 3.5 times that of one rule.
template <Model M>
[[nodiscard]] VerifyReport verify_samplers(const M& model, VerifyOptions options = {},
                                           Index images = 4) {
  const KeepMask keep = detail::keep_all_but(options.positions, model.image_shape());
  KeepMask keep_more = keep;
  Rng rng(options.seed + 1);
  for (unsigned char& v : keep_more.mask) v = v != 0 || rng.below(2) == 1;
  VerifyReport report;
  const auto ask = [&](const char* how, const KeepMask& mask, const auto& rule) {
    const VerifyReport one = verify_samplers(model, mask, rule, options, images);
    report.checked += one.checked;
    if (one.passed || !report.passed) return;
    report.passed = false;
    report.where = one.where + how;
  };
  ask(" (Multinomial)", keep, Multinomial{});
  ask(" (Temperature)", keep, Temperature{0.6});
  ask(" (Argmax)", keep, Argmax{});
  ask(" (Multinomial, half of the pixels kept)", keep_more, Multinomial{});
  return report;
}

/// Neither the number of threads nor the images beside it may change a bit of an image: its logits,
/// with and without a recording, and its levels as drawn, by 1, 2 and 4 threads in batches of 1, 2,
/// 8 and 64, and asked for by its number alone or among others. 70 images fill a batch of 64 and
/// leave a rest; of small batches three are enough for the logits. With `options.positions` only so
/// many pixels are drawn, evenly spread, and the others kept; `options.threads` has no meaning
/// here. Models with kernels::Eigen are found: it promises the threads only, not the batches.
/// Errors: those of complete. Cost: forward passes of ten times as many images, half of them
/// recorded, and 15 walks of all images by Cached; FullForward makes as many forward passes of all
/// images for each sub-pixel that is drawn.
template <Model M, class Sampler = DefaultSampler<M>>
[[nodiscard]] VerifyReport verify_determinism(const M& model, VerifyOptions options = {},
                                              Index images = 70, Sampler sampler = {}) {
  using T = typename M::Scalar;
  const ImageShape image = model.image_shape();
  Rng rng(options.seed);
  Images known = detail::random_images(model, images, rng);
  known.set_conditions(detail::told_of(model, images, options));
  FeatureMap<T> x(detail::ordered_shape(orientation_of(model), known.pixels().shape()));
  encode(model, known.pixels(), x);
  VerifyReport report;
  const auto why = [](int threads, Index batch) {
    std::ostringstream text;
    text << " differ between threads = 1, batch = 64 and threads = " << threads
         << ", batch = " << batch;
    return text.str();
  };

  for (const bool record : {false, true}) {
    const std::string what = record ? "the recorded logits of " : "the logits of ";
    const Index outputs = model.likelihood().outputs(image.channels);
    FeatureMap<T> all(x.shape().with_channels(outputs));
    detail::for_some_batches(model, x, known.conditions(), {.threads = 1, .record = record}, 64,
                             images, [&](Index first, FeatureView<const T> z) {
                               std::copy(z.begin(), z.end(), all.view()[first].data());
                             });
    for (const int threads : detail::thread_counts) {
      for (const Index batch : detail::batch_sizes) {
        detail::for_some_batches(
            model, x, known.conditions(), {.threads = threads, .record = record}, batch, 3,
            [&](Index first, FeatureView<const T> z) {
              detail::compare_bits(report, z.data(), std::as_const(all).view()[first].data(),
                                   z.size(), outputs, image, first, what, why(threads, batch));
            });
      }
    }
  }

  const KeepMask keep = detail::keep_all_but(options.positions, image);
  SampleOptions how{.seed = options.seed, .threads = 1, .batch = 64};
  const Images drawn = complete(model, known, keep, how, Multinomial{}, sampler);
  const auto compare = [&](const Images& found, Index first, const std::string& text) {
    detail::compare_bits(report, found.pixels().data(), drawn[first].data(), found.pixels().size(),
                         image.channels, image, first, "the levels drawn at ", text);
  };
  for (const int threads : detail::thread_counts) {
    for (const Index batch : detail::batch_sizes) {
      how.threads = threads, how.batch = batch;
      compare(complete(model, known, keep, how, Multinomial{}, sampler), 0, why(threads, batch));
    }
  }
  how = {.seed = options.seed, .threads = 2, .batch = 3};
  for (const Index first : {Index{1}, images / 2, images - 1}) {
    if (first < 1 || first >= images) continue;
    how.first = static_cast<std::uint64_t>(first);
    compare(complete(model, known.slice(first, images - first), keep, how, Multinomial{}, sampler),
            first, " differ without the images before number " + std::to_string(first));
  }
  return report;
}

/// Samples must come from p(x): chi-square of `draws` images against the exact probability of all
/// images there are. `value` is the p-value, how probable counts as far from their expectation are;
/// below 1e-4 the report fails, so a right model fails with one seed in 10 000, and always with
/// that seed. It fails too unless two images are expected 5 times, or one is, and all that are
/// rarer once together: less would prove nothing. Throws ConfigError if there are more than 2^20
/// images: use a tiny model, of 16 to 1000. Cost: `draws` samples, and levels^sub-pixels images
/// through the net.
template <Model M, class Sampler = DefaultSampler<M>>
[[nodiscard]] VerifyReport verify_distribution(const M& model, VerifyOptions options = {},
                                               Index draws = 20000, Sampler sampler = {}) {
  const std::vector<double> p = detail::all_probabilities("verify_distribution", model, options);
  const Images images = sample(model, draws,
                               {.seed = options.seed,
                                .threads = options.threads,
                                .conditions = detail::told_of(model, 1, options)},
                               Multinomial{}, sampler);
  std::vector<std::size_t> counts(p.size());
  for (Index n = 0; n < draws; ++n) {
    std::size_t number = 0;
    for (Index i = images[n].size(); i-- > 0;) {
      number = number * static_cast<std::size_t>(images.levels()) + images[n].data()[i];
    }
    ++counts[number];
  }
  const detail::ChiSquare found = detail::chi_square(counts, p);
  VerifyReport report;
  report.checked = draws;
  report.value = found.p_value;
  report.passed = found.p_value >= 1e-4 && found.freedom > 0;
  if (found.freedom == 0) {
    report.where = "fewer than two images are expected often enough in " + std::to_string(draws);
  }
  if (found.p_value < 1e-4) {
    std::ostringstream where;
    where << draws << " draws are not from p(x): the p-value of chi-square is " << found.p_value;
    report.where = where.str();
  }
  return report;
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
