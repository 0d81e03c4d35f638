// SPDX-License-Identifier: MIT
#include <string_view>

#include <pixelrnn/nn/initial_state.hpp>

#include "support/catch.hpp"

using namespace pixelrnn;

TEST_CASE("Initial states are known by their names", "[nn][initial_state]") {
  CHECK(ZeroState::name == "zero");
  CHECK(LearnedState::name == "learned");
  CHECK(PaddedScanState::name == "padded_scan");
}

TEST_CASE("Of the initial states one is learned and another is scanned", "[nn][initial_state]") {
  STATIC_REQUIRE_FALSE((ZeroState::is_learned || ZeroState::is_scanned));
  STATIC_REQUIRE((LearnedState::is_learned && !LearnedState::is_scanned));
  STATIC_REQUIRE((PaddedScanState::is_scanned && !PaddedScanState::is_learned));
}

// Not unnamed: clang warns of constants there that only a concept asks for.
namespace states {

struct Own {
  static constexpr std::string_view name = "own";
  static constexpr bool is_learned = true;
  static constexpr bool is_scanned = false;
};
struct Nameless {
  static constexpr bool is_learned = true;
  static constexpr bool is_scanned = false;
};
struct SaysNotWhetherLearned {
  static constexpr std::string_view name = "half";
  static constexpr bool is_scanned = false;
};
struct SaysNotWhetherScanned {
  static constexpr std::string_view name = "half";
  static constexpr bool is_learned = false;
};

}  // namespace states

TEST_CASE("An initial state has a name, and says whether it is learned or scanned",
          "[nn][initial_state]") {
  STATIC_REQUIRE(InitialState<ZeroState>);
  STATIC_REQUIRE(InitialState<LearnedState>);
  STATIC_REQUIRE(InitialState<PaddedScanState>);
  STATIC_REQUIRE(InitialState<states::Own>);
  STATIC_REQUIRE_FALSE(InitialState<states::Nameless>);
  STATIC_REQUIRE_FALSE(InitialState<states::SaysNotWhetherLearned>);
  STATIC_REQUIRE_FALSE(InitialState<states::SaysNotWhetherScanned>);
}

TEST_CASE("A learned state is one value a unit, zero at first; the others are nothing",
          "[nn][initial_state]") {
  const Parameter<double> learned = detail::initial_parameter<LearnedState, double>(5);
  CHECK(learned.shape() == Shape<4>{1, 1, 1, 5});
  for (const double v : learned.value()) CHECK(v == 0);
  CHECK(detail::initial_parameter<states::Own, float>(3).size() == 3);
  CHECK(detail::initial_parameter<ZeroState, double>(5).size() == 0);
  CHECK(detail::initial_parameter<PaddedScanState, double>(5).size() == 0);
}
