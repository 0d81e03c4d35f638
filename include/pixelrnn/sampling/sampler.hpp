// SPDX-License-Identifier: MIT
// Samplers: FullForward runs the whole net for every sub-pixel, Cached walks it once an image.
#pragma once

#include <vector>

#include <pixelrnn/core/random.hpp>
#include <pixelrnn/core/thread_choice.hpp>
#include <pixelrnn/core/tuning.hpp>
#include <pixelrnn/kernels/backend.hpp>
#include <pixelrnn/models/model.hpp>
#include <pixelrnn/sampling/keep.hpp>
#include <pixelrnn/sampling/rules.hpp>
#include <pixelrnn/sampling/walker.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

struct SampleOptions {
  std::uint64_t seed = 0;
  int threads = 0;          ///< 0: as many as OpenMP offers
  Index batch = 64;         ///< images at once: in one walk of a thread or team (Cached), or in one
                            ///< pass (FullForward), whose memory grows with them; no image depends
                            ///< on it
  std::uint64_t first = 0;  ///< number of the first image: image i of one call with first = k is
                            ///< image i + k of a call with first = 0
  std::vector<std::uint64_t> numbers{};  ///< of all images, one for each, in place of `first`
  Index height = 0, width = 0;           ///< of the images that sample() makes; 0: the model's
  /// What models with a condition are told of the images that sample() makes: one for each of them,
  /// or one for all. {.labels = {3}} asks for images of class 3.
  Conditions conditions{};
};

namespace detail {

/// The number of image n of a call.
[[nodiscard]] inline std::uint64_t number_of_image(const SampleOptions& options, Index n) {
  const auto i = static_cast<std::size_t>(n);
  return options.numbers.empty() ? options.first + i : options.numbers[i];
}
/// Throws ConfigError unless there is a number for each image, if there are any.
inline void require_numbers(const SampleOptions& options, Index images) {
  if (options.numbers.empty() || std::ssize(options.numbers) == images) return;
  fail<ConfigError>("sample: there are ", options.numbers.size(), " SampleOptions::numbers for ",
                    images, " images, expected none or one for each");
}

/// Draws the sub-pixels of a model's images, with memory of its own to work in.
template <Model M, SamplingRule Rule>
class Drawer {
 public:
  using T = typename M::Scalar;

  /// Adds ln p of what it draws for image n to log_p[n], unless that is empty.
  Drawer(const M& model, const Rule& rule, const SampleOptions& options, std::span<double> log_p)
      : likelihood_(model.likelihood()), rule_(rule), options_(options), log_p_(log_p) {}

  /// Draws a channel of pixel (row, column) of image n, given the logits of the pixel. The
  /// randomness is keyed by (seed, image, pixel, channel) alone, so an image does not depend on its
  /// batch, the threads or the sampler.
  void operator()(TensorView<Images::Level, 3> image, Index n, const T* logits, Index row,
                  Index column, Index channel) {
    const std::span<Images::Level> pixel(&image(row, column, 0),
                                         static_cast<std::size_t>(image.shape()[2]));
    const Conditional auto p = likelihood_.conditional(logits, pixel, channel, room_);
    room_of_rule_.resize(static_cast<std::size_t>(p.levels()));
    const std::uint64_t number = number_of_image(options_, n);
    const Index at = row * image.shape()[1] + column;
    const DrawSite site{number, row, column, channel, image, room_of_rule_};
    const int level = rule_.draw(p, keyed_uniform(options_.seed, number, at, channel), site);
    if (level < 0 || level >= p.levels()) {
      fail<ValueError>("sample: the rule draws level ", level, " at pixel ", at, ", channel ",
                       channel, " of image ", number, ", expected 0 to ", p.levels() - 1);
    }
    const double log_p = p.log_probability(level);
    if (std::isnan(log_p)) {
      fail<NumericError>("sample: the model gives NaN at pixel ", at, ", channel ", channel,
                         " of image ", number, "; its weights are not finite or diverged");
    }
    pixel[static_cast<std::size_t>(channel)] = static_cast<Images::Level>(level);
    if (!log_p_.empty()) log_p_[static_cast<std::size_t>(n)] += log_p;
  }

 private:
  typename M::Likelihood likelihood_;
  const Rule& rule_;
  const SampleOptions& options_;
  std::span<double> log_p_;
  std::vector<double> room_, room_of_rule_;
};

}  // namespace detail

// How a sampler is called: fill(model, canvas, keep, rule, options, log_p) draws what `keep` does
// not keep of all images of the canvas, and adds ln p of what it draws for image n to log_p[n]
// unless that is empty.

/// One whole forward pass of each batch for every unknown sub-pixel: H·W·C passes. Works for every
/// model; the oracle of Cached.
struct FullForward {
  template <Model M, KeepPolicy Keep, SamplingRule Rule>
  static void fill(const M& model, Images& canvas, const Keep& keep, const Rule& rule,
                   const SampleOptions& options, std::span<double> log_p = {}) {
    using T = typename M::Scalar;
    const ImageShape image = canvas.image_shape();
    Tape<T> tape({.threads = options.threads, .record = false, .walk_bits = true});
    detail::Drawer<M, Rule> draw(model, rule, options, log_p);
    ThreadChoice choice;
    const Index batch = std::min(options.batch, canvas.count());
    const Orientation orientation = orientation_of(model);
    const ImageShape ordered = orientation.ordered(image);
    FeatureMap<T> inputs({batch, ordered.height, ordered.width, ordered.channels});
    for (Index first = 0; first < canvas.count(); first += batch) {
      const Index count = std::min(batch, canvas.count() - first);
      const FeatureView<T> x = inputs.view().slice(0, count);
      for (Index row = 0; row < ordered.height; ++row) {
        Index unknown = 0;
        for (Index column = 0; column < ordered.width; ++column) {
          const Orientation::Place at = orientation.in_image(image, row, column);
          unknown += keep.keeps(at.row, at.column) ? 0 : 1;
        }
        if (unknown == 0) continue;
        choice.run<ExecutionOf<M>>(options.threads, count * unknown, [&] {
          fill_row(model, canvas, first, row, x, tape, keep, draw);
        });
      }
    }
  }

 private:
  /// A row, in the model's order, of the images from `first` on, as many as `x` has room for.
  template <Model M, KeepPolicy Keep, SamplingRule Rule>
  static void fill_row(const M& model, Images& canvas, Index first, Index row,
                       FeatureView<typename M::Scalar> x, Tape<typename M::Scalar>& tape,
                       const Keep& keep, detail::Drawer<M, Rule>& draw) {
    using T = typename M::Scalar;
    const ImageShape image = canvas.image_shape();
    const Index count = x.shape().n();
    const ConditionView told = ConditionView(canvas.conditions()).slice(first, count);
    const Orientation orientation = orientation_of(model);
    for (Index column = 0; column < orientation.ordered(image).width; ++column) {
      const Orientation::Place at = orientation.in_image(image, row, column);
      if (keep.keeps(at.row, at.column)) continue;
      for (Index channel = 0; channel < image.channels; ++channel) {
        tape.reset();
        encode(model, canvas.pixels().slice(first, count), x);
        const FeatureView<const T> logits = logits_given(model, tape.constant(x), told).value();
        for (Index n = 0; n < count; ++n) {
          draw(canvas[first + n], first + n, &logits(n, row, column, 0), at.row, at.column,
               channel);
        }
      }
    }
  }
};

/// One incremental walk over the image: the work of about one forward pass for all of it. Needs a
/// WalkableModel: one whose net's layers are incremental. Threads take batches of images or, where
/// a pixel's products are large, share these: a pair a batch, or more where there are more threads
/// than images.
struct Cached {
  template <Model M, KeepPolicy Keep, SamplingRule Rule>
  static void fill(const M& model, Images& canvas, const Keep& keep, const Rule& rule,
                   const SampleOptions& options, std::span<double> log_p = {}) {
    static_assert(detail::HasNet<const M>,
                  "Cached needs a model with a member net() const, which it walks: see concept "
                  "WalkableModel in pixelrnn/models/model.hpp, or use FullForward");
    static_assert(!detail::HasNet<const M> || WalkableModel<M>,
                  "Cached needs a net that can step, of the model's Scalar: see concept "
                  "IncrementalLayer in pixelrnn/nn/layer.hpp and examples/custom_layer.cpp, or use "
                  "FullForward");
    if constexpr (WalkableModel<M>) fill_batches(model, canvas, keep, rule, options, log_p);
  }

 private:
  template <WalkableModel M, KeepPolicy Keep, SamplingRule Rule>
  static void fill_batches(const M& model, Images& canvas, const Keep& keep, const Rule& rule,
                           const SampleOptions& options, std::span<double> log_p) {
    // As few images a batch as fill the teams: the batch does not change an image's bits.
    using E = ExecutionOf<M>;
    const Index threads = E::workers(options.threads, tuning::team_limit * canvas.count());
    const Index size = team_size(model, threads, canvas);
    const Index teams = std::max<Index>(1, threads / size);
    const Index batch = std::clamp<Index>((canvas.count() + teams - 1) / teams, 1, options.batch);
    const Index batches = (canvas.count() + batch - 1) / batch;
    execution::for_each_team<E>(static_cast<int>(threads), batches, size, [&](Index b, Team& team) {
      const Index first = b * batch;
      walk(model, canvas, first, std::min(batch, canvas.count() - first), team, keep, rule, options,
           log_p);
    });
  }

  template <WalkableModel M>
  [[nodiscard]] static Index team_size(const M& model, Index threads, const Images& canvas) {
    const ImageShape image = canvas.image_shape();
    const Index images = canvas.count();
    const Index pixel =
        flops(model.net(), image.height, image.width) / (image.height * image.width);
    const Index least = images < threads ? tuning::divisible : tuning::indivisible_memory;
    if (threads == 1 || pixel < least || images >= tuning::many_images * threads) return 1;
    return std::min(threads, std::clamp<Index>(threads / images, 2, tuning::team_limit));
  }

  /// Calls draw(n, member) for each image: by all members of the team if there is enough to draw,
  /// some two microseconds an image of 256 levels.
  template <class Draw>
  static void share_images(Team& team, Index count, Index levels, const Draw& draw) {
    if (team.size() == 1 || count * levels < worth_sharing_values) {
      for (Index n = 0; n < count; ++n) draw(n, Index{0});
      return;
    }
    team.share([&](Index part) {
      for (Index n = part; n < count; n += team.size()) draw(n, part);
    });
  }

  template <WalkableModel M, KeepPolicy Keep, SamplingRule Rule>
  static void walk(const M& model, Images& canvas, Index first, Index count, Team& team,
                   const Keep& keep, const Rule& rule, const SampleOptions& options,
                   std::span<double> log_p) {
    const ImageShape image = canvas.image_shape();
    Walker<M> walker(model, {count, image.height, image.width, &team},
                     ConditionView(canvas.conditions()).slice(first, count));
    std::vector<detail::Drawer<M, Rule>> draws(static_cast<std::size_t>(team.size()),
                                               {model, rule, options, log_p});
    std::vector<Images::Level> levels;
    levels.reserve(static_cast<std::size_t>(count * image.channels));
    const auto read = [&](Index row, Index column, Index begin, Index end) {
      levels.clear();
      for (Index n = first; n < first + count; ++n) {
        for (Index c = begin; c < end; ++c) levels.push_back(canvas[n](row, column, c));
      }
      return std::span<const Images::Level>(levels);
    };
    while (!walker.done()) {
      const Index row = walker.row(), column = walker.column();
      if (keep.keeps(row, column)) {
        walker.put_pixel(read(row, column, 0, image.channels));
        continue;
      }
      for (Index channel = 0; channel < image.channels; ++channel) {
        const auto logits = walker.logits();
        share_images(team, count, model.likelihood().levels(), [&](Index n, Index member) {
          draws[static_cast<std::size_t>(member)](canvas[first + n], first + n, logits.row(n), row,
                                                  column, channel);
        });
        walker.put(read(row, column, channel, channel + 1));
      }
    }
  }
};

namespace detail {
/// Refuses a model that means to be walked and is not walkable: it would be sampled all the same,
/// far more slowly.
template <class M>
struct DefaultSampler {
  static_assert(!HasNet<M>,
                "net() of a model must be const: see concept WalkableModel in "
                "pixelrnn/models/model.hpp");
  using type = FullForward;
};
template <class M>
requires HasNet<const M>
struct DefaultSampler<M> {
  static_assert(WholeWalk<NetOf<M>>::value);
  using type = std::conditional_t<WalkableModel<M>, Cached, FullForward>;
};
}  // namespace detail
/// Cached for a WalkableModel, else FullForward.
template <Model M>
using DefaultSampler = typename detail::DefaultSampler<M>::type;

}  // namespace pixelrnn::inline PIXELRNN_ABI
