// SPDX-License-Identifier: MIT
// SpatialScan: a two-dimensional LSTM, diagonal by diagonal, and its walk.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include <pixelrnn/kernels/backend.hpp>
#include <pixelrnn/nn/condition.hpp>
#include <pixelrnn/nn/init.hpp>
#include <pixelrnn/nn/layer.hpp>
#include <pixelrnn/simd/math.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

struct SpatialConfig {
  Index in_channels = 1;
  Index hidden = 1;
  Index colours = 1;
  Index condition_channels = 0;  ///< of what images are told (Tape::set_condition); 0: nothing
};

namespace detail {

/// What SpatialLSTM computes; its reverse is in spatial_scan_backward.hpp.
template <class B>
class SpatialScan {
 public:
  using Scalar = typename B::Scalar;
  using Kernels = typename B::Kernels;
  using BackendPolicy = B;
  static constexpr bool separates_images = true;
  using Config = SpatialConfig;

  SpatialScan(Config config, Rng& rng)
      : config_(checked(config)),
        mask_(MaskB{}, 1, 1, 1, config.colours),
        input_weights_(input_shape(config), mask_.rule(input_shape(config), gate_count)),
        state_weights_({2, 1, config.hidden, gates()}),
        bias_({1, 1, 1, gates()}),
        condition_("SpatialLSTM", config.condition_channels, gates(), 1, config.colours) {
    glorot_uniform(input_weights_.value(), config.in_channels, config.hidden, rng);
    glorot_uniform(state_weights_.value(), 2 * config.hidden, config.hidden, rng);
    apply_mask();
    condition_.draw(rng);
  }

  [[nodiscard]] const Config& config() const { return config_; }
  [[nodiscard]] Shape<4> output_shape(Shape<4> x) const {
    detail::require_channels("SpatialLSTM", x, config_.in_channels, "Config::in_channels");
    return x.with_channels(config_.hidden);
  }
  [[nodiscard]] Index flops(Index height, Index width) const {
    const Index above = std::max<Index>(0, height - 1) * width,
                left = height * std::max<Index>(0, width - 1);
    return 2 * gates() * (height * width * config_.in_channels + (above + left) * config_.hidden);
  }
  /// "SpatialLSTM(32->16)"
  [[nodiscard]] std::string describe() const {
    return "SpatialLSTM" + detail::describe_sizes(config_.in_channels, config_.hidden,
                                                  config_.colours, condition_.describe());
  }
  void for_each_parameter(auto&& visit) {
    visit("input_weights", input_weights_), visit("state_weights", state_weights_);
    visit("bias", bias_);
    condition_.for_each_parameter(visit);
  }
  /// Zeroes what the mask forbids: for weights that come from elsewhere.
  void apply_mask() { input_weights_.apply_mask(); }

  [[nodiscard]] Variable<Scalar> forward(Variable<Scalar> x) const {
    Tape<Scalar>& tape = x.tape();
    const Shape<4> s = x.shape();
    const FeatureView<Scalar> y = tape.allocate(output_shape(s));
    const Scratch guard(tape.scratch());
    // What backward needs is kept for every image; without it a worker reuses its own.
    const bool keep = tape.records();
    const Maps maps = allocate_maps(keep ? tape.workspace() : tape.scratch(), s,
                                    keep ? s.n() : B::Execution::workers(tape.threads(), s.n()));
    const auto weights = tape.template prepare<kernels::Packed<const Scalar>>(
        &bias_, [this](Workspace& room) { return pack(room); });
    const auto starts = condition_.starts(tape, s, {bias_.value().data(), 0});
    const Scalar* const in = x.value().data();
    B::Execution::for_each(tape.threads(), s.n(), [&](Index n, Index worker) {
      scan(s, weights, in + n * s.h() * s.w() * s.c(), starts.of(n),
           maps.of(s, config_.hidden, keep ? n : worker),
           y.data() + n * s.h() * s.w() * y.shape().c());
    });
    return condition_.record("SpatialLSTM", y, {x, tape.leaf(bias_)}, Op{this, maps});
  }

  [[nodiscard]] Known known(Known x) const { return x.scanned(config_.colours); }
  /// h and c of the last two rows, by row parity, column -1 first.
  struct Cache {
    FeatureMap<Scalar> h, c;   ///< (2, batch, W + 1, hidden)
    FeatureMap<Scalar> gates;  ///< (1, 1, batch, 5·hidden)
    Workspace memory;
    kernels::Packed<const Scalar> weights;
    typename detail::ConditionWeights<B>::Walking start;
    detail::GuardedWalk walk;
  };
  [[nodiscard]] Cache make_cache(Walk walk) const {
    Cache cache;
    cache.h = FeatureMap<Scalar>({2, walk.batch, walk.width + 1, config_.hidden});
    cache.c = cache.h;
    cache.gates = FeatureMap<Scalar>({1, 1, walk.batch, gates()});
    cache.weights = pack(cache.memory);
    cache.start = {condition_, walk, {bias_.value().data(), 0}, 0, gates(), cache.memory};
    cache.walk = {walk};
    return cache;
  }
  void step(Cache& cache, Index row, Index column, const MatrixView<const Scalar>& x,
            const MatrixView<Scalar>& y) const {
    detail::require_input("SpatialLSTM", cache.walk, row, column, x, config_.in_channels);
    detail::require_output("SpatialLSTM", cache.walk, y, config_.hidden);
    const Index hidden = config_.hidden, now = row % 2, before = 1 - now;
    const Index image = cache.h.shape()[2] * hidden;
    const auto terms = terms_of({&cache.h(before, 0, column + 1, 0), image}, {x.data, x.stride},
                                {&cache.h(now, 0, column, 0), image});
    const kernels::Rows<Scalar> z{cache.gates.data(), gates()};
    share_units(cache.walk.team, x.rows, cache.weights,
                [&](const kernels::Packed<const Scalar>& weights) {
                  Kernels::affine(x.rows, Terms(terms), weights, cache.start.at(row, column),
                                  kernels::Rows<const Scalar>{}, z);
                });
    for (Index b = 0; b < x.rows; ++b) {
      Scalar* const h = &cache.h(now, b, column + 1, 0);
      finish_cell(hidden, z[b], &cache.c(now, b, column, 0), &cache.c(before, b, column + 1, 0),
                  &cache.c(now, b, column + 1, 0), h);
      std::copy_n(h, hidden, y.row(b));
    }
  }
  void end_row(Cache& cache, Index row) const {
    detail::require_row("SpatialLSTM", cache.walk, row);
  }

 private:
  /// Gates in the order of their columns.
  enum Gate : Index { gate_o, gate_left, gate_above, gate_i, gate_g, gate_count };
  using Terms = std::span<const kernels::Term<Scalar>>;

  /// States and cells with a border of zeros above and left, (H + 1, W + 1, hidden), and gates
  /// (H, W, 5·hidden), of so many images.
  struct Maps {
    Scalar *h, *c, *gates;
    [[nodiscard]] Maps of(const Shape<4>& s, Index hidden, Index image) const {
      const Index padded = image * (s.h() + 1) * (s.w() + 1) * hidden;
      return {h + padded, c + padded, gates + image * s.h() * s.w() * gate_count * hidden};
    }
  };
  [[nodiscard]] Maps allocate_maps(Workspace& workspace, const Shape<4>& s, Index images) const {
    const Index padded = images * (s.h() + 1) * (s.w() + 1) * config_.hidden;
    return {workspace.template allocate_zero<Scalar>(padded),
            workspace.template allocate_zero<Scalar>(padded),
            workspace.template allocate<Scalar>(images * s.h() * s.w() * gates())};
  }

  /// The cells of diagonal d of an H × W map: row r of the first, and how many; the next is a row
  /// down and a column back.
  struct Diagonal {
    Diagonal(const Shape<4>& s, Index d)
        : r(std::max<Index>(0, d - s.w() + 1)), j(d - r), cells(std::min(s.h() - 1, d) - r + 1) {}
    Index r, j, cells;
    /// Of a map of that many columns, from its row r + down and column j + right on.
    template <class T>
    [[nodiscard]] kernels::Rows<T> of(T* map, Index columns, Index channels, Index down = 0,
                                      Index right = 0) const {
      return {map + ((r + down) * columns + j + right) * channels, (columns - 1) * channels};
    }
  };

  [[nodiscard]] std::array<kernels::Term<Scalar>, 3> terms_of(
      kernels::Rows<const Scalar> above, kernels::Rows<const Scalar> x,
      kernels::Rows<const Scalar> left) const {
    return {kernels::Term<Scalar>{above.data, above.stride, config_.hidden},
            kernels::Term<Scalar>{x.data, x.stride, config_.in_channels},
            kernels::Term<Scalar>{left.data, left.stride, config_.hidden}};
  }
  void scan(const Shape<4>& s, const kernels::Packed<const Scalar>& weights, const Scalar* x,
            const detail::Starts<Scalar>& starts, const Maps& maps, Scalar* y) const {
    const Index hidden = config_.hidden, padded = s.w() + 1;
    // A worker's maps hold another image's states, but their border is zero.
    for (Index d = 0; d < s.h() + s.w() - 1 && s.w() > 0 && s.h() > 0; ++d) {
      const Diagonal cells(s, d);
      const auto state = [&](Scalar* map, Index down, Index right) {
        return cells.of(map, padded, hidden, down, right);
      };
      const auto terms = terms_of(state(maps.h, 0, 1), cells.of(x, s.w(), config_.in_channels),
                                  state(maps.h, 1, 0));
      const kernels::Rows<Scalar> z = cells.of(maps.gates, s.w(), gates());
      Kernels::affine(cells.cells, Terms(terms), weights,
                      cells.of(starts.data, s.w(), starts.pixel), kernels::Rows<const Scalar>{}, z);
      const auto c_left = state(maps.c, 1, 0), c_above = state(maps.c, 0, 1),
                 c = state(maps.c, 1, 1), h = state(maps.h, 1, 1);
      const auto out = cells.of(y, s.w(), hidden);
      for (Index i = 0; i < cells.cells; ++i) {
        finish_cell(hidden, z[i], c_left[i], c_above[i], c[i], h[i]);
        std::copy_n(h[i], hidden, out[i]);
      }
    }
  }
  /// From pre-activations in `gates`, which become gates, to c and h.
  static void finish_cell(Index hidden, Scalar* gates, const Scalar* c_left, const Scalar* c_above,
                          Scalar* c, Scalar* h) {
    for (Index u = 0; u < hidden; u += simd::lanes<Scalar>) {
      const Index n = std::min(simd::lanes<Scalar>, hidden - u);
      const auto gate = [&](Gate which) { return gates + which * hidden + u; };
      const auto logistic = [&](Gate which) {
        const Vector v = simd::logistic(simd::load_up_to(gate(which), n));
        simd::store_up_to(gate(which), v, n);
        return v;
      };
      const Vector o = logistic(gate_o), left = logistic(gate_left), above = logistic(gate_above),
                   i = logistic(gate_i), g = simd::tanh(simd::load_up_to(gate(gate_g), n));
      simd::store_up_to(gate(gate_g), g, n);
      const Vector kept = simd::fma(left, simd::load_up_to(c_left + u, n),
                                    above * simd::load_up_to(c_above + u, n));
      const Vector cell = simd::fma(i, g, kept);
      simd::store_up_to(c + u, cell, n);
      simd::store_up_to(h + u, simd::tanh(o * cell), n);
    }
  }
  using Vector = simd::Batch<Scalar>;

  /// K_ss[0] above K_is above K_ss[1].
  [[nodiscard]] kernels::Packed<const Scalar> pack(Workspace& workspace) const {
    const Index in = config_.in_channels, hidden = config_.hidden;
    const auto packed =
        kernels::allocate_packed<Kernels, Scalar>(workspace, in + 2 * hidden, gates());
    const Scalar* const state = state_weights_.value().data();
    const auto matrix = [this](const Scalar* from, Index rows) {
      return kernels::Strided<Scalar>{from, rows, gates(), gates(), 1};
    };
    Kernels::pack(packed, 0, matrix(state, hidden));
    Kernels::pack(packed, hidden, matrix(masked_input_weights(workspace).data(), in));
    Kernels::pack(packed, hidden + in, matrix(state + hidden * gates(), hidden));
    return as_const(packed);
  }
  [[nodiscard]] FeatureView<const Scalar> masked_input_weights(Workspace& workspace) const {
    return mask_.masked(input_weights_.value(), gate_count, workspace);
  }

  struct Op {
    const SpatialScan* layer;
    Maps maps;
    void backward(pixelrnn::Backward<Scalar>& ctx) const { layer->backward(ctx, maps); }
  };
  void backward(pixelrnn::Backward<Scalar>& ctx, const Maps& maps) const;
  void scan_back(const Shape<4>& s, const kernels::Packed<const Scalar>& to_state, const Maps& maps,
                 const Scalar* dy, Scalar* dz, Scalar* dc, Scalar* dh) const;
  static void reverse_cell(Index hidden, const Scalar* gates, const Scalar* c_left,
                           const Scalar* c_above, const Scalar* c, const Scalar* dh,
                           const Scalar* from_right, const Scalar* from_below, Scalar* dz,
                           Scalar* dc_left, Scalar* dc_above);

  static Shape<4> input_shape(const Config& c) {
    return {1, 1, c.in_channels, gate_count * c.hidden};
  }
  [[nodiscard]] Index gates() const { return gate_count * config_.hidden; }
  static Config checked(const Config& c) {
    if (c.in_channels < 1 || c.hidden < 1 || c.colours < 1) {
      detail::fail<ConfigError>("SpatialLSTM: Config is {in_channels=", c.in_channels,
                                ", hidden=", c.hidden, ", colours=", c.colours,
                                "}, expected 1 or more of each");
    }
    return c;
  }

  Config config_;
  KernelMask mask_;
  Parameter<Scalar> input_weights_, state_weights_, bias_;
  detail::ConditionWeights<B> condition_;
};

}  // namespace detail
}  // namespace pixelrnn::inline PIXELRNN_ABI
