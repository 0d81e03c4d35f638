// SPDX-License-Identifier: MIT
// The oracles that every model has to pass, each as one function.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include <pixelrnn/autodiff/gradcheck.hpp>
#include <pixelrnn/nn/layer.hpp>

#include "support/models.hpp"
#include "support/receptive_field.hpp"

namespace pixelrnn::test {

/// Compares what a model's logits depend on with the field of its layers.
template <class M>
[[nodiscard]] DependencyReport check_field(const M& model, const Field& field) {
  using L = typename M::Likelihood;
  const ImageShape s = model.image_shape();
  const FeatureMap<typename M::Scalar> x = encoded(model, random_images(1, s, L().levels(), 11));
  return check_dependencies<typename M::Scalar>(
      [&model](const auto& map) { return logits_of(model, map); }, x,
      [&field](Cell out, const Cell& in) {
        out.channel /= L().outputs(1);  // each colour has its logits side by side
        return field.sees(out, in);
      });
}

/// Gradients of -ln p, of every input and every parameter, against central differences.
template <class M>
[[nodiscard]] GradcheckReport check_gradients(M& model, Index batch = 2) {
  using L = typename M::Likelihood;
  const Images images = random_images(batch, model.image_shape(), L().levels(), 12);
  return gradcheck(
      model, {encoded(model, images)}, [&](Tape<double>&, const std::vector<Variable<double>>& in) {
        return image_nats<execution::OpenMP>(model.likelihood(), model.logits(in[0]),
                                             TensorView<const Images::Level, 4>(images.pixels()));
      });
}

/// Mean nats of the images, for a model of any scalar.
template <class M>
[[nodiscard]] Variable<typename M::Scalar> mean_nats(Tape<typename M::Scalar>& tape, const M& model,
                                                     const FeatureMap<typename M::Scalar>& x,
                                                     const Images& images) {
  return mean(image_nats<execution::OpenMP>(model.likelihood(), model.logits(tape.constant(x)),
                                            TensorView<const Images::Level, 4>(images.pixels())));
}

/// The largest relative error of the derivative of the loss along 20 random directions of all
/// parameters: by the gradients of a model in float, against central differences of the same model
/// in double.
template <class Single, class Double>
[[nodiscard]] double directional_error(Single& single, Double& exact) {
  using L = typename Single::Likelihood;
  const Images images = random_images(3, single.image_shape(), L().levels(), 13);
  const auto in_single = parameters(single);
  const auto in_double = parameters(exact);
  for (std::size_t p = 0; p < in_single.size(); ++p) {
    std::copy(in_single[p].parameter->value().begin(), in_single[p].parameter->value().end(),
              in_double[p].parameter->value().begin());
  }
  Gradients gradients(single);
  Tape<float> tape({.threads = 1});
  tape.backward(mean_nats(tape, single, encoded(single, images), images), gradients);

  const auto loss_along = [&](const std::vector<double>& direction, double step) {
    std::vector<double> saved;
    std::size_t i = 0;
    for (const auto& [name, parameter] : in_double) {
      for (double& w : parameter->value()) {
        saved.push_back(w);
        w += step * direction[i++];
      }
    }
    Tape<double> plain({.threads = 1, .record = false});
    const double loss = mean_nats(plain, exact, encoded(exact, images), images).value().data()[0];
    i = 0;
    for (const auto& [name, parameter] : in_double) {
      for (double& w : parameter->value()) w = saved[i++];
    }
    return loss;
  };

  double worst = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Rng rng(seed);
    std::vector<double> direction;
    double by_gradient = 0;
    for (const auto& [name, parameter] : in_single) {
      for (const float g : gradients[*parameter]) {
        direction.push_back(rng.uniform(-1, 1));
        by_gradient += static_cast<double>(g) * direction.back();
      }
    }
    const double step = 1e-6;
    const double by_difference =
        (loss_along(direction, step) - loss_along(direction, -step)) / (2 * step);
    worst = std::max(worst, std::abs(by_gradient - by_difference) / std::abs(by_difference));
  }
  return worst;
}

/// The names of all parameters, in order.
template <class M>
[[nodiscard]] std::vector<std::string> parameter_names(const M& model) {
  std::vector<std::string> names;
  for (const auto& [name, parameter] : parameters(model)) names.push_back(name);
  return names;
}

}  // namespace pixelrnn::test
