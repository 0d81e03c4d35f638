// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <stdexcept>
#include <vector>

#include <pixelrnn/autodiff/gradcheck.hpp>

#include "support/catch.hpp"
#include "support/random.hpp"

using namespace pixelrnn;
using test::random_map;
using Inputs = std::vector<Variable<double>>;

namespace {

/// x^3, whose derivative is what the test makes of it.
template <class Derivative>
struct Cube {
  static constexpr const char* name = "cube";
  static void forward(std::span<const double> x, std::span<double> y) {
    for (std::size_t i = 0; i < x.size(); ++i) y[i] = x[i] * x[i] * x[i];
  }
  static void backward(std::span<const double> x, std::span<const double>,
                       std::span<const double> dy, std::span<double> dx) {
    for (std::size_t i = 0; i < x.size(); ++i) Derivative::add(i, x[i], dy[i], dx[i]);
  }
};
struct Right {
  static void add(std::size_t, double x, double dy, double& dx) { dx += dy * 3 * x * x; }
};
struct WrongByAHundredth {
  static void add(std::size_t, double x, double dy, double& dx) { dx += dy * 3.03 * x * x; }
};
struct WrongAtFour {
  static void add(std::size_t i, double x, double dy, double& dx) {
    dx += dy * (i == 4 ? 2 : 3) * x * x;
  }
};
struct Overwrites {
  static void add(std::size_t, double x, double dy, double& dx) { dx = dy * 3 * x * x; }
};
struct NanAtTwo {
  static void add(std::size_t i, double x, double dy, double& dx) {
    dx += i == 2 ? std::numeric_limits<double>::quiet_NaN() : dy * 3 * x * x;
  }
};

template <class Derivative>
GradcheckReport check_cube(GradcheckOptions options = {}) {
  return gradcheck(
      {random_map<double>({1, 2, 3, 1}, 1, 0.5, 1)},
      [](Tape<double>&, const Inputs& x) { return apply(Cube<Derivative>{}, x[0]); }, options);
}

/// y = x with a derivative that swaps two outputs: it would pass if all outputs counted equally.
struct Swapped {
  static constexpr const char* name = "swapped";
  static void forward(std::span<const double> x, std::span<double> y) {
    std::copy(x.begin(), x.end(), y.begin());
  }
  static void backward(std::span<const double>, std::span<const double>, std::span<const double> dy,
                       std::span<double> dx) {
    dx[0] += dy[1], dx[1] += dy[0];
  }
};

/// max(x, 0), whose derivative is what the test makes of it: `On` hundredths above 0, `Off` below
/// and `At` just there.
template <int On, int Off, int At>
struct Kinked {
  static constexpr const char* name = "kinked";
  static void forward(std::span<const double> x, std::span<double> y) {
    for (std::size_t i = 0; i < x.size(); ++i) y[i] = std::max(x[i], 0.0);
  }
  static void backward(std::span<const double> x, std::span<const double>,
                       std::span<const double> dy, std::span<double> dx) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      dx[i] += dy[i] * (x[i] > 0 ? On : x[i] < 0 ? Off : At) / 100;
    }
  }
};
using RightKink = Kinked<100, 0, 0>;

/// The same, with a derivative of NaN where x compares so with 0.
template <class Compare>
struct NanWhere : RightKink {
  static void backward(std::span<const double> x, std::span<const double> y,
                       std::span<const double> dy, std::span<double> dx) {
    RightKink::backward(x, y, dy, dx);
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (Compare{}(x[i], 0.0)) dx[i] = std::numeric_limits<double>::quiet_NaN();
    }
  }
};

/// x² whose derivative at exactly 0 is wrong; a function with a corner nowhere.
struct SquareWrongAtZero {
  static constexpr const char* name = "square";
  static void forward(std::span<const double> x, std::span<double> y) {
    for (std::size_t i = 0; i < x.size(); ++i) y[i] = 50 * x[i] * x[i];
  }
  static void backward(std::span<const double> x, std::span<const double>,
                       std::span<const double> dy, std::span<double> dx) {
    for (std::size_t i = 0; i < x.size(); ++i) dx[i] += dy[i] * (x[i] == 0 ? 1e-3 : 100 * x[i]);
  }
};

/// A step at 0 whose derivative is that of its two sides.
struct Step {
  static constexpr const char* name = "step";
  static void forward(std::span<const double> x, std::span<double> y) {
    for (std::size_t i = 0; i < x.size(); ++i) y[i] = x[i] > 0 ? 1 : 0;
  }
  static void backward(std::span<const double>, std::span<const double>, std::span<const double>,
                       std::span<double>) {}
};

/// gradcheck of an operation at these points.
template <class Op>
GradcheckReport check_at(std::vector<double> points) {
  FeatureMap<double> x(Shape<4>{1, 1, 1, static_cast<Index>(points.size())});
  std::copy(points.begin(), points.end(), x.data());
  return gradcheck({x}, [](Tape<double>&, const Inputs& in) { return apply(Op{}, in[0]); });
}

/// y = x · weights + bias · `bias_share`, whose backward knows nothing of bias_share: right for 1.
struct Linear {
  using Scalar = double;
  Parameter<double> weights{Shape<4>{1, 1, 1, 3}}, bias{Shape<4>{1, 1, 1, 3}};
  double bias_share = 1;

  [[nodiscard]] Variable<double> forward(Variable<double> x) const {
    struct Op {
      const Linear* layer;
      void backward(Backward<double>& context) const {
        const auto dy = context.output_gradient(), x = context.input(0);
        const auto dx = context.input_gradient(0);
        for (Index i = 0; i < dy.size(); ++i) {
          dx.data()[i] += dy.data()[i] * layer->weights.value().data()[i % 3];
          context.gradient(layer->weights).data()[i % 3] += dy.data()[i] * x.data()[i];
          context.gradient(layer->bias).data()[i % 3] += dy.data()[i];
        }
      }
    };
    const FeatureView<double> y = x.tape().allocate(x.shape());
    for (Index i = 0; i < y.size(); ++i) {
      y.data()[i] = x.value().data()[i] * weights.value().data()[i % 3] +
                    bias_share * bias.value().data()[i % 3];
    }
    return x.tape().record("Linear", y, {x, x.tape().leaf(bias)}, Op{this});
  }
  void for_each_parameter(auto&& visit) { visit("weights", weights), visit("bias", bias); }
};

}  // namespace

TEST_CASE("gradcheck passes a right derivative", "[autodiff][gradcheck]") {
  const GradcheckReport report = check_cube<Right>();
  CHECK(report);
  CHECK(report.passed);
  CHECK(report.checked == 6);
  CHECK(report.worst < 0.1);
  CHECK(report.where != "");
}

TEST_CASE("gradcheck reports a derivative that is wrong by a hundredth", "[autodiff][gradcheck]") {
  const GradcheckReport report = check_cube<WrongByAHundredth>();
  CHECK_FALSE(report);
  CHECK(report.worst > 100);
  CHECK(check_cube<WrongByAHundredth>({.relative = 0.02}));
}

TEST_CASE("gradcheck names the element that is wrong, and both values", "[autodiff][gradcheck]") {
  const GradcheckReport report = check_cube<WrongAtFour>();
  CHECK_FALSE(report);
  CHECK(report.where.substr(0, 11) == "input 0[4]:");
  CHECK(report.where.find("analytic ") != std::string::npos);
  CHECK(report.where.find("numeric ") != std::string::npos);
}

TEST_CASE("gradcheck names the element whose derivative is NaN", "[autodiff][gradcheck]") {
  const GradcheckReport report = check_cube<NanAtTwo>();
  CHECK_FALSE(report);
  CHECK(std::isnan(report.worst));
  CHECK(report.where.substr(0, 11) == "input 0[2]:");
  CHECK(report.checked == 6);
}

TEST_CASE("gradcheck finds a derivative that overwrites where it must add",
          "[autodiff][gradcheck]") {
  // The operation is recorded first, so it is reversed last and meets the gradient of the product.
  const auto twice = [](auto op) {
    return gradcheck({random_map<double>({1, 2, 3, 1}, 1, 0.5, 1)},
                     [op](Tape<double>&, const Inputs& x) {
                       const Variable<double> cube = apply(op, x[0]);
                       return add(cube, mul(x[0], x[0]));
                     });
  };
  CHECK(twice(Cube<Right>{}));
  CHECK_FALSE(twice(Cube<Overwrites>{}));
}

TEST_CASE("gradcheck checks every parameter of a layer and names it", "[autodiff][gradcheck]") {
  Linear layer;
  test::randomise(layer, 1);
  const FeatureMap<double> x = random_map<double>({2, 1, 2, 3}, 2);
  const GradcheckReport right = gradcheck(layer, x);
  CHECK(right);
  CHECK(right.checked == 12 + 3 + 3);

  layer.bias_share = 2;
  const GradcheckReport wrong = gradcheck(layer, x);
  CHECK_FALSE(wrong);
  CHECK(wrong.where.substr(0, 5) == "bias[");
}

TEST_CASE("gradcheck leaves the values as they were", "[autodiff][gradcheck]") {
  Linear layer;
  test::randomise(layer, 1);
  const std::vector<double> before(layer.weights.value().begin(), layer.weights.value().end());
  static_cast<void>(gradcheck(layer, random_map<double>({2, 1, 2, 3}, 2)));
  CHECK(std::equal(before.begin(), before.end(), layer.weights.value().begin()));
}

TEST_CASE("gradcheck leaves the values as they were if the function throws",
          "[autodiff][gradcheck]") {
  Linear layer;
  test::randomise(layer, 1);
  const std::vector<double> before(layer.weights.value().begin(), layer.weights.value().end());
  const FeatureMap<double> x = random_map<double>({1, 1, 1, 3}, 2);
  // The first call is for the gradients, 6 are for the input: then come those for the weights.
  for (const int last_call : {8, 9}) {
    CAPTURE(last_call);
    int calls = 0;
    const auto check = [&] {
      return gradcheck(layer, {x}, [&](Tape<double>&, const Inputs& in) {
        if (++calls == last_call) throw std::runtime_error("a user's");
        return layer.forward(in[0]);
      });
    };
    CHECK_THROWS_AS(check(), std::runtime_error);
    CHECK(calls == last_call);
    CHECK(std::equal(before.begin(), before.end(), layer.weights.value().begin()));
  }
}

TEST_CASE("gradcheck counts every output, with weights that its seed chooses",
          "[autodiff][gradcheck]") {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    CHECK_FALSE(gradcheck({random_map<double>({1, 1, 2, 1}, 1)},
                          [](Tape<double>&, const Inputs& x) { return apply(Swapped{}, x[0]); },
                          {.seed = seed}));
  }
}

TEST_CASE("gradcheck passes a right derivative at a kink, and counts it", "[autodiff][gradcheck]") {
  const GradcheckReport report = check_at<RightKink>({0, -1, 1, 0});
  INFO(report.where);
  CHECK(report);
  CHECK(report.checked == 4);
  CHECK(report.kinks == 2);
  CHECK(report.worst < 0.1);
  // What an operation gives at the kink is its own choice.
  CHECK(check_at<Kinked<100, 0, 100>>({0, -1, 1}).kinks == 1);
  CHECK(check_at<Kinked<100, 0, 100>>({0, -1, 1}));
  CHECK(check_at<RightKink>({-1, 1}).kinks == 0);
}

TEST_CASE("gradcheck passes points that lie closer to a kink than its step",
          "[autodiff][gradcheck]") {
  for (const double x : {-9e-7, -5e-7, -1e-9, 1e-9, 3e-7, 9e-7}) {
    CAPTURE(x);
    const GradcheckReport report = check_at<RightKink>({x, 1});
    INFO(report.where);
    CHECK(report);
    CHECK(report.kinks == 1);
  }
}

TEST_CASE("gradcheck reports a derivative that is wrong beside a kink", "[autodiff][gradcheck]") {
  const GradcheckReport right = check_at<Kinked<99, 0, 0>>({0, -1});
  CHECK_FALSE(right);
  CHECK(right.kinks == 1);
  CHECK(right.where.find("input 0[0]: to the right of a kink, analytic ") == 0);
  const GradcheckReport left = check_at<Kinked<100, 1, 0>>({0, 1});
  CHECK_FALSE(left);
  CHECK(left.where.find("input 0[0]: to the left of a kink, analytic ") == 0);
}

TEST_CASE("gradcheck reports a wrong derivative at other points than a kink",
          "[autodiff][gradcheck]") {
  const GradcheckReport report = check_at<Kinked<99, 0, 0>>({0, -1, 1});
  CHECK_FALSE(report);
  CHECK(report.kinks == 1);
  CHECK_FALSE(check_at<Kinked<100, 1, 0>>({-1, 1}));
}

TEST_CASE("gradcheck takes neither a curve nor a jump for a kink", "[autodiff][gradcheck]") {
  const GradcheckReport curve = check_at<SquareWrongAtZero>({0, 1});
  CHECK_FALSE(curve);
  CHECK(curve.kinks == 0);
  CHECK(check_at<SquareWrongAtZero>({1, 2}));
  const GradcheckReport jump = check_at<Step>({0, 1});
  CHECK_FALSE(jump);
  CHECK(jump.kinks == 0);
  CHECK(check_at<Step>({-1, 1}));
}

TEST_CASE("gradcheck reports a derivative that is not finite at a kink or beside it",
          "[autodiff][gradcheck]") {
  CHECK_FALSE(check_at<NanWhere<std::equal_to<>>>({0, 1}));
  CHECK_FALSE(check_at<NanWhere<std::less<>>>({0, 1}));
  CHECK_FALSE(check_at<NanWhere<std::greater<>>>({0, -1}));
  CHECK(check_at<NanWhere<std::less<>>>({1, 2}));
}

TEST_CASE("gradcheck of nothing but kinks does not pass", "[autodiff][gradcheck]") {
  const GradcheckReport report = check_at<RightKink>({0, 0, 0});
  CHECK_FALSE(report);
  CHECK(report.kinks == 3);
  CHECK(report.where == "every derivative asked for is at a kink: give values beside it");
}

TEST_CASE("gradcheck passes where several ReLUs bend at once, and restores what it moved",
          "[autodiff][gradcheck]") {
  // To the left the slope is 1, to the right 2; 0, which the ReLUs give, is not between.
  FeatureMap<double> x(Shape<4>{1, 1, 1, 1});
  const auto bend = [](Tape<double>&, const Inputs& in) {
    const auto up = apply(RightKink{}, in[0]), down = apply(RightKink{}, scale(in[0], -1.0));
    return add(scale(up, 2.0), scale(down, -1.0));
  };
  const GradcheckReport report = gradcheck(
      {x, x}, [&bend](Tape<double>& tape, const Inputs& in) { return add(bend(tape, in), in[1]); });
  INFO(report.where);
  CHECK(report);
  CHECK(report.kinks == 1);

  Linear layer;
  test::randomise(layer, 1);
  for (double& b : layer.bias.value()) b = 0;
  const std::vector<double> before(layer.weights.value().begin(), layer.weights.value().end());
  const GradcheckReport of_layer = gradcheck(
      layer, {FeatureMap<double>(Shape<4>{1, 1, 1, 3})},
      [&](Tape<double>& tape, const Inputs& in) { return bend(tape, {layer.forward(in[0])}); });
  INFO(of_layer.where);
  CHECK(of_layer);
  CHECK(of_layer.kinks == 3 + 3);  // the inputs and the biases
  CHECK(std::equal(before.begin(), before.end(), layer.weights.value().begin()));
  for (const double b : layer.bias.value()) CHECK(b == 0);
}
