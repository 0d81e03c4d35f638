// SPDX-License-Identifier: MIT
// Reading image files by their content, and giving them the levels of a model.
#include "training_set.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <filesystem>
#include <limits>
#include <span>
#include <system_error>
#include <utility>

#include <pixelrnn/core/luma.hpp>
#include <pixelrnn/io/cifar10.hpp>
#include <pixelrnn/io/idx.hpp>
#include <pixelrnn/io/png.hpp>

namespace cli {
namespace {

constexpr const char* accepted = "IDX or CIFAR-10 (gzipped or not), PNG, or a folder of PNG files";

/// The first bytes of a file, of what is in it if it is gzipped; fewer if it is shorter.
std::vector<std::byte> first_bytes(const std::filesystem::path& path, std::size_t count) {
  std::vector<std::byte> bytes(count);
  ByteSource source(path);
  bytes.resize(source.read(bytes));
  return bytes;
}

bool begins_with(const std::vector<std::byte>& bytes, std::initializer_list<int> magic) {
  return bytes.size() >= magic.size() &&
         std::equal(magic.begin(), magic.end(), bytes.begin(),
                    [](int wanted, std::byte b) { return std::to_integer<int>(b) == wanted; });
}

int largest_level(const Images& images) {
  const TensorView<const Images::Level, 4> levels = images.pixels();
  return levels.empty() ? 0 : int{*std::max_element(levels.begin(), levels.end())};
}

GreyImages read_any(const std::filesystem::path& path) {
  const PngOptions on_white{.background = 255};
  constexpr int white = 255;  // what a format says that has its levels fixed
  if (std::filesystem::is_directory(path)) return {to_grey(read_png_folder(path, on_white)), white};
  const std::vector<std::byte> start = first_bytes(path, 8);
  if (begins_with(start, {0x89, 'P', 'N', 'G'})) return {to_grey(read_png(path, on_white)), white};
  if (begins_with(start, {0, 0, 8, 3}) || begins_with(start, {0, 0, 8, 4})) {
    Images images = to_grey(read_idx(path));
    const int largest = largest_level(images);
    return {std::move(images), largest};
  }
  try {
    return {to_grey(read_cifar10(path)), white};
  } catch (const FileError& error) {
    detail::fail<FileError>(path, " is no image file that is known, expected ", accepted,
                            "; it is not even ", error.what());
  }
}

/// For images that are black and white already: 0 and their largest level become 0 and 1.
Images two_levels(const Images& images, int top) {
  Images binary(images.count(), images.image_shape(), 2, "fixed");
  std::ranges::transform(images.pixels(), binary.pixels().begin(), [top](int level) {
    if (level != 0 && level != top) {
      detail::fail<ConfigError>("the images have grey levels (", level, " between 0 and ", top,
                                "), expected black and white only; choose a --binarize");
    }
    return static_cast<Images::Level>(level != 0);
  });
  return binary;
}

/// The levels of a model that is not binary. A file whose values are below `levels` throughout was
/// quantised before.
Images quantized(Images images, int largest, int levels) {
  if (levels == images.levels()) return images;
  if (largest >= levels) return quantize(images, levels);
  return {Tensor<Images::Level, 4>(TensorView<const Images::Level, 4>(images.pixels())), levels,
          images.binarization()};
}

/// Black alone is black in any number of levels.
void require_grey(const GreyImages& grey) {
  if (grey.largest == 1) {
    detail::fail<ConfigError>("the images are binary already (no level is above 1), expected grey ",
                              "ones; use --binarize none --levels 2");
  }
}

/// Takes a number of at most `largest` out of a word.
template <class T>
void take_number(const Metadata& words, const char* key, T largest, T& value) {
  const auto word = words.find(key);
  if (word == words.end()) return;
  const char* const end = word->second.data() + word->second.size();
  const auto [stopped, error] = std::from_chars(word->second.data(), end, value);
  if (error != std::errc{} || stopped != end || value > largest) {
    detail::fail<ConfigError>("the model file's word ", key, " is ",
                              detail::in_quotes(word->second), ", expected a whole number up to ",
                              largest);
  }
}

}  // namespace

Preparation PreparationOptions::over(const Preparation& fallback) const {
  Preparation chosen = fallback;
  if (binarize) {
    chosen.binarize = *binarize;
    if (levels || *binarize != "none") chosen.levels = levels.value_or(2);
  } else if (levels && *levels != fallback.levels) {
    chosen.levels = *levels;
    chosen.binarize = *levels == 2 ? "threshold" : "none";
  }
  chosen.threshold = threshold.value_or(fallback.threshold);
  chosen.seed = seed.value_or(fallback.seed);
  return chosen;
}

Metadata words_of(const Preparation& preparation) {
  return {{"data.binarize", preparation.binarize},
          {"data.threshold", std::to_string(preparation.threshold)},
          {"data.binarize_seed", std::to_string(preparation.seed)}};
}

Preparation preparation_in(const Metadata& words, int levels) {
  Preparation found{.binarize = levels == 2 ? "threshold" : "none", .levels = levels};
  const auto word = words.find("data.binarize");
  if (word != words.end()) found.binarize = word->second;
  take_number(words, "data.threshold", 255, found.threshold);
  take_number(words, "data.binarize_seed", std::numeric_limits<std::uint64_t>::max(), found.seed);
  return found;
}

GreyImages read_images(const std::vector<std::string>& paths) {
  std::vector<Images> parts;
  Index count = 0;
  int largest = 0;
  for (const std::string& path : paths) {
    GreyImages file = read_any(path);
    parts.push_back(std::move(file.images));
    count += parts.back().count();
    largest = std::max(largest, file.largest);
    if (parts.back().image_shape() != parts.front().image_shape()) {
      detail::fail<FileError>(path, ": images are ", parts.back().image_shape(), ", those of ",
                              paths.front(), " are ", parts.front().image_shape());
    }
  }
  if (parts.size() == 1) return {std::move(parts.front()), largest};
  Images all(count, parts.front().image_shape(), 256);
  auto to = all.pixels().begin();
  for (const Images& part : parts) to = std::ranges::copy(part.pixels(), to).out;
  return {std::move(all), largest};
}

GreyImages part_of(const GreyImages& whole, Index first, Index count) {
  const Images& images = whole.images;
  if (images.count() == 0) detail::fail<ConfigError>("the data have no images");
  if (first < 0 || count < 0 || first >= images.count()) {
    detail::fail<ConfigError>("the data have ", images.count(), " images, none from number ", first,
                              " on (counted from 0)");
  }
  const Index rest = images.count() - first;
  return {images.slice(first, count == 0 ? rest : std::min(count, rest)), whole.largest};
}

Images prepare(GreyImages grey, const Preparation& how) {
  if (how.binarize == "none") {
    return how.levels == 2 ? two_levels(grey.images, grey.largest)
                           : quantized(std::move(grey.images), grey.largest, how.levels);
  }
  if (how.levels != 2) {
    detail::fail<ConfigError>("--binarize ", how.binarize, " makes 2 levels, --levels is ",
                              how.levels, "; use --binarize none");
  }
  require_grey(grey);
  if (how.binarize == "threshold") return binarize(grey.images, Threshold{how.threshold});
  if (how.binarize == "stochastic" || how.binarize == "dynamic") {
    return binarize(grey.images, Stochastic{how.seed});
  }
  detail::fail<ConfigError>("the binarization is ", detail::in_quotes(how.binarize),
                            ", expected threshold, stochastic, dynamic or none");
}

TrainingSet prepare_training(GreyImages grey, const Preparation& how) {
  if (how.binarize != "dynamic" || how.levels != 2) return prepare(std::move(grey), how);
  require_grey(grey);
  return binarize(std::move(grey.images), Dynamic{how.seed});
}

}  // namespace cli
