// SPDX-License-Identifier: MIT
// What the program says: text for people, figures for programs, pictures for both.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <pixelrnn/core/images.hpp>
#include <pixelrnn/training/state.hpp>

namespace cli {

using namespace pixelrnn;

/// The figures of one command, in the order they were set, for --json.
class Figures {
 public:
  using Value =
      std::variant<bool, Index, double, std::string, Metadata, std::map<std::string, double>>;

  void set(std::string key, Value value) { values_.emplace_back(std::move(key), std::move(value)); }
  /// Writes a JSON object to a file, or to the standard output if its name is "-"; numbers that are
  /// not finite become null. Does nothing without a name. Throws FileError.
  void write(const std::string& path) const;

 private:
  std::vector<std::pair<std::string, Value>> values_;
};

/// A file and the option that names it.
struct NamedFile {
  const char* option;
  std::string path;
};
/// Throws ConfigError if one of the files to be written is one that is read, or another that is
/// written: what was read would be lost. "-" and the empty name are no files.
void require_separate(const std::vector<NamedFile>& read, const std::vector<NamedFile>& written);

/// A device or a pipe, which is written to, not replaced.
[[nodiscard]] bool is_special(const std::filesystem::path& path);
/// How a name ends, in small letters: ".png".
[[nodiscard]] std::string ending_of(const std::filesystem::path& path);
/// Throws ConfigError if the name ends as another format than these does. Throws FileError if the
/// file cannot be written: to find that out before the work. Does nothing without a name.
void require_writable(const char* option, const std::string& path,
                      const std::vector<std::string>& endings);

/// Text without control characters, which a terminal would obey: '?' instead.
[[nodiscard]] std::string harmless(std::string text);

/// Where text for people goes: the standard output, unless the figures go there.
class Console {
 public:
  /// Throws FileError if `json_path` cannot be written.
  explicit Console(const std::string& json_path);

  [[nodiscard]] bool is_terminal() const { return is_terminal_; }
  /// Columns of the terminal; 100 if it is none.
  [[nodiscard]] int columns() const;
  /// Writes text as it is, now.
  void write(const std::string& text) const;

 private:
  std::FILE* stream_;
  bool is_terminal_;
};

/// A line to people if the words of a model file hold no fingerprint: a file of another program, or
/// of before 0.1.0.
void warn_without_fingerprint(const Console& console, const std::string& path,
                              const Metadata& words);

/// printf to a string.
[[nodiscard]] std::string format(const char* pattern, ...) __attribute__((format(printf, 1, 2)));

/// 75 -> "1:15", 4000 -> "1:06:40".
[[nodiscard]] std::string duration(double seconds);

/// Images as lines of text, as many side by side as fit; two rows of pixels a line, in block
/// characters if the terminal knows them.
[[nodiscard]] std::string as_text(const Images& images, int columns);

/// Values from the left to the right as a curve of so many lines, with its largest and its smallest
/// value: means of as many neighbours as fit into a column.
[[nodiscard]] std::string curve_of(const std::vector<double>& values, int columns, int lines);

/// Images of 256 levels that look like these.
[[nodiscard]] Images displayed(const Images& images);

/// A PNG of all images side by side.
void write_grid(const std::filesystem::path& path, const Images& images, Index columns);

}  // namespace cli
