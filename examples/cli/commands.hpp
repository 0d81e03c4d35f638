// SPDX-License-Identifier: MIT
// The subcommands: their options as plain members, which main.cpp and train_options.cpp parse, and
// what they do.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "any_model.hpp"
#include "nets.hpp"
#include "output.hpp"
#include "training_set.hpp"

namespace cli {

// Every run() returns the exit status of the program or throws.

struct Train {
  ModelSpec model;                 ///< but for the size of the images, which the data give
  std::string condition = "none";  ///< or class, or maps
  Index condition_channels = 16;
  std::optional<Index> classes;  ///< of labels; else one more than the largest
  std::vector<std::string> data, labels, validation, validation_labels;
  std::string told, validation_told;      ///< .npy, with condition maps
  Index limit = 0, validation_limit = 0;  ///< images used; 0: all
  Preparation preparation;

  Index epochs = 1;
  Index steps = 0;  ///< 0: no limit
  Index batch_size = 16;
  std::string optimizer = "adam";
  std::optional<double> learning_rate;  ///< else the rule's own default
  double momentum = 0;
  std::string schedule = "constant";
  Index warmup = 0;
  double clip_norm = 0, average_decay = 0, dropout = 0;
  Index patience = 0;      ///< epochs without a better validation after which to stop; 0: any
  bool keep_best = false;  ///< keep the weights of the epoch with the best validation too
  std::uint64_t seed = 1;
  int threads = 0;
  bool curve = false;  ///< draw it when done

  std::string out, resume, log, json;
  std::string start_from;      ///< a model file whose weights are the first ones; not if resumed
  Index checkpoint_every = 0;  ///< steps; beside the end of every epoch

  Metadata words;  ///< options as the model file keeps them, ...
  static constexpr const char* start_word = "option.start-from";  ///< ... this one through resumes
  std::string command_line;  ///< to be repeated in the advice how to resume

  [[nodiscard]] bool starts_from_model() const { return resume.empty() && !start_from.empty(); }
  [[nodiscard]] int run() const;
};

/// A model file and which weights of it.
struct ModelFile {
  std::string path, weights = "best";
  std::string small = {};                    ///< of smaller images, which this one is told
  std::vector<std::string> mixed_with = {};  ///< whose likelihoods are averaged with its own

  /// Says so to people if the file has nothing to tell by whether it is this model.
  [[nodiscard]] std::unique_ptr<AnyModel> load(const Console& console) const {
    warn_without_fingerprint(console, path, read_metadata(path));
    return load_model(path, weights == "best"       ? StoredWeights::best
                            : weights == "averaged" ? StoredWeights::averaged
                                                    : StoredWeights::trained);
  }
  /// This model and those it is mixed with. Throws ConfigError unless all are of the same images
  /// and told the same.
  [[nodiscard]] std::vector<std::unique_ptr<AnyModel>> load_all(const Console& console) const;
  /// The model of small images, every told_scale-th pixel, that `large` is told, if there is one.
  /// Throws ConfigError if it does not fit.
  [[nodiscard]] std::unique_ptr<AnyModel> load_small(const Console& console, const AnyModel& large,
                                                     Index told_scale) const;
};

/// Throws ConfigError unless the file `told` is given if, and only if, the model is told maps, and
/// these, out of it, have the model's channels and the images' size. What a model of told_scale is
/// told is made of its images.
void require_told(const AnyModel& model, Index told_scale, const std::string& told,
                  const FeatureMap<float>& maps, const ImageShape& image);
/// Throws ConfigError unless maps out of the file `path` are of images of this size, and have so
/// many channels, which `whose` are.
void require_maps(const char* option, const std::string& path, const Shape<4>& maps,
                  const ImageShape& image, Index channels, const char* whose);
/// Throws ConfigError if a label is none of the model's classes; `first` is the number of the first
/// image in the data.
void require_labels(const AnyModel& model, const Images& images, Index first);

struct Evaluate {
  ModelFile model;
  std::vector<std::string> data, labels;
  std::string told;
  Index first = 0, limit = 0;
  PreparationOptions preparation;
  std::vector<std::string> baseline;  ///< images that independent pixels are fitted to; or none
  Index baseline_limit = 0;
  Index batch_size = 32;
  int threads = 0;
  bool walk_bits = false;
  bool classify = false;
  std::string json, logits, nats_map;  ///< files to write, or none

  [[nodiscard]] int run() const;
};

/// What sample and complete have in common.
struct Drawing {
  ModelFile model;
  Index count = 16;
  std::uint64_t seed = 1;
  double temperature = 1;
  std::string sampler = "cached", out, json;
  int threads = 0;
  bool show = false;
  std::optional<int> of_class;  ///< what the model is told of all images
  std::string told;             ///< or .npy of what it is told of each

  [[nodiscard]] AnySampler chosen_sampler() const {
    return sampler == "cached" ? AnySampler::cached : AnySampler::full;
  }
};

struct Sample : Drawing {
  std::uint64_t first = 0;  ///< number of the first image
  Index columns = 8;
  Index height = 0, width = 0;  ///< of the images; 0: the model's

  [[nodiscard]] int run() const;
};

struct Complete : Drawing {
  std::vector<std::string> data, labels;
  Index first = 0;     ///< image of the data
  bool exact = false;  ///< `count` was asked for: fewer images will not do
  PreparationOptions preparation;
  std::optional<Index> keep_rows, keep_columns;
  std::string keep_mask;
  Index variants = 4;  ///< completions of each image

  [[nodiscard]] int run() const;
};

struct Inspect {
  std::string path, json;

  [[nodiscard]] int run() const;
};

/// Writes weights without what only a training needs, or by the names of another program.
struct Export {
  ModelFile model;
  std::string names, out, json;
  bool half = false;

  [[nodiscard]] int run() const;
};

/// Makes a model file of another program's weights.
struct Import {
  ModelSpec model{.image = {28, 28, 1}};
  std::string from, names, out, json;

  [[nodiscard]] int run() const;
};

struct Benchmark {
  ModelSpec model{.image = {28, 28, 1}};
  Index batch_size = 16;
  int threads = 0, repeats = 20;
  std::string json;

  [[nodiscard]] int run() const;
};

/// Writes generated images, so that there is always something to train on.
struct Shapes {
  std::string out, json;
  Index count = 1000;
  std::uint64_t seed = 1;

  [[nodiscard]] int run() const;
};

}  // namespace cli
