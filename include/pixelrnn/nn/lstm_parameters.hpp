// SPDX-License-Identifier: MIT
// LstmParameters: what an LSTM over a map learns.
#pragma once

#include <pixelrnn/nn/backend.hpp>
#include <pixelrnn/nn/init.hpp>
#include <pixelrnn/nn/initial_state.hpp>
#include <pixelrnn/nn/mask.hpp>

namespace pixelrnn::inline PIXELRNN_ABI::detail {

/// The parameters of an LSTM over a map, whose gates [o, f, i, g] come from taps of its input and
/// of its own states:
///   input_weights [1][k][C][4·hidden] mask B    state_weights [.][.][hidden][4·hidden], no mask
///   bias [4·hidden]    h0, c0 [hidden]: the state outside the image, if State is learned
/// Weights are uniform by Glorot, a gate having `hidden` outputs; the others begin with zero.
template <InitialState State, class B>
class LstmParameters {
 public:
  using Scalar = typename B::Scalar;

  /// `Config` has in_channels, hidden and colours. Input weights of 1 × kernel taps, state weights
  /// of rows × columns.
  template <class Config>
  LstmParameters(const Config& config, Index kernel, Index rows, Index columns, Rng& rng)
      : input_weights(shape_of(config, kernel), mask_rule(MaskB{}, shape_of(config, kernel),
                                                          config.colours, kernels::gate_count)),
        state_weights({rows, columns, config.hidden, kernels::gate_count * config.hidden}),
        bias({1, 1, 1, kernels::gate_count * config.hidden}),
        h0(initial_parameter<State, Scalar>(config.hidden)),
        c0(initial_parameter<State, Scalar>(config.hidden)),
        hidden_(config.hidden),
        colours_(config.colours) {
    glorot_uniform(input_weights.value(), (kernel / 2 + 1) * config.in_channels, hidden_, rng);
    glorot_uniform(state_weights.value(), rows * columns * hidden_, hidden_, rng);
    apply_mask();
  }

  void for_each_parameter(auto&& visit) {
    visit("input_weights", input_weights);
    visit("state_weights", state_weights);
    visit("bias", bias);
    if constexpr (State::is_learned) visit("h0", h0), visit("c0", c0);
  }
  void apply_mask() { input_weights.apply_mask(); }
  /// For gradients that were summed over all weights.
  void mask_gradient() const {
    if (colours_ == 1) return;
    pixelrnn::apply_mask(MaskB{}, input_weights.gradient(), colours_, kernels::gate_count);
  }
  [[nodiscard]] FeatureView<const Scalar> masked_input_weights(Workspace& workspace) const {
    return masked(MaskB{}, input_weights.value(), colours_, kernels::gate_count, workspace);
  }
  /// For sums to begin with.
  [[nodiscard]] kernels::Rows<const Scalar> pack_bias(Workspace& workspace) const {
    return kernels::pack_gate_bias<typename B::Kernels>(workspace, bias.value().data(), hidden_);
  }

  Parameter<Scalar> input_weights, state_weights, bias, h0, c0;

 private:
  template <class Config>
  static Shape<4> shape_of(const Config& config, Index kernel) {
    return {1, kernel, config.in_channels, kernels::gate_count * config.hidden};
  }
  Index hidden_, colours_;
};

}  // namespace pixelrnn::inline PIXELRNN_ABI::detail
