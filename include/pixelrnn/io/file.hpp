// SPDX-License-Identifier: MIT
// Whole files: reads that know their size, and writes after which the old or the new file is there.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <pixelrnn/core/error.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// What readers accept unless told otherwise, in bytes of the file or of what it unpacks to: 4 GiB.
inline constexpr std::uint64_t default_max_bytes = std::uint64_t{4} << 30;

namespace detail {

/// Throws FileError: what could not be done, to which file, and why (the text of errno).
[[noreturn]] inline void fail_errno(const char* action, const std::filesystem::path& path,
                                    int code = errno) {
  fail<FileError>("cannot ", action, " ", path, ": ", std::generic_category().message(code));
}

/// Owns a file descriptor.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }

  [[nodiscard]] int get() const { return fd_; }
  /// Closes now; false if the system reports an error, which is then in errno.
  [[nodiscard]] bool close() { return ::close(std::exchange(fd_, -1)) == 0; }

 private:
  int fd_ = -1;
};

}  // namespace detail

/// A regular file open for reading.
class InputFile {
 public:
  /// Throws FileError if the file cannot be opened or is no regular file (a directory, a pipe).
  explicit InputFile(std::filesystem::path path) : path_(std::move(path)) {
    // O_NONBLOCK: to open a pipe nobody writes to must fail below, not wait here.
    fd_ = detail::Descriptor(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status {};
    if (fd_.get() < 0 || ::fstat(fd_.get(), &status) != 0) detail::fail_errno("open", path_);
    if (!S_ISREG(status.st_mode)) {
      detail::fail<FileError>("cannot read ", path_, ": it is not a regular file");
    }
    size_ = static_cast<std::uint64_t>(status.st_size);
  }

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// Bytes in the file when it was opened.
  [[nodiscard]] std::uint64_t size() const { return size_; }

  /// Throws FileError if it has more than `max_bytes`.
  void require_at_most(std::uint64_t max_bytes) const {
    if (size_ > max_bytes) {
      detail::fail<FileError>("cannot read ", path_, ": it has ", size_,
                              " bytes, expected at most ", max_bytes, " (max_bytes)");
    }
  }

  /// Goes back to the first byte. Throws FileError.
  void rewind() {
    if (::lseek(fd_.get(), 0, SEEK_SET) != 0) detail::fail_errno("go back in", path_);
  }

  /// Fills `out` with the next bytes. Throws FileError if reading fails or the file ends before.
  void read(std::span<std::byte> out) {
    while (!out.empty()) {
      const ssize_t got = ::read(fd_.get(), out.data(), out.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) detail::fail_errno("read", path_);
      if (got == 0) {
        detail::fail<FileError>("cannot read ", path_, ": it ends ", out.size(),
                                " bytes before its size of ", size_, "; did it just shrink?");
      }
      out = out.subspan(static_cast<std::size_t>(got));
    }
  }

 private:
  std::filesystem::path path_;
  detail::Descriptor fd_;
  std::uint64_t size_ = 0;
};

/// The bytes of a regular file. Throws FileError if it cannot be read or has more than `max_bytes`.
[[nodiscard]] inline std::vector<std::byte> read_file(const std::filesystem::path& path,
                                                      std::uint64_t max_bytes = default_max_bytes) {
  InputFile file(path);
  file.require_at_most(max_bytes);
  std::vector<std::byte> bytes(static_cast<std::size_t>(file.size()));
  file.read(bytes);
  return bytes;
}

/// A file that appears under its name whole or not at all: bytes go to a temporary file beside it,
/// and commit() flushes them to the disk before it renames. Destroyed without commit(), also by an
/// exception, it leaves the old file as it was and nothing else. A process that is killed leaves
/// the old file too, and perhaps a ".<process>-<number>.pixelrnn-tmp" beside it.
///
/// The new file has the permissions of the old one, or those the umask gives if there was none.
/// Through a symbolic link, the file it points to is replaced. All members throw FileError.
class AtomicFile {
 public:
  explicit AtomicFile(const std::filesystem::path& path) : target_(resolve(path)) {
    if (!target_.has_filename()) {
      detail::fail<FileError>("cannot write ", target_, ": expected the name of a file");
    }
    const std::filesystem::path folder =
        target_.has_parent_path() ? target_.parent_path() : std::filesystem::path(".");
    folder_ = detail::Descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder_.get() < 0) detail::fail_errno("open the folder of", target_);

    struct stat old {};
    const bool replaces = ::stat(target_.c_str(), &old) == 0;
    if (!replaces && errno != ENOENT) detail::fail_errno("write", target_);
    if (replaces && !S_ISREG(old.st_mode)) {
      detail::fail<FileError>("cannot write ", target_, ": it is not a regular file");
    }
    if (replaces && ::access(target_.c_str(), W_OK) != 0) detail::fail_errno("write", target_);
    // A file that may be private must not be readable by others for a moment.
    create(folder, replaces ? 0600 : 0666);
    if (replaces && ::fchmod(fd_.get(), old.st_mode & 07777) != 0) {
      detail::fail_errno("set the permissions of", target_);
    }
  }

  /// Appends bytes.
  void write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(fd_.get(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) detail::fail_errno("write", target_);
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
  }

  /// Makes the bytes the content of the file, for good: file and folder are flushed to the disk.
  void commit() {
    if (::fsync(fd_.get()) != 0) detail::fail_errno("flush", target_);
    if (!fd_.close()) detail::fail_errno("close", target_);
    if (::rename(temporary_.path.c_str(), target_.c_str()) != 0) {
      detail::fail_errno("replace", target_);
    }
    temporary_.path.clear();
    // EINVAL: a file system that cannot flush folders.
    if (::fsync(folder_.get()) != 0 && errno != EINVAL) {
      detail::fail_errno("flush the folder of (the new file is in place)", target_);
    }
  }

 private:
  /// Removes the file it names, if any; a member, so that it also runs if the constructor throws.
  struct Temporary {
    std::filesystem::path path;
    Temporary() = default;
    Temporary(const Temporary&) = delete;
    Temporary& operator=(const Temporary&) = delete;
    ~Temporary() {
      if (!path.empty()) ::unlink(path.c_str());
    }
  };

  static std::filesystem::path resolve(const std::filesystem::path& path) {
    std::error_code error;
    if (!std::filesystem::is_symlink(std::filesystem::symlink_status(path, error))) return path;
    std::filesystem::path target = std::filesystem::canonical(path, error);
    if (error) detail::fail_errno("follow the link", path, error.value());
    return target;
  }

  void create(const std::filesystem::path& folder, mode_t mode) {
    for (int number = 0;; ++number) {
      std::filesystem::path path = folder / ('.' + std::to_string(::getpid()) + '-' +
                                             std::to_string(number) + ".pixelrnn-tmp");
      fd_ = detail::Descriptor(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
      if (fd_.get() >= 0) {
        temporary_.path = std::move(path);  // allocates nothing: the file must not be forgotten
        return;
      }
      // Taken: by another thread, or left by a killed process of the same number.
      if (errno != EEXIST) detail::fail_errno("create a temporary file for", target_);
    }
  }

  std::filesystem::path target_;
  Temporary temporary_;
  detail::Descriptor folder_;
  detail::Descriptor fd_;
};

/// Replaces the content of a file by what `writer` gives to AtomicFile::write: wholly, or not at
/// all if it throws. Throws FileError.
template <std::invocable<AtomicFile&> Writer>
void write_file_atomically(const std::filesystem::path& path, Writer&& writer) {
  AtomicFile file(path);
  std::forward<Writer>(writer)(file);
  file.commit();
}

/// Replaces the content of a file by bytes, wholly or not at all. Throws FileError.
inline void write_file_atomically(const std::filesystem::path& path,
                                  std::span<const std::byte> bytes) {
  write_file_atomically(path, [bytes](AtomicFile& file) { file.write(bytes); });
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
