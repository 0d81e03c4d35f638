// SPDX-License-Identifier: MIT
// The sizes everything is measured at, by name: those of the paper's Table 1 and sec. 5, and two
// widths between them.
#pragma once

#include <array>
#include <string_view>

#include <pixelrnn/kernels/eigen.hpp>
#include <pixelrnn/kernels/reference.hpp>
#include <pixelrnn/pixelrnn.hpp>

namespace pixelrnn::bench {

struct Case {
  std::string_view name;
  ImageShape image;
  Index hidden;      ///< h; the stream between blocks has 2h maps
  Index rnn_layers;  ///< blocks of Row LSTM and Diagonal BiLSTM
  Index cnn_layers;  ///< blocks of PixelCNN
  Index head;        ///< maps of the two 1×1 layers before the logits
  Index batch;
};

/// Binary images, one logit a pixel.
inline constexpr std::array<Case, 3> mnist_cases{{
    {"mnist_h16", {28, 28, 1}, 16, 7, 7, 32, 16},
    {"mnist_h32", {28, 28, 1}, 32, 7, 7, 32, 16},
    {"mnist_h64", {28, 28, 1}, 64, 7, 7, 32, 16},
}};
/// 256 levels a sub-pixel. The grey one has every product of the colour one but those of the
/// outermost layers.
inline constexpr std::array<Case, 2> cifar_cases{{
    {"cifar_grey", {32, 32, 1}, 128, 12, 15, 1024, 16},
    {"cifar", {32, 32, 3}, 128, 12, 15, 1024, 16},
}};

/// Pieces of sound, a quarter of a second at 16 kHz each: layers x maps.
inline constexpr std::array<Case, 4> sound_cases{{
    {"sound_10x32", {1, 4000, 1}, 32, 0, 10, 64, 4},
    {"sound_20x32", {1, 4000, 1}, 32, 0, 20, 64, 4},
    {"sound_10x64", {1, 4000, 1}, 64, 0, 10, 64, 4},
    {"sound_20x64", {1, 4000, 1}, 64, 0, 20, 64, 4},
}};

/// Two levels, so that drawing takes next to nothing: what colour costs a walk.
inline constexpr std::array<Case, 4> colour_cases{{
    {"binary_grey_h16", {32, 32, 1}, 16, 12, 15, 32, 16},
    {"binary_colour_h16", {32, 32, 3}, 16, 12, 15, 32, 16},
    {"binary_grey_h128", {32, 32, 1}, 128, 12, 15, 1024, 16},
    {"binary_colour_h128", {32, 32, 3}, 128, 12, 15, 1024, 16},
}};

template <class K>
using BackendOf = Backend<float, K, execution::OpenMP>;

/// The three nets as templates of likelihood and kernels, so that a benchmark can name its own net
/// and the same net on the reference kernels.
template <class L, class K>
using DiagonalNet = PixelRNN<DiagonalBiLSTM<LearnedState, BackendOf<K>>, L>;
template <class L, class K>
using RowNet = PixelRNN<RowLSTM<LearnedState, BackendOf<K>>, L>;
template <class L, class K>
using ConvNet = PixelCNN<L, BackendOf<K>>;
template <class L, class K>
using SpatialNet = PixelRNN<SpatialLSTM<BackendOf<K>>, L>;
template <class L, class K>
using GatedNet = GatedPixelCNN<L, BackendOf<K>>;
template <class L, class K>
using SoundNet = WaveNet<L, BackendOf<K>>;

/// The options of a model of type M at a size.
template <class M>
[[nodiscard]] typename M::Config config_of(const Case& c) {
  typename M::Config config;
  config.image = c.image;
  const bool is_recurrent = requires { config.residual; };
  config.layers = is_recurrent ? c.rnn_layers : c.cnn_layers;
  config.hidden = c.hidden;
  config.head = c.head;
  return config;
}

/// Images of noise: what the pixels are changes no timing.
[[nodiscard]] inline Images noise(Index count, ImageShape image, int levels) {
  Images images(count, image, levels);
  Rng rng(7);
  for (Images::Level& level : images.pixels()) {
    level = static_cast<Images::Level>(rng.below(static_cast<std::uint64_t>(levels)));
  }
  return images;
}
template <class T = float>
[[nodiscard]] FeatureMap<T> noise_map(Shape<4> shape, std::uint64_t seed = 7) {
  FeatureMap<T> map(shape);
  Rng rng(seed);
  for (T& v : map) v = static_cast<T>(rng.uniform(-1, 1));
  return map;
}

/// Useful FLOP of one training step: forward, input gradients and weight gradients are one product
/// each; the net's first layer needs no input gradient.
template <class M>
[[nodiscard]] double train_flop(const M& model, Index images) {
  const ImageShape s = model.image_shape();
  const Index whole = flops(model.net(), s.height, s.width);
  const Index first = model.net().input_flops(s.height, s.width);
  return static_cast<double>(images * (3 * whole - first));
}
template <class M>
[[nodiscard]] double forward_flop(const M& model, Index images) {
  const ImageShape s = model.image_shape();
  return static_cast<double>(images * flops(model.net(), s.height, s.width));
}

}  // namespace pixelrnn::bench
