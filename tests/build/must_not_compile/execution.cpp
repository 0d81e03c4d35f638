// SPDX-License-Identifier: MIT
// A policy without workers() is no execution policy, and the message names concept and member.
// expect: Execution
// expect: E::workers(threads, count)
#include <pixelrnn/core/parallel.hpp>

struct Hasty {
  static constexpr std::string_view name = "Hasty";
#ifdef RIGHT
  static pixelrnn::Index workers(int, pixelrnn::Index) { return 1; }
#endif
  template <class Body>
  static void for_each(int, pixelrnn::Index count, Body&& body) {
    for (pixelrnn::Index task = 0; task < count; ++task) body(task, pixelrnn::Index{0});
  }
};
static_assert(pixelrnn::Execution<Hasty>);
