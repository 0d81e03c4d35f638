// SPDX-License-Identifier: MIT
// The order in which AtomicFile asks the system to write, flush and rename, and what is left when
// one of these calls fails. Here are functions of the C library as the test program wants them:
// they write down who calls, and do what they should or fail.
#include <dlfcn.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include <pixelrnn/io/file.hpp>

#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

namespace pixelrnn {
namespace {

using test::bytes_of;
using test::read_text;
using test::write_text;
using Calls = std::vector<std::string>;
using Names = std::set<std::string>;

/// While it lives, all calls are written down, and one fails.
struct Watch {
  std::string failing = {};
  int code = 0;       ///< the errno it fails with
  int times = 1'000;  ///< after so many times it no longer fails
  std::size_t most_written = 1000;
  Calls calls = {};

  Watch();
  Watch(std::string call, int errno_code, int how_often = 1'000) : Watch() {
    failing = std::move(call);
    code = errno_code;
    times = how_often;
  }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch();
};
Watch* watch = nullptr;

Watch::Watch() { watch = this; }
Watch::~Watch() { watch = nullptr; }

std::string short_name(const std::filesystem::path& path) {
  return path.extension() == ".pixelrnn-tmp" ? "temporary" : path.filename().string();
}
std::string name_of(int fd) {
  std::error_code ignored;
  return short_name(std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd), ignored));
}

/// Writes a call down; is it to fail?
bool fails(const std::string& call) {
  watch->calls.push_back(call);
  return call == watch->failing && watch->times-- > 0;
}
int fail() {
  errno = watch->code;
  return -1;
}

/// The function of the C library that the one of its name here hides.
template <class Function>
Function* hidden(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace
}  // namespace pixelrnn

extern "C" {

ssize_t write(int fd, const void* bytes, size_t count) {
  using pixelrnn::watch;
  static auto* const real = pixelrnn::hidden<ssize_t(int, const void*, size_t)>("write");
  if (watch == nullptr) return real(fd, bytes, count);
  if (pixelrnn::fails("write " + pixelrnn::name_of(fd))) return pixelrnn::fail();
  return real(fd, bytes, std::min(count, watch->most_written));
}

int fsync(int fd) {
  static auto* const real = pixelrnn::hidden<int(int)>("fsync");
  if (pixelrnn::watch == nullptr) return real(fd);
  return pixelrnn::fails("fsync " + pixelrnn::name_of(fd)) ? pixelrnn::fail() : real(fd);
}

int close(int fd) {
  static auto* const real = pixelrnn::hidden<int(int)>("close");
  if (pixelrnn::watch == nullptr) return real(fd);
  const bool fails = pixelrnn::fails("close " + pixelrnn::name_of(fd));
  const int status = real(fd);  // a close that fails has closed all the same
  return fails ? pixelrnn::fail() : status;
}

int rename(const char* from, const char* to) noexcept(noexcept(::rename("", ""))) {
  static auto* const real = pixelrnn::hidden<int(const char*, const char*)>("rename");
  if (pixelrnn::watch == nullptr) return real(from, to);
  const std::string call =
      "rename " + pixelrnn::short_name(from) + " to " + pixelrnn::short_name(to);
  return pixelrnn::fails(call) ? pixelrnn::fail() : real(from, to);
}

}  // extern "C"

namespace pixelrnn {

TEST_CASE("Bytes are flushed before they get the name, and the name before commit returns",
          "[io][file]") {
  const test::TemporaryDirectory directory;
  const std::string folder = directory.path().filename().string();
  for (const bool is_new : {true, false}) {
    CAPTURE(is_new);
    Calls calls;
    {
      AtomicFile file(directory / "file");
      const Watch watching;
      file.write(bytes_of("one, "));
      file.write(bytes_of("two"));
      file.commit();
      calls = watching.calls;
    }
    CHECK(calls == Calls{"write temporary", "write temporary", "fsync temporary", "close temporary",
                         "rename temporary to file", "fsync " + folder});
    CHECK(read_text(directory / "file") == "one, two");
  }
}

TEST_CASE("Whichever call fails, the old file stays or none appears, and nothing else",
          "[io][file]") {
  struct Case {
    const char* call;
    const char* says;
  };
  for (const Case& c :
       {Case{"write temporary", "cannot write"}, Case{"fsync temporary", "cannot flush"},
        Case{"close temporary", "cannot close"},
        Case{"rename temporary to file", "cannot replace"}}) {
    CAPTURE(c.call);
    const test::TemporaryDirectory directory;
    const auto write = [&] {
      const Watch watching(c.call, EIO);
      write_file_atomically(directory / "file", bytes_of("new"));
    };
    CHECK_THROWS_ERROR(write(), FileError, c.says);
    CHECK(directory.names().empty());
    write_text(directory / "file", "old");
    CHECK_THROWS_ERROR(write(), FileError, "Input/output error");
    CHECK(read_text(directory / "file") == "old");
    CHECK(directory.names() == Names{"file"});
  }
}

TEST_CASE("A folder that is not flushed is an error, but one that cannot be is none",
          "[io][file]") {
  const test::TemporaryDirectory directory;
  const auto write = [&](int code, const char* text) {
    const Watch watching("fsync " + directory.path().filename().string(), code);
    write_file_atomically(directory / "file", bytes_of(text));
  };
  CHECK_THROWS_ERROR(write(EIO, "new"), FileError, "the new file is in place");
  CHECK(read_text(directory / "file") == "new");
  write(EINVAL, "newer");
  CHECK(read_text(directory / "file") == "newer");
  CHECK(directory.names() == Names{"file"});
}

TEST_CASE("Writing goes on when it is interrupted, and when the system takes a part",
          "[io][file]") {
  const test::TemporaryDirectory directory;
  std::size_t calls = 0;
  {
    Watch watching("write temporary", EINTR, 2);
    watching.most_written = 3;
    write_file_atomically(directory / "file", bytes_of("12345678"));
    calls = watching.calls.size();
  }
  CHECK(read_text(directory / "file") == "12345678");
  // Two interrupted, three that took 3, 3 and 2 bytes; fsync, close, rename, fsync; the folder.
  CHECK(calls == 10);
}

}  // namespace pixelrnn
