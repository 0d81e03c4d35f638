// SPDX-License-Identifier: MIT
#include <set>
#include <vector>

#include <pixelrnn/nn/diagonal_lstm/diagonal_geometry.hpp>

#include "support/catch.hpp"

using namespace pixelrnn;

namespace {

const std::vector<Shape<2>> maps{{1, 1}, {1, 6}, {6, 1}, {2, 2}, {3, 5}, {5, 3},
                                 {4, 4}, {0, 6}, {6, 0}, {0, 0}, {7, 12}};

}  // namespace

TEST_CASE("Diagonals hold every cell once, top to bottom", "[nn][diagonal_geometry]") {
  for (const Shape<2>& map : maps) {
    const DiagonalGeometry g{map[0], map[1]};
    std::set<std::pair<Index, Index>> seen;
    Index cells = 0, longest = 0;
    CAPTURE(map);
    for (Index d = 0; d < g.diagonals(); ++d) {
      CHECK(g.cells_before(d) == cells);
      longest = std::max(longest, g.rows(d));
      for (Index r = g.first_row(d); r < g.last_row(d); ++r, ++cells) {
        CHECK((r >= 0 && r < g.height && d - r >= 0 && d - r < g.width));
        seen.insert({r, d - r});
      }
    }
    CHECK(g.cells_before(g.diagonals()) == cells);
    CHECK(cells == g.height * g.width);
    CHECK(std::ssize(seen) == cells);
    CHECK(g.longest() == longest);
  }
}

TEST_CASE("States and gates have places of their own, with one to spare at the ends of a diagonal",
          "[nn][diagonal_geometry]") {
  for (const Shape<2>& map : maps) {
    for (const bool keep : {true, false}) {
      const DiagonalGeometry g{map[0], map[1], keep};
      std::set<Index> states;
      CAPTURE(map, keep);
      for (Index d = -1; d < g.diagonals(); ++d) {
        if (!keep) states.clear();  // only the diagonal before it must still be there
        for (const Index which : {d - 1, d}) {
          if (which < -1 || (keep && which < d)) continue;
          for (Index r = g.first_row(which) - 1; r <= g.last_row(which); ++r) {
            const Index place = g.state(which, r);
            CHECK((place >= 0 && place < g.states()));
            CHECK(states.insert(place).second);
          }
        }
      }
      std::set<Index> gates;
      for (Index d = 0; d < g.diagonals(); ++d) {
        if (!keep) gates.clear();
        for (Index r = g.first_row(d); r < g.last_row(d); ++r) {
          const Index place = g.gate(d, r);
          CHECK((place >= 0 && place < g.gates()));
          CHECK(gates.insert(place).second);
        }
      }
      // Backward finds zeros before the first row of each diagonal and after its last.
      for (Index d = 0; keep && d < g.diagonals(); ++d) {
        CHECK_FALSE(gates.contains(g.gate(d, g.first_row(d) - 1)));
        CHECK_FALSE(gates.contains(g.gate(d, g.last_row(d))));
        CHECK(g.gate(d, g.first_row(d) - 1) >= 0);
        CHECK(g.gate(d, g.last_row(d)) < g.gates());
      }
    }
  }
}

TEST_CASE("A step along a diagonal is a row down and a column back, from either side",
          "[nn][diagonal_geometry]") {
  const DiagonalGeometry g{4, 6};
  CHECK(g.pixel<FromLeft>(2, 1) == 2 * 6 + 1);
  CHECK(g.pixel<FromRight>(2, 1) == 2 * 6 + 4);
  for (Index r = 0; r + 1 < g.height; ++r) {
    for (Index j = 1; j < g.width; ++j) {
      CHECK(g.pixel<FromLeft>(r + 1, j - 1) - g.pixel<FromLeft>(r, j) == g.pixel_step<FromLeft>());
      CHECK(g.pixel<FromRight>(r + 1, j - 1) - g.pixel<FromRight>(r, j) ==
            g.pixel_step<FromRight>());
    }
  }
}
