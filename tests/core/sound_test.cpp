// SPDX-License-Identifier: MIT
#include <pixelrnn/core/sound.hpp>

#include <cmath>
#include <limits>
#include <vector>

#include "support/catch.hpp"

using namespace pixelrnn;

TEST_CASE("The mu-law is that of its formula, and finer where it is quiet", "[core][sound]") {
  const Companding mu;
  // By hand: ln(1 + 255/2) / ln 256 = 0.875699, (1.875699 / 2) * 255 = 239.15.
  CHECK(mu.level(0.5F) == 239);
  CHECK(mu.level(-0.5F) == 255 - 239);
  CHECK(mu.level(1) == 255);
  CHECK(mu.level(-1) == 0);
  CHECK(mu.level(7) == 255);
  CHECK(mu.level(-7) == 0);
  CHECK(mu.sample(255) == 1);
  CHECK(mu.sample(0) == -1);
  for (int level = 0; level < 256; ++level) {
    CHECK(int{mu.level(mu.sample(level))} == level);
    CHECK(mu.sample(level) == -mu.sample(255 - level));
  }
  CHECK(mu.sample(129) - mu.sample(128) < 2e-4F);
  CHECK(mu.sample(255) - mu.sample(254) > 0.04F);
}

TEST_CASE("Linear levels are the whole numbers of files", "[core][sound]") {
  const Companding linear{.levels = 65536, .law = Companding::Law::linear};
  for (int number = -32768; number < 32768; ++number) {
    const float sample = static_cast<float>(number) / 32768;  // as 16-bit files are read
    REQUIRE(int{linear.level(sample)} == number + 32768);
    REQUIRE(linear.sample(number + 32768) == sample);
  }
  CHECK(linear.level(1) == 65535);
  CHECK(linear.level(-7) == 0);
  const Companding three{.levels = 3, .law = Companding::Law::linear};
  CHECK(three.level(-1) == 0);
  CHECK(three.level(0) == 1);
  CHECK(three.level(1) == 2);
  CHECK(three.sample(1) == 0);
}

TEST_CASE("A sound is cut into pieces, and put together again", "[core][sound]") {
  const Sound stereo{{-1, 1, -1, 0.5F, 1, -1, 0.5F, 1, -0.5F, 0.5F}, 2, 8000};
  CHECK(stereo.frames() == 5);
  const Images pieces = pieces_of(stereo, 2);
  CHECK(pieces.pixels().shape() == Shape<4>{2, 1, 2, 2});
  CHECK(pieces.levels() == 256);
  const std::vector<int> levels(pieces.pixels().begin(), pieces.pixels().end());
  CHECK(levels == std::vector<int>{0, 255, 0, 239, 255, 0, 239, 255});
  const Sound again = sound_of(pieces, 8000);
  CHECK(again.channels == 2);
  CHECK(again.rate == 8000);
  REQUIRE(again.frames() == 4);
  for (std::size_t i = 0; i < 8; ++i) {
    CHECK(std::abs(again.samples[i] - stereo.samples[i]) < 0.01F);
  }
  CHECK(pieces_of(stereo, 6).empty());
}

TEST_CASE("What is no sound is refused", "[core][sound]") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_ERROR(Companding().level(nan), ValueError, "Companding: a sample is nan");
  CHECK_THROWS_ERROR(Companding().sample(256), ValueError, "expected 0 to 255");
  CHECK_THROWS_ERROR((Companding{.levels = 1}.level(0)), ConfigError, "Companding");
  CHECK_THROWS_ERROR(pieces_of(Sound{{1, 2}}, 0), ConfigError, "pieces_of: length is 0");
  CHECK_THROWS_ERROR(pieces_of(Sound{{0, 0, 0}, 2}, 1), ShapeError, "has 3 samples");
  CHECK_THROWS_ERROR(sound_of(Images(1, {2, 3, 1}, 256), 8000), ShapeError, "expected height 1");
  CHECK_THROWS_ERROR(sound_of(Images(1, {1, 3, 1}, 16), 8000), ConfigError,
                     "images have 16 levels, expected 256");
}
