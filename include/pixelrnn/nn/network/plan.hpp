// SPDX-License-Identifier: MIT
// Plan: a walk of a net as a list of operations, recorded once and repeated for every pixel.
#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <pixelrnn/nn/network/plan_operations.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {
template <class T>
class PlanPass;

/// The cache of a Network: its operations in the order of its description, and room for what flows
/// between them. Nothing is allocated after it is made.
template <class T>
class Plan {
 public:
  detail::GuardedWalk walk;

  /// What the net's output knows of a pixel: if it sees its own, it is no distribution of it.
  [[nodiscard]] const Known& known() const { return known_; }

  void step(const char* where, Index row, Index column, const MatrixView<const T>& x,
            const MatrixView<T>& y, const ColourGroup& colour) {
    detail::require_input(where, walk, row, column, x, walk.channels);
    detail::require_output(where, walk, y, slots_[index(out_)].channels);
    set_input(x);
    detail::Slot<T>& out = slots_[index(out_)];
    out.data = y.data, out.image = y.stride;
    const detail::Moment<T> moment{slots_.data(), walk, row, column, colour};
    for (const auto& operation : operations_) operation->step(moment);
  }
  void observe(const char* where, Index row, Index column, const MatrixView<const T>& x) {
    detail::require_input(where, walk, row, column, x, walk.channels);
    set_input(x);
    detail::Slot<T>& out = slots_[index(out_)];
    out.data = out.memory.data(), out.image = out.channels;
    const detail::Moment<T> moment{slots_.data(), walk, row, column};
    for (const auto& operation : operations_) {
      if (operation->sees_own) operation->observe(moment);
    }
  }
  void end_row(const char* where, Index row) {
    detail::require_row(where, walk, row);
    for (const auto& operation : operations_) operation->end_row(row);
    if (row + 1 < walk.height) begin_row(row + 1);
  }

 private:
  friend class PlanPass<T>;

  static std::size_t index(Index i) { return static_cast<std::size_t>(i); }
  void set_input(const MatrixView<const T>& x) {
    // Operations read it only.
    slots_[0].data = const_cast<T*>(x.data), slots_[0].image = x.stride;
  }
  void begin_row(Index row) {
    const detail::Moment<T> moment{slots_.data(), walk, row, 0};
    for (const auto& operation : operations_) operation->begin_row(moment);
  }

  std::vector<detail::Slot<T>> slots_;  ///< of the input first
  std::vector<std::unique_ptr<detail::Operation<T>>> operations_;
  std::unique_ptr<Tape<T>> maps_;  ///< holds what is known of whole maps
  Index out_ = 0;
  Known known_{};
};

/// The pass that records a plan (see Network). What is known of whole maps is computed at once.
template <class T>
class PlanPass {
 public:
  class Value {
   private:
    friend class PlanPass;
    Index slot = -1;
    Known known{};
    std::optional<Variable<T>> map{};  ///< in its place in the map domain
  };

  /// The plan must not move while it is recorded.
  PlanPass(Plan<T>& plan, const char* where, const Walk& walk) : plan_(plan), where_(where) {
    if (walk.channels < 1) {
      detail::fail<ConfigError>(where, ": Walk::channels is ", walk.channels,
                                ", expected C of x, by which a net makes its room");
    }
    plan.walk = {walk};
    plan.slots_.push_back({nullptr, walk.channels, walk.channels});
  }

  [[nodiscard]] Value input() const {
    Value x;
    x.slot = 0, x.known = {Domain::pixel, OwnPixel::own_colour};
    return x;
  }
  /// Ends the recording.
  void output(const Value& y) {
    const Index from = slot_of(y);
    const bool is_own = y.known.domain == Domain::pixel && from != 0;
    plan_.out_ = is_own ? from : make_slot(Domain::pixel, channels(from));
    if (!is_own) emplace<detail::Copy<T>>(y.known, from, plan_.out_);
    plan_.known_ = y.known;
    if (plan_.walk.height > 0) plan_.begin_row(0);
  }

  template <Layer L>
  [[nodiscard]] Value operator()(const L& layer, const Value& x) {
    if constexpr (IsNetwork<L>) {
      return layer.run(*this, x);
    } else {
      return apply(layer, x, nullptr);
    }
  }
  [[nodiscard]] Value add(const Value& a, const Value& b) {
    if (a.known.domain == Domain::map && b.known.domain == Domain::map) {
      return of_map(pixelrnn::add(*a.map, *b.map));
    }
    const Known known = a.known.with(b.known);
    const bool rows = known.domain == Domain::row;
    const Index left = rows ? row_of(a) : slot_of(a), right = rows ? row_of(b) : slot_of(b);
    if (channels(left) != channels(right)) {
      detail::fail<ShapeError>(where_, ": run adds values of ", channels(left), " and ",
                               channels(right), " channels, expected equal numbers");
    }
    const Value y = make(known, channels(left));
    emplace<detail::Addition<T>>(known, left, right, y.slot, rows);
    return y;
  }
  template <Layer L>
  [[nodiscard]] Value add(const Value& a, const L& layer, const Value& x) {
    if constexpr (AddingLayer<L>) {
      if (after(layer, x).domain == Domain::pixel) return apply(layer, x, &a);
    }
    return add(a, (*this)(layer, x));
  }
  [[nodiscard]] Value condition(Index channel_count) {
    const FeatureView<const T> told = walk_condition();
    detail::require_condition(channel_count, told.empty() ? 0 : told.shape().c());
    const Walk& walk = plan_.walk;
    return of_map(broadcast(maps().constant(told), {walk.batch, walk.height, walk.width, 1}));
  }
  [[nodiscard]] Value dropout(const Value& x) const { return x; }

 private:
  [[nodiscard]] Index channels(Index slot) const {
    return plan_.slots_[Plan<T>::index(slot)].channels;
  }
  /// Of a layer as this walk computes it: rows of layers that have no walk by rows are pixels.
  template <class L>
  [[nodiscard]] static Known after(const L& layer, const Value& x) {
    if (x.known.domain == Domain::map) return {Domain::map};
    Known known = known_after(layer, x.known);
    if (!RowLayer<L> && !PointwiseLayer<L>) known.domain = Domain::pixel;
    return known;
  }
  template <class L>
  [[nodiscard]] Value apply(const L& layer, const Value& x, const Value* addend) {
    static_assert(IncrementalLayer<L>,
                  "A layer of this net has no walk (concept IncrementalLayer in "
                  "pixelrnn/nn/layer.hpp): give the net a static constexpr bool is_incremental = "
                  "false, and it samples by FullForward");
    const Known known = after(layer, x);
    if (known.domain == Domain::map) return of_map(layer.forward(*x.map));
    const bool rows = known.domain == Domain::row;
    const bool of_pixels = x.known.domain == Domain::pixel;
    const Index from = rows && !of_pixels ? row_of(x) : slot_of(x);
    Walk walk = plan_.walk;
    walk.channels = channels(from);  // the layer's own, for nets within
    const Value y = make(addend != nullptr ? known.with(addend->known) : known,
                         layer.output_shape({walk.batch, 1, 1, channels(from)}).c());
    if (!rows) {
      const Index added = addend != nullptr ? slot_of(*addend) : -1;
      if (added >= 0 && channels(added) != channels(y.slot)) {
        detail::fail<ShapeError>(where_, ": run adds values of ", channels(added), " and ",
                                 channels(y.slot), " channels, expected equal numbers");
      }
      const bool hides = !known.sees_own() && (addend == nullptr || !addend->known.sees_own());
      emplace<detail::PixelOperation<T, L>>(
          addend != nullptr ? x.known.with(addend->known) : x.known, layer, walk, from, y.slot,
          added, hides);
    } else if constexpr (PointwiseLayer<L>) {
      emplace<detail::PointwiseRow<T, L>>(x.known, layer, walk, from, y.slot);
    } else if constexpr (RowLayer<L>) {
      emplace<detail::RowOperation<T, L>>(x.known, layer, walk, from, y.slot, of_pixels);
    }
    return y;
  }

  /// A value in a new slot.
  [[nodiscard]] Value make(const Known& known, Index channel_count) {
    Value y;
    y.slot = make_slot(known.domain, channel_count), y.known = known;
    return y;
  }
  [[nodiscard]] Index make_slot(Domain domain, Index channel_count) {
    const Walk& walk = plan_.walk;
    const Index width = domain == Domain::row ? walk.width : 1;
    detail::Slot<T> slot{.channels = channel_count,
                         .image = width * channel_count,
                         .column = domain == Domain::row ? channel_count : 0,
                         .memory = FeatureMap<T>({walk.batch, 1, width, channel_count})};
    slot.data = slot.memory.data();
    plan_.slots_.push_back(std::move(slot));
    return std::ssize(plan_.slots_) - 1;
  }
  [[nodiscard]] static Value of_map(Variable<T> map) {
    Value y;
    y.known = {Domain::map}, y.map = map;
    return y;
  }
  /// The slot of a value; of a map one that looks at it.
  [[nodiscard]] Index slot_of(const Value& value) {
    if (value.known.domain != Domain::map) return value.slot;
    const FeatureView<const T> map = value.map->value();
    const Shape<4> s = map.shape();
    plan_.slots_.push_back(
        {const_cast<T*>(map.data()), s.c(), s.h() * s.w() * s.c(), s.w() * s.c(), s.c()});
    return std::ssize(plan_.slots_) - 1;
  }
  /// The slot of a value that operations on rows read.
  [[nodiscard]] Index row_of(const Value& value) {
    if (value.known.domain != Domain::map) return value.slot;
    const Index map = slot_of(value), row = make_slot(Domain::row, channels(map));
    emplace<detail::RowOfMap<T>>(value.known, map, row);
    return row;
  }
  [[nodiscard]] FeatureView<const T> walk_condition() const {
    const auto* const told = std::get_if<FeatureView<const T>>(&plan_.walk.condition);
    return told != nullptr ? *told : FeatureView<const T>();
  }
  [[nodiscard]] Tape<T>& maps() {
    if (plan_.maps_ == nullptr) {
      plan_.maps_ =
          std::make_unique<Tape<T>>(TapeOptions{.threads = 1, .record = false, .walk_bits = true});
      plan_.maps_->set_condition(plan_.maps_->constant(walk_condition()));
    }
    return *plan_.maps_;
  }
  /// Adds an operation; `reads` is what is known of what it reads.
  template <class O, class... Arguments>
  void emplace(const Known& reads, Arguments&&... arguments) {
    plan_.operations_.push_back(std::make_unique<O>(std::forward<Arguments>(arguments)...));
    plan_.operations_.back()->sees_own = reads.sees_own();
  }

  Plan<T>& plan_;
  const char* where_;
};

}  // namespace pixelrnn::inline PIXELRNN_ABI
