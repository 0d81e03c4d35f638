// SPDX-License-Identifier: MIT
// Text, JSON and pictures.
#include "output.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdarg>
#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <span>
#include <string_view>
#include <system_error>

#include <nlohmann/json.hpp>

#include <pixelrnn/core/luma.hpp>
#include <pixelrnn/io/file.hpp>
#include <pixelrnn/io/png.hpp>

namespace cli {
namespace {

/// Does the locale write UTF-8? The rule of POSIX: the first of these that is set.
bool writes_utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* const value = std::getenv(name);
    if (value == nullptr || *value == '\0') continue;
    const std::string_view locale = value;
    return locale.find("UTF-8") != locale.npos || locale.find("utf8") != locale.npos;
  }
  return false;
}

/// Two pixels, one above the other, as a character. Black and white have shapes, greys a ramp.
const char* character(int top, int bottom, bool binary, bool utf8) {
  if (binary) {
    const int both = (top >= 128 ? 2 : 0) + (bottom >= 128 ? 1 : 0);
    constexpr const char* blocks[] = {" ", "\u2584", "\u2580", "\u2588"};
    constexpr const char* ascii[] = {" ", ".", "'", "#"};
    return utf8 ? blocks[both] : ascii[both];
  }
  constexpr const char* ramp[] = {" ", ".", ":", "-", "=", "+", "*", "#", "%", "@"};
  return ramp[(top + bottom) / 2 * 10 / 256];
}

}  // namespace

bool is_special(const std::filesystem::path& path) {
  std::error_code none;
  // What /dev/stdout leads to may be a file, which is not ours to replace.
  if (path.native().starts_with("/dev/")) return true;
  const auto kind = std::filesystem::status(path, none).type();
  return kind == std::filesystem::file_type::character || kind == std::filesystem::file_type::fifo;
}

void Figures::write(const std::string& path) const {
  if (path.empty()) return;
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const auto& [key, value] : values_) {
    std::visit([&, &name = key](const auto& held) { json[name] = held; }, value);
  }
  const auto replace = nlohmann::ordered_json::error_handler_t::replace;
  const std::string text = json.dump(2, ' ', false, replace) + '\n';
  if (path == "-") {
    std::cout << text << std::flush;
    if (!std::cout) detail::fail<FileError>("cannot write to the standard output");
    return;
  }
  if (is_special(path)) {
    std::ofstream file(path, std::ios::binary);
    if (!(file << text << std::flush)) detail::fail<FileError>("cannot write ", path);
    return;
  }
  write_file_atomically(path, std::as_bytes(std::span(text)));
}

std::string ending_of(const std::filesystem::path& path) {
  std::string ending = path.extension().string();
  for (char& c : ending) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return ending;
}

void require_writable(const char* option, const std::string& path,
                      const std::vector<std::string>& endings) {
  if (path.empty()) return;
  constexpr std::array formats{".png",  ".jpg",  ".jpeg", ".gif",        ".bmp", ".tif",
                               ".tiff", ".webp", ".svg",  ".pdf",        ".npy", ".npz",
                               ".csv",  ".json", ".txt",  ".wav",        ".mp3", ".ogg",
                               ".flac", ".pt",   ".h5",   ".safetensors"};
  const std::string ending = ending_of(path);
  if (std::ranges::find(formats, ending) != formats.end() &&
      std::ranges::find(endings, ending) == endings.end()) {
    std::string known;
    for (const std::string& one : endings) known += (known.empty() ? "" : " or ") + one;
    detail::fail<ConfigError>(option, " is ", path, ", expected a name that ends in ", known);
  }
  static_cast<void>(AtomicFile(path));
}

void require_separate(const std::vector<NamedFile>& read, const std::vector<NamedFile>& written) {
  namespace fs = std::filesystem;
  const auto is_same = [](const fs::path& a, const fs::path& b) {
    std::error_code error;
    if (fs::exists(a, error) != fs::exists(b, error)) return false;
    if (fs::exists(a, error)) return fs::is_regular_file(a, error) && fs::equivalent(a, b, error);
    const auto plain = [&](const fs::path& path) {
      return fs::weakly_canonical(fs::absolute(path, error), error);
    };
    return plain(a) == plain(b);
  };
  // Of a folder of images, the images are read.
  const auto is_read_in = [](const fs::path& file, const fs::path& folder) {
    std::error_code error;
    const bool is_image = file.extension() == ".png" || file.extension() == ".PNG";
    if (!is_image || !fs::is_directory(folder, error) || !fs::exists(file, error)) return false;
    return fs::equivalent(fs::absolute(file, error).parent_path(), folder, error);
  };
  std::vector<NamedFile> others = read;
  for (const NamedFile& file : written) {
    if (file.path.empty() || file.path == "-") continue;
    for (const NamedFile& other : others) {
      if (other.path.empty()) continue;
      if (!is_same(file.path, other.path) && !is_read_in(file.path, other.path)) continue;
      detail::fail<ConfigError>(file.option, " would overwrite ", file.path, ", which is ",
                                other.option, " too");
    }
    others.push_back(file);
  }
}

std::string harmless(std::string text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = [&](std::size_t at) {
      return at < text.size() ? static_cast<unsigned char>(text[at]) : 0;
    };
    if (byte(i) < ' ' || byte(i) == 0x7f) text[i] = '?';
    // U+0080 to U+009F in UTF-8; some terminals take U+009B for Escape and [.
    if (byte(i) == 0xc2 && byte(i + 1) >= 0x80 && byte(i + 1) < 0xa0) text.replace(i, 2, "?");
  }
  return text;
}

Console::Console(const std::string& json_path)
    : stream_(json_path == "-" ? stderr : stdout), is_terminal_(::isatty(::fileno(stream_)) == 1) {
  if (json_path.empty() || json_path == "-") return;
  // To find out now, not hours later, that the figures cannot be written.
  // (Who reads a pipe would take a trial for all there is.)
  if (!is_special(json_path)) static_cast<void>(AtomicFile(json_path));
}

int Console::columns() const {
  winsize size{};
  const bool known = is_terminal_ && ::ioctl(::fileno(stream_), TIOCGWINSZ, &size) == 0;
  return known && size.ws_col > 0 ? size.ws_col : 100;
}

void Console::write(const std::string& text) const {
  std::fwrite(text.data(), 1, text.size(), stream_);
  std::fflush(stream_);
}

void warn_without_fingerprint(const Console& console, const std::string& path,
                              const Metadata& words) {
  if (words.contains("fingerprint")) return;
  console.write(
      format("%s has no fingerprint: whether it is of this very model, activations, "
             "states and encoding, cannot be told\n",
             harmless(path).c_str()));
}

std::string format(const char* pattern, ...) {
  std::va_list arguments, again;
  va_start(arguments, pattern);
  va_copy(again, arguments);
  const int length = std::vsnprintf(nullptr, 0, pattern, arguments);
  va_end(arguments);
  std::string text(static_cast<std::size_t>(std::max(length, 0)), '\0');
  std::vsnprintf(text.data(), text.size() + 1, pattern, again);
  va_end(again);
  return text;
}

std::string duration(double seconds) {
  if (!std::isfinite(seconds)) return "?";
  const long whole = std::lround(seconds);
  if (whole < 3600) return format("%ld:%02ld", whole / 60, whole % 60);
  return format("%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string curve_of(const std::vector<double>& values, int columns, int lines) {
  constexpr int margin = 10;
  const std::size_t width =
      std::min(values.size(), static_cast<std::size_t>(std::max(10, columns - margin - 2)));
  std::vector<double> means;
  for (std::size_t i = 0; i < width; ++i) {
    const std::size_t first = i * values.size() / width, last = (i + 1) * values.size() / width;
    double sum = 0;
    for (std::size_t k = first; k < last; ++k) sum += values[k];
    means.push_back(sum / static_cast<double>(last - first));
  }
  if (means.empty()) return {};
  const auto [low, high] = std::ranges::minmax_element(means);
  const double range = std::max(1e-300, *high - *low);
  std::string text;
  for (int line = lines - 1; line >= 0; --line) {
    const bool has_label = line == 0 || line == lines - 1;
    text += has_label ? format("%*.2f |", margin, line == 0 ? *low : *high)
                      : std::string(margin, ' ') + " |";
    std::string points;
    for (const double mean : means) {
      const auto at = static_cast<int>(std::lround((mean - *low) / range * (lines - 1)));
      points += at == line ? '*' : ' ';
    }
    points.erase(points.find_last_not_of(' ') + 1);
    text += points + '\n';
  }
  return text;
}

Images displayed(const Images& images) {
  const int top = images.levels() - 1;
  Images shown(images.count(), images.image_shape(), 256, images.binarization());
  std::ranges::transform(images.pixels(), shown.pixels().begin(), [top](int level) {
    return static_cast<Images::Level>((level * 255 + top / 2) / top);
  });
  return shown;
}

std::string as_text(const Images& images, int columns) {
  const Images grey = to_grey(displayed(images));
  const bool binary =
      std::ranges::all_of(grey.pixels(), [](int level) { return level == 0 || level == 255; });
  const bool utf8 = writes_utf8();
  const ImageShape image = grey.image_shape();
  const Index across = std::max<Index>(1, (columns + 1) / (image.width + 1));
  std::string text;
  for (Index first = 0; first < grey.count(); first += across) {
    const Index last = std::min(first + across, grey.count());
    for (Index row = 0; row < image.height; row += 2) {
      for (Index i = first; i < last; ++i) {
        if (i != first) text += ' ';
        for (Index column = 0; column < image.width; ++column) {
          const int top = grey[i](row, column, 0);
          const int bottom = row + 1 < image.height ? grey[i](row + 1, column, 0) : 0;
          text += character(top, bottom, binary, utf8);
        }
      }
      text.erase(text.find_last_not_of(' ') + 1);
      text += '\n';
    }
    if (last < grey.count()) text += '\n';
  }
  return text;
}

void write_grid(const std::filesystem::path& path, const Images& images, Index columns) {
  write_png(path, grid(displayed(images), columns));
}

}  // namespace cli
