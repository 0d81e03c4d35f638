// SPDX-License-Identifier: MIT
// PixelCNN: residual blocks of masked convolutions.
#pragma once

#include <pixelrnn/likelihood/bernoulli.hpp>
#include <pixelrnn/models/head.hpp>
#include <pixelrnn/nn/network/network.hpp>
#include <pixelrnn/nn/stack.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

struct PixelCNNConfig {
  ImageShape image{};
  Index layers = 15;   ///< residual blocks
  Index hidden = 128;  ///< h: blocks have h maps inside
  Index head =
      32;  ///< maps of the two 1×1 layers before the logits (the paper: 32 for MNIST, 1024)
  bool skip = false;            ///< learned skip connections from each block to the output
  Index stream = 0;             ///< maps between blocks; 0: 2h
  bool head_relu_first = true;  ///< ReLUs stand before the head's layers (the paper), or behind
  Encoding encoding = Encoding::scaled;  ///< of levels, as the net reads them
  Condition condition{};                 ///< what the model is told of each image
  Orientation orientation{};             ///< the order in which it goes through the pixels
};

namespace detail {

/// x + 1×1(ReLU(3×3 B(ReLU(1×1(ReLU(x)))))), 2h -> h -> h -> 2h (van den Oord et al. 2016, fig. 5).
template <class B>
class PixelCNNBlock : public Network<PixelCNNBlock<B>, typename B::Scalar> {
 public:
  using Execution = typename B::Execution;
  using Conv = MaskedConv2d<MaskB, B>;

  PixelCNNBlock(Conv down, Conv conv, Conv up)
      : down_(std::move(down)), conv_(std::move(conv)), up_(std::move(up)) {}

  template <class Pass>
  [[nodiscard]] auto run(Pass& p, typename Pass::Value x) const {
    return p.add(x, up_, p.dropout(p(conv_, p(down_, x))));
  }
  [[nodiscard]] std::string describe() const {
    return "Residual(" + description_of(down_) + ", " + description_of(conv_) + ", " +
           description_of(up_) + ')';
  }
  void for_each_parameter(auto&& visit) {
    visit("down", down_), visit("conv", conv_), visit("up", up_);
  }

 private:
  Conv down_, conv_, up_;
};
template <class B>
using PixelCNNNet = ModelNet<Stack<PixelCNNBlock<B>, MaskedConv2d<MaskB, B>>, B>;

}  // namespace detail

/// PixelCNN (van den Oord et al. 2016, sec. 3.5 and Table 1): 7×7 mask A, `layers` residual blocks,
/// then the head of all models. A condition is told to the 7×7 and 3×3 convolutions. Its receptive
/// field has a blind spot to the right above each pixel. Throws ConfigError unless sizes are
/// positive.
template <class L = Bernoulli, class B = Backend<>>
class PixelCNN : public ImageModel<detail::PixelCNNNet<B>, L> {
 public:
  using Config = PixelCNNConfig;
  static constexpr std::string_view kind = "pixel_cnn";

  PixelCNN(Config config, Rng& rng, L likelihood = L())
      : ImageModel<detail::PixelCNNNet<B>, L>(config.image, make_net(config, likelihood, rng),
                                              likelihood, detail::describe(kind, config),
                                              config.encoding, config.condition, rng,
                                              config.orientation) {}

  /// The model that a file describes, with fresh weights, if it is of this kind: see load_model.
  [[nodiscard]] static std::optional<PixelCNN> made_of(const ModelWords& words,
                                                       std::uint64_t bytes) {
    if (words["model"] != kind) return std::nullopt;
    return detail::made_of<PixelCNN>(words, bytes);
  }

 private:
  static detail::PixelCNNNet<B> make_net(const Config& config, const L& likelihood, Rng& rng) {
    const detail::Widths widths(config, likelihood);
    const auto block = [&] {
      auto down = widths.template pointwise<B>(widths.stream, config.hidden, rng, true);
      MaskedConv2d<MaskB, B> conv({.in_channels = config.hidden,
                                   .out_channels = config.hidden,
                                   .kernel_height = 3,
                                   .kernel_width = 3,
                                   .colours = widths.colours,
                                   .relu_input = true,
                                   .condition_channels = widths.condition},
                                  rng);
      auto up = widths.template pointwise<B>(config.hidden, widths.stream, rng, true);
      return detail::PixelCNNBlock<B>(std::move(down), std::move(conv), std::move(up));
    };
    return detail::make_net<B>(widths, config, block, rng);
  }
};

}  // namespace pixelrnn::inline PIXELRNN_ABI
