// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>
#include <vector>

#include <pixelrnn/simd/math.hpp>

#include "support/catch.hpp"

using namespace pixelrnn;

namespace {

template <class T>
std::vector<T> counting(Index count) {
  std::vector<T> values(static_cast<std::size_t>(count));
  std::iota(values.begin(), values.end(), T{1});
  return values;
}

template <class T>
bool same_bits(const T* a, const T* b, Index count) {
  return std::memcmp(a, b, static_cast<std::size_t>(count) * sizeof(T)) == 0;
}

}  // namespace

TEMPLATE_TEST_CASE("A vector register holds as many numbers as the instruction set says",
                   "[simd][batch]", float, double) {
#if defined(__AVX512F__)
  constexpr Index bytes = 64;
#elif defined(__AVX__)
  constexpr Index bytes = 32;
#else
  constexpr Index bytes = 16;
#endif
  CHECK(simd::lanes<TestType> * static_cast<Index>(sizeof(TestType)) == bytes);
}

TEMPLATE_TEST_CASE("Partial loads fill up with zeros", "[simd][batch]", float, double) {
  using T = TestType;
  constexpr Index lanes = simd::lanes<T>;
  for (Index count = 0; count <= lanes; ++count) {
    // Exactly `count` values: a load that read more would be an address error.
    const std::vector<T> from = counting<T>(count);
    std::vector<T> to(static_cast<std::size_t>(lanes));
    simd::store(to.data(), simd::load_up_to(from.data(), count));
    for (Index i = 0; i < lanes; ++i) {
      CHECK(to[static_cast<std::size_t>(i)] == (i < count ? static_cast<T>(i + 1) : T{0}));
    }
  }
}

TEMPLATE_TEST_CASE("Partial stores leave the rest alone", "[simd][batch]", float, double) {
  using T = TestType;
  constexpr Index lanes = simd::lanes<T>;
  const std::vector<T> from = counting<T>(lanes);
  for (Index count = 0; count <= lanes + 3; ++count) {
    std::vector<T> to(static_cast<std::size_t>(lanes) + 3, T{-7});
    simd::store_up_to(to.data(), simd::load(from.data()), count);
    for (Index i = 0; i < lanes + 3; ++i) {
      const T expected = i < std::min(count, lanes) ? static_cast<T>(i + 1) : T{-7};
      CHECK(to[static_cast<std::size_t>(i)] == expected);
    }
  }
}

TEMPLATE_TEST_CASE("Loads and stores need no alignment", "[simd][batch]", float, double) {
  using T = TestType;
  constexpr Index lanes = simd::lanes<T>;
  const std::vector<T> from = counting<T>(2 * lanes);
  std::vector<T> to(static_cast<std::size_t>(2 * lanes));
  for (Index offset = 0; offset < lanes; ++offset) {
    simd::store(to.data() + offset, simd::load(from.data() + offset));
    CHECK(same_bits(to.data() + offset, from.data() + offset, lanes));
  }
}

TEMPLATE_TEST_CASE("The lanes are summed from first to last", "[simd][batch]", float, double) {
  using T = TestType;
  std::vector<T> values(static_cast<std::size_t>(simd::lanes<T>));
  // Rounding tells the order: the big first number swallows each small one in turn.
  std::fill(values.begin(), values.end(), std::numeric_limits<T>::epsilon() / 2);
  values[0] = 1;
  CHECK(simd::sum_of_lanes(simd::load(values.data())) == 1);
  std::iota(values.begin(), values.end(), T{1});
  CHECK(simd::sum_of_lanes(simd::load(values.data())) ==
        std::accumulate(values.begin(), values.end(), T{0}));
}

TEMPLATE_TEST_CASE("transform handles every count, and nothing beyond it", "[simd][batch]", float,
                   double) {
  using T = TestType;
  for (Index count = 0; count <= 3 * simd::lanes<T> + 1; ++count) {
    const std::vector<T> a = counting<T>(count), b(static_cast<std::size_t>(count), T{2});
    std::vector<T> once(static_cast<std::size_t>(count) + 5, T{-7}), twice = once;
    simd::transform(count, a.data(), once.data(), [](auto x) { return x + x; });
    simd::transform(count, a.data(), b.data(), twice.data(), [](auto x, auto y) { return x * y; });
    for (Index i = 0; i < count; ++i) {
      CHECK(once[static_cast<std::size_t>(i)] == static_cast<T>(2 * (i + 1)));
    }
    CHECK(std::all_of(once.begin() + count, once.end(), [](T v) { return v == T{-7}; }));
    CHECK(once == twice);
  }
}

TEMPLATE_TEST_CASE("The bits of a value do not depend on its position", "[simd][batch]", float,
                   double) {
  using T = TestType;
  constexpr Index count = 3 * simd::lanes<T> - 1;
  for (const T value : {T(-3.7), T(0.1), T(0.624999), T(5.5)}) {
    const std::vector<T> x(static_cast<std::size_t>(count), value);
    std::vector<T> y(x.size());
    simd::transform(count, x.data(), y.data(), [](auto v) { return simd::tanh(v); });
    for (Index i = 1; i < count; ++i) CHECK(same_bits(&y[static_cast<std::size_t>(i)], &y[0], 1));
    simd::transform(count, x.data(), y.data(), [](auto v) { return simd::logistic(v); });
    for (Index i = 1; i < count; ++i) CHECK(same_bits(&y[static_cast<std::size_t>(i)], &y[0], 1));
  }
}
