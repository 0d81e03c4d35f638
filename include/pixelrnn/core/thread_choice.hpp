// SPDX-License-Identifier: MIT
// ThreadChoice: fewer threads where others have our processors, found by measuring calls.
#pragma once

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <string_view>
#include <utility>

#include <pixelrnn/core/parallel.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// How many threads repeated calls of one kind take, where that was left open. Threads that meet
/// after each short loop wait for the slowest: one whose processor is busy with something else
/// makes all of them wait for milliseconds, and one thread alone is several times as fast.
///
/// If the processor time of some calls is clearly below that of threads that never wait, it tries
/// as many threads as there seem to be processors for, and keeps them if an image (or what else is
/// counted) takes less time. Now and then it tries all again. A trial that came to nothing is
/// repeated after twice as long: all trials together cost a few hundredths of the time. Results do
/// not depend on threads, so no clock has influence on them.
class ThreadChoice {
 public:
  /// Returns body(), which does `work` images by the policy E. If `threads` is 0, loops in it that
  /// leave the threads to OpenMP have as many as was chosen for this call; any other number is
  /// obeyed.
  template <Execution E, class Body>
  decltype(auto) run(int threads, Index work, Body&& body) {
    if constexpr (!std::same_as<E, execution::OpenMP>) return body();
    static const bool asleep = wait_asleep(std::getenv("OMP_WAIT_POLICY"));
    const Index offered = threads == 0 && !asleep ? execution::OpenMP::offered() : 1;
    if (offered == 1) return body();
    const Measured measured(*this, offered, work);
    return body();
  }

  /// Whether OMP_WAIT_POLICY says that threads sleep while they wait. Then they leave processors to
  /// others, get them back soon, and there is nothing to choose.
  [[nodiscard]] static bool wait_asleep(const char* policy) {
    const std::string_view word = policy != nullptr ? policy : "";
    const std::size_t first = word.find_first_not_of(" \t");
    return first != word.npos && (word[first] == 'p' || word[first] == 'P');
  }
  /// Threads for the next call, of those that OpenMP offers.
  [[nodiscard]] Index next(Index offered) {
    if (offered != offered_) *this = ThreadChoice(offered);
    return now_;
  }
  /// The call took so many seconds, and so many of all processors together.
  void record(Index work, double wall, double processors) {
    elapsed_ += wall;
    if (std::exchange(first_, false)) return;  // it made memory and threads
    seen_.work += static_cast<double>(work);
    seen_.wall += wall;
    seen_.processors += processors;
    if (seen_.wall < (now_ == home_ ? least_seen : 2 * least_seen)) return;
    const Seen seen = std::exchange(seen_, {});
    if (now_ == home_) {
      look(seen);
    } else {
      judge(seen);
    }
  }

  /// Seconds without which a measurement says nothing: where several programs share a processor,
  /// each has it for some milliseconds.
  static constexpr double least_seen = 30e-3;

  ThreadChoice() = default;

 private:
  struct Seen {
    double work = 0, wall = 0, processors = 0;
    [[nodiscard]] double rate() const { return wall / work; }
  };
  /// When to try again: after so many times as long as the last trial took.
  struct Wait {
    double times = 0, until = 0;
    void begin(double now, double trial, double most) {
      until = now + times * trial;
      times = std::min(2 * times, most);
    }
  };
  /// One call, from construction to destruction; not recorded if it throws.
  class Measured {
   public:
    Measured(ThreadChoice& choice, Index offered, Index work)
        : choice_(choice), work_(work), limit_(choice.next(offered)) {}
    Measured(const Measured&) = delete;
    Measured& operator=(const Measured&) = delete;
    ~Measured() {
      if (std::uncaught_exceptions() != exceptions_) return;
      const std::chrono::duration<double> wall = Clock::now() - begin_;
      choice_.record(
          work_, wall.count(),
          static_cast<double>(std::clock() - processors_) / static_cast<double>(CLOCKS_PER_SEC));
    }

   private:
    using Clock = std::chrono::steady_clock;
    ThreadChoice& choice_;
    Index work_;
    execution::AtMost limit_;
    int exceptions_ = std::uncaught_exceptions();
    std::clock_t processors_ = std::clock();
    Clock::time_point begin_ = Clock::now();
  };

  explicit ThreadChoice(Index offered) : offered_(offered), home_(offered), now_(offered) {}

  /// After calls with the threads of the present choice: is a trial due?
  void look(const Seen& seen) {
    rate_ = rate_ == 0 ? seen.rate() : rate_ + (seen.rate() - rate_) / 3;
    const double got = seen.processors / seen.wall, home = static_cast<double>(home_);
    crowded_ = got < 0.85 * home ? crowded_ + 1 : 0;
    if (home_ > 1 && crowded_ > 1 && elapsed_ >= fewer_.until) {
      now_ = std::clamp<Index>(static_cast<Index>(got), 1, home_ - 1);
    } else if (home_ < offered_ && elapsed_ >= all_.until) {
      now_ = offered_;
    }
  }
  /// After the calls of a trial: does it become the choice?
  void judge(const Seen& seen) {
    const bool fewer = now_ < home_;
    if (fewer) {
      fewer_.begin(elapsed_, seen.wall, 1024);
    } else {
      all_.begin(elapsed_, seen.wall, 64);
    }
    crowded_ = 0;
    if (seen.rate() > (fewer ? fewer_pay : all_pay) * rate_) {
      now_ = home_;
      return;
    }
    if (fewer) {
      // All were right for long, or else it was a mistake to take them again.
      if (elapsed_ - since_ > 30 * least_seen) all_.times = first_all;
      all_.begin(elapsed_, seen.wall, 64);
    } else {
      fewer_ = {first_fewer};
    }
    since_ = elapsed_;
    home_ = now_;
    rate_ = seen.rate();
  }

  /// Of the time of an image, where a trial becomes the choice. Threads that wait for each other on
  /// crowded processors take several times as long. What is less may be chance, or threads that
  /// sleep while they wait, which get more turns than one thread.
  static constexpr double fewer_pay = 0.7, all_pay = 0.9;
  static constexpr double first_fewer = 32, first_all = 8;  ///< Wait::times

  Index offered_ = 0;               ///< by OpenMP
  Index home_ = 0;                  ///< the present choice
  Index now_ = 0;                   ///< for the next call: the choice, or what is tried
  double rate_ = 0;                 ///< seconds an image of late, with the present choice
  double elapsed_ = 0, since_ = 0;  ///< seconds of all calls; when the choice was made
  Seen seen_;
  int crowded_ = 0;  ///< measurements in turn whose threads seemed to wait for processors
  Wait fewer_{first_fewer}, all_{first_all};
  bool first_ = true;
};

}  // namespace pixelrnn::inline PIXELRNN_ABI
