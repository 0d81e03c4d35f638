// SPDX-License-Identifier: MIT
// pixelrnn benchmark: how fast a model is, and how near that is to what the machine can do.
#include <algorithm>
#include <chrono>
#include <vector>

#include "commands.hpp"
#include "output.hpp"
#include "support/fma_peak.hpp"

namespace cli {
namespace {

using Clock = std::chrono::steady_clock;

double milliseconds(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Median time of a call, in ms; the first calls make memory and are not counted.
template <class Call>
double time_of(int repeats, Call call) {
  for (int i = 0; i < 2; ++i) call();
  std::vector<double> times;
  for (int i = 0; i < repeats; ++i) {
    const Clock::time_point start = Clock::now();
    call();
    times.push_back(milliseconds(start, Clock::now()));
  }
  return median(std::move(times));
}

Images random_images(Index count, const ModelSpec& spec) {
  Images images(count, spec.image, spec.levels);
  Rng rng(1);
  for (Images::Level& level : images.pixels()) {
    level = static_cast<Images::Level>(rng.below(static_cast<std::uint64_t>(spec.levels)));
  }
  return images;
}

/// Median time of a whole training step (batch, forward, backward, Adam), in ms.
double time_of_step(AnyModel& model, const Images& images, const Benchmark& options) {
  const auto trainer =
      model.trainer(Adam{.learning_rate = 1e-4}, {.threads = options.threads, .clip_norm = 1});
  std::vector<double> times;
  Clock::time_point before = Clock::now();
  const auto on_step = [&](const StepReport& step) {
    const Clock::time_point now = Clock::now();
    if (step.step > 2) times.push_back(milliseconds(before, now));
    before = Clock::now();
    return true;
  };
  trainer->fit(
      TrainingSet(images),
      {.epochs = 2 + options.repeats, .batch_size = options.batch_size, .on_step = on_step});
  return median(std::move(times));
}

}  // namespace

int Benchmark::run() const {
  const Console console(json);
  Rng rng(1);
  const std::unique_ptr<AnyModel> net = make_model(model, rng);
  const Images images = random_images(batch_size, model);
  const AnyModel::Flops flops = net->flops();
  const double batch = static_cast<double>(batch_size);

  // Measured before and after: other work on the machine may come and go.
  double peak = 1e-9 * bench::fma_peak(threads);
  const double forward = time_of(repeats, net->forward_pass(images, threads));
  const double step = time_of_step(*net, images, *this);
  const double sample = time_of(std::max(1, repeats / 4),
                                [&] {
                                  static_cast<void>(net->sample(batch_size, {.threads = threads},
                                                                AnyRule{}, AnySampler::cached));
                                }) /
                        batch;
  peak = std::max(peak, 1e-9 * bench::fma_peak(threads));

  const auto gflops = [batch](Index flop, double ms) {
    return static_cast<double>(flop) * batch / ms * 1e-6;
  };
  const double forward_gflops = gflops(flops.forward, forward);
  const double train_gflops = gflops(flops.training, step);
  const double sample_gflops = gflops(flops.forward, sample * batch);
  console.write(format("%s, %td layers, hidden %td, %td x %td x %td, %d levels, batch %td\n",
                       model.kind.c_str(), model.layers, model.hidden, model.image.height,
                       model.image.width, model.image.channels, model.levels, batch_size));
  const auto row = [&](const char* what, double ms, double per_second, double rate) {
    console.write(format("%-18s %10.3f ms %12.1f images/s %10.1f GFLOP/s %6.1f %% of peak\n", what,
                         ms, per_second, rate, 100 * rate / peak));
  };
  row("forward", forward, 1000 * batch / forward, forward_gflops);
  row("training step", step, 1000 * batch / step, train_gflops);
  row("sample, an image", sample, 1000 / sample, sample_gflops);
  console.write(format("%-18s %64.1f GFLOP/s\n", "FMA peak", peak));

  Figures figures;
  figures.set("forward_ms", forward);
  figures.set("train_step_ms", step);
  figures.set("sample_ms_per_image", sample);
  figures.set("useful_gflops_forward", forward_gflops);
  figures.set("useful_gflops_train", train_gflops);
  figures.set("useful_gflops_sample", sample_gflops);
  figures.set("fma_peak_gflops", peak);
  figures.set("forward_percent_of_peak", 100 * forward_gflops / peak);
  figures.set("train_percent_of_peak", 100 * train_gflops / peak);
  figures.set("sample_percent_of_peak", 100 * sample_gflops / peak);
  figures.set("forward_images_per_second", 1000 * batch / forward);
  figures.set("train_images_per_second", 1000 * batch / step);
  figures.set("sample_images_per_second", 1000 / sample);
  figures.set("parameters", net->parameter_count());
  figures.set("flops_per_image", flops.forward);
  figures.set("flops_per_training_image", flops.training);
  figures.set("batch_size", batch_size);
  figures.set("threads", Index{threads});
  figures.write(json);
  return 0;
}

}  // namespace cli
