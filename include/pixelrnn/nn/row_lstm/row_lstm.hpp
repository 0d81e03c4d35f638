// SPDX-License-Identifier: MIT
// Row LSTM: one row of the map is one step of an LSTM whose products are convolutions along the
// row.
#pragma once

#include <pixelrnn/nn/row_lstm/row_scan.hpp>
#include <pixelrnn/nn/row_lstm/row_scan_backward.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// Row LSTM (van den Oord et al. 2016, sec. 3.1, eq. 3). For rows r = 0 .. H-1:
///   [o, f, i, g] = σ(K_ss ⊛ h[r-1] + K_is ⊛ x[r] + b)     σ: logistic for o, f, i; tanh for g
///                              (and + K_t t[r], of what images are told: condition_channels)
///   c[r] = f ⊙ c[r-1] + i ⊙ g            h[r] = o ⊙ tanh(c[r])
///   x (N, H, W, C)    K_is [1][k][C][4·hidden]       mask B: row r is only partly past
///   h (N, H, W, hidden)    K_ss [1][k][hidden][4·hidden]   no mask: row r-1 is wholly past
/// h[-1], c[-1] by the initial-state policy, the same at every column; columns outside the map are
/// zero. Departs from eq. 3 by the bias b. How rows are computed: RowScan; as plain loops:
/// naive::row_lstm in tests/support/naive.hpp.
/// With k = 3 a cell sees columns j-1 .. j of row r, j-2 .. j+1 of row r-1, j-3 .. j+2 of r-2, ...
/// Cost: 8·hidden·((k+1)/2·C + k·hidden) FLOP a pixel; with k = 3, many channels and maps of even
/// width three tenths less (with colours, a seventh), by pairs of pixels (a walk has but one, and
/// its sums may differ from these by rounding: TapeOptions::walk_bits). Saves 5·hidden values a
/// pixel. Throws ConfigError unless sizes are positive and k odd; ShapeError if x has not C
/// channels.
template <InitialState State = LearnedState, class B = Backend<>>
requires(!State::is_scanned) class RowLSTM {
 public:
  using Scalar = typename B::Scalar;
  using Kernels = typename B::Kernels;
  using BackendPolicy = B;
  static constexpr bool separates_images = true;
  static constexpr std::string_view kind = "row_lstm";
  static constexpr std::string_view state_kind = State::name;
  using Config = RowConfig;

  RowLSTM(Config config, Rng& rng) : scan_(config, rng) {}

  [[nodiscard]] const Config& config() const { return scan_.config(); }
  [[nodiscard]] Shape<4> output_shape(Shape<4> x) const {
    detail::require_channels("RowLSTM", x, config().in_channels, "Config::in_channels");
    return x.with_channels(config().hidden);
  }
  [[nodiscard]] Index flops(Index height, Index width) const { return scan_.flops(height, width); }
  /// "RowLSTM<learned>(32->16, k 3)"
  [[nodiscard]] std::string describe() const {
    return "RowLSTM<" + std::string(State::name) + '>' +
           detail::describe_sizes(
               config().in_channels, config().hidden, config().colours,
               ", k " + std::to_string(config().kernel) + scan_.condition().describe());
  }
  void for_each_parameter(auto&& visit) { scan_.for_each_parameter(visit); }
  /// Zeroes what the mask forbids: for weights that come from elsewhere.
  void apply_mask() { scan_.apply_mask(); }

  [[nodiscard]] Variable<Scalar> forward(Variable<Scalar> x) const {
    Tape<Scalar>& tape = x.tape();
    const Shape<4> s = x.shape();
    const FeatureView<Scalar> y = tape.allocate(output_shape(s));
    const Scratch guard(tape.scratch());
    // What backward needs is kept for every image; without it a worker reuses its own.
    const bool keep = tape.records();
    const auto maps =
        scan_.allocate_maps(keep ? tape.workspace() : tape.scratch(), s,
                            keep ? s.n() : B::Execution::workers(tape.threads(), s.n()));
    scan_.forward(tape, s, x.value().data(), maps, keep, y.data());
    return scan_.condition().record("RowLSTM", y, {x, tape.leaf(scan_.bias())}, Op{&scan_, maps});
  }

  /// What a walk computes of one colour group of units, of all of them without colours.
  struct Group {
    Index first, count;
    typename RowScan<State, B>::Weights weights;
    typename detail::ConditionWeights<B>::Walking start;
    FeatureMap<Scalar> sums{};  ///< (1, batch, W + 2·reach, a row of sums), if split
  };
  /// The current input row, h and c of the last two rows and, if the walk is split, for all pixels
  /// of this row what the states of the one before give to them.
  struct Cache {
    FeatureMap<Scalar> inputs;  ///< (1, batch, W + reach, C)
    FeatureMap<Scalar> h;       ///< (2, batch, W + 2·reach, hidden), by row parity
    FeatureMap<Scalar> c;       ///< (2, batch, W, hidden)
    FeatureMap<Scalar> gates;   ///< (1, 1, batch, 4·hidden)
    Workspace memory;
    std::vector<Group> groups;
    bool is_split;
    detail::GuardedWalk walk;
  };
  [[nodiscard]] Known known(Known x) const { return x.scanned(config().colours); }
  [[nodiscard]] Cache make_cache(Walk walk) const {
    const Index hidden = config().hidden, reach = scan_.reach();
    Cache cache;
    cache.inputs = FeatureMap<Scalar>({1, walk.batch, walk.width + reach, config().in_channels});
    cache.h = FeatureMap<Scalar>({2, walk.batch, walk.width + 2 * reach, hidden});
    cache.c = FeatureMap<Scalar>({2, walk.batch, walk.width, hidden});
    cache.gates = FeatureMap<Scalar>({1, 1, walk.batch, scan_.gates()});
    cache.is_split = scan_.is_split(walk.batch);
    cache.walk = {walk};
    for (Index b = 0; b < walk.batch; ++b) {  // row -1 has odd parity
      scan_.begin(&cache.h(1, b, reach, 0), &cache.c(1, b, 0, 0), walk.width);
    }
    const Index groups =
        colour_groups<Kernels, Scalar>(config().colours, hidden, kernels::gate_count);
    for (Index g = 0; g < groups; ++g) {
      const ColourGroup colour{g, groups};
      const Index first = colour.first(hidden), count = colour.count(hidden);
      const auto weights = scan_.pack(cache.memory, cache.is_split, first, count);
      Group group{first,
                  count,
                  weights,
                  {scan_.condition(), walk, weights.bias, first, count, cache.memory}};
      if (cache.is_split) {
        group.sums = FeatureMap<Scalar>(
            {1, walk.batch, walk.width + 2 * reach, kernels::gate_row<Kernels, Scalar>(count)});
      }
      cache.groups.push_back(std::move(group));
    }
    if (cache.is_split) begin_row(cache, 0);
    return cache;
  }
  /// `colour`: of the units only this group is asked for; see ColourGroup.
  void step(Cache& cache, Index row, Index column, const MatrixView<const Scalar>& x,
            const MatrixView<Scalar>& y, const ColourGroup& colour = {}) const {
    const Index hidden = config().hidden, reach = scan_.reach(), now = row % 2, before = 1 - now;
    detail::require_input("RowLSTM", cache.walk, row, column, x, config().in_channels);
    detail::require_output("RowLSTM", cache.walk, y, hidden);
    const Index input_image = cache.inputs.shape()[2] * x.columns;
    const Index h_image = cache.h.shape()[2] * hidden, c_image = cache.c.shape()[2] * hidden;
    Scalar* const input = &cache.inputs(0, 0, column, 0);  // of column - reach
    for (Index b = 0; b < x.rows; ++b) {
      std::copy_n(x.row(b), x.columns, input + b * input_image + reach * x.columns);
    }
    detail::for_each_asked(cache.groups, colour, [&](const Group& group) {
      const kernels::LstmStep<Scalar> cells{
          .c_prev = {&cache.c(before, 0, column, group.first), c_image},
          .c = {&cache.c(now, 0, column, group.first), c_image},
          .h = {&cache.h(now, 0, column + reach, group.first), h_image},
          .gates = {cache.gates.data(), kernels::gate_count * group.count}};
      kernels::Rows<const Scalar> before_h{&cache.h(before, 0, column, 0), h_image};
      kernels::Rows<const Scalar> start;
      if (cache.is_split) {
        before_h = {};
        start = {&group.sums(0, 0, column, 0), group.sums.shape()[2] * group.sums.shape().c()};
      } else {
        start = group.start.at(row, column);
      }
      share_units(cache.walk.team, x.rows, group.weights.step,
                  [&](const kernels::Packed<const Scalar>& weights) {
                    scan_.step(x.rows, before_h, {input, input_image}, weights, start, cells);
                  });
    });
    const Index first = colour.first(hidden), count = colour.count(hidden);
    const Scalar* const h = &cache.h(now, 0, column + reach, first);
    for (Index b = 0; b < x.rows; ++b) std::copy_n(h + b * h_image, count, y.row(b) + first);
  }
  void end_row(Cache& cache, Index row) const {
    detail::require_row("RowLSTM", cache.walk, row);
    if (cache.is_split && row + 1 < cache.walk.height) begin_row(cache, row + 1);
  }

 private:
  using Scan = RowScan<State, B>;
  struct Op {
    const Scan* scan;
    typename Scan::Maps maps;
    void backward(pixelrnn::Backward<Scalar>& ctx) const { scan->backward(ctx, maps); }
  };

  /// What h of the row before gives to a row: to all pixels of all images, and to the padding
  /// between. With a condition image by image, whose sums do not begin with one row.
  void begin_row(Cache& cache, Index row) const {
    for (Group& group : cache.groups) {
      const Shape<4> sums = group.sums.shape();
      const auto sum = [&](Index first, Index pixels, kernels::Rows<const Scalar> start) {
        share_units(cache.walk.team, pixels, group.weights.state,
                    [&](const kernels::Packed<const Scalar>& weights) {
                      scan_.sum_states(
                          pixels, &cache.h((row + 1) % 2, 0, 0, 0) + first * config().hidden,
                          weights, start, {group.sums.data() + first * sums.c(), sums.c()});
                    });
      };
      if (!group.start.exists()) {
        sum(0, sums[1] * sums[2] - 2 * scan_.reach(), group.weights.bias);
        continue;
      }
      for (Index column = 0; column < cache.walk.width; ++column) {
        group.start.copy(row, column, {&group.sums(0, 0, column, 0), sums[2] * sums.c()});
      }
      for (Index b = 0; b < sums[1]; ++b) {
        sum(b * sums[2], cache.walk.width, {&group.sums(0, b, 0, 0), sums.c()});
      }
    }
  }

  Scan scan_;
};

static_assert(IncrementalLayer<RowLSTM<>> && IncrementalLayer<RowLSTM<ZeroState>>);

}  // namespace pixelrnn::inline PIXELRNN_ABI
