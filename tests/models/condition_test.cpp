// SPDX-License-Identifier: MIT
// Models that are told something of their images.
#include <cmath>
#include <string>
#include <vector>

#include <pixelrnn/autodiff/gradcheck.hpp>
#include <pixelrnn/models/pixel_cnn.hpp>
#include <pixelrnn/models/pixel_rnn.hpp>
#include <pixelrnn/training/evaluate.hpp>
#include <pixelrnn/verify/resume.hpp>
#include <pixelrnn/verify/samples.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/models.hpp"

using namespace pixelrnn;

namespace {

using B64 = Backend<double>;
using L3 = test::Softmax<3>;
using ConditionalCNN = PixelCNN<Bernoulli, B64>;
using ConditionalRow = PixelRNN<RowLSTM<LearnedState, B64>, Bernoulli>;
using ConditionalDiagonal = PixelRNN<DiagonalBiLSTM<PaddedScanState, B64>, Bernoulli>;
using ColourCNN = PixelCNN<L3, B64>;
using ColourDiagonal = PixelRNN<DiagonalBiLSTM<LearnedState, B64>, L3>;

/// A model of random weights whose ReLUs are open.
template <class M>
M told_model(ImageShape image, Condition condition) {
  M model = test::random_model<M>(
      {.image = image, .layers = 1, .hidden = 3, .head = 4, .condition = condition}, 3);
  test::raise(model, "input.bias", 5);
  test::raise(model, "head1.bias", 30);
  test::raise(model, "head2.bias", 5);
  test::raise(model, "upsample.bias", 3);
  test::raise(model, "down.bias", 5);
  return model;
}
FeatureMap<float> told_numbers(Shape<4> shape) { return test::random_map<float>(shape, 7); }

/// The logits of random images that are told so.
template <class M>
FeatureMap<double> logits_told(const M& model, const Images& images, const ConditionView& told) {
  Tape<double> tape({.threads = 2, .record = false});
  const auto x = test::encoded(model, images);
  return FeatureMap<double>(logits_given(model, tape.constant(x), told).value());
}

/// All proofs, told so. `blind`: the model has the blind spot of PixelCNN.
template <class M>
void check_proofs(const M& model, const Conditions& told, bool blind) {
  const VerifyOptions options{.seed = 3, .conditions = told};
  CHECK(verify_causality(model, options).where == "");
  if (!blind) CHECK(verify_completeness(model, options).where == "");
  CHECK(verify_normalisation(model, 1e-9, options).where == "");
  CHECK(verify_samplers(model, options).where == "");
  CHECK(verify_distribution(model, options, 4000).where == "");
}

}  // namespace

TEMPLATE_TEST_CASE("A model that is told labels keeps every promise, whatever it is told",
                   "[models][condition]", ConditionalCNN, ConditionalRow, ConditionalDiagonal) {
  const auto model = told_model<TestType>({2, 3, 1}, {.classes = 3, .channels = 2});
  constexpr bool blind = std::same_as<TestType, ConditionalCNN>;
  const Images images = test::random_images(2, {2, 3, 1}, 2, 5);
  std::vector<FeatureMap<double>> logits;
  for (const int label : {0, 1, 2}) {
    CAPTURE(label);
    check_proofs(model, {.labels = {label}}, blind);
    logits.push_back(logits_told(model, images, Conditions{.labels = {label, label}}));
  }
  // Each image has its own label, and another label is another distribution.
  const auto mixed = logits_told(model, images, Conditions{.labels = {2, 0}});
  CHECK(test::bit_difference(FeatureMap<double>(mixed.view().slice(0, 1)),
                             FeatureMap<double>(logits[2].view().slice(0, 1))) == "");
  CHECK(test::bit_difference(FeatureMap<double>(mixed.view().slice(1, 1)),
                             FeatureMap<double>(logits[0].view().slice(1, 1))) == "");
  CHECK(test::difference(logits[0], logits[1], 1e-3) != "");
}

TEMPLATE_TEST_CASE("A model that is told maps keeps every promise", "[models][condition]",
                   ConditionalCNN, ConditionalRow, ConditionalDiagonal) {
  const auto model = told_model<TestType>({2, 3, 1}, {.channels = 2});
  constexpr bool blind = std::same_as<TestType, ConditionalCNN>;
  check_proofs(model, {.maps = told_numbers({1, 2, 3, 2})}, blind);
  check_proofs(model, {.maps = told_numbers({1, 1, 1, 2})}, blind);
}

TEST_CASE("Colour models that are told something keep every promise", "[models][condition]") {
  const auto cnn = told_model<ColourCNN>({1, 2, 3}, {.classes = 2, .channels = 3});
  check_proofs(cnn, {.labels = {1}}, true);
  const auto diagonal = told_model<ColourDiagonal>({1, 2, 3}, {.channels = 2});
  check_proofs(diagonal, {.maps = told_numbers({1, 1, 2, 2})}, false);
}

TEMPLATE_TEST_CASE("What images are told is theirs, in any batch, by any thread",
                   "[models][condition]", ConditionalCNN, ConditionalRow, ConditionalDiagonal) {
  const auto labelled = told_model<TestType>({2, 3, 1}, {.classes = 3, .channels = 2});
  CHECK(verify_determinism(labelled).where == "");
  const auto mapped = told_model<TestType>({2, 3, 1}, {.channels = 2});
  CHECK(verify_determinism(mapped, {.conditions = {.maps = told_numbers({70, 2, 3, 2})}}).where ==
        "");
}

namespace {
/// The control: a model that tells all images of a batch what the first is told.
struct Forgetful : ConditionalCNN {
  void set_condition(Tape<double>& tape, const ConditionView& told, Index images) const {
    ConditionalCNN::set_condition(tape, repeated(told.slice(0, 1), images), images);
  }
};
}  // namespace

TEST_CASE("That images are told what others are is found", "[models][condition]") {
  const Forgetful model{told_model<ConditionalCNN>({2, 3, 1}, {.classes = 3, .channels = 2})};
  CHECK(verify_determinism(model).where.starts_with("the logits of "));
  // Told the same, nobody could tell.
  CHECK(verify_determinism(model, {.conditions = {.labels = {1}}}).where == "");
}

TEMPLATE_TEST_CASE("Gradients of a model that is told labels are right, the table's too",
                   "[models][condition]", ConditionalCNN, ConditionalRow, ConditionalDiagonal) {
  auto model = told_model<TestType>({2, 3, 1}, {.classes = 3, .channels = 2});
  const Images images = test::random_images(3, {2, 3, 1}, 2, 5);
  const Conditions told{.labels = {2, 0, 2}};
  const auto report =
      gradcheck(model, {test::encoded(model, images)}, [&](Tape<double>& tape, const auto& in) {
        static_cast<void>(tape);
        return image_nats<execution::OpenMP>(model.likelihood(), logits_given(model, in[0], told),
                                             TensorView<const Images::Level, 4>(images.pixels()));
      });
  CHECK(report.passed);
  const auto table = parameters(model).back();
  REQUIRE(table.name == "condition.labels.table");
  CHECK(table.parameter->shape() == Shape<4>{1, 1, 3, 2});
  // The row of the label that no image has gets nothing.
  Gradients gradients(model);
  static_cast<void>(BatchGradient(model, 1)(Batch(images.pixels(), told), gradients));
  const FeatureView<double> gradient = gradients[*table.parameter];
  CHECK(gradient(0, 0, 0, 0) != 0);
  CHECK(gradient(0, 0, 1, 0) == 0);
  CHECK(gradient(0, 0, 2, 1) != 0);
}

TEST_CASE("A label is the row of its table, told as numbers", "[models][condition]") {
  const auto labelled = told_model<ConditionalDiagonal>({2, 3, 1}, {.classes = 3, .channels = 2});
  auto mapped = told_model<ConditionalDiagonal>({2, 3, 1}, {.channels = 2});
  const auto from = parameters(labelled);
  const auto to = parameters(mapped);
  REQUIRE(from.size() == to.size() + 1);
  for (std::size_t p = 0; p < to.size(); ++p) {
    REQUIRE(from[p].name == to[p].name);
    std::copy(from[p].parameter->value().begin(), from[p].parameter->value().end(),
              to[p].parameter->value().begin());
  }
  auto& table = *const_cast<Parameter<double>*>(from.back().parameter);
  for (double& v : table.value()) v = static_cast<double>(static_cast<float>(v));
  FeatureMap<float> rows({2, 1, 1, 2});
  for (Index n = 0; n < 2; ++n) {
    for (Index c = 0; c < 2; ++c) {
      rows(n, 0, 0, c) = static_cast<float>(table.value()(0, 0, n == 0 ? 2 : 1, c));
    }
  }
  const Images images = test::random_images(2, {2, 3, 1}, 2, 5);
  CHECK(test::bit_difference(logits_told(labelled, images, Conditions{.labels = {2, 1}}),
                             logits_told(mapped, images, Conditions{.maps = rows})) == "");
}

TEST_CASE("A training of a model that is told something is resumed to the same bits",
          "[models][condition]") {
  Images images = test::random_images(6, {2, 3, 1}, 2, 5);
  images.set_labels({0, 1, 2, 0, 1, 2});
  const auto make = [] {
    return told_model<ConditionalCNN>({2, 3, 1}, {.classes = 3, .channels = 2});
  };
  CHECK(verify_resume(make, images, Adam({.learning_rate = 0.01})).where == "");
}

TEST_CASE("What a model is told is in its description", "[models][condition]") {
  const auto of = [](Condition condition) {
    return told_model<ConditionalRow>({2, 3, 1}, condition).describe();
  };
  CHECK(of({.classes = 10}).at("condition") == "10 classes in 16 channels");
  CHECK(of({.classes = 10, .channels = 4}).at("condition") == "10 classes in 4 channels");
  CHECK(of({.channels = 3}).at("condition") == "3 channels");
  CHECK(of({.channels = 3}).at("net").find("RowLSTM<learned>(6->3, k 3, condition 3)") !=
        std::string::npos);
  CHECK_FALSE(of({}).contains("condition"));
}

TEST_CASE("What a model must be told and is not, or not so, is said", "[models][condition]") {
  const auto labelled = told_model<ConditionalCNN>({2, 3, 1}, {.classes = 3, .channels = 2});
  const auto mapped = told_model<ConditionalCNN>({2, 3, 1}, {.channels = 2});
  Images images = test::random_images(2, {2, 3, 1}, 2, 5);
  CHECK_THROWS_ERROR(evaluate(labelled, images), ConfigError,
                     "model: its condition is 3 classes in 2 channels, but its images come without "
                     "labels; see Images::set_labels");
  CHECK_THROWS_ERROR(sample(labelled, 2), ConfigError, "come without labels");
  CHECK_THROWS_ERROR(sample(labelled, 2, {}, Multinomial{}, FullForward{}), ConfigError,
                     "come without labels");
  CHECK_THROWS_ERROR(evaluate(mapped, images), ConfigError,
                     "come without vectors or maps; see Images::set_condition_maps");
  images.set_labels({1, 3});
  CHECK_THROWS_ERROR(evaluate(labelled, images), ValueError,
                     "model: label 1 is 3, expected 0 to 2; the number of classes is "
                     "Config::condition.classes");
  images.set_condition_maps(told_numbers({2, 1, 1, 3}));
  CHECK_THROWS_ERROR(evaluate(mapped, images), ShapeError,
                     "expected (N, H, W, C=2); C is Config::condition.channels");
  images.set_condition_maps(told_numbers({2, 3, 2, 2}));
  CHECK_THROWS_ERROR(evaluate(mapped, images), ShapeError, "H=3, W=2, C=2), expected");
  CHECK_THROWS_ERROR(sample(labelled, 3, {.conditions = {.labels = {1, 2}}}), ShapeError,
                     "sample: SampleOptions::conditions: there are 2 labels, expected 3");
  CHECK_THROWS_ERROR(told_model<ConditionalCNN>({2, 3, 1}, {.classes = 1}), ConfigError,
                     "model: Config::condition is {classes=1, channels=0, features=0}");
  CHECK_THROWS_ERROR(told_model<ConditionalCNN>({2, 3, 1}, {.channels = -1}), ConfigError,
                     "channels=-1");
  // A model that is told nothing reads images that come with more.
  const auto silent = told_model<ConditionalCNN>({2, 3, 1}, {});
  CHECK_NOTHROW(evaluate(silent, images));
}
