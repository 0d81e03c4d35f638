// SPDX-License-Identifier: MIT
// The header of a safetensors file, read as a stranger's: in one pass, bounded, every rule by name.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <pixelrnn/io/bytes.hpp>
#include <pixelrnn/io/file.hpp>
#include <pixelrnn/io/stored_tensor.hpp>
#include <pixelrnn/io/utf8.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// What a safetensors file may cost before it is refused.
struct SafetensorsOptions {
  std::uint64_t max_header_bytes = std::uint64_t{16} << 20;  ///< at most 100,000,000
  std::size_t max_tensors = 100'000;            ///< also the most entries of the metadata
  std::uint64_t max_bytes = default_max_bytes;  ///< of the file
  bool reject_nonfinite = false;  ///< refuse NaN and infinities: they are not a state to resume
};

namespace detail {

/// Limits that no option moves: the format's own for the header, ours for rank and names.
inline constexpr std::uint64_t safetensors_max_header = 100'000'000;
inline constexpr std::size_t safetensors_max_rank = 8;
inline constexpr std::size_t safetensors_max_name = 1024;
inline constexpr std::string_view safetensors_metadata = "__metadata__";

/// Throws FileError: the broken rule, the file, the byte of the file at which it showed.
template <class... Parts>
[[noreturn]] void fail_safetensors(const char* rule, const std::filesystem::path& path,
                                   std::uint64_t offset, const Parts&... parts) {
  fail<FileError>(rule, ": ", path, ": offset ", offset, ": ", parts...);
}

/// One entry of the header; begin and end are bytes of the data, which follow the header.
struct StoredRange {
  Dtype dtype{};
  std::vector<Index> shape;
  std::uint64_t begin = 0, end = 0;
};

struct SafetensorsHeader {
  std::map<std::string, StoredRange> tensors;
  std::map<std::string, std::string> metadata;
  std::uint64_t data_offset = 0;  ///< byte of the file at which the data begin
};

/// Walks characters and leaves word how far it came.
struct TrackedCharacter {
  using iterator_category = std::forward_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  const char* at = nullptr;
  const char** farthest = nullptr;

  reference operator*() const { return *at; }
  TrackedCharacter& operator++() {
    *farthest = ++at;
    return *this;
  }
  bool operator==(const TrackedCharacter& other) const { return at == other.at; }
};

/// Takes the events of the JSON parser; whatever the header does not allow throws at once, so
/// neither nesting nor entries pile up. The form, and where the parser is while it reads it:
///   { "__metadata__": { text: text, ... },                               root, metadata
///     name: { "dtype": text, "shape": [n, ...], "data_offsets": [b, e] } }     entry, array
class SafetensorsHeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  SafetensorsHeaderReader(std::string_view text, const std::filesystem::path& path,
                          const SafetensorsOptions& options)
      : text_(text), path_(path), options_(options), farthest_(text.data()) {}

  /// The header. Throws FileError by the rules S4 to S10 and S15.
  [[nodiscard]] SafetensorsHeader read() {
    if (const auto bad = first_not_utf8(text_)) fail_at("S4", *bad, "the header is not UTF-8");
    const std::size_t first = std::min(text_.find_first_not_of("\t\n\r "), text_.size());
    if (first == text_.size() || text_[first] != '{') {
      fail_at("S5", first, "the header does not begin with '{'");
    }
    // The parser takes a NUL for the end of the text.
    const std::size_t nul = text_.find('\0');
    if (nul != text_.npos) fail_at("S5", nul, "the header has a NUL character");
    nlohmann::json::sax_parse(TrackedCharacter{text_.data(), &farthest_},
                              TrackedCharacter{text_.data() + text_.size(), &farthest_}, this);
    return std::move(header_);
  }

  bool start_object(std::size_t) override {
    switch (place_) {
      case Place::before:
        place_ = Place::root;
        return true;
      case Place::root:
        place_ = name_ == safetensors_metadata ? Place::metadata : Place::entry;
        seen_ = 0;
        return true;
      default:
        refuse("S6", "an object where none belongs");
    }
  }

  bool key(std::string& key) override {
    switch (place_) {
      case Place::root:
        root_key(key);
        break;
      case Place::metadata:
        if (header_.metadata.size() == options_.max_tensors) {
          refuse("S9", "more than ", options_.max_tensors,
                 " entries in the metadata (SafetensorsOptions::max_tensors)");
        }
        text_value_ = add(header_.metadata, key);
        break;
      default:
        entry_key(key);
    }
    return true;
  }

  bool end_object() override {
    if (place_ == Place::entry) check_entry();
    place_ = place_ == Place::root ? Place::after : Place::root;
    return true;
  }

  bool string(std::string& value) override {
    if (place_ == Place::metadata) {
      *text_value_ = std::move(value);
    } else if (place_ == Place::entry && field_ == Field::dtype) {
      const std::optional<Dtype> dtype = dtype_named(value);
      if (!dtype) {
        refuse("S15", "tensor ", in_quotes(name_), " has the unsupported dtype ", in_quotes(value),
               ", expected F32, F64, F16, BF16, I64, U64, U16 or U8");
      }
      tensor_->dtype = *dtype;
    } else {
      refuse_value("a text");
    }
    return true;
  }

  bool start_array(std::size_t) override {
    if (place_ != Place::entry || field_ == Field::dtype) {
      refuse("S6", "an array where none belongs");
    }
    place_ = Place::array;
    return true;
  }

  bool number_unsigned(std::uint64_t value) override {
    if (place_ != Place::array) refuse_value("a number");
    if (field_ == Field::shape) {
      if (tensor_->shape.size() == safetensors_max_rank) {
        refuse("S9", "tensor ", in_quotes(name_), " has more than ", safetensors_max_rank, " axes");
      }
      if (value > std::uint64_t{PTRDIFF_MAX}) refuse_size();
      tensor_->shape.push_back(static_cast<Index>(value));
    } else {
      if (offsets_ == 2) refuse("S6", "tensor ", in_quotes(name_), " has more than 2 data_offsets");
      (offsets_++ == 0 ? tensor_->begin : tensor_->end) = value;
    }
    return true;
  }

  bool end_array() override {
    if (field_ == Field::data_offsets && offsets_ != 2) {
      refuse("S6", "tensor ", in_quotes(name_), " has ", offsets_, " data_offsets, expected 2");
    }
    place_ = Place::entry;
    return true;
  }

  bool null() override { refuse_value("null"); }
  bool boolean(bool) override { refuse_value("a truth value"); }
  bool number_integer(std::int64_t) override { refuse_value("a negative number"); }
  bool number_float(double, const std::string&) override {
    refuse_value("a number that is not whole or not below 2^64");
  }
  bool binary(nlohmann::json::binary_t&) override { refuse_value("binary data"); }

  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception&) override {
    if (place_ == Place::after) refuse("S5", "something follows the header's last '}'");
    refuse("S6", "the header is not valid JSON");
  }

 private:
  enum class Place { before, root, metadata, entry, array, after };
  enum class Field : unsigned { dtype = 1, shape = 2, data_offsets = 4 };

  void root_key(const std::string& key) {
    name_ = key;
    if (key == safetensors_metadata) {
      if (std::exchange(has_metadata_, true)) refuse_twice(key);
      return;
    }
    if (key.size() > safetensors_max_name) {
      refuse("S9", "the name ", in_quotes(key), " has ", key.size(), " bytes, expected at most ",
             safetensors_max_name);
    }
    if (header_.tensors.size() == options_.max_tensors) {
      refuse("S9", "more than ", options_.max_tensors,
             " tensors (SafetensorsOptions::max_tensors)");
    }
    tensor_ = add(header_.tensors, key);
    offsets_ = 0;
  }

  void entry_key(const std::string& key) {
    if (key == "dtype") {
      field_ = Field::dtype;
    } else if (key == "shape") {
      field_ = Field::shape;
    } else if (key == "data_offsets") {
      field_ = Field::data_offsets;
    } else {
      refuse("S6", "tensor ", in_quotes(name_), " has the unknown key ", in_quotes(key),
             ", expected dtype, shape and data_offsets");
    }
    if ((seen_ & static_cast<unsigned>(field_)) != 0) refuse_twice(key);
    seen_ |= static_cast<unsigned>(field_);
  }

  /// A finished entry: is all there, and is it as large as it says?
  void check_entry() {
    if (seen_ != 7) {
      refuse("S6", "tensor ", in_quotes(name_), " lacks one of dtype, shape and data_offsets");
    }
    const std::optional<std::uint64_t> bytes = array_bytes(size_of(tensor_->dtype), tensor_->shape);
    if (!bytes) refuse_size();
    if (tensor_->end < tensor_->begin || tensor_->end - tensor_->begin != *bytes) {
      refuse("S10", "tensor ", in_quotes(name_), " has the data_offsets ", tensor_->begin, " and ",
             tensor_->end, ", but its dtype and shape take ", *bytes, " bytes");
    }
  }

  template <class Value>
  Value* add(std::map<std::string, Value>& map, const std::string& key) {
    const auto [entry, is_new] = map.try_emplace(key);
    if (!is_new) refuse_twice(key);
    return &entry->second;
  }

  [[noreturn]] void refuse_twice(const std::string& key) const {
    refuse("S7", in_quotes(key), " occurs twice");
  }
  [[noreturn]] void refuse_size() const {
    refuse("S9", "tensor ", in_quotes(name_), " has 2^63 bytes or more by its shape");
  }
  [[noreturn]] void refuse_value(const char* found) const {
    if (place_ == Place::array) {
      refuse("S8", found, " in shape or data_offsets of tensor ", in_quotes(name_),
             ", expected unsigned whole numbers");
    }
    refuse("S6", found, " where none belongs");
  }

  template <class... Parts>
  [[noreturn]] void refuse(const char* rule, const Parts&... parts) const {
    fail_at(rule, static_cast<std::size_t>(farthest_ - text_.data()), parts...);
  }
  template <class... Parts>
  [[noreturn]] void fail_at(const char* rule, std::size_t position, const Parts&... parts) const {
    fail_safetensors(rule, path_, 8 + position, parts...);
  }

  std::string_view text_;
  const std::filesystem::path& path_;
  const SafetensorsOptions& options_;
  const char* farthest_;
  SafetensorsHeader header_;

  Place place_ = Place::before;
  std::string name_;  ///< the key of the root we are in
  bool has_metadata_ = false;
  std::string* text_value_ = nullptr;  ///< the metadata entry whose key was read
  StoredRange* tensor_ = nullptr;      ///< the tensor we are in, ...
  Field field_{};                      ///< ... the last key of it, ...
  unsigned seen_ = 0;                  ///< ... all its keys so far, ...
  std::size_t offsets_ = 0;            ///< ... and how many data_offsets
};

}  // namespace detail
}  // namespace pixelrnn::inline PIXELRNN_ABI
