// SPDX-License-Identifier: MIT
// Gated PixelCNN: a vertical and a horizontal stack of gated convolutions, without a blind spot.
#pragma once

#include <string>
#include <vector>

#include <pixelrnn/likelihood/bernoulli.hpp>
#include <pixelrnn/models/head.hpp>
#include <pixelrnn/nn/gate.hpp>
#include <pixelrnn/nn/network/network.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

struct GatedPixelCNNConfig {
  ImageShape image{};
  Index layers = 7;                      ///< of both stacks, the first included
  Index hidden = 32;                     ///< p: maps of each stack; a multiple of the colours
  Index head = 32;                       ///< maps of the 1×1 layer before the logits
  Index first_kernel = 7;                ///< k of the first layer
  Index kernel = 3;                      ///< and of the later ones
  Encoding encoding = Encoding::scaled;  ///< of levels, as the net reads them
  Condition condition{};                 ///< what the model is told of each image
  Orientation orientation{};             ///< the order in which it goes through the pixels
};

namespace detail {

/// v' = K_v ∗ v, v = gate(v');  g = gate(K_h ∗ h + K_d ∗ v'), h = h + K_o ∗ g
/// (van den Oord et al. 2016b, arXiv 1606.05328, fig. 2); the first layer, which reads the image,
/// adds no h.
template <class B>
struct GatedLayer {
  using Conv = MaskedConv2d<Mask, B>;

  GatedLayer(const Widths& widths, bool first, Index hidden, Index in, Index k, Rng& rng)
      : is_first(first),
        vertical(is_first ? Mask(MaskAbove{}) : Mask(MaskAboveAndRow{}),
                 config(widths, in, hidden, k, k), rng),
        down(NoMask{}, {.in_channels = 2 * hidden, .out_channels = 2 * hidden}, rng),
        horizontal(is_first ? Mask(MaskA{}) : Mask(MaskB{}), config(widths, in, hidden, 1, k), rng),
        out(MaskB{}, {.in_channels = hidden, .out_channels = hidden, .colours = widths.colours},
            rng) {}
  static typename Conv::Config config(const Widths& widths, Index in, Index hidden, Index rows,
                                      Index columns) {
    return {.in_channels = in,
            .out_channels = 2 * hidden,
            .kernel_height = rows,
            .kernel_width = columns,
            .colours = widths.colours,
            .condition_channels = widths.condition};
  }
  void for_each_parameter(auto&& visit) {
    visit("vertical", vertical), visit("down", down);
    visit("horizontal", horizontal), visit("out", out);
  }

  bool is_first;
  Conv vertical, down, horizontal, out;
};

template <class B>
class GatedPixelCNNNet : public Network<GatedPixelCNNNet<B>, typename B::Scalar> {
 public:
  using Execution = typename B::Execution;
  static constexpr const char* name = "GatedPixelCNN";

  GatedPixelCNNNet(const Widths& widths, const GatedPixelCNNConfig& c, Rng& rng)
      : gate_(widths.colours) {
    for (Index l = 0; l < c.layers; ++l) {
      const bool first = l == 0;
      layers_.emplace_back(widths, first, c.hidden, first ? c.image.channels : c.hidden,
                           first ? c.first_kernel : c.kernel, rng);
    }
    head_.push_back(widths.template pointwise<B>(c.hidden, c.head, rng, true));
    head_.push_back(widths.template pointwise<B>(c.head, widths.logits, rng, true));
  }

  template <class Pass>
  [[nodiscard]] auto run(Pass& p, typename Pass::Value x) const {
    auto v = x, h = x;
    for (const GatedLayer<B>& layer : layers_) {
      const auto rows = p(layer.vertical, v);
      const auto g = p.dropout(p(gate_, p.add(p(layer.horizontal, h), layer.down, rows)));
      if (&layer != &layers_.back()) v = p.dropout(p(gate_, rows));
      h = layer.is_first ? p(layer.out, g) : p.add(h, layer.out, g);
    }
    return p(head_[1], p(head_[0], h));
  }
  /// FLOP of what reads the image, whose gradient nobody needs.
  [[nodiscard]] Index input_flops(Index height, Index width) const {
    return layers_[0].vertical.flops(height, width) + layers_[0].horizontal.flops(height, width);
  }
  void for_each_parameter(auto&& visit) {
    for (std::size_t l = 0; l < layers_.size(); ++l) visit("layer" + std::to_string(l), layers_[l]);
    visit("head", head_[0]), visit("logits", head_[1]);
  }

 private:
  std::vector<GatedLayer<B>> layers_;
  std::vector<MaskedConv2d<MaskB, B>> head_;
  Gate<B> gate_;
};

}  // namespace detail

/// Gated PixelCNN (van den Oord et al. 2016b, arXiv 1606.05328, sec. 2): `layers` of two stacks,
/// k×k convolutions of the rows above and 1×k of the pixel's own row, gated, with a residual in the
/// second; then ReLU, 1×1, ReLU, 1×1 logits. Sees every past pixel within its reach. A condition is
/// told to the convolutions of both stacks, V_f c and V_g c of eq. 4.
/// Cost: 2·p²·(2·k·⌈k/2⌉ + 2·⌈k/2⌉ + 5) FLOP a pixel and layer. A walk computes the first stack a
/// row at a time.
/// Throws ConfigError unless sizes are positive, kernels odd and hidden a multiple of the colours.
template <class L = Bernoulli, class B = Backend<>>
class GatedPixelCNN : public ImageModel<detail::GatedPixelCNNNet<B>, L> {
 public:
  using Config = GatedPixelCNNConfig;
  static constexpr std::string_view kind = "gated_pixel_cnn";

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
    return detail::GatedPixelCNNNet<B>(widths, config, rng);
  }
};

}  // namespace pixelrnn::inline PIXELRNN_ABI
