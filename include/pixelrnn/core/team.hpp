// SPDX-License-Identifier: MIT
// Team: threads that share each of many short operations, one after the other.
#pragma once

#include <atomic>
#include <concepts>
#include <exception>
#include <memory>
#include <span>
#include <thread>
#include <type_traits>
#include <vector>

#include <pixelrnn/core/parallel.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

namespace detail {
struct TeamRegion;
}

/// A leader, who works and calls share(), and followers, who wait for it. Waiting is spinning, so
/// that an operation of some microseconds is worth sharing: a parallel region costs several times
/// as much, and here there may be fifty for a pixel. What a follower has not begun, because its
/// processor is busy with something else, the leader does itself. for_each_team makes teams.
class Team {
 public:
  /// A team of one.
  Team() : seats_(&own_, 1) {}

  /// Threads, the leader's included.
  [[nodiscard]] Index size() const { return std::ssize(seats_); }

  /// Calls body(part) for each part in [0, size()), and returns when all are done. For the leader
  /// only, and not from within a part. A part must not depend on another, nor on who does it. Of
  /// several exceptions that of the first part is thrown.
  template <class Body>
  void share(Body&& body) {
    const unsigned order = orders_.load(std::memory_order_relaxed) + 1;
    work_ = [](const void* f, Index part) {
      (*static_cast<const std::remove_reference_t<Body>*>(f))(part);
    };
    body_ = std::addressof(body);
    orders_.store(order, std::memory_order_release);
    run(0);
    for (std::size_t part = 1; part < seats_.size(); ++part) {
      Seat& seat = seats_[part];
      if (seat.claim(order)) {
        run(part);
      } else {
        wait_while([&] { return seat.done.load(std::memory_order_acquire) != order; });
      }
    }
    std::exception_ptr first;
    for (Seat& seat : seats_) {
      if (!first) first = seat.error;
      seat.error = nullptr;
    }
    if (first) std::rethrow_exception(first);
  }

 private:
  friend struct detail::TeamRegion;

  /// A part's numbers of the last order that someone took on, and that a follower has done. The
  /// leader gives no new order before each part of this one is claimed, and done if it was a
  /// follower's: what the order asks for stays as it is as long as anyone may look at it.
  struct alignas(64) Seat {
    std::atomic<unsigned> claimed{0}, done{0};
    std::exception_ptr error;

    [[nodiscard]] bool claim(unsigned order) {
      unsigned before = order - 1;
      return claimed.compare_exchange_strong(before, order, std::memory_order_acq_rel);
    }
  };

  void run(std::size_t part) {
    try {
      work_(body_, static_cast<Index>(part));
    } catch (...) {
      seats_[part].error = std::current_exception();
    }
  }
  /// Does a follower's part of what is asked for until the team is dismissed.
  void follow(std::size_t part) {
    Seat& seat = seats_[part];
    for (unsigned order = 0;;) {
      wait_while([&] { return orders_.load(std::memory_order_acquire) == order; });
      order = orders_.load(std::memory_order_acquire);
      if (dismissed_.load(std::memory_order_relaxed)) return;
      if (!seat.claim(order)) continue;
      run(part);
      seat.done.store(order, std::memory_order_release);
    }
  }
  /// Lets the followers go.
  void dismiss() {
    dismissed_.store(true, std::memory_order_relaxed);
    orders_.fetch_add(1, std::memory_order_release);
  }

  /// Spins two thousand times (some tens of microseconds), then lets others have the processor.
  template <class Condition>
  static void wait_while(Condition&& condition) {
    for (int turns = 0; condition();) {
      if (turns == 2000) {
        std::this_thread::yield();
        continue;
      }
      ++turns;
#if defined(__x86_64__) || defined(__i386__)
      __builtin_ia32_pause();
#elif defined(__aarch64__)
      asm volatile("isb");
#endif
    }
  }

  void (*work_)(const void*, Index) = nullptr;
  const void* body_ = nullptr;
  Seat own_;
  std::span<Seat> seats_;
  std::atomic<bool> dismissed_{false};
  alignas(64) std::atomic<unsigned> orders_{0};
};

namespace detail {

/// The teams of one parallel region. All memory is there before it begins: nothing may throw in it.
struct TeamRegion {
  explicit TeamRegion(Index threads)
      : seats(static_cast<std::size_t>(threads)), teams(static_cast<std::size_t>(threads)) {}

  /// Makes `count` teams of `threads`, member m of team t being thread m · count + t.
  void seat(Index threads, Index count) {
    Team::Seat* free = seats.data();
    for (Index t = 0; t < count; ++t) {
      const auto size = static_cast<std::size_t>((threads - t + count - 1) / count);
      teams[static_cast<std::size_t>(t)].seats_ = {free, size};
      free += size;
    }
  }
  /// What thread `me` does: leads, which is to call work(team, number of the team), or follows.
  template <class Work>
  void join(Index me, Index count, Work&& work) {
    Team& team = teams[static_cast<std::size_t>(me % count)];
    if (me >= count) return team.follow(static_cast<std::size_t>(me / count));
    work(team, me);
    team.dismiss();
  }

  std::vector<Team::Seat> seats;
  std::vector<Team> teams;
};

}  // namespace detail

namespace execution {

/// Calls body(task, team) for each task in [0, count), on teams of `size` threads, of up to `size`
/// - 1 more where the threads do not divide by it, or of all threads where there are fewer;
/// `threads` in all, 0 for what OpenMP would use. Tasks are shared among the teams as
/// OpenMP::for_each shares them among threads, and the same promises hold. Policies but OpenMP have
/// teams of one.
template <Execution E = OpenMP, class Body>
void for_each_team(int threads, Index count, Index size, Body&& body) {
  if constexpr (!std::same_as<E, OpenMP>) {
    return E::for_each(threads, count, [&](Index task, Index) {
      Team alone;
      body(task, alone);
    });
  }
  const Index wanted = OpenMP::workers(threads, count * (2 * size - 1));
  if (wanted == 1) {
    Team alone;
    return Sequential::for_each(1, count, [&](Index task, Index) { body(task, alone); });
  }
#if PIXELRNN_HAS_OPENMP
  detail::TeamRegion region(wanted);
  detail::RegionTasks tasks(count);
  Index team_count = 1;
#pragma omp parallel num_threads(static_cast <int>(wanted))
  {
#pragma omp single
    {
      // OpenMP may give fewer threads than it was asked for, and a team must have all of its own.
      const Index all = omp_get_num_threads();
      team_count = std::min(count, std::max<Index>(1, all / size));
      region.seat(all, team_count);
    }
    region.join(omp_get_thread_num(), team_count, [&](Team& team, Index number) {
      tasks.run_chunk(number, team_count, [&](Index task) { body(task, team); });
    });
  }
  tasks.rethrow();
#endif
}

}  // namespace execution
}  // namespace pixelrnn::inline PIXELRNN_ABI
