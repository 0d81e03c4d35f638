// SPDX-License-Identifier: MIT
// Gated PixelCNN: a vertical and a horizontal stack of gated convolutions, without a blind spot.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <pixelrnn/likelihood/bernoulli.hpp>
#include <pixelrnn/models/head.hpp>
#include <pixelrnn/nn/elu.hpp>
#include <pixelrnn/nn/gate.hpp>
#include <pixelrnn/nn/network/network.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

struct GatedPixelCNNConfig {
  ImageShape image{};
  Index layers = 7;                ///< of both stacks, the first included
  Index hidden = 32;               ///< p: maps of each stack; a multiple of the colours
  Index head = 32;                 ///< maps of the 1×1 layer before the logits; 0: no layer
  Index first_kernel = 7;          ///< k of the first layer
  Index kernel = 3;                ///< and of the later ones
  std::vector<Index> dilations{};  ///< of the later ones' kernels, in turn; none: 1
  bool first_gated = true;         ///< or the stacks begin with p maps of the image, not gated
  bool head_elu = false;           ///< ELUs in the head, not ReLUs
  Encoding encoding = Encoding::scaled;  ///< of levels, as the net reads them
  Condition condition{};                 ///< what the model is told of each image
  Orientation orientation{};             ///< the order in which it goes through the pixels
};

namespace detail {

/// v' = K_v ∗ v, v = gate(v');  g = gate(K_h ∗ h + K_d ∗ v'), h = h + K_o ∗ g
/// (van den Oord et al. 2016b, arXiv 1606.05328, fig. 2); the first layer, which reads the image,
/// adds no h. One that is not gated is v = K_v ∗ x, h = K_h ∗ x.
template <class B>
struct GatedLayer {
  using Conv = MaskedConv2d<Mask, B>;

  GatedLayer(const Widths& widths, const GatedPixelCNNConfig& c, Index l, Rng& rng)
      : is_first(l == 0),
        is_gated(l > 0 || c.first_gated),
        vertical(is_first ? Mask(MaskAbove{}) : Mask(MaskAboveAndRow{}), kernel(widths, c, l, true),
                 rng),
        down(if_gated(NoMask{}, 2 * c.hidden, 1, rng)),
        horizontal(is_first ? Mask(MaskA{}) : Mask(MaskB{}), kernel(widths, c, l, false), rng),
        out(if_gated(MaskB{}, c.hidden, widths.colours, rng)) {}
  static typename Conv::Config kernel(const Widths& widths, const GatedPixelCNNConfig& c, Index l,
                                      bool vertical) {
    const Index k = l == 0 ? c.first_kernel : c.kernel;
    const auto turn = static_cast<std::size_t>(l - 1);
    return {.in_channels = l == 0 ? c.image.channels : c.hidden,
            .out_channels = l == 0 && !c.first_gated ? c.hidden : 2 * c.hidden,
            .kernel_height = vertical ? k : 1,
            .kernel_width = k,
            .dilation = l == 0 || c.dilations.empty() ? 1 : c.dilations[turn % c.dilations.size()],
            .colours = widths.colours,
            .condition_channels = widths.condition};
  }
  /// A 1×1 convolution.
  std::optional<Conv> if_gated(Mask mask, Index maps, Index colours, Rng& rng) const {
    if (!is_gated) return std::nullopt;
    return Conv(mask, {.in_channels = maps, .out_channels = maps, .colours = colours}, rng);
  }
  void for_each_parameter(auto&& visit) {
    visit("vertical", vertical);
    if (is_gated) visit("down", *down);
    visit("horizontal", horizontal);
    if (is_gated) visit("out", *out);
  }

  bool is_first, is_gated;
  Conv vertical;
  std::optional<Conv> down;
  Conv horizontal;
  std::optional<Conv> out;
};

template <class B>
class GatedPixelCNNNet : public Network<GatedPixelCNNNet<B>, typename B::Scalar> {
 public:
  using Execution = typename B::Execution;
  static constexpr const char* name = "GatedPixelCNN";

  GatedPixelCNNNet(const Widths& widths, const GatedPixelCNNConfig& c, Rng& rng)
      : gate_(widths.colours), has_elu_(c.head_elu) {
    for (Index l = 0; l < c.layers; ++l) layers_.emplace_back(widths, c, l, rng);
    if (c.head > 0) {
      head_.push_back(widths.template pointwise<B>(c.hidden, c.head, rng, !has_elu_));
    }
    head_.push_back(widths.template pointwise<B>(c.head > 0 ? c.head : c.hidden, widths.logits, rng,
                                                 !has_elu_));
  }

  template <class Pass>
  [[nodiscard]] auto run(Pass& p, typename Pass::Value x) const {
    auto v = x, h = x;
    for (const GatedLayer<B>& layer : layers_) {
      const auto rows = p(layer.vertical, v);
      auto own = p(layer.horizontal, h);
      if (!layer.is_gated) {
        v = rows, h = own;
        continue;
      }
      const auto g = p.dropout(p(gate_, p.add(own, *layer.down, rows)));
      if (&layer != &layers_.back()) v = p.dropout(p(gate_, rows));
      h = layer.is_first ? p(*layer.out, g) : p.add(h, *layer.out, g);
    }
    for (const auto& layer : head_) h = p(layer, has_elu_ ? p(elu_, h) : h);
    return h;
  }
  /// FLOP of what reads the image, whose gradient nobody needs.
  [[nodiscard]] Index input_flops(Index height, Index width) const {
    return layers_[0].vertical.flops(height, width) + layers_[0].horizontal.flops(height, width);
  }
  void for_each_parameter(auto&& visit) {
    for (std::size_t l = 0; l < layers_.size(); ++l) visit("layer" + std::to_string(l), layers_[l]);
    if (head_.size() > 1) visit("head", head_[0]);
    visit("logits", head_.back());
  }

 private:
  std::vector<GatedLayer<B>> layers_;
  std::vector<MaskedConv2d<MaskB, B>> head_;
  Gate<B> gate_;
  ELU<B> elu_;
  bool has_elu_;
};

}  // namespace detail

/// Gated PixelCNN (van den Oord et al. 2016b, arXiv 1606.05328, sec. 2): `layers` of two stacks,
/// k×k convolutions of the rows above and 1×k of the pixel's own row, gated, with a residual in the
/// second; then ReLU, 1×1, ReLU, 1×1 logits. Sees every past pixel within its reach. A condition is
/// told to the convolutions of both stacks, V_f c and V_g c of eq. 4.
///
/// The variant that courses teach has layers = 8, hidden = 64, head = 0, first_kernel = 3,
/// dilations = {1, 2, 1, 4, 1, 2, 1}, first_gated = false, head_elu = true, and Categorical(256).
///
/// Cost: 2·p²·(2·k·⌈k/2⌉ + 2·⌈k/2⌉ + 5) FLOP a pixel and layer. A walk computes the first stack a
/// row at a time. Throws ConfigError unless sizes are positive, kernels odd, dilated ones reach no
/// further than the image's larger side and 256 pixels, hidden is a multiple of the colours, and a
/// layer follows on a first one that is not gated.
template <class L = Bernoulli, class B = Backend<>>
class GatedPixelCNN : public ImageModel<detail::GatedPixelCNNNet<B>, L> {
 public:
  using Config = GatedPixelCNNConfig;
  static constexpr std::string_view kind = "gated_pixel_cnn";
  static constexpr Index largest_reach = 256;  ///< of a dilated kernel, in pixels

  GatedPixelCNN(Config config, Rng& rng, L likelihood = L())
      : ImageModel<detail::GatedPixelCNNNet<B>, L>(config.image, make_net(config, likelihood, rng),
                                                   likelihood, detail::describe(kind, config),
                                                   config.encoding, config.condition, rng,
                                                   config.orientation) {}

  /// The model that a file describes, with fresh weights, if it is of this kind: see load_model.
  [[nodiscard]] static std::optional<GatedPixelCNN> made_of(const ModelWords& words,
                                                            std::uint64_t bytes) {
    if (words["model"] != kind) return std::nullopt;
    return detail::made_of<GatedPixelCNN>(words, bytes);
  }

 private:
  static detail::GatedPixelCNNNet<B> make_net(const Config& config, const L& likelihood, Rng& rng) {
    const detail::Widths widths(config, likelihood);
    widths.require_groups("GatedPixelCNN", config.hidden, "the colours");
    if (!config.first_gated && config.layers < 2) {
      detail::fail<ConfigError>(
          "GatedPixelCNN: Config::first_gated is false and there is 1 layer, ",
          "expected 2 or more: the first alone sees no row above");
    }
    const Index side = std::max(config.image.height, config.image.width);
    const Index most =
        std::max<Index>(1, std::min(side, largest_reach) / std::max<Index>(1, config.kernel / 2));
    for (const Index dilation : config.dilations) {
      if (dilation >= 1 && dilation <= most) continue;
      detail::fail<ConfigError>("GatedPixelCNN: Config::dilations has ", dilation,
                                ", expected 1 to ", most, ": kernels reach no further than the ",
                                "image's larger side, nor than ", largest_reach, " pixels");
    }
    return detail::GatedPixelCNNNet<B>(widths, config, rng);
  }
};

}  // namespace pixelrnn::inline PIXELRNN_ABI
