// SPDX-License-Identifier: MIT
// Sequential: layers one after the other, of any types.
#pragma once

#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include <pixelrnn/autodiff/chain.hpp>
#include <pixelrnn/autodiff/functions.hpp>
#include <pixelrnn/nn/layer.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// y = L_n(... L_2(L_1(x))). Incremental if every layer is.
template <class First, class... Rest>
class Sequential {
  static_assert(Layer<First> && (Layer<Rest> && ...),
                "Sequential takes layers: see concept Layer in pixelrnn/nn/layer.hpp and "
                "examples/custom_layer.cpp");
  static_assert(detail::OneScalar<First, Rest...>,
                "Layers of one net have one Scalar: give all of them the same Backend");
  static_assert(detail::WholeWalk<First>::value && (detail::WholeWalk<Rest>::value && ...));

 public:
  using Scalar = typename First::Scalar;
  using Execution = ExecutionOf<First>;
  static constexpr bool separates_images = SeparatesImages<First> && (SeparatesImages<Rest> && ...);
  static constexpr std::size_t size = 1 + sizeof...(Rest);
  static constexpr bool is_incremental = IncrementalLayer<First> && (IncrementalLayer<Rest> && ...);
  /// The first layer that observes; `size` if none does.
  static constexpr std::size_t observing = [] {
    constexpr bool observes[] = {ObservingLayer<First>, ObservingLayer<Rest>...};
    return static_cast<std::size_t>(std::find(observes, observes + size, true) - observes);
  }();
  static constexpr bool is_observing = is_incremental && observing < size;
  static constexpr bool steps_colours =
      detail::StepsColours<std::tuple_element_t<size - 1, std::tuple<First, Rest...>>>;

  explicit Sequential(First first, Rest... rest) : layers_(std::move(first), std::move(rest)...) {}

  template <std::size_t I>
  [[nodiscard]] auto& layer() {
    return std::get<I>(layers_);
  }
  template <std::size_t I>
  [[nodiscard]] const auto& layer() const {
    return std::get<I>(layers_);
  }

  [[nodiscard]] Variable<Scalar> forward(Variable<Scalar> x) const {
    const Chain<Scalar> chain(x.tape());
    std::apply([&](const auto&... layer) { ((x = chain.keep(layer.forward(x))), ...); }, layers_);
    return x;
  }
  /// residual + forward(x), in one pass if the last layer can.
  [[nodiscard]] Variable<Scalar> forward_add(Variable<Scalar> x, Variable<Scalar> residual) const {
    const Chain<Scalar> chain(x.tape());
    const auto& last = layer<size - 1>();
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      ((x = chain.keep(layer<I>().forward(x))), ...);
    }
    (std::make_index_sequence<size - 1>{});
    if constexpr (requires { last.forward_add(x, residual); }) {
      return last.forward_add(x, residual);
    } else {
      return add(residual, last.forward(x));
    }
  }
  [[nodiscard]] Shape<4> output_shape(Shape<4> x) const {
    std::apply([&x](const auto&... layer) { ((x = layer.output_shape(x)), ...); }, layers_);
    return x;
  }
  [[nodiscard]] Index flops(Index height, Index width) const {
    return std::apply(
        [=](const auto&... layer) { return (pixelrnn::flops(layer, height, width) + ...); },
        layers_);
  }
  /// "Sequential(ReLU, ...)"
  [[nodiscard]] std::string describe() const { return "Sequential(" + describe_layers() + ')'; }
  /// What is in the brackets.
  [[nodiscard]] std::string describe_layers() const {
    std::string text;
    std::apply(
        [&text](const auto&... layer) {
          ((text += (text.empty() ? "" : ", ") + description_of(layer)), ...);
        },
        layers_);
    return text;
  }
  void for_each_parameter(auto&& visit) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (visit(std::to_string(I), std::get<I>(layers_)), ...);
    }
    (std::make_index_sequence<size>{});
  }

  struct Cache {
    CacheOf<First> first;
    std::tuple<CacheOf<Rest>...> rest;
    detail::GuardedWalk walk;
    Index channels;                           ///< of x; -1 before the first step
    std::vector<FeatureMap<Scalar>> between;  ///< output of each layer, one pixel
  };
  [[nodiscard]] Cache make_cache(Walk walk) const requires is_incremental {
    return std::apply(
        [walk](const First& first, const Rest&... rest) {
          return Cache{detail::make_inner_cache(first, walk),
                       {detail::make_inner_cache(rest, walk)...},
                       {walk},
                       -1,
                       {}};
        },
        layers_);
  }
  void step(Cache& cache, Index row, Index column, const MatrixView<const Scalar>& x,
            const MatrixView<Scalar>& y,
            const ColourGroup& colour = {}) const requires is_incremental {
    step_add(cache, row, column, x, {}, y, colour);
  }
  /// y = residual + what step gives, in one pass if the last layer can. No residual: none is added.
  /// Errors name `where`.
  void step_add(Cache& cache, Index row, Index column, const MatrixView<const Scalar>& x,
                const MatrixView<const Scalar>& residual, const MatrixView<Scalar>& y,
                const ColourGroup& colour = {},
                const char* where = "Sequential") const requires is_incremental {
    begin_step(cache, row, column, x, where);
    const Index channels = cache.between.back().shape().c();
    detail::require_output(where, cache.walk, y, channels, residual);
    step_from<0>(cache, row, column, x, residual, y, colour);
  }
  /// Steps the layers before the first that observes, and tells that one what they give: what comes
  /// after it does not change.
  void observe(Cache& cache, Index row, Index column,
               const MatrixView<const Scalar>& x) const requires is_observing {
    begin_step(cache, row, column, x);
    observe_from<0>(cache, row, column, x);
  }
  void end_row(Cache& cache, Index row) const requires is_incremental {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (std::get<I>(layers_).end_row(cache_of<I>(cache), row), ...);
    }
    (std::make_index_sequence<size>{});
  }

 private:
  template <std::size_t I>
  static auto& cache_of(Cache& cache) {
    if constexpr (I == 0) {
      return cache.first;
    } else {
      return std::get<I - 1>(cache.rest);
    }
  }
  void begin_step(Cache& cache, Index row, Index column, const MatrixView<const Scalar>& x,
                  const char* where = "Sequential") const {
    detail::require_input(where, cache.walk, row, column, x, x.columns);
    if (x.columns != cache.channels) make_room(cache, x);
  }
  /// Only the first step knows how many channels x has.
  void make_room(Cache& cache, const MatrixView<const Scalar>& x) const {
    Shape<4> shape{x.rows, 1, 1, x.columns};
    std::vector<FeatureMap<Scalar>> rooms;
    std::apply(
        [&](const auto&... layer) {
          ((shape = layer.output_shape(shape), rooms.emplace_back(shape)), ...);
        },
        layers_);
    cache.between = std::move(rooms), cache.channels = x.columns;
  }
  template <std::size_t I>
  void observe_from(Cache& cache, Index row, Index column,
                    const MatrixView<const Scalar>& x) const {
    if constexpr (I < observing) {
      const MatrixView<Scalar> out = as_rows(cache.between[I].view());
      std::get<I>(layers_).step(cache_of<I>(cache), row, column, x, out);
      observe_from<I + 1>(cache, row, column, out);
    } else {
      std::get<I>(layers_).observe(cache_of<I>(cache), row, column, x);
    }
  }
  template <std::size_t I>
  void step_from(Cache& cache, Index row, Index column, const MatrixView<const Scalar>& x,
                 const MatrixView<const Scalar>& residual, const MatrixView<Scalar>& y,
                 const ColourGroup& colour) const {
    const auto& layer = std::get<I>(layers_);
    auto& own = cache_of<I>(cache);
    if constexpr (I + 1 < size) {
      const MatrixView<Scalar> out = as_rows(cache.between[I].view());
      detail::step_colour(layer, own, row, column, x, out, colour);
      step_from<I + 1>(cache, row, column, out, residual, y, colour);
    } else if constexpr (requires { layer.step_add(own, row, column, x, residual, y, colour); }) {
      layer.step_add(own, row, column, x, residual, y, colour);
    } else if constexpr (requires { layer.step_add(own, row, column, x, residual, y); }) {
      layer.step_add(own, row, column, x, residual, y);
    } else {
      detail::step_colour(layer, own, row, column, x, y, colour);
      // A layer that knows no colours has written all of y.
      const ColourGroup written =
          detail::StepsColours<std::decay_t<decltype(layer)>> ? colour : ColourGroup{};
      const Index first = written.first(residual.columns), count = written.count(residual.columns);
      for (Index b = 0; b < residual.rows; ++b) {
        detail::add_to(count, residual.row(b) + first, y.row(b) + first);
      }
    }
  }

  std::tuple<First, Rest...> layers_;
};

/// Sequential(net) is a sequence of one layer, net, as it is of any other: its layer<0>() is net. A
/// copy is made by = or by Sequential<...>(net).
template <class First, class... Rest>
explicit Sequential(Sequential<First, Rest...>) -> Sequential<Sequential<First, Rest...>>;

}  // namespace pixelrnn::inline PIXELRNN_ABI
