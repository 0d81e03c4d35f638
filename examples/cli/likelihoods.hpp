// SPDX-License-Identifier: MIT
// From a number of levels to a likelihood, and from a model of the library to its net.
#pragma once

#include <algorithm>
#include <utility>

#include <pixelrnn/likelihood/bernoulli.hpp>
#include <pixelrnn/likelihood/categorical.hpp>
#include <pixelrnn/likelihood/logistic_mixture.hpp>

#include "nets.hpp"

namespace cli {

/// make(likelihood) with the likelihood that a spec asks for. Throws ConfigError if its levels are
/// not 2 to 256.
template <class Make>
decltype(auto) with_likelihood(const ModelSpec& spec, Make make) {
  const int levels = spec.levels;
  if (spec.components > 0) return make(LogisticMixture(levels, spec.components));
  if (levels == 2) return make(Bernoulli());
  if (levels < 2 || levels > 256) {
    detail::fail<ConfigError>("levels is ", levels, ", expected 2 to 256");
  }
  return make(Categorical(levels));
}

/// The net of a model of the library, ModelOf<L>, for the likelihood and sizes of a spec.
template <template <class L> class ModelOf>
[[nodiscard]] Net take_net(const ModelSpec& spec, Rng& rng) {
  return with_likelihood(spec, [&]<class L>(const L& likelihood) {
    typename ModelOf<L>::Config config;
    config.image = spec.image;
    config.layers = spec.layers;
    config.hidden = spec.hidden;
    config.head = spec.head;
    if constexpr (requires { config.skip; }) {
      config.skip = spec.skip;
    } else if (spec.skip) {
      detail::fail<ConfigError>("--skip is of blocks, which ", spec.kind, " has not");
    }
    if constexpr (requires { config.residual; }) {
      config.residual = spec.residual;
    } else if (!spec.residual) {
      detail::fail<ConfigError>("--no-residual is of blocks with an LSTM, which ", spec.kind,
                                " has not");
    }
    if constexpr (requires { config.stream; }) {
      config.stream = spec.stream;
      config.head_relu_first = spec.head_relu_first;
    } else if (spec.stream > 0 || !spec.head_relu_first) {
      detail::fail<ConfigError>("--stream and --head-relu-after are of residual blocks, which ",
                                spec.kind, " has not");
    }
    if constexpr (requires { config.upsample; }) {
      config.upsample = spec.upsample;
      config.padding_bias = spec.padding_bias;
    } else if (!spec.upsample || spec.padding_bias ||
               spec.initial_state != ModelSpec().initial_state) {
      detail::fail<ConfigError>(
          "--no-upsample, --padding-bias and --initial-state are of blocks with an LSTM, which ",
          spec.kind, " has not");
    }
    if constexpr (requires { config.first_gated; }) {
      config.first_kernel = spec.first_kernel;
      config.dilations = spec.dilations;
      config.first_gated = spec.first_gated;
      config.head_elu = spec.head_elu;
    } else if (!spec.dilations.empty() || !spec.first_gated || spec.head_elu ||
               spec.first_kernel != ModelSpec().first_kernel) {
      detail::fail<ConfigError>("--first-kernel, --dilations, --plain-first and --head-elu are of ",
                                "gated_pixel_cnn, not of ", spec.kind);
    }
    if constexpr (requires { config.kernel; }) {
      if (spec.kernel > 0) config.kernel = spec.kernel;
    } else if (spec.kernel > 0) {
      detail::fail<ConfigError>("--kernel is of gated_pixel_cnn and wavenet, not of ", spec.kind);
    }
    if constexpr (requires { config.cycle; }) {
      config.cycle = spec.cycle;
    } else if (spec.cycle != ModelSpec().cycle) {
      detail::fail<ConfigError>("--cycle is of wavenet, not of ", spec.kind);
    }
    // Taps beyond the image would learn nothing; smaller kernels than 64 are nobody's mistake.
    const Index widest = std::max<Index>(64, 2 * std::max(spec.image.height, spec.image.width));
    if (spec.first_kernel > widest || spec.kernel > widest) {
      detail::fail<ConfigError>("--first-kernel is ", spec.first_kernel, ", --kernel ", spec.kernel,
                                ", expected at most ", widest, " for images ", spec.image);
    }
    config.encoding = spec.encoding;
    config.condition = spec.condition;
    config.orientation = spec.orientation;
    ModelOf<L> model(config, rng, likelihood);
    const Index first = model.net().input_flops(spec.image.height, spec.image.width);
    return Net{AnyLayer(std::move(model.net())), model.describe(), first};
  });
}

[[noreturn]] inline void fail_initial_state(const ModelSpec& spec, const char* accepted) {
  detail::fail<ConfigError>("the initial state is ", spec.initial_state, ", expected ", accepted,
                            " for ", spec.kind);
}

}  // namespace cli
