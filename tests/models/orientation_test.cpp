// SPDX-License-Identifier: MIT
// Models that go through their images in one of eight orders.
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <pixelrnn/autodiff/gradcheck.hpp>
#include <pixelrnn/models/pixel_cnn.hpp>
#include <pixelrnn/models/pixel_rnn.hpp>
#include <pixelrnn/training/trainer.hpp>
#include <pixelrnn/verify/receptive_field.hpp>
#include <pixelrnn/verify/samples.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/models.hpp"

using namespace pixelrnn;

namespace {

using B64 = Backend<double>;
using OrientedCNN = PixelCNN<test::Softmax<2>, B64>;
using OrientedRow = PixelRNN<RowLSTM<LearnedState, B64>, test::Softmax<2>>;
using OrientedDiagonal = PixelRNN<DiagonalBiLSTM<LearnedState, B64>, test::Softmax<2>>;

template <class M>
M closed(ImageShape image, const Orientation& orientation, Condition condition = {}) {
  return test::random_model<M>({.image = image,
                                .layers = 1,
                                .hidden = 3,
                                .head = 4,
                                .condition = condition,
                                .orientation = orientation},
                               3);
}
/// The same with ReLUs open, so that none hides what lies behind it.
template <class M>
M oriented(ImageShape image, const Orientation& orientation, Condition condition = {}) {
  M model = closed<M>(image, orientation, condition);
  test::raise(model, "input.bias", 5);
  test::raise(model, "head1.bias", 30);
  test::raise(model, "head2.bias", 5);
  test::raise(model, "upsample.bias", 3);
  return model;
}

/// By the definition: mirrored, then transposed.
template <class T>
Tensor<T, 4> reordered(TensorView<const T, 4> images, const Orientation& o) {
  const Shape<4> s = images.shape();
  Tensor<T, 4> result(o.by_columns ? Shape<4>{s.n(), s.w(), s.h(), s.c()} : s);
  for (Index n = 0; n < s.n(); ++n) {
    for (Index r = 0; r < s.h(); ++r) {
      for (Index j = 0; j < s.w(); ++j) {
        const Index row = o.from_below ? s.h() - 1 - r : r;
        const Index column = o.from_right ? s.w() - 1 - j : j;
        for (Index c = 0; c < s.c(); ++c) {
          (o.by_columns ? result(n, column, row, c) : result(n, row, column, c)) =
              images(n, r, j, c);
        }
      }
    }
  }
  return result;
}

}  // namespace

TEST_CASE("The eight orders are the symmetries of a rectangle, and have names",
          "[models][orientation]") {
  std::set<std::string> names, orders;
  constexpr ImageShape image{2, 3, 1};
  for (const Orientation& o : all_orientations) {
    CAPTURE(name_of(o));
    names.insert(name_of(o));
    CHECK(orientation_named(name_of(o)) == o);
    const ImageShape ordered = o.ordered(image);
    CHECK(ordered.height * ordered.width == 6);
    std::string order;
    for (Index r = 0; r < ordered.height; ++r) {
      for (Index j = 0; j < ordered.width; ++j) {
        const Orientation::Place at = o.in_image(image, r, j);
        REQUIRE((at.row >= 0 && at.row < 2 && at.column >= 0 && at.column < 3));
        order += std::to_string(at.row * 3 + at.column);
        const Orientation::Place back = o.in_order(image, at.row, at.column);
        CHECK((back.row == r && back.column == j));
      }
    }
    orders.insert(order);
  }
  CHECK(names.size() == 8);
  CHECK(orders.size() == 8);
  CHECK(orders.contains("012345"));
  CHECK(orders.contains("543210"));
  CHECK(orders.contains("031425"));
  CHECK(name_of({true, true, true}) == "columns from below from right");
  CHECK_FALSE(orientation_named("diagonals").has_value());
}

TEMPLATE_TEST_CASE("A model keeps every promise in every order", "[models][orientation]",
                   OrientedCNN, OrientedRow, OrientedDiagonal) {
  for (const Orientation& o : all_orientations) {
    CAPTURE(name_of(o));
    const auto model = oriented<TestType>({2, 3, 1}, o);
    CHECK(verify_causality(model).where == "");
    if (!std::same_as<TestType, OrientedCNN>) CHECK(verify_completeness(model).where == "");
    CHECK(verify_normalisation(model, 1e-9).where == "");
    CHECK(verify_samplers(model).where == "");
    CHECK(verify_distribution(closed<TestType>({2, 3, 1}, o), {}, 3000).where == "");
    CHECK(verify_determinism(model, {}, 9).where == "");
    // What a pixel sees is what comes before it in that order, and nothing else.
    if (std::same_as<TestType, OrientedDiagonal>) {
      const auto field = receptive_field(model, 1, 1);
      const Orientation::Place here = o.in_order({2, 3, 1}, 1, 1);
      for (Index r = 0; r < 2; ++r) {
        for (Index j = 0; j < 3; ++j) {
          const Orientation::Place p = o.in_order({2, 3, 1}, r, j);
          const bool is_before = std::pair(p.row, p.column) < std::pair(here.row, here.column);
          CHECK((field(r, j) != 0) == is_before);
        }
      }
    }
  }
}

TEMPLATE_TEST_CASE("An order is that of a raster model of mirrored and transposed images",
                   "[models][orientation]", OrientedCNN, OrientedRow, OrientedDiagonal) {
  constexpr ImageShape image{4, 3, 3};
  using Colour = TestType;
  Images images = test::random_images(3, image, 2, 5);
  for (const Orientation& o : all_orientations) {
    CAPTURE(name_of(o));
    for (const bool is_told : {false, true}) {
      const Condition condition{.channels = is_told ? Index{2} : Index{0}};
      const auto model = oriented<Colour>(image, o, condition);
      const auto raster = oriented<Colour>(o.ordered(image), {}, condition);
      Images turned(reordered<Images::Level>(std::as_const(images).pixels(), o), 2);
      if (is_told) {
        const FeatureMap<float> maps = test::random_map<float>({3, 4, 3, 2}, 8);
        images.set_condition_maps(maps);
        turned.set_condition_maps(reordered<float>(maps.view(), o));
      }
      // Likelihoods, where they come from, and logits.
      const auto nats = evaluate(model, images).image_nats,
                 expected = evaluate(raster, turned).image_nats;
      for (std::size_t n = 0; n < 3; ++n) CHECK(nats[n].value == expected[n].value);
      CHECK(test::bit_difference(reordered<double>(nats_map(model, images).view(), o),
                                 nats_map(raster, turned)) == "");
      CHECK(test::bit_difference(reordered<double>(logits_map(model, images).view(), o),
                                 logits_map(raster, turned)) == "");
      // Gradients.
      Gradients gradients(model), gradients_raster(raster);
      CHECK(BatchGradient(model, 2)(images, gradients) ==
            BatchGradient(raster, 2)(turned, gradients_raster));
      const auto a = parameters(model), b = parameters(raster);
      for (std::size_t p = 0; p < a.size(); ++p) {
        CHECK(test::bit_difference(
                  FeatureMap<double>(std::as_const(gradients)[*a[p].parameter]),
                  FeatureMap<double>(std::as_const(gradients_raster)[*b[p].parameter])) == "");
      }
      // The control: in raster order the images are others.
      if (!o.is_raster()) {
        const auto plain = evaluate(oriented<Colour>(image, {}, condition), images).image_nats;
        CHECK(plain[0].value != nats[0].value);
      }
    }
  }
}

TEST_CASE("From below, the lower half is completed upwards from what is known",
          "[models][orientation]") {
  const auto model = closed<OrientedDiagonal>({4, 3, 1}, {.from_below = true});
  const auto upright = closed<OrientedDiagonal>({4, 3, 1}, {});
  Images known = test::random_images(1, {4, 3, 1}, 2, 5), other = known;
  for (Index j = 0; j < 3; ++j)
    other[0](3, j, 0) = static_cast<Images::Level>(1 - other[0](3, j, 0));
  const KeepBox lower{.top = 2, .left = 0, .height = 2, .width = 3};
  const auto upper_changes = [&](const auto& m) {
    for (std::uint64_t seed = 0; seed < 400; ++seed) {
      const Images a = complete(m, known, lower, {.seed = seed});
      const Images b = complete(m, other, lower, {.seed = seed});
      CHECK(std::equal(a[0].begin() + 6, a[0].end(), known[0].begin() + 6));
      if (!std::equal(a[0].begin(), a[0].begin() + 6, b[0].begin())) return true;
    }
    return false;
  };
  CHECK(upper_changes(model));
  CHECK_FALSE(upper_changes(upright));  // it cannot look ahead
}

TEST_CASE("An order is in the description of a model, and files are held to it",
          "[models][orientation]") {
  const Orientation o{.by_columns = true, .from_right = true};
  const auto words = oriented<OrientedRow>({2, 3, 1}, o).describe();
  CHECK(words.at("orientation") == "columns from right");
  CHECK(ModelWords("file", words).orientation() == o);
  CHECK_FALSE(oriented<OrientedRow>({2, 3, 1}, {}).describe().contains("orientation"));
  CHECK(ModelWords("file", {}).orientation().is_raster());
  CHECK_THROWS_ERROR(ModelWords("file", {{"orientation", "up"}}).orientation(), ConfigError,
                     "file: orientation is \"up\", expected rows or columns");
}
