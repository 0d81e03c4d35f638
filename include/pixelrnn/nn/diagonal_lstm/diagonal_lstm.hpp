// SPDX-License-Identifier: MIT
// DiagonalLSTM (one direction) and DiagonalBiLSTM (both) as layers over DiagonalScan.
#pragma once

#include <tuple>

#include <pixelrnn/nn/diagonal_lstm/diagonal_scan.hpp>
#include <pixelrnn/nn/diagonal_lstm/diagonal_scan_backward.hpp>
#include <pixelrnn/nn/diagonal_lstm/diagonal_scan_walk.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

namespace detail {

/// The sum of one or two diagonal scans of the same input, y = Σ scan(x), as one operation:
/// parallel over images; where there are few, over both directions too, the second of which then
/// has maps of its own that are added in the end.
template <class B, class... Scans>
class DiagonalSum {
 public:
  using Scalar = typename B::Scalar;
  using BackendPolicy = B;
  static constexpr bool separates_images = true;
  using Config = DiagonalConfig;

  /// By reference: of a config by value g++ 12 with AVX-512 makes other numbers here.
  DiagonalSum(const Config& config, Rng& rng) : scans_{Scans(config, rng)...} {}

  [[nodiscard]] const Config& config() const { return std::get<0>(scans_).config(); }
  [[nodiscard]] Shape<4> output_shape(Shape<4> x) const {
    require_channels(name, x, config().in_channels, "Config::in_channels");
    return x.with_channels(config().hidden);
  }
  [[nodiscard]] Index flops(Index height, Index width) const {
    return std::apply([=](const Scans&... scan) { return (scan.flops(height, width) + ...); },
                      scans_);
  }
  /// "DiagonalBiLSTM<learned>(32->16)"
  [[nodiscard]] std::string describe() const {
    using First = std::tuple_element_t<0, std::tuple<Scans...>>;
    std::string text = name;
    text += sizeof...(Scans) == 2 ? "<" : First::row_shift > 0 ? "<from right, " : "<from left, ";
    text += First::state_name;
    return text + '>' + describe_sizes(config().in_channels, config().hidden, config().colours) +
           (config().padding_bias ? ", padding bias" : "") +
           std::get<0>(scans_).condition().describe();
  }
  /// Zeroes what the mask forbids: for weights that come from elsewhere.
  void apply_mask() {
    std::apply([](Scans&... scan) { (scan.apply_mask(), ...); }, scans_);
  }

  [[nodiscard]] Variable<Scalar> forward(Variable<Scalar> x) const {
    Tape<Scalar>& tape = x.tape();
    const Shape<4> s = x.shape();
    const FeatureView<Scalar> y = tape.allocate(output_shape(s));
    const Scratch guard(tape.scratch());
    // What backward needs is kept for every image; without it a worker reuses its own.
    const bool keep = tape.records();
    const Index images = y.empty() ? 0 : s.n();
    const Tasks tasks(*this, s, tape.threads(), {images, keep ? reduction_chunks : images});
    const Index workers = B::Execution::workers(tape.threads(), tasks.count);
    Workspace& memory = keep ? tape.workspace() : tape.scratch();
    Saved saved;
    for_each_scan([&](auto i, const auto& scan) {
      const DiagonalGeometry g = scan.geometry(s, keep);
      auto& prepared = std::get<i>(saved.prepared);
      const auto prepare = [&](Workspace& room) { return scan.prepare(room, g.height); };
      const bool differs = keep || scan.prepares_rows;  // by recording, by height
      prepared = differs ? prepare(memory)
                         : tape.template prepare<std::decay_t<decltype(prepared)>>(&scan, prepare);
      std::get<i>(saved.maps) = scan.allocate_maps(memory, g, keep ? images : workers);
    });
    const Scalar* const in = x.value().data();
    const Index in_size = s.h() * s.w() * s.c(), out_size = s.h() * s.w() * config().hidden;
    std::array<Starts<Scalar>, sizeof...(Scans)> starts;
    for_each_scan([&](auto i, const auto& scan) {
      starts[i] = scan.condition().starts(tape, s, std::get<i>(saved.prepared).weights.bias);
    });
    Scalar* const apart = tasks.room(tape.scratch(), y.size());
    B::Execution::for_each(tape.threads(), tasks.count, [&](Index task, Index worker) {
      for_each_image(tasks, task, [&](auto i, const auto& scan, Index image) {
        const DiagonalGeometry g = scan.geometry(s, keep);
        const Target to = target(i, y.data(), apart, true);
        scan.forward(g, std::get<i>(saved.prepared), in + image * in_size, starts[i].of(image),
                     scan.maps_of(std::get<i>(saved.maps), g, keep ? image : worker),
                     to.map + image * out_size, to.store);
      });
    });
    if (apart != nullptr) B::Kernels::add(y.size(), apart, y.data());
    return std::get<0>(scans_).condition().record(
        name, y, {x, tape.leaf(std::get<0>(scans_).bias())}, Op{this, saved});
  }

  struct Cache {
    std::tuple<typename Scans::Cache...> scans;
    GuardedWalk walk;
  };
  [[nodiscard]] Known known(Known x) const { return x.scanned(config().colours); }
  [[nodiscard]] Cache make_cache(Walk walk) const {
    return std::apply(
        [walk](const Scans&... scan) {
          return Cache{std::tuple(scan.make_cache(walk)...), {walk}};
        },
        scans_);
  }
  /// `colour`: of the units only this group is asked for; see ColourGroup.
  void step(Cache& cache, Index row, Index column, const MatrixView<const Scalar>& x,
            const MatrixView<Scalar>& y, const ColourGroup& colour = {}) const {
    require_input(name, cache.walk, row, column, x, config().in_channels);
    require_output(name, cache.walk, y, config().hidden);
    for_each_scan([&](auto i, const auto& scan) {
      scan.step(std::get<i>(cache.scans), row, column, x, y,
                i == 0 ? kernels::Store::Overwrite : kernels::Store::Add, colour);
    });
  }
  void end_row(Cache& cache, Index row) const {
    require_row(name, cache.walk, row);
    for_each_scan([&](auto i, const auto& scan) { scan.end_row(std::get<i>(cache.scans), row); });
  }

 protected:
  static constexpr const char* name = sizeof...(Scans) == 1 ? "DiagonalLSTM" : "DiagonalBiLSTM";
  std::tuple<Scans...> scans_;

 private:
  struct Saved {
    std::tuple<typename Scans::Prepared...> prepared;
    std::tuple<typename Scans::Maps...> maps;
  };
  struct Op {
    const DiagonalSum* layer;
    Saved saved;
    void backward(pixelrnn::Backward<Scalar>& ctx) const { layer->reverse(ctx, saved); }
  };

  /// What is done in parallel: chunks of images or, where there are fewer of them than threads,
  /// each of the two scans of a chunk, the second of which then writes to a room of its own.
  struct Tasks {
    Tasks(const DiagonalSum& layer, const Shape<4>& x, int threads, Chunks chunks_)
        : chunks(chunks_), count(chunks.size()) {
      constexpr Index scans = sizeof...(Scans);
      if (scans == 2 && B::Execution::workers(threads, scans * count) > count &&
          layer.flops(x.h(), x.w()) / scans > worth_a_thread) {
        is_apart = true, count *= scans;
      }
    }
    /// For the second scan's results; null if they are added to the first one's.
    [[nodiscard]] Scalar* room(Workspace& workspace, Index size) const {
      return is_apart ? workspace.template allocate<Scalar>(size) : nullptr;
    }
    [[nodiscard]] Index chunk(Index task) const { return is_apart ? task / 2 : task; }
    [[nodiscard]] bool has(Index task, Index scan) const { return !is_apart || task % 2 == scan; }
    Chunks chunks;
    Index count;
    bool is_apart = false;
  };

  /// Where a scan writes, and how: the second one adds to the first one's sum unless it has a map
  /// apart, which is added later. `fresh`: nothing is there before the first.
  struct Target {
    Scalar* map;
    kernels::Store store;
  };
  [[nodiscard]] static Target target(Index scan, Scalar* sum, Scalar* apart, bool fresh) {
    if (scan > 0 && apart != nullptr) return {apart, kernels::Store::Overwrite};
    return {sum, scan == 0 && fresh ? kernels::Store::Overwrite : kernels::Store::Add};
  }

  /// Calls f(index, scan, image) for each scan and image of a task, all images of a scan one after
  /// the other: its weights stay in a cache meanwhile.
  template <class F>
  void for_each_image(const Tasks& tasks, Index task, F&& f) const {
    const Chunks& chunks = tasks.chunks;
    const Index chunk = tasks.chunk(task);
    for_each_scan([&](auto i, const auto& scan) {
      if (!tasks.has(task, i)) return;
      for (Index image = chunks.first(chunk); image < chunks.last(chunk); ++image) {
        f(i, scan, image);
      }
    });
  }

  /// Calls f(index, scan) for each scan, the index as a constant.
  template <class F>
  void for_each_scan(F&& f) const {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (f(std::integral_constant<std::size_t, I>{}, std::get<I>(scans_)), ...);
    }
    (std::index_sequence_for<Scans...>{});
  }

  void reverse(pixelrnn::Backward<Scalar>& ctx, const Saved& saved) const {
    const Shape<4> s = ctx.input(0).shape();
    if (ctx.output().empty()) return;
    const Tasks tasks(*this, s, ctx.threads(), {s.n()});
    const Index chunks = tasks.chunks.size();
    const Index workers = B::Execution::workers(ctx.threads(), tasks.count);
    Workspace& scratch = ctx.scratch();
    // Rooms of the taller scan do for both: from the left, if there is one.
    const auto& tallest = std::get<0>(scans_);
    static_assert(
        ((std::tuple_element_t<0, std::tuple<Scans...>>::row_shift <= Scans::row_shift) && ...));
    const DiagonalGeometry all = tallest.geometry(s, true);
    const Index values = tallest.backward_values(all);
    Scalar* const rooms = scratch.template allocate<Scalar>(workers * values);
    auto* const pairs =
        scratch.template allocate<kernels::RowPairs<Scalar>>(workers * all.diagonals());
    std::tuple<typename Scans::PreparedBackward...> prepared;
    std::array<Scalar*, sizeof...(Scans)> parts;
    const Index part = tallest.gradient_layout(all.height).size;
    for_each_scan([&](auto i, const auto& scan) {
      std::get<i>(prepared) = scan.prepare_backward(scratch);
      parts[i] = allocate_chunks<B, Scalar>(scratch, ctx.threads(), chunks, part);
    });
    const bool wants_dx = ctx.wants_gradient(0);
    const auto claim =
        wants_dx ? ctx.claim_gradient(0) : typename pixelrnn::Backward<Scalar>::Claim{};
    const Scalar* const x = ctx.input(0).data();
    const Scalar* const dy = ctx.output_gradient().data();
    const Index in_size = s.h() * s.w() * s.c(), out_size = s.h() * s.w() * config().hidden;
    Scalar* const apart = tasks.room(scratch, wants_dx ? s.n() * in_size : 0);
    B::Execution::for_each(ctx.threads(), tasks.count, [&](Index task, Index worker) {
      for_each_image(tasks, task, [&](auto i, const auto& scan, Index image) {
        const DiagonalGeometry g = scan.geometry(s, true);
        const Target to = target(i, wants_dx ? claim.gradient.data() : nullptr, apart, claim.fresh);
        scan.backward(g, std::get<i>(prepared), x + image * in_size,
                      scan.maps_of(std::get<i>(saved.maps), g, image), dy + image * out_size,
                      wants_dx ? to.map + image * in_size : nullptr, to.store,
                      {rooms + worker * values, pairs + worker * all.diagonals()},
                      parts[i] + tasks.chunk(task) * part);
      });
    });
    if (wants_dx && apart != nullptr) {
      B::Kernels::add(s.n() * in_size, apart, claim.gradient.data());
    }
    for_each_scan([&](auto i, const auto& scan) {
      scan.condition_gradient(ctx, s, std::get<i>(saved.maps));
      // The first chunk's part becomes the sum.
      add_chunks<B>(ctx.threads(), parts[i] + part, chunks - 1, part, part, parts[i]);
      scan.finish(ctx, scan.geometry(s, true), std::get<i>(saved.prepared).edges,
                  std::get<i>(prepared), parts[i]);
    });
  }
};

}  // namespace detail

/// One direction of the Diagonal BiLSTM, causal by itself: see DiagonalScan for the equations.
/// x (N, H, W, C) to y (N, H, W, hidden). FromLeft sees rows <= r and columns <= j; FromRight,
/// whose output is shifted down, rows < r and columns >= j. Throws ConfigError unless sizes are
/// positive, ShapeError if x has not C channels.
template <ScanSide Side = FromLeft, InitialState State = LearnedState, class B = Backend<>>
class DiagonalLSTM : public detail::DiagonalSum<B, DiagonalScan<Side, State, B>> {
 public:
  using detail::DiagonalSum<B, DiagonalScan<Side, State, B>>::DiagonalSum;
  void for_each_parameter(auto&& visit) { std::get<0>(this->scans_).for_each_parameter(visit); }
};

/// Diagonal BiLSTM (van den Oord et al. 2016, sec. 3.2): the scan from the left plus the scan from
/// the right shifted down one row, each with its own weights. Together they see every past pixel
/// and the current one, in one layer.  x (N, H, W, C) to y (N, H, W, hidden). The equations stand
/// at DiagonalScan; as plain loops: naive::diagonal_bilstm in tests/support/naive.hpp. Throws
/// ConfigError unless sizes are positive, ShapeError if x has not C channels.
template <InitialState State = LearnedState, class B = Backend<>>
class DiagonalBiLSTM : public detail::DiagonalSum<B, DiagonalScan<FromLeft, State, B>,
                                                  DiagonalScan<FromRight, State, B>> {
 public:
  using detail::DiagonalSum<B, DiagonalScan<FromLeft, State, B>,
                            DiagonalScan<FromRight, State, B>>::DiagonalSum;
  static constexpr std::string_view kind = "diagonal_bilstm";
  static constexpr std::string_view state_kind = State::name;
  void for_each_parameter(auto&& visit) {
    visit("left", std::get<0>(this->scans_)), visit("right", std::get<1>(this->scans_));
  }
};

static_assert(IncrementalLayer<DiagonalLSTM<>> && IncrementalLayer<DiagonalLSTM<FromRight>>);
static_assert(IncrementalLayer<DiagonalBiLSTM<>>);

}  // namespace pixelrnn::inline PIXELRNN_ABI
