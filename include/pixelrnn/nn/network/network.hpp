// SPDX-License-Identifier: MIT
// Network: a net is written once, as a function of a pass; both of its walks come from it.
#pragma once

#include <string>
#include <utility>

#include <pixelrnn/nn/network/map_pass.hpp>
#include <pixelrnn/nn/network/network_passes.hpp>
#include <pixelrnn/nn/network/plan.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// A layer that is made of layers, described by one function:
///
///   class TwoStacks : public Network<TwoStacks> {
///    public:
///     template <class Pass>
///     auto run(Pass& p, typename Pass::Value x) const {
///       const auto v = p(vertical, x);
///       return p(logits, p.add(p(horizontal, x), down, v));
///     }
///     void for_each_parameter(auto&& visit) { visit("vertical", vertical), ...; }
///     ...
///
/// A pass `p` gives
///   p(layer, x)           the layer's output for x; a layer may be a Network too
///   p.add(a, b)           a + b
///   p.add(a, layer, x)    a + the layer's output for x, in one pass where the layer can
///   p.condition(C)        what the images are told (Tape::set_condition), a map of C channels; the
///                         same everywhere if it is told image by image, as classes are
///   p.dropout(x)          x, or what training leaves of it (TrainerOptions::dropout)
/// What `run` computes must not depend on values, which it never sees: it is called once for a
/// whole map (MapPass), once to plan the walk of any number of pixels (Plan), and for shapes, FLOP,
/// reach and description. A walk computes a row at a time what is made of rows above alone
/// (MaskAbove, then MaskAboveAndRow or anything pointwise), and once what is made of the condition
/// alone; after a pixel is drawn it repeats only what changes with it.
/// Costs: those of the layers; recording a plan, some microseconds a walk and layer.
/// make_cache needs Walk::channels. Throws ConfigError where a layer reads what a walk does not
/// know yet, and if for_each_parameter and run do not have the same layers; ShapeError if values do
/// not fit.
/// A net of layers that do not promise separates_images, or have no walk, says so by a member
/// static constexpr bool separates_images or is_incremental = false. `name`, a static const char*,
/// is what errors call it.
template <class Derived, class T = float>
class Network : public detail::NetworkTag {
 public:
  using Scalar = T;
  static constexpr bool separates_images = true;
  static constexpr bool is_incremental = true;
  static constexpr const char* name = "Network";

  [[nodiscard]] Variable<T> forward(Variable<T> x) const {
    static_cast<void>(self().output_shape(x.shape()));
    MapPass<T> pass(x.tape(), x.shape());
    return pass.output(self().run(pass, pass.input(x)));
  }
  [[nodiscard]] Shape<4> output_shape(Shape<4> x) const {
    detail::ShapePass<Derived::separates_images> pass(Derived::name, x);
    return self().run(pass, x);
  }
  [[nodiscard]] Index flops(Index height, Index width) const {
    detail::FlopPass pass(height, width);
    static_cast<void>(self().run(pass, {}));
    return pass.total();
  }
  [[nodiscard]] Reach reach() const {
    detail::ReachPass pass;
    return self().run(pass, {});
  }
  /// "Network(1 = MaskedConv2d<A>(1->16, 7x7) of 0; ...)": what is computed of what, x being 0.
  [[nodiscard]] std::string describe() const {
    detail::ListPass<T> pass;
    static_cast<void>(self().run(pass, 0));
    return Derived::name + ('(' + pass.text() + ')');
  }
  /// Throws ConfigError unless for_each_parameter visits the layers that run uses.
  void require_visited() const {
    detail::ListPass<T> pass;
    static_cast<void>(self().run(pass, 0));
    pass.require_all(Derived::name, parameters(self()));
  }

  using Cache = Plan<T>;
  template <class D = Derived>  // which is not known yet when this class is
  requires(D::is_incremental) [[nodiscard]] Cache make_cache(Walk walk) const {
    require_visited();
    Plan<T> plan;
    PlanPass<T> pass(plan, Derived::name, walk);
    static_cast<void>(self().output_shape({walk.batch, walk.height, walk.width, walk.channels}));
    pass.output(self().run(pass, pass.input()));
    return plan;
  }
  void step(Cache& plan, Index row, Index column, const MatrixView<const T>& x,
            const MatrixView<T>& y, const ColourGroup& colour = {}) const {
    plan.step(Derived::name, row, column, x, y, colour);
  }
  /// Tells the layers that see the pixel what it is.
  void observe(Cache& plan, Index row, Index column, const MatrixView<const T>& x) const {
    plan.observe(Derived::name, row, column, x);
  }
  void end_row(Cache& plan, Index row) const { plan.end_row(Derived::name, row); }

 private:
  [[nodiscard]] const Derived& self() const { return static_cast<const Derived&>(*this); }
};

}  // namespace pixelrnn::inline PIXELRNN_ABI
