// SPDX-License-Identifier: MIT
// Update rules: SGD, RMSProp, Adam; what a step does to one parameter.
#pragma once

#include <array>
#include <cmath>
#include <concepts>
#include <limits>
#include <span>
#include <string>

#include <pixelrnn/core/shape.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// An update rule: hyper-parameters (the struct itself), and the names of the tensors of state that
/// each parameter carries, zero before the first step; examples/custom_rule.cpp is one.
///   update(step, learning_rate, w, g, state)   one step of one parameter; step counts from 1
///   check()                                    throws ConfigError on values that cannot work
template <class R>
concept UpdateRule = requires(const R& rule, Index step, double rate, std::span<double> w,
                              std::span<const double> g,
                              std::array<std::span<double>, R::state_names.size()> state) {
  { rule.learning_rate } -> std::convertible_to<double>;
  { R::name } -> std::convertible_to<std::string_view>;
  rule.update(step, rate, w, g, state);
  (rule.check)();
};

namespace detail {

/// Throws ConfigError unless low <= value < high.
inline void require_range(const char* where, const char* what, double value, double low,
                          double high) {
  if (!(value >= low && value < high)) {
    fail<ConfigError>(where, ": ", what, " is ", value, ", expected ", low, " <= ", what, " < ",
                      high);
  }
}

/// Throws ConfigError unless epsilon is above 0, as a float too: a weight whose gradient is always
/// 0, such as a masked tap, would become 0/0.
inline void require_epsilon(const char* where, double epsilon) {
  require_range(where, "epsilon", epsilon, double{std::numeric_limits<float>::min()}, 1e30);
}

}  // namespace detail

/// Stochastic gradient descent with momentum:  v = μ·v + g;  w = w - η·v.
struct SGD {
  double learning_rate = 1e-2;
  double momentum = 0;
  static constexpr std::string_view name = "sgd";
  static constexpr std::array<const char*, 1> state_names{"velocity"};

  void(check)() const {
    detail::require_range("SGD", "learning_rate", learning_rate, 0, 1e30);
    detail::require_range("SGD", "momentum", momentum, 0, 1);
  }
  template <class T>
  void update(Index, double rate, std::span<T> w, std::span<const T> g,
              std::array<std::span<T>, 1> state) const {
    const T mu = static_cast<T>(momentum), eta = static_cast<T>(rate);
    T* const v = state[0].data();
    for (std::size_t i = 0; i < w.size(); ++i) {
      v[i] = mu * v[i] + g[i];
      w[i] -= eta * v[i];
    }
  }
};

/// RMSProp (Tieleman & Hinton 2012, lecture 6.5; the rule of the paper, sec. 5):
///   s = ρ·s + (1-ρ)·g²;  w = w - η·g / (√s + ε).
struct RMSProp {
  double learning_rate = 1e-3;
  double decay = 0.95;
  double epsilon = 1e-8;
  static constexpr std::string_view name = "rmsprop";
  static constexpr std::array<const char*, 1> state_names{"mean_square"};

  void(check)() const {
    detail::require_range("RMSProp", "learning_rate", learning_rate, 0, 1e30);
    detail::require_range("RMSProp", "decay", decay, 0, 1);
    detail::require_epsilon("RMSProp", epsilon);
  }
  template <class T>
  void update(Index, double rate, std::span<T> w, std::span<const T> g,
              std::array<std::span<T>, 1> state) const {
    const T rho = static_cast<T>(decay), rest = static_cast<T>(1 - decay);
    const T eta = static_cast<T>(rate), eps = static_cast<T>(epsilon);
    T* const s = state[0].data();
    for (std::size_t i = 0; i < w.size(); ++i) {
      s[i] = rho * s[i] + rest * g[i] * g[i];
      w[i] -= eta * g[i] / (std::sqrt(s[i]) + eps);
    }
  }
};

/// Adam (Kingma & Ba 2015, algorithm 1), bias-corrected; t counts steps from 1:
///   m = β₁·m + (1-β₁)·g;  v = β₂·v + (1-β₂)·g²;
///   w = w - η · (m / (1-β₁ᵗ)) / (√(v / (1-β₂ᵗ)) + ε).
struct Adam {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  static constexpr std::string_view name = "adam";
  static constexpr std::array<const char*, 2> state_names{"mean", "mean_square"};

  void(check)() const {
    detail::require_range("Adam", "learning_rate", learning_rate, 0, 1e30);
    detail::require_range("Adam", "beta1", beta1, 0, 1);
    detail::require_range("Adam", "beta2", beta2, 0, 1);
    detail::require_epsilon("Adam", epsilon);
  }
  template <class T>
  void update(Index step, double rate, std::span<T> w, std::span<const T> g,
              std::array<std::span<T>, 2> state) const {
    const T b1 = static_cast<T>(beta1), rest1 = static_cast<T>(1 - beta1);
    const T b2 = static_cast<T>(beta2), rest2 = static_cast<T>(1 - beta2);
    const double t = static_cast<double>(step);
    const T eta = static_cast<T>(rate / (1 - std::pow(beta1, t)));
    const T correction = static_cast<T>(1 / std::sqrt(1 - std::pow(beta2, t)));
    const T eps = static_cast<T>(epsilon);
    T* const m = state[0].data();
    T* const v = state[1].data();
    for (std::size_t i = 0; i < w.size(); ++i) {
      m[i] = b1 * m[i] + rest1 * g[i];
      v[i] = b2 * v[i] + rest2 * g[i] * g[i];
      w[i] -= eta * m[i] / (std::sqrt(v[i]) * correction + eps);
    }
  }
};

static_assert(UpdateRule<SGD> && UpdateRule<RMSProp> && UpdateRule<Adam>);

}  // namespace pixelrnn::inline PIXELRNN_ABI
