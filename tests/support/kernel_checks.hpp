// SPDX-License-Identifier: MIT
// A kernel policy against Reference, in every function and at every size.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <limits>
#include <vector>

#include <pixelrnn/kernels/reference.hpp>

#include "support/catch.hpp"
#include "support/kernel_cases.hpp"

namespace pixelrnn::test {

/// What rounding may do to a sum of some twenty numbers below 1, or to an LSTM cell fed with it.
template <class T>
inline constexpr double kernel_rounding = std::same_as<T, float> ? 5e-6 : 1e-14;

template <class K, class T>
void check_affine_is_reference() {
  using kernels::Reference;
  for (const Index rows : row_counts) {
    for (const Index columns : column_counts) {
      const Operands<T> whole(rows, columns, Numbers::whole), real(rows, columns, Numbers::real);
      // Sums that go on where they lie, whole and in parts.
      for (const bool parts : {false, true}) {
        CAPTURE(rows, columns, parts);
        CHECK(difference(affine<K>(rows, real, Start::itself, Addend::none, 0, parts),
                         affine<Reference>(rows, real, Start::rows, Addend::none),
                         kernel_rounding<T>, kernel_rounding<T>) == "");
      }
      for (const Start start : {Start::none, Start::bias, Start::rows}) {
        for (const Addend addend : {Addend::none, Addend::itself, Addend::other}) {
          CAPTURE(rows, columns, static_cast<int>(start), static_cast<int>(addend));
          CHECK(difference(affine<K>(rows, whole, start, addend),
                           affine<Reference>(rows, whole, start, addend), 0) == "");
          CHECK(difference(affine<K>(rows, real, start, addend),
                           affine<Reference>(rows, real, start, addend), kernel_rounding<T>,
                           kernel_rounding<T>) == "");
          if (columns % kernels::gate_count != 0) continue;
          // Other weights and sums in memory, the same map.
          CHECK(difference(affine<K>(rows, real, start, addend, 0, false, kernels::gate_count),
                           affine<Reference>(rows, real, start, addend), kernel_rounding<T>,
                           kernel_rounding<T>) == "");
        }
      }
    }
  }
}

template <class K, class T>
void check_lstm_step_is_reference() {
  using kernels::Reference;
  for (const Index rows : row_counts) {
    for (const Index hidden : column_counts) {
      const Operands<T> operands(rows, 4 * hidden, Numbers::real);
      for (const Start start : {Start::none, Start::bias, Start::rows}) {
        CAPTURE(rows, hidden, static_cast<int>(start));
        CHECK(difference(lstm_step<K>(rows, hidden, operands, start),
                         lstm_step<Reference>(rows, hidden, operands, start),
                         kernel_rounding<T>) == "");
      }
    }
  }
}

template <class K, class T>
void check_lstm_step_backward_is_reference() {
  using kernels::Reference;
  for (const Index rows : row_counts) {
    for (const Index hidden : column_counts) {
      for (const bool in_place : {true, false}) {
        CAPTURE(rows, hidden, in_place);
        CHECK(difference(lstm_step_backward<K, T>(rows, hidden, in_place),
                         lstm_step_backward<Reference, T>(rows, hidden, in_place),
                         kernel_rounding<T>) == "");
      }
    }
  }
}

template <class K, class T>
void check_outer_products_are_reference(Index blocks, Index rows, Index m, Index n,
                                        double rounding = kernel_rounding<T>) {
  using kernels::Reference;
  CAPTURE(blocks, rows, m, n);
  CHECK(difference(add_outer_products<K, T>(blocks, rows, m, n, Numbers::whole),
                   add_outer_products<Reference, T>(blocks, rows, m, n, Numbers::whole), 0) == "");
  CHECK(difference(add_outer_products<K, T>(blocks, rows, m, n, Numbers::real),
                   add_outer_products<Reference, T>(blocks, rows, m, n, Numbers::real),
                   2 * rounding, rounding) == "");
}

template <class K, class T>
void check_reductions_are_reference() {
  using kernels::Reference;
  for (const Index rows : row_counts) {
    for (const Index n : column_counts) {
      CAPTURE(rows, n);
      CHECK(difference(add_column_sums<K, T>(rows, n, Numbers::whole),
                       add_column_sums<Reference, T>(rows, n, Numbers::whole), 0) == "");
      CHECK(difference(add_column_sums<K, T>(rows, n, Numbers::real),
                       add_column_sums<Reference, T>(rows, n, Numbers::real), kernel_rounding<T>,
                       kernel_rounding<T>) == "");
      for (const Index m : {Index{1}, Index{3}, Index{16}, Index{17}, Index{33}, Index{70}}) {
        for (const Index blocks : {Index{0}, Index{1}, Index{3}, Index{20}}) {
          if (blocks > 3 && (rows > 7 || n > 20)) continue;
          check_outer_products_are_reference<K, T>(blocks, rows, m, n);
        }
      }
    }
  }
  // More rows than a part of them, more columns than a block of them; sums of thirty times as many.
  for (const Index m : {Index{300}, Index{512}, Index{1027}}) {
    for (const Index n : {Index{16}, Index{37}, Index{130}}) {
      for (const Index rows : {Index{5}, Index{300}}) {
        check_outer_products_are_reference<K, T>(2, rows, m, n,
                                                 (rows == 5 ? 1 : 6) * kernel_rounding<T>);
      }
    }
  }
}

template <class K, class T>
void check_pointwise_is_reference() {
  for (Index count = 0; count <= 70; ++count) {
    CAPTURE(count);
    CHECK(difference(pointwise<K, T>(count), pointwise<kernels::Reference, T>(count), 0) == "");
    for (const Index rows : {Index{0}, Index{1}, Index{5}}) {
      CHECK(difference(move_rows<K, T>(rows, count), move_rows<kernels::Reference, T>(rows, count),
                       0) == "");
    }
  }
}

/// relu keeps NaN, and passes no gradient there, as Reference.
template <class K, class T>
void check_relu_keeps_nan() {
  const T nan = std::numeric_limits<T>::quiet_NaN();
  for (Index count = 1; count <= 35; ++count) {
    std::vector<T> x(static_cast<std::size_t>(count), T{1}), y(x), dx(x);
    const std::vector<T> dy(x.size(), T{2});
    x.back() = nan;
    K::relu(count, x.data(), y.data());
    K::relu_backward(count, x.data(), dy.data(), dx.data(), kernels::Store::Overwrite);
    CHECK(std::isnan(y.back()));
    CHECK(std::count_if(y.begin(), y.end(), [](T v) { return std::isnan(v); }) == 1);
    CHECK(dx.back() == 0);
  }
}

/// A NaN in one row of an affine map or an LSTM step stays in that row.
template <class K, class T>
void check_nan_stays_in_its_row() {
  constexpr Index rows = 13, columns = 20;
  for (Index bad = 0; bad < rows; ++bad) {
    Operands<T> operands(rows, columns, Numbers::real);
    operands.back(bad, 2) = std::numeric_limits<T>::quiet_NaN();
    const auto bad_rows = [](const std::vector<T>& values, Index width, Index first_row) {
      std::vector<Index> found;
      for (Index r = 0; r < rows; ++r) {
        const auto row = values.begin() + (first_row + r) * width;
        if (std::any_of(row, row + width, [](T v) { return std::isnan(v); })) found.push_back(r);
      }
      return found;
    };
    CHECK(bad_rows(affine<K>(rows, operands, Start::bias, Addend::none).values, columns, 0) ==
          std::vector<Index>{bad});
    const std::vector<T> step = lstm_step<K>(rows, columns / 4, operands, Start::rows).values;
    CHECK(bad_rows(step, columns / 4, 0) == std::vector<Index>{bad});     // c
    CHECK(bad_rows(step, columns / 4, rows) == std::vector<Index>{bad});  // h
  }
}

/// A row's bits are the same in a call of its own, among four others, and among all.
template <class K, class T>
void check_rows_do_not_depend_on_each_other() {
  using kernels::Store;
  for (const Index rows : row_counts) {
    for (const Index columns : column_counts) {
      const Operands<T> operands(rows, columns, Numbers::real);
      const Operands<T> gate_operands(rows, 4 * columns, Numbers::real);
      const auto all = affine<K>(rows, operands, Start::bias, Addend::itself);
      const auto step = lstm_step<K>(rows, columns, gate_operands, Start::rows);
      const auto back = lstm_step_backward<K, T>(rows, columns, true);
      for (const Index at_a_time : {Index{1}, Index{5}}) {
        CAPTURE(rows, columns, at_a_time);
        CHECK(bit_difference(affine<K>(rows, operands, Start::bias, Addend::itself, at_a_time),
                             all) == "");
        CHECK(bit_difference(lstm_step<K>(rows, columns, gate_operands, Start::rows, at_a_time),
                             step) == "");
        CHECK(bit_difference(lstm_step_backward<K, T>(rows, columns, true, at_a_time), back) == "");
      }
    }
  }
}

/// Rows [first, first + count) of the weights, packed by themselves.
template <class K, class T>
kernels::Packed<const T> pack_some(const Operands<T>& operands, Index first, Index count,
                                   Index groups, std::vector<T>& memory) {
  const Index columns = operands.columns, units = columns / groups;
  memory.resize(static_cast<std::size_t>(K::template packed_size<T>(count, units, groups)));
  const kernels::Packed<T> packed{memory.data(), count, units, groups};
  K::pack(
      packed, 0,
      kernels::Strided<T>{operands.weights.data() + first * columns, count, columns, columns, 1});
  return kernels::as_const(packed);
}

/// What affine() makes of the first terms, as the start of an affine map or an LSTM step with the
/// others, ends in the bits of one call with all of them.
template <class K, class T>
void check_sums_may_go_on() {
  using Terms = std::span<const kernels::Term<T>>;
  for (const Index rows : row_counts) {
    for (const Index units : column_counts) {
      for (const Index groups : {Index{1}, Index{kernels::gate_count}}) {
        const Operands<T> operands(rows, groups * units, Numbers::real);
        const std::vector<kernels::Term<T>> terms = operands.terms();
        Index above = 0;
        for (std::size_t first = 1; first < terms.size(); ++first) {
          above += terms[first - 1].length;
          std::vector<T> memory, rest_memory;
          const auto weights = pack_some<K>(operands, 0, above, groups, memory);
          const auto rest =
              pack_some<K>(operands, above, Operands<T>::length - above, groups, rest_memory);
          StartRows<K, T> bias(rows, operands, groups, Start::bias);
          Sums<K, T> sums(rows, operands.columns, groups, Order::backwards);
          K::affine(rows, Terms(terms).first(first), weights, bias.rows(), kernels::Rows<const T>{},
                    sums.rows());
          CAPTURE(rows, units, groups, first);
          Source<T> old(Numbers::whole, 9), states(Numbers::real, 8);  // as in affine, lstm_step
          Sums<K, T> out(rows, operands.columns, groups);
          for (Index r = 0; r < rows; ++r) {
            for (Index c = 0; c < operands.columns; ++c) out(r, c) = old();
          }
          K::affine(rows, Terms(terms).subspan(first), rest, kernels::Rows<const T>(sums.rows()),
                    kernels::Rows<const T>(out.rows()), out.rows());
          CHECK(bit_difference(Result<T>{out.values(), sums.is_intact() && out.is_intact()},
                               affine<K>(rows, operands, Start::bias, Addend::itself, 0, false,
                                         groups)) == "");
          if (groups == 1) continue;
          const GuardedMatrix<T> c_prev(rows, units, states, Order::backwards);
          GuardedMatrix<T> c(rows, units), h(rows, units), gates(rows, operands.columns);
          K::lstm_step(
              rows, Terms(terms).subspan(first), rest, kernels::Rows<const T>(sums.rows()),
              kernels::LstmStep<T>{
                  .c_prev = c_prev.rows(), .c = c.rows(), .h = h.rows(), .gates = gates.rows()});
          Result<T> step{c.values(), gates.is_intact()};
          for (const std::vector<T>& more : {h.values(), gates.values()}) {
            step.values.insert(step.values.end(), more.begin(), more.end());
          }
          CHECK(bit_difference(step, lstm_step<K>(rows, units, operands, Start::bias)) == "");
        }
      }
    }
  }
}

/// A part of the weights writes the results of its own units, and no others.
template <class K, class T>
void check_a_part_leaves_the_rest() {
  constexpr Index rows = 5, columns = 130, guard = -12345;
  const Operands<T> operands(rows, columns, Numbers::real);
  const Operands<T> gate_operands(rows, 4 * columns, Numbers::real);
  const PackedWeights<K, T> weights(operands, 1);
  const PackedWeights<K, T> gate_weights(gate_operands, kernels::gate_count);
  const GuardedMatrix<T> c_prev(rows, columns, Order::forwards);
  GuardedMatrix<T> out(rows, columns), c(rows, columns), h(rows, columns), z(rows, 4 * columns);
  // Whether exactly units [first, last) of each group have been written.
  const auto holds = [&](const GuardedMatrix<T>& m, Index groups, Index first, Index last) {
    for (Index r = 0; r < rows; ++r) {
      for (Index n = 0; n < groups * columns; ++n) {
        const bool is_written = n % columns >= first && n % columns < last;
        if ((m(r, n) != T{guard}) != is_written) return false;
      }
    }
    return true;
  };
  const auto terms = operands.terms(), gate_terms = gate_operands.terms();
  StartRows<K, T> bias(rows, operands, 1, Start::bias);
  StartRows<K, T> gate_bias(rows, gate_operands, kernels::gate_count, Start::bias);
  K::affine(rows, std::span<const kernels::Term<T>>(terms),
            kernels::as_const(weights.packed).part(64, 128), bias.rows(), kernels::Rows<const T>{},
            out.rows());
  CHECK(holds(out, 1, 64, 128));
  K::lstm_step(rows, std::span<const kernels::Term<T>>(gate_terms),
               kernels::as_const(gate_weights.packed).part(16, 48), gate_bias.rows(),
               kernels::LstmStep<T>{
                   .c_prev = c_prev.rows(), .c = c.rows(), .h = h.rows(), .gates = z.rows()});
  CHECK(holds(c, 1, 16, 48));
  CHECK(holds(h, 1, 16, 48));
  CHECK(holds(z, 4, 16, 48));
}

/// Parts of the weights, one after the other, make the whole: to the bit, or to rounding for a
/// policy whose order of sums depends on the size of a product.
template <class K, class T>
void check_parts_are_the_whole(double rounding = 0) {
  for (const Index rows : {Index{1}, Index{5}, Index{13}}) {
    for (const Index columns : column_counts) {
      const Operands<T> operands(rows, columns, Numbers::real);
      const Operands<T> gate_operands(rows, 4 * columns, Numbers::real);
      for (const Addend addend : {Addend::none, Addend::itself, Addend::other}) {
        CAPTURE(rows, columns, static_cast<int>(addend));
        CHECK(difference(affine<K>(rows, operands, Start::bias, addend, 0, true),
                         affine<K>(rows, operands, Start::bias, addend), rounding, rounding) == "");
        CHECK(
            difference(
                affine<K>(rows, gate_operands, Start::bias, addend, 0, true, kernels::gate_count),
                affine<K>(rows, gate_operands, Start::bias, addend, 0, false, kernels::gate_count),
                rounding, rounding) == "");
      }
      CHECK(difference(lstm_step<K>(rows, columns, gate_operands, Start::rows, 0, true),
                       lstm_step<K>(rows, columns, gate_operands, Start::rows), rounding) == "");
    }
  }
}

}  // namespace pixelrnn::test
