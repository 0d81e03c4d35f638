// SPDX-License-Identifier: MIT
// A mask of your own: what a convolution may see, and what a model then knows.
#include <iostream>

#include <pixelrnn/pixelrnn.hpp>

using namespace pixelrnn;

/// The pixels straight above and straight to the left.
struct Cross {
  static constexpr std::string_view name = "cross";
  [[nodiscard]] static bool allowed(Index dy, Index dx, Index /*from*/, Index /*to*/) {
    return (dy < 0 && dx == 0) || (dy == 0 && dx < 0);
  }
};
/// The same, one pixel ahead of time: what must not be.
struct Ahead {
  static constexpr std::string_view name = "ahead";
  [[nodiscard]] static bool allowed(Index dy, Index dx, Index /*from*/, Index /*to*/) {
    return dy == 0 && dx == 1;
  }
};

template <class M>
auto make_model(const M& mask, Rng& rng) {
  MaskedConv2d<M> first(mask, {.out_channels = 6, .kernel_height = 5, .kernel_width = 5}, rng);
  MaskedConv2d<MaskB> logits({.in_channels = 6}, rng);
  return ImageModel({6, 6, 1}, Sequential(std::move(first), std::move(logits)), Bernoulli());
}

int main() {
  Rng rng(1);
  const auto cross = make_model(Cross{}, rng);
  const VerifyReport causal = verify_causality(cross), whole = verify_completeness(cross);
  std::cout << "cross: no future pixel " << causal.passed << ", every past one " << whole.passed
            << '\n';
  const Tensor<unsigned char, 2> field = receptive_field(cross, 3, 3);
  for (Index y = 0; y < 6; ++y) {
    for (Index x = 0; x < 6; ++x)
      std::cout << (y == 3 && x == 3 ? '@' : field(y, x) != 0 ? '#' : '.');
    std::cout << '\n';
  }
  const auto ahead = make_model(Ahead{}, rng);
  std::cout << "ahead: " << verify_causality(ahead).where << '\n';
  bool refused = false;
  try {
    static_cast<void>(sample(ahead, 1));
  } catch (const ConfigError& error) {
    std::cout << error.what() << '\n';
    refused = true;
  }
  return causal.passed && !whole.passed && !verify_causality(ahead).passed && refused ? 0 : 1;
}
