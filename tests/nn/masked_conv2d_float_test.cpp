// SPDX-License-Identifier: MIT
#include "support/conv_cases.hpp"

using namespace pixelrnn;
using test::ConvCase, test::random_map;

TEMPLATE_TEST_CASE("Masked convolution in float is the masked sum of the paper",
                   "[nn][masked_conv2d]", test::FloatReferenceBackend, test::FloatEigenBackend,
                   test::FloatXsimdBackend, test::FloatPairBackend) {
  test::for_each_conv<TestType>([](const auto& layer, const ConvCase& c) {
    for (const Shape<3>& map : test::maps) {
      CAPTURE(c, map);
      const auto x = random_map<float>(test::with_channels(map, c.config.in_channels), 2);
      CHECK(test::difference(test::output(layer, x), test::naive_conv(layer, x, c),
                             test::rounding<float>, test::rounding<float>) == "");
      test::check_walk_is_forward<TestType>(layer, x);
    }
  });
}

TEST_CASE("Masked convolution in float: an image's bits do not depend on its batch",
          "[nn][masked_conv2d]") {
  test::for_each_conv<test::FloatXsimdBackend>([](const auto& layer, const ConvCase& c) {
    test::check_images_do_not_depend_on_each_other(
        layer, random_map<float>({7, 5, 4, c.config.in_channels}, 3));
  });
}

TEST_CASE("Masked convolution in float has the same bits for any number of threads",
          "[nn][masked_conv2d]") {
  test::for_each_conv<test::FloatXsimdBackend>([](const auto& layer, const ConvCase& c) {
    CAPTURE(c);
    test::check_same_bits_for_all_threads(layer,
                                          random_map<float>({3, 9, 8, c.config.in_channels}, 4));
  });
}
