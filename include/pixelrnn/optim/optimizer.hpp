// SPDX-License-Identifier: MIT
// Optimizer: an update rule with its state for the parameters of one model.
#pragma once

#include <vector>

#include <pixelrnn/autodiff/gradients.hpp>
#include <pixelrnn/optim/rules.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// Global gradient norm: √(Σ over all parameters of |g|²), summed in double in a fixed order.
template <class T>
[[nodiscard]] double gradient_norm(const Gradients<T>& gradients) {
  double sum = 0;
  for (const T g : gradients.values()) sum += static_cast<double>(g) * static_cast<double>(g);
  return std::sqrt(sum);
}

/// Scales all gradients so that their global norm is at most max_norm (Pascanu, Mikolov & Bengio
/// 2013); returns the norm before. Not-a-number gradients are left for the caller to find.
/// Throws ConfigError unless max_norm > 0.
template <class T>
double clip_gradients(Gradients<T>& gradients, double max_norm) {
  if (!(max_norm > 0)) {
    detail::fail<ConfigError>("clip_gradients: max_norm is ", max_norm, ", expected more than 0");
  }
  const double norm = gradient_norm(gradients);
  if (!(norm > max_norm)) return norm;
  const T factor = static_cast<T>(max_norm / norm);
  for (T& g : gradients.values()) g *= factor;
  return norm;
}

/// Applies an update rule to every parameter of a model. The model must stay where it is. Holds one
/// tensor a parameter and state name; all zero at first.
template <UpdateRule Rule, class T>
class Optimizer {
 public:
  static constexpr std::size_t states = Rule::state_names.size();

  Optimizer(Rule rule, std::vector<NamedParameter<T>> parameters)
      : rule_(rule), parameters_(std::move(parameters)) {
    (rule_.check)();
    for (const auto& [name, parameter] : parameters_) {
      for (std::size_t s = 0; s < states; ++s) state_.emplace_back(parameter->shape());
    }
  }

  [[nodiscard]] const Rule& rule() const { return rule_; }
  [[nodiscard]] const std::vector<NamedParameter<T>>& parameters() const { return parameters_; }
  /// Steps taken.
  [[nodiscard]] Index steps() const { return steps_; }
  void set_steps(Index steps) { steps_ = steps; }
  /// State tensor s of parameter p, named "<parameter>.<Rule::state_names[s]>" in checkpoints.
  [[nodiscard]] FeatureView<T> state(std::size_t p, std::size_t s) {
    return state_[p * states + s];
  }

  /// One step along gradients; `rate_factor` is the schedule's. Throws ConfigError if they are not
  /// for all of the parameters.
  void step(const Gradients<T>& gradients, double rate_factor = 1) {
    for (const auto& [name, parameter] : parameters_) {
      if (gradients.contains(*parameter)) continue;
      detail::fail<ConfigError>("Optimizer: there is no gradient of ", name,
                                ", expected Gradients for the model whose parameters these are");
    }
    ++steps_;
    for (std::size_t p = 0; p < parameters_.size(); ++p) {
      Parameter<T>& parameter = *parameters_[p].parameter;
      std::array<std::span<T>, states> state;
      for (std::size_t s = 0; s < states; ++s) state[s] = this->state(p, s).flat();
      rule_.update(steps_, rule_.learning_rate * rate_factor, parameter.value().flat(),
                   gradients[parameter].flat(), state);
    }
  }

 private:
  Rule rule_;
  std::vector<NamedParameter<T>> parameters_;
  std::vector<FeatureMap<T>> state_;
  Index steps_ = 0;
};

}  // namespace pixelrnn::inline PIXELRNN_ABI
