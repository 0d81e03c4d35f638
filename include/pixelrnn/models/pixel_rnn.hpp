// SPDX-License-Identifier: MIT
// PixelRNN: residual blocks around a recurrence, of an LSTM.
#pragma once

#include <optional>

#include <pixelrnn/likelihood/bernoulli.hpp>
#include <pixelrnn/models/head.hpp>
#include <pixelrnn/nn/diagonal_lstm/diagonal_lstm.hpp>
#include <pixelrnn/nn/network/network.hpp>
#include <pixelrnn/nn/row_lstm/row_lstm.hpp>
#include <pixelrnn/nn/stack.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

struct PixelRNNConfig {
  ImageShape image{};
  Index layers = 7;   ///< residual blocks
  Index hidden = 16;  ///< h: units of the recurrence
  Index head =
      32;  ///< maps of the two 1×1 layers before the logits (the paper: 32 for MNIST, 1024)
  bool skip = false;            ///< learned skip connections from each block to the output
  bool residual = true;         ///< blocks add their input to their output
  Index stream = 0;             ///< maps between blocks; 0: 2h, or h without upsample
  bool upsample = true;         ///< a 1×1 layer from h maps to the stream; without it that has h
  bool padding_bias = false;    ///< of DiagonalBiLSTM<PaddedScanState>: see DiagonalConfig
  bool head_relu_first = true;  ///< ReLUs stand before the head's layers (the paper), or behind
  Encoding encoding = Encoding::scaled;  ///< of levels, as the net reads them
  Condition condition{};                 ///< what the model is told of each image
  Orientation orientation{};             ///< the order in which it goes through the pixels
};

/// A recurrence that PixelRNN can stack: RowLSTM<...>, DiagonalBiLSTM<...>, or SpatialLSTM<...> of
/// nn/spatial_lstm/spatial_lstm.hpp.
template <class R>
concept Recurrence = IncrementalLayer<R> && requires(typename R::Config config, Rng& rng) {
  R(config, rng);
  config.in_channels, config.hidden, config.colours;
  typename R::BackendPolicy;
  { R::kind } -> std::convertible_to<std::string_view>;
  { R::state_kind } -> std::convertible_to<std::string_view>;
};

namespace detail {

/// x + 1×1(recurrence(x)), 2h -> h -> 2h (van den Oord et al. 2016, sec. 3.3); or without x, which
/// the paper compares with (Table 2); or without the 1×1, h -> h.
template <class R>
class PixelRNNBlock : public Network<PixelRNNBlock<R>, typename R::Scalar> {
 public:
  using Execution = ExecutionOf<R>;
  using Upsample = MaskedConv2d<MaskB, typename R::BackendPolicy>;
  static constexpr bool separates_images = SeparatesImages<R>;

  PixelRNNBlock(R recurrence, std::optional<Upsample> upsample, bool residual)
      : recurrence_(std::move(recurrence)),
        upsample_(std::move(upsample)),
        is_residual_(residual) {}

  template <class Pass>
  [[nodiscard]] auto run(Pass& p, typename Pass::Value x) const {
    auto h = p.dropout(is_residual_ ? p(recurrence_, x) : p(recurrence_, std::move(x)));
    if (!upsample_) return is_residual_ ? p.add(x, h) : h;
    return is_residual_ ? p.add(x, *upsample_, std::move(h)) : p(*upsample_, std::move(h));
  }
  [[nodiscard]] std::string describe() const {
    return (is_residual_ ? "Residual(" : "Sequential(") + description_of(recurrence_) +
           (upsample_ ? ", " + description_of(*upsample_) : "") + ')';
  }
  void for_each_parameter(auto&& visit) {
    visit("recurrence", recurrence_);
    if (upsample_) visit("upsample", *upsample_);
  }

 private:
  R recurrence_;
  std::optional<Upsample> upsample_;
  bool is_residual_;
};
template <class R>
using PixelRNNNet =
    ModelNet<Stack<PixelRNNBlock<R>, MaskedConv2d<MaskB, typename R::BackendPolicy>>,
             typename R::BackendPolicy>;

}  // namespace detail

/// PixelRNN (van den Oord et al. 2016, sec. 3 and Table 1): 7×7 mask A, `layers` residual blocks,
/// then the head of all models. A condition is told to the convolution and to the recurrences. The
/// recurrence brings its own scalar, kernels and execution.
/// Throws ConfigError unless sizes are positive.
template <Recurrence R = DiagonalBiLSTM<>, class L = Bernoulli>
class PixelRNN : public ImageModel<detail::PixelRNNNet<R>, L> {
 public:
  using Config = PixelRNNConfig;
  using B = typename R::BackendPolicy;
  static constexpr std::string_view kind = R::kind;

  PixelRNN(Config config, Rng& rng, L likelihood = L())
      : ImageModel<detail::PixelRNNNet<R>, L>(config.image, make_net(config, likelihood, rng),
                                              likelihood, description(config), config.encoding,
                                              config.condition, rng, config.orientation) {}

  /// The model that a file describes, with fresh weights, if it is of this kind: see load_model.
  [[nodiscard]] static std::optional<PixelRNN> made_of(const ModelWords& words,
                                                       std::uint64_t bytes) {
    if (words["model"] != kind || words["initial_state"] != R::state_kind) return std::nullopt;
    return detail::made_of<PixelRNN>(words, bytes);
  }

 private:
  static detail::PixelRNNNet<R> make_net(const Config& config, const L& likelihood, Rng& rng) {
    const detail::Widths widths(config, likelihood);
    const auto block = [&] {
      typename R::Config recurrence;
      recurrence.in_channels = widths.stream;
      recurrence.hidden = config.hidden;
      recurrence.colours = widths.colours;
      if constexpr (requires { recurrence.condition_channels; }) {
        recurrence.condition_channels = widths.condition;
      } else if (widths.condition > 0) {
        detail::fail<ConfigError>("model: Config::condition is given, but ", kind,
                                  " has no Config::condition_channels");
      }
      if constexpr (requires { recurrence.padding_bias; }) {
        recurrence.padding_bias = config.padding_bias;
      } else if (config.padding_bias) {
        detail::fail<ConfigError>("model: Config::padding_bias is true, but ", kind,
                                  " has no padding; see DiagonalBiLSTM<PaddedScanState>");
      }
      // Two statements: the order of construction is the order of random numbers.
      R layer(recurrence, rng);
      std::optional<typename detail::PixelRNNBlock<R>::Upsample> upsample;
      if (config.upsample) {
        upsample = widths.template pointwise<B>(config.hidden, widths.stream, rng);
      } else if (widths.stream != config.hidden) {
        detail::fail<ConfigError>("model: Config::upsample is false and Config::stream ",
                                  widths.stream, ", expected Config::hidden, which is ",
                                  config.hidden);
      }
      return detail::PixelRNNBlock<R>(std::move(layer), std::move(upsample), config.residual);
    };
    return detail::make_net<B>(widths, config, block, rng);
  }
  static std::map<std::string, std::string> description(const Config& config) {
    auto words = detail::describe(kind, config);
    words["initial_state"] = R::state_kind;
    if (!config.residual) words["residual"] = "false";
    if (!config.upsample) words["upsample"] = "false";
    if (config.padding_bias) words["padding_bias"] = "true";
    return words;
  }
};

}  // namespace pixelrnn::inline PIXELRNN_ABI
