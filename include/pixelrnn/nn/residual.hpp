// SPDX-License-Identifier: MIT
// Residual: a block whose input is added to its output, once.
#pragma once

#include <pixelrnn/nn/sequential.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// y = x + L_n(... L_1(x)) (van den Oord et al. 2016, sec. 3.3, fig. 5). The layers must return to
/// the channels of x; forward throws ShapeError otherwise.
template <class... Layers>
class Residual : public Network<Residual<Layers...>, typename Sequential<Layers...>::Scalar> {
 public:
  using Execution = typename Sequential<Layers...>::Execution;
  static constexpr bool separates_images = Sequential<Layers...>::separates_images;
  static constexpr bool is_incremental = Sequential<Layers...>::is_incremental;
  static constexpr const char* name = "Residual";

  explicit Residual(Layers... layers) : inner_(std::move(layers)...) {}

  [[nodiscard]] const Sequential<Layers...>& inner() const { return inner_; }
  [[nodiscard]] Sequential<Layers...>& inner() { return inner_; }

  template <class Pass>
  [[nodiscard]] auto run(Pass& p, typename Pass::Value x) const {
    return inner_.run_add(p, x, x);
  }
  [[nodiscard]] Shape<4> output_shape(Shape<4> x) const {
    const Shape<4> y = inner_.output_shape(x);
    if (y != x) {
      detail::fail<ShapeError>(
          "Residual: the layers turn ", x, " into ", y,
          ", expected the same shape; end with a 1x1 MaskedConv2d back to C=", x.c());
    }
    return y;
  }
  /// "Residual(ReLU, ...)"
  [[nodiscard]] std::string describe() const {
    return "Residual(" + inner_.describe_layers() + ')';
  }
  void for_each_parameter(auto&& visit) { inner_.for_each_parameter(visit); }

 private:
  Sequential<Layers...> inner_;
};

/// Residual(block) is a block around the block, y = x + block(x), as it is around any other layer;
/// a copy is made by = or by Residual<...>(block).
template <class... Layers>
explicit Residual(Residual<Layers...>) -> Residual<Residual<Layers...>>;

}  // namespace pixelrnn::inline PIXELRNN_ABI
