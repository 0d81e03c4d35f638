// SPDX-License-Identifier: MIT
// A walk whose make_cache does not take the walk is no walk, as a whole net too.
// expect: Net
// expect: A layer with a Cache has a walk, which needs: Cache make_cache(Walk) const
#include <pixelrnn/likelihood/bernoulli.hpp>
#include <pixelrnn/models/model.hpp>

struct Net {
  using Scalar = float;
  pixelrnn::Variable<float> forward(pixelrnn::Variable<float> x) const { return x; }
  pixelrnn::Shape<4> output_shape(pixelrnn::Shape<4> x) const { return x; }
  void for_each_parameter(auto&&) {}

  struct Cache {};
#ifdef RIGHT
  Cache make_cache(pixelrnn::Walk) const { return {}; }
#else
  Cache make_cache() const { return {}; }
#endif
  void step(Cache&, pixelrnn::Index, pixelrnn::Index, pixelrnn::MatrixView<const float> x,
            pixelrnn::MatrixView<float> y) const {
    for (pixelrnn::Index b = 0; b < x.rows; ++b) std::copy_n(x.row(b), x.columns, y.row(b));
  }
  void end_row(Cache&, pixelrnn::Index) const {}
};
static_assert(sizeof(pixelrnn::ImageModel<Net, pixelrnn::Bernoulli>) > 0);
