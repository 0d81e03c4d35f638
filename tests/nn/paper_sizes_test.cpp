// SPDX-License-Identifier: MIT
// The layers at the size of MNIST: long recurrences, batches in parts, products in parts.
#include "support/conv_cases.hpp"
#include "support/diagonal_cases.hpp"
#include "support/row_lstm_cases.hpp"

using namespace pixelrnn;
using test::FloatXsimdBackend;
namespace naive = test::naive;

namespace {

/// Images of 28 × 28, and weights so small that the recurrence forgets its rounding.
struct PaperSize {
  Index images, in_channels, hidden;
  double bound;
};
constexpr PaperSize paper_sizes[]{{16, 32, 16, 0.2}, {2, 16, 64, 0.1}};

/// `layer` is `expected` in double, step by step too, and with any number of threads.
template <class B = FloatXsimdBackend, class L>
void check(const L& layer, const FeatureMap<float>& x, const FeatureMap<double>& expected) {
  CAPTURE(x.shape());
  CHECK(test::difference(test::output(layer, x), expected, test::rounding<float>) == "");
  test::check_walk_is_forward<B>(layer, x);
  test::check_same_bits_for_all_threads(layer, x);
}

FeatureMap<float> images(const PaperSize& size) {
  return test::random_map<float>({size.images, 28, 28, size.in_channels}, 2);
}

}  // namespace

TEMPLATE_TEST_CASE("Row LSTM is equation 3 at the paper's sizes", "[nn][row_lstm]",
                   FloatXsimdBackend, test::FloatPairBackend) {
  for (const PaperSize& s : paper_sizes) {
    const auto layer =
        test::make_row_lstm<LearnedState, TestType>({s.in_channels, s.hidden, 3, 1}, s.bound);
    const auto x = images(s);
    check<TestType>(layer, x, naive::row_lstm(naive::in_double(x), naive::weights_of(layer), 1));
  }
}

TEST_CASE("Diagonal BiLSTM is the skewed formulation at the paper's sizes", "[nn][diagonal_lstm]") {
  for (const PaperSize& s : paper_sizes) {
    const auto layer = test::make_diagonal<DiagonalBiLSTM<LearnedState, FloatXsimdBackend>>(
        {s.in_channels, s.hidden, 1}, s.bound);
    const auto x = images(s);
    check(layer, x, test::naive_diagonal(layer, naive::in_double(x), 1));
  }
}

TEMPLATE_TEST_CASE("Masked convolution is the masked sum at the paper's sizes",
                   "[nn][masked_conv2d]", FloatXsimdBackend, test::FloatPairBackend) {
  for (const PaperSize& s : paper_sizes) {
    Rng rng(1);
    MaskedConv2d<MaskB, TestType> layer({.in_channels = s.in_channels,
                                         .out_channels = s.hidden,
                                         .kernel_height = 3,
                                         .kernel_width = 3},
                                        rng);
    test::randomise(layer, 1, s.bound);
    const auto x = images(s);
    const test::ConvCase c{naive::Mask::B, {s.in_channels, s.hidden, 3, 3, 1, 1}};
    check<TestType>(layer, x, test::naive_conv(layer, x, c));
  }
}
