// SPDX-License-Identifier: MIT
// Interrupt: Ctrl-C as a question to be asked between two steps.
#pragma once

namespace cli {

/// While one of these lives, the first SIGINT, SIGTERM or SIGHUP (the terminal is gone) is only
/// remembered; a second one ends the program as ever. So is SIGPIPE (nobody reads what we write),
/// every time: Ctrl-C ends `tee`, too, and a last line to it must not cost the checkpoint. SIGHUP
/// and SIGPIPE stay ignored if they were, as nohup wants it. One at a time.
class Interrupt {
 public:
  Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;
  ~Interrupt();

  /// The signal that came first, or 0.
  [[nodiscard]] int signal() const;
};

}  // namespace cli
