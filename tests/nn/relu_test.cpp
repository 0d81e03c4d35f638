// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>

#include <pixelrnn/autodiff/functions.hpp>
#include <pixelrnn/nn/relu.hpp>

#include "support/allocations.hpp"
#include "support/layer_checks.hpp"

using namespace pixelrnn;
using test::random_map;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double inf = std::numeric_limits<double>::infinity();

FeatureMap<double> one_image(std::initializer_list<double> values) {
  FeatureMap<double> map({1, 1, 1, static_cast<Index>(values.size())});
  std::copy(values.begin(), values.end(), map.begin());
  return map;
}

/// Random, and every third number 0, where the kink is.
template <class T>
FeatureMap<T> with_zeros(Shape<4> shape) {
  FeatureMap<T> map = random_map<T>(shape, 1);
  for (Index i = 0; i < map.size(); i += 3) map.data()[i] = 0;
  return map;
}

}  // namespace

TEMPLATE_TEST_CASE("ReLU is the larger of x and 0, and keeps NaN", "[nn][relu]",
                   test::ReferenceBackend, test::EigenBackend, test::XsimdBackend) {
  const auto x = one_image({-inf, -2, -1e-310, 0, 1e-310, 3, inf, not_a_number, -5, 6, -7, 8, 9});
  const auto y = test::output(ReLU<TestType>(), x);
  const double expected[]{0, 0, 0, 0, 1e-310, 3, inf, not_a_number, 0, 6, 0, 8, 9};
  for (Index i = 0; i < x.size(); ++i) {
    CAPTURE(i);
    CHECK((y.data()[i] == expected[i] || (std::isnan(y.data()[i]) && std::isnan(expected[i]))));
  }
}

TEMPLATE_TEST_CASE("The derivative of ReLU is 1 above 0, and 0 at 0, below and at NaN",
                   "[nn][relu]", test::ReferenceBackend, test::EigenBackend, test::XsimdBackend) {
  const auto x = one_image({-inf, -2, -1e-310, 0, 1e-310, 3, inf, not_a_number, -5, 6});
  FeatureMap<double> dy(x.shape(), 4);
  Tape<double> tape;
  const Variable<double> in = tape.input(x);
  tape.backward(ReLU<TestType>().forward(in), dy);
  CHECK(test::bit_difference(FeatureMap<double>(tape.gradient(in)),
                             one_image({0, 0, 0, 0, 4, 4, 4, 0, 0, 4})) == "");
}

TEMPLATE_TEST_CASE("The gradient of ReLU adds to those of others", "[nn][relu]",
                   test::ReferenceBackend, test::EigenBackend, test::XsimdBackend) {
  const auto x = one_image({-2, 0, 3, -1, 5});
  const FeatureMap<double> dy(x.shape(), 1);
  const ReLU<TestType> relu;
  Tape<double> tape;
  const Variable<double> in = tape.input(x);
  tape.backward(add(relu.forward(in), add(in, relu.forward(in))), dy);
  CHECK(test::bit_difference(FeatureMap<double>(tape.gradient(in)), one_image({1, 1, 3, 1, 3})) ==
        "");
}

TEMPLATE_TEST_CASE("ReLU has the same bits for any number of threads, batch and walk", "[nn][relu]",
                   test::ReferenceBackend, test::EigenBackend, test::XsimdBackend,
                   test::FloatXsimdBackend) {
  using T = typename TestType::Scalar;
  const ReLU<TestType> relu;
  for (const Shape<3>& map : test::maps) {
    CAPTURE(map);
    const auto x = with_zeros<T>(test::with_channels(map, 5));
    test::check_same_bits_for_all_threads(relu, x);
    test::check_images_do_not_depend_on_each_other(relu, x);
    CHECK(test::bit_difference(test::walk(relu, x, test::Visits::thrice), test::output(relu, x)) ==
          "");
  }
}

TEST_CASE("ReLU takes maps without images, rows, columns or channels", "[nn][relu]") {
  const ReLU<test::XsimdBackend> relu;
  for (const Shape<4>& s :
       {Shape<4>{0, 2, 2, 3}, Shape<4>{2, 0, 2, 3}, Shape<4>{2, 2, 0, 3}, Shape<4>{2, 2, 2, 0}}) {
    CHECK(test::output(relu, FeatureMap<double>(s)).shape() == s);
    CHECK(relu.output_shape(s) == s);
  }
}

TEST_CASE("ReLU has no parameters and counts no FLOP", "[nn][relu]") {
  const ReLU<test::ReferenceBackend> relu;
  CHECK(parameters(relu).empty());
  CHECK(flops(relu, 5, 7) == 0);
}

TEST_CASE("A repeated step with ReLU allocates nothing once warm", "[nn][relu]") {
  const ReLU<test::XsimdBackend> relu;
  const auto x = random_map<double>({4, 7, 6, 3}, 1);
  Tape<double> tape({.threads = 2});
  const auto step = [&] {
    tape.reset();
    tape.backward(mean(relu.forward(tape.input(x))));
  };
  for (int warm = 0; warm < 3; ++warm) step();
  const std::size_t before = test::allocation_count();
  for (int i = 0; i < 3; ++i) step();
  CHECK(test::allocation_count() == before);
}
