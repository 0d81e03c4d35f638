// SPDX-License-Identifier: MIT
// Checkpoints: weights, or all that a trainer needs to go on, as one safetensors file.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <filesystem>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <pixelrnn/core/error.hpp>
#include <pixelrnn/io/matching_tensors.hpp>
#include <pixelrnn/io/safetensors_reader.hpp>
#include <pixelrnn/io/safetensors_writer.hpp>
#include <pixelrnn/models/fingerprint.hpp>
#include <pixelrnn/training/state.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// Which weights to take from the checkpoint of a trainer that keeps several.
enum class StoredWeights {
  best,      ///< those of the best epoch if the file has them (TrainerOptions::keep_best), else ...
  averaged,  ///< ... the average if the file has one: the weights a Trainer validates with, else
             ///< ...
  trained,   ///< ... those that training goes on from
};

/// What can be saved and resumed: Trainer, or a class of a user's that offers the same. One that
/// has a model() has keeps_average(), with_average(use), has_best_weights() and with_best(use) too,
/// and gets the model's fingerprints kept.
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

/// The word that holds a model's fingerprint, and what stands before it and before the names of
/// tensors for weights that are not the trained ones.
inline constexpr const char* fingerprint_word = "fingerprint";
inline constexpr const char *average_prefix = "average.", *best_prefix = "best.";

/// What stands before the names of the weights that were asked for, or the next best a file has.
[[nodiscard]] inline std::string prefix_of(StoredWeights which, const Metadata& words) {
  if (which == StoredWeights::best && words.contains("trainer.keep_best") &&
      words.contains("trainer.best_epoch")) {
    return best_prefix;
  }
  const auto average = words.find("trainer.average");
  const bool has_average = average != words.end() && average->second == "true";
  return which != StoredWeights::trained && has_average ? average_prefix : "";
}

/// Adds the fingerprint of a model to the words of a file. Throws NumericError if it is not finite.
template <Model M>
void add_fingerprint(const char* where, const std::filesystem::path& path, const M& model,
                     const std::string& word, Metadata& words) {
  const std::vector<double> numbers = fingerprint(model);
  for (const double value : numbers) {
    if (std::isfinite(value)) continue;
    fail<NumericError>(where, ": with these weights a logit of the model is ", value,
                       ", expected finite ones: training diverged; ", path, " is left as it was");
  }
  if (!numbers.empty()) words[word] = fingerprint_text(numbers);
}

/// Throws NumericError if a value is not finite: nobody could go on from it.
inline void require_finite(const char* where, const std::filesystem::path& path,
                           const std::vector<StoredTensor>& tensors) {
  for (const StoredTensor& tensor : tensors) {
    for (std::size_t i = 0; i < tensor.size(); ++i) {
      const double value = floating_value(tensor, i);
      if (std::isfinite(value)) continue;
      fail<NumericError>(where, ": value ", i, " of ", tensor.name, " is ", value,
                         ", expected finite ones: training diverged; ", path, " is left as it was");
    }
  }
}

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

/// Throws ConfigError if the file has a fingerprint and the model, with the file's weights,
/// another.
template <Model M>
void require_fingerprint(const char* where, const SafetensorsFile& file, const std::string& word,
                         const M& model) {
  const auto expected = file.metadata().find(word);
  if (expected == file.metadata().end()) return;
  const std::vector<double> found = fingerprint(model);
  if (found.empty()) return;
  const std::string difference = fingerprint_difference(found, expected->second);
  if (!difference.empty()) {
    fail<ConfigError>(where, ": ", file.path(),
                      " has weights of this model's names and shapes, but ", difference,
                      "; expected the model that was saved: see its activations, the "
                      "state outside the image, and encode()");
  }
}

/// Writes the weights of a model, as `tensors` have them, with its words and fingerprint.
template <Model M>
void write_weights(const char* where, const std::filesystem::path& path, const M& model,
                   const std::vector<StoredTensor>& tensors, const Metadata& extra) {
  require_finite(where, path, tensors);
  Metadata words = model.describe();
  add_fingerprint(where, path, model, fingerprint_word, words);
  write_checkpoint(where, path, tensors, std::move(words), extra);
}

}  // namespace detail

/// Writes the weights of a model with model.describe() and its fingerprint as metadata, and `extra`
/// words of your own. The file appears whole or not at all. Throws FileError if it cannot be
/// written, ConfigError if an extra word is one of describe(), NumericError if a weight or a logit
/// of the fingerprint is not finite. Within Trainer::with_average it writes the averaged weights.
template <Model M>
void save_weights(const std::filesystem::path& path, const M& model, const Metadata& extra = {}) {
  const char* const where = "save_weights";
  std::vector<StoredTensor> tensors;
  for (const auto& [name, parameter] : parameters(model)) {
    tensors.push_back(stored(name, parameter->value()));
  }
  detail::write_weights(where, path, model, tensors, extra);
}

/// Reads weights into a model: from a file of save_weights, from the checkpoint of a trainer, or
/// from any safetensors file that has exactly the model's names and shapes. Floating-point types
/// are converted, and what masks forbid is zero afterwards. Nothing is changed unless all of the
/// file fits. Throws FileError if the file cannot be read, beginning with the rule of
/// read_safetensors that it breaks (S14: it holds NaN or infinity); ConfigError listing every
/// missing, unexpected or differently shaped tensor and, for files of ours, every word of
/// model.describe() that differs, and if the file has a fingerprint that is not this model's;
/// ValueError if a double is too large for a float model.
template <Model M>
void load_weights(const std::filesystem::path& path, M& model,
                  StoredWeights which = StoredWeights::best) {
  using T = typename M::Scalar;
  const char* const where = "load_weights";
  const SafetensorsFile file = detail::open_checkpoint(where, path);
  const bool ours = detail::is_checkpoint(file.metadata());
  const std::string prefix = ours ? detail::prefix_of(which, file.metadata()) : "";

  const std::vector<NamedTensor<T>> weights = weights_of(model);
  std::vector<detail::Wanted> tensors;
  // The rest of a checkpoint: the weights that were not asked for, and the state of the rule.
  std::set<std::string> others;
  for (const auto& [name, values] : weights) {
    tensors.push_back(detail::wanted(prefix + name, values));
    for (const char* other : {"", detail::average_prefix, detail::best_prefix}) {
      others.insert(other + name);
    }
  }
  const auto ignored = [&](const std::string& name) {
    return ours && (name.starts_with("optimizer.") || others.contains(name));
  };
  detail::Exchange<T> exchange(
      detail::matching_values<T>(where, file, ours ? model.describe() : Metadata{}, tensors,
                                 ignored),
      weights);
  if (ours) {
    detail::require_fingerprint(where, file, prefix + detail::fingerprint_word, model);
  }
  exchange.keep();
  apply_masks(model);
}

namespace detail {

/// Calls use(model, word of its fingerprint) with a trainer's model as it is, and with the averaged
/// and the best weights if the trainer has them. Resumable classes that have no model are left out.
template <class S, class Use>
void for_each_weights(S& trainer, Use&& use) {
  if constexpr (requires { requires Model<std::remove_cvref_t<decltype(trainer.model())>>; }) {
    const std::string word = fingerprint_word;
    use(trainer.model(), word);
    if (trainer.keeps_average()) {
      trainer.with_average([&] { use(trainer.model(), average_prefix + word); });
    }
    if (trainer.has_best_weights()) {
      trainer.with_best([&] { use(trainer.model(), best_prefix + word); });
    }
  }
}

}  // namespace detail

/// Writes everything a trainer needs to go on with the same bits: weights, the update rule's state,
/// the weight average, the best weights if they are kept, and as metadata the trainer's words
/// (model, rule, seed, steps, epoch and position in it), the model's fingerprint and `extra` words
/// of your own. The file appears whole or not at all. May be called from the trainer's callbacks.
/// Throws FileError if the file cannot be written, ConfigError if an extra word is one of the
/// trainer's, NumericError if training has diverged: a tensor or a logit of the fingerprint is not
/// finite.
template <Resumable S>
void save_checkpoint(const std::filesystem::path& path, S& trainer, const Metadata& extra = {}) {
  const char* const where = "save_checkpoint";
  const auto state = trainer.state();
  std::vector<StoredTensor> tensors;
  for (const auto& [name, values] : state) tensors.push_back(stored(name, values));
  detail::require_finite(where, path, tensors);
  Metadata words = trainer.metadata();
  detail::for_each_weights(trainer, [&](const auto& model, const std::string& word) {
    detail::add_fingerprint(where, path, model, word, words);
  });
  detail::write_checkpoint(where, path, tensors, std::move(words), extra);
}

/// Puts a trainer, made with the same kind of model, rule, seed and averaging, where the saved one
/// stood: fit() then goes on as if it had never stopped, given the same data and batch size.
/// Learning rate, clipping, dropout and schedule are the new trainer's. Nothing is changed unless
/// all of the file fits. Throws as load_weights does, and FileError if the file is no checkpoint of
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
  auto values = detail::matching_values<T>(where, file, trainer.description(), tensors,
                                           [](const std::string&) { return false; });
  detail::Exchange<T> exchange(std::move(values), state);
  const Metadata before = trainer.metadata();
  trainer.restore(file.metadata());
  try {
    detail::for_each_weights(trainer, [&](const auto& model, const std::string& word) {
      detail::require_fingerprint(where, file, word, model);
    });
  } catch (...) {
    trainer.restore(before);
    throw;
  }
  exchange.keep();
  detail::for_each_weights(trainer, [](auto& model, const std::string&) { apply_masks(model); });
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
