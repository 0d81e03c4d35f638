// SPDX-License-Identifier: MIT
// What the models share: the first convolution, the head, their widths and their description.
#pragma once

#include <optional>

#include <pixelrnn/models/model.hpp>
#include <pixelrnn/models/model_words.hpp>
#include <pixelrnn/nn/convolution/masked_conv2d.hpp>
#include <pixelrnn/nn/sequential.hpp>
#include <pixelrnn/nn/stack.hpp>

namespace pixelrnn::inline PIXELRNN_ABI::detail {

template <class Blocks, class B>
using ModelLayers = Sequential<MaskedConv2d<MaskA, B>, Blocks, MaskedConv2d<MaskB, B>,
                               MaskedConv2d<MaskB, B>, MaskedConv2d<MaskB, B>>;

/// Table 1 of van den Oord et al. 2016: 7×7 conv mask A; blocks; ReLU, 1×1; ReLU, 1×1; 1×1 logits.
/// Without Config::head_relu_first the ReLUs stand behind these two layers.
template <class Blocks, class B>
class ModelNet : public ModelLayers<Blocks, B> {
 public:
  using ModelLayers<Blocks, B>::ModelLayers;

  /// FLOP of what reads the image, whose gradient nobody needs.
  [[nodiscard]] Index input_flops(Index height, Index width) const {
    return pixelrnn::flops(this->template layer<0>(), height, width);
  }
  void for_each_parameter(auto&& visit) {
    visit("input", this->template layer<0>());
    visit("blocks", this->template layer<1>());
    visit("head1", this->template layer<2>());
    visit("head2", this->template layer<3>());
    visit("logits", this->template layer<4>());
  }
};

/// Whether Config::head = 0 is a model: without layers between the blocks and the logits.
template <class Config>
inline constexpr bool can_lack_head = requires(Config c) {
  c.first_gated;
};

/// The numbers of maps of a model, checked.
struct Widths {
  template <class Config, class L>
  Widths(const Config& config, const L& likelihood)
      : colours(L::masks_colours ? config.image.channels : 1),
        stream(stream_of(config)),
        head(config.head),
        condition(checked(config.condition).width()),
        logits(likelihood.outputs(config.image.channels)) {
    require_valid(config.image, "Config::image");
    if (config.layers < 1 || config.hidden < 1 || config.head < (can_lack_head<Config> ? 0 : 1)) {
      fail<ConfigError>("model: Config is {layers=", config.layers, ", hidden=", config.hidden,
                        ", head=", config.head, "}, expected 1 or more of each");
    }
  }
  /// A 1×1 convolution, mask B; with `relu_input` of max(x, 0).
  template <class B>
  [[nodiscard]] MaskedConv2d<MaskB, B> pointwise(Index in, Index out, Rng& rng,
                                                 bool relu_input = false) const {
    return MaskedConv2d<MaskB, B>(
        {.in_channels = in, .out_channels = out, .colours = colours, .relu_input = relu_input},
        rng);
  }
  /// Maps between blocks.
  template <class Config>
  [[nodiscard]] static Index stream_of(const Config& config) {
    if constexpr (requires { config.stream; }) {
      if (config.stream < 0) {
        fail<ConfigError>("model: Config::stream is ", config.stream,
                          ", expected 0 (the default) or more");
      }
      if (config.stream > 0) return config.stream;
    }
    if constexpr (requires { config.upsample; }) {
      if (!config.upsample) return config.hidden;
    }
    return 2 * config.hidden;
  }
  /// Throws ConfigError unless maps of a gate are as many for each colour: see Gate.
  void require_groups(const char* where, Index hidden, const char* of_what) const {
    if (hidden % colours == 0) return;
    fail<ConfigError>(where, ": Config::hidden is ", hidden, ", expected a multiple of ", colours,
                      ", ", of_what);
  }
  Index colours, stream, head, condition, logits;
};

/// Builds the net around config.layers blocks made by make_block(), in a fixed order of draws.
template <class B, class Config, class MakeBlock>
auto make_net(const Widths& widths, const Config& config, MakeBlock make_block, Rng& rng) {
  using Block = decltype(make_block());
  using Blocks = Stack<Block, MaskedConv2d<MaskB, B>>;
  MaskedConv2d<MaskA, B> first({.in_channels = config.image.channels,
                                .out_channels = widths.stream,
                                .kernel_height = 7,
                                .kernel_width = 7,
                                .colours = widths.colours,
                                .condition_channels = widths.condition},
                               rng);
  std::vector<Block> blocks;
  std::vector<MaskedConv2d<MaskB, B>> skips;
  for (Index l = 0; l < config.layers; ++l) {
    blocks.push_back(make_block());
    if (config.skip) {
      skips.push_back(widths.template pointwise<B>(widths.stream, widths.stream, rng));
    }
  }
  const bool first_relu = config.head_relu_first;
  auto wide = widths.template pointwise<B>(widths.stream, widths.head, rng, first_relu);
  auto deep = widths.template pointwise<B>(widths.head, widths.head, rng, true);
  auto logits = widths.template pointwise<B>(widths.head, widths.logits, rng, !first_relu);
  return ModelNet<Blocks, B>(std::move(first), Blocks(std::move(blocks), std::move(skips)),
                             std::move(wide), std::move(deep), std::move(logits));
}

/// A model of type M with fresh weights, of the sizes that a file's words say, if its likelihood is
/// theirs.
template <class M>
[[nodiscard]] std::optional<M> made_of(const ModelWords& words, std::uint64_t bytes) {
  const auto likelihood = words.likelihood<typename M::Likelihood>();
  if (!likelihood) return std::nullopt;
  typename M::Config config;
  words.read(config);
  if constexpr (requires { config.skip; }) words.read_skip(config);
  if constexpr (requires { config.first_kernel; }) words.read_kernels(config);
  if constexpr (requires { config.cycle; }) words.read_cycle(config);
  if constexpr (requires { config.residual; }) words.read_residual(config);
  if constexpr (requires { config.stream; }) words.read_stream(config);
  if constexpr (requires { config.upsample; }) words.read_block(config);
  double kernels = 0;
  if constexpr (requires { config.first_kernel; }) kernels = words.gated_kernels(config);
  if constexpr (requires { config.cycle; }) kernels = words.wave_kernels(config);
  words.require_room(config, bytes, kernels);
  Rng rng(0);  // every weight is to be replaced
  return M(config, rng, *likelihood);
}

template <class Config>
std::map<std::string, std::string> describe(std::string_view kind, const Config& config) {
  std::map<std::string, std::string> words{{"model", std::string(kind)},
                                           {"layers", std::to_string(config.layers)},
                                           {"hidden", std::to_string(config.hidden)},
                                           {"head", std::to_string(config.head)}};
  if constexpr (requires { config.skip; }) words["skip"] = config.skip ? "true" : "false";
  if constexpr (requires { config.first_kernel; }) {
    words["first_kernel"] = std::to_string(config.first_kernel);
  }
  if constexpr (requires { config.first_gated; }) {
    if (!config.first_gated) words["first_gated"] = "false";
    if (config.head_elu) words["head_elu"] = "true";
    for (const Index d : config.dilations) {
      std::string& text = words["dilations"];
      text += (text.empty() ? "" : ",") + std::to_string(d);
    }
  }
  if constexpr (requires { config.kernel; }) words["kernel"] = std::to_string(config.kernel);
  if constexpr (requires { config.cycle; }) words["cycle"] = std::to_string(config.cycle);
  if constexpr (requires { config.stream; }) {
    if (config.stream > 0) words["stream"] = std::to_string(config.stream);
    if (!config.head_relu_first) words["head_relu_first"] = "false";
  }
  return words;
}

}  // namespace pixelrnn::inline PIXELRNN_ABI::detail
