// SPDX-License-Identifier: MIT
// What options take: whole numbers, numbers and names of files, and nothing that merely looks so.
#pragma once

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <limits>
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
/// Takes finite numbers of 0 or more alone, below `limit`.
inline CLI::Validator not_negative(double limit = std::numeric_limits<double>::infinity()) {
  const std::string what = std::isinf(limit) ? "0 or more" : "0 or more, below 1";
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
inline CLI::Validator below_one() { return not_negative(1); }
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
            const fs::path folder = set != nullptr ? set : PIXELRNN_SHIPPED_MODELS;
            std::string names;
            for (const auto& entry : fs::directory_iterator(folder, ignored)) {
              if (entry.path().extension() != ".safetensors") continue;
              const std::string stem = entry.path().stem().string();
              if (text == stem || text == stem + ".safetensors") {
                text = entry.path().string();
                return {};
              }
              names += (names.empty() ? "" : ", ") + stem;
            }
            return "there is no file " + text + ", and no model of this name in " +
                   folder.string() + ", which has " + (names.empty() ? "none" : names);
          },
          ""};
}

inline constexpr std::uint64_t most_kernel = 255;    ///< wide: more than images have pixels
inline constexpr std::uint64_t most_maps = 1 << 16;  ///< of a layer
inline constexpr std::uint64_t most_threads = 1024;  ///< OpenMP ends the program on too many
inline constexpr std::uint64_t most_variants = 1 << 20, most_repeats = 1 << 20;
inline constexpr auto any_seed = std::numeric_limits<std::uint64_t>::max();

}  // namespace cli
