// SPDX-License-Identifier: MIT
#include <cmath>
#include <string>
#include <vector>

#include <pixelrnn/nn/convolution/masked_conv2d.hpp>
#include <pixelrnn/nn/convolution/one_hot_conv2d.hpp>
#include <pixelrnn/nn/gate.hpp>
#include <pixelrnn/nn/network/network.hpp>
#include <pixelrnn/nn/relu.hpp>
#include <pixelrnn/nn/sequential.hpp>

#include "support/allocations.hpp"
#include "support/layer_checks.hpp"

using namespace pixelrnn;
using test::random_map;

namespace {

using NetBackend = test::XsimdBackend;
using NetConv = MaskedConv2d<Mask, NetBackend>;

NetConv net_conv(const Mask& mask, Index in, Index out, Index rows, Index columns, Rng& rng,
                 Index colours = 1) {
  return {mask,
          {.in_channels = in,
           .out_channels = out,
           .kernel_height = rows,
           .kernel_width = columns,
           .colours = colours},
          rng};
}

/// Two gated stacks: what a Gated PixelCNN is made of.
class NetStacks : public Network<NetStacks, double> {
 public:
  explicit NetStacks(Rng& rng, Index colours = 1)
      : first(net_conv(MaskAbove{}, colours, 12, 3, 3, rng)),
        second(net_conv(MaskAboveAndRow{}, 6, 12, 3, 3, rng)),
        down(net_conv(NoMask{}, 12, 12, 1, 1, rng)),
        own(net_conv(MaskA{}, colours, 12, 1, 3, rng, colours)),
        deep(net_conv(MaskB{}, 6, 12, 1, 3, rng, colours)),
        out(net_conv(MaskB{}, 6, 6, 1, 1, rng, colours)),
        logits(net_conv(MaskB{}, 6, 3, 1, 1, rng, colours)),
        gate(colours) {}

  template <class Pass>
  auto run(Pass& p, typename Pass::Value x) const {
    auto v = p(first, x);
    auto h = p(gate, p.add(p(own, x), down, v));
    v = p(second, p(gate, v));
    return p(logits, p.add(h, out, p(gate, p.add(p(deep, h), down, v))));
  }
  void for_each_parameter(auto&& visit) {
    visit("first", first), visit("second", second), visit("down", down), visit("own", own);
    visit("deep", deep), visit("out", out), visit("logits", logits);
  }

  NetConv first, second, down, own, deep, out, logits;
  Gate<NetBackend> gate;
};

NetStacks net_stacks(Index colours = 1) {
  Rng rng(1);
  NetStacks net(rng, colours);
  test::randomise(net, 2, 0.7);
  apply_masks(net);
  return net;
}

/// What NetStacks computes, layer by layer.
FeatureMap<double> stacks_by_hand(const NetStacks& net, const FeatureMap<double>& x) {
  Tape<double> tape;
  const auto in = tape.input(x);
  const auto v = net.first.forward(in);
  const auto h = net.gate.forward(add(net.own.forward(in), net.down.forward(v)));
  const auto v2 = net.second.forward(net.gate.forward(v));
  const auto g = net.gate.forward(add(net.deep.forward(h), net.down.forward(v2)));
  return FeatureMap<double>(net.logits.forward(add(h, net.out.forward(g))).value());
}

/// Two values live on from layer to layer.
struct NetDeep : Network<NetDeep, double> {
  explicit NetDeep(Index l) : layers(l) {}
  template <class Pass>
  auto run(Pass& p, typename Pass::Value x) const {
    auto v = p(relu, x), h = v;  // both live on
    for (Index l = 0; l < layers; ++l) {
      const auto v2 = p(relu, v);
      h = p.add(h, v2);
      v = p.add(v, relu, v2);
    }
    return p.add(v, h);
  }
  void for_each_parameter(auto&&) {}
  Index layers;
  ReLU<NetBackend> relu;
};

/// No network: a layer that holds one.
struct NetAround {
  using Scalar = double;
  using Inner = Sequential<NetConv, ReLU<NetBackend>>;
  using Cache = Inner::Cache;
  static constexpr bool separates_images = true;
  Inner inner;

  [[nodiscard]] Variable<double> forward(Variable<double> x) const { return inner.forward(x); }
  [[nodiscard]] Shape<4> output_shape(Shape<4> x) const { return inner.output_shape(x); }
  void for_each_parameter(auto&& visit) { visit("inner", inner); }
  [[nodiscard]] Cache make_cache(Walk walk) const { return inner.make_cache(walk); }
  void step(Cache& cache, Index row, Index column, const MatrixView<const double>& x,
            const MatrixView<double>& y) const {
    inner.step(cache, row, column, x, y);
  }
  void end_row(Cache& cache, Index row) const { inner.end_row(cache, row); }
};

/// Whether run and for_each_parameter have its second layer is said later.
struct NetPartly : Network<NetPartly, double> {
  explicit NetPartly(Rng& rng)
      : a(net_conv(MaskA{}, 1, 2, 3, 3, rng)), b(net_conv(MaskB{}, 2, 2, 1, 1, rng)) {}
  template <class Pass>
  auto run(Pass& p, typename Pass::Value x) const {
    const auto h = p(a, x);
    return uses_b ? p(b, h) : h;
  }
  void for_each_parameter(auto&& visit) {
    visit("a", a);
    if (visits_b) visit("b", b);
  }
  NetConv a, b;
  bool uses_b = true, visits_b = true;
};

/// Maps of the condition, rows and pixels.
struct NetTold : Network<NetTold, double> {
  explicit NetTold(Rng& rng)
      : first(net_conv(MaskA{}, 1, 3, 3, 3, rng)),
        told(net_conv(NoMask{}, 2, 3, 3, 3, rng)),
        above(net_conv(MaskAbove{}, 1, 3, 3, 3, rng)),
        row(net_conv(MaskAboveAndRow{}, 3, 3, 1, 3, rng)) {}
  template <class Pass>
  auto run(Pass& p, typename Pass::Value x) const {
    const auto c = p(relu, p(told, p.condition(2)));  // of a map that is known: any pixel of it
    const auto v = p(row, p.add(c, above, x));        // of rows
    return p.add(p.add(p(first, x), c), v);
  }
  void for_each_parameter(auto&& visit) {
    visit("first", first), visit("told", told), visit("above", above), visit("row", row);
  }
  NetConv first, told, above, row;
  ReLU<NetBackend> relu;
};

}  // namespace

TEST_CASE("A network is what its description says", "[nn][network]") {
  const NetStacks net = net_stacks();
  const auto x = random_map<double>({3, 5, 4, 1}, 3);
  CHECK(test::bit_difference(test::output(net, x), stacks_by_hand(net, x)) == "");
  CHECK(net.output_shape(x.shape()) == Shape<4>{3, 5, 4, 3});
  CHECK(net.flops(5, 4) == flops(net.first, 5, 4) + flops(net.second, 5, 4) +
                               2 * flops(net.down, 5, 4) + flops(net.own, 5, 4) +
                               flops(net.deep, 5, 4) + flops(net.out, 5, 4) +
                               flops(net.logits, 5, 4));
  CHECK(net.reach() == Reach{2, 2, 2});
  CHECK(net.describe() ==
        "Network(1 = MaskedConv2d<above>(1->12, 3x3) of 0; 2 = MaskedConv2d<A>(1->12, 1x3) of 0; "
        "3 = MaskedConv2d<none>(12->12, 1x1) of 1; 4 = 2 + 3; 5 = Gate of 4; 6 = Gate of 1; "
        "7 = MaskedConv2d<above_and_row>(6->12, 3x3) of 6; 8 = MaskedConv2d<B>(6->12, 1x3) of 5; "
        "9 = MaskedConv2d<none>(12->12, 1x1) of 7; 10 = 8 + 9; 11 = Gate of 10; "
        "12 = MaskedConv2d<B>(6->6, 1x1) of 11; 13 = 5 + 12; "
        "14 = MaskedConv2d<B>(6->3, 1x1) of 13)");
}

TEST_CASE("A network has the gradients of its description", "[nn][network]") {
  NetStacks net = net_stacks();
  test::check_gradients(net, 1);
}

TEST_CASE("A network walks to the bits it gives for a whole map", "[nn][network]") {
  for (const Index colours : {1, 3}) {
    const NetStacks net = net_stacks(colours);
    for (const Shape<3>& map : test::small_maps) {
      CAPTURE(colours, map);
      test::check_walk_is_forward<NetBackend>(
          net, random_map<double>(test::with_channels(map, colours), 4));
    }
  }
}

TEST_CASE("Steps, rows and observations of a network allocate nothing", "[nn][network]") {
  const NetStacks net = net_stacks(3);
  const auto x = random_map<double>({2, 1, 1, 3}, 5);
  FeatureMap<double> y({2, 1, 1, 3});
  auto cache = net.make_cache({2, 3, 4, 3});
  const std::size_t before = test::allocation_count();
  for (Index row = 0; row < 3; ++row) {
    for (Index column = 0; column < 4; ++column) {
      for (Index g = 0; g < 3; ++g) {
        net.step(cache, row, column, as_rows(x.view()), as_rows(y.view()), {g, 3});
      }
      net.observe(cache, row, column, as_rows(x.view()));
    }
    net.end_row(cache, row);
  }
  CHECK(test::allocation_count() == before);
}

TEST_CASE("A plan knows whether its output sees the pixel that it tells of", "[nn][network]") {
  Rng rng(1);
  const auto known = [&](const Mask& mask, Index colours) {
    const Sequential net(net_conv(mask, 3, 6, 1, 1, rng, colours),
                         net_conv(MaskB{}, 6, 6, 1, 1, rng, colours));
    return net.make_cache({1, 2, 2, 3}).known();
  };
  CHECK(known(MaskA{}, 1).own == OwnPixel::nothing);
  CHECK(known(MaskB{}, 1).own == OwnPixel::own_colour);
  CHECK(known(MaskA{}, 3).own == OwnPixel::earlier_colours);
  CHECK(known(MaskB{}, 3).own == OwnPixel::own_colour);
  CHECK(known(NoMask{}, 3).own == OwnPixel::every_colour);
  CHECK(known(MaskAbove{}, 3).domain == Domain::row);
  CHECK_FALSE(net_stacks(3).make_cache({1, 2, 2, 3}).known().sees_own());
}

TEST_CASE("What a network does not hold gives its memory back", "[nn][network]") {
  const FeatureMap<double> x({2, 16, 16, 8}, 1.0);
  const auto run = [&](Index layers, bool record) {
    Tape<double> tape({.record = record});
    const auto y = NetDeep(layers).forward(tape.input(x));
    // v doubles, h adds each v.
    CHECK(y.value().data()[0] == 2.0 * static_cast<double>(Index{1} << layers));
    return tape.peak_bytes();
  };
  CHECK(run(20, false) == run(3, false));
  CHECK(run(20, true) > 3 * run(3, true));
}

TEST_CASE("What comes from outside a network stays, what it gives too", "[nn][network]") {
  const NetStacks net = net_stacks();
  const auto x = random_map<double>({2, 4, 4, 1}, 6);
  Tape<double> tape({.record = false});
  const auto before = scale(tape.input(x), 2.0);
  const auto y = net.forward(before), z = net.forward(before);
  CHECK(test::bit_difference(FeatureMap<double>(y.value()), FeatureMap<double>(z.value())) == "");
  CHECK(add(y, z).value().data()[0] == 2 * y.value().data()[0]);
  CHECK(before.value().data()[3] == 2 * x.data()[3]);
  tape.reset();
  CHECK_THROWS_ERROR(y.value(), ConfigError,
                     "Variable: used after its tape was reset; compute it anew");
}

TEST_CASE("A variable whose memory was given back is an error, not other numbers",
          "[nn][network]") {
  // A layer that keeps a handle of what it has computed within.
  struct Keeps : ReLU<NetBackend> {
    [[nodiscard]] Variable<double> forward(Variable<double> x) const {
      const auto within = scale(x, 3.0);
      kept->push_back(within);
      return scale(within, 2.0);
    }
    std::vector<Variable<double>>* kept = nullptr;
  };
  std::vector<Variable<double>> kept;
  Keeps layer;
  layer.kept = &kept;
  const Sequential net(layer, layer);
  const auto x = random_map<double>({1, 2, 2, 1}, 6);
  Tape<double> tape({.record = false});
  CHECK(net.forward(tape.input(x)).value().data()[0] == 36 * x.data()[0]);
  CHECK_THROWS_ERROR(kept[0].value(), ConfigError,
                     "Variable: used after its memory was given back");
  Tape<double> recording;
  kept.clear();
  static_cast<void>(net.forward(recording.input(x)));
  CHECK(kept[0].value().data()[0] == 3 * x.data()[0]);
}

TEST_CASE("A network is told what its walk needs", "[nn][network]") {
  Rng rng(1);
  CHECK_THROWS_ERROR(net_stacks().make_cache({2, 3, 4}), ConfigError,
                     "Network: Walk::channels is 0, expected C of x");
  CHECK_THROWS_ERROR(net_stacks().make_cache({2, 3, 4, 2}), ShapeError,
                     "MaskedConv2d: x is (N=2, H=3, W=4, C=2), expected (N, H, W, C=1)");
  const Sequential future(net_conv(MaskAboveAndRow{}, 1, 2, 3, 3, rng));
  CHECK_THROWS_ERROR(future.make_cache({1, 3, 3, 1}), ConfigError,
                     "mask \"above_and_row\" reads row +0, column +1");
  const Sequential below(net_conv(MaskAbove{}, 1, 2, 3, 3, rng),
                         net_conv(NoMask{}, 2, 2, 3, 3, rng));
  CHECK_THROWS_ERROR(below.make_cache({1, 3, 3, 1}), ConfigError,
                     "mask \"none\" reads row +1, column +1");
}

TEST_CASE("A layer of one's own may have a net within, of other channels", "[nn][network]") {
  Rng rng(1);
  const NetAround around{Sequential(net_conv(MaskB{}, 4, 3, 3, 3, rng), ReLU<NetBackend>())};
  const Sequential net(net_conv(MaskA{}, 1, 4, 3, 3, rng), around);
  const auto x = random_map<double>({2, 3, 4, 1}, 3);
  CHECK(test::bit_difference(test::walk(net, x), test::output(net, x)) == "");
}

TEST_CASE("A network must visit the layers that it uses, and no others", "[nn][network]") {
  Rng rng(1);
  NetPartly net(rng);
  CHECK_NOTHROW(net.make_cache({1, 2, 2, 1}));
  net.visits_b = false;
  CHECK_THROWS_ERROR(net.make_cache({1, 2, 2, 1}), ConfigError,
                     "Network: for_each_parameter does not visit what run uses, "
                     "MaskedConv2d<B>(2->2, 1x1): weights; it would be neither trained nor saved");
  net.uses_b = false;
  CHECK_NOTHROW(net.require_visited());
  net.visits_b = true;
  CHECK_THROWS_ERROR(net.require_visited(), ConfigError,
                     "Network: for_each_parameter visits b.weights, which no layer that run uses "
                     "has");
}

TEST_CASE("A network uses what its images are told", "[nn][network]") {
  Rng rng(1);
  NetTold net(rng);
  test::randomise(net, 2, 0.7);
  apply_masks(net);
  const auto x = random_map<double>({2, 3, 4, 1}, 3);
  // A map, and something told image by image.
  for (const Shape<4>& told : {Shape<4>{2, 3, 4, 2}, Shape<4>{2, 1, 1, 2}}) {
    CAPTURE(told);
    const auto c = random_map<double>(told, 4);
    Tape<double> tape({.record = false, .walk_bits = true});
    tape.set_condition(tape.constant(c));
    const FeatureMap<double> whole(net.forward(tape.input(x)).value());
    CHECK(test::bit_difference(test::walk(net, x, test::Visits::once, c), whole) == "");
    CHECK(gradcheck(net, {x, c}, [&](Tape<double>& told_tape, const auto& in) {
      told_tape.set_condition(in[1]);
      return net.forward(in[0]);
    }));
  }
  CHECK_THROWS_ERROR(net.make_cache({2, 3, 4, 1}), ConfigError,
                     "Network: run asks for a condition, but nothing is told of the images");
  CHECK_THROWS_ERROR(test::output(net, x), ConfigError, "run asks for a condition");
  const FeatureMap<double> other({2, 1, 1, 3});
  CHECK_THROWS_ERROR(
      net.make_cache(
          {.batch = 2, .height = 3, .width = 4, .channels = 1, .condition = other.view()}),
      ShapeError, "run asks for a condition of 2 channels, the images are told 3");
}

TEST_CASE("Rows of layers that are told something, and of one-hot levels", "[nn][network]") {
  using OneHot = OneHotConv2d<Mask, NetBackend>;
  Rng rng(1);
  const auto told_conv = [&](const Mask& mask, Index in) {
    return NetConv(mask,
                   {.in_channels = in,
                    .out_channels = 3,
                    .kernel_height = 3,
                    .kernel_width = 3,
                    .relu_input = in > 1,
                    .condition_channels = 2},
                   rng);
  };
  Sequential net(told_conv(MaskAbove{}, 1), told_conv(MaskAboveAndRow{}, 3));
  Sequential levels(OneHot(MaskAbove{},
                           {.channels = 1,
                            .levels = 4,
                            .out_channels = 3,
                            .kernel_height = 5,
                            .kernel_width = 3,
                            .condition_channels = 2},
                           rng),
                    told_conv(MaskAboveAndRow{}, 3));
  test::randomise(net, 3), test::randomise(levels, 4);
  apply_masks(net), apply_masks(levels);
  auto x = random_map<double>({2, 4, 5, 1}, 1);
  const auto check = [&](const auto& layer) {
    for (const Shape<4>& told : {Shape<4>{2, 4, 5, 2}, Shape<4>{2, 1, 1, 2}}) {
      const auto c = random_map<double>(told, 2);
      Tape<double> tape({.record = false, .walk_bits = true});
      tape.set_condition(tape.constant(c));
      const FeatureMap<double> whole(layer.forward(tape.constant(x)).value());
      CHECK(test::bit_difference(test::walk(layer, x, test::Visits::once, c), whole) == "");
      const Walk told_walk{2, 4, 5, 1, nullptr, c.view()};
      CHECK(layer.make_cache(told_walk).known().domain == Domain::row);
    }
  };
  check(net);
  for (double& v : x) v = std::floor(2 * v + 2);
  check(levels);
  // Rows have one layout.
  const auto c = random_map<double>({2, 1, 1, 2}, 2);
  auto rows =
      net.layer<1>().make_row_cache({.batch = 2, .height = 4, .width = 5, .condition = c.view()});
  FeatureMap<double> row({1, 1, 10, 3});
  CHECK_THROWS_ERROR(net.layer<1>().observe_row(rows, 0, {row.data(), 9, 3, 3}), ShapeError,
                     "MaskedConv2d: x of a row is (9, 3) with rows 3 apart, expected (10, 3)");
  CHECK_THROWS_ERROR(net.layer<1>().step_row(rows, 4, {row.data(), 10, 3, 3}), ShapeError,
                     "MaskedConv2d: row 4 is not in the 4x5 map");
}
