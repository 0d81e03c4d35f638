// SPDX-License-Identifier: MIT
// gradcheck: compares derivatives with central differences; ships to users for their own layers.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include <pixelrnn/autodiff/functions.hpp>
#include <pixelrnn/core/random.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

struct GradcheckOptions {
  double step = 1e-6;      ///< of the central difference, in double
  double absolute = 1e-7;  ///< |analytic - numeric| <= absolute + relative · |numeric|
  double relative = 1e-5;
  std::uint64_t seed = 1;  ///< of the direction the output is projected on
  int threads = 1;
};

struct GradcheckReport {
  bool passed = true;
  double worst = 0;   ///< the largest |analytic - numeric| / (absolute + relative·|numeric|)
  Index checked = 0;  ///< derivatives compared
  std::string where;  ///< the worst one: name, element, both values
  explicit operator bool() const { return passed; }
};

namespace detail {

/// Σ weight ⊙ y with fixed random weights, so that every output counts differently.
template <class T>
Variable<T> project(Variable<T> y, const GradcheckOptions& options) {
  const FeatureView<T> weight = y.tape().allocate(y.shape());
  Rng rng(options.seed);
  for (T& w : weight) w = static_cast<T>(rng.uniform(-1, 1));
  return sum(mul(y, y.tape().constant(weight)));
}

/// A value moved by a step, and put back at the end of the scope.
class Perturbed {
 public:
  Perturbed(double& value, double step) : value_(value), saved_(value) { value += step; }
  Perturbed(const Perturbed&) = delete;
  Perturbed& operator=(const Perturbed&) = delete;
  ~Perturbed() { value_ = saved_; }

 private:
  double& value_;
  double saved_;
};

}  // namespace detail

/// Compares the gradients of function(tape, inputs) with central differences, for every element of
/// every input and of every parameter of `owner`. `function` takes (Tape<double>&, const
/// std::vector<Variable<double>>&) and returns a Variable<double>; it must compute the same thing
/// each time. Cost: two evaluations an element. Values are restored, also if `function` throws.
template <class Owner, class Function>
[[nodiscard]] GradcheckReport gradcheck(Owner& owner, std::vector<FeatureMap<double>> inputs,
                                        Function&& function, GradcheckOptions options = {}) {
  Tape<double> tape({.threads = options.threads});
  const auto place = [&] {
    tape.reset();
    std::vector<Variable<double>> on_tape;
    for (const FeatureMap<double>& x : inputs) on_tape.push_back(tape.input(x));
    return on_tape;
  };
  const auto objective = [&] {
    return detail::project(function(tape, place()), options).value().data()[0];
  };

  clear_gradients(owner);
  const std::vector<Variable<double>> on_tape = place();
  tape.backward(detail::project(function(tape, on_tape), options));
  struct Target {
    std::string name;
    double* value;
    std::vector<double> analytic;
  };
  std::vector<Target> targets;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const auto gradient = tape.gradient(on_tape[i]);
    targets.push_back({"input " + std::to_string(i), inputs[i].data(),
                       std::vector<double>(gradient.begin(), gradient.end())});
  }
  for (const auto& [name, parameter] : parameters(owner)) {
    const auto gradient = parameter->gradient();
    targets.push_back(
        {name, parameter->value().data(), std::vector<double>(gradient.begin(), gradient.end())});
  }

  GradcheckReport report;
  for (Target& target : targets) {
    for (std::size_t i = 0; i < target.analytic.size(); ++i) {
      const auto at = [&](double step) {
        const detail::Perturbed perturbed(target.value[i], step);
        return objective();
      };
      const double above = at(options.step), below = at(-options.step);
      const double numeric = (above - below) / (2 * options.step);
      const double error = std::abs(target.analytic[i] - numeric) /
                           (options.absolute + options.relative * std::abs(numeric));
      ++report.checked;
      if (!(error <= report.worst) && !std::isnan(report.worst)) {  // a NaN is the worst
        report.worst = error;
        std::ostringstream where;
        where << target.name << "[" << i << "]: analytic " << target.analytic[i] << ", numeric "
              << numeric;
        report.where = where.str();
      }
      if (!(error <= 1)) report.passed = false;
    }
  }
  return report;
}

/// The same for a layer: function is layer.forward, parameters are the layer's.
template <class Layer>
[[nodiscard]] GradcheckReport gradcheck(Layer& layer, const FeatureMap<double>& x,
                                        GradcheckOptions options = {}) {
  return gradcheck(
      layer, std::vector<FeatureMap<double>>{x},
      [&layer](Tape<double>&, const std::vector<Variable<double>>& in) {
        return layer.forward(in[0]);
      },
      options);
}

namespace detail {
struct NoParameters {
  using Scalar = double;
  void for_each_parameter(auto&&) {}
};
}  // namespace detail

/// The same for a function of inputs alone.
template <class Function>
requires std::is_invocable_v < Function, Tape<double>
&, const std::vector<Variable<double>>& >
       [[nodiscard]] GradcheckReport gradcheck(std::vector<FeatureMap<double>> inputs,
                                               Function&& function, GradcheckOptions options = {}) {
  detail::NoParameters none;
  return gradcheck(none, std::move(inputs), std::forward<Function>(function), options);
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
