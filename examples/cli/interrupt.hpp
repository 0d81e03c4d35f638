// SPDX-License-Identifier: MIT
// Interrupt: Ctrl-C as a question to be asked between two steps.
#pragma once

namespace cli {

/// While one of these lives, the first SIGINT or SIGTERM is only remembered; a second one ends the
/// program as ever. One at a time.
class Interrupt {
 public:
  Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;
  ~Interrupt();

  /// The signal that came, or 0.
  [[nodiscard]] int signal() const;
};

}  // namespace cli
