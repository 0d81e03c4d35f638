// SPDX-License-Identifier: MIT
// A likelihood without log_probabilities cannot be sampled from; the message says what it lacks.
// expect: Likelihood
// expect: L::log_probabilities(logits, out)
#include <string>

#include <pixelrnn/likelihood/likelihood.hpp>

struct Coin {
  static constexpr int levels = 2;
  static constexpr pixelrnn::Index outputs = 1;
  static std::string name() { return "coin"; }
  template <class T>
  static T nats(const T*, int) {
    return T(0.6931471805599453);
  }
  template <class T>
  static void add_gradient(const T*, int, T, T*) {}
#ifdef RIGHT
  template <class T>
  static void log_probabilities(const T*, T* out) {
    out[0] = out[1] = T(-0.6931471805599453);
  }
#endif
};
static_assert(pixelrnn::Likelihood<Coin, float>);
