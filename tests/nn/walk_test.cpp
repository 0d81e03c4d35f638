// SPDX-License-Identifier: MIT
#include <string>
#include <vector>

#include <pixelrnn/nn/convolution/masked_conv2d.hpp>
#include <pixelrnn/nn/diagonal_lstm/diagonal_lstm.hpp>
#include <pixelrnn/nn/relu.hpp>
#include <pixelrnn/nn/residual.hpp>
#include <pixelrnn/nn/row_lstm/row_lstm.hpp>
#include <pixelrnn/nn/stack.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/layers.hpp"

using namespace pixelrnn;

namespace {

using WalkBackend = test::FloatXsimdBackend;
using WalkConv = MaskedConv2d<MaskB, WalkBackend>;
using WalkFirst = MaskedConv2d<MaskA, WalkBackend>;

template <class Conv = WalkConv>
Conv walk_conv(Index in, Index out, Index kernel = 3) {
  Rng rng(1);
  return Conv(
      {.in_channels = in, .out_channels = out, .kernel_height = kernel, .kernel_width = kernel},
      rng);
}
template <class Recurrence>
Recurrence walk_recurrence(Index in, Index hidden) {
  Rng rng(1);
  return Recurrence({.in_channels = in, .hidden = hidden}, rng);
}

/// Calls f(name, layer) for each public layer of the library, from 4 channels to 4.
template <class F>
void for_each_walking_layer(const F& f) {
  f("MaskedConv2d", walk_conv(4, 4));
  f("MaskedConv2d", walk_conv(4, 4, 1));
  f("MaskedConv2d", walk_conv<WalkFirst>(4, 4));
  f("RowLSTM", walk_recurrence<RowLSTM<LearnedState, WalkBackend>>(4, 4));
  f("DiagonalLSTM", walk_recurrence<DiagonalLSTM<FromLeft, LearnedState, WalkBackend>>(4, 4));
  f("DiagonalLSTM", walk_recurrence<DiagonalLSTM<FromRight, LearnedState, WalkBackend>>(4, 4));
  f("DiagonalBiLSTM", walk_recurrence<DiagonalBiLSTM<LearnedState, WalkBackend>>(4, 4));
  f("ReLU", ReLU<WalkBackend>());
  f("Sequential", Sequential(walk_conv<WalkFirst>(4, 6), ReLU<WalkBackend>(), walk_conv(6, 4)));
  f("Sequential", Sequential(ReLU<WalkBackend>()));
  f("Residual", Residual(ReLU<WalkBackend>(), walk_conv(4, 4)));
  f("Stack",
    Stack<WalkConv, WalkConv>(std::vector(2, walk_conv(4, 4)), std::vector(2, walk_conv(4, 4))));
  f("Stack", Stack<WalkConv, WalkConv>({}));
}

/// A walk of 2 images of 5x3, and rooms that are larger than any step of these tests reads or
/// writes.
struct Rooms {
  static constexpr Walk walk{.batch = 2, .height = 5, .width = 3, .channels = 4};
  FeatureMap<float> in{{8, 1, 1, 16}, 0.5f}, out{{8, 1, 1, 16}};
  [[nodiscard]] MatrixView<const float> x(Index rows = 2, Index columns = 4) const {
    return {in.data(), rows, columns};
  }
  [[nodiscard]] MatrixView<float> y(Index rows = 2, Index columns = 4) {
    return {out.data(), rows, columns};
  }
};

const char* const expected_rows =
    "expected (2, 4), (Walk::batch, C): a row for each image that the cache was made for";

}  // namespace

TEST_CASE("A step of another batch or other channels is refused by every layer", "[nn][walk]") {
  for_each_walking_layer([](const std::string& name, const auto& layer) {
    CAPTURE(name);
    Rooms rooms;
    auto cache = layer.make_cache(Rooms::walk);
    CHECK_NOTHROW(layer.step(cache, 0, 0, rooms.x(), rooms.y()));
    for (const Index batch : {0, 1, 3, 8}) {
      const std::string rows = std::to_string(batch);
      CHECK_THROWS_ERROR(layer.step(cache, 0, 1, rooms.x(batch), rooms.y(batch)), ShapeError,
                         name + ": x of a step is (" + rows + ", 4), " + expected_rows);
      CHECK_THROWS_ERROR(layer.step(cache, 0, 1, rooms.x(), rooms.y(batch)), ShapeError,
                         name + ": y of a step is (" + rows + ", 4), " + expected_rows);
    }
    for (const Index channels : {0, 3, 5, 16}) {
      CAPTURE(channels);
      CHECK_THROWS_AS(layer.step(cache, 0, 1, rooms.x(2, channels), rooms.y()), ShapeError);
      CHECK_THROWS_ERROR(
          layer.step(cache, 0, 1, rooms.x(), rooms.y(2, channels)), ShapeError,
          name + ": y of a step is (2, " + std::to_string(channels) + "), " + expected_rows);
    }
    // What was refused has changed nothing that matters.
    CHECK_NOTHROW(layer.step(cache, 0, 1, rooms.x(), rooms.y()));
  });
}

TEST_CASE("A step of a pixel that the walk has not is refused by every layer", "[nn][walk]") {
  for_each_walking_layer([](const std::string& name, const auto& layer) {
    Rooms rooms;
    auto cache = layer.make_cache(Rooms::walk);
    CHECK_NOTHROW(layer.step(cache, 0, 2, rooms.x(), rooms.y()));
    for (const auto& [row, column] : {std::pair<Index, Index>{-1, 0},
                                      {5, 0},
                                      {0, -1},
                                      {0, 3},
                                      {Index{1} << 40, 0},
                                      {0, Index{1} << 40}}) {
      CAPTURE(name, row, column);
      CHECK_THROWS_ERROR(layer.step(cache, row, column, rooms.x(), rooms.y()), ShapeError,
                         name + ": row " + std::to_string(row) + ", column " +
                             std::to_string(column) +
                             " is not in the 5x3 map that the cache was made for (Walk::height x "
                             "Walk::width)");
    }
  });
}

TEST_CASE("The end of a row that the walk has not is refused", "[nn][walk]") {
  for_each_walking_layer([](const std::string& name, const auto& layer) {
    CAPTURE(name);
    auto cache = layer.make_cache(Rooms::walk);
    CHECK_NOTHROW(layer.end_row(cache, 0));
    CHECK_NOTHROW(layer.end_row(cache, 4));
    if (name != "MaskedConv2d" && name != "RowLSTM" && name.find("Diagonal") != 0) return;
    for (const Index row : {-1, -100, 5, 100}) {
      CHECK_THROWS_ERROR(layer.end_row(cache, row), ShapeError,
                         name + ": row " + std::to_string(row) + " is not in the 5x3 map");
    }
  });
}

TEST_CASE("What a layer is told after its step must be the walk's too", "[nn][walk]") {
  const auto check = [](const std::string& name, const auto& layer) {
    Rooms rooms;
    auto cache = layer.make_cache(Rooms::walk);
    CHECK_NOTHROW(layer.observe(cache, 0, 0, rooms.x()));
    CHECK_THROWS_ERROR(layer.observe(cache, 0, 0, rooms.x(3)), ShapeError,
                       name + ": x of a step is (3, 4), " + expected_rows);
    CHECK_THROWS_AS(layer.observe(cache, 0, 0, rooms.x(2, 5)), ShapeError);
    CHECK_THROWS_ERROR(layer.observe(cache, 5, 0, rooms.x()), ShapeError,
                       name + ": row 5, column 0 is not in the 5x3 map");
  };
  check("MaskedConv2d", walk_conv<WalkFirst>(4, 4));
  check("Sequential", Sequential(walk_conv<WalkFirst>(4, 6), walk_conv(6, 4)));
  check("Sequential", Sequential(walk_conv(4, 6), walk_conv<WalkFirst>(6, 4)));
}

TEST_CASE("What is added to a step must have its shape", "[nn][walk]") {
  const auto check = [](const std::string& name, const auto& layer) {
    Rooms rooms;
    auto cache = layer.make_cache(Rooms::walk);
    CHECK_NOTHROW(layer.step_add(cache, 0, 0, rooms.x(), rooms.x(2, 6), rooms.y(2, 6)));
    CHECK_NOTHROW(layer.step_add(cache, 0, 0, rooms.x(), {}, rooms.y(2, 6)));
    for (const auto& [rows, columns] : {std::pair<Index, Index>{3, 6}, {2, 4}, {0, 6}}) {
      CHECK_THROWS_ERROR(
          layer.step_add(cache, 0, 0, rooms.x(), rooms.x(rows, columns), rooms.y(2, 6)), ShapeError,
          name + ": residual of a step is (" + std::to_string(rows) + ", " +
              std::to_string(columns) + "), expected (2, 6)");
    }
  };
  check("MaskedConv2d", walk_conv(4, 6));
}
