// SPDX-License-Identifier: MIT
#include <cmath>
#include <string>
#include <vector>

#include <pixelrnn/autodiff/gradcheck.hpp>
#include <pixelrnn/models/gated_pixel_cnn.hpp>
#include <pixelrnn/models/pixel_rnn.hpp>
#include <pixelrnn/models/wave_net.hpp>
#include <pixelrnn/nn/dropout.hpp>
#include <pixelrnn/nn/relu.hpp>
#include <pixelrnn/nn/spatial_lstm/spatial_lstm.hpp>
#include <pixelrnn/sampling/sample.hpp>

#include "support/catch.hpp"
#include "support/models.hpp"
#include "support/training.hpp"

using namespace pixelrnn;

namespace {

using B64 = Backend<double>;
constexpr ImageShape small{4, 3, 1};

/// Calls check(name, model, maps that have dropout) with a small model of each kind.
template <class Check>
void for_each_model(const Check& check) {
  const auto recurrent = [&]<class R>(const char* name, std::type_identity<R>) {
    check(name,
          test::random_model<PixelRNN<R>>({.image = small, .layers = 2, .hidden = 4, .head = 5}, 3),
          2);
  };
  check("PixelCNN",
        test::random_model<PixelCNN<Bernoulli, B64>>(
            {.image = small, .layers = 2, .hidden = 4, .head = 5}, 3),
        2);
  check("GatedPixelCNN",
        test::random_model<GatedPixelCNN<Bernoulli, B64>>(
            {.image = small, .layers = 2, .hidden = 4, .head = 5}, 3),
        3);
  check("WaveNet",
        test::random_model<WaveNet<test::Softmax<3>, B64>>(
            {.image = {1, 12, 1}, .layers = 3, .hidden = 4, .head = 5, .cycle = 2}, 3),
        3);
  recurrent("RowLSTM", std::type_identity<RowLSTM<LearnedState, B64>>());
  recurrent("DiagonalBiLSTM", std::type_identity<DiagonalBiLSTM<LearnedState, B64>>());
  recurrent("SpatialLSTM", std::type_identity<SpatialLSTM<B64>>());
}

template <class M>
Images images_of(const M& model, Index count) {
  return test::random_images(count, model.image_shape(), model.likelihood().levels(), 5);
}

/// The gradient of a batch with dropout, and its loss.
template <class M>
std::pair<double, test::Snapshot<typename M::Scalar>> gradient(const M& model, const Images& images,
                                                               int threads,
                                                               const StepDropout& draws) {
  BatchGradient<M> loss(model, threads);
  Gradients gradients(model);
  Batch batch(images);
  batch.dropout = draws;
  const double nats = loss(batch, gradients);
  test::Snapshot<typename M::Scalar> copy;
  for (const auto& [name, parameter] : parameters(model)) {
    copy[name] = FeatureMap<typename M::Scalar>(gradients[*parameter]);
  }
  return {nats, std::move(copy)};
}

}  // namespace

TEST_CASE("With dropout the loss has the gradient it says, in every model", "[training][dropout]") {
  for_each_model([](const char* name, auto model, std::uint32_t) {
    CAPTURE(name);
    const Images images = images_of(model, 2);
    FeatureMap<double> x(images.pixels().shape());
    encode(model, images.pixels(), x.view());
    const auto report =
        gradcheck(model, {}, [&](Tape<double>& tape, const std::vector<Variable<double>>&) {
          tape.set_dropout({.rate = 0.4, .seed = 2});
          return image_nats<ExecutionOf<decltype(model)>>(
              model.likelihood(), model.logits(tape.constant(x)), images.pixels());
        });
    CAPTURE(report.where);
    CHECK(report);
  });
}

TEST_CASE("Dropout reaches every layer of every model and is new in each step",
          "[training][dropout]") {
  for_each_model([](const char* name, auto model, std::uint32_t expected) {
    CAPTURE(name);
    const Images images = images_of(model, 3);
    const auto with = [&](double rate, std::uint64_t seed, std::uint32_t step) {
      return gradient(model, images, 1, {.rate = rate, .seed = seed, .step = step});
    };
    const double dropped = with(0.5, 1, 0).first;
    CHECK(dropped != with(0, 1, 0).first);
    CHECK(with(0.5, 1, 1).first != dropped);
    CHECK(with(0.5, 2, 0).first != dropped);
    CHECK(with(0.5, 1, 0).first == dropped);
    // Each block has one, and both stacks of the gated one but for the last layer's first.
    Tape<double> tape({.threads = 1});
    FeatureMap<double> x(images.pixels().shape());
    encode(model, images.pixels(), x.view());
    tape.set_dropout({.rate = 0.5});
    static_cast<void>(model.logits(tape.constant(x)));
    CHECK(tape.dropped_maps() == expected);
  });
}

TEST_CASE("Dropout is the same for any number of threads and any part of a batch",
          "[training][dropout]") {
  // Two images are a part of a batch.
  const auto model = test::random_model<PixelRNN<RowLSTM<LearnedState, B64>>>(
      {.image = {16, 24, 1}, .layers = 2, .hidden = 5, .head = 6}, 3);
  const Images images = images_of(model, 9);
  const StepDropout draws{.rate = 0.3, .seed = 4, .step = 5};
  const auto [nats, one] = gradient(model, images, 1, draws);
  for (const int threads : {2, 3, 5}) {
    CAPTURE(threads);
    const auto [same, many] = gradient(model, images, threads, draws);
    CHECK(test::same_bits(same, nats));
    CHECK(test::bit_difference(many, one) == "");
  }
  // On one tape the whole batch draws the same.
  FeatureMap<double> x(images.pixels().shape());
  encode(model, images.pixels(), x.view());
  Tape<double> tape({.threads = 1});
  const auto on_one_tape = [&](const StepDropout& of) {
    tape.reset();
    tape.set_dropout(of);
    return mean(image_nats<ExecutionOf<decltype(model)>>(
                    model.likelihood(), model.logits(tape.constant(x)), images.pixels()))
        .value()
        .data()[0];
  };
  CHECK(std::abs(on_one_tape(draws) / nats - 1) < 1e-13);
  CHECK(std::abs(on_one_tape({0.3, 4, 6}) / nats - 1) > 1e-6);  // the control
  // Nor does it matter whether a tape records: that goes through the net in parts.
  Tape<double> passing({.threads = 2, .record = false});
  passing.set_dropout(draws);
  const double passed =
      mean(image_nats<ExecutionOf<decltype(model)>>(
               model.likelihood(), model.logits(passing.constant(x)), images.pixels()))
          .value()
          .data()[0];
  CHECK(std::abs(passed / nats - 1) < 1e-13);
}

TEST_CASE("Validation and samples have no dropout", "[training][dropout]") {
  auto model = test::tiny_model();
  const Images data = test::some_bars(12);
  Trainer trainer(model, Adam{.learning_rate = 0.01}, {.dropout = 0.5});
  std::vector<double> trained, validated;
  trainer.fit(data, {.epochs = 2,
                     .batch_size = 12,
                     .validation = &data,
                     .on_epoch = [&](const EpochReport& epoch) {
                       trained.push_back(epoch.train_nats_per_image);
                       validated.push_back(*epoch.validation_nats_per_image);
                       CHECK(evaluate(model, data).nats_per_image() == validated.back());
                       return true;
                     }});
  REQUIRE(validated.size() == 2);
  // The second epoch is one step from the weights that the first one's validation saw.
  CHECK(std::abs(trained[1] - validated[0]) > 1e-3);
  const Images full = sample(model, 4, {.seed = 3}, Multinomial{}, FullForward{}),
               cached = sample(model, 4, {.seed = 3});
  CHECK(test::difference(full, cached) == "");
}

TEST_CASE("The layer is p.dropout of a Network", "[training][dropout]") {
  const auto make = []<class Middle>(Middle middle) {
    Rng rng(4);
    using ConvA = MaskedConv2d<MaskA>;
    using ConvB = MaskedConv2d<MaskB>;
    Sequential net(ConvA({.out_channels = 6, .kernel_height = 3, .kernel_width = 3}, rng),
                   std::move(middle), ConvB({.in_channels = 6, .out_channels = 1}, rng));
    return ImageModel<decltype(net), Bernoulli>({5, 4, 1}, std::move(net));
  };
  const auto model = make(Dropout<>());
  const auto without = make(ReLU<>());
  const Images images = images_of(model, 3);
  CHECK(gradient(model, images, 1, {}).first != gradient(model, images, 1, {.rate = 0.5}).first);
  CHECK_THROWS_ERROR(gradient(without, images, 1, {.rate = 0.5}), ConfigError,
                     "BatchGradient: dropout is 0.5, but the net has none");
  CHECK(test::difference(sample(model, 4, {.seed = 3}, Multinomial{}, FullForward{}),
                         sample(model, 4, {.seed = 3})) == "");
  CHECK(description_of(model.net()).find("Dropout") != std::string::npos);
}

TEST_CASE("A trainer refuses a rate of dropout that is none", "[training][dropout]") {
  auto model = test::tiny_model();
  CHECK_THROWS_ERROR(Trainer(model, Adam{}, {.dropout = 1}), ConfigError,
                     "Trainer: dropout is 1, expected 0 (none) to less than 1");
  CHECK_THROWS_ERROR(gradient(model, test::some_bars(2), 1, {.rate = -1}), ConfigError,
                     "BatchGradient: dropout is -1");
}
