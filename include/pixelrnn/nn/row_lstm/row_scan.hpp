// SPDX-License-Identifier: MIT
// RowScan: the recurrence of Row LSTM, row by row.
#pragma once

#include <optional>

#include <pixelrnn/kernels/backend.hpp>
#include <pixelrnn/nn/condition.hpp>
#include <pixelrnn/nn/layer.hpp>
#include <pixelrnn/nn/lstm_parameters.hpp>
#include <pixelrnn/taps/pieces.hpp>
#include <pixelrnn/taps/tap_products.hpp>
#include <pixelrnn/taps/taps.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

struct RowConfig {
  Index in_channels = 1;
  Index hidden = 1;
  Index kernel = 3;
  Index colours = 1;
  Index condition_channels = 0;  ///< of what images are told (Tape::set_condition); 0: nothing
};

/// The weights of a Row LSTM and what they compute on the rows of a map (van den Oord et al. 2016,
/// sec. 3.1, eq. 3): of RowLSTM's equation
///   z[r] = b + K_t t[r] + K_ss ⊛ h[r-1] + K_is ⊛ x[r],    [o, f, i, g] = σ(z[r])
/// in this order, t being what images are told, if anything (ConditionWeights).
///
/// A row is one matrix product that ends in the cells: K_ss above K_is, and for every pixel the
/// taps of h and of x side by side. Those of h are known before the row begins: a walk may have
/// them for all of its pixels at once and go on from there, in the same order, so to the same bits.
/// With k = 3, many channels and an even number of pixels neighbours share products instead
/// (taps/winograd.hpp): those of x for some rows at once, those of h a row at a time, and the last
/// one of each pixel ends in its cells.
///
/// Cost: 8·hidden·((k+1)/2·C + k·hidden) FLOP a pixel; by pairs, taps of h cost two thirds and
/// those of x three quarters, with colours all of it. Saves 5·hidden values a pixel. Throws
/// ConfigError unless sizes are positive and k odd.
template <InitialState State, class B>
class RowScan {
 public:
  using Scalar = typename B::Scalar;
  using Kernels = typename B::Kernels;
  using Terms = std::span<const kernels::Term<Scalar>>;

  RowScan(RowConfig config, Rng& rng)
      : config_(checked(config)),
        reach_(config.kernel / 2),
        input_taps_(allowed_taps({MaskB{}, 1, config.kernel, 1, config.colours})),
        state_taps_{{0, 0, config.kernel, 0, -reach_}},
        taps_to_input_(mirrored(input_taps_)),
        taps_to_state_(mirrored(state_taps_)),
        parameters_(config_, config.kernel, 1, config.kernel, rng),
        condition_("RowLSTM", config.condition_channels, config.hidden, kernels::gate_count,
                   config.colours) {
    condition_.draw(rng);
  }

  [[nodiscard]] const RowConfig& config() const { return config_; }
  /// Columns on either side that K_ss reads, and on the left K_is.
  [[nodiscard]] Index reach() const { return reach_; }
  [[nodiscard]] Index gates() const { return kernels::gate_count * config_.hidden; }
  [[nodiscard]] Index flops(Index height, Index width) const {
    Index input = 0, state = 0;
    for (Index d = -reach_; d <= reach_; ++d) {
      const Index columns = std::max<Index>(0, width - std::abs(d));
      if (d <= 0) input += height * columns;
      state += (height - 1) * columns;
    }
    return 2 * gates() * (input * config_.in_channels + state * config_.hidden);
  }
  void for_each_parameter(auto&& visit) {
    parameters_.for_each_parameter(visit);
    condition_.for_each_parameter(visit);
  }
  void apply_mask() { parameters_.apply_mask(); }
  [[nodiscard]] const Parameter<Scalar>& bias() const { return parameters_.bias; }
  [[nodiscard]] const detail::ConditionWeights<B>& condition() const { return condition_; }

  /// h[-1] and c[-1] at every column of a row.
  void begin(Scalar* h, Scalar* c, Index width) const {
    fill_initial(parameters_.h0, h, width);
    fill_initial(parameters_.c0, c, width);
  }

  /// Packed weights of a step, K_ss above K_is, and the bias; split: K_is alone, and K_ss.
  struct Weights {
    kernels::Packed<const Scalar> step{}, state{};
    kernels::Rows<const Scalar> bias{};
  };
  [[nodiscard]] Weights pack(Workspace& workspace, bool split) const {
    return pack(workspace, split, 0, config_.hidden);
  }
  /// Of units [first, first + count).
  [[nodiscard]] Weights pack(Workspace& workspace, bool split, Index first, Index count) const {
    const auto allocate = [&](Index rows) {
      return kernels::allocate_packed<Kernels, Scalar>(workspace, rows, count, kernels::gate_count);
    };
    const auto part = [&](FeatureView<const Scalar> weights) {
      return units_of(weights, kernels::gate_count, first, count, workspace);
    };
    const Index above = split ? 0 : state_length();
    const auto step = allocate(above + input_length());
    const auto state = split ? allocate(state_length()) : step;
    pack_run<Kernels>(state, 0, part(parameters_.state_weights.value()), state_taps_[0]);
    pack_run<Kernels>(step, above, part(parameters_.masked_input_weights(workspace)),
                      input_taps_[0]);
    return {as_const(step), as_const(state), parameters_.pack_bias(workspace, first, count)};
  }
  /// `rows` cells: h and x from the first column that they read of either. If `start` holds what h
  /// gives, h is null.
  void step(Index rows, kernels::Rows<const Scalar> h, kernels::Rows<const Scalar> x,
            const kernels::Packed<const Scalar>& weights, kernels::Rows<const Scalar> start,
            const kernels::LstmStep<Scalar>& cells) const {
    const std::array<kernels::Term<Scalar>, 2> terms{
        kernels::Term<Scalar>{h.data, h.stride, state_length()},
        kernels::Term<Scalar>{x.data, x.stride, input_length()}};
    Kernels::lstm_step(rows, Terms(terms).subspan(h ? 0 : 1), weights, start, cells);
  }
  /// sums = start + K_ss ⊛ h for so many pixels of a row.
  void sum_states(Index pixels, const Scalar* h, const kernels::Packed<const Scalar>& weights,
                  kernels::Rows<const Scalar> start, kernels::Rows<Scalar> sums) const {
    const kernels::Term<Scalar> term{h, config_.hidden, state_length()};
    Kernels::affine(pixels, Terms(&term, 1), weights, start, kernels::Rows<const Scalar>{}, sums);
  }
  /// Whether a walk of so many images takes a step in two.
  [[nodiscard]] bool is_split(Index images) const {
    return detail::row_ahead_pays<Scalar>(images, parameters_.state_weights.size());
  }

  /// Sizes and strides of one image's maps.
  struct Layout {
    Layout(const RowScan& scan, const Shape<4>& x)
        : gates_line((x.w() + 2 * scan.reach_) * scan.gates()),
          gates_size(x.h() * gates_line),
          cells_line(x.w() * scan.config_.hidden),
          cells_size((x.h() + 1) * cells_line),
          state_line((x.w() + 2 * scan.reach_) * scan.config_.hidden),
          state_size((x.h() + 1) * state_line),
          input_padding{0, 0, scan.reach_, 0},
          input_size(x.h() * (x.w() + scan.reach_) * x.c()) {}
    Index gates_line, gates_size;  ///< (H, W + 2·reach, 4·hidden), zero at the sides
    Index cells_line, cells_size;  ///< (H + 1, W, hidden), from row -1
    Index state_line, state_size;  ///< (H + 1, W + 2·reach, hidden), from row -1, zero at the sides
    Padding input_padding;
    Index input_size;
  };
  /// Gates and cell states of so many images.
  struct Maps {
    Scalar* gates;
    Scalar* cells;
  };
  [[nodiscard]] Maps allocate_maps(Workspace& workspace, const Shape<4>& x, Index images) const {
    const Layout at(*this, x);
    return {workspace.template allocate<Scalar>(images * at.gates_size),
            workspace.template allocate<Scalar>(images * at.cells_size)};
  }

  /// y (N, H, W, hidden) of all images. `maps` are for all of them if `keep`, else for as many
  /// workers as B::Execution has for N images. Parallel over images; over units where there is but
  /// one image and a row is work enough.
  void forward(Tape<Scalar>& tape, const Shape<4>& s, const Scalar* x, const Maps& maps, bool keep,
               Scalar* y) const {
    Workspace& scratch = tape.scratch();
    const Layout at(*this, s);
    const bool pairs = in_pairs(s.w()) && !tape.walk_bits();
    const auto weights = tape.template prepare<Prepared>(
        pairs ? static_cast<const void*>(&parameters_.state_weights) : &parameters_.bias,
        [&](Workspace& room) { return prepare(room, pairs); });
    const auto starts = condition_.starts(tape, s, weights.weights.bias);
    const Index workers = B::Execution::workers(tape.threads(), s.n());
    const Chunks shares = shares_of_row(s, workers == 1 ? tape.threads() : 1);
    std::optional<PairRooms> rooms;
    if (pairs) rooms.emplace(*this, scratch, std::max(workers, shares.size()), s.w(), weights);
    Scalar* const frames = scratch.template allocate<Scalar>(workers * at.input_size);
    Scalar* const states = scratch.template allocate_zero<Scalar>(workers * at.state_size);
    const Pieces pieces(s);

    B::Execution::for_each(tape.threads(), s.n(), [&](Index image, Index worker) {
      const Index slot = keep ? image : worker;
      Scalar* const state = states + worker * at.state_size + reach_ * config_.hidden;
      Scalar* const c = maps.cells + slot * at.cells_size;
      Scalar* const gate_rows = maps.gates + slot * at.gates_size;
      Row row{
          .input = padded_frame<Kernels>(x + image * s.h() * s.w() * s.c(), s.c(), pieces, 0, s.h(),
                                         at.input_padding, false, frames + worker * at.input_size),
          .before = {state, s.h(), s.w(), at.state_line, config_.hidden}};
      begin(state, c, s.w());
      for (Index r = 0; r < s.h(); ++r) {
        const Index side = reach_ * gates();
        std::fill_n(gate_rows + r * at.gates_line, side, Scalar{0});
        std::fill_n(gate_rows + (r + 1) * at.gates_line - side, side, Scalar{0});
        row.r = r;
        row.c_prev = c + r * at.cells_line, row.c = row.c_prev + at.cells_line;
        row.h = state + (r + 1) * at.state_line, row.gates = gate_rows + r * at.gates_line + side;
        B::Execution::for_each(tape.threads(), shares.size(), [&](Index share, Index) {
          const Index first = kernels::gate_grain * shares.first(share);
          const Index last = std::min(config_.hidden, kernels::gate_grain * shares.last(share));
          if (pairs) {
            compute_pairs(row, first, last, *rooms, worker + share,  // one of the two is 0
                          starts.rows(image, r * s.w()));
          } else {
            step(s.w(), {row.before.at(r, 0, -reach_), config_.hidden},
                 {row.input.at(r, 0, -reach_), s.c()}, weights.weights.step.part(first, last),
                 starts.rows(image, r * s.w()), row.cells(0, 1));
          }
        });
        std::copy_n(row.h, at.cells_line, y + (image * s.h() + r) * at.cells_line);
      }
    });
  }
  /// Adds to the gradients of the parameters and of x; `maps` as forward kept them.
  void backward(pixelrnn::Backward<Scalar>& ctx, const Maps& maps) const;

 private:
  using Products = detail::TapProducts<B>;

  static RowConfig checked(const RowConfig& c) {
    if (c.in_channels < 1 || c.hidden < 1 || c.kernel < 1 || c.kernel % 2 == 0 || c.colours < 1) {
      detail::fail<ConfigError>("RowLSTM: Config is {in_channels=", c.in_channels,
                                ", hidden=", c.hidden, ", kernel=", c.kernel,
                                ", colours=", c.colours,
                                "}, expected an odd kernel and 1 or more of the others");
    }
    return c;
  }

  /// Whether rows of this width are computed by pairs of pixels.
  [[nodiscard]] bool in_pairs(Index width) const {
    if constexpr (detail::can_pair<B>) {
      return config_.kernel == 3 && width % 2 == 0 &&
             Kernels::pairs_pay(config_.in_channels, gates()) &&
             Kernels::pairs_pay(config_.hidden, gates());
    }
    return false;
  }
  /// Values that a cell reads of h, and of x.
  [[nodiscard]] Index state_length() const { return config_.kernel * config_.hidden; }
  [[nodiscard]] Index input_length() const { return (reach_ + 1) * config_.in_channels; }
  /// What is made of the weights: those of a step, or by pairs the products of x and of h.
  struct Prepared {
    Weights weights;
    typename Products::Weights input{}, state{};
  };
  [[nodiscard]] Prepared prepare(Workspace& workspace, bool pairs) const {
    if (!pairs) return {.weights = pack(workspace, false)};
    const auto products = [&](const std::vector<TapRun>& taps, FeatureView<const Scalar> weights) {
      return Products::prepare(workspace, taps, weights, false, detail::pairs_save(taps),
                               kernels::gate_count);
    };
    return {.weights = {.bias = parameters_.pack_bias(workspace)},
            .input = products(input_taps_, parameters_.masked_input_weights(workspace)),
            .state = products(state_taps_, parameters_.state_weights.value())};
  }

  /// One row of an image.
  struct Row {
    Frame<Scalar> input;   ///< x
    Frame<Scalar> before;  ///< h of the row before at each line
    Index r = 0;
    Scalar *c_prev = nullptr, *c = nullptr, *h = nullptr, *gates = nullptr;

    /// The cells of every `every`th column from j on.
    [[nodiscard]] kernels::LstmStep<Scalar> cells(Index j, Index every) const {
      const Index hidden = before.channels;
      const auto rows = [=](Scalar* values, Index count) {
        return kernels::Rows<Scalar>{values + j * count, every * count};
      };
      return {.c_prev = rows(c_prev, hidden),
              .c = rows(c, hidden),
              .h = rows(h, hidden),
              .gates = rows(gates, kernels::gate_count * hidden)};
    }
  };
  /// For rows by pairs of pixels: what x gives to some rows at once, in each room.
  struct PairRooms {
    PairRooms(const RowScan& scan, Workspace& workspace, Index rooms, Index width,
              const Prepared& weights)
        : input(workspace, rooms, width, scan.input_taps_, weights.input),
          state(workspace, rooms, width, scan.state_taps_, weights.state),
          rows(input.lines(width)),
          columns(kernels::gate_row<Kernels, Scalar>(scan.config_.hidden)),
          size(rows * width * columns),
          sums(workspace.template allocate<Scalar>(rooms * size)) {}
    Products input, state;
    Index rows, columns, size;
    Scalar* sums;
  };
  /// Units [first, last) of the cells of a row, whose sums begin with `start`.
  void compute_pairs(const Row& row, Index first, Index last, const PairRooms& rooms, Index room,
                     kernels::Rows<const Scalar> start) const {
    if constexpr (detail::can_pair<B>) {
      Scalar* const sums = rooms.sums + room * rooms.size;
      const Index line = row.r % rooms.rows;
      if (line == 0) {
        rooms.input.part(first, last)(room, row.input, row.r,
                                      std::min(rooms.rows, row.input.lines - row.r), start, nullptr,
                                      sums);
      }
      rooms.state.part(first, last)
          .add_pairs(
              room, row.before, row.r, 1, nullptr, sums + line * row.input.pixels * rooms.columns,
              [&](detail::PairSum sum, Index pairs, Terms terms,
                  const kernels::Packed<const Scalar>& weights, kernels::Rows<const Scalar> begin) {
                Kernels::lstm_step(pairs, terms, weights, begin,
                                   row.cells(sum == detail::PairSum::odd ? 1 : 0, 2));
              });
    }
  }

  /// The units of a row's cells, in as many shares of whole grains as there are threads, if it is
  /// work enough for them: each thread then reads its own part of the weights.
  [[nodiscard]] Chunks shares_of_row(const Shape<4>& x, int threads) const {
    const Index row = flops(2, x.w()) - flops(1, x.w());
    const Index grains = (config_.hidden + kernels::gate_grain - 1) / kernels::gate_grain;
    return {grains, B::Execution::workers(threads, row / worth_a_thread)};
  }
  void fill_initial(const Parameter<Scalar>& initial, Scalar* row, Index width) const {
    for (Index j = 0; j < width; ++j, row += config_.hidden) {
      if constexpr (State::is_learned) {
        std::copy_n(initial.value().data(), config_.hidden, row);
      } else {
        std::fill_n(row, config_.hidden, Scalar{0});
      }
    }
  }

  RowConfig config_;
  Index reach_;
  std::vector<TapRun> input_taps_;                     ///< mask B: columns j - reach .. j
  std::vector<TapRun> state_taps_;                     ///< columns j - reach .. j + reach
  std::vector<TapRun> taps_to_input_, taps_to_state_;  ///< of the way back
  detail::LstmParameters<State, B> parameters_;
  detail::ConditionWeights<B> condition_;
};

}  // namespace pixelrnn::inline PIXELRNN_ABI
