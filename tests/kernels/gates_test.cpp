// SPDX-License-Identifier: MIT
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include <pixelrnn/core/random.hpp>
#include <pixelrnn/kernels/gates.hpp>

#include "support/catch.hpp"
#include "support/ulp.hpp"

using namespace pixelrnn;
using kernels::gate_count, kernels::gate_g, kernels::gate_o;

namespace {

constexpr Index lanes = simd::lanes<float>;

/// What rounding may do, in ulp. Of 12 million random cells the worst have 5.3 for o, f and i, and
/// for g 6.9, or 7.8 where multiply-adds are not fused.
constexpr double logistic_bound = 6, tanh_bound = 8;

/// The gates of one cell from their pre-activations, o, f, i, g.
using Cell = std::array<float, gate_count>;

/// What gates.hpp makes of cells, `lanes` of them side by side; cells.size() must be a multiple.
std::vector<Cell> gates_of(const std::vector<Cell>& cells) {
  const auto lines = static_cast<Index>(cells.size()) / lanes;
  std::vector<float> z(cells.size() * gate_count);
  const auto at = [&](std::size_t cell, Index gate) -> float& {
    const auto i = static_cast<Index>(cell);
    return z[static_cast<std::size_t>((i / lanes * gate_count + gate) * lanes + i % lanes)];
  };
  for (std::size_t cell = 0; cell < cells.size(); ++cell) {
    for (Index gate = 0; gate < gate_count; ++gate) {
      at(cell, gate) = cells[cell][static_cast<std::size_t>(gate)];
    }
  }
  kernels::detail::prepare_gates(lines, z.data());
  for (Index line = 0; line < lines; ++line) {
    float* const to = z.data() + line * gate_count * lanes;
    const auto gates = kernels::detail::gates_of(static_cast<const float*>(to));
    simd::store(to + kernels::gate_o * lanes, gates.o);
    simd::store(to + kernels::gate_f * lanes, gates.f);
    simd::store(to + kernels::gate_i * lanes, gates.i);
    simd::store(to + kernels::gate_g * lanes, gates.g);
  }
  std::vector<Cell> found(cells.size());
  for (std::size_t cell = 0; cell < cells.size(); ++cell) {
    for (Index gate = 0; gate < gate_count; ++gate) {
      found[cell][static_cast<std::size_t>(gate)] = at(cell, gate);
    }
  }
  return found;
}

double exact(Index gate, float z) {
  const auto wide = static_cast<double>(z);
  return gate == gate_g ? std::tanh(wide) : 1 / (1 + std::exp(-wide));
}

/// The largest errors of gates: in ulp, and of logistics below -27 in all. Where tanh is flat it
/// may be 2.7e-7 from 1 before it is rounded.
struct Worst {
  double ulps = 0, below = 0;
};
Worst worst_of(const std::vector<Cell>& z, const std::vector<Cell>& found, bool of_tanh) {
  Worst worst;
  const auto note = [](double& error, double now) {
    if (!(now <= error)) error = std::isnan(now) ? std::numeric_limits<double>::infinity() : now;
  };
  for (std::size_t cell = 0; cell < z.size(); ++cell) {
    for (Index gate = gate_o; gate < gate_count; ++gate) {
      if ((gate == gate_g) != of_tanh) continue;
      const float at = z[cell][static_cast<std::size_t>(gate)];
      const float got = found[cell][static_cast<std::size_t>(gate)];
      const double truth = exact(gate, at), error = std::abs(static_cast<double>(got) - truth);
      if (of_tanh && std::abs(at) > 7.9f) {
        note(worst.ulps, (error - 2.7e-7) * 0x1p24);
      } else if (!of_tanh && at < -27) {
        note(worst.below, error);
      } else {
        note(worst.ulps, test::ulps(got, truth));
      }
    }
  }
  return worst;
}

/// Cells whose gates are independent: each magnitude of float from 2^-100 on, everywhere between
/// -30 and 30, and far beyond, with others that make the common denominator small and large.
std::vector<Cell> sweep() {
  std::vector<Cell> cells;
  Rng rng(1);
  const auto anywhere = [&rng] {
    constexpr std::array<double, 5> bounds{30, 10, 3, 1, 1e-3};
    const double most = bounds[static_cast<std::size_t>(rng.below(bounds.size()))];
    return static_cast<float>(rng.uniform(-most, most));
  };
  for (int i = 0; i < 400000; ++i) {
    cells.push_back({anywhere(), anywhere(), anywhere(), anywhere()});
  }
  const std::vector<float> ends{-3e38f, -100, -27, -7.9f, 0, 7.9f, 27, 100, 3e38f};
  for (float z = 0x1p-100f; z < 200; z *= 1.01f) {
    for (const float end : ends) {
      for (const float value : {z, -z}) {
        for (std::size_t gate = 0; gate < gate_count; ++gate) {
          Cell cell{end, end, end, end};
          cell[gate] = value;
          if (cell[gate_g] != 0) cells.push_back(cell);
        }
      }
    }
  }
  while (cells.size() % static_cast<std::size_t>(lanes) != 0) cells.push_back({1, 1, 1, 1});
  return cells;
}

}  // namespace

TEST_CASE("Gates in float keep to 6 ulp, that of tanh to 8, and to 2e-12 of 0 where they are flat",
          "[kernels][gates]") {
  const std::vector<Cell> z = sweep();
  std::vector<Cell> found = gates_of(z);
  const Worst logistic = worst_of(z, found, false), tanh = worst_of(z, found, true);
  CAPTURE(logistic.ulps, logistic.below, tanh.ulps);
  CHECK(logistic.ulps <= logistic_bound);
  CHECK(logistic.below <= 2e-12);
  CHECK(tanh.ulps <= tanh_bound);

  // The control: a few ulp more are found, and so is one gate of all that is not a number.
  for (Cell& cell : found) cell[0] += 4 * (std::nextafter(cell[0], 2.0f) - cell[0]);
  CHECK(worst_of(z, found, false).ulps > logistic_bound);
  CHECK(worst_of(z, found, true).ulps == tanh.ulps);
  found[7][gate_g] = std::numeric_limits<float>::quiet_NaN();
  CHECK(worst_of(z, found, true).ulps > tanh_bound);
}

TEST_CASE("Gates of a line do not depend on those beside them", "[kernels][gates]") {
  std::vector<Cell> z;
  for (Index lane = 0; lane < lanes; ++lane) z.push_back({3e38f, -3e38f, 1, 2});
  z[1] = {0.5f, -0.25f, 2, -1};
  const Cell beside = gates_of(z)[1];
  CHECK(gates_of(std::vector<Cell>(static_cast<std::size_t>(lanes), z[1]))[0] == beside);
}
