// SPDX-License-Identifier: MIT
// Sequential: layers one after the other, of any types.
#pragma once

#include <string>
#include <tuple>
#include <utility>

#include <pixelrnn/kernels/backend.hpp>
#include <pixelrnn/nn/network/network.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// y = L_n(... L_2(L_1(x))). Incremental if every layer is.
template <class First, class... Rest>
class Sequential : public Network<Sequential<First, Rest...>, typename First::Scalar> {
  static_assert(Layer<First> && (Layer<Rest> && ...),
                "Sequential takes layers: see concept Layer in pixelrnn/nn/layer.hpp and "
                "examples/custom_layer.cpp");
  static_assert(detail::OneScalar<First, Rest...>,
                "Layers of one net have one Scalar: give all of them the same Backend");
  static_assert(detail::WholeWalk<First>::value && (detail::WholeWalk<Rest>::value && ...));

 public:
  using Execution = ExecutionOf<First>;
  static constexpr bool separates_images = SeparatesImages<First> && (SeparatesImages<Rest> && ...);
  static constexpr std::size_t size = 1 + sizeof...(Rest);
  static constexpr bool is_incremental = IncrementalLayer<First> && (IncrementalLayer<Rest> && ...);
  static constexpr const char* name = "Sequential";

  explicit Sequential(First first, Rest... rest) : layers_(std::move(first), std::move(rest)...) {}

  template <std::size_t I>
  [[nodiscard]] auto& layer() {
    return std::get<I>(layers_);
  }
  template <std::size_t I>
  [[nodiscard]] const auto& layer() const {
    return std::get<I>(layers_);
  }

  template <class Pass>
  [[nodiscard]] auto run(Pass& p, typename Pass::Value x) const {
    std::apply([&](const auto&... layer) { ((x = p(layer, std::move(x))), ...); }, layers_);
    return x;
  }
  /// residual + run(p, x), in one pass if the last layer can.
  template <class Pass>
  [[nodiscard]] auto run_add(Pass& p, const typename Pass::Value& residual,
                             typename Pass::Value x) const {
    [&]<std::size_t... I>(std::index_sequence<I...>) { ((x = p(layer<I>(), std::move(x))), ...); }
    (std::make_index_sequence<size - 1>{});
    return p.add(residual, layer<size - 1>(), std::move(x));
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

 private:
  std::tuple<First, Rest...> layers_;
};

/// Sequential(net) is a sequence of one layer, net, as it is of any other: its layer<0>() is net. A
/// copy is made by = or by Sequential<...>(net).
template <class First, class... Rest>
explicit Sequential(Sequential<First, Rest...>) -> Sequential<Sequential<First, Rest...>>;

}  // namespace pixelrnn::inline PIXELRNN_ABI
