// SPDX-License-Identifier: MIT
// WaveNet: dilated gated convolutions along a line of samples.
#pragma once

#include <string>
#include <vector>

#include <pixelrnn/likelihood/categorical.hpp>
#include <pixelrnn/models/head.hpp>
#include <pixelrnn/nn/gate.hpp>
#include <pixelrnn/nn/network/network.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

struct WaveNetConfig {
  ImageShape image{1, 4000, 1};  ///< a line: its width is how many samples a piece has
  Index layers = 10;             ///< that are dilated
  Index hidden = 32;             ///< maps of the stream and of a gate; see Gate of colours
  Index head = 64;               ///< maps of the sum of skips and of the 1×1 layer after it
  Index kernel = 2;              ///< k: taps of a layer, the present one included
  Index cycle = 10;              ///< dilations are 1, 2, 4, … 2^(cycle - 1), and again
  Encoding encoding = Encoding::scaled;  ///< of levels, as the net reads them
  Condition condition{};                 ///< what the model is told of each line
  Orientation orientation{};             ///< the order in which it goes through the samples
};

namespace detail {

template <class B>
class WaveNetNet : public Network<WaveNetNet<B>, typename B::Scalar> {
 public:
  using Execution = typename B::Execution;
  static constexpr const char* name = "WaveNet";

  WaveNetNet(const Widths& widths, const WaveNetConfig& c, Rng& rng)
      : gate_(widths.colours),
        first_(MaskA{},
               {.in_channels = c.image.channels,
                .out_channels = c.hidden,
                .kernel_width = 2 * c.kernel + 1,
                .colours = widths.colours},
               rng) {
    for (Index l = 0; l < c.layers; ++l) {
      dilated_.push_back(Conv(MaskB{},
                              {.in_channels = c.hidden,
                               .out_channels = 2 * c.hidden,
                               .kernel_width = 2 * c.kernel - 1,
                               .dilation = Index{1} << (l % c.cycle),
                               .colours = widths.colours,
                               .condition_channels = widths.condition},
                              rng));
      skips_.push_back(widths.template pointwise<B>(c.hidden, c.head, rng));
      // Nobody reads the stream after the last layer.
      if (l + 1 == c.layers) break;
      residuals_.push_back(widths.template pointwise<B>(c.hidden, c.hidden, rng));
    }
    head_.push_back(widths.template pointwise<B>(c.head, c.head, rng, true));
    head_.push_back(widths.template pointwise<B>(c.head, widths.logits, rng, true));
  }

  template <class Pass>
  [[nodiscard]] auto run(Pass& p, typename Pass::Value x) const {
    auto h = p(first_, x);
    auto z = p.dropout(p(gate_, p(dilated_[0], h)));
    auto skips = p(skips_[0], z);
    for (std::size_t l = 1; l < dilated_.size(); ++l) {
      h = p.add(h, residuals_[l - 1], z);
      z = p.dropout(p(gate_, p(dilated_[l], h)));
      skips = p.add(skips, skips_[l], z);
    }
    return p(head_[1], p(head_[0], skips));
  }
  /// FLOP of what reads the samples, whose gradient nobody needs.
  [[nodiscard]] Index input_flops(Index height, Index width) const {
    return first_.flops(height, width);
  }
  void for_each_parameter(auto&& visit) {
    visit("input", first_);
    for (std::size_t l = 0; l < dilated_.size(); ++l) {
      const std::string layer = "layer" + std::to_string(l);
      visit(layer + ".dilated", dilated_[l]), visit(layer + ".skip", skips_[l]);
      if (l < residuals_.size()) visit(layer + ".residual", residuals_[l]);
    }
    visit("head", head_[0]), visit("logits", head_[1]);
  }

 private:
  using Conv = MaskedConv2d<Mask, B>;

  Gate<B> gate_;
  Conv first_;
  std::vector<Conv> dilated_;
  std::vector<MaskedConv2d<MaskB, B>> skips_, residuals_, head_;
};

}  // namespace detail

/// WaveNet (van den Oord et al. 2016c, arXiv 1609.03499, sec. 2): a causal convolution of k samples
/// before the present one, then layers of dilated ones of k taps, gated (eq. 2), told c (eq. 3):
///   z = tanh(W_f ∗ h + V_f c) ⊙ σ(W_g ∗ h + V_g c),   h = h + W_r z,   s = s + W_s z
/// and of the sum s of all layers' skips ReLU, 1×1, ReLU, 1×1 logits. Samples are levels, the 256
/// of Companding as a rule; images are lines (1, samples, channels). Kernels are stored as masked
/// ones, 2k + 1 and 2k - 1 wide, whose taps to the right are zero. A global condition is a label or
/// a vector; a local one a map, with numbers for each sample. It sees k + (k - 1) · (sum of
/// dilations) samples. A walk keeps, for each layer, what its taps reach, whatever the length: see
/// WalkerOptions::endless. Departures: levels are read as numbers from -1 to 1, not as one of 256;
/// the biases that the paper does not speak of exist. Cost: 2·h·(2·k·h + h + head) FLOP a sample
/// and layer. Throws ConfigError unless sizes are positive, the images' height 1 in an order by
/// rows, k 2 or more, cycle 1 to 16, and hidden a multiple of the channels.
template <class L = Categorical, class B = Backend<>>
class WaveNet : public ImageModel<detail::WaveNetNet<B>, L> {
 public:
  using Config = WaveNetConfig;
  static constexpr std::string_view kind = "wavenet";
  static constexpr Index largest_cycle = 16;

  WaveNet(Config config, Rng& rng, L likelihood = L())
      : ImageModel<detail::WaveNetNet<B>, L>(config.image, make_net(config, likelihood, rng),
                                             likelihood, detail::describe(kind, config),
                                             config.encoding, config.condition, rng,
                                             config.orientation) {}

  /// The model that a file describes, with fresh weights, if it is of this kind: see load_model.
  [[nodiscard]] static std::optional<WaveNet> made_of(const ModelWords& words,
                                                      std::uint64_t bytes) {
    if (words["model"] != kind) return std::nullopt;
    return detail::made_of<WaveNet>(words, bytes);
  }

 private:
  static detail::WaveNetNet<B> make_net(const Config& config, const L& likelihood, Rng& rng) {
    const detail::Widths widths(config, likelihood);
    if (config.image.height != 1 || config.orientation.by_columns) {
      detail::fail<ConfigError>("WaveNet: Config::image is ", config.image, " by ",
                                name_of(config.orientation),
                                ", expected height 1 and rows: a line of samples");
    }
    if (config.kernel < 2 || config.cycle < 1 || config.cycle > largest_cycle) {
      detail::fail<ConfigError>(
          "WaveNet: Config is {kernel=", config.kernel, ", cycle=", config.cycle,
          "}, expected a kernel of 2 or more and a cycle of 1 to ", largest_cycle);
    }
    widths.require_groups("WaveNet", config.hidden, "the channels");
    return detail::WaveNetNet<B>(widths, config, rng);
  }
};

}  // namespace pixelrnn::inline PIXELRNN_ABI
