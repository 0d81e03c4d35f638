// SPDX-License-Identifier: MIT
#include <array>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <pixelrnn/kernels/reference.hpp>
#include <pixelrnn/taps/taps.hpp>

#include "support/catch.hpp"
#include "support/compare.hpp"
#include "support/naive.hpp"
#include "support/random.hpp"

using namespace pixelrnn;
using kernels::Packed, kernels::Reference;
using test::random_map;
namespace naive = test::naive;

namespace {

/// Each run as "row,column+count@dy,dx".
std::vector<std::string> texts(const std::vector<TapRun>& runs) {
  std::vector<std::string> found;
  for (const TapRun& run : runs) {
    found.push_back(std::to_string(run.row) + ',' + std::to_string(run.column) + '+' +
                    std::to_string(run.count) + '@' + std::to_string(run.dy) + ',' +
                    std::to_string(run.dx));
  }
  return found;
}
using Texts = std::vector<std::string>;

/// A tap of the kernel and the offset it reads at.
using Tap = std::array<Index, 4>;

std::set<Tap> taps_of(const std::vector<TapRun>& runs, Index dilation) {
  std::set<Tap> taps;
  for (const TapRun& run : runs) {
    for (Index t = 0; t < run.count; ++t) {
      taps.insert({run.row, run.column + t, run.dy, run.dx + t * dilation});
    }
  }
  return taps;
}

/// The taps from which any colour may pass to any, by the definition of the mask.
std::set<Tap> naive_taps(naive::Mask mask, Index height, Index width, Index dilation,
                         Index colours) {
  std::set<Tap> taps;
  for (Index y = 0; y < height; ++y) {
    for (Index x = 0; x < width; ++x) {
      for (Index from = 0; from < colours; ++from) {
        for (Index to = 0; to < colours; ++to) {
          if (naive::mask_value(mask, y, x, height, width, from, to) != 0) {
            taps.insert({y, x, (y - height / 2) * dilation, (x - width / 2) * dilation});
          }
        }
      }
    }
  }
  return taps;
}

/// Packed weights with room for more rows than a run has; -1 where nothing was written.
constexpr Index spare = 2;
template <class Pack>
FeatureMap<double> packed(Index rows, Index columns, Pack pack) {
  FeatureMap<double> room({1, 1, rows + 2 * spare, columns}, -1);
  CHECK(pack(Packed<double>{room.data(), rows + 2 * spare, columns, 1}) == spare + rows);
  return room;
}

}  // namespace

TEST_CASE("Taps of small kernels, by hand", "[nn][taps]") {
  CHECK(texts(allowed_taps({MaskA{}, 3, 3, 1, 1})) == Texts{"0,0+3@-1,-1", "1,0+1@0,-1"});
  CHECK(texts(allowed_taps({MaskB{}, 3, 3, 1, 1})) == Texts{"0,0+3@-1,-1", "1,0+2@0,-1"});
  CHECK(texts(allowed_taps({MaskA{}, 1, 1, 1, 1})) == Texts{});
  CHECK(texts(allowed_taps({MaskB{}, 1, 1, 1, 1})) == Texts{"0,0+1@0,0"});
  CHECK(texts(allowed_taps({MaskB{}, 1, 5, 1, 1})) == Texts{"0,0+3@0,-2"});
  CHECK(texts(allowed_taps({MaskA{}, 5, 1, 1, 1})) == Texts{"0,0+1@-2,0", "1,0+1@-1,0"});
}

TEST_CASE("Under mask A the centre is a tap as soon as one colour may see another", "[nn][taps]") {
  CHECK(texts(allowed_taps({MaskA{}, 1, 1, 1, 3})) == Texts{"0,0+1@0,0"});
  CHECK(texts(allowed_taps({MaskA{}, 3, 3, 1, 3})) == Texts{"0,0+3@-1,-1", "1,0+2@0,-1"});
}

TEST_CASE("Dilated taps lie apart: each is a run", "[nn][taps]") {
  CHECK(texts(allowed_taps({MaskB{}, 3, 3, 2, 1})) ==
        Texts{"0,0+1@-2,-2", "0,1+1@-2,0", "0,2+1@-2,2", "1,0+1@0,-2", "1,1+1@0,0"});
}

TEST_CASE("Taps are the weights that the mask lets live", "[nn][taps]") {
  const std::pair<Index, Index> sizes[]{{1, 1}, {3, 3}, {7, 7}, {5, 3}, {1, 7}, {7, 1}};
  for (const auto& [height, width] : sizes) {
    for (const Index dilation : {1, 2, 3}) {
      for (const Index colours : {1, 3}) {
        CAPTURE(height, width, dilation, colours);
        const auto a = allowed_taps({MaskA{}, height, width, dilation, colours});
        const auto b = allowed_taps({MaskB{}, height, width, dilation, colours});
        const auto naive_a = naive_taps(naive::Mask::A, height, width, dilation, colours);
        const auto naive_b = naive_taps(naive::Mask::B, height, width, dilation, colours);
        CHECK(taps_of(a, dilation) == naive_a);
        CHECK(taps_of(b, dilation) == naive_b);
        // No tap twice: as many as there are different ones.
        CHECK(tap_count(a) == static_cast<Index>(naive_a.size()));
        CHECK(tap_count(b) == static_cast<Index>(naive_b.size()));
        // The control: the masks differ, with one colour.
        CHECK((taps_of(a, dilation) == naive_b) == (colours > 1));
      }
    }
  }
}

TEST_CASE("A run is packed tap by tap, input channel by input channel", "[nn][taps]") {
  const Index in = 2, out = 3;
  const FeatureMap<double> weights = random_map<double>({3, 5, in, out}, 1);
  const TapRun run{1, 2, 3, 0, 0};
  const auto room = packed(run.count * in, out, [&](Packed<double> to) {
    return pack_run<Reference, double>(to, spare, weights, run);
  });
  FeatureMap<double> expected(room.shape(), -1);
  for (Index t = 0; t < run.count; ++t) {
    for (Index i = 0; i < in; ++i) {
      for (Index o = 0; o < out; ++o) {
        expected(0, 0, spare + t * in + i, o) = weights(1, 2 + t, i, o);
      }
    }
  }
  CHECK(test::bit_difference(room, expected) == "");
}

TEST_CASE("Inputs that no output reads are counted from the end of a run's last tap",
          "[nn][taps]") {
  // Two taps of four inputs and three outputs; of the last one inputs 2 and 3 give nothing.
  FeatureMap<float> weights({1, 2, 4, 3});
  weights.fill(1);
  const TapRun both{0, 0, 2, 0, -1}, first{0, 0, 1, 0, -1};
  const auto unread = [&](const TapRun& run) {
    return unread_inputs(FeatureView<const float>(weights), run);
  };
  CHECK(unread(both) == 0);
  for (const Index in : {2, 3}) {
    for (Index out = 0; out < 3; ++out) weights(0, 1, in, out) = 0;
  }
  CHECK(unread(both) == 2);
  CHECK(unread(first) == 0);
  weights(0, 1, 3, 1) = -0.5f;  // the last but one alone is not at the end
  CHECK(unread(both) == 0);
  weights.fill(0);
  CHECK(unread(both) == 3);  // one stays
}

TEST_CASE("Transposed, a run is packed backwards, output channel by output channel", "[nn][taps]") {
  const Index in = 2, out = 3;
  const FeatureMap<double> weights = random_map<double>({3, 5, in, out}, 1);
  const TapRun run{1, 2, 3, 0, 0};
  const auto room = packed(run.count * out, in, [&](Packed<double> to) {
    return pack_run_transposed<Reference, double>(to, spare, weights, run);
  });
  FeatureMap<double> expected(room.shape(), -1);
  for (Index t = 0; t < run.count; ++t) {
    for (Index i = 0; i < in; ++i) {
      for (Index o = 0; o < out; ++o) {
        expected(0, 0, spare + t * out + o, i) = weights(1, 2 + run.count - 1 - t, i, o);
      }
    }
  }
  CHECK(test::bit_difference(room, expected) == "");
}
