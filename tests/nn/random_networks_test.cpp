// SPDX-License-Identifier: MIT
// Nets drawn at random: what a plan knows of them is what tests find, and pass and walk agree.
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <pixelrnn/nn/convolution/masked_conv2d.hpp>
#include <pixelrnn/nn/diagonal_lstm/diagonal_lstm.hpp>
#include <pixelrnn/nn/gate.hpp>
#include <pixelrnn/nn/network/network.hpp>
#include <pixelrnn/nn/relu.hpp>
#include <pixelrnn/nn/row_lstm/row_lstm.hpp>
#include <pixelrnn/nn/sequential.hpp>

#include "support/layer_checks.hpp"

using namespace pixelrnn;
using test::random_map;

namespace {

using RandomBackend = test::XsimdBackend;
using RandomConv = MaskedConv2d<Mask, RandomBackend>;
constexpr Index random_width = 6;  ///< channels of every value

/// What makes a value of one or two earlier ones.
struct RandomNode {
  enum Kind { conv, add_conv, row_lstm, diagonal, relu, gate, add } kind;
  std::size_t x, addend, layer;
};

/// A graph of layers, skips and stacks. The first nodes see x, the last one adds the loose ends.
class RandomNet : public Network<RandomNet, double> {
 public:
  template <class Pass>
  auto run(Pass& p, typename Pass::Value x) const {
    std::vector<typename Pass::Value> values{x};
    for (const RandomNode& node : nodes) values.push_back(of(p, node, values));
    return values.back();
  }
  void for_each_parameter(auto&& visit) {
    const auto all = [&](const char* kind, auto& layers) {
      for (std::size_t i = 0; i < layers.size(); ++i) visit(kind + std::to_string(i), layers[i]);
    };
    all("conv", convs), all("row", rows), all("diagonal", diagonals);
  }

  std::vector<RandomNode> nodes;
  std::vector<RandomConv> convs;
  std::vector<RowLSTM<LearnedState, RandomBackend>> rows;
  std::vector<DiagonalBiLSTM<LearnedState, RandomBackend>> diagonals;
  ReLU<RandomBackend> relu;
  Gate<RandomBackend> gate;

 private:
  template <class Pass>
  typename Pass::Value of(Pass& p, const RandomNode& node,
                          const std::vector<typename Pass::Value>& values) const {
    const auto& x = values[node.x];
    switch (node.kind) {
      case RandomNode::conv:
        return p(convs[node.layer], x);
      case RandomNode::add_conv:
        return p.add(values[node.addend], convs[node.layer], x);
      case RandomNode::row_lstm:
        return p(rows[node.layer], x);
      case RandomNode::diagonal:
        return p(diagonals[node.layer], x);
      case RandomNode::relu:
        return p(relu, x);
      case RandomNode::gate:
        return p(convs[node.layer], p(gate, x));
      case RandomNode::add:
        break;
    }
    return p.add(values[node.addend], x);
  }
};

/// Draws nets of some colours. `sound`: masks are chosen so that the net is causal and has a walk.
class RandomNets {
 public:
  RandomNets(std::uint64_t seed, Index colours, bool sound)
      : rng_(seed), colours_(colours), sound_(sound) {}

  [[nodiscard]] RandomNet draw() {
    RandomNet net;
    known_ = {{Domain::pixel, OwnPixel::own_colour, 0}};
    net.gate = Gate<RandomBackend>(sound_ ? colours_ : 1);
    const Index firsts = 1 + die(2), more = 2 + die(6);
    for (Index i = 0; i < firsts; ++i) put(net, RandomNode::conv, 0, 0);
    for (Index i = 0; i < more; ++i) put_any(net);
    // Loose ends count too.
    std::vector<bool> is_used(known_.size(), false);
    for (const RandomNode& node : net.nodes) {
      is_used[node.x] = true;
      if (adds(node.kind)) is_used[node.addend] = true;
    }
    for (std::size_t v = 1; v + 1 < is_used.size(); ++v) {
      if (!is_used[v]) put(net, RandomNode::add, known_.size() - 1, v);
    }
    test::randomise(net, 1 + rng_.below(1000), 0.8);
    apply_masks(net);
    return net;
  }

 private:
  using Kind = RandomNode::Kind;
  Index die(Index sides) {
    return static_cast<Index>(rng_.below(static_cast<std::uint64_t>(sides)));
  }
  std::size_t any_value() { return 1 + static_cast<std::size_t>(die(std::ssize(known_) - 1)); }

  static bool adds(Kind kind) { return kind == RandomNode::add || kind == RandomNode::add_conv; }
  void put_any(RandomNet& net) {
    constexpr Kind kinds[]{RandomNode::conv,     RandomNode::conv,     RandomNode::add_conv,
                           RandomNode::row_lstm, RandomNode::diagonal, RandomNode::relu,
                           RandomNode::gate,     RandomNode::add};
    put(net, kinds[die(8)], any_value(), any_value());
  }
  void put(RandomNet& net, Kind kind, std::size_t x, std::size_t addend) {
    const Index in = x == 0 ? colours_ : kind == RandomNode::gate ? random_width / 2 : random_width;
    std::size_t layer = 0;
    Known known = known_[x];
    if (kind == RandomNode::conv || kind == RandomNode::add_conv || kind == RandomNode::gate) {
      layer = net.convs.size();
      if (kind == RandomNode::gate) known = net.gate.known(known);
      net.convs.push_back(conv(in, known, x == 0));
      known = known_of(net.convs.back(), known);
    } else if (kind == RandomNode::row_lstm) {
      layer = net.rows.size();
      net.rows.push_back(recurrence<RowLSTM<LearnedState, RandomBackend>>());
      known.domain = Domain::pixel;
    } else if (kind == RandomNode::diagonal) {
      layer = net.diagonals.size();
      net.diagonals.push_back(recurrence<DiagonalBiLSTM<LearnedState, RandomBackend>>());
      known.domain = Domain::pixel;
    }
    if (adds(kind)) known = known.with(known_[addend]);
    net.nodes.push_back({kind, x, addend, layer});
    known_.push_back(known);
  }
  /// Of a net that is not sound, as far as it can be said.
  static Known known_of(const RandomConv& layer, const Known& x) {
    try {
      return layer.known(x);
    } catch (const ConfigError&) {
      return {Domain::pixel, OwnPixel::every_colour, layer.config().colours};
    }
  }
  RandomConv conv(Index in, const Known& x, bool is_first) {
    const Index rows = 1 + 2 * die(2), columns = 1 + 2 * die(2);
    std::vector<Mask> masks;
    if (!sound_) masks = {MaskA{}, MaskB{}, MaskAbove{}, MaskAboveAndRow{}, NoMask{}};
    if (sound_) {
      // One row above at least, or nothing is seen.
      if (rows > 1) masks.push_back(MaskAbove{});
      if (x.domain == Domain::row) masks.push_back(MaskAboveAndRow{});
      if (x.own != OwnPixel::every_colour) masks.push_back(MaskA{});
      if (!is_first && x.own <= OwnPixel::earlier_colours) masks.push_back(MaskB{});
      if (masks.empty()) masks.push_back(MaskAbove{});
    }
    const Mask mask = masks[static_cast<std::size_t>(die(std::ssize(masks)))];
    return {mask,
            {.in_channels = in,
             .out_channels = random_width,
             .kernel_height = mask.name == "above" ? 3 : rows,
             .kernel_width = columns,
             .dilation = 1 + die(2),
             .colours = colours_,
             .relu_input = die(3) == 0},
            rng_};
  }
  template <class R>
  R recurrence() {
    return R({.in_channels = random_width, .hidden = random_width, .colours = colours_}, rng_);
  }

  Rng rng_;
  Index colours_;
  bool sound_;
  std::vector<Known> known_;  ///< of x, then of each node
};

/// The output of a walk as samplers take it: each pixel's colours one by one, then the pixel.
FeatureMap<double> sampled(const RandomNet& net, const FeatureMap<double>& x) {
  const Shape<4> s = x.shape();
  FeatureMap<double> y(net.output_shape(s)), in({s.n(), 1, 1, s.c()}),
      out({s.n(), 1, 1, random_width});
  auto cache = net.make_cache({s.n(), s.h(), s.w(), s.c()});
  for (Index r = 0; r < s.h(); ++r) {
    for (Index j = 0; j < s.w(); ++j) {
      in.fill(7);
      for (Index g = 0; g < s.c(); ++g) {
        net.step(cache, r, j, as_rows(std::as_const(in).view()), as_rows(out.view()), {g, s.c()});
        for (Index n = 0; n < s.n(); ++n) in(n, 0, 0, g) = x(n, r, j, g);
      }
      net.observe(cache, r, j, as_rows(std::as_const(in).view()));
      for (Index n = 0; n < s.n(); ++n) std::copy_n(&out(n, 0, 0, 0), random_width, &y(n, r, j, 0));
    }
    net.end_row(cache, r);
  }
  return y;
}

/// Whether an output of some colour changes with a sub-pixel at or after its own.
bool leaks(const RandomNet& net, const FeatureMap<double>& x) {
  const Shape<4> s = x.shape();
  const auto y = test::output(net, x);
  const Index subpixels = s.h() * s.w() * s.c();
  for (Index first = 0; first < subpixels; ++first) {
    auto other = x;
    const auto future = random_map<double>(s, 99, -3, 3);
    std::copy(future.begin() + first, future.end(), other.begin() + first);
    const auto z = test::output(net, other);
    const Index pixel = first / s.c();
    const ColourGroup group{first % s.c(), s.c()};
    const Index known =
        pixel * random_width + group.first(random_width) + group.count(random_width);
    for (Index i = 0; i < known; ++i) {
      if (!test::same_bits(y.data()[i], z.data()[i])) return true;
    }
  }
  return false;
}

enum class Verdict { causal, leaky, no_walk };
/// What its plan says.
Verdict verdict(const RandomNet& net, Index colours) {
  try {
    return net.make_cache({1, 3, 4, colours}).known().sees_own() ? Verdict::leaky : Verdict::causal;
  } catch (const ConfigError&) {
    return Verdict::no_walk;
  }
}

}  // namespace

TEST_CASE(
    "Random nets: pass and walk, and each colour of a pixel after the other, give the same bits",
    "[nn][random_networks]") {
  for (const Index colours : {1, 3}) {
    for (std::uint64_t seed = 0; seed < 30; ++seed) {
      CAPTURE(colours, seed);
      const RandomNet net = RandomNets(seed, colours, true).draw();
      INFO(net.describe());
      const auto x = random_map<double>({2, 3, 4, colours}, seed);
      const auto y = test::output(net, x, {.threads = 2, .record = false, .walk_bits = true});
      CHECK(net.output_shape(x.shape()) == y.shape());
      CHECK(test::bit_difference(test::walk(net, x, test::Visits::thrice), y) == "");
      CHECK(test::bit_difference(sampled(net, x), y) == "");
      CHECK(verdict(net, colours) == Verdict::causal);
      CHECK_FALSE(leaks(net, FeatureMap<double>(x.view().slice(0, 1))));
    }
  }
}

TEST_CASE(
    "Random nets of any masks are causal where their plan says so, and leak where it does not",
    "[nn][random_networks]") {
  std::map<Verdict, int> found;
  for (const Index colours : {1, 3}) {
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
      CAPTURE(colours, seed);
      const RandomNet net = RandomNets(1000 + seed, colours, false).draw();
      INFO(net.describe());
      const Verdict plan = verdict(net, colours);
      ++found[plan];
      // What a walk cannot know in time may be past all the same: what rows above know of theirs.
      if (plan == Verdict::no_walk) continue;
      CHECK((plan == Verdict::leaky) == leaks(net, random_map<double>({1, 3, 4, colours}, seed)));
    }
  }
  CHECK(found[Verdict::causal] > 4);
  CHECK(found[Verdict::leaky] > 4);
  CHECK(found[Verdict::no_walk] > 4);
}

TEST_CASE("The FLOP of a random net are those of its layers", "[nn][random_networks]") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const RandomNet net = RandomNets(seed, 1, true).draw();
    Index total = 0;
    for (const auto& layer : net.convs) total += layer.flops(5, 4);
    for (const auto& layer : net.rows) total += layer.flops(5, 4);
    for (const auto& layer : net.diagonals) total += layer.flops(5, 4);
    CHECK(net.flops(5, 4) == total);
  }
}

namespace {

/// A layer that promises what it does not keep.
struct LyingConv : RandomConv {
  Known lie;
  LyingConv(const Mask& mask, const Known& promise, Rng& rng)
      : RandomConv(mask,
                   {.in_channels = 2, .out_channels = 2, .kernel_height = 3, .kernel_width = 3},
                   rng),
        lie(promise) {}
  [[nodiscard]] Known known(Known) const { return lie; }
};

}  // namespace

TEST_CASE("A layer that says another domain, or hides what it sees, is found by its walk",
          "[nn][random_networks]") {
  Rng rng(1);
  const auto x = random_map<double>({2, 3, 4, 2}, 1);
  const auto walk_differs = [&](const Mask& mask, const Known& promise) {
    Sequential net(LyingConv(mask, promise, rng), LyingConv(MaskB{}, {}, rng));
    test::randomise(net, 3);
    apply_masks(net);
    FeatureMap<double> walked(x.shape()), y({2, 1, 1, 2});
    auto cache = net.make_cache({2, 3, 4, 2});
    const FeatureMap<double> nothing({2, 1, 1, 2});
    for (Index r = 0; r < 3; ++r) {
      for (Index j = 0; j < 4; ++j) {
        const MatrixView<const double> pixel{&x(0, r, j, 0), 2, 2, 24};
        net.step(cache, r, j, as_rows(nothing.view()), as_rows(y.view()));
        net.observe(cache, r, j, pixel);
        for (Index n = 0; n < 2; ++n) std::copy_n(&y(n, 0, 0, 0), 2, &walked(n, r, j, 0));
      }
      net.end_row(cache, r);
    }
    const auto whole = test::output(net, x, {.threads = 1, .record = false, .walk_bits = true});
    return test::bit_difference(walked, whole) != "";
  };
  CHECK_FALSE(walk_differs(MaskA{}, {Domain::pixel, OwnPixel::nothing}));
  CHECK_FALSE(walk_differs(MaskAbove{}, {Domain::row, OwnPixel::nothing}));
  CHECK(walk_differs(MaskA{}, {Domain::row, OwnPixel::nothing}));
  CHECK(walk_differs(MaskB{}, {Domain::pixel, OwnPixel::nothing}));
}
