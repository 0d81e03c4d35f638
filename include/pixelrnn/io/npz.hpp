// SPDX-License-Identifier: MIT
// NumPy's .npz: named arrays in a zip archive, stored or deflated.
#pragma once

#include <zip.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <pixelrnn/io/file.hpp>
#include <pixelrnn/io/npy_header.hpp>
#include <pixelrnn/io/stored_tensor.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// The content of a .npz file. Its tensors look at bytes that it owns.
class NpzFile {
 public:
  /// `tensors` look at `data`; read_npz sees to that.
  NpzFile(std::vector<StoredTensor> tensors, std::list<std::vector<std::byte>> data)
      : tensors_(std::move(tensors)), data_(std::move(data)) {}
  NpzFile(NpzFile&&) = default;
  NpzFile& operator=(NpzFile&&) = default;

  /// All arrays in the order of the archive, by their names without ".npy". Not of a temporary.
  [[nodiscard]] const std::vector<StoredTensor>& tensors() const& { return tensors_; }
  void tensors() && = delete;

 private:
  std::vector<StoredTensor> tensors_;
  std::list<std::vector<std::byte>> data_;
};

namespace detail {

[[nodiscard]] inline std::optional<Dtype> dtype_of_npy(std::string_view descr) {
  constexpr std::array<std::pair<std::string_view, Dtype>, 7> names{{{"|u1", Dtype::u8},
                                                                     {"<u2", Dtype::u16},
                                                                     {"<f2", Dtype::f16},
                                                                     {"<f4", Dtype::f32},
                                                                     {"<f8", Dtype::f64},
                                                                     {"<i8", Dtype::i64},
                                                                     {"<u8", Dtype::u64}}};
  for (const auto& [name, dtype] : names) {
    if (name == descr) return dtype;
  }
  return std::nullopt;
}

struct CloseZip {
  void operator()(zip_t* archive) const { zip_discard(archive); }
  void operator()(zip_file_t* entry) const { zip_fclose(entry); }
};

/// An archive in memory, by libzip.
class ZipReader {
 public:
  ZipReader(std::span<const std::byte> bytes, const std::filesystem::path& path) : path_(path) {
    if (bytes.empty()) refuse("it is no zip archive: it has no byte");  // for libzip, a new one
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t* const source =
        zip_source_buffer_create(bytes.data(), bytes.size(), /*freep=*/0, &error);
    if (source != nullptr) {
      archive_.reset(zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error));
      if (archive_ == nullptr) zip_source_free(source);
    }
    const std::string why = archive_ == nullptr ? zip_error_strerror(&error) : "";
    zip_error_fini(&error);
    if (archive_ == nullptr) refuse("it is no zip archive that libzip reads: ", why);
  }

  [[nodiscard]] std::uint64_t entries() const {
    return static_cast<std::uint64_t>(zip_get_num_entries(archive_.get(), 0));
  }
  /// The name of an entry: any bytes, of which nothing is made that is a file.
  [[nodiscard]] std::string name(std::uint64_t entry) const {
    const char* const name = zip_get_name(archive_.get(), entry, ZIP_FL_ENC_RAW);
    if (name == nullptr) refuse("entry ", entry, " has no name");
    return name;
  }
  /// All of it, growing with what is there. Throws FileError if that is more than `most` bytes, not
  /// what the archive says, or damaged.
  [[nodiscard]] std::vector<std::byte> read(std::uint64_t entry, std::uint64_t most) const {
    zip_stat_t facts;
    zip_stat_init(&facts);
    const bool is_known =
        zip_stat_index(archive_.get(), entry, 0, &facts) == 0 && (facts.valid & ZIP_STAT_SIZE) != 0;
    if (!is_known) refuse("entry ", entry, " has no size");
    if (facts.size > most) {
      refuse("entry ", in_quotes(name(entry)), " has ", facts.size, " bytes, expected at most ",
             most, " (max_bytes)");
    }
    const std::unique_ptr<zip_file_t, CloseZip> file(zip_fopen_index(archive_.get(), entry, 0));
    if (file == nullptr) {
      refuse("entry ", in_quotes(name(entry)), ": ", zip_strerror(archive_.get()));
    }
    constexpr std::size_t piece = std::size_t{1} << 16;
    std::vector<std::byte> bytes;
    for (;;) {
      const std::size_t before = bytes.size();
      bytes.resize(before + piece);
      const zip_int64_t count = zip_fread(file.get(), bytes.data() + before, piece);
      if (count < 0) refuse("entry ", in_quotes(name(entry)), ": ", zip_file_strerror(file.get()));
      bytes.resize(before + static_cast<std::size_t>(count));
      if (bytes.size() > facts.size || (count == 0 && bytes.size() < facts.size)) {
        refuse("entry ", in_quotes(name(entry)), " has ", bytes.size(), " bytes or more, expected ",
               facts.size, " as the archive says");
      }
      if (count == 0) return bytes;
    }
  }

  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    fail<FileError>("npz: ", path_, ": ", parts...);
  }

 private:
  const std::filesystem::path& path_;
  std::unique_ptr<zip_t, CloseZip> archive_;
};

}  // namespace detail

/// Does a file begin as a zip archive does?
[[nodiscard]] inline bool is_npz(const std::filesystem::path& path) {
  InputFile file(path);
  std::array<std::byte, 4> start{};
  if (file.size() < start.size()) return false;
  file.read(start);
  // Of an entry, or of the end of an empty archive. As the length of safetensors' header that would
  // be 67 MB or more.
  constexpr std::array<std::byte, 4> entry{std::byte{'P'}, std::byte{'K'}, std::byte{3},
                                           std::byte{4}},
      end{std::byte{'P'}, std::byte{'K'}, std::byte{5}, std::byte{6}};
  return start == entry || start == end;
}

/// Reads a .npz file, of numpy.savez or savez_compressed: arrays of unsigned bytes, 16-bit and
/// 64-bit integers, half, single and double precision. Fortran order becomes row-major. Throws
/// FileError if it cannot be read or is no such archive, on an array that is damaged, of another
/// type or twice there, and if it or all of its arrays have more than max_bytes.
[[nodiscard]] inline NpzFile read_npz(const std::filesystem::path& path,
                                      std::uint64_t max_bytes = default_max_bytes) {
  const std::vector<std::byte> bytes = read_file(path, max_bytes);
  const detail::ZipReader archive(bytes, path);
  std::vector<StoredTensor> tensors;
  std::list<std::vector<std::byte>> data;
  std::uint64_t left = max_bytes;
  for (std::uint64_t entry = 0; entry < archive.entries(); ++entry) {
    std::string name = archive.name(entry);
    if (!name.ends_with(".npy")) {
      archive.refuse("entry ", detail::in_quotes(name), " is no array, expected NAME.npy");
    }
    std::vector<std::byte>& content = data.emplace_back(archive.read(entry, left));
    left -= content.size();
    const std::string shown = detail::in_quotes(name);  // of a stranger's: in printable bytes
    const std::filesystem::path place = path.string() + '/' + shown.substr(1, shown.size() - 2);
    const detail::NpyParts parts = detail::npy_parts(content, place);
    const std::optional<Dtype> dtype = detail::dtype_of_npy(parts.header.descr);
    if (!dtype) {
      parts.header.refuse("descr is ", detail::in_quotes(parts.header.descr),
                          ", expected |u1, <u2, <f2, <f4, <f8, <i8 or <u8");
    }
    parts.require_size(size_of(*dtype));
    name.resize(name.size() - std::string_view(".npy").size());
    if (std::ranges::find(tensors, name, &StoredTensor::name) != tensors.end()) {
      archive.refuse("there are two arrays ", detail::in_quotes(name));
    }
    StoredTensor tensor{std::move(name), *dtype, parts.header.shape, parts.data};
    if (parts.header.fortran_order) {
      tensor.bytes =
          data.emplace_back(detail::from_fortran_order(parts.data, tensor.shape, size_of(*dtype)));
    }
    tensors.push_back(std::move(tensor));
  }
  return {std::move(tensors), std::move(data)};
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
