// SPDX-License-Identifier: MIT
// LstmParameters: what an LSTM over a map learns.
#pragma once

#include <pixelrnn/autodiff/variable.hpp>
#include <pixelrnn/kernels/backend.hpp>
#include <pixelrnn/nn/init.hpp>
#include <pixelrnn/nn/initial_state.hpp>
#include <pixelrnn/taps/mask.hpp>
#include <pixelrnn/taps/taps.hpp>

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
      : mask(MaskB{}, 1, kernel, 1, config.colours),
        input_weights(shape_of(config, kernel),
                      mask.rule(shape_of(config, kernel), kernels::gate_count)),
        state_weights({rows, columns, config.hidden, kernels::gate_count * config.hidden}),
        bias({1, 1, 1, kernels::gate_count * config.hidden}),
        h0(initial_parameter<State, Scalar>(config.hidden)),
        c0(initial_parameter<State, Scalar>(config.hidden)),
        hidden_(config.hidden) {
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
  void mask_gradient(const Backward<Scalar>& ctx) const {
    if (mask.has_parts()) mask.apply(ctx.gradient(input_weights), kernels::gate_count);
  }
  [[nodiscard]] FeatureView<const Scalar> masked_input_weights(Workspace& workspace) const {
    return mask.masked(std::as_const(input_weights).value(), kernels::gate_count, workspace);
  }
  /// For sums to begin with.
  [[nodiscard]] kernels::Rows<const Scalar> pack_bias(Workspace& workspace) const {
    return pack_bias(workspace, 0, hidden_);
  }
  /// Of units [first, first + count).
  [[nodiscard]] kernels::Rows<const Scalar> pack_bias(Workspace& workspace, Index first,
                                                      Index count) const {
    const auto part = units_of(bias.value(), kernels::gate_count, first, count, workspace);
    return kernels::pack_gate_bias<typename B::Kernels>(workspace, part.data(), count);
  }

  KernelMask mask;  ///< of the input weights
  Parameter<Scalar> input_weights, state_weights, bias, h0, c0;

 private:
  template <class Config>
  static Shape<4> shape_of(const Config& config, Index kernel) {
    return {1, kernel, config.in_channels, kernels::gate_count * config.hidden};
  }
  Index hidden_;
};

}  // namespace pixelrnn::inline PIXELRNN_ABI::detail
