// SPDX-License-Identifier: MIT
// DiagonalScan: the incremental walk, row by row.
#pragma once

#include <pixelrnn/nn/diagonal_lstm/diagonal_scan.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

template <ScanSide Side, InitialState State, class B>
auto DiagonalScan<Side, State, B>::make_cache(Walk walk) const -> Cache {
  const Index hidden = config_.hidden, in = config_.in_channels;
  Cache cache;
  cache.h = FeatureMap<Scalar>({2, walk.width + 1, walk.batch, hidden});
  cache.c = FeatureMap<Scalar>({1, walk.width + 1, walk.batch, hidden});
  if (Side::is_mirrored) cache.inputs = FeatureMap<Scalar>({1, walk.width, walk.batch, in});
  cache.gates = FeatureMap<Scalar>({1, 1, walk.batch, gates()});
  cache.height = walk.height;
  cache.team = walk.team;
  const Index values = gates() * (Side::is_mirrored ? hidden + in : hidden);
  cache.is_split = detail::row_ahead_pays<Scalar>(walk.batch, values);
  const Index groups = colour_groups<Kernels, Scalar>(config_.colours, hidden, kernels::gate_count);
  for (Index g = 0; g < groups; ++g) {
    const ColourGroup colour{g, groups};
    Group group{colour.first(hidden), colour.count(hidden)};
    const auto packed = [&](Index first, Index last) {
      return pack(cache.memory, first, last, group.first, group.count);
    };
    if (cache.is_split) {
      group.sums = FeatureMap<Scalar>(
          {1, walk.width, walk.batch, kernels::gate_row<Kernels, Scalar>(group.count)});
      group.ahead = packed(0, known_ahead);
      group.weights = packed(known_ahead, term_count);
    } else {
      group.weights = packed(0, term_count);
    }
    group.start = {condition_, walk, group.weights.bias, group.first, group.count, cache.memory};
    cache.groups.push_back(std::move(group));
  }
  Workspace passing;
  cache.edges =
      prepare_edges(cache.memory, walk.height, State::is_scanned ? pack(passing) : Weights{});
  begin_row(cache, 0);
  return cache;
}

template <ScanSide Side, InitialState State, class B>
void DiagonalScan<Side, State, B>::step(Cache& cache, Index row, Index column,
                                        const MatrixView<const Scalar>& x,
                                        const MatrixView<Scalar>& y, kernels::Store store,
                                        const ColourGroup& colour) const {
  const Index width = cache.h.shape()[1] - 1;
  const Scalar* h;
  if constexpr (Side::is_mirrored) {
    Scalar* const to = &cache.inputs(0, width - 1 - column, 0, 0);
    for (Index b = 0; b < x.rows; ++b) std::copy_n(x.row(b), x.columns, to + b * x.columns);
    h = &cache.h((row + 1) % 2, width - column, 0, 0);  // the row before, scanned already
  } else {
    walk_cell(cache, row, column, {x.data, x.stride}, colour);
    h = &cache.h(row % 2, column + 1, 0, 0);
  }
  const Index first = colour.first(config_.hidden);
  Kernels::move_rows(x.rows, colour.count(config_.hidden),
                     kernels::Rows<const Scalar>{h + first, config_.hidden},
                     kernels::Rows<Scalar>{y.data + first, y.stride}, store);
}

template <ScanSide Side, InitialState State, class B>
void DiagonalScan<Side, State, B>::end_row(Cache& cache, Index row) const {
  if (row + 1 >= cache.height) return;  // FromRight, what this row would give goes nowhere
  if constexpr (Side::is_mirrored) {
    if (cache.is_split) sum_ahead(cache, row);
    for (Index j = 0; j < cache.inputs.shape()[1]; ++j) {
      walk_cell(cache, row, j, {&cache.inputs(0, j, 0, 0), config_.in_channels});
    }
  }
  begin_row(cache, row + 1);
}

/// States at column -1 and, FromLeft, what the row above gives.
template <ScanSide Side, InitialState State, class B>
void DiagonalScan<Side, State, B>::begin_row(Cache& cache, Index row) const {
  for (Index b = 0; b < cache.h.shape()[2]; ++b) {
    std::copy_n(cache.edges.h[row], config_.hidden, &cache.h(row % 2, 0, b, 0));
    std::copy_n(cache.edges.c[row], config_.hidden, &cache.c(0, 0, b, 0));
  }
  if (!Side::is_mirrored && cache.is_split) sum_ahead(cache, row);
}

/// The sums of the terms known ahead, for all cells of a row.
template <ScanSide Side, InitialState State, class B>
void DiagonalScan<Side, State, B>::sum_ahead(Cache& cache, Index row) const {
  auto terms = terms_of({&cache.h((row + 1) % 2, 1, 0, 0), config_.hidden},
                        {cache.inputs.data(), config_.in_channels}, {});
  for (Group& group : cache.groups) {
    terms[1].length = config_.in_channels - group.ahead.unread;
    const Index width = group.sums.shape()[1], cells = width * group.sums.shape()[2];
    const kernels::Rows<Scalar> sums{group.sums.data(), group.sums.shape().c()};
    kernels::Rows<const Scalar> start = group.ahead.bias;
    if (group.start.exists()) {
      start = sums;
      for (Index j = 0; j < width; ++j) {
        group.start.copy(row, column_of(j, width), {&group.sums(0, j, 0, 0), sums.stride});
      }
    }
    share_units(cache.team, cells, group.ahead.packed,
                [&](const kernels::Packed<const Scalar>& part) {
                  Kernels::affine(cells, Terms(terms).first(known_ahead), part, start,
                                  kernels::Rows<const Scalar>{}, sums);
                });
  }
}

/// The same cell of every image; j counts from the scan's side.
template <ScanSide Side, InitialState State, class B>
void DiagonalScan<Side, State, B>::walk_cell(Cache& cache, Index row, Index j,
                                             kernels::Rows<const Scalar> x,
                                             const ColourGroup& colour) const {
  const Index hidden = config_.hidden, batch = cache.h.shape()[2];
  const Index now = row % 2, before = 1 - now;
  auto all = terms_of({&cache.h(before, j + 1, 0, 0), hidden}, x, {&cache.h(now, j, 0, 0), hidden});
  detail::for_each_asked(cache.groups, colour, [&](const Group& group) {
    all[1].length = config_.in_channels - group.weights.unread;
    Terms terms(all);
    kernels::Rows<const Scalar> start;
    if (cache.is_split) {
      terms = terms.subspan(known_ahead);
      start = {&group.sums(0, j, 0, 0), group.sums.shape().c()};
    } else {
      start = group.start.at(row, column_of(j, cache.h.shape()[1] - 1));
    }
    const kernels::LstmStep<Scalar> states{
        .c_prev = {&cache.c(0, j, 0, group.first), hidden},
        .c = {&cache.c(0, j + 1, 0, group.first), hidden},
        .h = {&cache.h(now, j + 1, 0, group.first), hidden},
        .gates = {cache.gates.data(), kernels::gate_count * group.count}};
    share_units(cache.team, batch, group.weights.packed,
                [&](const kernels::Packed<const Scalar>& part) {
                  Kernels::lstm_step(batch, terms, part, start, states);
                });
  });
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
