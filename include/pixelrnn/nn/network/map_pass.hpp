// SPDX-License-Identifier: MIT
// MapPass: a net's description run over whole maps, on a tape.
#pragma once

#include <utility>

#include <pixelrnn/autodiff/functions.hpp>
#include <pixelrnn/nn/layer.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// The pass of training and evaluation (see Network). On a tape that does not record, a value's
/// memory goes back when the last copy of it is gone: a net needs as much as its description holds
/// at once.
template <class T>
class MapPass {
 public:
  /// For images of the shape (N, H, W, C).
  MapPass(Tape<T>& tape, const Shape<4>& images) : tape_(tape), images_(images) {}

  /// A variable, and a share in its memory.
  class Value {
   public:
    Value(const Value& other) : variable_(other.variable_), block_(other.block_) { hold(); }
    Value(Value&& other) noexcept
        : variable_(other.variable_), block_(std::exchange(other.block_, none)) {}
    Value& operator=(Value other) noexcept {
      std::swap(variable_, other.variable_), std::swap(block_, other.block_);
      return *this;
    }
    ~Value() {
      if (block_ == none) return;
      auto& maps = variable_.tape().maps_;
      maps.let_go(block_);
      if (!maps.is_held(block_)) variable_.tape().give_back(block_);
    }

    [[nodiscard]] const Variable<T>& variable() const { return variable_; }

   private:
    friend class MapPass;
    static constexpr Index none = detail::MapMemory::none;

    Value(Variable<T> variable, Index block) : variable_(variable), block_(block) { hold(); }
    void hold() {
      if (block_ != none) variable_.tape().maps_.hold(block_);
    }
    Variable<T> variable_;
    Index block_;  ///< `none` for memory that is not the pass's to give back
  };

  /// What comes from outside, and stays there.
  [[nodiscard]] Value input(Variable<T> x) const { return {x, Value::none}; }
  /// What leaves the pass: its memory stays until whoever called the net has no need of it.
  [[nodiscard]] Variable<T> output(Value y) const {
    if (y.block_ != Value::none) tape_.maps_.let_go(std::exchange(y.block_, Value::none));
    return y.variable();
  }

  template <Layer L>
  [[nodiscard]] Value operator()(const L& layer, Value x) {
    if constexpr (IsNetwork<L>) {
      return layer.run(*this, std::move(x));
    } else {
      return sweep([&] { return layer.forward(x.variable()); });
    }
  }
  [[nodiscard]] Value add(const Value& a, const Value& b) {
    return sweep([&] { return pixelrnn::add(a.variable(), b.variable()); });
  }
  template <Layer L>
  [[nodiscard]] Value add(const Value& a, const L& layer, Value x) {
    if constexpr (AddingLayer<L>) {
      return sweep([&] { return layer.forward_add(x.variable(), a.variable()); });
    } else {
      return add(a, (*this)(layer, std::move(x)));
    }
  }
  [[nodiscard]] Value condition(Index channels) {
    const auto& told = tape_.condition();
    detail::require_condition(channels, told ? told->shape().c() : 0);
    return sweep([&] { return broadcast(*told, images_); });
  }
  [[nodiscard]] Value dropout(Value x) {
    if (tape_.dropout().rate == 0) return x;
    return sweep([&] { return pixelrnn::dropout(x.variable()); });
  }

 private:
  /// What f() gives; all else that it asked for goes back.
  template <class F>
  [[nodiscard]] Value sweep(const F& f) {
    if (tape_.records()) return {f(), Value::none};
    detail::MapMemory& maps = tape_.maps_;
    const std::size_t before = maps.now();
    const Variable<T> y = f();
    const Index block = maps.find(y.value().data());
    maps.for_each_unheld(before, block, [&](Index unused) { tape_.give_back(unused); });
    const bool is_ours =
        block != Value::none && (maps.is_since(before, block) || maps.is_held(block));
    return {y, is_ours ? block : Value::none};
  }

  Tape<T>& tape_;
  Shape<4> images_;
};

}  // namespace pixelrnn::inline PIXELRNN_ABI
