// SPDX-License-Identifier: MIT
// Reading safetensors: the header is proved before a byte of the data is given room.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <pixelrnn/io/file.hpp>
#include <pixelrnn/io/file_kind.hpp>
#include <pixelrnn/io/safetensors_header.hpp>
#include <pixelrnn/io/stored_tensor.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// The content of a safetensors file. Its tensors look at bytes that it owns.
class SafetensorsFile {
 public:
  /// `tensors` are sorted by name and look at `data`; read_safetensors sees to that.
  SafetensorsFile(std::filesystem::path path, std::vector<StoredTensor> tensors,
                  std::map<std::string, std::string> metadata, std::vector<std::byte> data)
      : path_(std::move(path)),
        tensors_(std::move(tensors)),
        metadata_(std::move(metadata)),
        data_(std::move(data)) {}
  SafetensorsFile(SafetensorsFile&&) = default;
  SafetensorsFile& operator=(SafetensorsFile&&) = default;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// All tensors, by name. Not of a temporary: `for (... : read_safetensors(path).tensors())` would
  /// loop over what is gone.
  [[nodiscard]] const std::vector<StoredTensor>& tensors() const& { return tensors_; }
  void tensors() && = delete;
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const& { return metadata_; }
  [[nodiscard]] std::map<std::string, std::string> metadata() && { return std::move(metadata_); }

  /// The tensor of that name, or null.
  [[nodiscard]] const StoredTensor* find(std::string_view name) const {
    const auto found = std::ranges::lower_bound(tensors_, name, {}, &StoredTensor::name);
    return found != tensors_.end() && found->name == name ? &*found : nullptr;
  }
  /// The tensor of that name. Throws FileError if there is none.
  [[nodiscard]] const StoredTensor& at(std::string_view name) const {
    if (const StoredTensor* tensor = find(name)) return *tensor;
    detail::fail<FileError>("SafetensorsFile::at: ", path_, " has no tensor ",
                            detail::in_quotes(name));
  }

 private:
  std::filesystem::path path_;
  std::vector<StoredTensor> tensors_;
  std::map<std::string, std::string> metadata_;
  std::vector<std::byte> data_;
};

namespace detail {

/// S11: in the order of their offsets the tensors fill the data from its first byte on, without
/// hole or overlap. Returns where they end.
[[nodiscard]] inline std::uint64_t require_packed(const SafetensorsHeader& header,
                                                  const std::filesystem::path& path,
                                                  std::uint64_t data_offset) {
  using Entry = const std::pair<const std::string, StoredRange>*;
  std::vector<Entry> entries;
  for (const auto& entry : header.tensors) entries.push_back(&entry);
  std::ranges::sort(entries, {},
                    [](Entry entry) { return std::pair(entry->second.begin, entry->second.end); });
  std::uint64_t end = 0;
  for (const Entry entry : entries) {
    if (entry->second.begin != end) {
      fail_safetensors("S11", path, data_offset, "tensor ", in_quotes(entry->first),
                       " begins at byte ", entry->second.begin, " of the data, expected ", end,
                       ", where the one before it ends");
    }
    end = entry->second.end;
  }
  return end;
}

inline void require_finite(const StoredTensor& tensor, const std::filesystem::path& path,
                           std::uint64_t offset) {
  if (!is_floating(tensor.dtype)) return;
  for (std::size_t i = 0; i < tensor.size(); ++i) {
    if (std::isfinite(floating_value(tensor, i))) continue;
    fail_safetensors("S14", path, offset + i * size_of(tensor.dtype), "value ", i, " of tensor ",
                     in_quotes(tensor.name), " is ", floating_value(tensor, i),
                     ", expected finite ones (SafetensorsOptions::reject_nonfinite)");
  }
}

/// "; the file seems to be ...", if it is something else that is known by its first bytes; else
/// nothing.
[[nodiscard]] inline std::string other_kind(InputFile& file) {
  std::vector<std::byte> start(
      static_cast<std::size_t>(std::min<std::uint64_t>(file.size(), file_kind_bytes)));
  file.rewind();
  file.read(start);
  const std::string_view kind = kind_of_file(start);
  if (kind.empty() || kind.find("safetensors") != kind.npos) return {};
  return "; the file seems to be " + std::string(kind) + ", expected safetensors";
}

/// The header of an open file, by all rules but S14, which is about the data: they come next.
[[nodiscard]] inline SafetensorsHeader read_safetensors_header(InputFile& file,
                                                               const SafetensorsOptions& options) {
  const std::filesystem::path& path = file.path();
  if (file.size() < 8) {
    fail_safetensors("S1", path, 0, "the file has ", file.size(), " bytes, expected at least 8",
                     other_kind(file));
  }
  std::byte prefix[8];
  file.read(prefix);
  const std::uint64_t header_bytes = load_little<std::uint64_t>(prefix);
  if (header_bytes > options.max_header_bytes) {
    fail_safetensors("S2", path, 0, "the header has ", header_bytes, " bytes, expected at most ",
                     options.max_header_bytes, " (SafetensorsOptions::max_header_bytes)",
                     other_kind(file));
  }
  if (header_bytes > file.size() - 8) {
    fail_safetensors("S3", path, 0, "the header has ", header_bytes,
                     " bytes, but the file ends after ", file.size() - 8, " of them",
                     other_kind(file));
  }
  std::string text(static_cast<std::size_t>(header_bytes), '\0');
  file.read(std::as_writable_bytes(std::span(text)));
  SafetensorsHeader header = SafetensorsHeaderReader(text, path, options).read();
  header.data_offset = 8 + header_bytes;
  const std::uint64_t data_bytes = require_packed(header, path, header.data_offset);
  if (data_bytes != file.size() - header.data_offset) {
    fail_safetensors("S12", path, header.data_offset, "the tensors take ", data_bytes,
                     " bytes, but ", file.size() - header.data_offset, " follow the header");
  }
  return header;
}

}  // namespace detail

/// Reads a safetensors file: 8 bytes N, N bytes of JSON that name dtype, shape and place of each
/// tensor, then the data. The file is taken for a stranger's; memory is never more than the file
/// plus a small multiple of its header. Throws FileError if it cannot be read, ConfigError on a
/// header limit above 100,000,000 bytes, and FileError beginning with the rule that is broken:
///   S1   the file has at least 8 bytes
///   S2   N is at most SafetensorsOptions::max_header_bytes
///   S3   the header ends within the file
///   S4   the header is UTF-8
///   S5   it begins with '{' (white space before that is allowed), and nothing follows its '}'
///   S6   it is JSON of the form given, without other keys
///   S7   no name, key of an entry or key of the metadata occurs twice
///   S8   shapes and offsets are unsigned whole numbers below 2^64
///   S9   sizes do not overflow; at most 8 axes, max_tensors tensors, names of 1024 bytes
///   S10  a tensor's offsets are as far apart as dtype and shape demand
///   S11  the tensors fill the data in order, without hole or overlap
///   S12  the file ends where the last of them ends
///   S13  empty tensors and single numbers (no axes) are allowed: this rule rejects nothing
///   S14  if SafetensorsOptions::reject_nonfinite: no NaN, no infinity
///   S15  the dtype is F32, F64, F16, BF16, I64, U64, U16 or U8
[[nodiscard]] inline SafetensorsFile read_safetensors(const std::filesystem::path& path,
                                                      const SafetensorsOptions& options = {}) {
  if (options.max_header_bytes > detail::safetensors_max_header) {
    detail::fail<ConfigError>("read_safetensors: SafetensorsOptions::max_header_bytes is ",
                              options.max_header_bytes, ", expected at most ",
                              detail::safetensors_max_header);
  }
  InputFile file(path);
  if (file.size() > options.max_bytes) {
    detail::fail<FileError>("cannot read ", path, ": it has ", file.size(),
                            " bytes, expected at most ", options.max_bytes,
                            " (SafetensorsOptions::max_bytes)");
  }
  detail::SafetensorsHeader header = detail::read_safetensors_header(file, options);
  std::vector<std::byte> data(static_cast<std::size_t>(file.size() - header.data_offset));
  file.read(data);
  std::vector<StoredTensor> tensors;
  tensors.reserve(header.tensors.size());
  while (!header.tensors.empty()) {
    auto entry = header.tensors.extract(header.tensors.begin());
    detail::StoredRange& range = entry.mapped();
    tensors.push_back({std::move(entry.key()), range.dtype, std::move(range.shape),
                       std::span(data).subspan(static_cast<std::size_t>(range.begin),
                                               static_cast<std::size_t>(range.end - range.begin))});
    if (options.reject_nonfinite) {
      detail::require_finite(tensors.back(), path, header.data_offset + range.begin);
    }
  }
  return {path, std::move(tensors), std::move(header.metadata), std::move(data)};
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
