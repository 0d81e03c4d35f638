// SPDX-License-Identifier: MIT
// The bar, the lines and the log.
#include "progress.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <filesystem>
#include <initializer_list>
#include <span>
#include <system_error>
#include <utility>

#include <pixelrnn/io/file.hpp>

namespace cli {
namespace {

constexpr const char* clear_line = "\r\x1b[K";
constexpr const char* columns_of_log =
    "event,step,epoch,nats_per_image,binarization,gradient_norm,images_per_second,seconds";

double between(std::chrono::steady_clock::time_point from,
               std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

std::string bar(double done, std::size_t width) {
  const auto full =
      static_cast<std::size_t>(std::clamp(done, 0.0, 1.0) * static_cast<double>(width));
  return '[' + std::string(full, '#') + std::string(width - full, '-') + ']';
}

/// The bar and the longest of the figures that leave room for it, in less than a line of the
/// terminal: what wraps cannot be cleared.
std::string fitted(double done, std::initializer_list<std::string> figures, int columns) {
  constexpr std::size_t widest = 24, narrowest = 5, brackets = 2;
  const auto room = static_cast<std::size_t>(std::max(columns - 1, 0));
  std::string line;
  for (const std::string& words : figures) {
    line = format(" %3.0f%%  ", 100 * done) + words;
    if (room >= line.size() + narrowest + brackets) {
      return bar(done, std::min(widest, room - line.size() - brackets)) + line;
    }
  }
  return line.substr(0, room);
}

}  // namespace

Progress::Progress(const Console& console, Index first_step, Index last_step, Index epochs,
                   std::string binarization)
    : console_(console),
      first_step_(first_step),
      last_step_(last_step),
      epochs_(epochs),
      binarization_(std::move(binarization)),
      start_(Clock::now()),
      mark_(start_),
      shown_(start_) {}

void Progress::log_to(const std::string& path, bool append, Index begin) {
  log_path_ = path;
  log_before_ = std::string(columns_of_log) + '\n';
  std::error_code none;
  if (append && std::filesystem::file_size(path, none) > 0 && !none) {
    std::ifstream before(path);
    std::string line;
    std::getline(before, line);
    if (line != columns_of_log) {
      detail::fail<FileError>("the log ", path, " does not begin with \"", columns_of_log,
                              "\", so --resume cannot go on with it; choose another --log");
    }
    while (std::getline(before, line) && !before.eof()) {  // eof: half a line
      const std::size_t comma = line.find(',');
      Index step = 0;
      const char* const end = line.data() + line.size();
      const bool has_step = comma != line.npos &&
                            std::from_chars(line.data() + comma + 1, end, step).ec == std::errc{};
      if (has_step && step <= begin) log_before_ += line + '\n';
    }
  }
  // To find out now that it cannot be written.
  if (!is_special(path)) {
    static_cast<void>(AtomicFile(path));
    return;
  }
  log_.open(path, std::ios::app);
  if (!log_) detail::fail<FileError>("cannot write the log ", path);
}

void Progress::begin_log() {
  if (log_before_.empty()) return;
  if (is_special(log_path_)) {
    log_ << log_before_;
  } else {
    try {
      // At once: whoever is killed now has the old lines still.
      write_file_atomically(log_path_, std::as_bytes(std::span(log_before_)));
      log_.open(log_path_, std::ios::app);
    } catch (const FileError&) {
      log_.setstate(std::ios::badbit);  // finish() says so
    }
  }
  log_before_.clear();
}

void Progress::flush_log() {
  if (log_.is_open()) log_.flush();
}

void Progress::step(const StepReport& report) {
  const Clock::time_point now = Clock::now();
  training_seconds_ += between(mark_, now);
  mark_ = now;
  images_ += report.images;
  recent_nats_ = 0.98 * recent_nats_ + 0.02 * report.nats_per_image;
  recent_weight_ = 0.98 * recent_weight_ + 0.02;
  if (!log_path_.empty()) {
    log("step", report.step, report.epoch, report.nats_per_image, binarization_,
        format("%.6g", report.gradient_norm));
  }
  if (between(shown_, now) >= (console_.is_terminal() ? 0.1 : 10)) {
    shown_ = now;
    show(report);
  }
}

void Progress::show(const StepReport& report) {
  const double left = static_cast<double>(last_step_ - report.step) * training_seconds_ /
                      static_cast<double>(report.step - first_step_);
  const double done = static_cast<double>(report.step) / static_cast<double>(last_step_);
  const auto figures = [&](const std::string& binarization) {
    return format("epoch %td/%td  %.2f nats%s  %.0f images/s  ETA %s", report.epoch + 1, epochs_,
                  recent_nats_ / recent_weight_, binarization.c_str(), images_per_second(),
                  duration(left).c_str());
  };
  const std::string all = figures(", " + binarization_);
  if (console_.is_terminal()) {
    has_bar_ = true;
    // The bar is worth more than a name that the first line has said.
    console_.write(clear_line + fitted(done, {all, figures("")}, console_.columns()));
  } else {
    say(format("step %td/%td  ", report.step, last_step_) + all);
  }
}

void Progress::resume() { mark_ = Clock::now(); }

void Progress::epoch(const EpochReport& report) {
  std::string line = format("epoch %td/%td  train %.3f nats, %s", report.epoch + 1, epochs_,
                            report.train_nats_per_image, report.binarization.c_str());
  if (report.validation_nats_per_image) {
    line += format("  validation %.3f nats, %s", *report.validation_nats_per_image,
                   report.validation_binarization.c_str());
  }
  line += format("  %.0f images/s  %s", images_per_second(), duration(seconds()).c_str());
  say(line);
  if (!log_path_.empty()) {
    log("train", report.step, report.epoch, report.train_nats_per_image, report.binarization, "");
    if (report.validation_nats_per_image) {
      log("validation", report.step, report.epoch, *report.validation_nats_per_image,
          report.validation_binarization, "");
    }
  }
}

void Progress::say(const std::string& line) {
  remove_bar();
  console_.write(line + '\n');
}

void Progress::remove_bar() {
  if (has_bar_) console_.write(clear_line);
  has_bar_ = false;
}

void Progress::finish() {
  remove_bar();
  if (log_path_.empty()) return;
  begin_log();
  if (!log_.flush()) detail::fail<FileError>("cannot write the log ", log_path_);
}

double Progress::images_per_second() const {
  return training_seconds_ > 0 ? static_cast<double>(images_) / training_seconds_ : 0;
}

double Progress::seconds() const { return between(start_, Clock::now()); }

void Progress::log(const char* event, Index step, Index epoch, double nats,
                   const std::string& binarization, const std::string& norm) {
  begin_log();
  log_ << event << ',' << step << ',' << epoch + 1 << ','
       << format("%.6f,%s,%s,%.2f,%.3f\n", nats, binarization.c_str(), norm.c_str(),
                 images_per_second(), seconds());
}

}  // namespace cli
