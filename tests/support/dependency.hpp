// SPDX-License-Identifier: MIT
// Which inputs matter to which outputs, found by changing inputs and comparing bits.
#pragma once

#include <array>
#include <cstdint>
#include <sstream>
#include <string>
#include <vector>

#include "support/compare.hpp"
#include "support/random.hpp"

namespace pixelrnn::test {

/// A sub-pixel of one image.
struct Cell {
  Index row = 0, column = 0, channel = 0;
};
inline std::ostream& operator<<(std::ostream& out, const Cell& cell) {
  return out << '(' << cell.row << ", " << cell.column << "; channel " << cell.channel << ')';
}

[[nodiscard]] inline Cell cell_of(Index i, const Shape<4>& s) {
  return {i / s.c() / s.w(), i / s.c() % s.w(), i % s.c()};
}

/// Whether `in` comes before `out` in raster order, or is the same pixel.
[[nodiscard]] inline bool is_before(const Cell& in, const Cell& out) {
  return in.row < out.row || (in.row == out.row && in.column < out.column);
}
[[nodiscard]] inline bool is_same_pixel(const Cell& in, const Cell& out) {
  return in.row == out.row && in.column == out.column;
}

/// What is wrong with the dependencies of a function; both empty if nothing is.
struct DependencyReport {
  std::string leak;   ///< an output that changes with an input it must not see
  std::string blind;  ///< an output that never changes with an input it must see
};

/// Compares what each output of f, a function of maps of one image, depends on with what it should:
/// sees(out, in) for cells of both. In two ways: each input is changed alone, and all inputs that
/// an output must not see are replaced together by 0, by 255 and by noise. Outputs must keep every
/// bit where they must not see, and change at least once where they must.
template <class T, class F, class Sees>
[[nodiscard]] DependencyReport check_dependencies(F&& f, const FeatureMap<T>& x, Sees&& sees) {
  DependencyReport report;
  const auto note = [](std::string& where, const auto&... parts) {
    if (!where.empty()) return;
    std::ostringstream text;
    (text << ... << parts);
    where = text.str();
  };
  const FeatureMap<T> y = f(x);
  const auto out_cell = [&y](Index i) { return cell_of(i, y.shape()); };
  const auto in_cell = [&x](Index i) { return cell_of(i, x.shape()); };

  for (Index i = 0; i < x.size(); ++i) {
    std::vector<bool> changes(static_cast<std::size_t>(y.size()));
    for (const double value : {0.0, 255.0, -1.25, 0.4}) {
      FeatureMap<T> changed(x);
      changed.data()[i] = static_cast<T>(value);
      const FeatureMap<T> other = f(changed);
      for (Index o = 0; o < y.size(); ++o) {
        if (same_bits(y.data()[o], other.data()[o])) continue;
        changes[static_cast<std::size_t>(o)] = true;
        if (!sees(out_cell(o), in_cell(i))) {
          note(report.leak, "output ", out_cell(o), " changes with input ", in_cell(i));
        }
      }
    }
    for (Index o = 0; o < y.size(); ++o) {
      if (sees(out_cell(o), in_cell(i)) && !changes[static_cast<std::size_t>(o)]) {
        note(report.blind, "output ", out_cell(o), " does not change with input ", in_cell(i));
      }
    }
  }

  const FeatureMap<T> noise = random_map<T>(x.shape(), 0xDEAD, -3, 3);
  for (Index o = 0; o < y.size(); ++o) {
    for (const double value : {0.0, 255.0, -1.0}) {
      FeatureMap<T> changed(x);
      for (Index i = 0; i < x.size(); ++i) {
        if (sees(out_cell(o), in_cell(i))) continue;
        changed.data()[i] = value < 0 ? noise.data()[i] : static_cast<T>(value);
      }
      if (!same_bits(f(changed).data()[o], y.data()[o])) {
        note(report.leak, "output ", out_cell(o), " changes when all it must not see does");
      }
    }
  }
  return report;
}

}  // namespace pixelrnn::test
