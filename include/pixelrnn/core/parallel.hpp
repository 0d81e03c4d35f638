// SPDX-License-Identifier: MIT
// Execution policies: how the independent tasks of one operation (images, rows) are run.
#pragma once

#include <algorithm>
#include <concepts>
#include <exception>
#include <limits>
#include <string_view>
#include <utility>

#include <pixelrnn/core/openmp_pool.hpp>
#include <pixelrnn/core/shape.hpp>
#include <pixelrnn/core/tuning.hpp>

#if PIXELRNN_HAS_OPENMP
#include <mutex>
#endif

namespace pixelrnn::inline PIXELRNN_ABI {

#if PIXELRNN_HAS_OPENMP
namespace detail {

/// The tasks of one parallel region, in as many contiguous chunks as there are workers, and the
/// first exception of them all (by task): none may cross the region's end.
class RegionTasks {
 public:
  explicit RegionTasks(Index count) : count_(count), failed_task_(count) {}

  /// Calls body(task) for a worker's chunk, until one throws.
  template <class Body>
  void run_chunk(Index worker, Index workers, Body&& body) {
    const Index last = count_ * (worker + 1) / workers;
    Index task = count_ * worker / workers;
    try {
      for (; task < last; ++task) body(task);
    } catch (...) {
      const std::lock_guard lock(failing_);
      if (task < failed_task_) {
        failed_task_ = task;
        error_ = std::current_exception();
      }
    }
  }
  /// After the region.
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  Index count_;
  Index failed_task_;
  std::exception_ptr error_;
  std::mutex failing_;  // its own: another region's could be locked for ever in a forked child
};

}  // namespace detail
#endif

namespace execution {

/// All tasks on the calling thread, in order.
struct Sequential {
  static constexpr std::string_view name = "Sequential";

  /// How many workers for_each will use for `count` tasks; scratch memory is one a worker.
  [[nodiscard]] static Index workers(int /*threads*/, Index /*count*/) { return 1; }
  /// Calls body(task, worker) for each task in [0, count); worker is always 0.
  template <class Body>
  static void for_each(int /*threads*/, Index count, Body&& body) {
    for (Index task = 0; task < count; ++task) body(task, Index{0});
  }
};

/// While it lives, loops of the calling thread that leave the threads to OpenMP have at most so
/// many. It must not begin or end between workers() and the for_each that needs their scratch.
class AtMost {
 public:
  explicit AtMost(Index threads)
      : before_(std::exchange(most_, std::min(most_, std::max<Index>(1, threads)))) {}
  AtMost(const AtMost&) = delete;
  AtMost& operator=(const AtMost&) = delete;
  ~AtMost() { most_ = before_; }
  [[nodiscard]] static Index threads() { return most_; }

 private:
  constinit inline static thread_local Index most_ = std::numeric_limits<Index>::max();
  Index before_;
};

/// Tasks shared among OpenMP threads in contiguous chunks. Never nests: inside another parallel
/// region it is sequential. `threads` = 0 means what OpenMP would use (OMP_NUM_THREADS). Where so
/// many cannot be made, or have stacks too small for the kernels, there are fewer.
///
/// Tasks must not depend on each other, and what a task computes must depend on the task alone, not
/// on the worker or on the number of workers: so results have the same bits for any thread count.
/// The first exception (by task) is rethrown after the region; tasks after it in its chunk are
/// dropped. A child that is forked outside a region has as many threads as its parent.
struct OpenMP {
  static constexpr std::string_view name = "OpenMP";

  /// What 0 threads stand for: as many as OpenMP would use, or AtMost so many.
  [[nodiscard]] static Index offered() {
#if PIXELRNN_HAS_OPENMP
    if (omp_in_parallel() != 0) return 1;
    return std::min<Index>(omp_get_max_threads(), AtMost::threads());
#else
    return 1;
#endif
  }
  [[nodiscard]] static Index workers(int threads, Index count) {
#if PIXELRNN_HAS_OPENMP
    if (omp_in_parallel() != 0) return 1;
    const Index wanted = threads > 0 ? threads : offered();
    return detail::OpenmpPool::team(std::max<Index>(1, std::min(wanted, count)));
#else
    static_cast<void>(threads), static_cast<void>(count);
    return 1;
#endif
  }

  template <class Body>
  static void for_each(int threads, Index count, Body&& body) {
    const Index team = workers(threads, count);
    // Compiled once, not for one thread and for several.
    const auto run = [&body](Index task, Index worker)
                         PIXELRNN_NOINLINE_LAMBDA { body(task, worker); };
    if (team == 1) return Sequential::for_each(1, count, run);
#if PIXELRNN_HAS_OPENMP
    detail::RegionTasks tasks(count);
#pragma omp parallel for num_threads(static_cast <int>(team)) schedule(static, 1)
    for (Index worker = 0; worker < team; ++worker) {
      tasks.run_chunk(worker, team, [&](Index task) { run(task, worker); });
    }
    tasks.rethrow();
#endif
  }
};

}  // namespace execution

/// What a policy must offer: see execution::Sequential, the shortest one that satisfies it.
template <class E>
concept Execution = requires(int threads, Index count) {
  { E::workers(threads, count) } -> std::same_as<Index>;
  E::for_each(threads, count, [](Index, Index) {});
  { E::name } -> std::convertible_to<std::string_view>;
};
static_assert(Execution<execution::Sequential> && Execution<execution::OpenMP>);

namespace detail {
/// Element-wise work on [0, count) shared among threads: body(first, count).
template <class E = execution::OpenMP, class Body>
void for_each_part(int threads, Index count, Body&& body) {
  const Index parts = std::clamp<Index>(count / tuning::values_a_thread, 1, 64);
  E::for_each(threads, parts, [&](Index part, Index) {
    const Index first = count * part / parts;
    body(first, count * (part + 1) / parts - first);
  });
}
}  // namespace detail

using tuning::worth_a_thread;

/// Throws ConfigError if a thread count is negative.
inline void require_threads(int threads, const char* where) {
  if (threads < 0) {
    detail::fail<ConfigError>(where, ": threads is ", threads,
                              ", expected 0 (as many as OpenMP offers) or more");
  }
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
