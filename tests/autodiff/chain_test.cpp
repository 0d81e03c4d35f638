// SPDX-License-Identifier: MIT
#include <cstddef>

#include <pixelrnn/autodiff/chain.hpp>
#include <pixelrnn/autodiff/functions.hpp>

#include "support/catch.hpp"

using namespace pixelrnn;

namespace {

constexpr Shape<4> chained{2, 8, 8, 4};

FeatureMap<float> ones() {
  FeatureMap<float> x(chained);
  x.fill(1);
  return x;
}
/// Doubled `steps` times.
Variable<float> chain_of_doubles(Variable<float> x, int steps) {
  const Chain<float> chain(x.tape());
  for (int l = 0; l < steps; ++l) x = chain.keep(scale(x, 2.0f));
  return x;
}
std::size_t bytes_of_doubles(int steps, bool record) {
  const FeatureMap<float> x = ones();
  Tape<float> tape({.record = record});
  const auto y = chain_of_doubles(tape.input(x.view()), steps);
  REQUIRE(y.value().data()[0] == static_cast<float>(1 << steps));
  return tape.peak_bytes();
}

}  // namespace

TEST_CASE("A chain that is not recorded needs the memory of two steps, however many there are",
          "[autodiff][chain]") {
  CHECK(bytes_of_doubles(20, false) == bytes_of_doubles(2, false));
  CHECK(bytes_of_doubles(20, true) > 5 * bytes_of_doubles(2, true));
}

TEST_CASE("A chain keeps what was there before it", "[autodiff][chain]") {
  const FeatureMap<float> x = ones();
  Tape<float> tape({.record = false});
  const Variable<float> before = scale(tape.input(x.view()), 3.0f);
  const Variable<float> y = chain_of_doubles(before, 5);
  const Variable<float> z = add(y, before);
  CHECK(before.value().data()[0] == 3);
  CHECK(y.value().data()[chained.count() - 1] == 96);
  CHECK(z.value().data()[chained.count() - 1] == 99);
}

TEST_CASE("Steps of a chain may be chains, or give back what they were given",
          "[autodiff][chain]") {
  const FeatureMap<float> x = ones();
  Tape<float> tape({.record = false});
  Variable<float> y = tape.input(x.view());
  const Chain<float> chain(tape);
  y = chain.keep(y);
  for (int l = 0; l < 3; ++l) {
    const Variable<float> in = y;
    y = chain.keep(add(chain_of_doubles(in, 2 + l % 2), chain_of_doubles(in, 1)));
    y = chain.keep(y);
  }
  for (const float value : y.value()) REQUIRE(value == 6 * 10 * 6);
}

TEST_CASE("A recorded chain is differentiated as if it were none", "[autodiff][chain]") {
  const FeatureMap<float> x = ones();
  Tape<float> tape;
  const Variable<float> in = tape.input(x.view());
  tape.backward(sum(chain_of_doubles(in, 4)));
  for (const float dx : tape.gradient(in)) REQUIRE(dx == 16);
}
