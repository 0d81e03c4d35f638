// SPDX-License-Identifier: MIT
#include <concepts>
#include <type_traits>

#include <pixelrnn/autodiff/functions.hpp>
#include <pixelrnn/nn/layer.hpp>

#include "support/catch.hpp"

using namespace pixelrnn;

namespace {

/// The least that is a layer.
struct Identity {
  using Scalar = double;
  [[nodiscard]] Variable<double> forward(Variable<double> x) const { return x; }
  [[nodiscard]] Shape<4> output_shape(Shape<4> x) const { return x; }
  void for_each_parameter(auto&&) {}
};
/// The same with a walk, and one that can be told a pixel.
struct Walking : Identity {
  struct Cache {};
  [[nodiscard]] Cache make_cache(Walk) const { return {}; }
  void step(Cache&, Index, Index, MatrixView<const double>, MatrixView<double>) const {}
  void end_row(Cache&, Index) const {}
};
struct Observing : Walking {
  void observe(Cache&, Index, Index, MatrixView<const double>) const {}
};
struct Counting : Identity {
  [[nodiscard]] Index flops(Index height, Index width) const { return 10 * height + width; }
};

// What each of them is without one of its members.
struct WithoutScalar {
  [[nodiscard]] Variable<double> forward(Variable<double> x) const { return x; }
  [[nodiscard]] Shape<4> output_shape(Shape<4> x) const { return x; }
  void for_each_parameter(auto&&) {}
};
struct WithoutForward {
  using Scalar = double;
  [[nodiscard]] Shape<4> output_shape(Shape<4> x) const { return x; }
  void for_each_parameter(auto&&) {}
};
struct WithoutShape {
  using Scalar = double;
  [[nodiscard]] Variable<double> forward(Variable<double> x) const { return x; }
  void for_each_parameter(auto&&) {}
};
struct WithoutParameters {
  using Scalar = double;
  [[nodiscard]] Variable<double> forward(Variable<double> x) const { return x; }
  [[nodiscard]] Shape<4> output_shape(Shape<4> x) const { return x; }
};
struct OfAnotherScalar : Identity {
  using Scalar = float;
};
struct ForwardChangesIt : Identity {
  Variable<double> forward(Variable<double> x) { return x; }
};

struct WithoutCache : Identity {
  [[nodiscard]] int make_cache(Walk) const { return 0; }
  void step(int&, Index, Index, MatrixView<const double>, MatrixView<double>) const {}
  void end_row(int&, Index) const {}
};
struct MakesAnotherCache : Walking {
  [[nodiscard]] int make_cache(Walk) const { return 0; }
};
struct WithoutStep : Identity {
  struct Cache {};
  [[nodiscard]] Cache make_cache(Walk) const { return {}; }
  void end_row(Cache&, Index) const {}
};
struct WithoutEndRow : Identity {
  struct Cache {};
  [[nodiscard]] Cache make_cache(Walk) const { return {}; }
  void step(Cache&, Index, Index, MatrixView<const double>, MatrixView<double>) const {}
};
struct WritesItsInput : Walking {
  void step(Cache&, Index, Index, MatrixView<double>, MatrixView<double>) const {}
};
struct ObservingOnly : Identity {
  struct Cache {};
  void observe(Cache&, Index, Index, MatrixView<const double>) const {}
};
struct CountingRoughly : Identity {
  [[nodiscard]] double flops(Index, Index) const { return 1e9; }
};

}  // namespace

TEST_CASE("A layer has a forward, an output shape and parameters", "[nn][layer]") {
  STATIC_REQUIRE(Layer<Identity>);
  STATIC_REQUIRE_FALSE(Layer<WithoutScalar>);
  STATIC_REQUIRE_FALSE(Layer<WithoutForward>);
  STATIC_REQUIRE_FALSE(Layer<WithoutShape>);
  STATIC_REQUIRE_FALSE(Layer<WithoutParameters>);
}

TEST_CASE("A layer's forward is const and of its scalar", "[nn][layer]") {
  STATIC_REQUIRE_FALSE(Layer<OfAnotherScalar>);
  STATIC_REQUIRE_FALSE(Layer<ForwardChangesIt>);
}

TEST_CASE("A walk is a cache, a step and the end of a row", "[nn][layer]") {
  STATIC_REQUIRE(IncrementalLayer<Walking>);
  STATIC_REQUIRE(Layer<WithoutCache>);
  STATIC_REQUIRE_FALSE(IncrementalLayer<Identity>);
  STATIC_REQUIRE_FALSE(IncrementalLayer<WithoutCache>);
  STATIC_REQUIRE_FALSE(IncrementalLayer<MakesAnotherCache>);
  STATIC_REQUIRE_FALSE(IncrementalLayer<WithoutStep>);
  STATIC_REQUIRE_FALSE(IncrementalLayer<WithoutEndRow>);
  STATIC_REQUIRE_FALSE(IncrementalLayer<WritesItsInput>);
}

TEST_CASE("A layer that can be told a pixel has a walk", "[nn][layer]") {
  STATIC_REQUIRE(ObservingLayer<Observing>);
  STATIC_REQUIRE_FALSE(ObservingLayer<Walking>);
  STATIC_REQUIRE_FALSE(ObservingLayer<ObservingOnly>);
}

TEST_CASE("A layer that does not say its FLOP has none", "[nn][layer]") {
  CHECK(flops(Counting{}, 5, 7) == 57);
  CHECK(flops(Identity{}, 5, 7) == 0);
  CHECK(flops(CountingRoughly{}, 5, 7) == 0);  // a count is a whole number
}

TEST_CASE("A map of other channels is refused by name", "[nn][layer]") {
  CHECK_NOTHROW(detail::require_channels("Here", {2, 3, 4, 5}, 5, "the knob"));
  CHECK_THROWS_ERROR(detail::require_channels("Here", {2, 3, 4, 5}, 6, "the knob"), ShapeError,
                     "Here: x is (N=2, H=3, W=4, C=5), expected (N, H, W, C=6); C is the knob");
}
