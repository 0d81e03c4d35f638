// SPDX-License-Identifier: MIT
// Whole models against PyTorch, from tests/fixtures: logits, nats, and the gradients of their mean.
#include <string>

#include <pixelrnn/models/pixel_cnn.hpp>
#include <pixelrnn/models/pixel_rnn.hpp>

#include "support/backends.hpp"
#include "support/fixture.hpp"

using namespace pixelrnn;
using test::Fixture, test::Kind;

namespace {

/// Empty, or where a model with the parameters of a fixture first disagrees with it.
template <class B, class M>
std::string model_disagreement(const M& model, Fixture& fixture) {
  using T = typename M::Scalar;
  const Images images(fixture.map<Images::Level>("images"), 2);
  require_images("model_disagreement", model, images);
  FeatureMap<T> encoded(images.pixels().shape());
  encode(model, images.pixels(), encoded);
  clear_gradients(model);
  Tape<T> tape({.threads = 2});
  const Variable<T> logits = model.logits(tape.constant(encoded));
  const Variable<T> nats =
      image_nats<typename M::Likelihood, typename B::Execution>(logits, images.pixels());
  tape.backward(mean(nats));
  std::string where =
      test::disagreement(FeatureMap<T>(logits.value()), fixture, "logits", Kind::output);
  if (where.empty()) {
    where = test::disagreement(FeatureMap<T>(nats.value()), fixture, "nats", Kind::output);
  }
  return where.empty() ? test::gradient_disagreement(model, fixture) : where;
}

template <class M>
M load(Fixture& fixture, const typename M::Config& config) {
  Rng rng(1);
  M model(config, rng);
  test::load_parameters(model, fixture);
  return model;
}

template <class B, class M>
void check_model(const std::string& name, const typename M::Config& config) {
  Fixture fixture(name);
  CHECK(model_disagreement<B>(load<M>(fixture, config), fixture) == "");
  CHECK(fixture.unread() == "");
}

}  // namespace

TEMPLATE_TEST_CASE("PixelCNN is that of PyTorch", "[io][torch]", test::XsimdBackend,
                   test::FloatXsimdBackend) {
  check_model<TestType, PixelCNN<Bernoulli, TestType>>(
      "pixel_cnn", {.image = {4, 5, 1}, .layers = 2, .hidden = 3, .head = 4});
}

TEMPLATE_TEST_CASE("PixelRNN of Row LSTMs on colour images is that of PyTorch", "[io][torch]",
                   test::XsimdBackend, test::FloatXsimdBackend) {
  check_model<TestType, PixelRNN<RowLSTM<LearnedState, TestType>>>(
      "pixel_rnn_row_lstm_rgb", {.image = {4, 5, 3}, .layers = 2, .hidden = 3, .head = 4});
}

TEMPLATE_TEST_CASE("PixelRNN of Diagonal BiLSTMs with skip connections is that of PyTorch",
                   "[io][torch]", test::XsimdBackend, test::FloatXsimdBackend) {
  check_model<TestType, PixelRNN<DiagonalBiLSTM<LearnedState, TestType>>>(
      "pixel_rnn_diagonal_bilstm_skip",
      {.image = {4, 5, 1}, .layers = 2, .hidden = 3, .head = 4, .skip = true});
}

TEST_CASE("The comparison of models with PyTorch reports one weight that is not the same",
          "[io][torch]") {
  Fixture fixture("pixel_cnn");
  auto model = load<PixelCNN<Bernoulli, test::XsimdBackend>>(
      fixture, {.image = {4, 5, 1}, .layers = 2, .hidden = 3, .head = 4});
  CHECK(model_disagreement<test::XsimdBackend>(model, fixture) == "");
  for (const auto& [name, parameter] : parameters(model)) {
    if (name == "logits.bias") parameter->value()(0, 0, 0, 0) += 1e-7;
  }
  CHECK(model_disagreement<test::XsimdBackend>(model, fixture) != "");
}
