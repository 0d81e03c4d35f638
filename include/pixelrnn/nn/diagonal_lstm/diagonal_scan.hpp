// SPDX-License-Identifier: MIT
// DiagonalScan: one direction of the Diagonal BiLSTM, diagonal by diagonal.
#pragma once

#include <pixelrnn/kernels/backend.hpp>
#include <pixelrnn/nn/condition.hpp>
#include <pixelrnn/nn/diagonal_lstm/diagonal_geometry.hpp>
#include <pixelrnn/nn/layer.hpp>
#include <pixelrnn/nn/lstm_parameters.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

struct DiagonalConfig {
  Index in_channels = 1;
  Index hidden = 1;
  Index colours = 1;
  Index condition_channels = 0;  ///< of what images are told (Tape::set_condition); 0: nothing
  bool padding_bias = false;     ///< the steps of PaddedScanState have a bias of their own
};

/// One direction of the Diagonal BiLSTM (van den Oord et al. 2016, sec. 3.2). Cell (r, j), columns
/// counted from the side the scan starts on:
///   z(r, j) = x(r, j)·K_is + h(r-1, j)·K_ss[0] + h(r, j-1)·K_ss[1] + b
///   [o, f, i, g] = σ(z)     c(r, j) = f ⊙ c(r, j-1) + i ⊙ g     h(r, j) = o ⊙ tanh(c(r, j))
/// c comes from the left only: that is what the column-wise 2×1 convolution on the skewed map
/// means. h(-1, j) = 0; h and c at column -1 by the initial-state policy. With a condition z begins
/// with b + K_t t(r, j), t being what images are told (ConditionWeights); the steps of
/// PaddedScanState begin with b, or with the padding_bias of code that adds the bias of the input
/// before it skews the map.
///   K_is [1][1][C][4·hidden] mask B    K_ss [2][1][hidden][4·hidden], above then left, no mask
///
/// The cells of a diagonal r + j = d need only the diagonal before it, so each diagonal of an image
/// is one matrix product, which reads x where it lies: from one cell to the next a row down and a
/// column back. A walk, which goes row by row, may have what the row above gives to a row for all
/// of its cells at once; FromRight, which begins once a row is complete, what x gives too. The
/// paper skews the map to make diagonals columns; here the states are stored by diagonals
/// (DiagonalGeometry), so nothing of the skewed map's padding (nearly half of it) is stored or
/// computed. skew() and unskew() in skew.hpp are the paper's formulation, which the tests hold this
/// one to.
///
/// This class works on one image, for the layers in diagonal_lstm.hpp. Output row r is scan row r
/// for FromLeft and scan row r-1 for FromRight, whose first row is zero ("the right output map is
/// then shifted down by one row"): so either direction is causal by itself. The last row of
/// FromRight would go nowhere and is left out.
/// Cost: 8·hidden·(C + 2·hidden) FLOP a pixel. Saves 6·hidden values a pixel.
template <ScanSide Side, InitialState State, class B>
class DiagonalScan {
 public:
  using Scalar = typename B::Scalar;
  using Kernels = typename B::Kernels;
  using Terms = std::span<const kernels::Term<Scalar>>;
  static constexpr Index row_shift = Side::is_mirrored ? 1 : 0;
  static constexpr std::string_view state_name = State::name;

  DiagonalScan(const DiagonalConfig& config, Rng& rng)
      : config_(checked(config)),
        parameters_(config_, 1, 2, 1, rng),
        padding_bias_(config.padding_bias
                          ? Parameter<Scalar>({1, 1, 1, kernels::gate_count * config.hidden})
                          : Parameter<Scalar>()),
        condition_("DiagonalLSTM", config.condition_channels, config.hidden, kernels::gate_count,
                   config.colours) {
    condition_.draw(rng);
  }

  [[nodiscard]] const DiagonalConfig& config() const { return config_; }
  [[nodiscard]] Index flops(Index height, Index width) const {
    const Index rows = scanned_rows(height);
    const Index input = rows * width, above = std::max<Index>(0, rows - 1) * width,
                left = rows * (width - 1);
    return 2 * gates() * (input * config_.in_channels + (above + left) * config_.hidden);
  }
  void for_each_parameter(auto&& visit) {
    parameters_.for_each_parameter(visit);
    if (config_.padding_bias) visit("padding_bias", padding_bias_);
    condition_.for_each_parameter(visit);
  }
  void apply_mask() { parameters_.apply_mask(); }
  /// Any parameter, to tell a tape that this operation is trained.
  [[nodiscard]] const Parameter<Scalar>& bias() const { return parameters_.bias; }
  [[nodiscard]] const detail::ConditionWeights<B>& condition() const { return condition_; }

  /// The cells of a map that are computed.
  [[nodiscard]] static DiagonalGeometry geometry(const Shape<4>& x, bool keep) {
    return {scanned_rows(x.h()), x.w(), keep};
  }

  /// Packed weights and the states at column -1, made once a pass over the batch; those of each row
  /// if State is scanned.
  static constexpr bool prepares_rows = State::is_scanned;
  struct Edges {
    kernels::Rows<const Scalar> h, c;  ///< one row an image row, or one for all
    Scalar* gates = nullptr;           ///< (H, 4·hidden), PaddedScanState only
  };
  /// Packed weights of a cell's terms or of some of them, and the bias.
  struct Weights {
    kernels::Packed<const Scalar> packed;
    kernels::Rows<const Scalar> bias;
    Index unread = 0;  ///< inputs at the end of x that these units do not see
  };
  struct Prepared {
    Weights weights;
    Edges edges;
  };
  [[nodiscard]] Prepared prepare(Workspace& workspace, Index height) const {
    const Weights weights = pack(workspace);
    return {weights, prepare_edges(workspace, height, weights)};
  }

  /// States, cells and gates of an image's cells by diagonals (DiagonalGeometry).
  struct Maps {
    Scalar* states;
    Scalar* cells;
    Scalar* gates;
  };
  /// For so many images, and those of one of them.
  [[nodiscard]] Maps allocate_maps(Workspace& workspace, const DiagonalGeometry& g,
                                   Index images) const {
    const Index size = images * g.states() * config_.hidden;
    return {workspace.template allocate<Scalar>(size), workspace.template allocate<Scalar>(size),
            workspace.template allocate<Scalar>(images * g.gates() * gates())};
  }
  [[nodiscard]] Maps maps_of(const Maps& all, const DiagonalGeometry& g, Index image) const {
    return {all.states + image * g.states() * config_.hidden,
            all.cells + image * g.states() * config_.hidden,
            all.gates + image * g.gates() * gates()};
  }

  /// Scans an image x (H, W, C) whose sums begin with `starts`, and stores the outputs, or adds
  /// them, to y (H, W, hidden).
  void forward(const DiagonalGeometry& g, const Prepared& p, const Scalar* x,
               const detail::Starts<Scalar>& starts, const Maps& maps, Scalar* y,
               kernels::Store store) const {
    const Index hidden = config_.hidden;
    const auto state = [&](Index d, Index r) { return maps.states + g.state(d, r) * hidden; };
    const auto cell = [&](Index d, Index r) { return maps.cells + g.state(d, r) * hidden; };
    const auto begin_edges = [&](Index d) {  // what lies above and left of diagonal d + 1
      if (g.first_row(d) == 0) std::fill_n(state(d, -1), hidden, Scalar{0});
      const Index r = d + 1;
      if (r < g.height && r == g.last_row(d)) {
        std::copy_n(p.edges.h[r], hidden, state(d, r));
        std::copy_n(p.edges.c[r], hidden, cell(d, r));
      }
    };
    if (store == kernels::Store::Overwrite) {
      std::fill_n(y, row_shift * g.width * hidden, Scalar{0});
    }
    begin_edges(-1);
    for (Index d = 0; d < g.diagonals(); ++d) {
      const Index r = g.first_row(d), rows = g.rows(d);
      step(rows, {state(d - 1, r - 1), hidden}, pixels(g, d, 0, config_.in_channels, x),
           {state(d - 1, r), hidden}, p.weights.packed, pixels(g, d, 0, starts.pixel, starts.data),
           kernels::LstmStep<Scalar>{.c_prev = {cell(d - 1, r), hidden},
                                     .c = {cell(d, r), hidden},
                                     .h = {state(d, r), hidden},
                                     .gates = {maps.gates + g.gate(d, r) * gates(), gates()}});
      begin_edges(d);
      Kernels::move_rows(rows, hidden, kernels::Rows<const Scalar>{state(d, r), hidden},
                         pixels(g, d, row_shift, hidden, y), store);
    }
  }

  /// Weights for the way back, and its scratch.
  struct PreparedBackward {
    kernels::Packed<const Scalar> to_input;  ///< K_isᵀ
    kernels::Packed<const Scalar> to_state;  ///< K_ss[0]ᵀ above K_ss[1]ᵀ
    const Scalar* zero;                      ///< 4·hidden zeros
  };
  [[nodiscard]] PreparedBackward prepare_backward(Workspace& workspace) const;
  /// What a worker needs in backward.
  struct BackwardRoom {
    Scalar* values;
    kernels::RowPairs<Scalar>* pairs;
  };
  [[nodiscard]] Index backward_values(const DiagonalGeometry& g) const {
    return (g.longest() + g.height) * config_.hidden;
  }
  /// Gradients of one direction in one stretch of memory: K_is, K_ss, b, then for each row that is
  /// scanned those of the pre-activations next to column -1 (4·hidden) and of c at column -1.
  struct GradientLayout {
    Index state_weights, bias, edge_z, edge_c, size;
  };
  [[nodiscard]] GradientLayout gradient_layout(Index height) const {
    GradientLayout at{};
    at.state_weights = parameters_.input_weights.size();
    at.bias = at.state_weights + parameters_.state_weights.size();
    at.edge_z = at.bias + gates();
    at.edge_c = at.edge_z + height * gates();
    at.size = at.edge_c + height * config_.hidden;
    return at;
  }
  void backward(const DiagonalGeometry& g, const PreparedBackward& p, const Scalar* x,
                const Maps& maps, const Scalar* dy, Scalar* dx, kernels::Store store,
                const BackwardRoom& room, Scalar* gradient) const;
  /// Adds to the gradients of a condition and of its weights, once all images are done.
  void condition_gradient(pixelrnn::Backward<Scalar>& ctx, const Shape<4>& x,
                          const Maps& maps) const;
  /// Adds the summed gradients of all images to the parameters.
  void finish(pixelrnn::Backward<Scalar>& ctx, const DiagonalGeometry& g, const Edges& edges,
              const PreparedBackward& p, Scalar* gradient) const;

  /// The incremental walk (diagonal_scan_walk.hpp): h of this row and the one before, c of this
  /// row; FromRight also keeps the row's inputs, since it runs from the far end once the row is
  /// complete. And, if the walk is split, the sums of the terms that are known then for all cells.
  struct Group {
    Index first, count;          ///< units
    Weights ahead{}, weights{};  ///< of the terms known ahead, and of the others
    FeatureMap<Scalar> sums{};   ///< (1, W, batch, a row of sums)
    typename detail::ConditionWeights<B>::Walking start{};
  };
  struct Cache {
    FeatureMap<Scalar> h;       ///< (2, W + 1, batch, hidden) by row parity, column -1 first
    FeatureMap<Scalar> c;       ///< (1, W + 1, batch, hidden)
    FeatureMap<Scalar> inputs;  ///< (1, W, batch, C) from the scan's side, FromRight only
    FeatureMap<Scalar> gates;   ///< (1, 1, batch, 4·hidden)
    Workspace memory;
    std::vector<Group> groups;  ///< see colour_groups
    Edges edges;
    bool is_split;
    Index height;
    Team* team;
  };
  [[nodiscard]] Cache make_cache(Walk walk) const;
  void step(Cache& cache, Index row, Index column, const MatrixView<const Scalar>& x,
            const MatrixView<Scalar>& y, kernels::Store store, const ColourGroup& colour) const;
  void end_row(Cache& cache, Index row) const;

 private:
  static DiagonalConfig checked(const DiagonalConfig& c) {
    if (c.in_channels < 1 || c.hidden < 1 || c.colours < 1) {
      detail::fail<ConfigError>("DiagonalLSTM: Config is {in_channels=", c.in_channels,
                                ", hidden=", c.hidden, ", colours=", c.colours,
                                "}, expected 1 or more of each");
    }
    if (c.padding_bias && !State::is_scanned) {
      detail::fail<ConfigError>("DiagonalLSTM: Config::padding_bias is true, but the state is ",
                                State::name, ", expected PaddedScanState, which has such a bias");
    }
    return c;
  }
  [[nodiscard]] Index gates() const { return kernels::gate_count * config_.hidden; }
  [[nodiscard]] static constexpr Index scanned_rows(Index height) {
    return std::max<Index>(0, height - row_shift);
  }

  /// Of the cells of diagonal d, or `shift` rows below them: their pixels in a map.
  template <class T>
  [[nodiscard]] static kernels::Rows<T> pixels(const DiagonalGeometry& g, Index d, Index shift,
                                               Index channels, T* map) {
    const Index r = g.first_row(d);
    return {map + g.pixel<Side>(r + shift, d - r) * channels, g.pixel_step<Side>() * channels};
  }
  /// The column of a map that cell j of a row is in.
  [[nodiscard]] static constexpr Index column_of(Index j, Index width) {
    return Side::is_mirrored ? width - 1 - j : j;
  }

  /// Terms of a cell, in the order of its sums: h above, x, h left. And the first of them, which a
  /// row of a walk can have ahead.
  static constexpr Index term_count = 3, known_ahead = Side::is_mirrored ? 2 : 1;

  /// K_ss[0] above K_is above K_ss[1], or of these [first, last).
  [[nodiscard]] Weights pack(Workspace& workspace, Index first = 0, Index last = term_count) const {
    return pack(workspace, first, last, 0, config_.hidden);
  }
  /// Of `count` units from `unit` on.
  [[nodiscard]] Weights pack(Workspace& workspace, Index first, Index last, Index unit,
                             Index count) const {
    const Index in = config_.in_channels, hidden = config_.hidden;
    const Index columns = kernels::gate_count * count;
    const auto part = [&](FeatureView<const Scalar> weights) {
      return units_of(weights, kernels::gate_count, unit, count, workspace).data();
    };
    const Scalar* const state = part(parameters_.state_weights.value());
    const Scalar* const input = part(parameters_.masked_input_weights(workspace));
    const Index unread = count < hidden
                             ? unread_inputs(FeatureView<const Scalar>(input, {1, 1, in, columns}),
                                             TapRun{0, 0, 1, 0, 0})
                             : 0;
    const auto matrix = [columns](const Scalar* from, Index rows) {
      return kernels::Strided<Scalar>{from, rows, columns, columns, 1};
    };
    const std::array<kernels::Strided<Scalar>, term_count> matrices{
        matrix(state, hidden), matrix(input, in - unread),
        matrix(state + hidden * columns, hidden)};
    const auto chosen = std::span(matrices).subspan(static_cast<std::size_t>(first),
                                                    static_cast<std::size_t>(last - first));
    Index rows = 0;
    for (const auto& m : chosen) rows += m.rows;
    const auto packed =
        kernels::allocate_packed<Kernels, Scalar>(workspace, rows, count, kernels::gate_count);
    rows = 0;
    for (const auto& m : chosen) Kernels::pack(packed, rows, m), rows += m.rows;
    return {as_const(packed), parameters_.pack_bias(workspace, unit, count), unread};
  }
  [[nodiscard]] Edges prepare_edges(Workspace& workspace, Index height,
                                    const Weights& weights) const {
    const Index hidden = config_.hidden;
    if constexpr (State::is_learned) {
      return {{parameters_.h0.value().data(), 0}, {parameters_.c0.value().data(), 0}};
    } else if constexpr (State::is_scanned) {
      Scalar* const h = workspace.template allocate_zero<Scalar>(height * hidden);
      Scalar* const c = workspace.template allocate_zero<Scalar>(height * hidden);
      const Scalar* const x = workspace.template allocate_zero<Scalar>(config_.in_channels);
      Scalar* const z = workspace.template allocate_zero<Scalar>(height * gates());
      const kernels::Rows<const Scalar> bias =
          config_.padding_bias ? kernels::pack_gate_bias<Kernels>(
                                     workspace, padding_bias_.value().data(), config_.hidden)
                               : weights.bias;
      for (Index r = 1; r < height; ++r) {
        // In the skewed map the padding left of row r: above and left of it is the same state.
        const Scalar* const before = h + (r - 1) * hidden;
        step(1, {before, 0}, {x, 0}, {before, 0}, weights.packed, bias,
             kernels::LstmStep<Scalar>{.c_prev = {c + (r - 1) * hidden, 0},
                                       .c = {c + r * hidden, 0},
                                       .h = {h + r * hidden, 0},
                                       .gates = {z + r * gates(), 0}});
      }
      return {{h, hidden}, {c, hidden}, z};
    } else {
      const Scalar* const zero = workspace.template allocate_zero<Scalar>(hidden);
      return {{zero, 0}, {zero, 0}};
    }
  }

  /// What a cell reads, in the order of its sums.
  [[nodiscard]] std::array<kernels::Term<Scalar>, term_count> terms_of(
      kernels::Rows<const Scalar> h_above, kernels::Rows<const Scalar> x,
      kernels::Rows<const Scalar> h_left) const {
    return {kernels::Term<Scalar>{h_above.data, h_above.stride, config_.hidden},
            kernels::Term<Scalar>{x.data, x.stride, config_.in_channels},
            kernels::Term<Scalar>{h_left.data, h_left.stride, config_.hidden}};
  }
  /// `rows` cells that do not depend on each other.
  void step(Index rows, kernels::Rows<const Scalar> h_above, kernels::Rows<const Scalar> x,
            kernels::Rows<const Scalar> h_left, const kernels::Packed<const Scalar>& weights,
            kernels::Rows<const Scalar> start, const kernels::LstmStep<Scalar>& states) const {
    const auto terms = terms_of(h_above, x, h_left);
    Kernels::lstm_step(rows, Terms(terms), weights, start, states);
  }
  void begin_row(Cache& cache, Index row) const;
  void sum_ahead(Cache& cache, Index row) const;
  void walk_cell(Cache& cache, Index row, Index j, kernels::Rows<const Scalar> x,
                 const ColourGroup& colour = {}) const;

  DiagonalConfig config_;
  detail::LstmParameters<State, B> parameters_;
  Parameter<Scalar> padding_bias_;
  detail::ConditionWeights<B> condition_;
};

}  // namespace pixelrnn::inline PIXELRNN_ABI
