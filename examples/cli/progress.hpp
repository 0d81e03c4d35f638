// SPDX-License-Identifier: MIT
// Progress: how training goes, as a bar on a terminal, as lines elsewhere, and as a CSV file.
#pragma once

#include <chrono>
#include <fstream>
#include <string>

#include <pixelrnn/training/trainer.hpp>

#include "output.hpp"

namespace cli {

class Progress {
 public:
  /// Steps are counted over the trainer's life: this run goes from `first_step` to `last_step`.
  /// `binarization` is that of the images trained on: without it their likelihood means nothing.
  Progress(const Console& console, Index first_step, Index last_step, Index epochs,
           std::string binarization);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// Removes the bar, so that an error begins a line of its own.
  ~Progress() { remove_bar(); }

  /// Also writes a CSV file, one line for each event: step, train (mean of an epoch) and
  /// validation. A file that is there is replaced with the first line; if `append`, its lines are
  /// kept up to step `begin`: what came later, or half a line, is of a run that was killed. Throws
  /// FileError, also if that file has other columns.
  void log_to(const std::string& path, bool append, Index begin);
  /// What was logged until now is in the file. If it cannot be, finish() says so: that costs no
  /// training.
  void flush_log();

  void step(const StepReport& report);
  /// Time since the last step was spent otherwise (validation, a checkpoint) and is not counted.
  void resume();
  void epoch(const EpochReport& report);
  /// A line of text, which the bar makes room for.
  void say(const std::string& line);
  /// Removes the bar. Throws FileError if the log could not be written.
  void finish();

  [[nodiscard]] double images_per_second() const;
  /// Since this object was made.
  [[nodiscard]] double seconds() const;

 private:
  using Clock = std::chrono::steady_clock;

  void show(const StepReport& report);
  void remove_bar();
  void begin_log();
  void log(const char* event, Index step, Index epoch, double nats, const std::string& binarization,
           const std::string& norm);

  const Console& console_;
  Index first_step_, last_step_, epochs_;
  std::string binarization_;
  std::ofstream log_;
  std::string log_path_;
  std::string log_before_;  ///< what the file is to hold before the first line of this run
  Clock::time_point start_, mark_, shown_;
  double training_seconds_ = 0;
  Index images_ = 0;
  double recent_nats_ = 0, recent_weight_ = 0;  ///< a mean that forgets: nats / weight
  bool has_bar_ = false;
};

}  // namespace cli
