// SPDX-License-Identifier: MIT
// Data for the models: image files of any supported format, and the levels the models want.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <pixelrnn/training/binarize.hpp>
#include <pixelrnn/training/dataset.hpp>
#include <pixelrnn/training/state.hpp>

namespace cli {

using namespace pixelrnn;

/// From the values of files to the levels of a model.
struct Preparation {
  std::string binarize = "threshold";  ///< threshold, stochastic, dynamic or none
  int levels = 2;                      ///< of the result; more than 2 only with none
  int threshold = 128;
  std::uint64_t seed = 0;  ///< of the draws of stochastic and dynamic
  bool grey = false;       ///< colours become luma
  int data_levels = 256;   ///< what the values of IDX files mean: 0 .. data_levels-1
  /// See ImageFileOptions: 0 once somebody has said that files of 256 levels are that dark.
  int must_reach = 2;
  Index piece = 0;       ///< samples of a piece of sound; 0: as wide as `image`, or 4000
  Index scale = 1;       ///< every so many pixels are taken: images of a small model of two scales
  Index told_scale = 1;  ///< images are told every so many of their pixels, enlarged; 1: nothing
  std::optional<ImageShape> image = {};  ///< of the model, once it is there
};

/// A preparation as far as a command line says it.
struct PreparationOptions {
  std::optional<std::string> binarize;
  std::optional<int> levels, threshold, data_levels;
  std::optional<std::uint64_t> seed;
  std::optional<Index> scale, told_scale;
  Index piece = 0;
  bool grey = false;

  /// What was given, and otherwise what stands in `fallback`. Data of 2 levels are binary already,
  /// and where nothing is binarised for 2 levels, data have 2.
  [[nodiscard]] Preparation over(const Preparation& fallback) const;
};
/// A preparation as words of a model file, and back. A file without them, written by another
/// program, gets what fits its levels: a threshold for 2, none for more. Throws ConfigError if they
/// are not what they should be.
[[nodiscard]] Metadata words_of(const Preparation& preparation);
[[nodiscard]] Preparation preparation_in(const Metadata& words, int levels,
                                         const ImageShape& image);
/// The preparation of images for a model: as in its training but for what was given. Throws
/// ConfigError if that makes other levels than the model has.
[[nodiscard]] Preparation preparation_for(const PreparationOptions& given, const Metadata& words,
                                          int levels, const ImageShape& image);

/// Images as they are, or binarised afresh for every epoch: a DataSet chosen at run time.
class TrainingSet {
 public:
  TrainingSet(Images images) : data_(std::move(images)) {}
  TrainingSet(DynamicImages images) : data_(std::move(images)) {}

  [[nodiscard]] Index count() const {
    return std::visit([](const auto& data) { return data.count(); }, data_);
  }
  [[nodiscard]] ImageShape image_shape() const {
    return std::visit([](const auto& data) { return data.image_shape(); }, data_);
  }
  [[nodiscard]] int levels() const {
    return std::visit([](const auto& data) { return data.levels(); }, data_);
  }
  [[nodiscard]] std::string binarization() const {
    return std::visit([](const auto& data) { return std::string(data.binarization()); }, data_);
  }
  [[nodiscard]] const std::vector<int>& labels() const {
    return std::visit(
        [](const auto& data) -> const auto& { return data.labels(); }, data_);
  }
  [[nodiscard]] const Conditions& conditions() const {
    return std::visit(
        [](const auto& data) -> const auto& { return data.conditions(); }, data_);
  }
  void fetch(Index image, Index epoch, TensorView<Images::Level, 3> out) const {
    std::visit([&](const auto& data) { pixelrnn::fetch(data, image, epoch, out); }, data_);
  }

 private:
  std::variant<Images, DynamicImages> data_;
};
static_assert(DataSet<TrainingSet>);

/// Which images of which files.
struct DataSource {
  std::vector<std::string> paths;
  std::vector<std::string> labels = {};  ///< files of their labels, if these are elsewhere
  std::string told = {};                 ///< .npy of what else is told of them, or none
  Index first = 0;
  Index count = 0;  ///< fewer if there are not so many; 0: all from `first` on
};

/// Does the first file begin as WAV does? Of files that cannot be read: no.
[[nodiscard]] bool holds_sound(const std::vector<std::string>& paths);
/// Its levels, which are neither binarised nor grey.
[[nodiscard]] inline Preparation preparation_of_sound() {
  return {.binarize = "none", .levels = 256};
}
/// Frames a second of WAV files.
[[nodiscard]] Index rate_of_sound(const std::vector<std::string>& paths);

/// Images out of files, as they are there but for `grey` of the preparation; see read_images of the
/// library; of WAV files pieces, whose levels are those of the preparation by the mu-law. No more
/// are read than are wanted. Throws FileError if that fails or they are not of the model's size and
/// colours, ConfigError if there are none from `first` on.
[[nodiscard]] Images read_source(const DataSource& source, const Preparation& how);

/// What is told of images [first, first + count): float32 (N, C), (N, H, W) or (N, H, W, C) in a
/// .npy file. Throws FileError if that is not what it holds, ConfigError if they are too few, or
/// more than these if these are `all`.
[[nodiscard]] FeatureMap<float> read_told(const std::string& path, Index first, Index count,
                                          bool all = false);

/// Images for evaluation and completion. A dynamic binarisation is drawn once, as stochastic.
/// Throws ConfigError if the images are not fit for it.
[[nodiscard]] Images prepare(Images images, const Preparation& how);
/// Images to train on.
[[nodiscard]] TrainingSet prepare_training(Images images, const Preparation& how);

}  // namespace cli
