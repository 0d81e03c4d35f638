// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <limits>
#include <type_traits>
#include <vector>

#include <pixelrnn/core/random.hpp>
#include <pixelrnn/simd/math.hpp>

#include "support/catch.hpp"
#include "support/ulp.hpp"

using namespace pixelrnn;

namespace {

template <class T>
using Wide = std::conditional_t<std::is_same_v<T, float>, double, long double>;
template <class T>
using Limits = std::numeric_limits<T>;

/// f on every number of x.
template <class T, class F>
std::vector<T> map(const std::vector<T>& x, F f) {
  std::vector<T> y(x.size());
  simd::transform(static_cast<Index>(x.size()), x.data(), y.data(), f);
  return y;
}

// What is tested, as function objects on vectors, and as the truth on wide numbers.
constexpr auto vector_exp = [](auto x) { return simd::exp(x); };
constexpr auto vector_log = [](auto x) { return simd::log(x); };
constexpr auto vector_tanh = [](auto x) { return simd::tanh(x); };
constexpr auto vector_logistic = [](auto x) { return simd::logistic(x); };
constexpr auto vector_relu = [](auto x) { return simd::relu(x); };
constexpr auto true_exp = [](auto x) { return std::exp(x); };
constexpr auto true_log = [](auto x) { return std::log(x); };
constexpr auto true_tanh = [](auto x) { return std::tanh(x); };
constexpr auto true_logistic = [](auto x) { return 1 / (1 + std::exp(-x)); };

/// Finite numbers of every binary magnitude and both signs, as dense as time allows, and more in
/// [-100, 100], where the functions do something.
template <class T>
std::vector<T> sample() {
  std::vector<T> x;
  if constexpr (std::is_same_v<T, float>) {
    for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += 8191) {
      const auto word = static_cast<std::uint32_t>(bits);
      float value;
      std::memcpy(&value, &word, sizeof value);
      if (std::isfinite(value)) x.push_back(value);
    }
  } else {
    Rng rng(5);
    for (int i = 0; i < 200000; ++i) {
      const std::uint64_t bits = rng.next();
      double value;
      std::memcpy(&value, &bits, sizeof value);
      if (std::isfinite(value)) x.push_back(value);
    }
  }
  Rng rng(6);
  for (const double bound : {100.0, 10.0, 1.0, 0.7, 0.01}) {
    for (int i = 0; i < 40000; ++i) x.push_back(static_cast<T>(rng.uniform(-bound, bound)));
  }
  return x;
}

struct Worst {
  double ulps = 0;
  double at = 0;
};

/// The largest error of `f` on all x for which the true result is a normal number; where it is
/// smaller, the result must be as small (it may be flushed to 0), where larger, infinite. Just
/// below the largest number it may be infinite too.
template <class T, class F, class Truth>
Worst worst_error(const std::vector<T>& x, F f, Truth truth) {
  const std::vector<T> y = map(x, f);
  Worst worst;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const Wide<T> exact = truth(static_cast<Wide<T>>(x[i]));
    if (std::isnan(exact)) {
      if (!std::isnan(y[i])) return {Limits<double>::infinity(), static_cast<double>(x[i])};
      continue;
    }
    if (std::abs(exact) < static_cast<Wide<T>>(Limits<T>::min())) {
      if (!(std::abs(y[i]) <= Limits<T>::min())) {
        return {Limits<double>::infinity(), static_cast<double>(x[i])};
      }
      continue;
    }
    if (std::abs(exact) > static_cast<Wide<T>>(Limits<T>::max())) {
      if (y[i] != std::copysign(Limits<T>::infinity(), static_cast<T>(exact))) {
        return {Limits<double>::infinity(), static_cast<double>(x[i])};
      }
      continue;
    }
    const Wide<T> edge = static_cast<Wide<T>>(Limits<T>::max()) / std::sqrt(Wide<T>{2});
    if (exact > edge && y[i] == Limits<T>::infinity()) continue;
    const double error = test::ulps(y[i], exact);
    if (!(error <= worst.ulps)) worst = {error, static_cast<double>(x[i])};
  }
  return worst;
}

}  // namespace

TEMPLATE_TEST_CASE("exp and log keep to 2 ulp on a dense sample", "[simd][math]", float, double) {
  const std::vector<TestType> x = sample<TestType>();
  const Worst exp = worst_error(x, vector_exp, true_exp);
  CAPTURE(exp.at);
  CHECK(exp.ulps <= 2);
  std::vector<TestType> normal;
  std::copy_if(x.begin(), x.end(), std::back_inserter(normal),
               [](TestType v) { return std::isnormal(v); });
  const Worst log = worst_error(normal, vector_log, true_log);
  CAPTURE(log.at);
  CHECK(log.ulps <= 2);
}

TEMPLATE_TEST_CASE("tanh keeps to 5 ulp and logistic to 4 where they are not flat", "[simd][math]",
                   float, double) {
  // In float tanh is flat from 7.9 on, and logistic from 80 on.
  const auto within = [](double bound) {
    std::vector<TestType> x = sample<TestType>();
    std::erase_if(x, [bound](TestType v) { return !(std::abs(static_cast<double>(v)) <= bound); });
    return x;
  };
  const bool single = std::is_same_v<TestType, float>;
  const Worst tanh = worst_error(within(single ? 7.9 : 1e300), vector_tanh, true_tanh);
  CAPTURE(tanh.at);
  CHECK(tanh.ulps <= 5);
  const Worst logistic = worst_error(within(single ? 80 : 700), vector_logistic, true_logistic);
  CAPTURE(logistic.at);
  CHECK(logistic.ulps <= 4);
}

TEST_CASE("Float tanh is within 5e-7 of 1 where it is flat, float logistic within 2e-35 of 0",
          "[simd][math]") {
  for (const float y : map(std::vector<float>{7.9f, 9, 100, 3e38f}, vector_tanh)) {
    CHECK(y <= 1);
    CHECK(y >= 1 - 5e-7f);
  }
  for (const float y : map(std::vector<float>{-80, -90, -3e38f}, vector_logistic)) {
    CHECK(y >= 0);
    CHECK(y <= 2e-35f);
  }
}

TEMPLATE_TEST_CASE("The measure of error sees a function that is 10 ulp off", "[simd][math]", float,
                   double) {
  const auto off = [](auto x) {
    return simd::exp(x) * simd::Batch<TestType>(1 + 10 * Limits<TestType>::epsilon());
  };
  const Worst worst = worst_error(std::vector<TestType>{-3, 0.5, 2}, off, true_exp);
  CHECK(worst.ulps > 4);
  CHECK(worst.ulps < 21);
}

TEMPLATE_TEST_CASE("tanh and logistic never leave their range", "[simd][math]", float, double) {
  const std::vector<TestType> x = sample<TestType>();
  bool tanh_stays = true, logistic_stays = true;
  for (const TestType y : map(x, vector_tanh)) tanh_stays = tanh_stays && y >= -1 && y <= 1;
  for (const TestType y : map(x, vector_logistic)) {
    logistic_stays = logistic_stays && y >= 0 && y <= 1;
  }
  CHECK(tanh_stays);
  CHECK(logistic_stays);
}

TEMPLATE_TEST_CASE("The functions know infinity, zero and very large numbers", "[simd][math]",
                   float, double) {
  using T = TestType;
  const T inf = Limits<T>::infinity(), big = Limits<T>::max();
  const std::vector<T> x{inf, -inf, T{0}, -T{0}, big, -big};
  CHECK(map(x, vector_exp) == std::vector<T>{inf, 0, 1, 1, inf, 0});
  const auto near = [](const std::vector<T>& found, const std::vector<T>& expected) {
    return std::equal(found.begin(), found.end(), expected.begin(),
                      [](T a, T b) { return std::abs(a - b) <= T(5e-7); });
  };
  CHECK(near(map(x, vector_tanh), {1, -1, 0, 0, 1, -1}));
  CHECK(near(map(x, vector_logistic), {1, 0, T(0.5), T(0.5), 1, 0}));
  CHECK(map(x, vector_relu) == std::vector<T>{inf, 0, 0, 0, big, 0});
  const std::vector<T> log = map(std::vector<T>{inf, 0, 1}, vector_log);
  CHECK(log == std::vector<T>{inf, -inf, 0});
  CHECK(std::isnan(map(std::vector<T>{-1}, vector_log)[0]));
}

TEMPLATE_TEST_CASE("NaN in is NaN out, in every lane", "[simd][math]", float, double) {
  using T = TestType;
  for (std::size_t lane = 0; lane < 2 * static_cast<std::size_t>(simd::lanes<T>) + 1; ++lane) {
    std::vector<T> x(2 * static_cast<std::size_t>(simd::lanes<T>) + 1, T(0.25));
    x[lane] = Limits<T>::quiet_NaN();
    const auto only_there = [&](auto f) {
      const std::vector<T> y = map(x, f);
      for (std::size_t i = 0; i < y.size(); ++i) {
        if (std::isnan(y[i]) != (i == lane)) return false;
      }
      return true;
    };
    CAPTURE(lane);
    CHECK(only_there(vector_exp));
    CHECK(only_there(vector_log));
    CHECK(only_there(vector_tanh));
    CHECK(only_there(vector_logistic));
    CHECK(only_there(vector_relu));
  }
}

TEMPLATE_TEST_CASE("Denormal numbers are small numbers", "[simd][math]", float, double) {
  using T = TestType;
  const T tiny = Limits<T>::denorm_min(), less_than_normal = Limits<T>::min() / 2;
  const std::vector<T> x{tiny, -tiny, less_than_normal, -less_than_normal};
  CHECK(map(x, vector_exp) == std::vector<T>{1, 1, 1, 1});
  CHECK(map(x, vector_logistic) == std::vector<T>(4, T(0.5)));
  for (const T y : map(x, vector_tanh)) CHECK(std::abs(y) <= less_than_normal);
  CHECK(map(x, vector_relu) == std::vector<T>{tiny, 0, less_than_normal, 0});
}

TEMPLATE_TEST_CASE("relu is the larger of x and 0", "[simd][math]", float, double) {
  const std::vector<TestType> x = sample<TestType>();
  const std::vector<TestType> y = map(x, vector_relu);
  bool agrees = true;
  for (std::size_t i = 0; i < x.size(); ++i) agrees = agrees && y[i] == (x[i] > 0 ? x[i] : 0);
  CHECK(agrees);
}
