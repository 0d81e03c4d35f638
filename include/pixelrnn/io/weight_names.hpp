// SPDX-License-Identifier: MIT
// WeightNames: what another program calls the weights of a model, as a table of text.
#pragma once

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <pixelrnn/core/error.hpp>
#include <pixelrnn/io/file.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// How another program lays out a weight: see WEIGHTS.md.
enum class ForeignForm {
  conv2d,  ///< (C_out, C_in, rows, columns), as PyTorch
  conv1d,  ///< (C_out, C_in, taps)
  linear,  ///< (C_out, C_in)
  causal,  ///< (C_out, C_in, k), a WaveNet's kernel without the zeros after its middle
  same,    ///< as here; axes of extent 1 at the front are left out
};
[[nodiscard]] constexpr std::string_view name_of(ForeignForm form) {
  constexpr std::array<std::string_view, 5> names{"conv2d", "conv1d", "linear", "causal", "same"};
  return names[static_cast<std::size_t>(form)];
}

/// Our order of an LSTM's gates, by their letters in the paper.
inline constexpr std::string_view our_gates = "ofig";

/// Where another program keeps one of our weights.
struct ForeignName {
  std::vector<std::string> theirs;  ///< whose arrays are added
  ForeignForm form = ForeignForm::conv2d;
  std::string gates{};  ///< their order of an LSTM's gates, "ifgo"; none: ours, or no gates
};

/// A table of names, a line each:
///
///   OURS  THEIRS  [conv2d | conv1d | linear | causal | same]  [gates=ifgo]
///   -     THEIRS          (an array of theirs that is not needed)
///
/// A * in OURS stands for the number of a block, and in THEIRS for the same number; THEIRS may be a
/// sum, bias_ih+bias_hh. What follows a # is a comment. Of several lines that fit the first counts.
class WeightNames {
 public:
  /// `where` names the table in messages. Throws ConfigError on a line that is none of these.
  explicit WeightNames(const std::string& text, std::string where = "the table of names")
      : where_(std::move(where)) {
    std::istringstream lines(text);
    std::string line;
    for (int number = 1; std::getline(lines, line); ++number) add(line, number);
  }

  [[nodiscard]] const std::string& where() const { return where_; }
  /// What is said of one of our weights.
  [[nodiscard]] std::optional<ForeignName> find(std::string_view ours) const {
    for (const Line& line : lines_) {
      const std::optional<std::string_view> number = match(line.ours, ours);
      if (!number) continue;
      ForeignName found = line.name;
      for (std::string& theirs : found.theirs) {
        if (const std::size_t star = theirs.find('*'); star != theirs.npos) {
          theirs.replace(star, 1, *number);
        }
      }
      return found;
    }
    return std::nullopt;
  }
  /// Whether one of their arrays is said not to be needed.
  [[nodiscard]] bool is_unused(std::string_view theirs) const {
    return std::ranges::any_of(unused_,
                               [=](const std::string& name) { return !!match(name, theirs); });
  }

 private:
  struct Line {
    std::string ours;
    ForeignName name;
  };

  void add(std::string line, int number) {
    line.resize(std::min(line.find('#'), line.size()));
    std::istringstream words(line);
    std::string ours, theirs, word;
    if (!(words >> ours)) return;
    const auto refuse = [&](const auto&... parts) {
      detail::fail<ConfigError>(where_, ": line ", number, ": ", parts...);
    };
    if (!(words >> theirs)) refuse("expected OURS THEIRS, found ", detail::in_quotes(ours));
    if (ours == "-") {
      unused_.push_back(theirs);
      if (words >> word) refuse(detail::in_quotes(word), " follows an array that is not needed");
      return;
    }
    Line entry{ours, {}};
    std::istringstream parts(theirs);
    const auto stars = [](const std::string& name) { return std::ranges::count(name, '*'); };
    if (stars(ours) > 1) refuse(detail::in_quotes(ours), " has more than one *");
    for (std::string part; std::getline(parts, part, '+');) {
      if (part.empty() || stars(part) > stars(ours)) {
        refuse(detail::in_quotes(theirs),
               ", expected names joined by +, with one * at most, and none if OURS has none");
      }
      entry.name.theirs.push_back(part);
    }
    if (theirs.ends_with('+')) refuse(detail::in_quotes(theirs), " ends with +");
    while (words >> word) {
      if (word.starts_with("gates=")) {
        entry.name.gates = word.substr(std::string_view("gates=").size());
        if (!std::ranges::is_permutation(entry.name.gates, our_gates)) {
          refuse(detail::in_quotes(word), ", expected gates= and the letters i, f, g and o");
        }
      } else if (const auto form = form_named(word)) {
        entry.name.form = *form;
      } else {
        refuse(detail::in_quotes(word),
               ", expected conv2d, conv1d, linear, causal, same or gates=");
      }
    }
    lines_.push_back(std::move(entry));
  }

  [[nodiscard]] static std::optional<ForeignForm> form_named(std::string_view name) {
    for (const ForeignForm form : {ForeignForm::conv2d, ForeignForm::conv1d, ForeignForm::linear,
                                   ForeignForm::causal, ForeignForm::same}) {
      if (name == name_of(form)) return form;
    }
    return std::nullopt;
  }
  /// The digits that the * of a pattern stands for in a name; empty if it has none; nothing if it
  /// is not the name's.
  [[nodiscard]] static std::optional<std::string_view> match(std::string_view pattern,
                                                             std::string_view name) {
    const std::size_t star = pattern.find('*');
    if (star == pattern.npos)
      return pattern == name ? std::optional(name.substr(0, 0)) : std::nullopt;
    const std::string_view before = pattern.substr(0, star), after = pattern.substr(star + 1);
    if (name.size() <= before.size() + after.size() || !name.starts_with(before) ||
        !name.ends_with(after)) {
      return std::nullopt;
    }
    const std::string_view number =
        name.substr(before.size(), name.size() - before.size() - after.size());
    const bool is_number = number.find_first_not_of("0123456789") == number.npos;
    return is_number ? std::optional(number) : std::nullopt;
  }

  std::string where_;
  std::vector<Line> lines_;
  std::vector<std::string> unused_;
};

/// Reads such a table. Throws FileError if it cannot be read, ConfigError on a line that is none.
[[nodiscard]] inline WeightNames read_weight_names(const std::filesystem::path& path) {
  constexpr std::uint64_t most = 1 << 20;
  const std::vector<std::byte> bytes = read_file(path, most);
  return WeightNames(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()),
                     path.string());
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
