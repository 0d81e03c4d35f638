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
  static constexpr bool masks_colours = true;
  static int levels() { return 4; }
  static Index outputs(Index channels) { return channels; }
  static std::string name() { return "tilted"; }
  template <class T>
  static T log_norm(T z) {
    T sum{0};
    for (int k = 0; k < 4; ++k) sum += std::exp(z * static_cast<T>(k));
    return std::log(sum);
  }
  template <class T>
  static double nats(const T* logits, std::span<const Images::Level> pixel) {
    double sum = 0;
    for (const Images::Level level : pixel) {
      sum += static_cast<double>(log_norm(*logits) - *logits * static_cast<T>(level));
      ++logits;
    }
    return sum;
  }
  template <class T>
  static void add_gradient(const T* logits, std::span<const Images::Level> pixel, T scale, T* d) {
    for (const Images::Level level : pixel) {
      T mean{0};
      for (int k = 0; k < 4; ++k) {
        mean += static_cast<T>(k) * std::exp(*logits * static_cast<T>(k) - log_norm(*logits));
      }
      *d++ += scale * (mean - static_cast<T>(level));
      ++logits;
    }
  }
  template <class T>
  static EnumeratedLevels conditional(const T* logits, std::span<const Images::Level>,
                                      Index channel, std::vector<double>& room) {
    const T z = logits[channel];
    return {4, room, [z](int level) { return z * static_cast<T>(level) - log_norm(z); }};
  }
};

/// The same with a gradient that forgets the mean.
struct WronglyTilted : Tilted {
  template <class T>
  static void add_gradient(const T*, std::span<const Images::Level> pixel, T scale, T* d) {
    for (const Images::Level level : pixel) *d++ -= scale * static_cast<T>(level);
  }
};

struct Nameless {
  static int levels() { return 2; }
  static Index outputs(Index channels) { return channels; }
};

template <class L>
GradcheckReport check_gradient(const L& likelihood, ImageShape image, Index count) {
  const Images images = test::random_images(count, image, likelihood.levels(), 5);
  const Shape<4> shape = images.pixels().shape();
  const FeatureMap<double> z =
      random_map<double>(shape.with_channels(likelihood.outputs(image.channels)), 6, -2, 2);
  return gradcheck({z}, [&](Tape<double>&, const std::vector<Variable<double>>& in) {
    return image_nats<execution::OpenMP>(likelihood, in[0], Levels(images.pixels()));
  });
}

}  // namespace

TEST_CASE("A likelihood is told by its functions", "[likelihood]") {
  STATIC_REQUIRE(Likelihood<Bernoulli, float>);
  STATIC_REQUIRE(Likelihood<Categorical, double>);
  STATIC_REQUIRE(Likelihood<Tilted, float>);
  STATIC_REQUIRE_FALSE(Likelihood<Nameless, float>);
  STATIC_REQUIRE_FALSE(Likelihood<int, float>);
}

TEST_CASE("image_nats sums over the sub-pixels of each image", "[likelihood]") {
  const Images images = test::random_images(3, {2, 3, 2}, 3, 1);
  const FeatureMap<double> z = random_map<double>({3, 2, 3, 6}, 2, -2, 2);
  Tape<double> tape({.threads = 1});
  const auto nats =
      image_nats<execution::Sequential>(Categorical(3), tape.input(z), Levels(images.pixels()));
  REQUIRE(nats.shape() == Shape<4>{3, 1, 1, 1});
  for (Index n = 0; n < 3; ++n) {
    double expected = 0;
    for (Index r = 0; r < 2; ++r) {
      for (Index j = 0; j < 3; ++j) {
        for (Index c = 0; c < 2; ++c) {
          expected -= std::log(
              test::probability<test::Softmax<3>>(&z(n, r, j, 3 * c), int{images[n](r, j, c)}));
        }
      }
    }
    CHECK(nats.value()(n, 0, 0, 0) == Approx(expected).epsilon(1e-13));
  }
}

TEST_CASE("image_nats has the gradient of its likelihood", "[likelihood]") {
  for (const Index count : {Index{0}, Index{1}, Index{3}}) {
    CAPTURE(count);
    const auto bernoulli = check_gradient(Bernoulli(), {3, 2, 1}, count);
    CHECK(bernoulli.where + (bernoulli ? "" : " FAILED") == bernoulli.where);
    CHECK(bernoulli.checked == count * 6);
    CHECK(check_gradient(Categorical(2), {1, 5, 1}, count).passed);
    CHECK(check_gradient(Categorical(3), {2, 2, 3}, count).passed);
    CHECK(check_gradient(Categorical(16), {1, 1, 2}, count).passed);
    CHECK(check_gradient(Tilted(), {2, 3, 1}, count).passed);
  }
  CHECK(check_gradient(Categorical(256), {1, 1, 1}, 1).passed);
}

TEST_CASE("The gradient check finds a wrong gradient of a likelihood", "[likelihood]") {
  CHECK_FALSE(check_gradient(WronglyTilted(), {2, 3, 1}, 2).passed);
}

TEST_CASE("A user's likelihood sums to 1", "[likelihood]") {
  for (const double z : {-2.0, 0.0, 1.5}) {
    std::vector<double> room;
    const EnumeratedLevels p = Tilted::conditional(&z, {}, 0, room);
    double sum = 0;
    for (int level = 0; level < 4; ++level) {
      CHECK(p.below(level) == Approx(sum).margin(1e-14));
      sum += std::exp(p.log_probability(level));
    }
    CHECK(sum == Approx(1).epsilon(1e-14));
    CHECK(p.below(4) == 1);
  }
}

TEST_CASE("image_nats has the same bits for any number of threads", "[likelihood]") {
  const Images images = test::random_images(7, {5, 3, 3}, 16, 3);
  const FeatureMap<float> z = random_map<float>({7, 5, 3, 48}, 4, -3, 3);
  const auto run = [&](int threads) {
    Tape<float> tape({.threads = threads});
    const Variable<float> in = tape.input(z);
    const auto nats = image_nats<execution::OpenMP>(Categorical(16), in, Levels(images.pixels()));
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
      image_nats<execution::Sequential>(Bernoulli(), tape.input(z), Levels(images.pixels()));
  CHECK(nats.value()(0, 0, 0, 0) == Approx(2 * std::log(2.0)));
  CHECK(std::isnan(nats.value()(1, 0, 0, 0)));
}

TEST_CASE("Sums over many sub-pixels keep their digits", "[likelihood]") {
  // A million times ln 2: a float sum would be off in the third digit or so.
  const Images images(1, {1000, 1000, 1}, 2);
  const FeatureMap<float> z({1, 1000, 1000, 1});
  Tape<float> tape({.threads = 1});
  const auto nats =
      image_nats<execution::Sequential>(Bernoulli(), tape.constant(z), Levels(images.pixels()));
  CHECK(nats.value()(0, 0, 0, 0) == Approx(1e6 * std::log(2.0)).epsilon(1e-7));
}

TEST_CASE("image_nats names logits of the wrong shape and levels it does not have",
          "[likelihood]") {
  const Images images = test::random_images(2, {3, 4, 3}, 16, 1);
  const FeatureMap<float> few({2, 3, 4, 3}), right({2, 3, 4, 48}), grey({2, 3, 4, 2});
  Tape<float> tape({.threads = 1});
  const auto nats = [&](const auto& likelihood, const FeatureMap<float>& z) {
    return image_nats<execution::Sequential>(likelihood, tape.constant(z), Levels(images.pixels()));
  };
  CHECK_NOTHROW(nats(Categorical(16), right));
  CHECK_THROWS_ERROR(nats(Categorical(16), few), ShapeError,
                     "image_nats: logits are (N=2, H=3, W=4, C=3), expected (N=2, H=3, W=4, C=48) "
                     "(48 for each pixel of 3 channels) for images (N=2, H=3, W=4, C=3)");
  CHECK_THROWS_ERROR(nats(Bernoulli{}, few), ValueError, "expected 0 to 1 for bernoulli");
  CHECK_THROWS_ERROR(nats(Bernoulli{}, grey), ShapeError, "logits are (N=2, H=3, W=4, C=2)");
}

TEST_CASE("Bits per dimension are nats per sub-pixel over ln 2", "[likelihood]") {
  STATIC_REQUIRE(bits_per_dim(Nats{0}, {28, 28, 1}) == 0);
  CHECK(bits_per_dim(Nats{32 * 32 * 3 * std::log(256.0)}, {32, 32, 3}) == Approx(8));
  CHECK(bits_per_dim(Nats{std::log(2.0)}, {1, 1, 1}) == Approx(1));
}
