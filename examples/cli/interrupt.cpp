// SPDX-License-Identifier: MIT
// A signal handler that sets a flag.
#include "interrupt.hpp"

#include <array>
#include <atomic>
#include <csignal>

namespace cli {
namespace {

std::atomic<int> caught{0};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may touch nothing else");

constexpr std::array signals{SIGINT, SIGTERM, SIGHUP, SIGPIPE};
std::array<struct sigaction, signals.size()> previous;

extern "C" void remember(int signal) {
  int none = 0;
  caught.compare_exchange_strong(none, signal, std::memory_order_relaxed);
}

}  // namespace

Interrupt::Interrupt() {
  caught = 0;
  struct sigaction action {};
  action.sa_handler = remember;
  sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < signals.size(); ++i) {
    const bool once = signals[i] != SIGPIPE;
    const bool respects_ignore = signals[i] == SIGHUP || signals[i] == SIGPIPE;
    action.sa_flags = once ? SA_RESTART | static_cast<int>(SA_RESETHAND) : SA_RESTART;
    sigaction(signals[i], nullptr, &previous[i]);
    if (respects_ignore && previous[i].sa_handler == SIG_IGN) continue;
    sigaction(signals[i], &action, nullptr);
  }
}

Interrupt::~Interrupt() {
  for (std::size_t i = 0; i < signals.size(); ++i) sigaction(signals[i], &previous[i], nullptr);
}

int Interrupt::signal() const { return caught.load(std::memory_order_relaxed); }

}  // namespace cli
