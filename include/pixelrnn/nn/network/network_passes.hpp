// SPDX-License-Identifier: MIT
// What a net's description says without computing anything: shapes, FLOP, reach, layers.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include <pixelrnn/nn/network/reach.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

namespace detail {

/// The shape of each value, checked.
template <bool separates_images>
class ShapePass {
 public:
  using Value = Shape<4>;

  explicit ShapePass(const char* where, const Shape<4>& x) : where_(where), images_(x) {}

  template <Layer L>
  [[nodiscard]] Value operator()(const L& layer, const Value& x) const {
    static_assert(!separates_images || SeparatesImages<L>,
                  "A layer of this net does not promise separates_images (concept in "
                  "pixelrnn/nn/layer.hpp): give the net a static constexpr bool separates_images = "
                  "false, or the layer the promise");
    return layer.output_shape(x);
  }
  [[nodiscard]] Value add(const Value& a, const Value& b) const {
    if (a != b) {
      fail<ShapeError>(where_, ": run adds ", a, " and ", b, ", expected equal shapes");
    }
    return a;
  }
  template <Layer L>
  [[nodiscard]] Value add(const Value& a, const L& layer, const Value& x) const {
    return add(a, (*this)(layer, x));
  }
  [[nodiscard]] Value condition(Index channels) const { return images_.with_channels(channels); }
  [[nodiscard]] Value dropout(const Value& x) const { return x; }

 private:
  const char* where_;
  Shape<4> images_;
};

class FlopPass {
 public:
  struct Value {};

  FlopPass(Index height, Index width) : height_(height), width_(width) {}
  [[nodiscard]] Index total() const { return total_; }

  template <Layer L>
  [[nodiscard]] Value operator()(const L& layer, Value) {
    total_ += pixelrnn::flops(layer, height_, width_);
    return {};
  }
  [[nodiscard]] Value add(Value, Value) const { return {}; }
  template <Layer L>
  [[nodiscard]] Value add(Value, const L& layer, Value x) {
    return (*this)(layer, x);
  }
  [[nodiscard]] Value condition(Index) const { return {}; }
  [[nodiscard]] Value dropout(Value x) const { return x; }

 private:
  Index height_, width_, total_ = 0;
};

class ReachPass {
 public:
  using Value = Reach;

  template <Layer L>
  [[nodiscard]] Value operator()(const L& layer, const Value& x) const {
    return x.then(reach_of(layer));
  }
  [[nodiscard]] Value add(const Value& a, const Value& b) const { return a.with(b); }
  template <Layer L>
  [[nodiscard]] Value add(const Value& a, const L& layer, const Value& x) const {
    return add(a, (*this)(layer, x));
  }
  [[nodiscard]] Value condition(Index) const { return {}; }
  [[nodiscard]] Value dropout(const Value& x) const { return x; }
};

/// Lists what is computed of what, and the parameters of all layers.
template <class T>
class ListPass {
 public:
  using Value = Index;  ///< values are numbered, x is 0

  template <Layer L>
  [[nodiscard]] Value operator()(const L& layer, Value x) {
    if constexpr (IsNetwork<L>) {
      return layer.run(*this, x);
    } else {
      const std::string what = description_of(layer);
      for (const auto& [name, parameter] : parameters(layer)) {
        used_.push_back({parameter, what + ": " + name});
      }
      return say(what + " of " + std::to_string(x));
    }
  }
  [[nodiscard]] Value add(Value a, Value b) {
    return say(std::to_string(a) + " + " + std::to_string(b));
  }
  template <Layer L>
  [[nodiscard]] Value add(Value a, const L& layer, Value x) {
    return add(a, (*this)(layer, x));
  }
  [[nodiscard]] Value condition(Index) { return say("the condition"); }
  [[nodiscard]] Value dropout(Value x) const { return x; }

  /// "1 = MaskedConv2d<A>(1->16, 7x7) of 0; 2 = 1 + 1"
  [[nodiscard]] const std::string& text() const { return text_; }
  /// Throws ConfigError unless `visited`, all parameters of a net, are those of its layers.
  template <class Named>
  void require_all(const char* where, const std::vector<Named>& visited) const {
    for (const Used& used : used_) {
      if (std::none_of(visited.begin(), visited.end(),
                       [&](const Named& v) { return v.parameter == used.parameter; })) {
        fail<ConfigError>(where, ": for_each_parameter does not visit what run uses, ", used.name,
                          "; it would be neither trained nor saved");
      }
    }
    for (const Named& v : visited) {
      if (std::none_of(used_.begin(), used_.end(),
                       [&](const Used& used) { return v.parameter == used.parameter; })) {
        fail<ConfigError>(where, ": for_each_parameter visits ", v.name,
                          ", which no layer that run uses has; it would be saved, and never ",
                          "trained");
      }
    }
  }

 private:
  struct Used {
    const Parameter<T>* parameter;
    std::string name;
  };
  [[nodiscard]] Value say(const std::string& what) {
    text_ += (last_ > 0 ? "; " : "") + std::to_string(last_ + 1) + " = " + what;
    return ++last_;
  }
  Index last_ = 0;
  std::string text_;
  std::vector<Used> used_;
};

}  // namespace detail
}  // namespace pixelrnn::inline PIXELRNN_ABI
