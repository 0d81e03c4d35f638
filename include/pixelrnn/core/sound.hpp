// SPDX-License-Identifier: MIT
// Sound: samples, their levels, and pieces of them as images of one row.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include <pixelrnn/core/images.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// Samples from -1 to 1, `channels` of each frame side by side.
struct Sound {
  std::vector<float> samples;  ///< (frames, channels)
  Index channels = 1;
  Index rate = 16000;  ///< frames a second

  [[nodiscard]] Index frames() const { return std::ssize(samples) / channels; }
};

/// How a sample becomes one of so many levels, and back.
struct Companding {
  enum class Law {
    mu,      ///< fine where it is quiet: the μ-law of ITU-T G.711's curve, μ = levels - 1
    linear,  ///< as files of whole numbers have them: 65,536 levels are 16 bits, without a loss
  };
  int levels = 256;
  Law law = Law::mu;

  /// f(x) = sign(x) ln(1 + μ|x|) / ln(1 + μ) (van den Oord et al. 2016c, arXiv 1609.03499, sec.
  /// 2.2), from -1 … 1 evenly to 0 … levels - 1 and rounded; or, linear, the whole number nearest
  /// to x·levels/2, which is 0 at the level levels/2. What is louder has the first or the last
  /// level. Throws ValueError if x is not finite, ConfigError unless there are 2 to 65536 levels.
  [[nodiscard]] Images::Level level(float x) const {
    detail::require_level_count("Companding", levels);
    if (!std::isfinite(x)) {
      detail::fail<ValueError>("Companding: a sample is ", x, ", expected a number from -1 to 1");
    }
    const double bounded = std::clamp(double{x}, -1.0, 1.0), top = levels - 1;
    if (law == Law::linear) {
      const auto number = static_cast<int>(std::lround(bounded * levels / 2));
      return static_cast<Images::Level>(std::clamp(number + levels / 2, 0, levels - 1));
    }
    const double f = std::copysign(std::log1p(top * std::abs(bounded)) / std::log1p(top), bounded);
    return static_cast<Images::Level>(std::lround((f + 1) / 2 * top));
  }
  /// A sample of this level: the one in the middle of what has it, but for the ends. Throws
  /// ValueError if it is none.
  [[nodiscard]] float sample(int level) const {
    detail::require_level_count("Companding", levels);
    if (level < 0 || level >= levels) {
      detail::fail<ValueError>("Companding: a level is ", level, ", expected 0 to ", levels - 1);
    }
    if (law == Law::linear) return static_cast<float>(2.0 * (level - levels / 2) / levels);
    const double top = levels - 1, f = 2 * level / top - 1;
    return static_cast<float>(std::copysign(std::expm1(std::abs(f) * std::log1p(top)) / top, f));
  }
};

/// Pieces of so many frames, one after the other, as images (N, 1, length, channels); frames at the
/// end that fill none are left out. Throws ConfigError unless the length is 1 or more, ShapeError
/// unless the samples are whole frames; what Companding::level throws.
[[nodiscard]] inline Images pieces_of(const Sound& sound, Index length,
                                      const Companding& companding = {}) {
  if (length < 1)
    detail::fail<ConfigError>("pieces_of: length is ", length, ", expected 1 or more");
  if (sound.channels < 1 || std::ssize(sound.samples) % sound.channels != 0) {
    detail::fail<ShapeError>("pieces_of: a sound of ", sound.channels, " channels has ",
                             sound.samples.size(), " samples, expected a multiple of them");
  }
  Images pieces(sound.frames() / length, {1, length, sound.channels}, companding.levels);
  std::transform(pieces.pixels().begin(), pieces.pixels().end(), sound.samples.begin(),
                 pieces.pixels().begin(),
                 [&](Images::Level, float x) { return companding.level(x); });
  return pieces;
}

/// The other way: pieces one after the other. Throws ShapeError unless images have one row,
/// ConfigError unless they have as many levels as the companding.
[[nodiscard]] inline Sound sound_of(const Images& pieces, Index rate,
                                    const Companding& companding = {}) {
  const ImageShape image = pieces.image_shape();
  if (image.height != 1) {
    detail::fail<ShapeError>("sound_of: images are ", image, ", expected height 1");
  }
  if (pieces.levels() != companding.levels) {
    detail::fail<ConfigError>("sound_of: images have ", pieces.levels(), " levels, expected ",
                              companding.levels, "; see Companding::levels");
  }
  Sound sound{{}, image.channels, rate};
  sound.samples.reserve(static_cast<std::size_t>(pieces.pixels().size()));
  for (const Images::Level level : pieces.pixels()) {
    sound.samples.push_back(companding.sample(level));
  }
  return sound;
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
