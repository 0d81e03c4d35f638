// SPDX-License-Identifier: MIT
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <pixelrnn/autodiff/gradcheck.hpp>

#include "support/catch.hpp"
#include "support/compare.hpp"
#include "support/random.hpp"

using namespace pixelrnn;
using test::random_map;
using Inputs = std::vector<Variable<double>>;

namespace {

/// Odd, of size 1, and empty; and one that is large enough to be shared among threads.
const std::vector<Shape<4>> shapes{{2, 3, 5, 2}, {1, 1, 1, 1}, {1, 1, 7, 3},
                                   {3, 1, 1, 1}, {0, 3, 2, 1}, {2, 0, 1, 1}};

struct Sine {
  static constexpr const char* name = "sine";
  static void forward(std::span<const double> x, std::span<double> y) {
    for (std::size_t i = 0; i < x.size(); ++i) y[i] = std::sin(x[i]);
  }
  static void backward(std::span<const double> x, std::span<const double>,
                       std::span<const double> dy, std::span<double> dx) {
    for (std::size_t i = 0; i < x.size(); ++i) dx[i] += dy[i] * std::cos(x[i]);
  }
};
struct Exponential {
  static constexpr const char* name = "exponential";
  static void forward(std::span<const double> x, std::span<double> y) {
    for (std::size_t i = 0; i < x.size(); ++i) y[i] = std::exp(x[i]);
  }
  /// Only an operation of its own output can do without x.
  static void backward(std::span<const double>, std::span<const double> y,
                       std::span<const double> dy, std::span<double> dx) {
    for (std::size_t i = 0; i < y.size(); ++i) dx[i] += dy[i] * y[i];
  }
};
struct WithoutName {
  static void forward(std::span<const double>, std::span<double>) {}
  static void backward(std::span<const double>, std::span<const double>, std::span<const double>,
                       std::span<double>) {}
};

/// gradcheck of a function of maps of the shapes; empty if it passes.
template <class F>
std::string gradcheck_says(const std::vector<Shape<4>>& of, F f) {
  std::vector<FeatureMap<double>> inputs;
  for (std::size_t i = 0; i < of.size(); ++i) inputs.push_back(random_map<double>(of[i], i + 1));
  const GradcheckReport report =
      gradcheck(std::move(inputs), [&f](Tape<double>&, const Inputs& x) { return f(x); });
  Index elements = 0;
  for (const Shape<4>& shape : of) elements += shape.count();
  if (report.checked != elements) return "not every element was checked";
  return report.passed ? "" : report.where;
}

}  // namespace

TEST_CASE("The gradient of every function is right", "[autodiff][functions]") {
  for (const Shape<4>& shape : shapes) {
    const Shape<4> channels{1, 1, 1, shape.c()};
    CAPTURE(shape);
    CHECK(gradcheck_says({shape, shape}, [](const Inputs& x) { return add(x[0], x[1]); }) == "");
    CHECK(gradcheck_says({shape}, [](const Inputs& x) { return add(x[0], x[0]); }) == "");
    CHECK(gradcheck_says({shape, shape}, [](const Inputs& x) { return mul(x[0], x[1]); }) == "");
    CHECK(gradcheck_says({shape}, [](const Inputs& x) { return mul(x[0], x[0]); }) == "");
    CHECK(gradcheck_says({shape, channels}, [](const Inputs& x) { return mul(x[0], x[1]); }) == "");
    CHECK(gradcheck_says({shape}, [](const Inputs& x) { return scale(x[0], -1.7); }) == "");
    CHECK(gradcheck_says({shape}, [](const Inputs& x) { return sum(x[0]); }) == "");
    CHECK(gradcheck_says({shape}, [](const Inputs& x) { return apply(Sine{}, x[0]); }) == "");
    CHECK(gradcheck_says({shape}, [](const Inputs& x) { return apply(Exponential{}, x[0]); }) ==
          "");
    if (shape.count() > 0) {
      CHECK(gradcheck_says({shape}, [](const Inputs& x) { return mean(x[0]); }) == "");
    }
  }
}

TEST_CASE("The gradient of a composition is right", "[autodiff][functions]") {
  CHECK(gradcheck_says({{2, 2, 3, 2}, {2, 2, 3, 2}, {1, 1, 1, 2}}, [](const Inputs& x) {
          const auto y = add(mul(x[0], x[1]), apply(Sine{}, x[0]));
          return mean(mul(mul(y, y), x[2]));
        }) == "");
}

TEST_CASE("The gradient of random compositions is right", "[autodiff][functions]") {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    CAPTURE(seed);
    CHECK(gradcheck_says({{1, 2, 2, 1}, {1, 2, 2, 1}, {1, 2, 2, 1}}, [seed](const Inputs& x) {
            // Each value is made of any two before it, so that gradients meet in every order.
            Rng rng(seed);
            Inputs values = x;
            const auto any = [&] {
              return values[static_cast<std::size_t>(rng.below(values.size()))];
            };
            for (int i = 0; i < 12; ++i) {
              const Variable<double> a = any(), b = any();
              switch (rng.below(4)) {
                case 0:
                  values.push_back(scale(mul(a, b), 0.3));
                  break;
                case 1:
                  values.push_back(apply(Sine{}, a));
                  break;
                default:  // sums share the memory of gradients
                  values.push_back(scale(add(a, b), 0.5));
              }
            }
            Variable<double> y = values[0];
            for (const Variable<double>& v : values) y = add(y, v);
            return y;
          }) == "");
  }
}

TEMPLATE_TEST_CASE("Functions compute what their names say", "[autodiff][functions]", float,
                   double) {
  using T = TestType;
  const FeatureMap<T> a = random_map<T>({2, 3, 2, 3}, 1), b = random_map<T>({2, 3, 2, 3}, 2);
  const FeatureMap<T> w = random_map<T>({1, 1, 1, 3}, 3);
  Tape<T> tape;
  const Variable<T> x = tape.input(a), y = tape.input(b), z = tape.constant(w);
  T total{0};
  for (Index i = 0; i < a.size(); ++i) {
    const T u = a.data()[i], v = b.data()[i];
    total += u;
    CHECK(add(x, y).value().data()[i] == u + v);
    CHECK(mul(x, y).value().data()[i] == u * v);
    CHECK(mul(x, z).value().data()[i] == u * w.data()[i % 3]);
    CHECK(scale(x, T{3}).value().data()[i] == 3 * u);
  }
  CHECK(sum(x).shape() == Shape<4>{1, 1, 1, 1});
  CHECK(sum(x).value().data()[0] == total);
  CHECK(mean(x).value().data()[0] == Approx(total / static_cast<T>(a.size())).epsilon(1e-6));
}

TEST_CASE("The mean over pixels is that of each image and channel, and its gradient",
          "[autodiff][functions]") {
  const FeatureMap<double> x = random_map<double>({3, 2, 4, 5}, 1);
  Tape<double> tape;
  const FeatureView<const double> y = pixel_mean(tape.input(x)).value();
  REQUIRE(y.shape() == Shape<4>{3, 1, 1, 5});
  for (Index n = 0; n < 3; ++n) {
    for (Index c = 0; c < 5; ++c) {
      double sum = 0;
      for (Index i = 0; i < 8; ++i) sum += x(n, i / 4, i % 4, c);
      CHECK(y(n, 0, 0, c) == Approx(sum / 8).epsilon(1e-14));
    }
  }
  CHECK(gradcheck({x}, [](Tape<double>&, const auto& in) { return pixel_mean(in[0]); }));
  const FeatureMap<double> nothing({2, 0, 4, 5});
  CHECK_THROWS_ERROR(pixel_mean(tape.input(nothing)), ShapeError, "pixel_mean: x is (N=2, H=0");
}

TEST_CASE("Adding large maps gives the same bits for any number of threads",
          "[autodiff][functions]") {
  const FeatureMap<float> a = random_map<float>({3, 64, 64, 33}, 1);
  const FeatureMap<float> b = random_map<float>({3, 64, 64, 33}, 2);
  for (const int threads : {1, 2, 4}) {
    Tape<float> tape({.threads = threads});
    const Variable<float> x = tape.input(a), y = tape.input(b);
    const Variable<float> twice = add(add(x, y), x);
    tape.backward(twice, b);
    bool right = true;
    for (Index i = 0; i < a.size(); ++i) {
      const float u = a.data()[i], v = b.data()[i];
      right = right && twice.value().data()[i] == (u + v) + u;
      right = right && tape.gradient(x).data()[i] == 2 * v && tape.gradient(y).data()[i] == v;
    }
    CAPTURE(threads);
    CHECK(right);
  }
}

TEST_CASE("A unary operation is told by its members and named in the recording",
          "[autodiff][functions]") {
  STATIC_REQUIRE(UnaryOp<Sine, double>);
  STATIC_REQUIRE_FALSE(UnaryOp<Sine, float>);
  STATIC_REQUIRE_FALSE(UnaryOp<WithoutName, double>);
  const FeatureMap<double> at({1, 1, 1, 1}, 1e6);
  Tape<double> tape;
  static_cast<void>(apply(Exponential{}, tape.input(at)));
  CHECK(tape.first_non_finite() == "exponential (operation 1)");
}

TEST_CASE("Functions name the shapes that do not agree", "[autodiff][functions]") {
  const FeatureMap<double> a({1, 2, 3, 4}), b({1, 2, 3, 5}), channels({1, 1, 1, 5});
  const FeatureMap<double> empty({0, 2, 3, 4});
  Tape<double> tape;
  const Variable<double> x = tape.input(a);
  CHECK_THROWS_ERROR(add(x, tape.input(b)), ShapeError,
                     "add: the operands are (N=1, H=2, W=3, C=4) and (N=1, H=2, W=3, C=5), "
                     "expected equal shapes");
  CHECK_THROWS_ERROR(mul(x, tape.input(channels)), ShapeError,
                     "mul: the operands are (N=1, H=2, W=3, C=4) and (N=1, H=1, W=1, C=5), "
                     "expected equal shapes or (N=1, H=1, W=1, C=4) for the second");
  CHECK_THROWS_ERROR(mean(tape.input(empty)), ShapeError,
                     "mean: (N=0, H=2, W=3, C=4) has no elements");
}

TEST_CASE("NaN goes through functions in both directions", "[autodiff][functions]") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  FeatureMap<double> at = random_map<double>({1, 1, 5, 1}, 1);
  at.data()[2] = nan;
  Tape<double> tape;
  const Variable<double> x = tape.input(at);
  const Variable<double> square = mul(x, x), y = add(square, scale(x, 2.0));
  tape.backward(sum(y));
  for (Index i = 0; i < 5; ++i) {
    CHECK(std::isnan(y.value().data()[i]) == (i == 2));
    CHECK(std::isnan(tape.gradient(x).data()[i]) == (i == 2));
  }
}
