// SPDX-License-Identifier: MIT
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <pixelrnn/autodiff/gradcheck.hpp>
#include <pixelrnn/likelihood/bernoulli.hpp>
#include <pixelrnn/likelihood/categorical.hpp>

#include "support/catch.hpp"
#include "support/compare.hpp"
#include "support/models.hpp"
#include "support/random.hpp"

using namespace pixelrnn;
using test::random_map;
using Levels = TensorView<const Images::Level, 4>;

namespace {

/// A user's likelihood: level k of 0 .. 3 with p proportional to e^(z·k).
struct Tilted {
  static constexpr int levels = 4;
  static constexpr Index outputs = 1;
  static std::string name() { return "tilted"; }
  template <class T>
  static T log_norm(T z) {
    T sum{0};
    for (int k = 0; k < levels; ++k) sum += std::exp(z * static_cast<T>(k));
    return std::log(sum);
  }
  template <class T>
  static T nats(const T* logits, int level) {
    return log_norm(logits[0]) - logits[0] * static_cast<T>(level);
  }
  template <class T>
  static void add_gradient(const T* logits, int level, T scale, T* d) {
    T mean{0};
    for (int k = 0; k < levels; ++k) {
      mean += static_cast<T>(k) * std::exp(logits[0] * static_cast<T>(k) - log_norm(logits[0]));
    }
    d[0] += scale * (mean - static_cast<T>(level));
  }
  template <class T>
  static void log_probabilities(const T* logits, T* out) {
    for (int k = 0; k < levels; ++k) out[k] = -nats(logits, k);
  }
};

/// The same with a gradient that forgets the mean.
struct WronglyTilted : Tilted {
  template <class T>
  static void add_gradient(const T*, int level, T scale, T* d) {
    d[0] -= scale * static_cast<T>(level);
  }
};

struct Nameless {
  static constexpr int levels = 2;
  static constexpr Index outputs = 1;
};

template <class L>
GradcheckReport check_gradient(ImageShape image, Index count) {
  const Images images = test::random_images(count, image, L::levels, 5);
  const Shape<4> shape = images.pixels().shape();
  const FeatureMap<double> z =
      random_map<double>(shape.with_channels(image.channels * L::outputs), 6, -2, 2);
  return gradcheck({z}, [&images](Tape<double>&, const std::vector<Variable<double>>& in) {
    return image_nats<L, execution::OpenMP>(in[0], Levels(images.pixels()));
  });
}

}  // namespace

TEST_CASE("A likelihood is told by its functions", "[likelihood]") {
  STATIC_REQUIRE(Likelihood<Bernoulli, float>);
  STATIC_REQUIRE(Likelihood<Categorical<7>, double>);
  STATIC_REQUIRE(Likelihood<Tilted, float>);
  STATIC_REQUIRE_FALSE(Likelihood<Nameless, float>);
  STATIC_REQUIRE_FALSE(Likelihood<int, float>);
}

TEST_CASE("image_nats sums over the sub-pixels of each image", "[likelihood]") {
  const Images images = test::random_images(3, {2, 3, 2}, 3, 1);
  const FeatureMap<double> z = random_map<double>({3, 2, 3, 6}, 2, -2, 2);
  Tape<double> tape({.threads = 1});
  const auto nats =
      image_nats<Categorical<3>, execution::Sequential>(tape.input(z), Levels(images.pixels()));
  REQUIRE(nats.shape() == Shape<4>{3, 1, 1, 1});
  for (Index n = 0; n < 3; ++n) {
    double expected = 0;
    for (Index r = 0; r < 2; ++r) {
      for (Index j = 0; j < 3; ++j) {
        for (Index c = 0; c < 2; ++c) {
          expected -= std::log(
              test::probability<Categorical<3>>(&z(n, r, j, 3 * c), int{images[n](r, j, c)}));
        }
      }
    }
    CHECK(nats.value()(n, 0, 0, 0) == Approx(expected).epsilon(1e-13));
  }
}

TEST_CASE("image_nats has the gradient of its likelihood", "[likelihood]") {
  for (const Index count : {Index{0}, Index{1}, Index{3}}) {
    CAPTURE(count);
    const auto bernoulli = check_gradient<Bernoulli>({3, 2, 1}, count);
    CHECK(bernoulli.where + (bernoulli ? "" : " FAILED") == bernoulli.where);
    CHECK(bernoulli.checked == count * 6);
    CHECK(check_gradient<Categorical<2>>({1, 5, 1}, count).passed);
    CHECK(check_gradient<Categorical<3>>({2, 2, 3}, count).passed);
    CHECK(check_gradient<Categorical<16>>({1, 1, 2}, count).passed);
    CHECK(check_gradient<Tilted>({2, 3, 1}, count).passed);
  }
  CHECK(check_gradient<Categorical<256>>({1, 1, 1}, 1).passed);
}

TEST_CASE("The gradient check finds a wrong gradient of a likelihood", "[likelihood]") {
  CHECK_FALSE(check_gradient<WronglyTilted>({2, 3, 1}, 2).passed);
}

TEST_CASE("A user's likelihood sums to 1", "[likelihood]") {
  for (const double z : {-2.0, 0.0, 1.5}) {
    double log_p[4], sum = 0;
    Tilted::log_probabilities(&z, log_p);
    for (const double l : log_p) sum += std::exp(l);
    CHECK(sum == Approx(1).epsilon(1e-14));
  }
}

TEST_CASE("image_nats has the same bits for any number of threads", "[likelihood]") {
  const Images images = test::random_images(7, {5, 3, 3}, 16, 3);
  const FeatureMap<float> z = random_map<float>({7, 5, 3, 48}, 4, -3, 3);
  const auto run = [&](int threads) {
    Tape<float> tape({.threads = threads});
    const Variable<float> in = tape.input(z);
    const auto nats = image_nats<Categorical<16>, execution::OpenMP>(in, Levels(images.pixels()));
    tape.backward(sum(nats));
    return std::pair(FeatureMap<float>(nats.value()), FeatureMap<float>(tape.gradient(in)));
  };
  const auto [nats, gradient] = run(1);
  for (const int threads : {2, 4}) {
    CHECK(test::bit_difference(run(threads).first, nats) == "");
    CHECK(test::bit_difference(run(threads).second, gradient) == "");
  }
}

TEST_CASE("A NaN makes the nats of its image NaN, and of no other", "[likelihood]") {
  const Images images = test::random_images(2, {1, 2, 1}, 2, 1);
  FeatureMap<float> z({2, 1, 2, 1});
  z(1, 0, 0, 0) = std::numeric_limits<float>::quiet_NaN();
  Tape<float> tape({.threads = 1});
  const auto nats =
      image_nats<Bernoulli, execution::Sequential>(tape.input(z), Levels(images.pixels()));
  CHECK(nats.value()(0, 0, 0, 0) == Approx(2 * std::log(2.0)));
  CHECK(std::isnan(nats.value()(1, 0, 0, 0)));
}

TEST_CASE("Sums over many sub-pixels keep their digits", "[likelihood]") {
  // A million times ln 2: a float sum would be off in the third digit or so.
  const Images images(1, {1000, 1000, 1}, 2);
  const FeatureMap<float> z({1, 1000, 1000, 1});
  Tape<float> tape({.threads = 1});
  const auto nats =
      image_nats<Bernoulli, execution::Sequential>(tape.constant(z), Levels(images.pixels()));
  CHECK(nats.value()(0, 0, 0, 0) == Approx(1e6 * std::log(2.0)).epsilon(1e-7));
}

TEST_CASE("image_nats names logits of the wrong shape and levels it does not have",
          "[likelihood]") {
  const Images images = test::random_images(2, {3, 4, 3}, 16, 1);
  const FeatureMap<float> few({2, 3, 4, 3}), right({2, 3, 4, 48}), grey({2, 3, 4, 2});
  Tape<float> tape({.threads = 1});
  const auto nats = [&]<class L>(L, const FeatureMap<float>& z) {
    return image_nats<L, execution::Sequential>(tape.constant(z), Levels(images.pixels()));
  };
  CHECK_NOTHROW(nats(Categorical<16>{}, right));
  CHECK_THROWS_ERROR(nats(Categorical<16>{}, few), ShapeError,
                     "image_nats: logits are (N=2, H=3, W=4, C=3), expected (N=2, H=3, W=4, C=48) "
                     "(16 for each of the 3 channels) for images (N=2, H=3, W=4, C=3)");
  CHECK_THROWS_ERROR(nats(Bernoulli{}, few), ValueError, "expected 0 to 1 for bernoulli");
  CHECK_THROWS_ERROR(nats(Bernoulli{}, grey), ShapeError, "logits are (N=2, H=3, W=4, C=2)");
}

TEST_CASE("Bits per dimension are nats per sub-pixel over ln 2", "[likelihood]") {
  STATIC_REQUIRE(bits_per_dim(Nats{0}, {28, 28, 1}) == 0);
  CHECK(bits_per_dim(Nats{32 * 32 * 3 * std::log(256.0)}, {32, 32, 3}) == Approx(8));
  CHECK(bits_per_dim(Nats{std::log(2.0)}, {1, 1, 1}) == Approx(1));
}
