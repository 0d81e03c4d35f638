// SPDX-License-Identifier: MIT
// Weights from and to other programs: their names, and their layouts.
#pragma once

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <pixelrnn/io/matching_tensors.hpp>
#include <pixelrnn/io/npz.hpp>
#include <pixelrnn/io/safetensors_reader.hpp>
#include <pixelrnn/io/safetensors_writer.hpp>
#include <pixelrnn/io/weight_names.hpp>
#include <pixelrnn/training/state.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

namespace detail {

/// Where each value of one of our weights, (rows, columns, C_in, C_out), stands in an array of
/// another program's.
class ForeignLayout {
 public:
  /// Of our weight called `own`.
  ForeignLayout(const std::string& own, const ForeignName& name, const Shape<4>& ours)
      : name_(name),
        ours_(ours),
        // Weights of one input to 1×1 are a matrix all the same.
        is_vector_(ours[0] * ours[1] * ours[2] == 1 && !own.ends_with("weights")) {}

  /// Does an array of this shape hold the weight?
  [[nodiscard]] bool fits(const std::vector<Index>& theirs) const {
    Index count = 1;
    for (const Index extent : theirs) count *= extent;
    if (is_vector_) return count == 1 || count == ours_[3];
    if (name_.form == ForeignForm::same) return without_ones(theirs) == without_ones(extents());
    if (theirs.size() < 2 || theirs[0] != ours_[3] || theirs[1] != ours_[2]) return false;
    const std::span<const Index> taps = std::span(theirs).subspan(2);
    if (name_.form == ForeignForm::causal) {
      return ours_[0] == 1 && ours_[1] % 2 == 1 && taps.size() == 1 && taps[0] == causal_taps();
    }
    if (taps.size() == 2) return taps[0] == ours_[0] && taps[1] == ours_[1];
    // A line of taps, or the one there is.
    return (ours_[0] == 1 || ours_[1] == 1) && count / theirs[0] / theirs[1] == ours_[0] * ours_[1];
  }
  /// The shape that the form asks for, of what is written.
  [[nodiscard]] std::vector<Index> shape() const {
    if (is_vector_) return {ours_[3]};
    switch (name_.form) {
      case ForeignForm::same:
        return without_ones(extents());
      case ForeignForm::linear:
        return {ours_[3], ours_[2]};
      case ForeignForm::conv1d:
        return {ours_[3], ours_[2], ours_[0] * ours_[1]};
      case ForeignForm::causal:
        return {ours_[3], ours_[2], causal_taps()};
      default:
        return {ours_[3], ours_[2], ours_[0], ours_[1]};
    }
  }
  /// The shapes that fit, for messages.
  [[nodiscard]] std::string expected() const {
    return shape_text(shape()) + (is_vector_ ? " or a single value" : "");
  }
  /// Of the i-th of our values, in an array of `count` values; nothing: it is zero.
  [[nodiscard]] std::optional<std::size_t> place(Index i, std::size_t count) const {
    const Index out = ours_[3], in = ours_[2], taps = ours_[0] * ours_[1];
    const Index o = foreign_unit(i % out), channel = i / out % in, tap = i / out / in;
    if (is_vector_) return count == 1 ? 0 : static_cast<std::size_t>(o);
    if (name_.form == ForeignForm::same) return static_cast<std::size_t>(i - i % out + o);
    const bool is_causal = name_.form == ForeignForm::causal;
    if (is_causal && tap >= causal_taps()) return std::nullopt;
    return static_cast<std::size_t>((o * in + channel) * (is_causal ? causal_taps() : taps) + tap);
  }

 private:
  /// Kernels of causal convolutions end in their middle.
  [[nodiscard]] Index causal_taps() const { return (ours_[1] + 1) / 2; }
  [[nodiscard]] std::vector<Index> extents() const {
    return {ours_.extent.begin(), ours_.extent.end()};
  }
  [[nodiscard]] static std::vector<Index> without_ones(const std::vector<Index>& shape) {
    const auto first = std::ranges::find_if(shape, [](Index extent) { return extent != 1; });
    return {first, shape.end()};
  }
  /// The place of our output map o among theirs, whose gates may stand in another order.
  [[nodiscard]] Index foreign_unit(Index o) const {
    if (name_.gates.empty()) return o;
    const Index units = ours_[3] / std::ssize(our_gates);
    const char gate = our_gates[static_cast<std::size_t>(o / units)];
    return static_cast<Index>(name_.gates.find(gate)) * units + o % units;
  }

  const ForeignName& name_;
  Shape<4> ours_;
  bool is_vector_;
};

/// The arrays of a file, .npz or safetensors, told by its content.
class ForeignFile {
 public:
  explicit ForeignFile(const std::filesystem::path& path) {
    if (is_npz(path)) {
      npz_.emplace(read_npz(path));
    } else {
      safetensors_.emplace(read_safetensors(path));
    }
  }
  [[nodiscard]] const std::vector<StoredTensor>& tensors() const {
    return npz_ ? npz_->tensors() : safetensors_->tensors();
  }
  [[nodiscard]] const StoredTensor* find(const std::string& name) const {
    const auto found = std::ranges::find(tensors(), name, &StoredTensor::name);
    return found != tensors().end() ? &*found : nullptr;
  }

 private:
  std::optional<NpzFile> npz_;
  std::optional<SafetensorsFile> safetensors_;
};

/// The names of all weights, in their order. Throws ConfigError on one that is not named.
template <class T>
[[nodiscard]] std::vector<ForeignName> foreign_names(const char* where,
                                                     const std::vector<NamedTensor<T>>& weights,
                                                     const WeightNames& names) {
  std::vector<ForeignName> found;
  DifferenceList missing("not named");
  for (const auto& [name, values] : weights) {
    if (auto foreign = names.find(name)) {
      if (!foreign->gates.empty() && values.shape().c() % std::ssize(our_gates) != 0) {
        fail<ConfigError>(where, ": ", name, " has ", values.shape().c(),
                          " output maps, expected four gates of them, or no gates=");
      }
      found.push_back(std::move(*foreign));
    } else {
      missing.add(name);
    }
  }
  if (!missing.text().empty()) {
    fail<ConfigError>(where, ": ", names.where(), " does not fit the model", missing.text());
  }
  return found;
}

}  // namespace detail

/// Reads the weights of another program into a model: from a safetensors or .npz file, by a table
/// of names (read_weight_names), in PyTorch's layouts or ours as that says; several arrays of one
/// weight are added. Floating-point types are converted, and what masks forbid is zero afterwards.
/// Nothing is changed unless all fits. Throws FileError if the file cannot be read; ConfigError
/// that lists every weight that is not named or not there or of another shape, and every array of
/// the file that is not named; ValueError on a value that is not finite or too large.
template <class Owner>
void import_weights(const std::filesystem::path& path, Owner& model, const WeightNames& names) {
  using T = typename Owner::Scalar;
  const char* const where = "import_weights";
  const std::vector<NamedTensor<T>> weights = weights_of(model);
  const std::vector<ForeignName> foreign = detail::foreign_names(where, weights, names);
  const detail::ForeignFile file(path);
  detail::DifferenceList missing("missing"), shapes("shapes");
  detail::DifferenceList unexpected("taken by no weight of the model", 16);
  std::set<std::string_view> known;
  std::vector<std::vector<T>> values;
  for (std::size_t w = 0; w < weights.size(); ++w) {
    const Shape<4> shape = weights[w].values.shape();
    const detail::ForeignLayout layout(weights[w].name, foreign[w], shape);
    std::vector<T>& sum = values.emplace_back(static_cast<std::size_t>(shape.count()), T{0});
    for (const std::string& name : foreign[w].theirs) {
      known.insert(name);
      const StoredTensor* const tensor = file.find(name);
      if (tensor == nullptr) {
        missing.add(name);
        continue;
      }
      if (!is_floating(tensor->dtype) || !layout.fits(tensor->shape)) {
        shapes.add(detail::in_quotes(name), " is ", name_of(tensor->dtype), ' ',
                   detail::shape_text(tensor->shape), ", expected floating-point ",
                   layout.expected(), " for ", weights[w].name);
        continue;
      }
      const std::vector<T> from = to_values<T>(*tensor);
      for (std::size_t i = 0; i < sum.size(); ++i) {
        const auto at = layout.place(static_cast<Index>(i), from.size());
        if (!at) continue;
        sum[i] += from[*at];
        if (std::isfinite(sum[i])) continue;
        detail::fail<ValueError>(where, ": ", path, ": value ", *at, " of ",
                                 detail::in_quotes(name), " is ", from[*at], ", which makes value ",
                                 i, " of ", weights[w].name, ' ', sum[i],
                                 ", expected a finite one");
      }
    }
  }
  for (const StoredTensor& tensor : file.tensors()) {
    if (!known.contains(tensor.name) && !names.is_unused(tensor.name)) {
      unexpected.add(detail::in_quotes(tensor.name));
    }
  }
  const std::string differences = missing.text() + shapes.text() + unexpected.text();
  if (!differences.empty()) {
    detail::fail<ConfigError>(where, ": ", path, " does not fit", differences);
  }
  for (std::size_t w = 0; w < weights.size(); ++w) {
    std::ranges::copy(values[w], weights[w].values.begin());
  }
  apply_masks(model);
}

/// Writes the weights of a model as safetensors for another program, by its names and in its
/// layouts: the inverse of import_weights. Atomically, see AtomicFile. Throws ConfigError if a
/// weight is not named, or named as a sum, or two as one; FileError if it cannot be written.
template <class Owner>
void export_weights(const std::filesystem::path& path, const Owner& model,
                    const WeightNames& names) {
  using T = typename Owner::Scalar;
  const char* const where = "export_weights";
  const std::vector<NamedTensor<const T>> weights = weights_of(model);
  const std::vector<ForeignName> foreign = detail::foreign_names(where, weights, names);
  std::vector<std::vector<T>> values;
  std::map<std::string, std::string> written;  // by whom
  values.reserve(weights.size());
  std::vector<StoredTensor> tensors;
  for (std::size_t w = 0; w < weights.size(); ++w) {
    if (foreign[w].theirs.size() != 1) {
      detail::fail<ConfigError>(where, ": ", names.where(), " gives ", weights[w].name,
                                " as a sum, expected one name: there is no telling its parts");
    }
    const std::string& name = foreign[w].theirs.front();
    const auto [other, is_new] = written.emplace(name, weights[w].name);
    if (!is_new) {
      detail::fail<ConfigError>(where, ": ", names.where(), " gives ", other->second, " and ",
                                weights[w].name, " the one name ", detail::in_quotes(name));
    }
    const detail::ForeignLayout layout(weights[w].name, foreign[w], weights[w].values.shape());
    const std::vector<Index> shape = layout.shape();
    Index count = 1;
    for (const Index extent : shape) count *= extent;
    if (!layout.fits(shape)) {
      detail::fail<ConfigError>(where, ": ", names.where(), ": ", weights[w].name, " is ",
                                weights[w].values.shape(), ", which is no ",
                                name_of(foreign[w].form));
    }
    std::vector<T>& to = values.emplace_back(static_cast<std::size_t>(count));
    for (Index i = 0; i < weights[w].values.size(); ++i) {
      const T value = weights[w].values.data()[i];
      if (const auto at = layout.place(i, to.size())) {
        to[*at] = value;
      } else if (value != 0) {
        detail::fail<ConfigError>(where, ": ", names.where(), " says causal of ", weights[w].name,
                                  ", whose value ", i, " behind the middle is ", value,
                                  ", expected 0");
      }
    }
    tensors.push_back(stored(name, shape, std::span<const T>(to)));
  }
  write_safetensors(path, tensors, {});
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
