// SPDX-License-Identifier: MIT
// Stack: a run-time number of blocks of one type, with optional skip connections to its output.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <pixelrnn/kernels/backend.hpp>
#include <pixelrnn/nn/network/network.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// x_l = block_l(x_{l-1}) for l = 1 .. L, x_0 = x. Without skips y = x_L; with a skip layer S_l for
/// each block ("learnable skip connections from each layer to the output", van den Oord et al.
/// 2016, sec. 3.3) y = x_L + (S_1(x_1) + ... + S_L(x_L)). Throws ConfigError if there are skips but
/// not one a block, ShapeError if a block or skip changes the number of channels.
template <Layer Block, Layer SkipLayer>
class Stack : public Network<Stack<Block, SkipLayer>, typename Block::Scalar> {
  static_assert(detail::OneScalar<Block, SkipLayer>,
                "Layers of one net have one Scalar: give blocks and skips the same Backend");
  static_assert(detail::WholeWalk<Block>::value && detail::WholeWalk<SkipLayer>::value);

 public:
  using Execution = ExecutionOf<Block>;
  static constexpr bool separates_images = SeparatesImages<Block> && SeparatesImages<SkipLayer>;
  static constexpr bool is_incremental = IncrementalLayer<Block> && IncrementalLayer<SkipLayer>;
  static constexpr const char* name = "Stack";

  explicit Stack(std::vector<Block> blocks, std::vector<SkipLayer> skips = {})
      : blocks_(std::move(blocks)), skips_(std::move(skips)) {
    if (!skips_.empty() && skips_.size() != blocks_.size()) {
      detail::fail<ConfigError>("Stack: ", skips_.size(), " skips for ", blocks_.size(),
                                " blocks, expected none or one a block");
    }
  }

  [[nodiscard]] const std::vector<Block>& blocks() const { return blocks_; }

  template <class Pass>
  [[nodiscard]] auto run(Pass& p, typename Pass::Value x) const {
    if (skips_.empty()) {
      for (const Block& block : blocks_) x = p(block, std::move(x));
      return x;
    }
    x = p(blocks_[0], std::move(x));
    auto skipped = p(skips_[0], x);
    for (std::size_t l = 1; l < blocks_.size(); ++l) {
      x = p(blocks_[l], std::move(x));
      skipped = p.add(skipped, skips_[l], x);
    }
    return p.add(x, skipped);
  }
  [[nodiscard]] Shape<4> output_shape(Shape<4> x) const {
    const auto require_same = [&x](const char* what, std::size_t l, const Shape<4>& y) {
      if (y == x) return;
      detail::fail<ShapeError>("Stack: ", what, ' ', l, " turns ", x, " into ", y,
                               ", expected the same shape");
    };
    for (std::size_t l = 0; l < blocks_.size(); ++l) {
      require_same("block", l, blocks_[l].output_shape(x));
    }
    for (std::size_t l = 0; l < skips_.size(); ++l) {
      require_same("skip", l, skips_[l].output_shape(x));
    }
    return x;
  }
  /// "Stack(7 of Residual(...), skips 7 of MaskedConv2d...)"
  [[nodiscard]] std::string describe() const {
    std::string text = "Stack(" + describe_all(blocks_);
    if (!skips_.empty()) text += ", skips " + describe_all(skips_);
    return text + ')';
  }
  void for_each_parameter(auto&& visit) {
    for (std::size_t l = 0; l < blocks_.size(); ++l) visit(std::to_string(l), blocks_[l]);
    for (std::size_t l = 0; l < skips_.size(); ++l) visit("skip" + std::to_string(l), skips_[l]);
  }

 private:
  /// Equal neighbours once, with their number.
  template <class L>
  [[nodiscard]] static std::string describe_all(const std::vector<L>& layers) {
    std::string text;
    for (std::size_t first = 0, end; first < layers.size(); first = end) {
      const std::string one = description_of(layers[first]);
      for (end = first + 1; end < layers.size() && description_of(layers[end]) == one;) ++end;
      text += (first > 0 ? ", " : "") + std::to_string(end - first) + " of " + one;
    }
    return text;
  }

  std::vector<Block> blocks_;
  std::vector<SkipLayer> skips_;
};

}  // namespace pixelrnn::inline PIXELRNN_ABI
