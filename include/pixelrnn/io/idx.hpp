// SPDX-License-Identifier: MIT
// IDX, the format of MNIST and its kin: images and labels as arrays of bytes, plain or gzipped.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <pixelrnn/core/images.hpp>
#include <pixelrnn/io/gzip.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// How read_idx takes a file.
struct IdxOptions {
  /// Values are 0 .. levels-1: 256 for grey or colour, 2 for a file that is binary already.
  int levels = 256;
  /// Images::binarization of the result. Empty: "fixed" for 2 levels (the file fixes the draw, as
  /// the binarised MNIST of Larochelle & Murray 2011 does), "none" for more.
  std::string binarization = {};
  /// The file of the images' labels, if they are wanted.
  std::filesystem::path labels = {};
  /// Labels are 0 .. classes-1.
  int classes = 10;
  /// Only the first so many images, with their labels; 0: all. What follows is not read.
  Index limit = 0;
  /// Most bytes of the file, and of what is made of it.
  std::uint64_t max_bytes = default_max_bytes;
};

namespace detail {

/// 00 00 T R, then R sizes of 4 bytes, most significant first; then the values, last axis fastest.
/// T is their type: 8 for unsigned bytes, the only one that is read.
class IdxReader {
 public:
  static constexpr std::byte unsigned_byte{0x08};
  static constexpr std::size_t max_rank = 4;

  /// What the values of a type are; nothing if the format has no such type.
  [[nodiscard]] static constexpr std::string_view type_name(std::byte type) {
    switch (std::to_integer<int>(type)) {
      case 0x08:
        return "unsigned bytes";
      case 0x09:
        return "signed bytes";
      case 0x0b:
        return "16-bit integers";
      case 0x0c:
        return "32-bit integers";
      case 0x0d:
        return "32-bit floats";
      case 0x0e:
        return "64-bit floats";
      default:
        return {};
    }
  }

  IdxReader(const std::filesystem::path& path, std::uint64_t max_bytes)
      : source_(path, max_bytes), name_(source_.name()), max_bytes_(max_bytes) {
    std::byte magic[4];
    read_header(magic);
    if (magic[0] != std::byte{0} || magic[1] != std::byte{0}) {
      refuse("the file does not begin with 00 00");
    }
    const std::string_view type = type_name(magic[2]);
    if (type.empty()) {
      refuse("the type of the values is ", std::to_integer<int>(magic[2]),
             ", expected 8 (unsigned bytes)");
    }
    if (magic[2] != unsigned_byte) {
      refuse("it is an IDX file of ", type, ", expected unsigned bytes");
    }
    const std::size_t rank = std::to_integer<std::size_t>(magic[3]);
    if (rank < 1 || rank > max_rank) refuse("the number of axes is ", rank, ", expected 1 to 4");
    for (std::size_t axis = 0; axis < rank; ++axis) {
      std::byte size[4];
      read_header(size);
      sizes_.push_back(static_cast<Index>(load_big32(size)));
    }
    // From the last axis, so that no images at all (N = 0) do not hide the impossible size of one.
    for (std::size_t axis = rank; axis-- > 0;) {
      if (!multiply(product_, static_cast<std::uint64_t>(sizes_[axis]), product_)) {
        refuse("the sizes multiply to 2^63 or more");
      }
    }
    if (product_ > source_.at_most()) {
      refuse("the sizes promise ", product_, " values, but at most ", source_.at_most(),
             " can follow");
    }
  }

  [[nodiscard]] const std::vector<Index>& sizes() const { return sizes_; }

  /// Throws unless the next values of the file are really there, so many, and no more if these are
  /// all: a promise is not worth memory. A zipped file is inflated for that without being kept.
  void require_values(std::uint64_t values) {
    if (values > max_bytes_) {
      refuse("the sizes promise ", values, " values, max_bytes is ", max_bytes_);
    }
    const std::uint64_t header = source_.offset();
    const std::uint64_t got =
        source_.is_zipped() ? source_.skip(values) : std::min(values, source_.at_most());
    if (got != values) refuse("the file ends before ", values - got, " of the values");
    if (values == product_) require_end(source_.is_zipped() ? 0 : values);
    if (!source_.is_zipped()) return;
    source_.rewind();
    source_.skip(header);
  }

  /// The next values into `out`, each checked to be below `levels` (`knob` says where that bound
  /// comes from).
  void read(std::span<std::uint8_t> out, int levels, const char* knob) {
    const std::uint64_t header = source_.offset();
    const std::size_t got = source_.read(std::as_writable_bytes(out));
    if (got != out.size()) refuse("the file ends before ", out.size() - got, " of the values");
    const auto bad = std::find_if(out.begin(), out.end(), [&](int v) { return v >= levels; });
    if (bad != out.end()) {
      detail::fail<FileError>(
          "IDX: ", name_, ": offset ", header + static_cast<std::uint64_t>(bad - out.begin()),
          ": the value is ", int{*bad}, ", expected 0 to ", levels - 1, " (", knob, ")");
    }
  }

  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    detail::fail<FileError>("IDX: ", name_, ": offset ", source_.offset(), ": ", parts...);
  }

 private:
  void read_header(std::span<std::byte> out) {
    if (source_.read(out) != out.size()) refuse("the file ends within its header");
  }
  /// Nothing may follow the next `values`; a zipped file's end is also where its checksum is.
  void require_end(std::uint64_t values) {
    std::byte excess;
    if (source_.is_zipped() ? source_.read({&excess, 1}) != 0 : source_.at_most() != values) {
      refuse("the file goes on after its last value");
    }
  }

  ByteSource source_;
  std::string name_;
  std::uint64_t max_bytes_;
  std::vector<Index> sizes_;
  std::uint64_t product_ = 1;
};

/// The first `count` labels of a file.
[[nodiscard]] inline std::vector<int> read_labels(IdxReader& file, Index count, int classes,
                                                  const char* knob) {
  file.require_values(static_cast<std::uint64_t>(count));
  std::vector<std::uint8_t> labels(static_cast<std::size_t>(count));
  file.read(labels, classes, knob);
  return {labels.begin(), labels.end()};
}

inline void require_labels(const IdxReader& file) {
  if (file.sizes().size() != 1) {
    file.refuse("it is an IDX file of ", file.sizes().size() < 3 ? "tables" : "images", " (",
                file.sizes().size(), " axes), expected labels: (N)");
  }
}

/// Throws unless the file is one of images; returns their channels.
[[nodiscard]] inline Index require_images(const IdxReader& file) {
  const std::vector<Index>& s = file.sizes();
  constexpr const char* accepted = "expected images: (N, H, W), or (N, H, W, C) with C = 1 or 3";
  if (s.size() == 1) file.refuse("it is an IDX file of labels (1 axis, of ", s[0], "), ", accepted);
  const Index channels = s.size() == 4 ? s[3] : 1;
  if (s.size() < 3 || (channels != 1 && channels != 3)) {
    file.refuse("the file has ", s.size(), " axes, the last of ", s.back(), ", ", accepted);
  }
  if (s[1] == 0 || s[2] == 0) file.refuse("the images are ", s[1], 'x', s[2], ", expected pixels");
  return channels;
}

/// read_idx; `levels_knob` is what errors call IdxOptions::levels.
[[nodiscard]] inline Images read_idx(const std::filesystem::path& path, const IdxOptions& options,
                                     const char* levels_knob) {
  if (options.levels < 2 || options.levels > 256 || options.limit < 0) {
    fail<ConfigError>("read_idx: IdxOptions::levels is ", options.levels, " and limit ",
                      options.limit, ", expected 2 to 256 levels and limit >= 0");
  }
  IdxReader file(path, options.max_bytes);
  const Index channels = require_images(file);
  const std::vector<Index>& s = file.sizes();
  const Index count = options.limit == 0 ? s[0] : std::min(options.limit, s[0]);
  std::vector<int> labels;
  if (!options.labels.empty()) {
    IdxReader label_file(options.labels, options.max_bytes);
    require_labels(label_file);
    if (label_file.sizes()[0] != s[0]) {
      fail<FileError>("IDX: ", path, " has ", s[0], " images, but ", options.labels, " has ",
                      label_file.sizes()[0], " labels");
    }
    labels = read_labels(label_file, count, options.classes, "IdxOptions::classes");
  }
  file.require_values(static_cast<std::uint64_t>(count * s[1] * s[2] * channels));
  Tensor<Images::Level, 4> pixels({count, s[1], s[2], channels});
  // Into the second half of their room, from where each goes to its place before another is in its
  // way.
  const auto total = static_cast<std::size_t>(pixels.size());
  auto* const bytes = reinterpret_cast<std::uint8_t*>(pixels.data()) + total;
  file.read({bytes, total}, options.levels, levels_knob);
  for (std::size_t i = 0; i < total; ++i) pixels.data()[i] = bytes[i];
  std::string binarization = options.binarization;
  if (binarization.empty()) binarization = options.levels == 2 ? "fixed" : "none";
  Images images(std::move(pixels), options.levels, std::move(binarization));
  images.set_labels(std::move(labels));
  return images;
}

}  // namespace detail

/// The labels of an IDX file of unsigned bytes, (N). Throws FileError if the file cannot be read,
/// breaks the format or holds a label that is not below `classes`.
[[nodiscard]] inline std::vector<int> read_idx_labels(const std::filesystem::path& path,
                                                      int classes = 10,
                                                      std::uint64_t max_bytes = default_max_bytes) {
  detail::IdxReader file(path, max_bytes);
  detail::require_labels(file);
  return detail::read_labels(file, file.sizes()[0], classes, "classes");
}

/// The images of an IDX file of unsigned bytes, (N, H, W) or (N, H, W, C) with C = 1 or 3. A
/// gzipped file is known by its first bytes, not by its name. A binary file is read by
/// `read_idx(path, {.levels = 2})`, labels with their images by `read_idx(path, {.labels = file})`.
/// Throws FileError if a file cannot be read, breaks the format, holds a value that is not a level
/// or another number of labels, ConfigError if levels is not 2 to 256 or limit is negative.
/// Memory is made for the images that are there, once: a zipped file is inflated twice for that.
[[nodiscard]] inline Images read_idx(const std::filesystem::path& path,
                                     const IdxOptions& options = {}) {
  return detail::read_idx(path, options, "IdxOptions::levels");
}

/// Writes images as IDX, (N, H, W) if they are grey and (N, H, W, C) otherwise, gzipped if the name
/// ends in ".gz"; atomically, see AtomicFile. The number of levels is not in the format. Throws
/// FileError if the file cannot be written, ConfigError if there are more than 256 levels,
/// ShapeError if an extent is over 2^32 - 1.
inline void write_idx(const std::filesystem::path& path, const Images& images) {
  const Shape<4> shape = images.pixels().shape();
  if (images.levels() > 256) {
    detail::fail<ConfigError>("write_idx: images have ", images.levels(),
                              " levels, expected at most 256, a byte each; write_npy() of "
                              "images.pixels() writes more");
  }
  const std::size_t rank = shape.c() == 1 ? 3 : 4;
  std::vector<std::byte> bytes(4 + 4 * rank);
  bytes[2] = detail::IdxReader::unsigned_byte;
  bytes[3] = static_cast<std::byte>(rank);
  for (std::size_t axis = 0; axis < rank; ++axis) {
    if (shape[axis] > Index{0xffffffff}) {
      detail::fail<ShapeError>("write_idx: images are ", shape, ", expected extents below 2^32");
    }
    detail::store_big32(&bytes[4 + 4 * axis], static_cast<std::uint32_t>(shape[axis]));
  }
  for (const Images::Level level : images.pixels()) bytes.push_back(std::byte(level));
  write_file_atomically(path, path.extension() == ".gz" ? deflate_gzip(bytes) : bytes);
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
