// SPDX-License-Identifier: MIT
// IDX, the format of MNIST and its kin: images and labels as arrays of bytes, plain or gzipped.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <pixelrnn/core/images.hpp>
#include <pixelrnn/io/gzip.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// How read_idx takes the values of a file.
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
  /// Most bytes of the file, and of what it unpacks to.
  std::uint64_t max_bytes = default_max_bytes;
};

namespace detail {

/// 00 00 08 R, then R sizes of 4 bytes, most significant first; then the values, last axis fastest.
class IdxReader {
 public:
  static constexpr std::byte unsigned_byte{0x08};
  static constexpr std::size_t max_rank = 4;

  IdxReader(const std::filesystem::path& path, std::uint64_t max_bytes)
      : name_(path.string()), file_(read_file(path, max_bytes)), source_(file_, name_) {
    std::byte magic[4];
    read_header(magic);
    if (magic[0] != std::byte{0} || magic[1] != std::byte{0}) {
      fail("the file does not begin with 00 00");
    }
    if (magic[2] != unsigned_byte) {
      fail("the type of the values is ", std::to_integer<int>(magic[2]),
           ", expected 8 (unsigned bytes)");
    }
    const std::size_t rank = std::to_integer<std::size_t>(magic[3]);
    if (rank < 1 || rank > max_rank) fail("the number of axes is ", rank, ", expected 1 to 4");
    for (std::size_t axis = 0; axis < rank; ++axis) {
      std::byte size[4];
      read_header(size);
      sizes_.push_back(static_cast<Index>(load_big32(size)));
    }
    // From the last axis, so that no images at all (N = 0) do not hide the impossible size of one.
    std::uint64_t product = 1;
    for (std::size_t axis = rank; axis-- > 0;) {
      if (!multiply(product, static_cast<std::uint64_t>(sizes_[axis]), product)) {
        fail("the sizes multiply to 2^63 or more");
      }
    }
    if (product > source_.at_most() || product > max_bytes) {
      fail("the sizes promise ", product, " values, but at most ",
           std::min(source_.at_most(), max_bytes), " can follow (max_bytes is ", max_bytes, ")");
    }
  }
  IdxReader(const IdxReader&) = delete;
  IdxReader& operator=(const IdxReader&) = delete;

  [[nodiscard]] const std::vector<Index>& sizes() const { return sizes_; }

  /// All values into `out`, whose size is the product of sizes(), each checked to be below `levels`
  /// (`knob` says where that bound comes from).
  void read(std::span<std::uint8_t> out, int levels, const char* knob) {
    const std::uint64_t header = source_.offset();
    const std::size_t got = source_.read(std::as_writable_bytes(out));
    if (got != out.size()) fail("the file ends before ", out.size() - got, " of the values");
    std::byte excess;
    if (source_.read({&excess, 1}) != 0) fail("the file goes on after its last value");
    const auto bad = std::find_if(out.begin(), out.end(), [&](int v) { return v >= levels; });
    if (bad != out.end()) {
      detail::fail<FileError>(
          "IDX: ", name_, ": offset ", header + static_cast<std::uint64_t>(bad - out.begin()),
          ": the value is ", int{*bad}, ", expected 0 to ", levels - 1, " (", knob, ")");
    }
  }

  template <class... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    detail::fail<FileError>("IDX: ", name_, ": offset ", source_.offset(), ": ", parts...);
  }

 private:
  void read_header(std::span<std::byte> out) {
    if (source_.read(out) != out.size()) fail("the file ends within its header");
  }

  std::string name_;
  std::vector<std::byte> file_;
  ByteSource source_;
  std::vector<Index> sizes_;
};

}  // namespace detail

/// The labels of an IDX file of unsigned bytes, (N). Throws FileError if the file cannot be read,
/// breaks the format or holds a label that is not below `classes`.
[[nodiscard]] inline std::vector<int> read_idx_labels(const std::filesystem::path& path,
                                                      int classes = 10,
                                                      std::uint64_t max_bytes = default_max_bytes) {
  detail::IdxReader file(path, max_bytes);
  if (file.sizes().size() != 1) {
    file.fail("the file has ", file.sizes().size(), " axes, expected labels: (N)");
  }
  std::vector<std::uint8_t> labels(static_cast<std::size_t>(file.sizes()[0]));
  file.read(labels, classes, "classes");
  return {labels.begin(), labels.end()};
}

/// The images of an IDX file of unsigned bytes, (N, H, W) or (N, H, W, C) with C = 1 or 3. A
/// gzipped file is known by its first bytes, not by its name. A binary file is read by
/// `read_idx(path, {.levels = 2})`, labels with their images by `read_idx(path, {.labels = file})`.
/// Throws FileError if a file cannot be read, breaks the format, holds a value that is not a level
/// or another number of labels, ConfigError if levels is not 2 to 256.
[[nodiscard]] inline Images read_idx(const std::filesystem::path& path,
                                     const IdxOptions& options = {}) {
  if (options.levels < 2 || options.levels > 256) {
    detail::fail<ConfigError>("read_idx: IdxOptions::levels is ", options.levels,
                              ", expected 2 to 256");
  }
  detail::IdxReader file(path, options.max_bytes);
  const std::vector<Index>& s = file.sizes();
  const Index channels = s.size() == 4 ? s[3] : 1;
  if (s.size() < 3 || (channels != 1 && channels != 3)) {
    file.fail("the file has ", s.size(), " axes, the last of ", s.back(),
              ", expected images: (N, H, W), or (N, H, W, C) with C = 1 or 3");
  }
  if (s[1] == 0 || s[2] == 0) file.fail("the images are ", s[1], 'x', s[2], ", expected pixels");
  std::vector<int> labels;
  if (!options.labels.empty()) {
    labels = read_idx_labels(options.labels, options.classes, options.max_bytes);
    if (static_cast<Index>(labels.size()) != s[0]) {
      detail::fail<FileError>("IDX: ", path, " has ", s[0], " images, but ", options.labels,
                              " has ", labels.size(), " labels");
    }
  }
  Tensor<Images::Level, 4> pixels({s[0], s[1], s[2], channels});
  file.read({pixels.data(), static_cast<std::size_t>(pixels.size())}, options.levels,
            "IdxOptions::levels");
  std::string binarization = options.binarization;
  if (binarization.empty()) binarization = options.levels == 2 ? "fixed" : "none";
  Images images(std::move(pixels), options.levels, std::move(binarization));
  images.set_labels(std::move(labels));
  return images;
}

/// Writes images as IDX, (N, H, W) if they are grey and (N, H, W, C) otherwise, gzipped if the name
/// ends in ".gz"; atomically, see AtomicFile. The number of levels is not in the format. Throws
/// FileError if the file cannot be written, ShapeError if an extent is over 2^32 - 1.
inline void write_idx(const std::filesystem::path& path, const Images& images) {
  const Shape<4> shape = images.pixels().shape();
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
  const std::span<const std::byte> values = std::as_bytes(images.pixels().flat());
  bytes.insert(bytes.end(), values.begin(), values.end());
  write_file_atomically(path, path.extension() == ".gz" ? deflate_gzip(bytes) : bytes);
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
