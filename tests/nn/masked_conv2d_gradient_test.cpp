// SPDX-License-Identifier: MIT
#include "support/allocations.hpp"
#include "support/conv_cases.hpp"
#include "support/dependency.hpp"

using namespace pixelrnn;
using test::Cell, test::ConvCase, test::ConvConfig, test::random_map;
namespace naive = test::naive;

namespace {

/// What output `out` of a convolution must see: the allowed taps and no others.
bool sees(const ConvCase& c, const Cell& out, const Cell& in) {
  const ConvConfig& k = c.config;
  const Index dy = in.row - out.row, dx = in.column - out.column;
  if (dy % k.dilation != 0 || dx % k.dilation != 0) return false;
  const Index y = dy / k.dilation + k.kernel_height / 2, x = dx / k.dilation + k.kernel_width / 2;
  if (y < 0 || y >= k.kernel_height || x < 0 || x >= k.kernel_width) return false;
  return naive::mask_value(c.mask, y, x, k.kernel_height, k.kernel_width,
                           naive::group(in.channel, k.in_channels, k.colours),
                           naive::group(out.channel, k.out_channels, k.colours)) == 1;
}

}  // namespace

TEMPLATE_TEST_CASE("The gradient of masked convolution is right", "[nn][masked_conv2d]",
                   test::ReferenceBackend, test::EigenBackend, test::XsimdBackend,
                   test::PairBackend) {
  test::for_each_conv<TestType>(
      [](auto& layer, const ConvCase& c) {
        CAPTURE(c);
        test::check_gradients(layer, c.config.in_channels);
      },
      test::small_conv_configs);
}

TEMPLATE_TEST_CASE("The gradient of masked convolution plus a residual is right",
                   "[nn][masked_conv2d]", test::ReferenceBackend, test::EigenBackend,
                   test::XsimdBackend, test::PairBackend) {
  test::for_each_conv<TestType>(
      [](auto& layer, const ConvCase& c) {
        for (const Index width : {3, 4}) {
          CAPTURE(c, width);
          const auto x = random_map<double>({2, 4, width, c.config.in_channels}, 2);
          const auto residual = random_map<double>({2, 4, width, c.config.out_channels}, 3);
          const auto sum = [&layer](Tape<double>&, const std::vector<Variable<double>>& in) {
            return layer.forward_add(in[0], in[1]);
          };
          CHECK(gradcheck(layer, {x, residual}, sum));
          if (c.config.in_channels ==
              c.config.out_channels) {  // a residual block adds its own input
            CHECK(gradcheck(layer, {x}, [&](Tape<double>& tape, const auto& in) {
              return sum(tape, {in[0], in[0]});
            }));
          }
        }
      },
      test::small_conv_configs);
}

TEMPLATE_TEST_CASE("Masked convolution takes maps without images, rows or columns",
                   "[nn][masked_conv2d]", test::ReferenceBackend, test::EigenBackend,
                   test::XsimdBackend, test::PairBackend) {
  test::for_each_conv<TestType>(
      [](auto& layer, const ConvCase& c) {
        for (const Shape<3>& map : {Shape<3>{0, 4, 3}, Shape<3>{2, 0, 3}, Shape<3>{2, 3, 0},
                                    Shape<3>{0, 4, 4}, Shape<3>{2, 0, 4}}) {
          CAPTURE(c, map);
          const auto x = random_map<double>(test::with_channels(map, c.config.in_channels), 2);
          CHECK(test::output(layer, x).shape() == layer.output_shape(x.shape()));
          CHECK(test::gradcheck_says(layer, x) == "");
        }
      },
      test::small_conv_configs);
}

TEMPLATE_TEST_CASE("Gradients of large masked convolutions are Reference's", "[nn][masked_conv2d]",
                   test::EigenBackend, test::XsimdBackend, test::PairBackend) {
  std::vector<test::LargeConv> cases = test::large_convs;
  for (const ConvConfig& config : test::conv_configs) cases.push_back({config, {3, 7, 18}});
  for (const auto& [config, map] : cases) {
    std::vector<test::AllGradients<double>> expected, found;
    const auto x = random_map<double>(test::with_channels(map, config.in_channels), 2);
    test::for_each_conv<test::ReferenceBackend>(
        [&](auto& layer, const ConvCase&) { expected.push_back(test::gradients(layer, x)); },
        {config});
    test::for_each_conv<TestType>(
        [&](auto& layer, const ConvCase&) { found.push_back(test::gradients(layer, x)); },
        {config});
    for (std::size_t mask = 0; mask < 2; ++mask) {
      CAPTURE(ConvCase{mask == 0 ? naive::Mask::A : naive::Mask::B, config}, map);
      CHECK(test::difference(found[mask], expected[mask], 1e-11, 1e-11) == "");
    }
    // The control: a mask that forbids one tap more is found. A kernel of one tap has no other.
    if (config.kernel_height * config.kernel_width > 1) {
      CHECK(test::difference(found[0], expected[1], 1e-11, 1e-11) != "");
    }
  }
}

TEMPLATE_TEST_CASE("Masked convolution has the same bits for any number of threads",
                   "[nn][masked_conv2d]", test::EigenBackend, test::XsimdBackend,
                   test::PairBackend) {
  test::for_each_conv<TestType>([](const auto& layer, const ConvCase& c) {
    CAPTURE(c);
    test::check_same_bits_for_all_threads(layer,
                                          random_map<double>({3, 9, 8, c.config.in_channels}, 4));
  });
}

TEMPLATE_TEST_CASE("Weights that the mask forbids are never used", "[nn][masked_conv2d]",
                   test::ReferenceBackend, test::EigenBackend, test::XsimdBackend,
                   test::PairBackend) {
  test::for_each_conv<TestType>([](const auto& layer, const ConvCase& c) {
    const bool nothing_is_masked = c.mask == naive::Mask::B && c.config.kernel_height == 1 &&
                                   c.config.kernel_width == 1 && c.config.colours == 1;
    if (nothing_is_masked) return;
    // With three colours and one map on each side all is group 0.
    CAPTURE(c);
    for (const Index width : {5, 6}) {
      test::check_masked_weights_are_never_used(
          layer, "weights", random_map<double>({2, 4, width, c.config.in_channels}, 5), c.mask,
          c.config.colours, 1);
    }
  });
}

TEMPLATE_TEST_CASE("An output of a masked convolution depends on its allowed taps and on no others",
                   "[nn][masked_conv2d]", test::ReferenceBackend, test::EigenBackend,
                   test::XsimdBackend, test::PairBackend) {
  test::for_each_conv<TestType>(
      [](const auto& layer, const ConvCase& c) {
        for (const Shape<3>& map :
             {Shape<3>{1, 4, 5}, Shape<3>{1, 6, 1}, Shape<3>{1, 1, 4}, Shape<3>{1, 3, 4}}) {
          CAPTURE(c, map);
          const auto report = test::check_dependencies(
              [&](const FeatureMap<double>& x) { return test::output(layer, x); },
              random_map<double>(test::with_channels(map, c.config.in_channels), 6),
              [&](const Cell& out, const Cell& in) { return sees(c, out, in); });
          CHECK(report.leak == "");
          CHECK(report.blind == "");
        }
      },
      test::small_conv_configs);
}

TEST_CASE("The checker of dependencies reports mask B where mask A is promised",
          "[nn][masked_conv2d]") {
  for (const ConvConfig& config : test::small_conv_configs) {
    if (config.kernel_height == 1 && config.colours == 1) continue;
    const ConvCase promised{naive::Mask::A, config};
    const auto sees_as_promised = [&](const Cell& out, const Cell& in) {
      return sees(promised, out, in);
    };
    test::for_each_conv<test::ReferenceBackend>(
        [&](const auto& layer, const ConvCase& c) {
          const auto report = test::check_dependencies(
              [&](const FeatureMap<double>& x) { return test::output(layer, x); },
              random_map<double>({1, 3, 4, config.in_channels}, 6), sees_as_promised);
          CAPTURE(c);
          CHECK((report.leak == "") == (c.mask == naive::Mask::A));
        },
        {config});
  }
}

TEST_CASE("The checker of dependencies reports a mask that lets one pixel of the future through",
          "[nn][masked_conv2d]") {
  const ConvCase promised{naive::Mask::B, {1, 2, 3, 3, 1, 1}};
  const naive::Map kernel = random_map<double>({3, 3, 1, 2}, 1);
  const auto check = [&](Index future_y, Index future_x) {
    return test::check_dependencies(
        [&](const naive::Map& x) {
          naive::Map masked(kernel);
          for (Index y = 0; y < 3; ++y) {
            for (Index c = 0; c < 3; ++c) {
              const double m = y == future_y && c == future_x
                                   ? 1
                                   : naive::mask_value(naive::Mask::B, y, c, 3, 3, 0, 0);
              for (Index o = 0; o < 2; ++o) masked(y, c, 0, o) *= m;
            }
          }
          return naive::convolve(x, masked, nullptr, {});
        },
        random_map<double>({1, 4, 4, 1}, 2),
        [&](const Cell& out, const Cell& in) { return sees(promised, out, in); });
  };
  CHECK(check(0, 0).leak == "");  // not a leak, but the past
  for (const auto& [y, x] : {std::pair<Index, Index>{1, 2}, {2, 0}, {2, 1}, {2, 2}}) {
    CHECK(check(y, x).leak != "");
  }
}

TEST_CASE("The checker of dependencies reports a tap that is missing", "[nn][masked_conv2d]") {
  const ConvCase promised{naive::Mask::B, {1, 1, 3, 3, 1, 1}};
  const auto report = test::check_dependencies(
      [&](const naive::Map& x) {
        naive::Map kernel = random_map<double>({3, 3, 1, 1}, 1);
        kernel(0, 2, 0, 0) = 0;
        return naive::convolve(x, kernel, nullptr, {.mask = naive::Mask::B});
      },
      random_map<double>({1, 4, 4, 1}, 2),
      [&](const Cell& out, const Cell& in) { return sees(promised, out, in); });
  CHECK(report.leak == "");
  CHECK(report.blind == "output (1, 0; channel 0) does not change with input (0, 1; channel 0)");
}

TEMPLATE_TEST_CASE("A repeated step with masked convolution allocates nothing once warm",
                   "[nn][masked_conv2d]", test::XsimdBackend, test::PairBackend) {
  Rng rng(1);
  const MaskedConv2d<MaskB, TestType> layer(
      {.in_channels = 3, .out_channels = 4, .kernel_height = 3, .kernel_width = 3, .colours = 3},
      rng);
  const auto x = random_map<double>({4, 7, 6, 3}, 1);
  Tape<double> tape({.threads = 2});
  const auto step = [&] {
    tape.reset();
    tape.backward(mean(layer.forward(tape.input(x))));
  };
  for (int warm = 0; warm < 3; ++warm) step();
  const std::size_t before = test::allocation_count();
  for (int i = 0; i < 3; ++i) step();
  CHECK(test::allocation_count() == before);
}
