// SPDX-License-Identifier: MIT
// Team: threads that share each of many short operations, one after the other.
#pragma once

#include <atomic>
#include <exception>
#include <memory>
#include <optional>
#include <thread>
#include <type_traits>
#include <vector>

#include <pixelrnn/core/parallel.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// A leader, who works and calls share(), and followers, who wait for it. Waiting is spinning, so
/// that an operation of some microseconds is worth sharing: a parallel region costs several times
/// as much, and here there may be fifty for a pixel. A follower whose processor is busy with
/// something else is not waited for: the leader does what it has not begun. for_each_team makes
/// teams.
class Team {
 public:
  explicit Team(Index size = 1) : seats_(static_cast<std::size_t>(size)) {}

  /// Threads, the leader's included.
  [[nodiscard]] Index size() const { return static_cast<Index>(seats_.size()); }

  /// Calls body(part) for each part in [0, size()), and returns when all are done. For the leader
  /// only. A part must not depend on another, nor on who does it. Of several exceptions that of the
  /// first part is thrown.
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

  /// Lets the followers go.
  void dismiss() {
    dismissed_.store(true, std::memory_order_relaxed);
    orders_.fetch_add(1, std::memory_order_release);
  }
  /// Does a follower's part of what is asked for until the team is dismissed.
  void follow(Index part) {
    Seat& seat = seats_[static_cast<std::size_t>(part)];
    for (unsigned order = 0;;) {
      wait_while([&] { return orders_.load(std::memory_order_acquire) == order; });
      order = orders_.load(std::memory_order_acquire);
      if (dismissed_.load(std::memory_order_relaxed)) return;
      if (!seat.claim(order)) continue;
      run(static_cast<std::size_t>(part));
      seat.done.store(order, std::memory_order_release);
    }
  }

 private:
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

  /// Spins for some tens of microseconds, then lets others have the processor in between.
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
#endif
    }
  }

  void (*work_)(const void*, Index) = nullptr;
  const void* body_ = nullptr;
  std::vector<Seat> seats_;
  std::atomic<bool> dismissed_{false};
  alignas(64) std::atomic<unsigned> orders_{0};
};

namespace execution {

/// Calls body(task, team) for each task in [0, count), on teams of about `size` threads each;
/// `threads` in all, 0 for what OpenMP would use. Tasks are shared among the teams as
/// OpenMP::for_each shares them among threads, and the same promises hold. Every thread is in a
/// team, so teams are larger where the threads do not divide by `size`, and smaller where there are
/// fewer threads.
template <class Body>
void for_each_team(int threads, Index count, Index size, Body&& body) {
  const Index wanted = OpenMP::workers(threads, count * size);
  if (wanted == 1) {
    Team alone;
    return Sequential::for_each(1, count, [&](Index task, Index) { body(task, alone); });
  }
#if PIXELRNN_HAS_OPENMP
  std::vector<std::optional<Team>> teams(static_cast<std::size_t>(wanted));
  std::exception_ptr error;
  Index failed_task = count;
#pragma omp parallel num_threads(static_cast <int>(wanted))
  {
    // OpenMP may give fewer threads than it was asked for, and a team must have all of its own.
    const Index all = omp_get_num_threads(), me = omp_get_thread_num();
    const Index team_count = std::min(count, std::max<Index>(1, all / size));
    const Index number = me % team_count, member = me / team_count;
    std::optional<Team>& team = teams[static_cast<std::size_t>(number)];
    if (member == 0) team.emplace((all - number + team_count - 1) / team_count);
#pragma omp barrier
    if (member > 0) {
      team->follow(member);
    } else {
      const Index last = count * (number + 1) / team_count;
      Index task = count * number / team_count;
      try {
        for (; task < last; ++task) body(task, *team);
      } catch (...) {
#pragma omp critical(pixelrnn_for_each_error)
        if (task < failed_task) {
          failed_task = task;
          error = std::current_exception();
        }
      }
      team->dismiss();
    }
  }
  if (error) std::rethrow_exception(error);
#endif
}

}  // namespace execution
}  // namespace pixelrnn::inline PIXELRNN_ABI
