// SPDX-License-Identifier: MIT
#include <pixelrnn/core/team.hpp>

#include "support/catch.hpp"

#if PIXELRNN_HAS_OPENMP
#include <atomic>
#include <cstdio>
#include <functional>
#include <limits>
#include <new>
#include <numeric>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__has_feature)
#define PIXELRNN_TEST_HAS_FEATURE(feature) __has_feature(feature)
#else
#define PIXELRNN_TEST_HAS_FEATURE(feature) 0
#endif
// A sanitizer of threads allows no threads in a forked child, and one of addresses takes more of
// these than a limit may leave.
#if defined(__SANITIZE_THREAD__) || PIXELRNN_TEST_HAS_FEATURE(thread_sanitizer)
#define PIXELRNN_TEST_FORKS 0
#elif defined(__unix__) || defined(__APPLE__)
#define PIXELRNN_TEST_FORKS 1
#endif
#if defined(__SANITIZE_ADDRESS__) || PIXELRNN_TEST_HAS_FEATURE(address_sanitizer) || \
    !defined(__linux__)
#define PIXELRNN_TEST_LIMITS 0
#else
#define PIXELRNN_TEST_LIMITS PIXELRNN_TEST_FORKS
#endif
#if PIXELRNN_TEST_FORKS
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

using namespace pixelrnn;
using detail::OpenmpPool, detail::threads_at_once;
using execution::OpenMP;

namespace {

/// Makes threads that work until `left` are made, and then throws `Error`.
template <class Error>
auto makes(int left, Error error) {
  return [left, error](auto f) mutable {
    if (left-- == 0) throw error;
    return std::thread(f);
  };
}
const auto no_thread = std::make_error_code(std::errc::resource_unavailable_try_again);
constexpr auto enough_stack = [](Index) { return std::numeric_limits<std::size_t>::max(); };

/// What `use` returns on a thread of its own, whose OpenMP has made nothing yet.
template <class Use>
auto on_new_thread(Use use) {
  decltype(use()) result{};
  std::thread([&] { result = use(); }).join();
  return result;
}

/// The tasks of a loop by two threads that ran on another thread than the first, each of which
/// waits for the other, so that both threads must be there; 0 if they did not run all.
int shared_by_two() {
  std::atomic<int> begun{0}, elsewhere{0};
  const std::thread::id here = std::this_thread::get_id();
  OpenMP::for_each(2, 2, [&](Index, Index) {
    ++begun;
    while (begun < 2) std::this_thread::yield();
    elsewhere += std::this_thread::get_id() != here;
  });
  return begun == 2 ? int{elsewhere} : 0;
}
int sum_of_hundred(int threads) {
  std::atomic<int> sum{0};
  OpenMP::for_each(threads, 100, [&sum](Index task, Index) { sum += static_cast<int>(task); });
  return sum;
}

}  // namespace

TEST_CASE("Threads are made until there are enough, or no more to be had", "[core][openmp_pool]") {
  for (const int left : {0, 1, 5}) {
    CHECK(threads_at_once(5, makes(left, std::system_error(no_thread))) == left);
    CHECK(threads_at_once(5, makes(left, std::bad_alloc())) == left);
  }
  CHECK(threads_at_once(0, makes(0, std::bad_alloc())) == 0);
  // They are all there at once: each that is made finds those before it still running.
  std::atomic<int> running{0};
  std::vector<int> found;
  CHECK(threads_at_once(4, [&](auto f) {
          found.push_back(running);
          std::thread thread([&running, f] { f(), --running; });
          ++running;
          return thread;
        }) == 4);
  CHECK(found == std::vector<int>{0, 1, 2, 3});
  CHECK(running == 0);
}

TEST_CASE("A team has half of the threads that could be made, where these are too few",
          "[core][openmp_pool]") {
  const auto teams_of = [](int left) {
    return on_new_thread([left] {
      std::vector<Index> teams;
      for (const Index wanted : {1, 2, 4, 8, 3, 8}) {
        teams.push_back(
            OpenmpPool::try_out(wanted, makes(left, std::system_error(no_thread)), enough_stack));
        teams.push_back(OpenmpPool::team(wanted));  // remembers, and tries no more than that
      }
      return teams;
    });
  };
  CHECK(teams_of(0) == std::vector<Index>{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1});
  CHECK(teams_of(1) == std::vector<Index>{1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2});
  CHECK(teams_of(3) == std::vector<Index>{1, 1, 2, 2, 4, 4, 4, 4, 3, 3, 4, 4});
  CHECK(teams_of(5) == std::vector<Index>{1, 1, 2, 2, 4, 4, 4, 4, 3, 3, 4, 4});
  CHECK(teams_of(7) == std::vector<Index>{1, 1, 2, 2, 4, 4, 8, 8, 3, 3, 8, 8});
  for (const int left : {0, 1, 2, 5, 6}) {
    CHECK(on_new_thread([left] {
            return OpenmpPool::try_out(8, makes(left, std::bad_alloc()), enough_stack);
          }) == 1 + left / 2);
  }
}

TEST_CASE("Threads whose stacks are too small for the kernels take no part",
          "[core][openmp_pool]") {
  const auto team_with = [](std::size_t bytes) {
    return on_new_thread([bytes] {
      static_cast<void>(OpenmpPool::try_out(
          2, [](auto f) { return std::thread(f); }, [bytes](Index) { return bytes; }));
      return OpenMP::workers(2, 100);
    });
  };
  CHECK(team_with(OpenmpPool::least_stack) == 2);
  CHECK(team_with(OpenmpPool::least_stack - 1) == 1);
  CHECK(team_with(64 * 1024) == 1);
  // What the system says: of this thread, more than that; of one that is small, how small.
  CHECK(detail::stack_bytes() > OpenmpPool::least_stack);
#if defined(__linux__)
  pthread_attr_t small;
  REQUIRE(pthread_attr_init(&small) == 0);
  REQUIRE(pthread_attr_setstacksize(&small, 96 * 1024) == 0);
  std::size_t bytes = 0;
  pthread_t thread;
  const auto ask = [](void* into) -> void* {
    *static_cast<std::size_t*>(into) = detail::stack_bytes();
    return nullptr;
  };
  if (pthread_create(&thread, &small, ask, &bytes) == 0) {  // a sanitizer may need more
    pthread_join(thread, nullptr);
    CHECK(bytes > 0);
    CHECK(bytes <= 96 * 1024);
  }
  pthread_attr_destroy(&small);
#endif
}

TEST_CASE("A team that has ended is made again", "[core][openmp_pool]") {
  CHECK(shared_by_two() == 1);
  OpenmpPool::end();
  CHECK(shared_by_two() == 1);
  OpenMP::for_each(2, 2, [](Index, Index) { OpenmpPool::end(); });  // in a region: nothing happens
  CHECK(shared_by_two() == 1);
}

#if PIXELRNN_TEST_FORKS
namespace {

/// What a forked child returns that calls `use`; -1 if it ends otherwise or takes over 20 s.
int in_child(const std::function<int()>& use) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    _exit(use());
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return -2;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
/// The same loops, and teams, by more threads than the parent had.
int shares_work() {
  if (shared_by_two() != 1 || sum_of_hundred(3) != 4950) return 0;
  int parts = 0;
  execution::for_each_team(4, 1, 4, [&parts](Index, Team& team) {
    std::vector<int> done(static_cast<std::size_t>(team.size()));
    team.share([&done](Index part) { done[static_cast<std::size_t>(part)] = 1; });
    parts = std::accumulate(done.begin(), done.end(), 0);
  });
  return parts;
}

}  // namespace

TEST_CASE("The check of a child tells one that hangs or crashes from one that works",
          "[core][openmp_pool]") {
  CHECK(in_child([] { return 5; }) == 5);
  CHECK(in_child([] {
          signal(SIGALRM, SIG_DFL);
          alarm(1);
          for (;;) pause();
          return 5;
        }) == -1);
}

TEST_CASE("After a loop on several threads a forked child has several too, and so has its parent",
          "[core][openmp_pool]") {
  CHECK(shares_work() == 4);
  CHECK(in_child(shares_work) == 4);
  CHECK(shares_work() == 4);
  CHECK(in_child([] { return shares_work() == 4 ? in_child(shares_work) : 0; }) == 4);
  CHECK(in_child([] { return on_new_thread(shares_work); }) == 4);
  CHECK(in_child([] { return shares_work() + on_new_thread(shares_work); }) == 8);
  CHECK(shares_work() == 4);
}

TEST_CASE("It does not matter which thread forks", "[core][openmp_pool]") {
  CHECK(shares_work() == 4);
  CHECK(on_new_thread([] { return in_child(shares_work); }) == 4);
  CHECK(on_new_thread([] { return shares_work() == 4 ? in_child(shares_work) : 0; }) == 4);
#if !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
  // While another thread is in a region, and has just left one. LLVM's OpenMP sees to forks itself,
  // and the sanitizer's allocator may be locked by the other thread for ever.
  std::atomic<bool> stop{false};
  std::thread other([&stop] {
    while (!stop) static_cast<void>(sum_of_hundred(2));
  });
  for (int again = 0; again < 5; ++again) CHECK(in_child(shares_work) == 4);
  stop = true;
  other.join();
#endif
}

TEST_CASE("A child that is forked in a parallel loop has loops of its own", "[core][openmp_pool]") {
  std::vector<int> of_task(2);
  OpenMP::for_each(2, 2, [&of_task](Index task, Index) {
    of_task[static_cast<std::size_t>(task)] =
        in_child([] { return sum_of_hundred(2) == 4950 ? 7 : 0; });
  });
  CHECK(of_task == std::vector<int>{7, 7});
  CHECK(shares_work() == 4);
}

TEST_CASE("Threads of the program's own regions do not hinder a forked child",
          "[core][openmp_pool]") {
  std::atomic<int> threads{0};
#pragma omp parallel num_threads(3)
  ++threads;
  CHECK(threads == 3);
  CHECK(in_child(shares_work) == 4);
}

#if PIXELRNN_TEST_LIMITS
namespace {

/// Bytes of addresses this process has taken.
rlim_t addresses_taken() {
  unsigned long pages = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%lu", &pages) != 1) pages = 0;
    std::fclose(file);
  }
  return pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

TEST_CASE("Where there is no room for the threads that are asked for, there are fewer",
          "[core][openmp_pool]") {
  REQUIRE(addresses_taken() > 0);
  // The numbers of threads that there were before, with room for the stacks of three or none.
  for (const int before : {1, 2}) {
    for (const rlim_t room : {rlim_t{0}, rlim_t{3}}) {
      CAPTURE(before, room);
      const int result = in_child([before, room] {
        return on_new_thread([before, room] {
          if (sum_of_hundred(before) != 4950) return 0;
          pthread_attr_t usual;
          std::size_t stack = 0;
          pthread_attr_init(&usual);
          pthread_attr_getstacksize(&usual, &stack);
          const rlim_t bytes = addresses_taken() + (room * stack + (1 << 20));
          const rlimit limit{bytes, bytes};
          if (setrlimit(RLIMIT_AS, &limit) != 0) return 0;
          // 32 threads at most have stacks that were kept for the next.
          const Index workers = OpenMP::workers(64, 100);
          return sum_of_hundred(64) == 4950 && workers < 33 ? static_cast<int>(workers) : 0;
        });
      });
      CHECK(result >= before);
      CHECK(result < 33);
    }
  }
}
#endif
#endif
#endif
