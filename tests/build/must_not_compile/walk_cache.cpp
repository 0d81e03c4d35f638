// SPDX-License-Identifier: MIT
// A walk whose cache cannot be named is no walk.
// expect: Copied
// expect: A layer with a make_cache has a walk, which needs a public type: Cache
#include <pixelrnn/nn/relu.hpp>
#include <pixelrnn/nn/sequential.hpp>

class Copied {
#ifdef RIGHT
 public:
#endif
  struct Cache {};

 public:
  using Scalar = float;
  pixelrnn::Variable<float> forward(pixelrnn::Variable<float> x) const { return x; }
  pixelrnn::Shape<4> output_shape(pixelrnn::Shape<4> x) const { return x; }
  void for_each_parameter(auto&&) {}

  Cache make_cache(pixelrnn::Walk) const { return {}; }
  void step(Cache&, pixelrnn::Index, pixelrnn::Index, pixelrnn::MatrixView<const float> x,
            pixelrnn::MatrixView<float> y) const {
    for (pixelrnn::Index b = 0; b < x.rows; ++b) std::copy_n(x.row(b), x.columns, y.row(b));
  }
  void end_row(Cache&, pixelrnn::Index) const {}
};
static_assert(pixelrnn::IncrementalLayer<pixelrnn::Sequential<Copied, pixelrnn::ReLU<>>>);
