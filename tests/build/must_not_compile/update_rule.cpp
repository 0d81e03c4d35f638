// SPDX-License-Identifier: MIT
// An update rule without check() is refused by concept.
// expect: UpdateRule
// expect: rule.check()
#include <pixelrnn/optim/rules.hpp>

struct Descent {
  double learning_rate = 0.1;
  static constexpr std::string_view name = "descent";
  static constexpr std::array<const char*, 0> state_names{};
  template <class T>
  void update(pixelrnn::Index, double rate, std::span<T> w, std::span<const T> g,
              std::array<std::span<T>, 0>) const {
    for (std::size_t i = 0; i < w.size(); ++i) w[i] -= static_cast<T>(rate) * g[i];
  }
#ifdef RIGHT
  void check() const {}
#endif
};
static_assert(pixelrnn::UpdateRule<Descent>);
