// SPDX-License-Identifier: MIT
#include <string>
#include <vector>

#include <pixelrnn/training/state.hpp>

#include "support/catch.hpp"

using namespace pixelrnn;

namespace {

struct Owner {
  using Scalar = double;
  Parameter<double> a{Shape<4>{1, 1, 2, 3}}, b{Shape<4>{1, 1, 1, 2}};
  void for_each_parameter(auto&& visit) { visit("a", a), visit("b", b); }
};
struct Outer {
  using Scalar = double;
  Owner inner;
  void for_each_parameter(auto&& visit) { visit("inner", inner); }
};

}  // namespace

TEST_CASE("The weights of a model are views of its parameters, by full name", "[training][state]") {
  Outer model;
  model.inner.a.value()(0, 0, 1, 2) = 7;
  const auto weights = weights_of(model);
  REQUIRE(weights.size() == 2);
  CHECK(weights[0].name == "inner.a");
  CHECK(weights[1].name == "inner.b");
  CHECK(weights[0].values.shape() == Shape<4>{1, 1, 2, 3});
  CHECK(weights[0].values(0, 0, 1, 2) == 7);
  weights[1].values(0, 0, 0, 1) = 5;
  CHECK(model.inner.b.value()(0, 0, 0, 1) == 5);
}

TEST_CASE("Metadata fit if every expected word is there, whatever else is", "[training][state]") {
  const Metadata expected{{"model", "x"}, {"layers", "2"}};
  CHECK_NOTHROW(require_metadata("here", expected, expected));
  CHECK_NOTHROW(require_metadata("here", {}, expected));
  Metadata more = expected;
  more.insert({"extra", "1"});
  CHECK_NOTHROW(require_metadata("here", expected, more));
}

TEST_CASE("All words that differ are listed", "[training][state]") {
  const Metadata expected{{"hidden", "16"}, {"layers", "2"}, {"model", "x"}};
  CHECK_THROWS_ERROR(require_metadata("here", expected, {{"layers", "3"}, {"model", "x"}}),
                     ConfigError,
                     "here: the file describes another model or run; hidden is missing, expected "
                     "16; layers is \"3\", expected \"2\"");
  // A word may be anything: it stands in a file.
  CHECK_THROWS_ERROR(
      require_metadata("here", {{"a", "1"}}, {{"a", "\x1b[31m\n" + std::string(100, 'x')}}),
      ConfigError, "run; a is \"?[31m?" + std::string(74, 'x') + "...\", expected \"1\"");
  // A word that fits is not listed.
  CHECK_THROWS_ERROR(require_metadata("here", {{"a", "1"}, {"b", "1"}}, {{"a", "1"}}), ConfigError,
                     "model or run; b is missing, expected 1");
}

TEST_CASE("Of long words what is shown is where they differ", "[training][state]") {
  const std::string same(200, 's');
  CHECK_THROWS_ERROR(
      require_metadata("here", {{"net", same + "zero" + same}}, {{"net", same + "learned" + same}}),
      ConfigError,
      "net is \"..." + std::string(30, 's') + "learned" + std::string(43, 's') +
          "...\", expected \"..." + std::string(30, 's') + "zero" + std::string(46, 's') + "...\"");
  // One is the beginning of the other.
  CHECK_THROWS_ERROR(
      require_metadata("here", {{"net", same + "x"}}, {{"net", same}}), ConfigError,
      "is \"..." + std::string(30, 's') + "\", expected \"..." + std::string(30, 's') + "x\"");
}

TEST_CASE("Files that do not say what the net is are taken at their other words",
          "[training][state]") {
  const Metadata expected{{"encoding", "-1..1"}, {"model", "x"}, {"net", "ReLU"}};
  CHECK_NOTHROW(require_metadata("here", expected, {{"model", "x"}}));
  CHECK_THROWS_ERROR(require_metadata("here", expected, {{"model", "x"}, {"net", "custom"}}),
                     ConfigError, "net is \"custom\", expected \"ReLU\"");
  CHECK_THROWS_ERROR(require_metadata("here", expected, {{"net", "ReLU"}}), ConfigError,
                     "model is missing");
}
