// SPDX-License-Identifier: MIT
// Image files of any supported format, told by their content: IDX, CIFAR-10, PNG, folders of PNG.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <pixelrnn/core/luma.hpp>
#include <pixelrnn/io/cifar10.hpp>
#include <pixelrnn/io/file_kind.hpp>
#include <pixelrnn/io/idx.hpp>
#include <pixelrnn/io/png.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// What read_images knows.
enum class ImageFormat { idx, cifar10, png, png_folder };

/// How read_images takes files. Nothing about a file is guessed from its values in silence.
struct ImageFileOptions {
  /// What values mean, and the levels of the result: 0 .. levels-1 in an IDX file. PNG and CIFAR-10
  /// always have 0 .. 255, over which fewer levels must be spread as write_png spreads them.
  int levels = 256;
  /// An IDX file of 256 levels that has values above 0, but none of so much, is refused: it is more
  /// likely binary, and would be all but black. 0: any is taken.
  int must_reach = 2;
  /// Colours become luma (see to_grey), so that grey and colour mix.
  bool grey = false;
  /// The grey that shows through transparent pixels of PNG; without it they are refused.
  std::optional<std::uint8_t> background = std::uint8_t{255};
  /// What images must be. Without it: as the first.
  std::optional<ImageShape> image = {};
  /// IDX files of the labels of all images, one after the other, for files that have none.
  std::vector<std::filesystem::path> labels = {};
  /// These labels are 0 .. classes-1.
  int classes = 256;
  /// Only the first so many images of all; 0: all. No more are read.
  Index limit = 0;
  /// Most bytes of a file, and of all images.
  std::uint64_t max_bytes = default_max_bytes;
  /// What errors call these options, for programs whose users know them by other names.
  std::string levels_name = "ImageFileOptions::levels = ", grey_name = "ImageFileOptions::grey";
};

namespace detail {

inline constexpr const char* image_formats =
    "images: IDX or CIFAR-10 in its binary version (both gzipped or not), PNG, or a folder of PNG";

[[nodiscard]] inline std::string text_of(const ImageShape& image) {
  std::ostringstream text;
  text << (image.channels == 1 ? "grey, " : image.channels == 3 ? "colour, " : "") << image;
  return text.str();
}

/// Throws FileError unless an image of a file is what it must be.
inline void require_image(const std::filesystem::path& path, const ImageShape& found,
                          const ImageShape& wanted, const ImageFileOptions& options) {
  if (found == wanted) return;
  std::string advice;
  if (options.grey && wanted.channels == 3) {
    advice = " (" + options.grey_name + " makes colours grey)";
  } else if (wanted.channels == 1 ? found.channels == 3 : !options.image && found.channels == 1) {
    advice = "; with " + options.grey_name + " colours become grey";
  }
  fail<FileError>(path, ": images are ", text_of(found), " (height x width x channels), expected ",
                  text_of(wanted), options.image ? "" : " as those before", advice);
}

/// Throws FileError if an IDX file of 256 levels seems to have fewer.
inline void require_brightness(const std::filesystem::path& path, const Images& images,
                               const ImageFileOptions& options) {
  const TensorView<const Images::Level, 4> values = images.pixels();
  if (options.levels != 256 || values.empty()) return;
  const int largest = *std::max_element(values.begin(), values.end());
  if (largest == 0 || largest >= options.must_reach) return;  // black is black in any levels
  fail<FileError>(path, ": no value is above ", largest, ", expected grey levels of 0 to 255; use ",
                  options.levels_name, options.must_reach, " if they are levels 0 to ",
                  options.must_reach - 1, " already, ", options.levels_name,
                  "256 if they are that dark");
}

/// The levels that write_png spread over 0 .. 255.
[[nodiscard]] inline Images gather_levels(const std::filesystem::path& path, Images images,
                                          const ImageFileOptions& options) {
  if (options.levels == 256) return images;
  const int top = options.levels - 1;
  constexpr int none = -1;
  std::array<int, 256> level_of;
  level_of.fill(none);
  for (int level = 0; level <= top; ++level) {
    level_of[static_cast<std::size_t>((level * 255 + top / 2) / top)] = level;
  }
  Images gathered(images.count(), images.image_shape(), options.levels,
                  options.levels == 2 ? "fixed" : "none");
  std::transform(images.pixels().begin(), images.pixels().end(), gathered.pixels().begin(),
                 [&](Images::Level value) {
                   const int level = level_of[value];
                   if (level == none) {
                     fail<FileError>(path, ": a value is ", int{value}, ", expected ",
                                     options.levels, " levels spread over 0 to 255 (",
                                     options.levels_name, options.levels, "); use ",
                                     options.levels_name, "256 if they are grey levels");
                   }
                   return static_cast<Images::Level>(level);
                 });
  gathered.set_labels(images.labels());
  return gathered;
}

/// The images of files that are one to a reader, at most `limit` if that is not 0.
[[nodiscard]] inline Images read_image_files(std::span<const std::filesystem::path> paths,
                                             ImageFormat format, Index limit,
                                             const ImageFileOptions& options) {
  const std::filesystem::path& path = paths.front();
  const PngOptions png{.background = options.background,
                       .grey = options.grey,
                       .limit = limit,
                       .max_bytes = options.max_bytes};
  switch (format) {
    case ImageFormat::png:
      return gather_levels(path, read_png(path, png), options);
    case ImageFormat::png_folder:
      return gather_levels(path, read_png_folder(path, png, options.grey_name.c_str()), options);
    case ImageFormat::cifar10: {
      Images images = read_cifar10(paths, {.limit = limit, .max_bytes = options.max_bytes});
      if (options.grey) images = to_grey(images);
      return gather_levels(path, std::move(images), options);
    }
    case ImageFormat::idx:
      break;
  }
  const IdxOptions idx{.levels = options.levels, .limit = limit, .max_bytes = options.max_bytes};
  const std::string knob = options.levels_name + std::to_string(options.levels) + "; use " +
                           options.levels_name + "256 if they are grey levels of 0 to 255";
  Images images = read_idx(path, idx, knob.c_str());
  require_brightness(path, images, options);
  if (options.grey && images.image_shape().channels != 1) images = to_grey(images);
  return images;
}

/// How many images the files promise, if all are IDX.
[[nodiscard]] inline std::optional<Index> images_in_idx(
    std::span<const std::filesystem::path> paths, std::span<const ImageFormat> formats,
    const ImageFileOptions& options) {
  Index count = 0;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    if (formats[i] != ImageFormat::idx) return std::nullopt;
    count += IdxReader(paths[i], options.max_bytes).sizes().front();
  }
  return count;
}

/// Labels out of files for images of other files, which are all there are unless a limit stopped
/// them.
inline void attach_labels(Images& images, std::span<const std::filesystem::path> paths,
                          std::span<const ImageFormat> formats, const ImageFileOptions& options) {
  if (!images.labels().empty()) {
    fail<ConfigError>("read_images: the images have labels of their own, expected no ",
                      options.labels.front());
  }
  std::vector<int> labels;
  for (const std::filesystem::path& path : options.labels) {
    const std::vector<int> more = read_idx_labels(path, options.classes, options.max_bytes);
    labels.insert(labels.end(), more.begin(), more.end());
  }
  const auto count = static_cast<std::size_t>(images.count());
  const bool all = options.limit == 0 || images.count() < options.limit;
  // Of files that were not read to their end the headers say how many images there are.
  const std::optional<Index> in_files =
      all ? images.count() : images_in_idx(paths, formats, options);
  if (labels.size() < count || (in_files && std::ssize(labels) != *in_files)) {
    fail<FileError>(options.labels.front(), ": there are ", labels.size(), " labels, expected ",
                    in_files.value_or(images.count()), ", one an image");
  }
  labels.resize(count);
  images.set_labels(std::move(labels));
}

/// Images one after the other; labels if all have them.
[[nodiscard]] inline Images joined(std::vector<Images> parts) {
  if (parts.size() == 1) return std::move(parts.front());
  Index count = 0;
  for (const Images& part : parts) count += part.count();
  const Images& first = parts.front();
  Images all(count, first.image_shape(), first.levels(), first.binarization());
  std::vector<int> labels;
  auto* pixel = all.pixels().begin();
  for (const Images& part : parts) {
    pixel = std::copy(part.pixels().begin(), part.pixels().end(), pixel);
    labels.insert(labels.end(), part.labels().begin(), part.labels().end());
  }
  if (static_cast<Index>(labels.size()) == count) all.set_labels(std::move(labels));
  return all;
}

}  // namespace detail

/// The format of a file or folder, by its first bytes and its size, never by its name. What begins
/// as IDX does is IDX, also if it holds labels or floats, which read_idx refuses by name; CIFAR-10
/// has no magic number, and is what is left if the size is a number of records. Throws FileError if
/// it cannot be read or is none of these, and says what else it seems to be.
[[nodiscard]] inline ImageFormat image_format(const std::filesystem::path& path,
                                              std::uint64_t max_bytes = default_max_bytes) {
  if (std::error_code ignored; std::filesystem::is_directory(path, ignored)) {
    return ImageFormat::png_folder;
  }
  ByteSource source(path, max_bytes);
  const std::uint64_t size = source.at_most();
  std::array<std::byte, file_kind_bytes> bytes;
  const std::span<const std::byte> start = std::span(bytes).first(source.read(bytes));
  const bool zipped = source.is_zipped();
  if (start.empty()) {
    detail::fail<FileError>(path, " is empty, expected ", detail::image_formats);
  }
  const std::string_view kind = kind_of_file(start);
  if (kind == "a PNG image" && !zipped) return ImageFormat::png;
  if (!kind.empty()) {
    detail::fail<FileError>(path, " seems to be ", kind, zipped ? " (gzipped)" : "", ", expected ",
                            detail::image_formats);
  }
  const bool is_idx = start.size() >= 4 && start[0] == std::byte{0} && start[1] == std::byte{0} &&
                      !detail::IdxReader::type_name(start[2]).empty() && start[3] >= std::byte{1} &&
                      start[3] <= std::byte{8};
  if (is_idx) return ImageFormat::idx;
  // How much a zipped file holds is found out when it is read.
  const bool records = zipped || size % detail::cifar10_record == 0;
  if (records && start[0] <= std::byte{9}) return ImageFormat::cifar10;
  detail::fail<FileError>(path, " is no image file that is known, expected ",
                          detail::image_formats);
}

/// The images of all files, which follow each other and must agree in size and channels: IDX,
/// CIFAR-10, PNG or folders of PNG, each told by its content (see image_format). CIFAR-10 has
/// labels of its own, others get those of `labels`. Throws FileError as read_idx, read_cifar10,
/// read_png and read_png_folder do, if a file is none of these, or differs from the first;
/// ConfigError if an option is out of its range or no file is named. Several files that are not all
/// CIFAR-10 are in memory twice while they are put together.
[[nodiscard]] inline Images read_images(std::span<const std::filesystem::path> paths,
                                        const ImageFileOptions& options = {}) {
  if (paths.empty() || options.limit < 0 || options.levels < 2 || options.levels > 256) {
    detail::fail<ConfigError>("read_images: ", paths.size(), " files, limit ", options.limit,
                              " and ", options.levels, " levels, expected at least one file, ",
                              "limit >= 0 and 2 to 256 levels");
  }
  // First of all, so that a wrong name is known before anything large is read.
  std::vector<ImageFormat> formats;
  for (const std::filesystem::path& path : paths) {
    formats.push_back(image_format(path, options.max_bytes));
  }
  std::vector<Images> parts;
  std::optional<ImageShape> image = options.image;
  Index count = 0;
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < paths.size() && (options.limit == 0 || count < options.limit);) {
    // Batches of CIFAR-10 that follow each other are read at once, without a second copy.
    std::size_t files = 1;
    while (formats[i] == ImageFormat::cifar10 && i + files < paths.size() &&
           formats[i + files] == ImageFormat::cifar10) {
      ++files;
    }
    const Index rest = options.limit == 0 ? 0 : options.limit - count;
    parts.push_back(detail::read_image_files(paths.subspan(i, files), formats[i], rest, options));
    const Images& part = parts.back();
    if (!image) image = part.image_shape();
    detail::require_image(paths[i], part.image_shape(), *image, options);
    bytes += static_cast<std::uint64_t>(part.pixels().size());
    if (bytes > options.max_bytes) {
      detail::fail<FileError>(paths[i], ": all images take more than ", options.max_bytes,
                              " bytes (max_bytes)");
    }
    count += part.count();
    i += files;
  }
  Images all = detail::joined(std::move(parts));
  if (!options.labels.empty()) detail::attach_labels(all, paths, formats, options);
  return all;
}
[[nodiscard]] inline Images read_images(const std::filesystem::path& path,
                                        const ImageFileOptions& options = {}) {
  return read_images(std::span(&path, 1), options);
}
[[nodiscard]] inline Images read_images(std::initializer_list<std::filesystem::path> paths,
                                        const ImageFileOptions& options = {}) {
  return read_images(std::span(paths.begin(), paths.size()), options);
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
