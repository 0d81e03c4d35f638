// SPDX-License-Identifier: MIT
// Writing safetensors: the bytes the format's own library writes, and never half a file.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <pixelrnn/io/file.hpp>
#include <pixelrnn/io/safetensors_header.hpp>
#include <pixelrnn/io/stored_tensor.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

namespace detail {

/// Throws ConfigError, by the reader's rules, on a tensor that no file can hold.
inline void require_storable(const StoredTensor& tensor) {
  const auto refuse = [&](const char* rule, const auto&... parts) {
    fail<ConfigError>(rule, ": write_safetensors: tensor ", in_quotes(tensor.name), ' ', parts...);
  };
  if (first_not_utf8(tensor.name)) refuse("S4", "has a name that is not UTF-8");
  if (tensor.name == safetensors_metadata) refuse("S6", "has the name of the metadata");
  if (tensor.name.size() > safetensors_max_name) {
    refuse("S9", "has a name of ", tensor.name.size(), " bytes, expected at most ",
           safetensors_max_name);
  }
  if (tensor.shape.size() > safetensors_max_rank) {
    refuse("S9", "has ", tensor.shape.size(), " axes, expected at most ", safetensors_max_rank);
  }
  const std::optional<std::uint64_t> bytes = array_bytes(size_of(tensor.dtype), tensor.shape);
  if (!bytes) refuse("S9", "has a negative extent, or 2^63 bytes or more by its shape");
  if (*bytes != tensor.bytes.size()) {
    refuse("S10", "has ", tensor.bytes.size(), " bytes, but its dtype and shape take ", *bytes);
  }
}

[[nodiscard]] inline std::string json_text(const std::string& text) {
  return nlohmann::json(text).dump();
}

/// The header of tensors that follow each other in this order, padded to a multiple of 8.
[[nodiscard]] inline std::string safetensors_header(
    const std::vector<const StoredTensor*>& tensors,
    const std::map<std::string, std::string>& metadata) {
  std::string header = "{";
  const auto comma = [&header] {
    if (header.back() != '{') header += ',';
  };
  if (!metadata.empty()) {
    header += json_text(std::string(safetensors_metadata)) + ":{";
    for (const auto& [key, value] : metadata) {
      comma();
      header += json_text(key) + ':' + json_text(value);
    }
    header += '}';
  }
  std::size_t offset = 0;
  for (const StoredTensor* tensor : tensors) {
    comma();
    header += json_text(tensor->name) + ":{\"dtype\":\"";
    header += name_of(tensor->dtype);
    header += "\",\"shape\":[";
    for (std::size_t axis = 0; axis < tensor->shape.size(); ++axis) {
      if (axis != 0) header += ',';
      header += std::to_string(tensor->shape[axis]);
    }
    header += "],\"data_offsets\":[";
    header += std::to_string(offset);
    offset += tensor->bytes.size();
    header += ',';
    header += std::to_string(offset);
    header += "]}";
  }
  header += '}';
  header.resize((header.size() + 7) / 8 * 8, ' ');
  return header;
}

}  // namespace detail

/// Writes tensors and metadata (both texts UTF-8) as a safetensors file.
///   W1  Tensors lie by dtype from U64 down to U8, then by name, and the header is padded to a
///       multiple of 8 bytes: so values are aligned, and the bytes are those of the Python library
///       (which leaves the order of two or more metadata entries to chance; here it is by key).
///   W2  The file appears whole or not at all, see AtomicFile.
/// Throws ConfigError, beginning with the rule of read_safetensors, if the file would break one:
/// names that repeat or are not UTF-8, shapes that do not fit the bytes, more than 100,000 tensors.
/// Throws FileError if the file cannot be written.
inline void write_safetensors(const std::filesystem::path& path,
                              std::span<const StoredTensor> tensors,
                              const std::map<std::string, std::string>& metadata = {}) {
  const std::size_t most = SafetensorsOptions{}.max_tensors;
  if (tensors.size() > most || metadata.size() > most) {
    detail::fail<ConfigError>("S9: write_safetensors: ", tensors.size(), " tensors and ",
                              metadata.size(), " metadata entries, expected at most ", most);
  }
  for (const auto& [key, value] : metadata) {
    if (first_not_utf8(key) || first_not_utf8(value)) {
      detail::fail<ConfigError>("S4: write_safetensors: the metadata entry ",
                                detail::in_quotes(key), " is not UTF-8");
    }
  }
  std::vector<const StoredTensor*> order;
  for (const StoredTensor& tensor : tensors) {
    detail::require_storable(tensor);
    order.push_back(&tensor);
  }
  std::ranges::sort(order, {}, &StoredTensor::name);
  const auto twice = std::ranges::adjacent_find(order, {}, &StoredTensor::name);
  if (twice != order.end()) {
    detail::fail<ConfigError>("S7: write_safetensors: the name ", detail::in_quotes((*twice)->name),
                              " occurs twice");
  }
  std::ranges::stable_sort(order, std::ranges::greater{}, &StoredTensor::dtype);

  const std::string header = detail::safetensors_header(order, metadata);
  if (header.size() > detail::safetensors_max_header) {
    detail::fail<ConfigError>("S2: write_safetensors: the header has ", header.size(),
                              " bytes, expected at most ", detail::safetensors_max_header);
  }
  const std::uint64_t header_bytes = header.size();
  write_file_atomically(path, [&](AtomicFile& file) {
    file.write(std::as_bytes(std::span(&header_bytes, 1)));
    file.write(detail::bytes_of(header));
    for (const StoredTensor* tensor : order) file.write(tensor->bytes);
  });
}
inline void write_safetensors(const std::filesystem::path& path,
                              std::initializer_list<StoredTensor> tensors,
                              const std::map<std::string, std::string>& metadata = {}) {
  write_safetensors(path, std::span(tensors.begin(), tensors.size()), metadata);
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
