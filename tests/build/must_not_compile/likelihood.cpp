// SPDX-License-Identifier: MIT
// A likelihood without conditional() cannot be sampled from; the message says what it lacks.
// expect: Likelihood
// expect: likelihood.conditional(logits, pixel, number, room)
#include <string>

#include <pixelrnn/likelihood/likelihood.hpp>

using pixelrnn::Index;

struct Coin {
  static constexpr bool masks_colours = true;
  static int levels() { return 2; }
  static Index outputs(Index channels) { return channels; }
  static std::string name() { return "coin"; }
  template <class T>
  static double nats(const T*, std::span<const pixelrnn::Images::Level> pixel) {
    return 0.6931471805599453 * static_cast<double>(pixel.size());
  }
  template <class T>
  static void add_gradient(const T*, std::span<const pixelrnn::Images::Level>, T, T*) {}
#ifdef RIGHT
  template <class T>
  static pixelrnn::EnumeratedLevels conditional(const T*, std::span<const pixelrnn::Images::Level>,
                                                Index, std::vector<double>& room) {
    return {2, room, [](int) { return -0.6931471805599453; }};
  }
#endif
};
static_assert(pixelrnn::Likelihood<Coin, float>);
