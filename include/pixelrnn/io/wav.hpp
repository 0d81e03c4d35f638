// SPDX-License-Identifier: MIT
// WAV files: sound in and out.
#pragma once

#include <sndfile.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include <pixelrnn/core/sound.hpp>
#include <pixelrnn/io/bytes.hpp>
#include <pixelrnn/io/file.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

struct WavOptions {
  Index limit = 0;  ///< only the first so many frames; 0: all. No more are kept.
  std::uint64_t max_bytes = default_max_bytes;  ///< most bytes of the file, and of its samples
};

namespace detail {

/// A file in memory, as libsndfile reads and writes one.
struct SoundMemory {
  std::vector<std::byte> bytes;
  std::size_t at = 0;

  static SoundMemory& of(void* self) { return *static_cast<SoundMemory*>(self); }
  static sf_count_t length(void* self) { return std::ssize(of(self).bytes); }
  static sf_count_t tell(void* self) { return static_cast<sf_count_t>(of(self).at); }
  static sf_count_t seek(sf_count_t offset, int whence, void* self) {
    const sf_count_t from = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? tell(self) : length(self);
    of(self).at = static_cast<std::size_t>(std::clamp<sf_count_t>(from + offset, 0, length(self)));
    return tell(self);
  }
  static sf_count_t read(void* to, sf_count_t count, void* self) {
    SoundMemory& m = of(self);
    const std::size_t taken = std::min(static_cast<std::size_t>(count), m.bytes.size() - m.at);
    if (taken > 0) std::memcpy(to, m.bytes.data() + m.at, taken);
    m.at += taken;
    return static_cast<sf_count_t>(taken);
  }
  /// Nothing, if there is no more memory: an exception must not cross libsndfile.
  static sf_count_t write(const void* from, sf_count_t count, void* self) {
    SoundMemory& m = of(self);
    const auto size = static_cast<std::size_t>(count);
    try {
      m.bytes.resize(std::max(m.bytes.size(), m.at + size));
    } catch (const std::bad_alloc&) {
      return 0;
    }
    if (size > 0) std::memcpy(m.bytes.data() + m.at, from, size);
    m.at += size;
    return count;
  }
};
struct CloseSound {
  void operator()(SNDFILE* file) const { sf_close(file); }
};
using SoundHandle = std::unique_ptr<SNDFILE, CloseSound>;

[[nodiscard]] inline SoundHandle open_sound(SoundMemory& memory, int mode, SF_INFO& info) {
  SF_VIRTUAL_IO io{&SoundMemory::length, &SoundMemory::seek, &SoundMemory::read,
                   &SoundMemory::write, &SoundMemory::tell};
  return SoundHandle(sf_open_virtual(&io, mode, &info, &memory));
}

/// Does a file begin as WAV does: "RIFF", its size, "WAVE"?
[[nodiscard]] inline bool begins_as_wav(std::span<const std::byte> start) {
  const std::string_view text(reinterpret_cast<const char*>(start.data()), start.size());
  return text.size() >= 12 && text.starts_with("RIFF") && text.substr(8).starts_with("WAVE");
}

}  // namespace detail

/// Is it a file that begins as WAV does? Throws FileError if it cannot be read.
[[nodiscard]] inline bool is_wav(const std::filesystem::path& path) {
  InputFile file(path);
  std::array<std::byte, 12> start{};
  const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(12, file.size()));
  file.read(std::span(start).first(count));
  return detail::begins_as_wav(std::span(start).first(count));
}

/// A WAV file of any number of channels: whole numbers of 8 to 32 bits scaled to -1 … 1, or floats.
/// Throws FileError if it cannot be read, is no WAV file, ends before the bytes that its header
/// promises, has samples that are not finite or takes more than max_bytes; ConfigError if limit is
/// negative.
[[nodiscard]] inline Sound read_wav(const std::filesystem::path& path,
                                    const WavOptions& options = {}) {
  if (options.limit < 0) {
    detail::fail<ConfigError>("read_wav: limit is ", options.limit, ", expected 0 (all) or more");
  }
  detail::SoundMemory memory{read_file(path, options.max_bytes)};
  if (!detail::begins_as_wav(memory.bytes)) {
    detail::fail<FileError>("WAV: ", path, ": offset 0: the file does not begin with RIFF, a size ",
                            "and WAVE");
  }
  // What is written to a pipe has no size, or the largest.
  const std::uint32_t promised = detail::load_little<std::uint32_t>(memory.bytes.data() + 4);
  if (promised != 0 && promised != 0xffffffff && promised > memory.bytes.size() - 8) {
    detail::fail<FileError>("WAV: ", path, ": offset 4: ", promised, " bytes are promised, but ",
                            memory.bytes.size() - 8, " follow");
  }
  SF_INFO info{};
  const detail::SoundHandle file = detail::open_sound(memory, SFM_READ, info);
  if (file == nullptr || info.channels < 1 || info.samplerate < 1) {
    detail::fail<FileError>("WAV: ", path, ": ", sf_strerror(file.get()));
  }
  Sound sound{{}, info.channels, info.samplerate};
  const auto channels = static_cast<std::size_t>(info.channels);
  constexpr std::size_t block = 1 << 14;  // frames: memory follows what is there
  const auto limit = static_cast<std::size_t>(options.limit);
  for (std::size_t frames = 0; limit == 0 || frames < limit;) {
    const std::size_t wanted = limit == 0 ? block : std::min(block, limit - frames);
    if ((frames + wanted) * channels > options.max_bytes / sizeof(float)) {
      detail::fail<FileError>("WAV: ", path, ": its samples take more than ", options.max_bytes,
                              " bytes; see WavOptions::max_bytes");
    }
    sound.samples.resize((frames + wanted) * channels);
    const sf_count_t read = sf_readf_float(file.get(), sound.samples.data() + frames * channels,
                                           static_cast<sf_count_t>(wanted));
    frames += static_cast<std::size_t>(std::max<sf_count_t>(0, read));
    sound.samples.resize(frames * channels);
    if (static_cast<std::size_t>(std::max<sf_count_t>(0, read)) < wanted) break;
  }
  if (sf_error(file.get()) != SF_ERR_NO_ERROR) {
    detail::fail<FileError>("WAV: ", path, ": ", sf_strerror(file.get()));
  }
  const auto bad = std::find_if(sound.samples.begin(), sound.samples.end(),
                                [](float x) { return !std::isfinite(x); });
  if (bad != sound.samples.end()) {
    detail::fail<FileError>("WAV: ", path, ": sample ", bad - sound.samples.begin(), " is ", *bad,
                            ", expected finite numbers");
  }
  return sound;
}

/// Writes 16-bit PCM, what is louder than ±1 as ±1. Atomically, see AtomicFile. Throws ShapeError
/// unless the samples are whole frames of 1 to 1024 channels, ConfigError unless the rate is 1 to
/// 2^31 - 1, ValueError if a sample is not finite, FileError if it cannot be written.
inline void write_wav(const std::filesystem::path& path, const Sound& sound) {
  if (sound.channels < 1 || sound.channels > 1024 ||
      std::ssize(sound.samples) % sound.channels != 0) {
    detail::fail<ShapeError>("write_wav: a sound of ", sound.channels, " channels has ",
                             sound.samples.size(),
                             " samples, expected a multiple of them, and 1 to 1024 channels");
  }
  if (sound.rate < 1 || sound.rate > 0x7fffffff) {
    detail::fail<ConfigError>("write_wav: rate is ", sound.rate, ", expected 1 to 2^31 - 1");
  }
  std::vector<short> samples;
  samples.reserve(sound.samples.size());
  for (const float x : sound.samples) {
    if (!std::isfinite(x)) {
      detail::fail<ValueError>("write_wav: sample ", samples.size(), " is ", x,
                               ", expected a number from -1 to 1");
    }
    samples.push_back(
        static_cast<short>(std::lrint(std::clamp(x * 32768.0F, -32768.0F, 32767.0F))));
  }
  detail::SoundMemory memory;
  SF_INFO info{};
  info.channels = static_cast<int>(sound.channels);
  info.samplerate = static_cast<int>(sound.rate);
  info.format = SF_FORMAT_WAV | SF_FORMAT_PCM_16;
  detail::SoundHandle file = detail::open_sound(memory, SFM_WRITE, info);
  const auto count = static_cast<sf_count_t>(samples.size());
  const bool written =
      file != nullptr && sf_write_short(file.get(), samples.data(), count) == count;
  if (!written || sf_close(file.release()) != 0) {
    detail::fail<FileError>("WAV: cannot make ", path, ": ", sf_strerror(file.get()));
  }
  write_file_atomically(path, memory.bytes);
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
