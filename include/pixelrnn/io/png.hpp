// SPDX-License-Identifier: MIT
// PNG: one image or a folder of them in, one image out; libpng's errors become FileError.
#pragma once

#include <png.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <pixelrnn/core/luma.hpp>
#include <pixelrnn/io/bytes.hpp>
#include <pixelrnn/io/file.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// How PNG files are taken.
struct PngOptions {
  /// Most pixels of one image, checked before any is decoded.
  std::uint64_t max_pixels = std::uint64_t{16} << 20;
  /// The grey that shows through transparent pixels (255 is white). Without it an image that has
  /// transparency is refused: models know no such channel.
  std::optional<std::uint8_t> background = {};
  /// Colours become luma (see to_grey), so that grey and colour images can stand in one folder.
  bool grey = false;
  /// Only the first so many images of a folder; 0: all. Other files are not read.
  Index limit = 0;
  /// Most bytes of one file, and of the pixels of a folder.
  std::uint64_t max_bytes = default_max_bytes;
};

namespace detail {

/// What libpng's callbacks need.
struct PngState {
  std::span<const std::byte> unread;  ///< of the file being read
  std::vector<std::byte> written;     ///< of the file being made, ...
  bool out_of_memory = false;         ///< ... unless there is no room for it
  std::array<char, 128> message{};    ///< of the last error
};

[[noreturn]] inline void png_on_error(png_structp png, png_const_charp message) {
  auto& kept = static_cast<PngState*>(png_get_error_ptr(png))->message;
  std::strncpy(kept.data(), message, kept.size() - 1);
  png_longjmp(png, 1);
}
/// What libpng only warns of is no error; without this it would print.
inline void png_on_warning(png_structp, png_const_charp) {}

inline void png_on_read(png_structp png, png_bytep out, std::size_t count) {
  auto& unread = static_cast<PngState*>(png_get_io_ptr(png))->unread;
  if (count > unread.size()) png_error(png, "the file is cut off");
  std::memcpy(out, unread.data(), count);
  unread = unread.subspan(count);
}

inline void png_on_write(png_structp png, png_bytep bytes, std::size_t count) {
  auto* state = static_cast<PngState*>(png_get_io_ptr(png));
  try {
    const auto* first = reinterpret_cast<const std::byte*>(bytes);
    state->written.insert(state->written.end(), first, first + count);
  } catch (...) {  // no exception may cross libpng
    state->out_of_memory = true;
  }
  if (state->out_of_memory) png_error(png, "out of memory");
}
inline void png_on_flush(png_structp) {}

/// Owns libpng's structures for reading or writing one image.
class PngHandle {
 public:
  enum class Use { read, write };

  PngHandle(Use use, PngState& state) : use_(use) {
    png_ =
        use == Use::read
            ? png_create_read_struct(PNG_LIBPNG_VER_STRING, &state, png_on_error, png_on_warning)
            : png_create_write_struct(PNG_LIBPNG_VER_STRING, &state, png_on_error, png_on_warning);
    info_ = png_ == nullptr ? nullptr : png_create_info_struct(png_);
    if (info_ == nullptr) {
      destroy();
      throw std::bad_alloc();
    }
    use == Use::read ? png_set_read_fn(png_, &state, png_on_read)
                     : png_set_write_fn(png_, &state, png_on_write, png_on_flush);
    // Of itself libpng neither writes nor reads more than a million rows or columns.
    png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
  }
  PngHandle(const PngHandle&) = delete;
  PngHandle& operator=(const PngHandle&) = delete;
  ~PngHandle() { destroy(); }

  /// Runs body(png, info); false if libpng met an error, which leaves the body by longjmp: it must
  /// hold nothing that has a destructor.
  template <class Body>
  [[nodiscard]] bool run(const Body& body) {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    body(png_, info_);
    return true;
  }

 private:
  void destroy() {
    use_ == Use::read ? png_destroy_read_struct(&png_, &info_, nullptr)
                      : png_destroy_write_struct(&png_, &info_);
  }

  Use use_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

/// An image of 8-bit samples, rows without gaps.
struct PngPixels {
  png_uint_32 height = 0, width = 0;
  std::size_t samples = 0;  ///< of one pixel: grey, grey + alpha, RGB or RGB + alpha
  std::vector<unsigned char> values;
};

[[nodiscard]] inline PngPixels decode_png(const std::filesystem::path& path,
                                          const PngOptions& options) {
  const std::vector<std::byte> file = read_file(path, options.max_bytes);
  PngState state;
  state.unread = file;
  PngHandle handle(PngHandle::Use::read, state);
  PngPixels pixels;
  std::uint64_t stored_row = 0;
  const bool has_header = handle.run([&](png_structp png, png_infop info) {
    // Of the chunks only those reach the decoder that make pixels: no text, profile or animation.
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
    png_read_info(png, info);
    pixels.height = png_get_image_height(png, info);
    pixels.width = png_get_image_width(png, info);
    stored_row = png_get_rowbytes(png, info);
  });
  if (has_header && pixels.height > options.max_pixels / pixels.width) {
    fail<FileError>("PNG: ", path, ": the image is ", pixels.height, 'x', pixels.width,
                    ", expected at most ", options.max_pixels, " pixels (PngOptions::max_pixels)");
  }
  // A promise of rows that cannot be there is not worth their memory. (Interlaced rows take no
  // less.)
  const std::uint64_t most = file.size() * deflate_max_ratio;
  if (has_header && stored_row > most / pixels.height) {
    fail<FileError>("PNG: ", path, ": the image is ", pixels.height, 'x', pixels.width,
                    ", which takes ", pixels.height, " rows of ", stored_row,
                    " bytes, but the file of ", file.size(), " inflates to at most ", most);
  }
  const bool has_format = has_header && handle.run([&](png_structp png, png_infop info) {
    png_set_expand(png);    // palettes to RGB, fewer bits to 8, a transparent colour to alpha
    png_set_scale_16(png);  // 16 bits to 8, rounding to nearest
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
    pixels.samples = png_get_channels(png, info);
  });
  const bool has_alpha = pixels.samples == 2 || pixels.samples == 4;
  if (has_alpha && !options.background) {
    fail<FileError>("PNG: ", path,
                    ": the image has transparency, expected none (or a "
                    "PngOptions::background to put it on)");
  }
  const std::size_t row = pixels.width * pixels.samples;
  if (has_format) pixels.values.resize(pixels.height * row);
  const bool has_pixels = has_format && handle.run([&](png_structp png, png_infop info) {
    const int passes = png_get_interlace_type(png, info) == PNG_INTERLACE_NONE ? 1 : 7;
    for (int pass = 0; pass < passes; ++pass) {
      for (std::size_t r = 0; r < pixels.height; ++r) {
        png_read_row(png, pixels.values.data() + r * row, nullptr);
      }
    }
    png_read_end(png, nullptr);
  });
  if (!has_pixels) {
    fail<FileError>("PNG: ", path, ": offset ", file.size() - state.unread.size(), ": ",
                    state.message.data());
  }
  return pixels;
}

/// Takes the alpha channel away: each sample over the background, rounded to nearest.
inline void compose(PngPixels& pixels, int background) {
  const std::size_t colours = pixels.samples - 1;
  const std::size_t count = pixels.values.size() / pixels.samples;
  unsigned char* out = pixels.values.data();
  for (std::size_t p = 0; p < count; ++p) {
    const unsigned char* in = pixels.values.data() + p * pixels.samples;
    const int alpha = in[colours];
    for (std::size_t c = 0; c < colours; ++c) {
      *out++ = static_cast<unsigned char>((in[c] * alpha + background * (255 - alpha) + 127) / 255);
    }
  }
  pixels.samples = colours;
  pixels.values.resize(count * colours);
}

/// The files of a folder whose name ends in ".png" or ".PNG", sorted by the bytes of their names.
[[nodiscard]] inline std::vector<std::filesystem::path> png_files(
    const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
  std::vector<fs::path> files;
  try {
    const fs::path home = fs::canonical(folder);
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
      const std::string name = entry.path().filename().string();
      if (!name.ends_with(".png") && !name.ends_with(".PNG")) continue;
      if (name.starts_with(".")) continue;
      if (entry.is_symlink()) {
        const fs::path target = fs::canonical(entry.path());
        if (std::mismatch(home.begin(), home.end(), target.begin(), target.end()).first !=
            home.end()) {
          fail<FileError>("PNG: ", entry.path(), ": the link leaves the folder, to ", target);
        }
      }
      files.push_back(entry.path());
    }
  } catch (const fs::filesystem_error& error) {
    fail<FileError>("PNG: cannot read the folder ", folder, ": ", error.what());
  }
  std::sort(files.begin(), files.end(), [](const fs::path& a, const fs::path& b) {
    return a.filename().native() < b.filename().native();
  });
  return files;
}

/// The luma of each pixel of a colour image, in place.
inline void take_luma(PngPixels& pixels) {
  if (pixels.samples != 3) return;
  const std::size_t count = pixels.values.size() / 3;
  for (std::size_t p = 0; p < count; ++p) {
    const unsigned char* rgb = pixels.values.data() + 3 * p;
    pixels.values[p] = static_cast<unsigned char>(luma(rgb[0], rgb[1], rgb[2]));
  }
  pixels.samples = 1;
  pixels.values.resize(count);
}

[[nodiscard]] inline PngPixels read_png_pixels(const std::filesystem::path& path,
                                               const PngOptions& options) {
  PngPixels pixels = decode_png(path, options);
  if (pixels.samples == 2 || pixels.samples == 4) compose(pixels, *options.background);
  if (options.grey) take_luma(pixels);
  return pixels;
}

[[nodiscard]] inline ImageShape image_shape(const PngPixels& pixels) {
  return {static_cast<Index>(pixels.height), static_cast<Index>(pixels.width),
          static_cast<Index>(pixels.samples)};
}

/// read_png_folder; `grey_knob` is what errors call PngOptions::grey.
[[nodiscard]] inline Images read_png_folder(const std::filesystem::path& folder,
                                            const PngOptions& options, const char* grey_knob) {
  if (options.limit < 0) {
    fail<ConfigError>("read_png_folder: PngOptions::limit is ", options.limit,
                      ", expected 0 or more");
  }
  const std::vector<std::filesystem::path> files = png_files(folder);
  if (files.empty()) fail<FileError>("PNG: the folder ", folder, " has no *.png file");
  const auto wanted = static_cast<Index>(files.size());
  const Index total = options.limit == 0 ? wanted : std::min(options.limit, wanted);
  Images images;
  for (Index count = 0; count < total; ++count) {
    const std::filesystem::path& path = files[static_cast<std::size_t>(count)];
    const PngPixels pixels = read_png_pixels(path, options);
    const ImageShape shape = image_shape(pixels);
    if (count != 0 && shape != images.image_shape()) {
      const bool colour = shape.channels != images.image_shape().channels;
      fail<FileError>("PNG: ", path, ": the image is ", shape,
                      " (height x width x channels), expected ", images.image_shape(),
                      " as the first of the folder", colour ? " (with " : "",
                      colour ? grey_knob : "", colour ? " grey and colour mix)" : "");
    }
    const std::uint64_t bytes = static_cast<std::uint64_t>(count + 1) * pixels.values.size();
    if (bytes > options.max_bytes) {
      fail<FileError>("PNG: ", path, ": the folder has more than ", options.max_bytes,
                      " bytes of pixels (PngOptions::max_bytes)");
    }
    if (count == images.count()) {
      // Twice the room, but no more than there are files: the last one made is the result.
      Images larger(std::min(total, 2 * count + 1), shape, 256);
      std::ranges::copy(images.pixels(), larger.pixels().begin());
      images = std::move(larger);
    }
    std::ranges::copy(pixels.values, images[count].begin());
  }
  return images;
}

}  // namespace detail

/// One image, (1, H, W, C), of 256 levels; C is 1 for grey and 3 for colour, palettes included.
/// Values are those of the file: samples of fewer bits are scaled up, of 16 bits scaled down,
/// and no gamma is applied. Throws FileError if the file cannot be read or breaks the format, has
/// more pixels than `max_pixels`, or transparency without a `background`.
[[nodiscard]] inline Images read_png(const std::filesystem::path& path,
                                     const PngOptions& options = {}) {
  const detail::PngPixels pixels = detail::read_png_pixels(path, options);
  Images image(1, detail::image_shape(pixels), 256);
  std::ranges::copy(pixels.values, image.pixels().begin());
  return image;
}

/// All images of a folder, files named *.png or *.PNG without a leading dot, sorted by the bytes of
/// their names; symbolic links are followed within the folder. Throws FileError as read_png does,
/// and if there is no image, one differs in size or channels from the first, or a link leaves the
/// folder; ConfigError if limit is negative. Memory grows with the images that have been read.
[[nodiscard]] inline Images read_png_folder(const std::filesystem::path& folder,
                                            const PngOptions& options = {}) {
  return detail::read_png_folder(folder, options, "PngOptions::grey");
}

/// Writes one image, (1, H, W, C) with C = 1 (grey) or 3 (RGB), with 8 bits a sample and the levels
/// spread over 0 .. 255: level * 255 / (levels - 1), rounded to nearest; with 16 bits and over
/// 0 .. 65535 if there are more than 256 levels. Atomically, see AtomicFile. Throws ShapeError
/// unless it is one such image (grid() makes one of many), FileError if it cannot be written.
inline void write_png(const std::filesystem::path& path, const Images& image) {
  const ImageShape shape = image.image_shape();
  constexpr Index longest = PNG_UINT_31_MAX;
  const bool fits = shape.height >= 1 && shape.height <= longest && shape.width >= 1 &&
                    shape.width <= longest && (shape.channels == 1 || shape.channels == 3);
  if (image.count() != 1 || !fits) {
    detail::fail<ShapeError>("write_png: images are ", image.pixels().shape(),
                             ", expected N = 1 (see grid) and C = 1 or 3");
  }
  const bool is_wide = image.levels() > 256;
  const Index top = image.levels() - 1, white = is_wide ? 65535 : 255;
  const Index row = shape.width * shape.channels * (is_wide ? 2 : 1);
  std::vector<unsigned char> values;
  values.reserve(static_cast<std::size_t>(shape.height * row));
  for (const Index level : image.pixels()) {
    const Index sample = (level * white + top / 2) / top;
    if (is_wide) values.push_back(static_cast<unsigned char>(sample >> 8));
    values.push_back(static_cast<unsigned char>(sample & 255));
  }

  detail::PngState state;
  detail::PngHandle handle(detail::PngHandle::Use::write, state);
  const bool done = handle.run([&](png_structp png, png_infop info) {
    png_set_IHDR(png, info, static_cast<png_uint_32>(shape.width),
                 static_cast<png_uint_32>(shape.height), is_wide ? 16 : 8,
                 shape.channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (Index r = 0; r < shape.height; ++r) {
      png_write_row(png, values.data() + r * row);
    }
    png_write_end(png, nullptr);
  });
  if (state.out_of_memory) throw std::bad_alloc();
  if (!done) detail::fail<FileError>("PNG: cannot make ", path, ": ", state.message.data());
  write_file_atomically(path, state.written);
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
