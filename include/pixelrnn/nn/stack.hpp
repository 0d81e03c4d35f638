// SPDX-License-Identifier: MIT
// Stack: a run-time number of blocks of one type, with optional skip connections to its output.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <pixelrnn/autodiff/chain.hpp>
#include <pixelrnn/autodiff/functions.hpp>
#include <pixelrnn/nn/layer.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// x_l = block_l(x_{l-1}) for l = 1 .. L, x_0 = x. Without skips y = x_L; with a skip layer S_l for
/// each block ("learnable skip connections from each layer to the output", van den Oord et al.
/// 2016, sec. 3.3) y = x_L + (S_1(x_1) + ... + S_L(x_L)). Throws ConfigError if there are skips but
/// not one a block, ShapeError if a block or skip changes the number of channels.
template <Layer Block, Layer SkipLayer>
class Stack {
  static_assert(detail::OneScalar<Block, SkipLayer>,
                "Layers of one net have one Scalar: give blocks and skips the same Backend");
  static_assert(detail::WholeWalk<Block>::value && detail::WholeWalk<SkipLayer>::value);

 public:
  using Scalar = typename Block::Scalar;
  using Execution = ExecutionOf<Block>;
  static constexpr bool separates_images = SeparatesImages<Block> && SeparatesImages<SkipLayer>;
  static constexpr bool is_incremental = IncrementalLayer<Block> && IncrementalLayer<SkipLayer>;

  explicit Stack(std::vector<Block> blocks, std::vector<SkipLayer> skips = {})
      : blocks_(std::move(blocks)), skips_(std::move(skips)) {
    if (!skips_.empty() && skips_.size() != blocks_.size()) {
      detail::fail<ConfigError>("Stack: ", skips_.size(), " skips for ", blocks_.size(),
                                " blocks, expected none or one a block");
    }
  }

  [[nodiscard]] const std::vector<Block>& blocks() const { return blocks_; }

  [[nodiscard]] Variable<Scalar> forward(Variable<Scalar> x) const {
    static_cast<void>(output_shape(x.shape()));
    Tape<Scalar>& tape = x.tape();
    std::optional<Variable<Scalar>> skipped;
    // Not recorded, the sum of the skips must outlive what the chain gives back.
    const bool in_place = !tape.records() && !skips_.empty();
    const auto sum = in_place ? tape.allocate(x.shape()) : FeatureView<Scalar>();
    if (in_place) skipped = tape.constant(sum);
    const Chain<Scalar> chain(tape);
    for (std::size_t l = 0; l < blocks_.size(); ++l) {
      x = chain.keep(blocks_[l].forward(x));
      if (skips_.empty()) continue;
      const Variable<Scalar> skip = skips_[l].forward(x);
      if (!in_place) {
        skipped = skipped ? add(*skipped, skip) : skip;
        continue;
      }
      const Scalar* const from = skip.value().data();
      detail::for_each_part(tape.threads(), sum.size(), [&](Index at, Index count) {
        if (l == 0) {
          std::copy_n(from + at, count, sum.data() + at);
        } else {
          detail::add_to(count, from + at, sum.data() + at);
        }
      });
      x = chain.keep(x);
    }
    return skipped ? add(x, *skipped) : x;
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
  [[nodiscard]] Index flops(Index height, Index width) const {
    Index total = 0;
    for (const Block& block : blocks_) total += pixelrnn::flops(block, height, width);
    for (const SkipLayer& skip : skips_) total += pixelrnn::flops(skip, height, width);
    return total;
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

  struct Cache {
    std::vector<CacheOf<Block>> blocks;
    std::vector<CacheOf<SkipLayer>> skips;
    /// One pixel each: every block's output, for steps of one colour go on from those of the
    /// others; the sum of the skips, and one skip.
    std::vector<FeatureMap<Scalar>> outs;
    FeatureMap<Scalar> sum, skip;
    detail::GuardedWalk walk;
  };
  [[nodiscard]] Cache make_cache(Walk walk) const requires is_incremental {
    Cache cache;
    cache.walk = {walk};
    for (const Block& block : blocks_)
      cache.blocks.push_back(detail::make_inner_cache(block, walk));
    for (const SkipLayer& skip : skips_)
      cache.skips.push_back(detail::make_inner_cache(skip, walk));
    return cache;
  }
  void step(Cache& cache, Index row, Index column, const MatrixView<const Scalar>& x,
            const MatrixView<Scalar>& y,
            const ColourGroup& colour = {}) const requires is_incremental {
    detail::require_input("Stack", cache.walk, row, column, x, x.columns);
    detail::require_output("Stack", cache.walk, y, x.columns);
    if (const Shape<4> pixel{x.rows, 1, 1, x.columns}; cache.sum.shape() != pixel) {
      cache.sum = cache.skip = FeatureMap<Scalar>(output_shape(pixel));
      cache.outs.assign(blocks_.size(), cache.sum);
    }
    const MatrixView<Scalar> sum = as_rows(cache.sum.view()), skip = as_rows(cache.skip.view());
    const Index first = colour.first(x.columns), count = colour.count(x.columns);
    MatrixView<const Scalar> in = x;
    for (std::size_t l = 0; l < blocks_.size(); ++l) {
      const MatrixView<Scalar> out = as_rows(cache.outs[l].view());
      detail::step_colour(blocks_[l], cache.blocks[l], row, column, in, out, colour);
      in = out;
      if (skips_.empty()) continue;
      detail::step_colour(skips_[l], cache.skips[l], row, column, in, l == 0 ? sum : skip, colour);
      for (Index b = 0; b < x.rows && l > 0; ++b) {
        detail::add_to(count, skip.row(b) + first, sum.row(b) + first);
      }
    }
    for (Index b = 0; b < x.rows; ++b) {
      std::copy_n(in.row(b) + first, count, y.row(b) + first);
      if (!skips_.empty()) detail::add_to(count, sum.row(b) + first, y.row(b) + first);
    }
  }
  void end_row(Cache& cache, Index row) const requires is_incremental {
    for (std::size_t l = 0; l < blocks_.size(); ++l) blocks_[l].end_row(cache.blocks[l], row);
    for (std::size_t l = 0; l < skips_.size(); ++l) skips_[l].end_row(cache.skips[l], row);
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
