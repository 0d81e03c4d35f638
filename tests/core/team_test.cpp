// SPDX-License-Identifier: MIT
#include <algorithm>
#include <atomic>
#include <chrono>
#include <new>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include <pixelrnn/core/team.hpp>

#include "support/allocations.hpp"
#include "support/catch.hpp"

using namespace pixelrnn;
using execution::for_each_team;

namespace {

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

/// Counts those who leave, by an exception too.
struct Leaves {
  std::atomic<Index>& left;
  ~Leaves() { ++left; }
};
/// Waits for so many to have left, and then for what their threads do with their exceptions.
void wait_for(const std::atomic<Index>& left, Index count) {
  while (left < count) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

}  // namespace

TEST_CASE("A team of one does its one part itself", "[core][team]") {
  Team alone;
  std::vector<Index> parts;
  alone.share([&](Index part) { parts.push_back(part); });
  CHECK(alone.size() == 1);
  CHECK(parts == std::vector<Index>{0});
}

TEST_CASE("Every task has a team, and every part of what it shares is done once", "[core][team]") {
  for (const int threads : {0, 1, 2, 3, 4, 5, 8}) {
    for (const Index size : {1, 2, 3, 8}) {
      for (const Index count : {0, 1, 2, 3, 7}) {
        CAPTURE(threads, size, count);
        std::vector<std::atomic<int>> runs(at(count));
        std::atomic<int> wrong{0};
        for_each_team(threads, count, size, [&](Index task, Team& team) {
          ++runs[at(task)];
          // Many small operations, each of which needs the last one's results.
          std::vector<Index> done(at(team.size()), 0);
          for (Index order = 0; order < 50; ++order) {
            team.share([&](Index part) { done[at(part)] += part + order; });
            const Index sum = std::accumulate(done.begin(), done.end(), Index{0});
            const Index n = team.size();
            wrong += sum != (order + 1) * n * (n - 1) / 2 + n * order * (order + 1) / 2;
          }
        });
        CHECK(std::all_of(runs.begin(), runs.end(), [](const auto& n) { return n == 1; }));
        CHECK(wrong == 0);
      }
    }
  }
}

#if PIXELRNN_HAS_OPENMP
TEST_CASE("Threads are divided among the teams, and none is left over", "[core][team]") {
  const auto sizes = [](int threads, Index count, Index size) {
    std::vector<Index> of_task(at(count));
    for_each_team(threads, count, size,
                  [&](Index task, Team& team) { of_task[at(task)] = team.size(); });
    return of_task;
  };
  CHECK(sizes(4, 4, 2) == std::vector<Index>{2, 2, 2, 2});
  CHECK(sizes(4, 1, 4) == std::vector<Index>{4});
  CHECK(sizes(5, 3, 2) == std::vector<Index>{3, 2, 2});  // 2 does not divide 5
  CHECK(sizes(5, 2, 2) == std::vector<Index>{3, 2});
  CHECK(sizes(3, 1, 2) == std::vector<Index>{3});
  CHECK(sizes(2, 3, 8) == std::vector<Index>{2, 2, 2});
  CHECK(sizes(8, 1, 2) == std::vector<Index>{3});  // more than asked for, but not twice as many
  CHECK(sizes(3, 3, 1) == std::vector<Index>{1, 1, 1});
  for_each_team(4, 4, 2, [](Index, Team&) {
    for_each_team(4, 1, 4, [](Index, Team& inner) {  // never nested
      if (inner.size() != 1) detail::fail<ValueError>("nested");
    });
  });
}

TEST_CASE("A team's parts run on threads of their own, unless the leader is first",
          "[core][team]") {
  // How often depends on the machine; once in a thousand operations is little to ask of any.
  std::atomic<int> elsewhere{0};
  for_each_team(2, 1, 2, [&](Index, Team& team) {
    const std::thread::id leader = std::this_thread::get_id();
    for (int order = 0; order < 1000 || (elsewhere == 0 && order < 1'000'000); ++order) {
      team.share([&](Index part) {
        if (part == 0) std::this_thread::yield();
        elsewhere += std::this_thread::get_id() != leader;
      });
    }
  });
  CHECK(elsewhere > 0);
}
#endif

TEST_CASE("What a part throws is thrown where it was shared, the first part's first",
          "[core][team]") {
  for (const int threads : {1, 2, 4}) {
    int caught = 0;
    for_each_team(threads, 1, threads, [&](Index, Team& team) {
      for (int again = 0; again < 20; ++again) {
        try {
          team.share([](Index part) { detail::fail<ValueError>("part ", part); });
        } catch (const ValueError& e) {
          caught += std::string(e.what()) == "part 0";
        }
      }
      // And the team goes on.
      std::vector<int> done(at(team.size()));
      team.share([&](Index part) { done[at(part)] = 1; });
      caught += std::accumulate(done.begin(), done.end(), 0) == team.size();
    });
    CHECK(caught == 21);
  }
}

#if PIXELRNN_HAS_OPENMP
TEST_CASE("It does not matter which part, or whose task, throws first in time", "[core][team]") {
  Index leaders = 0;
  for_each_team(3, 1, 3, [&](Index, Team& team) {
    std::atomic<Index> left{0};
    try {
      team.share([&](Index part) {
        const Leaves leaves{left};
        wait_for(left, 2 - part);  // the last part is the first to throw
        detail::fail<ValueError>("part ", part);
      });
    } catch (const ValueError& e) {
      leaders += std::string(e.what()) == "part 0";
    }
  });
  CHECK(leaders == 1);

  std::atomic<Index> left{0};
  const auto fails = [&left] {
    for_each_team(6, 3, 2, [&left](Index task, Team&) {
      const Leaves leaves{left};
      wait_for(left, 2 - task);
      detail::fail<ValueError>("task ", task);
    });
  };
  CHECK_THROWS_ERROR(fails(), ValueError, "task 0");
}
#endif

TEST_CASE("What a task throws leaves the region as itself, that of the first task",
          "[core][team]") {
  for (const int threads : {1, 2, 4, 8}) {
    const auto fails = [threads] {
      for_each_team(threads, 20, 2, [](Index task, Team& team) {
        team.share([](Index) {});
        if (task % 9 == 5) detail::fail<ValueError>("task ", task);
      });
    };
    CHECK_THROWS_ERROR(fails(), ValueError, "task 5");
  }
}

#if PIXELRNN_HAS_OPENMP
TEST_CASE("A team is what OpenMP gives, were it one thread", "[core][team]") {
  const int dynamic_before = omp_get_dynamic();
  omp_set_dynamic(1);  // OpenMP may give fewer threads than processors
  Index sum = 0;
  for_each_team(64, 3, 64, [&](Index task, Team& team) {
    std::vector<Index> parts(at(team.size()), 0);
    team.share([&](Index part) { parts[at(part)] = 1; });
    if (std::accumulate(parts.begin(), parts.end(), Index{0}) == team.size()) sum += task + 1;
  });
  omp_set_dynamic(dynamic_before);
  CHECK(sum == 6);
}
#endif

TEST_CASE("Where there is no memory for a team, no task begins", "[core][team]") {
  // OpenMP itself has to be there already: one that finds no memory when it starts (LLVM's 18) ends
  // the program.
  for_each_team(4, 2, 2, [](Index, Team&) {});
  Index begun = 0;
  const auto run = [&] {
    const test::AllocationBudget none(0);
    for_each_team(4, 2, 2, [&](Index, Team&) { ++begun; });
  };
#if PIXELRNN_HAS_OPENMP
  CHECK_THROWS_AS(run(), std::bad_alloc);
  CHECK(begun == 0);
#else
  CHECK_NOTHROW(run());
  CHECK(begun == 2);
#endif
}
