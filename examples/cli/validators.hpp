// SPDX-License-Identifier: MIT
// What options take: whole numbers, numbers and names of files, and nothing that merely looks so.
#pragma once

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <set>
#include <string>
#include <system_error>

#include <CLI/CLI.hpp>

namespace cli {

/// More of anything than anybody waits for, and few enough to count with.
inline constexpr std::uint64_t plenty = 1'000'000'000'000;

/// Takes whole numbers from `least` to `most` alone: by itself the parser would take -1 for
/// 2^64 - 1, 010 for 8, and the largest number there is for what is larger.
inline CLI::Validator whole(std::uint64_t least, std::uint64_t most = plenty) {
  const auto check = [=](std::string& text) -> std::string {
    std::uint64_t value = 0;
    const char* const end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || stopped != end || value < least || value > most) {
      return text + ", expected a whole number from " + std::to_string(least) + " to " +
             std::to_string(most);
    }
    text = std::to_string(value);
    return {};
  };
  return {check, least == 0 ? "0 or more" : std::to_string(least) + " or more"};
}
/// Takes finite numbers of 0 or more alone, or such as are below 1 too.
inline CLI::Validator not_negative(bool are_below_one = false) {
  const double limit = are_below_one ? 1 : std::numeric_limits<double>::infinity();
  const std::string what = are_below_one ? "0 or more, below 1" : "0 or more";
  const auto check = [=](std::string& text) -> std::string {
    double value = 0;
    const char* const end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, value);
    const bool fits = error == std::errc{} && stopped == end && value >= 0 && value < limit;
    return fits ? "" : text + ", expected a number of " + what;
  };
  return {check, what};
}
/// A probability or a share, of which all is too much.
inline CLI::Validator below_one() { return not_negative(true); }
/// Refuses the empty name, which a shell makes of a variable that is not set.
inline CLI::Validator file_name() {
  return {[](std::string& text) -> std::string {
            return text.empty() ? "the name of the file is empty" : "";
          },
          ""};
}

/// A model file, or the name of one in the folder PIXELRNN_MODELS (examples/models, if it is not
/// set): digits is digits.safetensors there, unless there is a file of that name here.
inline CLI::Validator model_file() {
  return {[](std::string& text) -> std::string {
            namespace fs = std::filesystem;
            std::error_code ignored;
            if (text.empty() || text.find('/') != text.npos || fs::exists(text, ignored)) return {};
            const char* const set = std::getenv("PIXELRNN_MODELS");
            const fs::path folder = set != nullptr && *set != '\0' ? set : PIXELRNN_SHIPPED_MODELS;
            std::set<std::string> names;
            fs::directory_iterator entry(folder, ignored);
            while (!ignored && entry != fs::directory_iterator()) {
              const fs::path file = entry->path();
              if (file.extension() == ".safetensors") names.insert(file.stem().string());
              entry.increment(ignored);
            }
            const std::string name =
                text.ends_with(".safetensors") ? fs::path(text).stem().string() : text;
            if (names.contains(name)) {
              text = (folder / (name + ".safetensors")).string();
              return {};
            }
            std::string known;
            for (const std::string& one : names) known += (known.empty() ? "" : ", ") + one;
            return "there is no file " + text + ", and no model of this name in " +
                   folder.string() + ", which has " + (known.empty() ? "none" : known);
          },
          ""};
}

inline constexpr std::uint64_t most_maps = 1 << 16;  ///< of a layer
inline constexpr std::uint64_t most_layers = 1 << 16;
inline constexpr std::uint64_t most_threads = 1024;  ///< OpenMP ends the program on too many
inline constexpr std::uint64_t most_variants = 1 << 20, most_repeats = 1 << 20;
inline constexpr auto any_seed = std::numeric_limits<std::uint64_t>::max();

}  // namespace cli
