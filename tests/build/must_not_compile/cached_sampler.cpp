// SPDX-License-Identifier: MIT
// Cached needs layers that step; the message says so and names the way out.
// expect: Cached needs a net that can step
// expect: or use FullForward
#include <pixelrnn/likelihood/bernoulli.hpp>
#include <pixelrnn/nn/convolution/masked_conv2d.hpp>
#include <pixelrnn/sampling/sample.hpp>

/// A convolution that has only one of the two walks.
class Whole {
 public:
  using Scalar = float;
  explicit Whole(pixelrnn::Rng& rng) : conv_({.kernel_height = 3, .kernel_width = 3}, rng) {}
  pixelrnn::Variable<float> forward(pixelrnn::Variable<float> x) const { return conv_.forward(x); }
  pixelrnn::Shape<4> output_shape(pixelrnn::Shape<4> x) const { return conv_.output_shape(x); }
  void for_each_parameter(auto&& visit) { conv_.for_each_parameter(visit); }

 private:
  pixelrnn::MaskedConv2d<pixelrnn::MaskA> conv_;
};

pixelrnn::Images draw(pixelrnn::Rng& rng) {
  const pixelrnn::ImageModel<Whole, pixelrnn::Bernoulli> model({3, 3, 1}, Whole(rng));
#ifdef RIGHT
  using Sampler = pixelrnn::FullForward;
#else
  using Sampler = pixelrnn::Cached;
#endif
  return pixelrnn::sample(model, 1, {}, pixelrnn::Multinomial{}, Sampler{});
}
