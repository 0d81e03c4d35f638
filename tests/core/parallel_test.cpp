// SPDX-License-Identifier: MIT
#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include <pixelrnn/core/parallel.hpp>
#include <pixelrnn/core/random.hpp>

#include "support/catch.hpp"

using namespace pixelrnn;
using execution::OpenMP, execution::Sequential;

namespace {

/// Satisfies Execution and runs the tasks backwards: a policy of a user.
struct Backwards {
  static constexpr std::string_view name = "Backwards";
  static Index workers(int, Index) { return 1; }
  template <class Body>
  static void for_each(int, Index count, Body&& body) {
    while (count-- > 0) body(count, Index{0});
  }
};

struct Nameless {
  static Index workers(int, Index) { return 1; }
  template <class Body>
  static void for_each(int, Index, Body&&) {}
};

struct WorkersOfTheWrongType {
  [[maybe_unused]] static constexpr std::string_view name = "WorkersOfTheWrongType";
  static double workers(int, Index) { return 1; }
  template <class Body>
  static void for_each(int, Index, Body&&) {}
};

/// Numbers that would differ in their last bits if a task depended on worker or team.
template <class E>
std::vector<double> results(int threads, Index count) {
  std::vector<double> out(static_cast<std::size_t>(count));
  E::for_each(threads, count, [&out](Index task, Index) {
    double sum = 0;
    for (Index pixel = 0; pixel < 200; ++pixel) {
      sum += std::sin(keyed_uniform(1, static_cast<std::uint64_t>(task), pixel, 0));
    }
    out[static_cast<std::size_t>(task)] = sum;
  });
  return out;
}

}  // namespace

TEST_CASE("A policy is told by its members", "[core][parallel]") {
  STATIC_REQUIRE(Execution<Sequential>);
  STATIC_REQUIRE(Execution<OpenMP>);
  STATIC_REQUIRE(Execution<Backwards>);
  STATIC_REQUIRE_FALSE(Execution<Nameless>);
  STATIC_REQUIRE_FALSE(Execution<WorkersOfTheWrongType>);
  STATIC_REQUIRE_FALSE(Execution<int>);
}

TEMPLATE_TEST_CASE("Every task runs exactly once", "[core][parallel]", Sequential, OpenMP) {
  for (const int threads : {0, 1, 2, 3, 8}) {
    for (const Index count : {0, 1, 2, 3, 7, 8, 9, 100}) {
      std::vector<std::atomic<int>> runs(static_cast<std::size_t>(count));
      TestType::for_each(threads, count,
                         [&runs](Index task, Index) { ++runs[static_cast<std::size_t>(task)]; });
      CHECK(std::all_of(runs.begin(), runs.end(), [](const auto& n) { return n == 1; }));
    }
  }
}

TEMPLATE_TEST_CASE("Workers are numbered from 0, so that each can have its own scratch",
                   "[core][parallel]", Sequential, OpenMP) {
  for (const int threads : {1, 2, 4}) {
    const Index workers = TestType::workers(threads, 100);
    REQUIRE(workers >= 1);
    REQUIRE(workers <= threads);
    std::vector<int> tasks_of(static_cast<std::size_t>(workers));
    std::atomic<bool> out_of_range{false};
    TestType::for_each(threads, 100, [&](Index, Index worker) {
      if (worker < 0 || worker >= workers) {
        out_of_range = true;
      } else {
        ++tasks_of[static_cast<std::size_t>(worker)];  // no lock: one thread a worker
      }
    });
    CHECK_FALSE(out_of_range);
    CHECK(std::accumulate(tasks_of.begin(), tasks_of.end(), 0) == 100);
    // Chunks are of one size, give or take a task.
    const auto [least, most] = std::minmax_element(tasks_of.begin(), tasks_of.end());
    CHECK(*most - *least <= 1);
  }
}

TEST_CASE("There are never more workers than tasks, and always one", "[core][parallel]") {
  CHECK(Sequential::workers(8, 100) == 1);
  CHECK(OpenMP::workers(8, 3) <= 3);
  CHECK(OpenMP::workers(8, 0) == 1);
  CHECK(OpenMP::workers(0, 1) == 1);
  CHECK(OpenMP::workers(0, 1000) >= 1);
#if PIXELRNN_HAS_OPENMP
  CHECK(OpenMP::workers(8, 100) == 8);
  CHECK(OpenMP::workers(0, 1000) == std::min(omp_get_max_threads(), 1000));
#else
  CHECK(OpenMP::workers(8, 100) == 1);
#endif
}

TEST_CASE("Sequential keeps the order of the tasks", "[core][parallel]") {
  std::vector<Index> order;
  Sequential::for_each(4, 5, [&order](Index task, Index worker) {
    CHECK(worker == 0);
    order.push_back(task);
  });
  CHECK(order == std::vector<Index>{0, 1, 2, 3, 4});
}

TEST_CASE("A worker's tasks are contiguous and in order", "[core][parallel]") {
  std::vector<std::vector<Index>> tasks_of(4);
  OpenMP::for_each(4, 37, [&tasks_of](Index task, Index worker) {
    tasks_of[static_cast<std::size_t>(worker)].push_back(task);
  });
  std::vector<Index> all;
  for (const std::vector<Index>& tasks : tasks_of) {
    all.insert(all.end(), tasks.begin(), tasks.end());
  }
  std::vector<Index> expected(37);
  std::iota(expected.begin(), expected.end(), Index{0});
  CHECK(all == expected);
}

TEST_CASE("Results have the same bits for any policy and number of threads", "[core][parallel]") {
  const std::vector<double> expected = results<Sequential>(1, 53);
  for (const int threads : {0, 1, 2, 3, 4, 8, 64}) {
    CHECK(results<OpenMP>(threads, 53) == expected);
  }
  CHECK(results<Backwards>(1, 53) == expected);
}

TEST_CASE("An exception leaves the parallel region as itself", "[core][parallel]") {
  for (const int threads : {1, 2, 4}) {
    const auto fails = [threads] {
      OpenMP::for_each(threads, 40, [](Index task, Index) {
        if (task == 25) detail::fail<ValueError>("task ", task, " is bad");
      });
    };
    CHECK_THROWS_ERROR(fails(), ValueError, "task 25 is bad");
  }
}

TEST_CASE("Of several exceptions the one of the first task is thrown", "[core][parallel]") {
  for (const int threads : {1, 2, 4, 8}) {
    const auto fails = [threads] {
      OpenMP::for_each(threads, 40, [](Index task, Index) {
        if (task % 9 == 5) throw std::runtime_error(std::to_string(task));
      });
    };
    CHECK_THROWS_ERROR(fails(), std::runtime_error, "5");
  }
}

#if PIXELRNN_HAS_OPENMP
TEST_CASE("The exception of the first task is kept, whichever chunk fails first",
          "[core][parallel]") {
  // By one thread, so that it is known which chunk fails when.
  for (const std::vector<Index>& order :
       {std::vector<Index>{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 0, 2}, {2, 0, 3, 1}}) {
    detail::RegionTasks tasks(40);
    for (const Index worker : order) {
      tasks.run_chunk(worker, 4, [](Index task) {
        if (task % 9 == 5) throw std::runtime_error(std::to_string(task));
      });
    }
    CHECK_THROWS_ERROR(tasks.rethrow(), std::runtime_error, "5");
  }
  detail::RegionTasks none(40);
  for (Index worker = 0; worker < 4; ++worker) none.run_chunk(worker, 4, [](Index) {});
  CHECK_NOTHROW(none.rethrow());
}
#endif

TEST_CASE("After an exception the rest of the chunk is dropped, and other chunks run",
          "[core][parallel]") {
  std::vector<std::atomic<int>> runs(40);
  const auto fails = [&runs] {
    OpenMP::for_each(4, 40, [&runs](Index task, Index) {
      if (task == 3) throw ValueError("stop");
      ++runs[static_cast<std::size_t>(task)];
    });
  };
  CHECK_THROWS_AS(fails(), ValueError);
  CHECK(runs[2] == 1);
  CHECK(runs[3] == 0);
  CHECK(runs[4] == 0);
#if PIXELRNN_HAS_OPENMP
  CHECK(runs[39] == 1);
#endif
}

TEST_CASE("A loop works again after one that failed", "[core][parallel]") {
  const auto fails = [] { OpenMP::for_each(2, 8, [](Index, Index) { throw ValueError("x"); }); };
  CHECK_THROWS_AS(fails(), ValueError);
  CHECK(results<OpenMP>(2, 10) == results<Sequential>(1, 10));
}

TEST_CASE("Parallel loops never nest", "[core][parallel]") {
  std::vector<Index> inner_workers(4);
  std::vector<Index> inner_tasks(4);
  OpenMP::for_each(4, 4, [&](Index task, Index) {
    const auto i = static_cast<std::size_t>(task);
    inner_workers[i] = OpenMP::workers(4, 100);
    // No lock: were the inner loop parallel, the thread sanitizer would see it.
    OpenMP::for_each(4, 100, [&](Index, Index worker) { inner_tasks[i] += worker == 0 ? 1 : 0; });
  });
#if PIXELRNN_HAS_OPENMP
  CHECK(inner_workers == std::vector<Index>(4, 1));
#endif
  CHECK(inner_tasks == std::vector<Index>(4, 100));
}

TEST_CASE("A negative number of threads is refused by name", "[core][parallel]") {
  CHECK_NOTHROW(require_threads(0, "Trainer"));
  CHECK_NOTHROW(require_threads(64, "Trainer"));
  CHECK_THROWS_ERROR(require_threads(-1, "Trainer"), ConfigError,
                     "Trainer: threads is -1, expected 0 (as many as OpenMP offers) or more");
}
