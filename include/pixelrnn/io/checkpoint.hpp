// SPDX-License-Identifier: MIT
// Checkpoints: weights, or all that a trainer needs to go on, as one safetensors file.
#pragma once

#include <concepts>
#include <cstddef>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <pixelrnn/core/error.hpp>
#include <pixelrnn/io/safetensors_reader.hpp>
#include <pixelrnn/io/safetensors_writer.hpp>
#include <pixelrnn/models/model.hpp>
#include <pixelrnn/training/state.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// Which weights to take from the checkpoint of a trainer that keeps a weight average.
enum class StoredWeights {
  averaged,  ///< the average if the file has one: the weights a Trainer validates with
  trained,   ///< those that training goes on from
};

/// What can be saved and resumed: Trainer, or a class of a user's that offers the same.
///   state()        every tensor that matters, by name, as views that loading writes through
///   metadata()     description(), and where training stands
///   restore(words) takes that from metadata(); throws and changes nothing if the words do not fit
///   description()  the words of metadata() that must agree
template <class S>
concept Resumable = requires(S& subject, const S& constant, const Metadata& words) {
  { subject.state().front().name } -> std::convertible_to<std::string>;
  subject.state().front().values;
  { constant.description() } -> std::same_as<Metadata>;
  { constant.metadata() } -> std::same_as<Metadata>;
  subject.restore(words);
};

namespace detail {

inline constexpr const char* checkpoint_format = "pixelrnn";
inline constexpr const char* checkpoint_version = "1";

/// Writes tensors with the words of their owner and `extra` ones.
inline void write_checkpoint(const char* where, const std::filesystem::path& path,
                             const std::vector<StoredTensor>& tensors, Metadata words,
                             const Metadata& extra) {
  words["format"] = checkpoint_format;
  words["format_version"] = checkpoint_version;
  for (const auto& [key, value] : extra) {
    if (!words.emplace(key, value).second) {
      fail<ConfigError>(where, ": the extra word ", quoted(key),
                        " is one of the checkpoint's own; choose another");
    }
  }
  write_safetensors(path, tensors, words);
}

[[nodiscard]] inline bool is_checkpoint(const SafetensorsFile& file) {
  const auto format = file.metadata().find("format");
  return format != file.metadata().end() && format->second == checkpoint_format;
}

/// Reads a file; NaN and infinities are no weights. If it is one of ours, its version must be too.
[[nodiscard]] inline SafetensorsFile open_checkpoint(const char* where,
                                                     const std::filesystem::path& path,
                                                     const SafetensorsOptions& options) {
  SafetensorsFile file = read_safetensors(path, options);
  if (!is_checkpoint(file)) return file;
  const auto version = file.metadata().find("format_version");
  if (version == file.metadata().end() || version->second != checkpoint_version) {
    fail<FileError>(where, ": ", path, " has format_version ",
                    version == file.metadata().end() ? "\"\"" : quoted(version->second),
                    ", expected \"", checkpoint_version, "\"; was it written by a newer pixelrnn?");
  }
  return file;
}

inline void require_checkpoint(const char* where, const SafetensorsFile& file) {
  if (!is_checkpoint(file)) {
    fail<FileError>(
        where, ": ", file.path(),
        " is no checkpoint of pixelrnn: its metadata lack the word format = ", checkpoint_format);
  }
}

[[nodiscard]] inline std::string shape_text(const std::vector<Index>& shape) {
  std::string text = "(";
  for (const Index extent : shape) {
    if (text.size() > 1) text += ", ";
    text += std::to_string(extent);
  }
  return text + ')';
}

/// All the ways in which a file does not fit, for one error. Only the first are spelled out: a
/// stranger's file may have a hundred thousand.
class Differences {
 public:
  template <class... Parts>
  void add(const Parts&... parts) {
    constexpr std::size_t spelled_out = 40;
    if (++count_ <= spelled_out) ((text_ << (count_ == 1 ? ": " : "; ")) << ... << parts);
    more_ = count_ > spelled_out ? count_ - spelled_out : 0;
  }
  /// Throws ConfigError if there are any.
  void require_none(const char* where, const std::filesystem::path& path) const {
    if (count_ == 0) return;
    const std::string more = more_ == 0 ? "" : "; and " + std::to_string(more_) + " more";
    fail<ConfigError>(where, ": ", path, " does not fit in ", count_,
                      count_ == 1 ? " point" : " points", text_.str(), more);
  }

 private:
  std::ostringstream text_;
  std::size_t count_ = 0, more_ = 0;
};

/// The values of a file for tensors of `wanted` names, in their order. `ignored(name)` says which
/// other tensors may be there. Changes nothing; throws ConfigError listing everything that does not
/// fit, words included.
template <class T, class Ignored>
[[nodiscard]] std::vector<std::vector<T>> matching_values(
    const char* where, const SafetensorsFile& file, const Metadata& expected,
    const std::vector<std::pair<std::string, std::vector<Index>>>& wanted, Ignored ignored) {
  Differences differences;
  for (const auto& [key, value] : expected) {
    const auto word = file.metadata().find(key);
    if (word == file.metadata().end()) {
      differences.add(key, " is missing, expected ", value);
    } else if (word->second != value) {
      differences.add(key, " is ", quoted(word->second), ", expected ", quoted(value));
    }
  }
  std::set<std::string> known;
  for (const auto& [name, shape] : wanted) {
    known.insert(name);
    const StoredTensor* tensor = file.find(name);
    if (tensor == nullptr) {
      differences.add("tensor ", name, " is missing");
    } else if (tensor->shape != shape) {
      differences.add("tensor ", name, " is ", shape_text(tensor->shape), ", expected ",
                      shape_text(shape));
    } else if (!is_floating(tensor->dtype)) {
      differences.add("tensor ", name, " holds ", name_of(tensor->dtype),
                      ", expected F32, F64, F16 or BF16");
    }
  }
  for (const StoredTensor& tensor : file.tensors()) {
    if (!known.contains(tensor.name) && !ignored(tensor.name)) {
      differences.add("tensor ", quoted(tensor.name), " is not expected");
    }
  }
  differences.require_none(where, file.path());

  std::vector<std::vector<T>> values;
  values.reserve(wanted.size());
  for (const auto& [name, shape] : wanted) values.push_back(to_values<T>(file.at(name)));
  return values;
}

template <class T, std::size_t Rank>
[[nodiscard]] std::vector<Index> extents(const TensorView<T, Rank>& view) {
  return {view.shape().extent.begin(), view.shape().extent.end()};
}

}  // namespace detail

/// Writes the weights of a model with model.describe() as metadata, and `extra` words of your own.
/// The file appears whole or not at all. Throws FileError if it cannot be written, ConfigError if
/// an extra word is one of describe(). Within Trainer::with_average it writes the averaged weights.
template <Model M>
void save_weights(const std::filesystem::path& path, const M& model, const Metadata& extra = {}) {
  std::vector<StoredTensor> tensors;
  for (const auto& [name, parameter] : parameters(model)) {
    tensors.push_back(stored(name, parameter->value()));
  }
  detail::write_checkpoint("save_weights", path, tensors, model.describe(), extra);
}

/// Reads weights into a model: from a file of save_weights, from the checkpoint of a trainer, or
/// from any safetensors file that has exactly the model's names and shapes. Floating-point types
/// are converted. Nothing is changed unless all of the file fits. Throws FileError if the file
/// cannot be read, beginning with the rule of read_safetensors that it breaks (S14: it holds NaN or
/// infinity); ConfigError listing every missing, unexpected or differently shaped tensor and, for
/// files of ours, every word of model.describe() that differs; ValueError if a double is too large
/// for a float model.
template <Model M>
void load_weights(const std::filesystem::path& path, M& model,
                  StoredWeights which = StoredWeights::averaged) {
  using T = typename M::Scalar;
  const char* const where = "load_weights";
  const SafetensorsFile file = detail::open_checkpoint(where, path, {.reject_nonfinite = true});
  const auto average = file.metadata().find("trainer.average");
  const bool averaged = which == StoredWeights::averaged && detail::is_checkpoint(file) &&
                        average != file.metadata().end() && average->second == "true";

  const std::vector<NamedTensor<T>> weights = weights_of(model);
  std::vector<std::pair<std::string, std::vector<Index>>> wanted;
  for (const auto& [name, values] : weights) {
    wanted.emplace_back((averaged ? "average." : "") + name, detail::extents(values));
  }
  // The rest of a checkpoint: the state of the rule, and the weights that were not asked for.
  std::set<std::string> others;
  for (const auto& [name, values] : weights) others.insert((averaged ? "" : "average.") + name);
  const auto ignored = [&](const std::string& name) {
    return detail::is_checkpoint(file) && (name.starts_with("optimizer.") || others.contains(name));
  };
  const auto values = detail::matching_values<T>(
      where, file, detail::is_checkpoint(file) ? model.describe() : Metadata{}, wanted, ignored);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    std::copy(values[i].begin(), values[i].end(), weights[i].values.begin());
  }
}

/// Writes everything a trainer needs to go on with the same bits: weights, the update rule's state,
/// the weight average, and as metadata the trainer's words (model, rule, seed, steps, epoch and
/// position in it) and `extra` ones of your own. The file appears whole or not at all. May be
/// called from the trainer's callbacks. Throws FileError if the file cannot be written, ConfigError
/// if an extra word is one of the trainer's.
template <Resumable S>
void save_checkpoint(const std::filesystem::path& path, S& trainer, const Metadata& extra = {}) {
  const auto state = trainer.state();
  std::vector<StoredTensor> tensors;
  for (const auto& [name, values] : state) tensors.push_back(stored(name, values));
  detail::write_checkpoint("save_checkpoint", path, tensors, trainer.metadata(), extra);
}

/// Puts a trainer, made with the same kind of model, rule, seed and averaging, where the saved one
/// stood: fit() then goes on as if it had never stopped, given the same data and batch size.
/// Learning rate, clipping and schedule are those of the new trainer. Nothing is changed unless all
/// of the file fits. Throws as load_weights does, and FileError if the file is no checkpoint of
/// pixelrnn.
template <Resumable S>
void load_checkpoint(const std::filesystem::path& path, S& trainer) {
  const char* const where = "load_checkpoint";
  const SafetensorsFile file = detail::open_checkpoint(where, path, {.reject_nonfinite = true});
  detail::require_checkpoint(where, file);
  const auto state = trainer.state();
  using T = typename std::decay_t<decltype(state.front().values)>::Scalar;
  std::vector<std::pair<std::string, std::vector<Index>>> wanted;
  for (const auto& [name, values] : state) wanted.emplace_back(name, detail::extents(values));
  const auto values = detail::matching_values<T>(where, file, trainer.description(), wanted,
                                                 [](const std::string&) { return false; });
  trainer.restore(file.metadata());
  for (std::size_t i = 0; i < state.size(); ++i) {
    std::copy(values[i].begin(), values[i].end(), state[i].values.begin());
  }
}

/// The words of a checkpoint: what it is of, where training stood, and the extra ones. Throws
/// FileError if the file cannot be read or is no checkpoint of pixelrnn.
[[nodiscard]] inline Metadata read_metadata(const std::filesystem::path& path) {
  SafetensorsFile file = detail::open_checkpoint("read_metadata", path, {});
  detail::require_checkpoint("read_metadata", file);
  return std::move(file).metadata();
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
