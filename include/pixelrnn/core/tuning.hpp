// SPDX-License-Identifier: MIT
// Tuning: the sizes from which something pays, on processors that we have measured.
#pragma once

#include <pixelrnn/core/shape.hpp>

/// None of them changes a result, but for reduction_chunks, the parts of a batch and the bounds of
/// pairs, on which the last bits of gradients and of passes depend. What was measured for each
/// stands in benchmarks/TUNING.md; what is not there is a guess.
namespace pixelrnn::inline PIXELRNN_ABI::tuning {

inline constexpr Index kB = 1024;

// ---- Threads ----

/// FLOP that pay for another thread: some ten times what its start costs.
inline constexpr Index worth_a_thread = 1'000'000;
/// Values of element-wise work below which a thread costs more than it saves.
inline constexpr Index values_a_thread = 1 << 14;
/// FLOP of a product that pay for sharing it in a team: a microsecond of one core's, twice what a
/// team needs to begin and end. And values of a copy: half of them come from another core's caches.
inline constexpr Index worth_sharing = 60'000, worth_sharing_values = 1024;
/// Threads of a team at most: more find too few units in a layer.
inline constexpr Index team_limit = 8;
/// FLOP of a pixel that can be shared with threads that have no images; and those that are better
/// shared even with threads that could have some, because the weights they need (two bytes each)
/// stay in no second-level cache. Unless there are so many images a thread that products take
/// longer than reading weights from memory that all share.
inline constexpr Index divisible = 1'000'000, indivisible_memory = 4'000'000, many_images = 16;
/// Parts into which reductions over a batch are cut, whatever the threads: gradients have the same
/// bits for all of them. More would feed more cores at the price of memory and a longer last sum.
inline constexpr Index reduction_chunks = 8;

// ---- How much goes through a net at a time ----

/// Images that go through a whole net together where nothing is recorded: their maps stay in the
/// second-level cache from layer to layer.
inline constexpr Index images_a_part = 4;
/// Weights of nets that train a few images at a time: what a reverse sweep keeps of more would
/// leave the caches. Larger nets would read their weights once more for each part.
inline constexpr Index small_net = 500'000;
/// Pixels of the images that such a net trains on at a time, one image at least. And parts whose
/// gradients wait for each other to be added up.
inline constexpr Index part_pixels = 800, summed_parts = 8;
/// Pixels of a frame, and rows of a condition: what a product has at a time, few enough to stay in
/// the first-level cache, enough to use a packed panel well.
inline constexpr Index frame_pixels = 96;
/// Pairs of rows that a weight gradient has at a time: some hundred kB of operands.
inline constexpr Index gradient_pairs = 256;
/// Images of a walk up to which the known terms of a row are summed ahead, whose weights then meet
/// a whole row at once; and images up to which that holds for weights of so many bytes. With more
/// images a product does not wait for weights.
inline constexpr Index row_ahead_images = 2, row_ahead_images_if_wide = 8,
                       row_ahead_bytes = 64 * kB;

// ---- Products ----

/// Rows whose sums wait in memory of their own before they are worked on: few enough for a
/// first-level cache. Products of so few are those of sampling.
inline constexpr Index stretch_rows = 48;
/// Values of rows that stay in a second-level cache beside a panel: 512 kB in float.
inline constexpr Index cached_values = 128 * 1024;
/// Strips that one tile goes through before its sums are put down.
inline constexpr Index max_strips = 16;
/// Bytes of weights that a tile goes through before its sums are put down: of the second-level
/// cache where that keeps up, else of the first.
inline constexpr Index second_level_part = 128 * kB, first_level_part = 32 * kB;
/// Bytes of weights from which on the next part is fetched ahead: for few rows, where reading takes
/// as long as multiplying, those of a net that stays in no second-level cache; for many, those that
/// stay in none by themselves. Weights in the second level pay for it.
inline constexpr Index fetch_bytes_few_rows = 128 * kB, fetch_bytes = 2048 * kB;
/// Columns of a, in an outer product, from which on rows of b are copied side by side: far apart,
/// they compete for the same few sets of the first-level cache. And bytes of columns from which on
/// that holds for rows of a.
inline constexpr Index copying_b_columns = 64, copying_a_bytes = 2 * kB;
/// Channels on each side, and their product, from which on pairs of pixels take less time.
inline constexpr Index pairs_channels = 32, pairs_weights = 64 * 64;

}  // namespace pixelrnn::inline PIXELRNN_ABI::tuning
