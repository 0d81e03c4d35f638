// SPDX-License-Identifier: MIT
// OpenMP's threads of the calling thread: how many there can be, and that they end before a fork.
#pragma once

#include <pixelrnn/core/shape.hpp>

#if PIXELRNN_HAS_OPENMP
#include <omp.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <limits>
#include <thread>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace pixelrnn::inline PIXELRNN_ABI::detail {

/// Makes up to `wanted` threads that are all there at once, and returns how many it could make;
/// they have ended then. make(f) returns a std::thread that calls f, or throws.
template <class Make>
[[nodiscard]] Index threads_at_once(Index wanted, Make&& make) noexcept {
  std::atomic<bool> enough{false};
  std::vector<std::thread> made;
  try {
    made.reserve(static_cast<std::size_t>(wanted));
    while (std::ssize(made) < wanted) made.push_back(make([&enough] { enough.wait(false); }));
  } catch (const std::exception&) {  // no thread, or no memory for one: there is no more to be had
  }
  enough = true;
  enough.notify_all();
  for (std::thread& thread : made) thread.join();
  return std::ssize(made);
}

/// Bytes of the calling thread's stack, as many as there can be where the system does not say.
[[nodiscard]] inline std::size_t stack_bytes() noexcept {
#if defined(__APPLE__)
  return pthread_get_stacksize_np(pthread_self());
#elif defined(__linux__)
  pthread_attr_t attributes;
  if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
    std::size_t bytes = 0;
    const bool known = pthread_attr_getstacksize(&attributes, &bytes) == 0;
    pthread_attr_destroy(&attributes);
    if (known) return bytes;
  }
#endif
  return std::numeric_limits<std::size_t>::max();
}

/// The team that OpenMP gives the calling thread. Each thread that opens regions has threads of its
/// own, which wait for its next one. Where one of them cannot be made or overruns its stack, OpenMP
/// ends the program: so a team that was not there before is tried first.
class OpenmpPool {
 public:
  /// The threads that a region of the calling thread can have, `wanted` at most. Costs what it
  /// costs to make them, once; then nothing.
  [[nodiscard]] static Index team(Index wanted) noexcept {
    if (wanted <= had_) return wanted;
    return try_out(
        wanted, [](auto&& f) { return std::thread(f); }, worker_stack);
  }

  /// The same with other makers of threads, and another way to the least stack of a team of so many
  /// threads, which is asked for if they could be made.
  template <class Make, class StackOf>
  [[nodiscard]] static Index try_out(Index wanted, Make&& make, StackOf&& stack_of) noexcept {
    wanted = std::min<Index>({wanted, most_, omp_get_thread_limit()});
    if (wanted <= had_) return std::max<Index>(1, wanted);
    const Index others = threads_at_once(wanted - 1, make);
    // Half of those that there could be: OpenMP's own need other memory, and others some as well.
    if (others < wanted - 1) wanted = most_ = std::max(had_, 1 + others / 2);
    if (wanted > 1 && stack_of(wanted) < least_stack) wanted = most_ = 1;
    had_ = std::max(had_, wanted);
    return wanted;
  }

  /// Forgets what was found out, and lets the threads end; the next region makes them anew.
  static void end() noexcept {
    had_ = 1;
    most_ = std::numeric_limits<Index>::max();
#if !defined(__clang__) && defined(__GNUC__)
    omp_pause_resource_all(omp_pause_soft);
#endif
  }

  /// Bytes without which a worker takes no part: the kernels need 92 kB (the largest is
  /// kernels/outer_products.hpp), and of 128 KiB the system keeps a page or two for itself.
  static constexpr std::size_t least_stack = 120 * 1024;

 private:
  [[nodiscard]] static std::size_t worker_stack(Index team) noexcept {
    std::atomic<std::size_t> least{std::numeric_limits<std::size_t>::max()};
#pragma omp parallel num_threads(static_cast <int>(team))
    if (omp_get_thread_num() != 0) {
      const std::size_t bytes = stack_bytes();
      std::size_t seen = least;
      while (bytes < seen && !least.compare_exchange_weak(seen, bytes)) {
      }
    }
    return least;
  }

#if (defined(__unix__) || defined(__APPLE__)) && !defined(__clang__)
  /// A forked child has the one thread that forked, and a libgomp that waits for ever for the
  /// others of its team. So the team ends before the fork, and parent and child make new ones. In a
  /// parallel region this does nothing, and the child's loops are sequential. LLVM's OpenMP sees to
  /// forks itself.
  inline static const bool ends_before_forks = pthread_atfork(&end, nullptr, nullptr) == 0;
#endif

  constinit inline static thread_local Index had_ = 1;  ///< a team of so many was there
  constinit inline static thread_local Index most_ = std::numeric_limits<Index>::max();
};

}  // namespace pixelrnn::inline PIXELRNN_ABI::detail
#endif
