// SPDX-License-Identifier: MIT
#include <array>
#include <vector>

#include <pixelrnn/autodiff/gradient_rooms.hpp>

#include "support/allocations.hpp"
#include "support/catch.hpp"

using namespace pixelrnn;

namespace {

struct TwoParameters {
  using Scalar = float;
  Parameter<float> a{Shape<4>{1, 1, 1, 3}}, b{Shape<4>{1, 2, 1, 20}};
  void for_each_parameter(auto&& visit) { visit("a", a), visit("b", b); }
};

/// d(Σ factor · p)/dp by a tape, added to the parameter's gradient.
void differentiate(const Parameter<float>& parameter, float factor) {
  Tape<float> tape({.threads = 1});
  tape.backward(sum(scale(tape.leaf(parameter), factor)));
}

bool all_are(const Parameter<float>& parameter, float value) {
  const FeatureView<const float> g = parameter.gradient();
  return std::all_of(g.begin(), g.end(), [=](float v) { return v == value; });
}

}  // namespace

TEST_CASE("A gradient goes to the room in use, and to its parameter only when rooms are added up",
          "[autodiff][gradient_rooms]") {
  TwoParameters owner;
  differentiate(owner.a, 1);  // what is there already stays
  GradientRooms<float> rooms(parameters(owner));
  rooms.make(2);
  for (Index room = 0; room < 2; ++room) {
    const GradientRooms<float>::Use use(rooms, room);
    CHECK(all_are(owner.a, 0));
    differentiate(owner.a, room == 0 ? 2.0f : 3.0f);
    differentiate(owner.b, 5);
    differentiate(owner.b, 5);
    CHECK(all_are(owner.a, room == 0 ? 2.0f : 3.0f));
    CHECK(all_are(owner.b, 10));
  }
  CHECK(all_are(owner.a, 1));
  CHECK(all_are(owner.b, 0));
  rooms.add_up<execution::OpenMP>(2, 1);
  CHECK(all_are(owner.a, 3));
  rooms.add_up<execution::OpenMP>(2, 2);
  CHECK(all_are(owner.a, 8));
  CHECK(all_are(owner.b, 30));
}

TEST_CASE("A room is zero when its use begins, and the use before goes on when it ends",
          "[autodiff][gradient_rooms]") {
  TwoParameters owner;
  GradientRooms<float> rooms(parameters(owner));
  rooms.make(2);
  const GradientRooms<float>::Use outer(rooms, 0);
  differentiate(owner.a, 1);
  for (int turn = 0; turn < 2; ++turn) {
    const GradientRooms<float>::Use inner(rooms, 1);
    CHECK(all_are(owner.a, 0));
    differentiate(owner.a, 7);
  }
  CHECK(all_are(owner.a, 1));
}

TEST_CASE("Threads that differentiate one model at once do not see each other's gradients",
          "[autodiff][gradient_rooms]") {
  TwoParameters owner;
  GradientRooms<float> rooms(parameters(owner));
  constexpr Index count = 64;
  rooms.make(count);
  std::array<bool, count> alone{};
  execution::OpenMP::for_each(4, count, [&](Index i, Index) {
    const GradientRooms<float>::Use use(rooms, i);
    const float factor = static_cast<float>(i + 1);
    differentiate(owner.a, factor), differentiate(owner.b, 2 * factor);
    alone[static_cast<std::size_t>(i)] = all_are(owner.a, factor) && all_are(owner.b, 2 * factor);
  });
  CHECK(std::all_of(alone.begin(), alone.end(), [](bool b) { return b; }));
  rooms.add_up<execution::OpenMP>(4, count);
  CHECK(all_are(owner.a, count * (count + 1) / 2));
  CHECK(all_are(owner.b, count * (count + 1)));
}

TEST_CASE("Rooms are added in their order, whoever filled them", "[autodiff][gradient_rooms]") {
  // 1e8 + 1 - 1e8 is 0 in float, 1e8 - 1e8 + 1 is 1: the order shows.
  const std::vector<float> addends{1e8f, 1, -1e8f, 3};
  float expected = 0;
  for (const float addend : addends) expected += addend;
  REQUIRE(expected == 3);
  for (const bool backwards : {false, true}) {
    TwoParameters owner;
    GradientRooms<float> rooms(parameters(owner));
    rooms.make(4);
    for (Index i = 0; i < 4; ++i) {
      const Index room = backwards ? 3 - i : i;
      const GradientRooms<float>::Use use(rooms, room);
      differentiate(owner.a, addends[static_cast<std::size_t>(room)]);
    }
    rooms.add_up<execution::Sequential>(1, 4);
    CHECK(all_are(owner.a, expected));
  }
}

TEST_CASE("The gradient of a parameter that no room is for is dropped",
          "[autodiff][gradient_rooms]") {
  TwoParameters owner;
  const Parameter<float> stranger({1, 1, 1, 4});
  GradientRooms<float> rooms(parameters(owner));
  rooms.make(1);
  {
    const GradientRooms<float>::Use use(rooms, 0);
    differentiate(stranger, 2);
    differentiate(owner.a, 1);
  }
  CHECK(all_are(stranger, 0));
  rooms.add_up<execution::Sequential>(1, 1);
  CHECK(all_are(owner.a, 1));
  CHECK(all_are(stranger, 0));
  differentiate(stranger, 2);  // the control
  CHECK(all_are(stranger, 2));
}

TEST_CASE("Rooms once made are used again", "[autodiff][gradient_rooms]") {
  TwoParameters owner;
  GradientRooms<float> rooms(parameters(owner));
  CHECK(rooms.bytes() == 0);
  rooms.make(3);
  CHECK(rooms.bytes() >= 3 * sizeof(float) * (3 + 40));
  const std::size_t before = test::allocation_count();
  rooms.make(2);
  rooms.make(3);
  { const GradientRooms<float>::Use use(rooms, 2); }
  CHECK(test::allocation_count() == before);
}
