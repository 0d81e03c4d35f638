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
/// Takes finite numbers of 0 or more alone.
inline CLI::Validator not_negative() {
  const auto check = [](std::string& text) -> std::string {
    double value = 0;
    const char* const end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, value);
    const bool fits = error == std::errc{} && stopped == end && std::isfinite(value) && value >= 0;
    return fits ? "" : text + ", expected a number of 0 or more";
  };
  return {check, "0 or more"};
}
/// Refuses the empty name, which a shell makes of a variable that is not set.
inline CLI::Validator file_name() {
  return {[](std::string& text) -> std::string {
            return text.empty() ? "the name of the file is empty" : "";
          },
          ""};
}

/// A model file, or the name of one in the folder PIXELRNN_MODELS, which ./run cli sets: digits is
/// $PIXELRNN_MODELS/digits.safetensors unless there is a file of that name here.
inline CLI::Validator model_file() {
  return {[](std::string& text) -> std::string {
            const char* const folder = std::getenv("PIXELRNN_MODELS");
            std::error_code ignored;
            if (folder == nullptr || text.empty() || text.find('/') != text.npos ||
                std::filesystem::exists(text, ignored)) {
              return {};
            }
            const auto known = std::filesystem::path(folder) / (text + ".safetensors");
            if (std::filesystem::exists(known, ignored)) text = known.string();
            return {};
          },
          ""};
}

inline constexpr std::uint64_t most_threads = 1024;  ///< OpenMP ends the program on too many
inline constexpr std::uint64_t most_variants = 1 << 20, most_repeats = 1 << 20;
inline constexpr auto any_seed = std::numeric_limits<std::uint64_t>::max();

}  // namespace cli
