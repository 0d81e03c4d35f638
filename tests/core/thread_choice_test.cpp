// SPDX-License-Identifier: MIT
#include <pixelrnn/core/thread_choice.hpp>

#include <stdexcept>
#include <vector>

#include "support/catch.hpp"

using namespace pixelrnn;
using execution::AtMost, execution::OpenMP;

namespace {

/// A machine whose calls take the seconds and processor seconds that a rule gives for so many
/// threads, and no real time.
template <class Rule>
struct Machine {
  ThreadChoice choice{};
  Index offered;
  Rule rule;
  double clock = 0;
  std::vector<double> spent = {};  ///< seconds of calls by each number of threads

  /// Calls until so many seconds have passed; returns the share of them spent with `threads`.
  double share_of(Index threads, double seconds) {
    spent.assign(static_cast<std::size_t>(offered) + 1, 0.0);
    for (const double end = clock + seconds; clock < end;) {
      const Index now = choice.next(offered);
      if (now < 1 || now > offered) FAIL("chose " << now << " of " << offered);
      const auto [wall, processors] = rule(now, clock);
      choice.record(16, wall, processors);
      clock += wall;
      spent[static_cast<std::size_t>(now)] += wall;
    }
    return spent[static_cast<std::size_t>(threads)] / seconds;
  }
};
struct Times {
  double wall, processors;
};
template <class Rule>
Machine<Rule> machine(Index offered, Rule rule) {
  return {.offered = offered, .rule = rule};
}

/// Threads that spin while they wait, on processors of their own.
Times quiet(Index threads) {
  const double n = static_cast<double>(threads);
  return {1e-3 / n, 1e-3};
}
/// The same where only `left` processors are to be had: more threads wait for turns of others.
Times crowded(Index threads, double left) {
  const double n = static_cast<double>(threads);
  if (n <= left) return quiet(threads);
  return {8e-3, left * 8e-3};
}

}  // namespace

TEST_CASE("On quiet processors all threads are taken, always", "[core][thread_choice]") {
  for (const Index offered : {2, 8, 64}) {
    auto m = machine(offered, [](Index n, double) { return quiet(n); });
    CHECK(m.share_of(offered, 10) > 0.9999);
  }
}

TEST_CASE("Where others have the processors, as many threads are taken as there are left",
          "[core][thread_choice]") {
  const auto check = [](Index offered, double left) {
    CAPTURE(offered, left);
    auto m = machine(offered, [left](Index n, double) { return crowded(n, left); });
    const auto best = static_cast<Index>(left);
    CHECK(m.share_of(best, 1) > 0.7);
    CHECK(m.share_of(best, 10) > 0.95);  // trials of all threads become rare
    CHECK(m.spent[static_cast<std::size_t>(offered)] > 0);
  };
  check(2, 1);
  check(8, 1);
  check(8, 5);
  check(64, 40.5);
}

TEST_CASE("What is tried for nothing is tried ever more rarely", "[core][thread_choice]") {
  // Threads that sleep while they wait seem to lack processors, but fewer would take longer.
  auto m = machine(2, [](Index n, double) {
    return n == 2 ? Times{1e-3, 1.4e-3} : Times{1.4e-3, 1.4e-3};
  });
  const double first = m.share_of(1, 1), second = m.share_of(1, 10), later = m.share_of(1, 100);
  CHECK(first > 0);
  CHECK(first < 0.07);
  CHECK(second < 0.02);
  CHECK(later < 0.005);
}

TEST_CASE("Where threads are told to sleep while they wait, nothing is chosen",
          "[core][thread_choice]") {
  for (const char* policy : {"passive", "PASSIVE", " Passive "}) {
    CHECK(ThreadChoice::wait_asleep(policy));
  }
  for (const char* policy : {"active", "ACTIVE", "", " "}) {
    CHECK_FALSE(ThreadChoice::wait_asleep(policy));
  }
  CHECK_FALSE(ThreadChoice::wait_asleep(nullptr));
}

TEST_CASE("The choice follows others as they come and go", "[core][thread_choice]") {
  auto m = machine(
      4, [](Index n, double clock) { return clock > 10 && clock < 20 ? crowded(n, 2) : quiet(n); });
  CHECK(m.share_of(4, 10) > 0.999);
  CHECK(m.share_of(2, 10) > 0.9);
  static_cast<void>(m.share_of(4, 3));
  CHECK(m.share_of(4, 10) > 0.999);
}

TEST_CASE("A single disturbance changes nothing", "[core][thread_choice]") {
  int calls = 0;
  auto m = machine(2, [&calls](Index n, double) {
    return ++calls % 1000 == 0 ? Times{50e-3, 50e-3} : quiet(n);
  });
  CHECK(m.share_of(2, 10) == Approx(1).epsilon(0.01));
}

TEST_CASE("The first call, which makes threads and memory, does not count",
          "[core][thread_choice]") {
  ThreadChoice choice;
  CHECK(choice.next(2) == 2);
  choice.record(1, 10, 10);
  for (int call = 0; call < 3; ++call) {
    CHECK(choice.next(2) == 2);
    choice.record(1, 1, 2);
  }
  // Two that lack processors, and one is tried; it takes longer; it is not.
  for (int call = 0; call < 2; ++call) {
    CHECK(choice.next(2) == 2);
    choice.record(1, 1, 1);
  }
  CHECK(choice.next(2) == 1);
  choice.record(1, 1.1, 1);
  CHECK(choice.next(2) == 2);
}

TEST_CASE("Another number of threads on offer is another choice", "[core][thread_choice]") {
  ThreadChoice choice;
  for (int call = 0; call < 3; ++call) {
    CHECK(choice.next(2) == 2);
    choice.record(1, 1, 1);
  }
  CHECK(choice.next(2) == 1);
  CHECK(choice.next(3) == 3);
  CHECK(choice.next(1) == 1);
}

TEST_CASE("Loops whose threads are left open have at most so many, and others what they ask for",
          "[core][thread_choice]") {
#if PIXELRNN_HAS_OPENMP
  const int before = omp_get_max_threads();
  omp_set_num_threads(4);
  CHECK(OpenMP::workers(0, 100) == 4);
  {
    const AtMost three(3);
    CHECK(OpenMP::workers(0, 100) == 3);
    CHECK(OpenMP::workers(0, 2) == 2);
    CHECK(OpenMP::workers(4, 100) == 4);
    {
      const AtMost none(0), more(8);
      CHECK(OpenMP::workers(0, 100) == 1);
    }
    CHECK(OpenMP::workers(0, 100) == 3);
  }
  CHECK(OpenMP::workers(0, 100) == 4);
  omp_set_num_threads(before);
#else
  CHECK(OpenMP::offered() == 1);
#endif
}

TEST_CASE("A choice returns what it runs, and lets its errors pass", "[core][thread_choice]") {
  ThreadChoice choice;
  for (const int threads : {0, 1, 2}) {
    CHECK(choice.run<OpenMP>(threads, 1, [] { return 5; }) == 5);
    CHECK(choice.run<execution::Sequential>(threads, 1, [] { return 5; }) == 5);
    const auto fails = [&] { choice.run<OpenMP>(threads, 1, [] { throw ValueError("x"); }); };
    CHECK_THROWS_AS(fails(), ValueError);
    CHECK(AtMost::threads() > 1'000'000);
  }
}
