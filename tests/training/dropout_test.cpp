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

/// Calls check(name, model) with a small model of each kind.
template <class Check>
void for_each_model(const Check& check) {
  const auto recurrent = [&]<class R>(const char* name, std::type_identity<R>) {
    check(name, test::random_model<PixelRNN<R>>(
                    {.image = small, .layers = 2, .hidden = 4, .head = 5}, 3));
  };
  check("PixelCNN", test::random_model<PixelCNN<Bernoulli, B64>>(
                        {.image = small, .layers = 2, .hidden = 4, .head = 5}, 3));
  check("GatedPixelCNN", test::random_model<GatedPixelCNN<Bernoulli, B64>>(
                             {.image = small, .layers = 2, .hidden = 4, .head = 5}, 3));
  check("WaveNet", test::random_model<WaveNet<test::Softmax<3>, B64>>(
                       {.image = {1, 12, 1}, .layers = 3, .hidden = 4, .head = 5, .cycle = 2}, 3));
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
                                                               const DropoutDraws& draws) {
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
  for_each_model([](const char* name, auto model) {
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
  for_each_model([](const char* name, auto model) {
    CAPTURE(name);
    const Images images = images_of(model, 3);
    const auto with = [&](double rate, std::uint64_t seed, std::uint32_t step) {
      return gradient(model, images, 1, {.rate = rate, .seed = seed, .step = step});
    };
    const auto [nats, all] = with(0, 1, 0);
    const auto [dropped, some] = with(0.5, 1, 0);
    CHECK(dropped != nats);
    CHECK(with(0.5, 1, 1).first != dropped);
    CHECK(with(0.5, 2, 0).first != dropped);
    CHECK(with(0.5, 1, 0).first == dropped);
    // Of a unit whose every output is left out no weight has a gradient.
    const auto none = with(0.99999, 1, 0).second;
    Index silent = 0;
    for (const auto& [weights, values] : none) {
      const bool is_zero =
          std::all_of(values.begin(), values.end(), [](double v) { return v == 0; });
      const auto& usual = all.at(weights);
      const bool was_zero =
          std::all_of(usual.begin(), usual.end(), [](double v) { return v == 0; });
      silent += is_zero && !was_zero;
      // What is behind the last dropout still learns.
      if (weights == "logits.bias") CHECK_FALSE(is_zero);
    }
    CHECK(silent >= 4);
  });
}

TEST_CASE("Dropout is the same for any number of threads and any part of a batch",
          "[training][dropout]") {
  // Two images are a part of a batch.
  const auto model = test::random_model<PixelRNN<RowLSTM<LearnedState, B64>>>(
      {.image = {16, 24, 1}, .layers = 2, .hidden = 5, .head = 6}, 3);
  const Images images = images_of(model, 9);
  const DropoutDraws draws{.rate = 0.3, .seed = 4, .step = 5};
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
  const auto on_one_tape = [&](const DropoutDraws& of) {
    tape.reset();
    tape.set_dropout(of);
    return mean(image_nats<ExecutionOf<decltype(model)>>(
                    model.likelihood(), model.logits(tape.constant(x)), images.pixels()))
        .value()
        .data()[0];
  };
  CHECK(std::abs(on_one_tape(draws) / nats - 1) < 1e-13);
  CHECK(std::abs(on_one_tape({0.3, 4, 6}) / nats - 1) > 1e-6);  // the control
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
  CHECK(gradient(without, images, 1, {}).first ==
        gradient(without, images, 1, {.rate = 0.5}).first);  // the control
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
