// SPDX-License-Identifier: MIT
// Named tensors: what a checkpoint holds, as views of the memory they live in.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <pixelrnn/autodiff/parameter.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// A tensor of state under its full name. Reading a checkpoint writes through the view.
template <class T>
struct NamedTensor {
  std::string name;
  FeatureView<T> values;
};

/// The weights of a model, by parameter name.
template <class Owner>
[[nodiscard]] std::vector<NamedTensor<typename Owner::Scalar>> weights_of(Owner& model) {
  std::vector<NamedTensor<typename Owner::Scalar>> tensors;
  for (const auto& [name, parameter] : parameters(model)) {
    tensors.push_back({name, parameter->value()});
  }
  return tensors;
}

/// Words of a checkpoint: a model's description, a trainer's position.
using Metadata = std::map<std::string, std::string>;

/// Throws ConfigError unless every word of `expected` stands in `found` with the same value; lists
/// all that differ.
inline void require_metadata(const char* where, const Metadata& expected, const Metadata& found) {
  std::ostringstream wrong;
  for (const auto& [key, value] : expected) {
    const auto word = found.find(key);
    if (word == found.end()) {
      wrong << "; " << key << " is missing, expected " << value;
    } else if (word->second != value) {
      wrong << "; " << key << " is " << detail::in_quotes(word->second) << ", expected "
            << detail::in_quotes(value);
    }
  }
  if (!wrong.str().empty()) {
    detail::fail<ConfigError>(where, ": the file describes another model or run", wrong.str());
  }
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
