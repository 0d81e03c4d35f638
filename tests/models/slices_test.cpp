// SPDX-License-Identifier: MIT
// What is not recorded goes through a model a few images at a time: nobody may notice.
#include <pixelrnn/models/pixel_cnn.hpp>
#include <pixelrnn/models/pixel_rnn.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/model_proofs.hpp"

using namespace pixelrnn;

TEMPLATE_TEST_CASE("A pass without a recording has the bits of one with it, for any batch",
                   "[models]", PixelCNN<>, (PixelCNN<Bernoulli, test::FloatPairBackend>),
                   PixelRNN<RowLSTM<>>, (PixelRNN<RowLSTM<LearnedState, test::FloatPairBackend>>),
                   PixelRNN<>) {
  Rng rng(1);
  TestType model({.image = {5, 4, 1}, .layers = 2, .hidden = 5, .head = 7}, rng);
  Tape<float> unrecorded({.threads = 3, .record = false});
  // In one tape's life batches grow and shrink and weights change: its workers' tapes must not
  // remember.
  for (const Index count : {40, 1, 9, 33, 0, 2, 16}) {
    test::randomise(model, static_cast<std::uint64_t>(count) + 1);
    const Images images = test::random_images(count, {5, 4, 1}, 2, 3);
    const FeatureMap<float> x = test::encoded(model, images);
    Tape<float> recorded({.threads = 1});
    unrecorded.reset();
    const FeatureMap<float> expected(model.logits(recorded.input(x)).value());
    const FeatureMap<float> y(model.logits(unrecorded.constant(x)).value());
    CAPTURE(count);
    CHECK(test::bit_difference(y, expected) == "");
    // Not the first: without a past or a bias a new model's logit is 0.
    if (count > 0) CHECK(y.data()[y.size() - 1] != 0);
  }
}

namespace {
struct Convolutions {
  using InPairs = PixelCNN<Bernoulli, test::FloatPairBackend>;
  using Alone = PixelCNN<>;
};
struct Rows {
  using InPairs = PixelRNN<RowLSTM<LearnedState, test::FloatPairBackend>>;
  using Alone = PixelRNN<RowLSTM<>>;
};
}  // namespace

TEMPLATE_TEST_CASE("With walk_bits a pass has the bits of one without pairs of pixels", "[models]",
                   Convolutions, Rows) {
  Rng rng(1), same(1);
  const typename TestType::InPairs in_pairs(
      {.image = {5, 4, 1}, .layers = 2, .hidden = 5, .head = 7}, rng);
  const typename TestType::Alone alone({.image = {5, 4, 1}, .layers = 2, .hidden = 5, .head = 7},
                                       same);
  const FeatureMap<float> x = test::encoded(alone, test::random_images(20, {5, 4, 1}, 2, 3));
  for (const bool record : {false, true}) {
    const auto logits = [&](const auto& model, bool walk_bits) {
      Tape<float> tape({.threads = 2, .record = record, .walk_bits = walk_bits});
      return FeatureMap<float>(model.logits(tape.constant(x)).value());
    };
    CAPTURE(record);
    CHECK(test::bit_difference(logits(in_pairs, true), logits(alone, false)) == "");
    CHECK(test::bit_difference(logits(in_pairs, false), logits(alone, false)) != "");
  }
}
