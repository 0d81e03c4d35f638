// SPDX-License-Identifier: MIT
// Cached needs a model that shows its net; the message says so and names the way out.
// expect: Cached needs a model with a member net() const
// expect: concept WalkableModel in pixelrnn/models/model.hpp, or use FullForward
#include <pixelrnn/likelihood/bernoulli.hpp>
#include <pixelrnn/nn/relu.hpp>
#include <pixelrnn/sampling/sample.hpp>

/// A user's model of which no pixel depends on another.
class Coin {
 public:
  using Scalar = float;
  using Likelihood = pixelrnn::Bernoulli;
  static Likelihood likelihood() { return {}; }
  pixelrnn::ImageShape image_shape() const { return {2, 3, 1}; }
  float encode(int level) const { return static_cast<float>(level); }
  pixelrnn::Variable<float> logits(pixelrnn::Variable<float> x) const { return net_.forward(x); }
  std::map<std::string, std::string> describe() const { return {}; }
  void for_each_parameter(auto&&) {}
#ifdef RIGHT
  const pixelrnn::ReLU<>& net() const { return net_; }
#endif

 private:
  pixelrnn::ReLU<> net_;
};

pixelrnn::Images draw() {
  return pixelrnn::sample(Coin(), 1, {}, pixelrnn::Multinomial{}, pixelrnn::Cached{});
}
