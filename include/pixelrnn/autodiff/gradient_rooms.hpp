// SPDX-License-Identifier: MIT
// GradientRooms: gradients apart from their parameters, so that threads can share one model.
#pragma once

#include <algorithm>
#include <functional>
#include <list>
#include <utility>
#include <vector>

#include <pixelrnn/autodiff/functions.hpp>
#include <pixelrnn/autodiff/parameter.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// Memory for all gradients of a model, several times over. While a Use is alive, what its thread
/// adds to Parameter::gradient() lands in one of these rooms, so several threads can differentiate
/// one model at the same time. add_up() then adds the rooms to the gradients proper, in their
/// order and whoever filled them: the same bits for any number of threads. Whoever runs a model in
/// several threads so must sweep each tape, and in it call Parameter::gradient(), on the thread
/// that holds the Use.
template <class T>
class GradientRooms {
 public:
  /// The parameters must stay where they are.
  explicit GradientRooms(const std::vector<NamedParameter<T>>& parameters) {
    constexpr Index line = 64 / static_cast<Index>(sizeof(T));
    for (const auto& [name, parameter] : parameters) {
      places_.push_back({parameter, size_, nullptr});
      size_ += (parameter->size() + line - 1) / line * line;
    }
    std::ranges::sort(places_, std::less<>(), &Place::parameter);
  }

  /// Makes room for `count` of them. Not while a Use is alive.
  void make(Index count) {
    if (rooms_.size() < count * size_) rooms_ = Tensor<T, 1>(Shape<1>{count * size_});
  }
  [[nodiscard]] std::size_t bytes() const {
    return static_cast<std::size_t>(rooms_.size()) * sizeof(T);
  }

  /// Sends this thread's gradients to a room, zeroed, until it is destroyed. What is added to
  /// parameters that are none of the model's is dropped, as no update would see it.
  class Use final : public detail::GradientTarget<T> {
   public:
    Use(GradientRooms& rooms, Index room)
        : rooms_(rooms),
          begin_(rooms.rooms_.data() + room * rooms.size_),
          before_(std::exchange(Target::current(), this)) {
      std::fill_n(begin_, rooms.size_, T{0});
    }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    ~Use() { Target::current() = before_; }

    FeatureView<T> gradient_of(const Parameter<T>& parameter) override {
      const auto place =
          std::ranges::lower_bound(rooms_.places_, &parameter, std::less<>(), &Place::parameter);
      if (place != rooms_.places_.end() && place->parameter == &parameter) {
        return {begin_ + place->offset, parameter.shape()};
      }
      return dropped_.emplace_back(parameter.shape());
    }

   private:
    using Target = detail::GradientTarget<T>;
    GradientRooms& rooms_;
    T* begin_;
    Target* before_;
    std::list<FeatureMap<T>> dropped_;
  };

  /// gradient += room 0 + ... + room count-1 for every parameter, in this order.
  template <Execution E>
  void add_up(int threads, Index count) {
    // On this thread: gradients may have to be made, and go where this one's do.
    for (Place& place : places_) place.sum = place.parameter->gradient().data();
    E::for_each(threads, std::ssize(places_), [&](Index p, Index) {
      const auto& [parameter, offset, sum] = places_[static_cast<std::size_t>(p)];
      for (Index room = 0; room < count; ++room) {
        detail::add_to(parameter->size(), rooms_.data() + room * size_ + offset, sum);
      }
    });
  }

 private:
  struct Place {
    const Parameter<T>* parameter;
    Index offset;
    T* sum;  ///< its gradient proper, while rooms are added up
  };
  std::vector<Place> places_;  // by address
  Index size_ = 0;
  Tensor<T, 1> rooms_;
};

}  // namespace pixelrnn::inline PIXELRNN_ABI
