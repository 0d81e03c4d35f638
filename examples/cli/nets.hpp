// SPDX-License-Identifier: MIT
// The nets of all kinds of models, each compiled in a source file of its own.
#pragma once

#include <array>
#include <string>
#include <vector>

#include <pixelrnn/core/random.hpp>
#include <pixelrnn/models/model_words.hpp>
#include <pixelrnn/training/state.hpp>

#include "any_layer.hpp"

namespace cli {

/// Everything that decides what a model is.
struct ModelSpec {
  std::string kind = "diagonal_bilstm";   ///< one of kinds
  std::string initial_state = "learned";  ///< of an LSTM: learned, zero; padded_scan if diagonal
  int levels = 2;                         ///< 2: Bernoulli; else Categorical(levels)
  int components = 0;                     ///< of a LogisticMixture in their place; 0: none
  ImageShape image{};
  Index layers = 7;
  Index hidden = 16;
  Index head = 32;
  bool skip = false;               ///< not of gated_pixel_cnn and wavenet
  bool residual = true;            ///< false: of LSTMs only
  Index first_kernel = 7;          ///< of gated_pixel_cnn
  Index kernel = 0;                ///< of gated_pixel_cnn and wavenet; 0: the model's own default
  std::vector<Index> dilations{};  ///< of gated_pixel_cnn, as the next two
  bool first_gated = true, head_elu = false;  ///< as in GatedPixelCNNConfig
  Index cycle = 10;                           ///< of wavenet's dilations
  Index stream = 0;                           ///< maps between blocks; 0: twice hidden
  bool upsample = true, padding_bias = false, head_relu_first = true;  ///< as in PixelRNNConfig
  Encoding encoding = Encoding::scaled;
  Condition condition{};      ///< what it is told of each image
  Orientation orientation{};  ///< the order in which it goes through the pixels
};

/// A net with fresh weights, ending in the logits of the likelihood for spec.levels, and the words
/// that describe the model it belongs to.
struct Net {
  AnyLayer layer;
  Metadata description;
  Index first_layer_flops = 0;
};

inline constexpr std::array kinds{"pixel_cnn", "gated_pixel_cnn", "spatial_lstm",
                                  "row_lstm",  "diagonal_bilstm", "wavenet"};

[[nodiscard]] Net make_pixel_cnn(const ModelSpec& spec, Rng& rng);
[[nodiscard]] Net make_gated_pixel_cnn(const ModelSpec& spec, Rng& rng);
[[nodiscard]] Net make_spatial_lstm(const ModelSpec& spec, Rng& rng);
[[nodiscard]] Net make_row_lstm(const ModelSpec& spec, Rng& rng);
[[nodiscard]] Net make_diagonal_bilstm(const ModelSpec& spec, Rng& rng);
[[nodiscard]] Net make_wave_net(const ModelSpec& spec, Rng& rng);

}  // namespace cli
