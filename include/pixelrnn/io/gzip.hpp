// SPDX-License-Identifier: MIT
// gzip: inflating piece by piece into memory whose size the caller has proved, never gzip's word.
#pragma once

#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <pixelrnn/io/bytes.hpp>
#include <pixelrnn/io/file.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// Do the bytes begin with gzip's magic number?
[[nodiscard]] inline bool is_gzip(std::span<const std::byte> bytes) {
  return bytes.size() >= 2 && bytes[0] == std::byte{0x1f} && bytes[1] == std::byte{0x8b};
}

/// Inflates gzip data (RFC 1952) of one or more members. `compressed` must outlive it; `name` is
/// what errors call the data.
class GzipReader {
 public:
  /// No gzip data inflates to more than so many times its size.
  static constexpr std::uint64_t max_ratio = detail::deflate_max_ratio;

  GzipReader(std::span<const std::byte> compressed, std::string name)
      : compressed_(compressed), name_(std::move(name)) {
    constexpr int gzip_only = 16;
    if (inflateInit2(&stream_, MAX_WBITS + gzip_only) != Z_OK) throw std::bad_alloc();
  }
  // zlib keeps a pointer to the stream.
  GzipReader(const GzipReader&) = delete;
  GzipReader& operator=(const GzipReader&) = delete;
  ~GzipReader() { inflateEnd(&stream_); }

  /// Inflates into `out`; returns how many bytes, less than asked for only at the end of the data,
  /// which then has been found intact. Throws FileError if the data is cut off (in its trailer
  /// too), breaks the format, fails its checksum, or is followed by something that is not gzip.
  std::size_t read(std::span<std::byte> out) {
    std::size_t filled = 0;
    while (filled < out.size() && !finished_) filled += step(out.subspan(filled));
    return filled;
  }

 private:
  /// One call of inflate; returns the bytes it gave.
  std::size_t step(std::span<std::byte> out) {
    constexpr std::size_t most = std::numeric_limits<uInt>::max();
    const std::size_t fed = std::min(most, compressed_.size() - position_);
    const std::size_t room = std::min(most, out.size());
    // zlib reads through this pointer only; its type lacks the const.
    stream_.next_in =
        reinterpret_cast<Bytef*>(const_cast<std::byte*>(compressed_.data() + position_));
    stream_.avail_in = static_cast<uInt>(fed);
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(room);
    const int status = inflate(&stream_, Z_NO_FLUSH);
    position_ += fed - stream_.avail_in;
    switch (status) {
      case Z_OK:
        break;
      case Z_STREAM_END:
        next_member();
        break;
      case Z_BUF_ERROR:
        fail("the data is cut off");
      case Z_MEM_ERROR:
        throw std::bad_alloc();
      default:
        fail(stream_.msg != nullptr ? stream_.msg : "the data is damaged");
    }
    return room - stream_.avail_out;
  }

  void next_member() {
    const std::span<const std::byte> rest = compressed_.subspan(position_);
    finished_ = rest.empty();
    if (finished_) return;
    if (!is_gzip(rest)) fail("something that is not gzip follows the data");
    inflateReset(&stream_);
  }

  [[noreturn]] void fail(const char* why) const {
    detail::fail<FileError>("gzip: ", name_, ": offset ", position_, ": ", why);
  }

  std::span<const std::byte> compressed_;
  std::string name_;
  z_stream stream_{};
  std::size_t position_ = 0;
  bool finished_ = false;
};

/// All that gzip data inflates to. Memory grows with what is really there. Throws FileError as
/// GzipReader does, and if there are more than `max_bytes`.
[[nodiscard]] inline std::vector<std::byte> inflate_gzip(
    std::span<const std::byte> compressed, const std::string& name,
    std::uint64_t max_bytes = default_max_bytes) {
  GzipReader reader(compressed, name);
  std::vector<std::byte> bytes;
  for (std::size_t filled = 0;;) {
    const std::uint64_t wanted = std::max<std::uint64_t>(1 << 16, 2 * filled);
    bytes.resize(static_cast<std::size_t>(std::min(wanted - 1, max_bytes) + 1));
    filled += reader.read(std::span(bytes).subspan(filled));
    if (filled > max_bytes) {
      detail::fail<FileError>("gzip: ", name, ": inflates to more than ", max_bytes,
                              " bytes (max_bytes)");
    }
    if (filled < bytes.size()) {
      bytes.resize(filled);
      return bytes;
    }
  }
}

/// Bytes as one gzip member, without name or time: the same bytes always give the same result.
/// Throws std::bad_alloc.
[[nodiscard]] inline std::vector<std::byte> deflate_gzip(std::span<const std::byte> bytes) {
  struct Deflater {
    z_stream stream{};
    Deflater() {
      constexpr int gzip_format = 16, default_memory = 8;
      if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, MAX_WBITS + gzip_format,
                       default_memory, Z_DEFAULT_STRATEGY) != Z_OK) {
        throw std::bad_alloc();
      }
    }
    Deflater(const Deflater&) = delete;
    Deflater& operator=(const Deflater&) = delete;
    ~Deflater() { deflateEnd(&stream); }
  } deflater;
  z_stream& stream = deflater.stream;

  constexpr std::size_t most = std::size_t{1} << 30;
  std::vector<std::byte> result;
  std::vector<std::byte> piece(std::size_t{1} << 16);
  for (int status = Z_OK; status != Z_STREAM_END;) {
    const std::size_t fed = std::min(most, bytes.size());
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(fed);
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = static_cast<uInt>(piece.size());
    status = deflate(&stream, fed == bytes.size() ? Z_FINISH : Z_NO_FLUSH);
    bytes = bytes.subspan(fed - stream.avail_in);
    result.insert(result.end(), piece.begin(), piece.end() - stream.avail_out);
  }
  return result;
}

/// The bytes of a file, inflated on the way if they begin as gzip does. `file` must outlive it.
class ByteSource {
 public:
  ByteSource(std::span<const std::byte> file, const std::string& name) : rest_(file) {
    if (is_gzip(file)) gzip_.emplace(file, name);
    unread_ = gzip_ ? file.size() * GzipReader::max_ratio : file.size();
  }

  /// Fills `out` with the next bytes; returns how many, less than asked for only at the end, which
  /// a zipped file has reached intact. Throws FileError as GzipReader does.
  std::size_t read(std::span<std::byte> out) {
    const std::size_t got = gzip_ ? gzip_->read(out) : std::min(out.size(), rest_.size());
    if (!gzip_ && got != 0) std::memcpy(out.data(), rest_.data(), got);
    if (!gzip_) rest_ = rest_.subspan(got);
    offset_ += got;
    unread_ -= got;
    return got;
  }

  /// Bytes read so far.
  [[nodiscard]] std::uint64_t offset() const { return offset_; }
  /// No more bytes than these can follow: what a header promises is held against it before memory
  /// is allocated.
  [[nodiscard]] std::uint64_t at_most() const { return unread_; }

 private:
  std::span<const std::byte> rest_;
  std::optional<GzipReader> gzip_;
  std::uint64_t offset_ = 0;
  std::uint64_t unread_ = 0;
};

}  // namespace pixelrnn::inline PIXELRNN_ABI
