// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include <pixelrnn/taps/winograd.hpp>

#include "support/conv_cases.hpp"
#include "support/row_lstm_cases.hpp"

using namespace pixelrnn;
using detail::PairProduct, detail::PairSum;

namespace {

/// What x[i] · g[t] counts for in a pixel of a pair.
using Coefficients = std::array<std::array<float, 3>, 4>;

/// By what a sum counts for a pixel.
float share(PairSum sum, bool even) {
  switch (sum) {
    case PairSum::even:
      return even ? 1 : 0;
    case PairSum::odd:
      return even ? 0 : 1;
    case PairSum::both:
      return 1;
    case PairSum::opposite:
      return even ? 1 : -1;
  }
  return 0;
}

Coefficients coefficients(const std::vector<PairProduct>& products, bool even) {
  Coefficients sum{};
  for (const PairProduct& p : products) {
    for (std::size_t t = 0; t < p.taps.size(); ++t) {
      const float c = share(p.sum, even) * p.taps[t];
      sum[static_cast<std::size_t>(p.first)][t] += c;
      sum[static_cast<std::size_t>(p.second)][t] += static_cast<float>(p.sign) * c;
    }
  }
  return sum;
}

/// x[t + 1] · g[t] for the odd pixel, x[t] · g[t] for the even one.
Coefficients expected(Index taps, bool even) {
  Coefficients sum{};
  for (Index t = 0; t < taps; ++t) {
    sum[static_cast<std::size_t>(even ? t : t + 1)][static_cast<std::size_t>(t)] = 1;
  }
  return sum;
}

std::vector<PairProduct> products_of(Index taps, bool in_part = false) {
  const auto products = detail::pair_products({0, 0, taps, 0, 0, in_part});
  return {products.begin(), products.end()};
}

/// Forgets what pre-activations begin with.
struct ForgetsStart : test::InPairs {
  template <class T>
  static void lstm_step(Index rows, std::span<const kernels::Term<T>> terms,
                        const kernels::Packed<const T>& weights, kernels::Rows<const T>,
                        const kernels::LstmStep<T>& step) {
    InPairs::lstm_step(rows, terms, weights, kernels::Rows<const T>{}, step);
  }
};

/// Adds where it should subtract.
struct NeverSubtracts : test::InPairs {
  template <class T>
  static void add_scaled(Index rows, Index columns, std::type_identity_t<kernels::Rows<const T>> a,
                         T scale, std::type_identity_t<kernels::Rows<const T>> b,
                         kernels::Rows<T> out) {
    InPairs::add_scaled(rows, columns, a, std::abs(scale), b, out);
  }
};

}  // namespace

TEST_CASE("The products of a pair of pixels add up to its taps", "[nn][pixel_pairs]") {
  for (const Index taps : {1, 2, 3}) {
    std::vector<PairProduct> products = products_of(taps);
    CAPTURE(taps);
    CHECK(coefficients(products, true) == expected(taps, true));
    CHECK(coefficients(products, false) == expected(taps, false));
    if (taps > 1) {  // the control
      products[1].sign = -products[1].sign;
      CHECK(coefficients(products, false) != expected(taps, false));
    }
  }
}

TEST_CASE("Where colours allow a part of a tap a pair reads each tap by itself",
          "[nn][pixel_pairs]") {
  const std::vector<PairProduct> products = products_of(2, true);
  CHECK(coefficients(products, true) == expected(2, true));
  CHECK(coefficients(products, false) == expected(2, false));
  for (const PairProduct& p : products) CHECK(p.sign == 0);
}

TEST_CASE("A pixel of a pair reads its own taps only", "[nn][pixel_pairs]") {
  for (const Index taps : {1, 2, 3}) {
    for (const PairProduct& p : products_of(taps)) {
      const Index first = std::min(p.first, p.sign == 0 ? p.first : p.second);
      const Index last = std::max(p.first, p.sign == 0 ? p.first : p.second);
      CAPTURE(taps, static_cast<int>(p.sum));
      CHECK((share(p.sum, true) == 0 || (first >= 0 && last < taps)));
      CHECK((share(p.sum, false) == 0 || (first >= 1 && last < taps + 1)));
    }
  }
}

TEST_CASE("Pairs are fewer products than taps", "[nn][pixel_pairs]") {
  const std::vector<TapRun> runs = allowed_taps({MaskB{}, 3, 3, 1, 1});
  CHECK(detail::product_count(runs) == 7);
  CHECK(2 * tap_count(runs) == 10);
  CHECK(detail::pairs_save(runs));
  CHECK(detail::pairs_save(allowed_taps({MaskB{}, 3, 3, 1, 3})));
  CHECK_FALSE(detail::pairs_save(allowed_taps({MaskA{}, 1, 3, 1, 1})));
  CHECK_FALSE(detail::pairs_save(allowed_taps({MaskB{}, 1, 3, 1, 3})));
}

TEST_CASE("A pair that never subtracts is found", "[nn][pixel_pairs]") {
  const test::ConvConfig config{4, 3, 3, 3, 1, 1};
  const auto difference = [&]<class Kernels>(Kernels) {
    std::string found;
    test::for_each_conv<Backend<double, Kernels>>(
        [&](const auto& layer, const test::ConvCase& c) {
          const auto x = test::random_map<double>({2, 5, 6, 4}, 2);
          found += test::difference(test::output(layer, x), test::naive_conv(layer, x, c),
                                    test::rounding<double>, test::rounding<double>);
        },
        {config});
    return found;
  };
  CHECK(difference(test::InPairs{}) == "");
  CHECK(difference(NeverSubtracts{}) != "");
}

TEST_CASE("Row LSTM by pairs that never subtracts or forgets a start is found",
          "[nn][pixel_pairs]") {
  const auto difference = [&]<class Kernels>(Kernels) {
    const auto layer = test::make_row_lstm<LearnedState, Backend<double, Kernels>>({4, 3, 3, 1});
    const auto x = test::random_map<double>({2, 5, 6, 4}, 2);
    return test::difference(test::output(layer, x),
                            test::naive::row_lstm(x, test::naive::weights_of(layer), 1),
                            test::rounding<double>);
  };
  CHECK(difference(test::InPairs{}) == "");
  CHECK(difference(NeverSubtracts{}) != "");
  CHECK(difference(ForgetsStart{}) != "");
}

TEST_CASE("Wide layers work in pairs, except for the bits of a walk", "[nn][pixel_pairs]") {
  const auto changes_bits = [](const auto& layer, Index width) {
    const auto x = test::random_map<float>({1, 3, width, layer.config().in_channels}, 2);
    const auto y = test::output(layer, x), walked = test::output(layer, x, {.walk_bits = true});
    CHECK(test::difference(y, walked, test::rounding<float>) == "");
    return test::bit_difference(y, walked) != "";
  };
  const auto convolution = [](Index channels) {
    Rng rng(1);
    return MaskedConv2d<MaskB>(
        {.in_channels = channels, .out_channels = channels, .kernel_height = 3, .kernel_width = 3},
        rng);
  };
  CHECK(changes_bits(convolution(64), 6));
  CHECK_FALSE(changes_bits(convolution(64), 7));
  CHECK_FALSE(changes_bits(convolution(32), 6));
  const auto row_lstm = [](Index in_channels, Index hidden, Index kernel) {
    return test::make_row_lstm<LearnedState, Backend<>>({in_channels, hidden, kernel, 1},
                                                        test::calm);
  };
  CHECK(changes_bits(row_lstm(64, 32, 3), 6));
  CHECK_FALSE(changes_bits(row_lstm(64, 32, 3), 7));
  CHECK_FALSE(changes_bits(row_lstm(64, 32, 5), 6));
  CHECK_FALSE(changes_bits(row_lstm(16, 32, 3), 6));
  CHECK_FALSE(changes_bits(row_lstm(64, 16, 3), 6));
}
