// SPDX-License-Identifier: MIT
// Proofs of models that a derivative cannot see through, and of kinks; verify_test.cpp has the
// rest.
#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <pixelrnn/autodiff/gradcheck.hpp>
#include <pixelrnn/likelihood/categorical.hpp>
#include <pixelrnn/models/pixel_rnn.hpp>
#include <pixelrnn/verify/receptive_field.hpp>
#include <pixelrnn/verify/verify.hpp>

#include "support/catch.hpp"
#include "support/models.hpp"

using namespace pixelrnn;

namespace {

/// A user's model that looks levels up in a table, and so has no derivative: the logits of
/// sub-pixel `to` are the sum over all `from` that it `sees` of table[level] times a factor of
/// `from`'s own.
template <int Levels>
struct LookUp {
  using Scalar = float;
  using Likelihood = test::Softmax<Levels>;
  [[nodiscard]] static Likelihood likelihood() { return {}; }
  ImageShape image{2, 3, 1};
  std::function<bool(Index from, Index to)> sees = std::less<>();
  std::vector<float> table;
  mutable Index recorded = 0, unrecorded = 0;  ///< passes

  LookUp() {
    for (int level = 0; level < Levels; ++level) table.push_back(static_cast<float>(level + 1));
  }
  [[nodiscard]] ImageShape image_shape() const { return image; }
  [[nodiscard]] float encode(int level) const { return static_cast<float>(level); }
  [[nodiscard]] Variable<float> logits(Variable<float> x) const {
    ++(x.tape().records() ? recorded : unrecorded);
    const FeatureView<float> z = x.tape().allocate(x.shape().with_channels(x.shape().c() * Levels));
    const Index n = image.subpixels();
    for (Index i = 0; i < z.size(); ++i) {
      const Index to = i / Levels % n, first = i / Levels - to;
      float sum = 0;
      for (Index from = 0; from < n; ++from) {
        if (!sees(from, to)) continue;
        sum += static_cast<float>(from + 1) *
               table[static_cast<std::size_t>(x.value().data()[first + from])];
      }
      z.data()[i] = i % Levels == 0 ? 0 : sum;
    }
    return x.tape().constant(z);
  }
  [[nodiscard]] std::map<std::string, std::string> describe() const { return {}; }
  void for_each_parameter(auto&&) {}
};

/// The field of a pixel as text, a row a line.
template <class M>
std::string drawn_field(const M& model, Index row, Index column, std::uint64_t seed = 1) {
  const Tensor<unsigned char, 2> field = receptive_field(model, row, column, {.seed = seed});
  std::string text;
  for (Index r = 0; r < field.shape()[0]; ++r) {
    for (Index c = 0; c < field.shape()[1]; ++c) text += field(r, c) != 0 ? '#' : '.';
    text += '\n';
  }
  return text;
}

/// z_i = x_(i+1), z of the last is 0: autoregressive from the last pixel to the first.
struct Backwards : LookUp<2> {
  Backwards() {
    sees = [](Index from, Index to) { return from == to + 1; };
  }
};

}  // namespace

TEST_CASE("A model that looks levels up in a table is seen to be complete", "[verify]") {
  CHECK(verify_causality(LookUp<2>{}));
  CHECK(verify_completeness(LookUp<2>{}).where == "");
  CHECK(verify_completeness(LookUp<7>{}).where == "");
  LookUp<256> colour;
  colour.image = {2, 2, 3};
  CHECK(verify_completeness(colour).where == "");
  CHECK(verify_completeness(colour).checked == 12 * 12);
}

TEST_CASE("The field of a model that looks levels up in a table is what it sees", "[verify]") {
  LookUp<5> model;
  model.image = {3, 4, 1};
  CHECK(drawn_field(model, 0, 0) == "....\n....\n....\n");
  CHECK(drawn_field(model, 1, 2) == "####\n##..\n....\n");
  CHECK(drawn_field(model, 2, 3) == "####\n####\n###.\n");
  model.sees = [](Index from, Index) { return from == 3 || from == 8; };
  CHECK(drawn_field(model, 1, 0) == "...#\n....\n#...\n");
}

TEST_CASE("A blind spot of a model that looks levels up is found", "[verify]") {
  LookUp<4> model;
  model.sees = [](Index from, Index to) { return from < to && !(from == 1 && to == 5); };
  const VerifyReport report = verify_completeness(model);
  CHECK_FALSE(report);
  CHECK(report.where ==
        "the logits of (row 1, column 2, channel 0) do not see (row 0, column 1, channel 0)");
}

TEST_CASE("A leak of a model that looks levels up is found", "[verify]") {
  LookUp<256> model;
  model.sees = [](Index from, Index to) { return from < to || (from == 4 && to == 2); };
  const VerifyReport report = verify_completeness(model);
  CHECK_FALSE(report);
  CHECK(report.where ==
        "the logits of (row 0, column 2, channel 0) see (row 1, column 1, channel 0)");
  CHECK(drawn_field(model, 0, 2) == "##.\n.#.\n");
  CHECK_FALSE(verify_causality(model));
}

TEST_CASE("Of few levels each is tried, so that a table of equal entries hides none", "[verify]") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    LookUp<4> model;
    model.table = {0, 0, 1, 0};
    const auto all = [](const SubPixel& from, const SubPixel& to) {
      return from.row < to.row || (from.row == to.row && from.column < to.column);
    };
    CHECK(verify_completeness(model, all, {.seed = seed}, 1).where == "");
  }
}

TEST_CASE("Completeness and the field cost the passes that they say", "[verify]") {
  const LookUp<2> two;
  static_cast<void>(verify_completeness(two));
  CHECK(two.recorded == 4 * 6);
  CHECK(two.unrecorded == 4 * (1 + 6));
  const LookUp<4> four;
  static_cast<void>(verify_completeness(four));
  CHECK(four.unrecorded == 4 * (1 + 3 * 6));
  const LookUp<256> many;
  static_cast<void>(verify_completeness(many));
  CHECK(many.unrecorded == 4 * (1 + 6));

  LookUp<2> blind;
  blind.image = {8, 8, 1};
  blind.sees = [](Index, Index) { return false; };
  static_cast<void>(receptive_field(blind, 7, 7));
  CHECK(blind.recorded == 1);
  CHECK(blind.unrecorded == 2);
  blind.sees = [](Index from, Index) { return from == 37; };
  blind.unrecorded = 0;
  static_cast<void>(receptive_field(blind, 7, 7));
  CHECK(blind.unrecorded == 2 + 2 * 6);
}

TEST_CASE("A net that has begun, whose biases are 0, passes gradcheck and is complete",
          "[verify]") {
  Rng rng(3);
  PixelRNN<DiagonalBiLSTM<ZeroState, Backend<double>>> model(
      {.image = {3, 3, 1}, .layers = 2, .hidden = 3, .head = 4}, rng);
  CHECK(verify_completeness(model).where == "");
  const Images images = test::random_images(1, {3, 3, 1}, 2, 1);
  const GradcheckReport gradients =
      gradcheck(model, {test::encoded(model, images)}, [&](Tape<double>&, const auto& in) {
        return image_nats<execution::OpenMP>(model.likelihood(), model.logits(in[0]),
                                             TensorView<const Images::Level, 4>(images.pixels()));
      });
  INFO(gradients.where);
  CHECK(gradients);
  CHECK(gradients.kinks > 0);
}

TEST_CASE("Probabilities sum to 1 in any order, and causality says that it is not the raster's",
          "[verify]") {
  const Backwards model;
  CHECK(verify_normalisation(model));
  const VerifyReport causality = verify_causality(model);
  CHECK_FALSE(causality);
  CHECK(causality.where ==
        "the logits of (row 0, column 0, channel 0) change with sub-pixels from (row 0, column 0, "
        "channel 0) on");
  CHECK(verify_completeness(model).where ==
        "the logits of (row 0, column 0, channel 0) see (row 0, column 1, channel 0)");
}
