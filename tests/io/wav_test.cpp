// SPDX-License-Identifier: MIT
#include <pixelrnn/io/wav.hpp>

#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

namespace pixelrnn {
namespace {

using test::write_text;

std::string little(std::uint32_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
  return text;
}
/// A WAV file put together by hand; format 1 is whole numbers, 3 floats.
std::string wav(int format, int channels, int bits, const std::string& data,
                std::uint32_t rate = 8000) {
  const auto block = static_cast<std::uint32_t>(channels * bits / 8);
  const std::string body = "WAVEfmt " + little(16, 4) + little(static_cast<unsigned>(format), 2) +
                           little(static_cast<unsigned>(channels), 2) + little(rate, 4) +
                           little(rate * block, 4) + little(block, 2) +
                           little(static_cast<unsigned>(bits), 2) + "data" +
                           little(static_cast<std::uint32_t>(data.size()), 4) + data;
  return "RIFF" + little(static_cast<std::uint32_t>(body.size()), 4) + body;
}
Sound read(const std::string& content, const WavOptions& options = {}) {
  const test::TemporaryDirectory directory;
  write_text(directory / "sound.wav", content);
  return read_wav(directory / "sound.wav", options);
}

}  // namespace

TEST_CASE("Sounds come back from WAV as they were written", "[io][wav]") {
  const test::TemporaryDirectory directory;
  for (const Index channels : {1, 2, 3}) {
    Sound sound{{}, channels, 16000};
    for (int i = 0; i < 30 * 1024 * channels; ++i) {  // more than a block
      sound.samples.push_back(static_cast<float>(i * 37 % 65536 - 32768) / 32768);
    }
    write_wav(directory / "sound.wav", sound);
    CHECK(is_wav(directory / "sound.wav"));
    const Sound again = read_wav(directory / "sound.wav");
    CHECK(again.channels == channels);
    CHECK(again.rate == 16000);
    CHECK(again.samples == sound.samples);
    const Sound first = read_wav(directory / "sound.wav", {.limit = 7});
    CHECK(first.frames() == 7);
  }
  write_wav(directory / "loud.wav", {{2, -2, 0.3F}, 1, 8000});
  CHECK(read_wav(directory / "loud.wav").samples ==
        std::vector<float>{32767.0F / 32768, -1, 9830.0F / 32768});
  write_wav(directory / "empty.wav", {{}, 1, 8000});
  CHECK(read_wav(directory / "empty.wav").frames() == 0);
}

TEST_CASE("WAV files of several kinds are read", "[io][wav]") {
  const Sound wide = read(wav(1, 2, 16, little(0x4000, 2) + little(0xc000, 2)));
  CHECK(wide.channels == 2);
  CHECK(wide.rate == 8000);
  CHECK(wide.samples == std::vector<float>{0.5F, -0.5F});
  CHECK(read(wav(1, 1, 8, "\x80\xc0")).samples == std::vector<float>{0, 0.5F});
  CHECK(read(wav(1, 1, 24, little(0x400000, 3))).samples == std::vector<float>{0.5F});
  std::string floats(8, '\0');
  const float values[] = {0.25F, -1};
  std::memcpy(floats.data(), values, sizeof values);
  CHECK(read(wav(3, 1, 32, floats)).samples == std::vector<float>{0.25F, -1});
  // As written to a pipe: sizes nobody knew.
  std::string piped = wav(1, 1, 16, little(0x4000, 2));
  piped.replace(4, 4, little(0xffffffff, 4)).replace(40, 4, little(0xffffffff, 4));
  CHECK(read(piped).samples == std::vector<float>{0.5F});
}

TEST_CASE("What is no WAV file is refused", "[io][wav]") {
  const test::TemporaryDirectory directory;
  write_text(directory / "text", "hello");
  CHECK(!is_wav(directory / "text"));
  CHECK_THROWS_ERROR(read_wav(directory / "text"), FileError, "does not begin with RIFF");
  CHECK_THROWS_ERROR(read_wav(directory / "none.wav"), FileError, "none.wav");
  CHECK_THROWS_ERROR(read(wav(77, 1, 16, "aaaa")), FileError, "WAV: ");
  CHECK_THROWS_ERROR(read(wav(1, 0, 16, "aaaa")), FileError, "WAV: ");
  std::string nan(4, '\0');
  const float value = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(nan.data(), &value, sizeof value);
  CHECK_THROWS_ERROR(read(wav(3, 1, 32, nan)), FileError, "sample 0 is nan");
  const std::string valid = wav(1, 1, 16, std::string(64, 'a'));
  CHECK_THROWS_ERROR(read(valid, {.max_bytes = 50}), FileError, "50");
  CHECK_THROWS_ERROR(read(valid, {.limit = -1}), ConfigError, "read_wav: limit is -1");
  // Cut off anywhere it is refused, and with any bit flipped it is refused or read.
  for (std::size_t length = 0; length < valid.size(); ++length) {
    CAPTURE(length);
    CHECK_THROWS_AS(read(valid.substr(0, length)), FileError);
  }
  int refused = 0;
  for (std::size_t i = 0; i < 44; ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = valid;
      flipped[i] = static_cast<char>(flipped[i] ^ (1 << bit));
      try {
        const Index frames = read(flipped).frames();
        CHECK(frames <= 64);
      } catch (const FileError&) {
        ++refused;
      }
    }
  }
  CHECK(refused > 100);

  const auto path = directory / "new.wav";
  CHECK_THROWS_ERROR(write_wav(path, {{value}, 1, 8000}), ValueError, "sample 0 is nan");
  CHECK_THROWS_ERROR(write_wav(path, {{0, 0, 0}, 2, 8000}), ShapeError, "has 3 samples");
  CHECK_THROWS_ERROR(write_wav(path, {{0}, 1, 0}), ConfigError, "rate is 0");
  CHECK(!std::filesystem::exists(path));
}

}  // namespace pixelrnn
