// SPDX-License-Identifier: MIT
#include <algorithm>
#include <limits>
#include <string>
#include <tuple>
#include <vector>

#include <pixelrnn/taps/mask.hpp>

#include "support/catch.hpp"
#include "support/compare.hpp"
#include "support/naive.hpp"
#include "support/random.hpp"

using namespace pixelrnn;
using test::random_map;
namespace naive = test::naive;

namespace {

/// A sub-pixel's place in the order of eq. 1 and 2: rows, then columns, then R, G, B.
using Place = std::tuple<Index, Index, Index>;

KernelMask kernel_mask(const Mask& mask, const Shape<4>& weights, Index colours) {
  return {mask, weights[0], weights[1], 1, colours};
}
TensorView<const double, 4> masked(const Mask& mask, const FeatureMap<double>& weights,
                                   Index colours, Index gates, Workspace& workspace) {
  return kernel_mask(mask, weights.shape(), colours).masked(weights.view(), gates, workspace);
}

/// Where a mask first disagrees with an order of sub-pixels: `is_seen(from, to)`.
template <class M, class Order>
std::string disagrees(Order is_seen) {
  for (Index dy = -3; dy <= 3; ++dy) {
    for (Index dx = -3; dx <= 3; ++dx) {
      for (Index from = 0; from < 3; ++from) {
        for (Index to = 0; to < 3; ++to) {
          if (M::allowed(dy, dx, from, to) != is_seen(Place{dy, dx, from}, Place{0, 0, to})) {
            return std::to_string(dy) + ' ' + std::to_string(dx) + ' ' + "RGB"[from] + "->" +
                   "RGB"[to];
          }
        }
      }
    }
  }
  return {};
}
constexpr auto is_before = [](const Place& from, const Place& to) { return from < to; };
constexpr auto is_not_after = [](const Place& from, const Place& to) { return from <= to; };

/// Random weights with what a mask forbids set to zero, by the definition.
FeatureMap<double> masked_naively(const FeatureMap<double>& weights, naive::Mask mask,
                                  Index colours, Index gates) {
  FeatureMap<double> result(weights);
  const Shape<4> k = weights.shape();
  const Index units = k[3] / gates;
  for (Index y = 0; y < k[0]; ++y) {
    for (Index x = 0; x < k[1]; ++x) {
      for (Index i = 0; i < k[2]; ++i) {
        for (Index o = 0; o < k[3]; ++o) {
          if (naive::mask_value(mask, y, x, k[0], k[1], naive::group(i, k[2], colours),
                                naive::group(o % units, units, colours)) == 0) {
            result(y, x, i, o) = 0;
          }
        }
      }
    }
  }
  return result;
}

struct Kernel {
  Shape<4> shape;
  Index colours, gates;
};
const Kernel kernel_shapes[]{{{1, 1, 1, 1}, 1, 1}, {{3, 3, 3, 3}, 3, 1},  {{5, 3, 7, 8}, 3, 1},
                             {{1, 5, 2, 4}, 2, 1}, {{1, 3, 3, 20}, 3, 4}, {{7, 1, 4, 12}, 1, 4}};

}  // namespace

TEST_CASE("Mask A lets through what comes before, colours within a pixel too", "[nn][mask]") {
  CHECK(disagrees<MaskA>(is_before) == "");
  CHECK(disagrees<MaskA>(is_not_after) == "0 0 R->R");
}

TEST_CASE("Mask B lets through what comes before, and each colour to itself", "[nn][mask]") {
  CHECK(disagrees<MaskB>(is_not_after) == "");
  CHECK(disagrees<MaskB>(is_before) == "0 0 R->R");
}

TEST_CASE("The order of masks is by rows first", "[nn][mask]") {
  const auto by_columns = [](const Place& from, const Place& to) {
    return std::tuple(std::get<1>(from), std::get<0>(from), std::get<2>(from)) <
           std::tuple(std::get<1>(to), std::get<0>(to), std::get<2>(to));
  };
  CHECK(disagrees<MaskA>(by_columns) != "");
}

TEST_CASE("Colour groups are in order, all there, and as even as they come", "[nn][mask]") {
  for (const Index colours : {1, 2, 3, 4}) {
    for (Index n = colours; n <= 40; ++n) {
      CAPTURE(colours, n);
      std::vector<Index> sizes(static_cast<std::size_t>(colours), 0);
      Index last = 0;
      for (Index c = 0; c < n; ++c) {
        const Index group = colour_group(c, n, colours);
        REQUIRE((group >= last && group < colours));
        ++sizes[static_cast<std::size_t>(group)];
        last = group;
      }
      const auto [least, most] = std::minmax_element(sizes.begin(), sizes.end());
      CHECK(*least >= 1);
      CHECK(*most - *least <= 1);
    }
  }
}

TEST_CASE("Applying a mask zeroes what it forbids and keeps the bits of all else", "[nn][mask]") {
  for (const auto& [shape, colours, gates] : kernel_shapes) {
    CAPTURE(shape, colours, gates);
    const FeatureMap<double> weights = random_map<double>(shape, 1, 0.5, 1);
    FeatureMap<double> a(weights), b(weights);
    kernel_mask(MaskA{}, shape, colours).apply(a.view(), gates);
    kernel_mask(MaskB{}, shape, colours).apply(b.view(), gates);
    CHECK(test::bit_difference(a, masked_naively(weights, naive::Mask::A, colours, gates)) == "");
    CHECK(test::bit_difference(b, masked_naively(weights, naive::Mask::B, colours, gates)) == "");
    CHECK(test::bit_difference(a, b) != "");  // the centre
  }
}

TEST_CASE("What a mask forbids becomes zero even if it is not finite", "[nn][mask]") {
  FeatureMap<float> weights({1, 3, 1, 1}, std::numeric_limits<float>::quiet_NaN());
  weights(0, 0, 0, 0) = 2;
  weights(0, 2, 0, 0) = -std::numeric_limits<float>::infinity();
  kernel_mask(MaskA{}, weights.shape(), 1).apply(weights.view());
  FeatureMap<float> expected({1, 3, 1, 1});
  expected(0, 0, 0, 0) = 2;
  CHECK(test::bit_difference(weights, expected) == "");
}

TEST_CASE("Masked weights are a copy, and the weights stay what they were", "[nn][mask]") {
  for (const Shape<4>& shape : {Shape<4>{3, 3, 3, 12}, Shape<4>{1, 1, 6, 12}}) {
    CAPTURE(shape);
    const FeatureMap<double> weights = random_map<double>(shape, 2, 0.5, 1);
    const FeatureMap<double> before(weights);
    Workspace workspace;
    const FeatureMap<double> seen(masked(MaskB{}, weights, 3, 4, workspace));
    CHECK(test::bit_difference(seen, masked_naively(weights, naive::Mask::B, 3, 4)) == "");
    CHECK(test::bit_difference(weights, before) == "");
  }
}

TEST_CASE("With one colour masked weights are the weights themselves", "[nn][mask]") {
  const FeatureMap<double> weights = random_map<double>({3, 3, 2, 4}, 2);
  Workspace workspace;
  CHECK(masked(MaskA{}, weights, 1, 1, workspace).data() == weights.data());
  CHECK(masked(MaskA{}, weights, 2, 1, workspace).data() != weights.data());
  const std::size_t peak = workspace.peak();
  CHECK(masked(MaskB{}, weights, 1, 4, workspace).data() == weights.data());
  CHECK(workspace.peak() == peak);
}

TEST_CASE("The other masks are what their names say", "[nn][mask]") {
  const auto is_above = [](const Place& from, const Place& to) {
    return std::get<0>(from) < std::get<0>(to);
  };
  const auto is_not_below = [](const Place& from, const Place& to) {
    return std::get<0>(from) <= std::get<0>(to);
  };
  CHECK(disagrees<MaskAbove>(is_above) == "");
  CHECK(disagrees<MaskAbove>(is_not_below) == "0 -3 R->R");
  CHECK(disagrees<MaskAboveAndRow>(is_not_below) == "");
  CHECK(disagrees<MaskAboveAndRow>(is_above) == "0 -3 R->R");
  CHECK(disagrees<NoMask>([](const Place&, const Place&) { return true; }) == "");
  CHECK(disagrees<NoMask>(is_not_after) == "0 0 G->R");
}

TEST_CASE("A mask of a user's own zeroes what it forbids, tap by tap and colour by colour",
          "[nn][mask]") {
  // Red from everywhere, green and blue from the diagonal alone.
  struct Mine {
    std::string name = "mine";
    Index reach = 1;
    bool allowed(Index dy, Index dx, Index from, Index) const {
      return from == 0 || (dy == dx && dy >= -reach);
    }
  };
  FeatureMap<double> weights({3, 3, 3, 8}, 1);
  kernel_mask(Mine{}, weights.shape(), 3).apply(weights.view(), 2);
  for (Index y = 0; y < 3; ++y) {
    for (Index x = 0; x < 3; ++x) {
      for (Index i = 0; i < 3; ++i) {
        for (Index o = 0; o < 8; ++o) {
          CAPTURE(y, x, i, o);
          CHECK(weights(y, x, i, o) == (i == 0 || x == y ? 1 : 0));
        }
      }
    }
  }
  const Mask value = Mine{"mine", 0};
  CHECK(value.name == "mine");
  CHECK(value.allowed(0, 0, 2, 1));
  CHECK_FALSE(value.allowed(-1, -1, 2, 1));
}

TEST_CASE("What is no mask does not pass for one", "[nn][mask]") {
  struct Silent {};
  struct Nameless {
    bool allowed(Index, Index, Index, Index) const { return true; }
  };
  STATIC_REQUIRE(MaskPolicy<MaskA>);
  STATIC_REQUIRE_FALSE(MaskPolicy<Silent>);
  STATIC_REQUIRE_FALSE(MaskPolicy<Nameless>);
}
