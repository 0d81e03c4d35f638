// SPDX-License-Identifier: MIT
// Row LSTM: one row of the map is one step of an LSTM whose products are convolutions along the
// row.
#pragma once

#include <pixelrnn/nn/backend.hpp>
#include <pixelrnn/nn/init.hpp>
#include <pixelrnn/nn/initial_state.hpp>
#include <pixelrnn/nn/layer.hpp>
#include <pixelrnn/nn/pieces.hpp>
#include <pixelrnn/nn/taps.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// Row LSTM (van den Oord et al. 2016, sec. 3.1, eq. 3). For rows r = 0 .. H-1:
///   [o, f, i, g] = σ(K_ss ⊛ h[r-1] + K_is ⊛ x[r] + b)     σ: logistic for o, f, i; tanh for g
///   c[r] = f ⊙ c[r-1] + i ⊙ g            h[r] = o ⊙ tanh(c[r])
///   x (N, H, W, C)    K_is [1][k][C][4·hidden]       mask B: row r is only partly past
///   h (N, H, W, hidden)    K_ss [1][k][hidden][4·hidden]   no mask: row r-1 is wholly past
/// h[-1], c[-1] by the initial-state policy, the same at every column; columns outside the map are
/// zero. Departs from eq. 3 by the bias b.
/// With k = 3 a cell sees columns j-1 .. j of row r, j-2 .. j+1 of row r-1, j-3 .. j+2 of r-2, ...
/// Cost: 8·hidden·((k+1)/2·C + k·hidden) FLOP a pixel. Saves 5·hidden values a pixel.
/// Throws ConfigError unless sizes are positive and k odd; ShapeError if x has not C channels.
template <InitialState State = LearnedState, class B = Backend<>>
requires(!State::is_scanned) class RowLSTM {
 public:
  using Scalar = typename B::Scalar;
  using Kernels = typename B::Kernels;
  using BackendPolicy = B;
  static constexpr bool separates_images = true;
  static constexpr std::string_view kind = "row_lstm";
  static constexpr std::string_view state_kind = State::name;
  struct Config {
    Index in_channels = 1;
    Index hidden = 1;
    Index kernel = 3;
    Index colours = 1;
  };

  RowLSTM(Config config, Rng& rng)
      : config_(checked(config)),
        reach_(config.kernel / 2),
        input_run_{0, 0, reach_ + 1, 0, -reach_},
        state_run_{0, 0, config.kernel, 0, -reach_},
        input_weights_({1, config.kernel, config.in_channels, gates()}),
        state_weights_({1, config.kernel, config.hidden, gates()}),
        bias_({1, 1, 1, gates()}),
        h0_(detail::initial_parameter<State, Scalar>(config.hidden)),
        c0_(detail::initial_parameter<State, Scalar>(config.hidden)) {
    glorot_uniform(input_weights_.value(), input_run_.count * config.in_channels, config.hidden,
                   rng);
    glorot_uniform(state_weights_.value(), config.kernel * config.hidden, config.hidden, rng);
    apply_mask();
  }

  [[nodiscard]] const Config& config() const { return config_; }
  [[nodiscard]] Shape<4> output_shape(Shape<4> x) const {
    detail::require_channels("RowLSTM", x, config_.in_channels, "Config::in_channels");
    return x.with_channels(config_.hidden);
  }
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
    visit("input_weights", input_weights_);
    visit("state_weights", state_weights_);
    visit("bias", bias_);
    if constexpr (State::is_learned) visit("h0", h0_), visit("c0", c0_);
  }
  /// Zeroes what the mask forbids: for weights that come from elsewhere.
  void apply_mask() {
    pixelrnn::apply_mask(MaskB{}, input_weights_.value(), config_.colours, kernels::gate_count);
  }

  [[nodiscard]] Variable<Scalar> forward(Variable<Scalar> x) const {
    Tape<Scalar>& tape = x.tape();
    const Shape<4> s = x.shape();
    const FeatureView<Scalar> y = tape.allocate(output_shape(s));
    const Scratch guard(tape.scratch());
    const Index workers = B::Execution::workers(tape.threads(), s.n());
    const Layout at(*this, s);
    // What backward needs is kept for every image; without it a worker reuses its own.
    const bool keep = tape.records();
    const Index slots = keep ? s.n() : workers;
    Workspace& memory = keep ? tape.workspace() : tape.scratch();
    Scalar* const gates = memory.template allocate<Scalar>(slots * at.gates_size);
    Scalar* const cells = memory.template allocate<Scalar>(slots * at.cells_size);
    Scalar* const frames = tape.scratch().template allocate<Scalar>(workers * at.input_size);
    Scalar* const states = tape.scratch().template allocate_zero<Scalar>(workers * at.state_size);
    const auto packed = tape.template prepare<kernels::Packed<const Scalar>>(
        &state_weights_, [this](Workspace& room) { return pack(room); });
    const Pieces pieces(s);
    const Chunks spans = spans_of_row(s, workers == 1 ? tape.threads() : 1);
    const Scalar* in = x.value().data();

    B::Execution::for_each(tape.threads(), s.n(), [&](Index image, Index worker) {
      const Index slot = keep ? image : worker;
      const Frame<Scalar> input =
          padded_frame<Kernels>(in + image * s.h() * s.w() * s.c(), s.c(), pieces, 0, s.h(),
                                at.input_padding, false, frames + worker * at.input_size);
      Scalar* const state = states + worker * at.state_size + reach_ * config_.hidden;
      Scalar* const c = cells + slot * at.cells_size;
      Scalar* const z = gates + slot * at.gates_size + reach_ * this->gates();
      fill_initial(h0_, state, s.w());
      fill_initial(c0_, c, s.w());
      for (Index r = 0; r < s.h(); ++r) {
        std::fill_n(z + r * at.gates_line - reach_ * this->gates(), reach_ * this->gates(),
                    Scalar{0});
        std::fill_n(z + r * at.gates_line + s.w() * this->gates(), reach_ * this->gates(),
                    Scalar{0});
        Scalar* const h = state + (r + 1) * at.state_line;
        // A batch of one image is parallel inside its rows, if they are long enough for that.
        B::Execution::for_each(tape.threads(), spans.size(), [&](Index span, Index) {
          const Index j = spans.first(span);
          const std::array<kernels::Term<Scalar>, 2> terms{
              kernels::Term<Scalar>{input.at(r, 0, j - reach_), s.c(), input_run_.count * s.c()},
              kernels::Term<Scalar>{state + r * at.state_line + (j - reach_) * config_.hidden,
                                    config_.hidden, config_.kernel * config_.hidden}};
          const auto from = [&](Scalar* row, Index values) {
            return kernels::Rows<Scalar>{row + j * values, values};
          };
          Kernels::lstm_step(
              spans.last(span) - j, std::span<const kernels::Term<Scalar>>(terms), packed,
              bias_.value().data(),
              kernels::LstmStep<Scalar>{.c_prev = from(c + r * at.cells_line, config_.hidden),
                                        .c = from(c + (r + 1) * at.cells_line, config_.hidden),
                                        .h = from(h, config_.hidden),
                                        .gates = from(z + r * at.gates_line, this->gates())});
        });
        std::copy_n(h, at.cells_line, y.data() + (image * s.h() + r) * at.cells_line);
      }
    });
    return tape.record("RowLSTM", y, {x, tape.leaf(bias_)}, Op{this, gates, cells});
  }

  /// The current input row, and h and c of the last two rows.
  struct Cache {
    FeatureMap<Scalar> inputs;  ///< (1, batch, W + reach, C)
    FeatureMap<Scalar> h;       ///< (2, batch, W + 2·reach, hidden), by row parity
    FeatureMap<Scalar> c;       ///< (2, batch, W, hidden)
    FeatureMap<Scalar> gates;   ///< (1, 1, batch, 4·hidden)
    Workspace weights;
    kernels::Packed<const Scalar> packed;
    Team* team;
  };
  [[nodiscard]] Cache make_cache(Walk walk) const {
    Cache cache;
    cache.inputs = FeatureMap<Scalar>({1, walk.batch, walk.width + reach_, config_.in_channels});
    cache.h = FeatureMap<Scalar>({2, walk.batch, walk.width + 2 * reach_, config_.hidden});
    cache.c = FeatureMap<Scalar>({2, walk.batch, walk.width, config_.hidden});
    cache.gates = FeatureMap<Scalar>({1, 1, walk.batch, gates()});
    cache.packed = pack(cache.weights);
    cache.team = walk.team;
    for (Index b = 0; b < walk.batch; ++b) {  // row -1 has odd parity
      fill_initial(h0_, &cache.h(1, b, reach_, 0), walk.width);
      fill_initial(c0_, &cache.c(1, b, 0, 0), walk.width);
    }
    return cache;
  }
  void step(Cache& cache, Index row, Index column, const MatrixView<const Scalar>& x,
            const MatrixView<Scalar>& y) const {
    const Index hidden = config_.hidden, now = row % 2, before = 1 - now;
    const Index input_image = cache.inputs.shape()[2] * x.columns;
    const Index h_image = cache.h.shape()[2] * hidden, c_image = cache.c.shape()[2] * hidden;
    Scalar* const input = &cache.inputs(0, 0, column, 0);  // of column - reach
    for (Index b = 0; b < x.rows; ++b) {
      std::copy_n(x.row(b), x.columns, input + b * input_image + reach_ * x.columns);
    }
    const std::array<kernels::Term<Scalar>, 2> terms{
        kernels::Term<Scalar>{input, input_image, input_run_.count * x.columns},
        kernels::Term<Scalar>{&cache.h(before, 0, column, 0), h_image, config_.kernel * hidden}};
    Scalar* const h = &cache.h(now, 0, column + reach_, 0);
    const kernels::LstmStep<Scalar> states{.c_prev = {&cache.c(before, 0, column, 0), c_image},
                                           .c = {&cache.c(now, 0, column, 0), c_image},
                                           .h = {h, h_image},
                                           .gates = {cache.gates.data(), gates()}};
    share_units(cache.team, x.rows, cache.packed,
                [&](const kernels::Packed<const Scalar>& weights) {
                  Kernels::lstm_step(x.rows, std::span<const kernels::Term<Scalar>>(terms), weights,
                                     bias_.value().data(), states);
                });
    for (Index b = 0; b < x.rows; ++b) std::copy_n(h + b * h_image, hidden, y.row(b));
  }
  void end_row(Cache&, Index) const {}

 private:
  /// Sizes and strides of one image's maps.
  struct Layout {
    Layout(const RowLSTM& layer, const Shape<4>& x)
        : gates_line((x.w() + 2 * layer.reach_) * layer.gates()),
          gates_size(x.h() * gates_line),
          cells_line(x.w() * layer.config_.hidden),
          cells_size((x.h() + 1) * cells_line),
          state_line((x.w() + 2 * layer.reach_) * layer.config_.hidden),
          state_size((x.h() + 1) * state_line),
          input_padding{0, 0, layer.reach_, 0},
          input_size(x.h() * (x.w() + layer.reach_) * x.c()) {}
    Index gates_line, gates_size;  ///< (H, W + 2·reach, 4·hidden), zero at the sides
    Index cells_line, cells_size;  ///< (H + 1, W, hidden), from row -1
    Index state_line, state_size;  ///< (H + 1, W + 2·reach, hidden), from row -1, zero at the sides
    Padding input_padding;
    Index input_size;
  };
  struct Op {
    const RowLSTM* layer;
    Scalar* gates;
    const Scalar* cells;
    void backward(pixelrnn::Backward<Scalar>& ctx) const { layer->reverse(ctx, gates, cells); }
  };

  static Config checked(const Config& c) {
    if (c.in_channels < 1 || c.hidden < 1 || c.kernel < 1 || c.kernel % 2 == 0 || c.colours < 1) {
      detail::fail<ConfigError>("RowLSTM: Config is {in_channels=", c.in_channels,
                                ", hidden=", c.hidden, ", kernel=", c.kernel,
                                ", colours=", c.colours,
                                "}, expected an odd kernel and 1 or more of the others");
    }
    return c;
  }
  [[nodiscard]] Index gates() const { return kernels::gate_count * config_.hidden; }

  /// A row's pixels in as many parts as there are threads, if the row is work enough for them.
  [[nodiscard]] Chunks spans_of_row(const Shape<4>& x, int threads) const {
    const Index row = flops(2, x.w()) - flops(1, x.w());
    return {x.w(), B::Execution::workers(threads, row / worth_a_thread)};
  }

  /// The initial state at every column of a row.
  void fill_initial(const Parameter<Scalar>& initial, Scalar* row, Index width) const {
    for (Index j = 0; j < width; ++j, row += config_.hidden) {
      if constexpr (State::is_learned) {
        std::copy_n(initial.value().data(), config_.hidden, row);
      } else {
        std::fill_n(row, config_.hidden, Scalar{0});
      }
    }
  }

  [[nodiscard]] kernels::Packed<const Scalar> pack(Workspace& workspace) const {
    const auto packed = kernels::allocate_packed<Kernels, Scalar>(
        workspace, input_run_.count * config_.in_channels + config_.kernel * config_.hidden,
        config_.hidden, kernels::gate_count);
    const Index row = pack_run<Kernels>(packed, 0, masked_input_weights(workspace), input_run_);
    pack_run<Kernels>(packed, row, state_weights_.value(), state_run_);
    return as_const(packed);
  }
  [[nodiscard]] FeatureView<const Scalar> masked_input_weights(Workspace& workspace) const {
    return masked(MaskB{}, input_weights_.value(), config_.colours, kernels::gate_count, workspace);
  }

  /// Rows from last to first; the gates become the gradients of the pre-activations, dz. Then
  ///   dx(r, j) = Σ_d dz(r, j - d) K_is[d]ᵀ,  dK_is[d] = Σ x(r, j + d)ᵀ dz(r, j),
  ///   dK_ss[d] = Σ h(r - 1, j + d)ᵀ dz(r, j),  db = Σ dz.
  void reverse(pixelrnn::Backward<Scalar>& ctx, Scalar* gates_map, const Scalar* cells) const {
    const Shape<4> s = ctx.input(0).shape();
    const Index hidden = config_.hidden;
    const Layout at(*this, s);
    const Pieces pieces(s);
    const Chunks chunks{s.n()};
    const Index workers = B::Execution::workers(ctx.threads(), chunks.size());
    Workspace& scratch = ctx.scratch();
    const auto to_input =
        kernels::allocate_packed<Kernels, Scalar>(scratch, input_run_.count * gates(), s.c());
    pack_run_transposed<Kernels>(to_input, 0, masked_input_weights(scratch), input_run_);
    const auto to_state =
        kernels::allocate_packed<Kernels, Scalar>(scratch, config_.kernel * gates(), hidden);
    pack_run_transposed<Kernels>(to_state, 0, FeatureView<const Scalar>(state_weights_.value()),
                                 state_run_);

    Scalar* const frames = scratch.template allocate<Scalar>(workers * at.input_size);
    Scalar* const states = scratch.template allocate_zero<Scalar>(workers * at.state_size);
    Scalar* const rows = scratch.template allocate<Scalar>(workers * 2 * at.cells_line);
    auto* const pairs = scratch.template allocate<kernels::RowPairs<Scalar>>(workers * s.h());
    const Index input_part = input_weights_.size(), state_part = state_weights_.size();
    const Index part = input_part + state_part + gates() + 2 * hidden;
    Scalar* const parts =
        detail::allocate_chunks<B, Scalar>(scratch, ctx.threads(), chunks.size(), part);
    const bool wants_dx = ctx.wants_gradient(0);
    const auto claim =
        wants_dx ? ctx.claim_gradient(0) : typename pixelrnn::Backward<Scalar>::Claim{};
    const Scalar* const x = ctx.input(0).data();
    const Scalar* const y = ctx.output().data();
    const Scalar* const dy = ctx.output_gradient().data();

    B::Execution::for_each(ctx.threads(), chunks.size(), [&](Index chunk, Index worker) {
      Scalar* const dh = rows + worker * 2 * at.cells_line;
      Scalar* const dc = dh + at.cells_line;
      Scalar* const state = states + worker * at.state_size + reach_ * hidden;
      Scalar* const d_input = parts + chunk * part;
      Scalar* const d_state = d_input + input_part;
      Scalar* const d_bias = d_state + state_part;
      Scalar* const d_initial = d_bias + gates();
      for (Index image = chunks.first(chunk); image < chunks.last(chunk); ++image) {
        const Index first_pixel = image * s.h() * s.w();
        const Frame<Scalar> dz{gates_map + image * at.gates_size + reach_ * gates(), s.h(), s.w(),
                               at.gates_line, gates()};
        const Scalar* const c = cells + image * at.cells_size;
        std::fill_n(dc, at.cells_line, Scalar{0});
        for (Index r = s.h() - 1; r >= -1; --r) {
          // Of row -1 there is no output.
          const kernels::Rows<const Scalar> of_output{
              r >= 0 ? dy + (first_pixel + r * s.w()) * hidden : nullptr, hidden};
          if (r + 1 == s.h()) {
            if (r >= 0) std::copy_n(of_output.data, at.cells_line, dh);
            if (r < 0) std::fill_n(dh, at.cells_line, Scalar{0});  // no rows at all
          } else {
            const kernels::Term<Scalar> later{dz.at(r + 1, 0, -reach_), gates(),
                                              config_.kernel * gates()};
            Kernels::affine(s.w(), std::span<const kernels::Term<Scalar>>(&later, 1),
                            as_const(to_state), static_cast<const Scalar*>(nullptr), of_output,
                            kernels::Rows<Scalar>{dh, hidden});
          }
          if (r < 0) break;
          Kernels::lstm_step_backward(s.w(), hidden,
                                      kernels::LstmStepBackward<Scalar>{
                                          .c_prev = {c + r * at.cells_line, hidden},
                                          .c = {c + (r + 1) * at.cells_line, hidden},
                                          .dh = {dh, hidden},
                                          .dc = {dc, hidden},
                                          .dc_prev = {dc, hidden},
                                          .gates = {const_cast<Scalar*>(dz.at(r, 0, 0)), gates()}});
        }
        // dh and dc now belong to row -1.
        Kernels::add_column_sums(s.w(), hidden, kernels::Rows<const Scalar>{dh, hidden}, d_initial);
        Kernels::add_column_sums(s.w(), hidden, kernels::Rows<const Scalar>{dc, hidden},
                                 d_initial + hidden);

        const Frame<Scalar> input =
            padded_frame<Kernels>(x + first_pixel * s.c(), s.c(), pieces, 0, s.h(),
                                  at.input_padding, false, frames + worker * at.input_size);
        fill_initial(h0_, state, s.w());
        for (Index r = 0; r + 1 < s.h(); ++r) {
          std::copy_n(y + (first_pixel + r * s.w()) * hidden, at.cells_line,
                      state + (r + 1) * at.state_line);
        }
        const auto weight_gradient = [&](Index channels, Index stride, Scalar* to, auto source) {
          kernels::RowPairs<Scalar>* const list = pairs + worker * s.h();
          for (Index r = 0; r < s.h(); ++r) list[r] = {source(r), dz.at(r, 0, 0), s.w()};
          Kernels::add_outer_products(
              std::span<const kernels::RowPairs<Scalar>>(list, static_cast<std::size_t>(s.h())),
              kernels::RowShape{channels, stride}, kernels::RowShape{gates(), gates()},
              kernels::Rows<Scalar>{to, gates()});
        };
        weight_gradient(input_run_.count * s.c(), s.c(), d_input,
                        [&](Index r) { return input.at(r, 0, -reach_); });
        weight_gradient(config_.kernel * hidden, hidden, d_state,
                        [&](Index r) { return state + r * at.state_line - reach_ * hidden; });
        for (Index r = 0; r < s.h(); ++r) {
          Kernels::add_column_sums(s.w(), gates(),
                                   kernels::Rows<const Scalar>{dz.at(r, 0, 0), gates()}, d_bias);
          if (!wants_dx) continue;
          const kernels::Term<Scalar> term{dz.at(r, 0, 0), gates(), input_run_.count * gates()};
          const kernels::Rows<Scalar> dx{claim.gradient.data() + (first_pixel + r * s.w()) * s.c(),
                                         s.c()};
          Kernels::affine(s.w(), std::span<const kernels::Term<Scalar>>(&term, 1),
                          as_const(to_input), static_cast<const Scalar*>(nullptr),
                          claim.fresh ? kernels::Rows<const Scalar>{} : dx, dx);
        }
      }
    });
    const Scalar* from = parts;
    const auto reduce = [&](const Parameter<Scalar>& parameter, Index count) {
      if (parameter.size() > 0) {
        detail::add_chunks<B>(ctx.threads(), from, chunks.size(), part, count,
                              parameter.gradient().data());
      }
      from += count;
    };
    reduce(input_weights_, input_part);
    reduce(state_weights_, state_part);
    reduce(bias_, gates());
    reduce(h0_, hidden);
    reduce(c0_, hidden);
    if (config_.colours > 1) {
      pixelrnn::apply_mask(MaskB{}, input_weights_.gradient(), config_.colours,
                           kernels::gate_count);
    }
  }

  Config config_;
  Index reach_;
  TapRun input_run_;  ///< mask B: columns j - reach .. j
  TapRun state_run_;  ///< columns j - reach .. j + reach
  Parameter<Scalar> input_weights_;
  Parameter<Scalar> state_weights_;
  Parameter<Scalar> bias_;
  Parameter<Scalar> h0_;
  Parameter<Scalar> c0_;
};

static_assert(IncrementalLayer<RowLSTM<>> && IncrementalLayer<RowLSTM<ZeroState>>);

}  // namespace pixelrnn::inline PIXELRNN_ABI
