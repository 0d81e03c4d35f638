// SPDX-License-Identifier: MIT
// AnyLayer: a layer whose type is chosen at run time, and still the pass and the walk of the
// library's own.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <pixelrnn/nn/layer.hpp>

namespace cli {

using namespace pixelrnn;

/// A layer of floats with its type erased. The models of this program differ in their nets and in
/// their likelihoods; erasing the net here makes the compiler's work a sum of the two instead of a
/// product, and costs one virtual call a pass or pixel.
class AnyLayer {
 public:
  using Scalar = float;
  static constexpr bool separates_images = true;
  struct Cache;

  template <IncrementalLayer L>
  requires(!std::same_as<L, AnyLayer>) explicit AnyLayer(L layer)
      : self_(std::make_unique<Of<L>>(std::move(layer))) {}

  [[nodiscard]] Variable<float> forward(Variable<float> x) const { return self_->forward(x); }
  [[nodiscard]] Shape<4> output_shape(Shape<4> x) const { return self_->output_shape(x); }
  [[nodiscard]] Index flops(Index height, Index width) const { return self_->flops(height, width); }
  /// Gives every parameter by its full name.
  void for_each_parameter(auto&& visit) {
    for (const auto& [name, parameter] : self_->parameters()) visit(name, *parameter);
  }

  [[nodiscard]] Cache make_cache(Walk walk) const;
  void step(Cache& cache, Index row, Index column, MatrixView<const float> x, MatrixView<float> y,
            const ColourGroup& colour = {}) const;
  void observe(Cache& cache, Index row, Index column, MatrixView<const float> x) const;
  void end_row(Cache& cache, Index row) const;

 private:
  struct AnyCache {
    virtual ~AnyCache() = default;
  };
  struct Interface {
    virtual ~Interface() = default;
    virtual Variable<float> forward(Variable<float> x) const = 0;
    virtual Shape<4> output_shape(Shape<4> x) const = 0;
    virtual Index flops(Index height, Index width) const = 0;
    virtual std::vector<NamedParameter<float>> parameters() = 0;
    virtual std::unique_ptr<AnyCache> make_cache(Walk walk) const = 0;
    virtual void step(AnyCache& cache, Index row, Index column, MatrixView<const float> x,
                      MatrixView<float> y, const ColourGroup& colour) const = 0;
    virtual void observe(AnyCache& cache, Index row, Index column,
                         MatrixView<const float> x) const = 0;
    virtual void end_row(AnyCache& cache, Index row) const = 0;
  };

  template <class L>
  struct Of final : Interface {
    static_assert(ObservingLayer<L>, "the nets of this program begin with a masked convolution");
    static_assert(SeparatesImages<L>, "and are those of PixelCNN and PixelRNN");
    struct CacheOfL final : AnyCache {
      explicit CacheOfL(typename L::Cache made) : cache(std::move(made)) {}
      typename L::Cache cache;
    };
    static typename L::Cache& cache_of(AnyCache& any) { return static_cast<CacheOfL&>(any).cache; }

    explicit Of(L l) : layer(std::move(l)) {}
    Variable<float> forward(Variable<float> x) const override { return layer.forward(x); }
    Shape<4> output_shape(Shape<4> x) const override { return layer.output_shape(x); }
    Index flops(Index height, Index width) const override {
      return pixelrnn::flops(layer, height, width);
    }
    std::vector<NamedParameter<float>> parameters() override { return pixelrnn::parameters(layer); }
    std::unique_ptr<AnyCache> make_cache(Walk walk) const override {
      return std::make_unique<CacheOfL>(layer.make_cache(walk));
    }
    void step(AnyCache& any, Index row, Index column, MatrixView<const float> x,
              MatrixView<float> y, const ColourGroup& colour) const override {
      detail::step_colour(layer, cache_of(any), row, column, x, y, colour);
    }
    void observe(AnyCache& any, Index row, Index column, MatrixView<const float> x) const override {
      layer.observe(cache_of(any), row, column, x);
    }
    void end_row(AnyCache& any, Index row) const override { layer.end_row(cache_of(any), row); }

    L layer;
  };

  std::unique_ptr<Interface> self_;
};

struct AnyLayer::Cache {
  std::unique_ptr<AnyCache> any;
};
inline AnyLayer::Cache AnyLayer::make_cache(Walk walk) const { return {self_->make_cache(walk)}; }
inline void AnyLayer::step(Cache& cache, Index row, Index column, MatrixView<const float> x,
                           MatrixView<float> y, const ColourGroup& colour) const {
  self_->step(*cache.any, row, column, x, y, colour);
}
inline void AnyLayer::observe(Cache& cache, Index row, Index column,
                              MatrixView<const float> x) const {
  self_->observe(*cache.any, row, column, x);
}
inline void AnyLayer::end_row(Cache& cache, Index row) const { self_->end_row(*cache.any, row); }

static_assert(IncrementalLayer<AnyLayer> && ObservingLayer<AnyLayer>);

}  // namespace cli
