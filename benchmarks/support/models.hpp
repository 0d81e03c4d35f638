// SPDX-License-Identifier: MIT
// Forward passes and training steps of whole models.
#pragma once

#include "support/report.hpp"
#include "support/verify.hpp"

namespace pixelrnn::bench {

/// The model of a case with a fixed seed. Nets of one template have the same weights on all
/// kernels.
template <class M>
[[nodiscard]] M make_model(const Case& c) {
  Rng rng(1);
  return M(config_of<M>(c), rng);
}

/// The net against the same net on Reference, in logits and gradients.
template <template <class L, class K> class Net, class L, class K>
[[nodiscard]] const std::string& verdict(const std::string& what, const Case& c) {
  return once(join(what, c.name, K::name), [&]() -> std::string {
    const auto model = make_model<Net<L, K>>(c);
    const auto reference = make_model<Net<L, kernels::Reference>>(c);
    return difference(model.net(), reference.net(),
                      {c.batch, c.image.height, c.image.width, c.image.channels});
  });
}

template <class M>
void model_forward(benchmark::State& state, const Case& c, int threads) {
  const M model = make_model<M>(c);
  const Images images = noise(c.batch, c.image, model.likelihood().levels());
  FeatureMap<float> x(images.pixels().shape());
  encode(model, images.pixels(), x);
  Tape<float> tape({.threads = threads, .record = false});
  for (auto _ : state) {
    tape.reset();
    benchmark::DoNotOptimize(model.logits(tape.constant(x)).value().data());
  }
  report(state,
         {.flop = forward_flop(model, c.batch),
          .images = double(c.batch),
          .pixels = double(c.batch * c.image.pixels())},
         threads);
}

/// Whole steps of the trainer: encoding, forward, backward, update.
template <class M>
void model_train(benchmark::State& state, const Case& c, int threads) {
  M model = make_model<M>(c);
  const Images images = noise(c.batch, c.image, model.likelihood().levels());
  Trainer trainer(model, RMSProp{.learning_rate = 1e-4}, {.threads = threads});
  const auto step = [&] {
    trainer.fit(images, {.epochs = std::numeric_limits<Index>::max(),
                         .steps = trainer.steps() + 1,
                         .batch_size = c.batch});
  };
  for (int warm_up = 0; warm_up < 3; ++warm_up) step();  // makes room, then merges it
  for (auto _ : state) step();
  report(state,
         {.flop = train_flop(model, c.batch),
          .images = double(c.batch),
          .pixels = double(c.batch * c.image.pixels())},
         threads);
  state.counters["step_MB"] = 1e-6 * static_cast<double>(trainer.peak_bytes());
}

/// Registers a net at one case on one set of kernels.
template <template <class L, class K> class Net, class L, class K>
void add_model(const std::string& what, const Case& c) {
  const auto with = [&](const char* way, auto run) {
    for (const int threads : {1, 2}) {
      add(join(what, way, c.name, K::name, threads_name(threads)), [=](benchmark::State& state) {
        const std::string& wrong = verdict<Net, L, K>(what, c);
        if (!wrong.empty()) return state.SkipWithError(wrong.c_str());
        run(state, c, threads);
      });
    }
  };
  with("forward", model_forward<Net<L, K>>);
  with("train", model_train<Net<L, K>>);
}
/// At all cases. The plain loops of Reference only where they end before the reader loses patience.
template <template <class L, class K> class Net>
void add_model(const std::string& what) {
  using kernels::Eigen, kernels::Reference, kernels::Xsimd;
  for (const Case& c : mnist_cases) {
    add_model<Net, Bernoulli, Xsimd>(what, c);
    add_model<Net, Bernoulli, Eigen>(what, c);
  }
  add_model<Net, Bernoulli, Reference>(what, mnist_cases[0]);
  for (const Case& c : cifar_cases) {
    add_model<Net, Categorical, Xsimd>(what, c);
    add_model<Net, Categorical, Eigen>(what, c);
  }
}

}  // namespace pixelrnn::bench
