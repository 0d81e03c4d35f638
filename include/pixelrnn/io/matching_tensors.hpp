// SPDX-License-Identifier: MIT
// From the tensors of a file to those that are wanted: all of them, or a list of what differs.
#pragma once

#include <algorithm>
#include <cstddef>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <pixelrnn/io/safetensors_reader.hpp>
#include <pixelrnn/training/state.hpp>

namespace pixelrnn::inline PIXELRNN_ABI::detail {

[[nodiscard]] inline std::string shape_text(const std::vector<Index>& shape) {
  std::string text = "(";
  for (const Index extent : shape) {
    if (text.size() > 1) text += ", ";
    text += std::to_string(extent);
  }
  return text + ')';
}

/// One kind of difference between a file and what is wanted, as a list for an error. Of what comes
/// from the file only the first are spelled out: a stranger's may have a hundred thousand.
class DifferenceList {
 public:
  explicit DifferenceList(const char* title, std::size_t spelled_out = all)
      : title_(title), spelled_out_(spelled_out) {}
  template <class... Parts>
  void add(const Parts&... parts) {
    if (++count_ <= spelled_out_) ((text_ << (count_ == 1 ? "" : ", ")) << ... << parts);
    if (count_ > spelled_out_)
      more_ = std::string(" and ") + std::to_string(count_ - spelled_out_) + " more";
  }
  /// "; title: first, second" or nothing.
  [[nodiscard]] std::string text() const {
    return count_ == 0 ? "" : std::string("; ") + title_ + ": " + text_.str() + more_;
  }

 private:
  static constexpr std::size_t all = ~std::size_t{0};
  const char* title_;
  std::size_t spelled_out_;
  std::ostringstream text_;
  std::string more_;
  std::size_t count_ = 0;
};

/// A tensor that a file should hold.
struct Wanted {
  std::string name;
  std::vector<Index> shape;
};
template <class T>
[[nodiscard]] Wanted wanted(const std::string& name, const FeatureView<T>& values) {
  const Shape<4> shape = values.shape();
  return {name, {shape.extent.begin(), shape.extent.end()}};
}

/// The values of the wanted tensors, in their order. `ignored(name)` says which others may be in
/// the file. Changes nothing; throws one ConfigError with all that does not fit, words included.
template <class T, class Ignored>
[[nodiscard]] std::vector<std::vector<T>> matching_values(const char* where,
                                                          const SafetensorsFile& file,
                                                          const Metadata& expected,
                                                          const std::vector<Wanted>& tensors,
                                                          Ignored ignored) {
  DifferenceList words("words"), missing("missing"), shapes("shapes");
  DifferenceList unexpected("unexpected", 16);
  for (const std::string& word : differing_words(expected, file.metadata())) words.add(word);
  std::set<std::string_view> known;
  for (const Wanted& want : tensors) {
    known.insert(want.name);
    const StoredTensor* tensor = file.find(want.name);
    if (tensor == nullptr) {
      missing.add(want.name);
    } else if (tensor->shape != want.shape || !is_floating(tensor->dtype)) {
      shapes.add(want.name, " is ", name_of(tensor->dtype), ' ', shape_text(tensor->shape),
                 ", expected floating-point ", shape_text(want.shape));
    }
  }
  for (const StoredTensor& tensor : file.tensors()) {
    if (!known.contains(tensor.name) && !ignored(tensor.name)) {
      unexpected.add(detail::in_quotes(tensor.name));
    }
  }
  const std::string differences = words.text() + missing.text() + shapes.text() + unexpected.text();
  if (!differences.empty()) {
    fail<ConfigError>(where, ": ", file.path(), " does not fit", differences);
  }

  std::vector<std::vector<T>> values;
  values.reserve(tensors.size());
  for (const Wanted& want : tensors) values.push_back(to_values<T>(file.at(want.name)));
  return values;
}

/// Values read by matching_values in the place where they belong, until this is destroyed without
/// keep(): then the old ones are back.
template <class T>
class Exchange {
 public:
  Exchange(std::vector<std::vector<T>> values, std::vector<NamedTensor<T>> to)
      : values_(std::move(values)), to_(std::move(to)) {
    swap();
  }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  ~Exchange() {
    if (!kept_) swap();
  }
  void keep() { kept_ = true; }

 private:
  void swap() {
    for (std::size_t i = 0; i < to_.size(); ++i) {
      std::swap_ranges(values_[i].begin(), values_[i].end(), to_[i].values.begin());
    }
  }
  std::vector<std::vector<T>> values_;
  std::vector<NamedTensor<T>> to_;
  bool kept_ = false;
};

}  // namespace pixelrnn::inline PIXELRNN_ABI::detail
