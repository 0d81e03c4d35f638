// SPDX-License-Identifier: MIT
// From a number of levels to a likelihood, and from a model of the library to its net.
#pragma once

#include <utility>

#include <pixelrnn/likelihood/bernoulli.hpp>
#include <pixelrnn/likelihood/categorical.hpp>

#include "nets.hpp"

namespace cli {

/// make.operator()<L>() with the likelihood L for so many levels. Throws ConfigError if this
/// program has none.
template <class Make>
decltype(auto) with_likelihood(int levels, Make make) {
  switch (levels) {
    case 2:
      return make.template operator()<Bernoulli>();
    case 4:
      return make.template operator()<Categorical<4>>();
    case 8:
      return make.template operator()<Categorical<8>>();
    case 16:
      return make.template operator()<Categorical<16>>();
    case 32:
      return make.template operator()<Categorical<32>>();
    case 64:
      return make.template operator()<Categorical<64>>();
    case 128:
      return make.template operator()<Categorical<128>>();
    case 256:
      return make.template operator()<Categorical<256>>();
    default:
      detail::fail<ConfigError>("levels is ", levels, ", expected a power of 2 from 2 to 256");
  }
}

/// The net of a model of the library, ModelOf<L>, for the likelihood and sizes of a spec.
template <template <class L> class ModelOf>
[[nodiscard]] Net take_net(const ModelSpec& spec, Rng& rng) {
  return with_likelihood(spec.levels, [&]<class L>() {
    typename ModelOf<L>::Config config;
    config.image = spec.image;
    config.layers = spec.layers;
    config.hidden = spec.hidden;
    config.head = spec.head;
    config.skip = spec.skip;
    ModelOf<L> model(config, rng);
    const Index first = flops(model.net().template layer<0>(), spec.image.height, spec.image.width);
    return Net{AnyLayer(std::move(model.net())), model.describe(), first};
  });
}

[[noreturn]] inline void fail_initial_state(const ModelSpec& spec, const char* accepted) {
  detail::fail<ConfigError>("the initial state is ", spec.initial_state, ", expected ", accepted,
                            " for ", spec.kind);
}

}  // namespace cli
