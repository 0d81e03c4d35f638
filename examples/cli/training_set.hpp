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

/// From the grey levels of a file to the levels of a model.
struct Preparation {
  std::string binarize = "threshold";  ///< threshold, stochastic, dynamic or none
  int levels = 2;                      ///< of the result; more than 2 only with none
  int threshold = 128;
  std::uint64_t seed = 0;  ///< of the draws of stochastic and dynamic
};

/// A preparation as far as a command line says it.
struct PreparationOptions {
  std::optional<std::string> binarize;
  std::optional<int> levels, threshold;
  std::optional<std::uint64_t> seed;

  /// What was given, and otherwise what stands in `fallback`.
  [[nodiscard]] Preparation over(const Preparation& fallback) const;
};
/// A preparation as words of a model file, and back. A file without them, written by another
/// program, gets what fits its levels: a threshold for 2, none for more. Throws ConfigError if they
/// are not what they should be.
[[nodiscard]] Metadata words_of(const Preparation& preparation);
[[nodiscard]] Preparation preparation_in(const Metadata& words, int levels);

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
  void fetch(Index image, Index epoch, TensorView<Images::Level, 3> out) const {
    std::visit([&](const auto& data) { pixelrnn::fetch(data, image, epoch, out); }, data_);
  }

 private:
  std::variant<Images, DynamicImages> data_;
};
static_assert(DataSet<TrainingSet>);

/// Grey images of 256 levels, and the largest level there is in all of the files they come from,
/// 255 if the format says so: it tells whether they are binary or quantised already. A part keeps
/// that of the whole, for what is made of an image must not depend on how many are taken.
struct GreyImages {
  Images images;
  int largest = 0;
};

/// Grey images out of files, told by their content: IDX or CIFAR-10, gzipped or not, PNG, or a
/// folder of PNG; colours become luma, transparent pixels white. Several files follow each other
/// and must agree in size. Throws FileError if one cannot be read or is none of these.
[[nodiscard]] GreyImages read_images(const std::vector<std::string>& paths);

/// Images [first, first + count), fewer if there are not so many; count = 0: all from `first` on.
/// Throws ConfigError if that leaves none.
[[nodiscard]] GreyImages part_of(const GreyImages& whole, Index first, Index count);

/// Images for evaluation and completion. A dynamic binarisation is drawn once, as stochastic.
/// Throws ConfigError if the images are not fit for it.
[[nodiscard]] Images prepare(GreyImages grey, const Preparation& how);
/// Images to train on.
[[nodiscard]] TrainingSet prepare_training(GreyImages grey, const Preparation& how);

}  // namespace cli
