// SPDX-License-Identifier: MIT
// gradcheck: compares derivatives with central differences; ships to users for their own layers.
#pragma once

#include <algorithm>
#include <cmath>
#include <sstream>
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
  Index kinks = 0;    ///< those of them at a kink, which were compared on both sides of it
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

/// A derivative by both ways.
struct DerivativePair {
  double analytic = 0, numeric = 0;

  /// |analytic - numeric| in units of what is allowed.
  [[nodiscard]] double error(const GradcheckOptions& options) const {
    return std::abs(analytic - numeric) / (options.absolute + options.relative * std::abs(numeric));
  }
};

/// Whether f(step) has two slopes at 0. Of the difference between the slopes to the left and to the
/// right that of a kink stays when the step is four times as large, that of a curve grows by four
/// and that of a jump, which is no kink, shrinks by four.
template <class F>
[[nodiscard]] bool has_kink(F&& f, const GradcheckOptions& options) {
  const double h = options.step, here = f(0);
  const double right = (f(h) - here) / h, left = (here - f(-h)) / h;
  const double difference = right - left, wide = (f(4 * h) - 2 * here + f(-4 * h)) / (4 * h);
  const double without_curve = (4 * difference - wide) / 3;
  const double allowed =
      options.absolute + options.relative * std::max(std::abs(left), std::abs(right));
  return std::abs(without_curve) > allowed && std::abs(wide) > std::abs(difference) / 2;
}

}  // namespace detail

/// Compares the gradients of function(tape, inputs) with central differences, for every element of
/// every input and of every parameter of `owner`. `function` takes (Tape<double>&, const
/// std::vector<Variable<double>>&) and returns a Variable<double>; it must compute the same thing
/// each time. Values are restored, also if `function` throws.
///
/// At a kink (a ReLU of exactly 0, as where biases begin at 0 and nothing else is seen) there is no
/// derivative: what an operation gives there is its own choice, and need not even lie between the
/// slopes to the left and to the right if several ReLUs bend at once. So derivatives are compared a
/// little to the left and a little to the right, and at the kink must only be finite. A report of
/// nothing but kinks does not pass: the derivatives asked for were not compared.
///
/// Cost: two evaluations an element; for one at a kink or wrong seven, and at a kink four more and
/// two sweeps.
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
  struct Target {
    std::string name;
    FeatureView<double> values;
  };
  std::vector<Target> targets;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    targets.push_back({"input " + std::to_string(i), inputs[i].view()});
  }
  const auto owned = parameters(owner);
  for (const auto& [name, parameter] : owned) targets.push_back({name, parameter->value()});

  // Of all targets, one after the other.
  const auto sweep = [&] {
    Gradients<double> gradients(owner);
    const std::vector<Variable<double>> on_tape = place();
    tape.backward(detail::project(function(tape, on_tape), options), gradients);
    std::vector<std::vector<double>> found;
    const auto keep = [&found](const FeatureView<const double>& gradient) {
      found.emplace_back(gradient.begin(), gradient.end());
    };
    for (const Variable<double>& x : on_tape) keep(tape.gradient(x));
    for (const auto& [name, parameter] : owned) keep(gradients[*parameter]);
    return found;
  };

  GradcheckReport report;
  const std::vector<std::vector<double>> analytic = sweep();
  for (std::size_t t = 0; t < targets.size(); ++t) {
    for (std::size_t i = 0; i < analytic[t].size(); ++i) {
      double& value = targets[t].values.data()[i];
      const auto f = [&](double step) {
        const detail::Perturbed perturbed(value, step);
        return objective();
      };
      const auto slope = [&](double at) {
        return (f(at + options.step) - f(at - options.step)) / (2 * options.step);
      };
      const auto derivative_at = [&](double step) {
        const detail::Perturbed perturbed(value, step);
        return sweep()[t][i];
      };
      detail::DerivativePair pair{analytic[t][i], slope(0)};
      const char* side = "";
      if (!(pair.error(options) <= 1) && std::isfinite(pair.analytic) &&
          detail::has_kink(f, options)) {
        ++report.kinks;
        // So far away that the differences do not reach over the kink.
        const double aside = 3 * options.step;
        const detail::DerivativePair left{derivative_at(-aside), slope(-aside)},
            right{derivative_at(aside), slope(aside)};
        const double of_left = left.error(options), of_right = right.error(options);
        const bool is_left = of_left > of_right || std::isnan(of_left);
        pair = is_left ? left : right;
        side = is_left ? "to the left of a kink, " : "to the right of a kink, ";
      }
      const double error = pair.error(options);
      ++report.checked;
      if (!(error <= report.worst) && !std::isnan(report.worst)) {  // a NaN is the worst
        report.worst = error;
        std::ostringstream where;
        where << targets[t].name << "[" << i << "]: " << side << "analytic " << pair.analytic
              << ", numeric " << pair.numeric;
        report.where = where.str();
      }
      if (!(error <= 1)) report.passed = false;
    }
  }
  if (report.passed && report.checked > 0 && report.kinks == report.checked) {
    report.passed = false;
    report.where = "every derivative asked for is at a kink: give values beside it";
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
