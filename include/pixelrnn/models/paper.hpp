// SPDX-License-Identifier: MIT
// paper: the sizes of the models of van den Oord et al. 2016.
#pragma once

#include <type_traits>

#include <pixelrnn/likelihood/categorical.hpp>
#include <pixelrnn/models/pixel_cnn.hpp>
#include <pixelrnn/models/pixel_rnn.hpp>

/// Configurations of Table 1 and sec. 5.3 to 5.6 of van den Oord et al. 2016 (arXiv 1601.06759):
///   PixelRNN<DiagonalBiLSTM<>> model(paper::mnist<PixelRNN<DiagonalBiLSTM<>>>(), rng);
///   PixelCNN<Categorical> model(paper::cifar10<PixelCNN<Categorical>>(), rng);
/// M is PixelCNN or PixelRNN, of any recurrence and backend; the likelihood is Bernoulli for MNIST,
/// Categorical of 256 levels for the others. Where the paper trained no such model, sizes are those
/// of its siblings. Residual and skip connections are options (Table 2): Config::residual, skip.
namespace pixelrnn::inline PIXELRNN_ABI::paper {

namespace detail {
template <class M>
inline constexpr bool is_pixel_cnn = std::is_same_v<typename M::Config, PixelCNNConfig>;
template <class M>
concept PaperModel = is_pixel_cnn<M> || std::is_same_v<typename M::Config, PixelRNNConfig>;
}  // namespace detail

/// 28×28, binary: 7 layers of h = 16, heads of 32 maps.
template <detail::PaperModel M>
[[nodiscard]] typename M::Config mnist() {
  return {.image = {28, 28, 1}, .layers = 7, .hidden = 16, .head = 32};
}
/// 32×32, RGB: 12 layers of h = 128 (PixelCNN: 15), heads of 1024 maps.
template <detail::PaperModel M>
[[nodiscard]] typename M::Config cifar10() {
  return {.image = {32, 32, 3},
          .layers = detail::is_pixel_cnn<M> ? 15 : 12,
          .hidden = 128,
          .head = 1024};
}
/// 32×32, RGB: 12 layers of h = 384.
template <detail::PaperModel M>
[[nodiscard]] typename M::Config imagenet32() {
  return {.image = {32, 32, 3}, .layers = 12, .hidden = 384, .head = 1024};
}
/// 64×64, RGB: 4 layers of h = 512; LSTMs without residual connections.
template <detail::PaperModel M>
[[nodiscard]] typename M::Config imagenet64() {
  typename M::Config config{.image = {64, 64, 3}, .layers = 4, .hidden = 512, .head = 1024};
  if constexpr (!detail::is_pixel_cnn<M>) config.residual = false;
  return config;
}

}  // namespace pixelrnn::inline PIXELRNN_ABI::paper
