// SPDX-License-Identifier: MIT
// gzip: inflating piece by piece, from memory or a file, into memory whose size the caller has
// proved.
#pragma once

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
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

/// Inflates gzip data (RFC 1952) of one or more members; `name` is what errors call the data.
class GzipReader {
 public:
  /// No gzip data inflates to more than so many times its size.
  static constexpr std::uint64_t max_ratio = detail::deflate_max_ratio;

  /// Where compressed data come from: each call gives the next piece, which must stay until the
  /// next call; an empty one ends them.
  using Pieces = std::function<std::span<const std::byte>()>;

  GzipReader(Pieces pieces, std::string name) : pieces_(std::move(pieces)), name_(std::move(name)) {
    constexpr int gzip_only = 16;
    if (inflateInit2(&stream_, MAX_WBITS + gzip_only) != Z_OK) throw std::bad_alloc();
  }
  /// Of data in memory, which must outlive it.
  GzipReader(std::span<const std::byte> compressed, std::string name)
      : GzipReader([compressed]() mutable { return std::exchange(compressed, {}); },
                   std::move(name)) {}
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
  static constexpr std::size_t most = std::numeric_limits<uInt>::max();

  /// Gives zlib something to read if it has nothing and there is something.
  void feed() {
    if (stream_.avail_in != 0) return;
    if (piece_.empty()) piece_ = pieces_();
    const std::span<const std::byte> fed = piece_.first(std::min(most, piece_.size()));
    piece_ = piece_.subspan(fed.size());
    // zlib reads through this pointer only; its type lacks the const.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(fed.data()));
    stream_.avail_in = static_cast<uInt>(fed.size());
  }

  /// One call of inflate; returns the bytes it gave.
  std::size_t step(std::span<std::byte> out) {
    feed();
    const uInt fed = stream_.avail_in;
    const std::size_t room = std::min(most, out.size());
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(room);
    const int status = inflate(&stream_, Z_NO_FLUSH);
    position_ += fed - stream_.avail_in;
    if (status == Z_STREAM_END) {
      next_member();
    } else if (status == Z_MEM_ERROR) {
      throw std::bad_alloc();
    } else if (status != Z_OK) {
      // The two bytes of the magic number are the first that zlib looks at.
      constexpr uLong magic = 2;
      const bool cut_off = status == Z_BUF_ERROR;
      if (follows_ && stream_.total_in <= magic - (cut_off ? 1 : 0)) {
        refuse("something that is not gzip follows the data");
      }
      refuse(cut_off                  ? "the data is cut off"
             : stream_.msg != nullptr ? stream_.msg
                                      : "the data is damaged");
    }
    return room - stream_.avail_out;
  }

  void next_member() {
    feed();
    finished_ = stream_.avail_in == 0;
    follows_ = true;
    if (!finished_) inflateReset(&stream_);
  }

  [[noreturn]] void refuse(const char* why) const {
    detail::fail<FileError>("gzip: ", name_, ": offset ", position_, ": ", why);
  }

  Pieces pieces_;
  std::string name_;
  z_stream stream_{};
  std::span<const std::byte> piece_;  ///< what zlib has not been given yet
  std::uint64_t position_ = 0;
  bool follows_ = false;  ///< a member has been read
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

/// The bytes of a file, inflated on the way if they begin as gzip does. It holds 64 KiB of the file
/// at a time, so that a file costs what is made of it and no more.
class ByteSource {
 public:
  /// Throws FileError if the file cannot be read or has more than `max_bytes`.
  explicit ByteSource(const std::filesystem::path& path,
                      std::uint64_t max_bytes = default_max_bytes)
      : file_(path) {
    file_.require_at_most(max_bytes);
    constexpr std::uint64_t largest_piece = 1 << 16;
    piece_.resize(static_cast<std::size_t>(std::min(file_.size(), largest_piece)));
    begin();
  }
  // The reader of gzip asks this object for bytes.
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;

  /// Fills `out` with the next bytes; returns how many, less than asked for only at the end, which
  /// a zipped file has reached intact. Throws FileError as GzipReader does, or if the file cannot
  /// be read.
  std::size_t read(std::span<std::byte> out) {
    std::size_t got = 0;
    if (gzip_) {
      got = gzip_->read(out);
    } else {
      while (got < out.size()) {
        if (rest_.empty()) rest_ = next_piece();
        if (rest_.empty()) break;
        const std::size_t count = std::min(rest_.size(), out.size() - got);
        std::memcpy(out.data() + got, rest_.data(), count);
        rest_ = rest_.subspan(count);
        got += count;
      }
    }
    offset_ += got;
    unread_ -= got;
    return got;
  }

  /// Reads and forgets `count` bytes; returns and throws as read does.
  std::uint64_t skip(std::uint64_t count) {
    std::array<std::byte, 4096> forgotten;
    std::uint64_t skipped = 0;
    while (skipped < count) {
      const auto wanted =
          static_cast<std::size_t>(std::min<std::uint64_t>(forgotten.size(), count - skipped));
      const std::size_t got = read(std::span(forgotten).first(wanted));
      skipped += got;
      if (got < wanted) break;
    }
    return skipped;
  }

  /// Goes back to the first byte.
  void rewind() {
    file_.rewind();
    begin();
  }

  /// Bytes read so far.
  [[nodiscard]] std::uint64_t offset() const { return offset_; }
  /// No more bytes than these can follow, and exactly these if the file is not zipped: what a
  /// header promises is held against it before memory is allocated.
  [[nodiscard]] std::uint64_t at_most() const { return unread_; }
  [[nodiscard]] bool is_zipped() const { return gzip_.has_value(); }
  [[nodiscard]] std::string name() const { return file_.path().string(); }

 private:
  void begin() {
    left_ = file_.size();
    offset_ = 0;
    rest_ = next_piece();
    gzip_.reset();
    if (is_gzip(rest_)) {
      gzip_.emplace([this] { return rest_.empty() ? next_piece() : std::exchange(rest_, {}); },
                    name());
    }
    unread_ = gzip_ ? file_.size() * GzipReader::max_ratio : file_.size();
  }

  /// Reads on into piece_, whose bytes have been used.
  std::span<const std::byte> next_piece() {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(piece_.size(), left_));
    const std::span<std::byte> piece = std::span(piece_).first(count);
    file_.read(piece);
    left_ -= count;
    return piece;
  }

  InputFile file_;
  std::uint64_t left_ = 0;  ///< bytes of the file that are not in piece_
  std::vector<std::byte> piece_;
  std::span<const std::byte> rest_;  ///< of piece_, not used yet
  std::optional<GzipReader> gzip_;
  std::uint64_t offset_ = 0;
  std::uint64_t unread_ = 0;
};

}  // namespace pixelrnn::inline PIXELRNN_ABI
