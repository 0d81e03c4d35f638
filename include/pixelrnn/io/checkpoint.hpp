// SPDX-License-Identifier: MIT
// Checkpoints: weights, or all that a trainer needs to go on, as one safetensors file.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <filesystem>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
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
      fail<ConfigError>(where, ": the extra word ", detail::in_quotes(key),
                        " is one of the checkpoint's own; choose another");
    }
  }
  write_safetensors(path, tensors, words);
}

[[nodiscard]] inline bool is_checkpoint(const Metadata& words) {
  const auto format = words.find("format");
  return format != words.end() && format->second == checkpoint_format;
}

/// If a file is one of ours, its version must be too.
inline void require_version(const char* where, const std::filesystem::path& path,
                            const Metadata& words) {
  if (!is_checkpoint(words)) return;
  const auto version = words.find("format_version");
  if (version == words.end() || version->second != checkpoint_version) {
    fail<FileError>(where, ": ", path, " has format_version ",
                    version == words.end() ? "\"\"" : in_quotes(version->second), ", expected \"",
                    checkpoint_version, "\"; was it written by a newer pixelrnn?");
  }
}

/// Reads a file; NaN and infinities are no weights.
[[nodiscard]] inline SafetensorsFile open_checkpoint(const char* where,
                                                     const std::filesystem::path& path) {
  SafetensorsFile file = read_safetensors(path, {.reject_nonfinite = true});
  require_version(where, path, file.metadata());
  return file;
}

inline void require_checkpoint(const char* where, const std::filesystem::path& path,
                               const Metadata& words) {
  if (!is_checkpoint(words)) {
    fail<FileError>(
        where, ": ", path,
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

/// One kind of difference between a file and what is wanted, as a list for an error. Only the first
/// are spelled out: a stranger's file may have a hundred thousand.
class DifferenceList {
 public:
  explicit DifferenceList(const char* title) : title_(title) {}
  template <class... Parts>
  void add(const Parts&... parts) {
    constexpr std::size_t spelled_out = 16;
    if (++count_ <= spelled_out) ((text_ << (count_ == 1 ? "" : ", ")) << ... << parts);
    if (count_ > spelled_out)
      more_ = std::string(" and ") + std::to_string(count_ - spelled_out) + " more";
  }
  /// "; title: first, second" or nothing.
  [[nodiscard]] std::string text() const {
    return count_ == 0 ? "" : std::string("; ") + title_ + ": " + text_.str() + more_;
  }

 private:
  const char* title_;
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
  DifferenceList words("words"), missing("missing"), shapes("shapes"), unexpected("unexpected");
  for (const auto& [key, value] : expected) {
    const auto word = file.metadata().find(key);
    if (word == file.metadata().end()) {
      words.add(key, " is missing, expected ", value);
    } else if (word->second != value) {
      words.add(key, " is ", detail::in_quotes(word->second), ", expected ",
                detail::in_quotes(value));
    }
  }
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

/// Copies values read by matching_values to where they belong.
template <class T>
void assign(const std::vector<std::vector<T>>& values, const std::vector<NamedTensor<T>>& to) {
  for (std::size_t i = 0; i < to.size(); ++i) {
    std::copy(values[i].begin(), values[i].end(), to[i].values.begin());
  }
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
  const SafetensorsFile file = detail::open_checkpoint(where, path);
  const auto average = file.metadata().find("trainer.average");
  const bool ours = detail::is_checkpoint(file.metadata());
  const bool averaged = which == StoredWeights::averaged && ours &&
                        average != file.metadata().end() && average->second == "true";

  const std::vector<NamedTensor<T>> weights = weights_of(model);
  const std::string prefix = averaged ? "average." : "", other_prefix = averaged ? "" : "average.";
  std::vector<detail::Wanted> tensors;
  // The rest of a checkpoint: the weights that were not asked for, and the state of the rule.
  std::set<std::string> others;
  for (const auto& [name, values] : weights) {
    tensors.push_back(detail::wanted(prefix + name, values));
    others.insert(other_prefix + name);
  }
  const auto ignored = [&](const std::string& name) {
    return ours && (name.starts_with("optimizer.") || others.contains(name));
  };
  detail::assign(detail::matching_values<T>(where, file, ours ? model.describe() : Metadata{},
                                            tensors, ignored),
                 weights);
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
  const SafetensorsFile file = detail::open_checkpoint(where, path);
  detail::require_checkpoint(where, path, file.metadata());
  const auto state = trainer.state();
  using T = typename std::decay_t<decltype(state.front().values)>::Scalar;
  std::vector<detail::Wanted> tensors;
  for (const auto& [name, values] : state) tensors.push_back(detail::wanted(name, values));
  const auto values = detail::matching_values<T>(where, file, trainer.description(), tensors,
                                                 [](const std::string&) { return false; });
  trainer.restore(file.metadata());
  detail::assign(values, state);
}

/// The words of a checkpoint: what it is of, where training stood, and the extra ones. Reads the
/// header alone, not the weights. Throws FileError if the file cannot be read or is no checkpoint
/// of pixelrnn.
[[nodiscard]] inline Metadata read_metadata(const std::filesystem::path& path) {
  InputFile file(path);
  Metadata words = detail::read_safetensors_header(file, {}).metadata;
  detail::require_version("read_metadata", path, words);
  detail::require_checkpoint("read_metadata", path, words);
  return words;
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
