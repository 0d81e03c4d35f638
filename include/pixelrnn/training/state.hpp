// SPDX-License-Identifier: MIT
// Named tensors: what a checkpoint holds, as views of the memory they live in.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <locale>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <pixelrnn/autodiff/parameter.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// A tensor of state under its full name. Reading a checkpoint writes through the view.
template <class T>
struct NamedTensor {
  std::string name;
  FeatureView<T> values;
};

/// The weights of a model, by parameter name; of a const one to be read only.
template <class Owner>
[[nodiscard]] auto weights_of(Owner& model) {
  using T = typename Owner::Scalar;
  std::vector<NamedTensor<std::conditional_t<std::is_const_v<Owner>, const T, T>>> tensors;
  for (const auto& [name, parameter] : parameters(model)) {
    tensors.push_back({name, parameter->value()});
  }
  return tensors;
}

/// Words of a checkpoint: a model's description, a trainer's position.
using Metadata = std::map<std::string, std::string>;

namespace detail {

/// The shortest decimal digits that are this number again, in every locale.
[[nodiscard]] inline std::string number_text(double value) {
  char digits[32];
  return {digits, std::to_chars(digits, digits + sizeof digits, value).ptr};
}

/// A whole number among the words of a trainer, and a finite one. Throw ConfigError if the word is
/// missing or no such number.
[[nodiscard]] inline Index number_in(const Metadata& words, const std::string& key) {
  const auto word = words.find(key);
  const std::string text = word == words.end() ? "" : word->second;
  const bool digits = !text.empty() && text.size() <= 18 &&
                      text.find_first_not_of("0123456789") == std::string::npos;
  if (!digits) {
    fail<ConfigError>("Trainer::restore: ", key, " is ", in_quotes(text),
                      ", expected a whole number of 0 or more");
  }
  return static_cast<Index>(std::stoll(text));
}
[[nodiscard]] inline double nats_in(const Metadata& words, const std::string& key) {
  const auto word = words.find(key);
  const std::string text = word == words.end() ? "" : word->second;
  std::istringstream in(text);
  in.imbue(std::locale::classic());
  double nats = 0;
  if (!(in >> nats) || !in.eof() || !std::isfinite(nats)) {
    fail<ConfigError>("Trainer::restore: ", key, " is ", in_quotes(text), ", expected a number");
  }
  return nats;
}

/// Text in quotes; of a long one what stands near the place where it begins to differ from another.
[[nodiscard]] inline std::string quoted_near_difference(std::string_view text,
                                                        std::string_view other) {
  constexpr std::size_t early = 60, before = 30;
  const auto at = static_cast<std::size_t>(
      std::mismatch(text.begin(), text.end(), other.begin(), other.end()).first - text.begin());
  if (at < early) return in_quotes(text);
  return "\"..." + in_quotes(text.substr(at - before)).substr(1);
}

/// How `found` differs from the words that are expected. Files of before 0.1.0 do not say what the
/// net is nor how levels are encoded: they are taken at their other words.
[[nodiscard]] inline std::vector<std::string> differing_words(const Metadata& expected,
                                                              const Metadata& found) {
  std::vector<std::string> differing;
  for (const auto& [key, value] : expected) {
    const auto word = found.find(key);
    if (word == found.end()) {
      if (key == "net" || key == "encoding") continue;
      differing.push_back(key + " is missing, expected " + value);
    } else if (word->second != value) {
      differing.push_back(key + " is " + quoted_near_difference(word->second, value) +
                          ", expected " + quoted_near_difference(value, word->second));
    }
  }
  return differing;
}

}  // namespace detail

/// Throws ConfigError unless every word of `expected` stands in `found` with the same value; lists
/// all that differ.
inline void require_metadata(const char* where, const Metadata& expected, const Metadata& found) {
  std::string wrong;
  for (const std::string& word : detail::differing_words(expected, found)) wrong += "; " + word;
  if (!wrong.empty()) {
    detail::fail<ConfigError>(where, ": the file describes another model or run", wrong);
  }
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
