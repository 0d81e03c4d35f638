// SPDX-License-Identifier: MIT
#include <pixelrnn/io/file.hpp>

#include <sys/resource.h>
#include <sys/wait.h>

#include <csignal>
#include <stdexcept>
#include <string>

#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

namespace pixelrnn {
namespace {

using test::bytes_of;
using test::read_text;
using test::text_of;
using test::write_text;

mode_t permissions(const std::filesystem::path& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

/// Runs body() in a process of its own; its value is the exit status.
template <class Body>
int in_child(Body body) {
  const pid_t child = ::fork();
  if (child == 0) {
    int status = 99;
    try {
      status = body();
    } catch (...) {
    }
    ::_exit(status);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

TEST_CASE("read_file gives the bytes of a file and refuses more than its cap", "[io][file]") {
  const test::TemporaryDirectory directory;
  const std::string text("one\0two\xff", 8);
  write_text(directory / "file", text);
  CHECK(text_of(read_file(directory / "file")) == text);
  CHECK(text_of(read_file(directory / "file", 8)) == text);
  CHECK_THROWS_ERROR(read_file(directory / "file", 7), FileError, "8 bytes, expected at most 7");
  write_text(directory / "empty", "");
  CHECK(read_file(directory / "empty").empty());
}

TEST_CASE("What is no regular file is refused, a pipe without waiting for it", "[io][file]") {
  const test::TemporaryDirectory directory;
  REQUIRE(::mkfifo((directory / "pipe").c_str(), 0600) == 0);
  CHECK_THROWS_ERROR(read_file(directory / "pipe"), FileError, "not a regular file");
  CHECK_THROWS_ERROR(read_file(directory.path()), FileError, "not a regular file");
  CHECK_THROWS_ERROR(read_file(directory / "none"), FileError, "No such file");
  CHECK_THROWS_ERROR(read_file(directory / "none"), FileError, (directory / "none").string());
  CHECK_THROWS_ERROR(write_file_atomically(directory / "pipe", bytes_of("x")), FileError,
                     "not a regular file");
  CHECK_THROWS_ERROR(write_file_atomically(directory.path(), bytes_of("x")), FileError,
                     "not a regular file");
}

TEST_CASE("A file can be read again from its first byte", "[io][file]") {
  const test::TemporaryDirectory directory;
  write_text(directory / "file", "12345678");
  InputFile file(directory / "file");
  std::vector<std::byte> bytes(5);
  file.read(bytes);
  CHECK(text_of(bytes) == "12345");
  file.rewind();
  file.read(bytes);
  CHECK(text_of(bytes) == "12345");
  CHECK_NOTHROW(file.require_at_most(8));
  CHECK_THROWS_ERROR(file.require_at_most(7), FileError, "8 bytes, expected at most 7 (max_bytes)");
}

TEST_CASE("A file that shrinks while it is read is an error", "[io][file]") {
  const test::TemporaryDirectory directory;
  write_text(directory / "file", "12345678");
  InputFile file(directory / "file");
  CHECK(file.path() == directory / "file");
  CHECK(file.size() == 8);
  write_text(directory / "file", "123");
  std::vector<std::byte> bytes(8);
  CHECK_THROWS_ERROR(file.read(bytes), FileError, "ends 5 bytes before its size of 8");
}

TEST_CASE("An atomic write makes or replaces the file and leaves nothing else", "[io][file]") {
  const test::TemporaryDirectory directory;
  write_file_atomically(directory / "file", bytes_of("first"));
  CHECK(read_text(directory / "file") == "first");
  write_file_atomically(directory / "file", [](AtomicFile& file) {
    file.write(bytes_of("sec"));
    file.write(bytes_of(""));
    file.write(bytes_of("ond"));
  });
  CHECK(read_text(directory / "file") == "second");
  CHECK(directory.names() == std::set<std::string>{"file"});
}

TEST_CASE("A name without a folder is written to the current one", "[io][file]") {
  const test::TemporaryDirectory directory;
  CHECK(in_child([&] {
          std::filesystem::current_path(directory.path());
          write_file_atomically("file", bytes_of("here"));
          return 0;
        }) == 0);
  CHECK(read_text(directory / "file") == "here");
}

TEST_CASE("What is no name of a file is refused", "[io][file]") {
  const test::TemporaryDirectory directory;
  CHECK_THROWS_ERROR(AtomicFile(""), FileError, "cannot write \"\": expected the name of a file");
  CHECK_THROWS_ERROR(AtomicFile(directory / ""), FileError, "/\": expected the name of a file");
  CHECK_THROWS_ERROR(write_file_atomically("", bytes_of("x")), FileError,
                     "expected the name of a file");
  CHECK(directory.names().empty());
}

TEST_CASE("The new file keeps the permissions of the old one", "[io][file]") {
  const test::TemporaryDirectory directory;
  write_text(directory / "file", "old");
  for (const mode_t mode : {0600u, 0640u, 0666u, 0755u}) {
    REQUIRE(::chmod((directory / "file").c_str(), mode) == 0);
    write_file_atomically(directory / "file", bytes_of("new"));
    CHECK(permissions(directory / "file") == mode);
  }
}

TEST_CASE("A first file has the permissions the umask gives", "[io][file]") {
  const test::TemporaryDirectory directory;
  CHECK(in_child([&] {
          ::umask(027);
          write_file_atomically(directory / "file", bytes_of("new"));
          return 0;
        }) == 0);
  CHECK(permissions(directory / "file") == 0640);
}

TEST_CASE("Through a symbolic link its target is written", "[io][file]") {
  const test::TemporaryDirectory directory;
  std::filesystem::create_directory(directory / "other");
  write_text(directory / "other/file", "old");
  std::filesystem::create_symlink("other/file", directory / "link");
  write_file_atomically(directory / "link", bytes_of("new"));
  CHECK(std::filesystem::is_symlink(directory / "link"));
  CHECK(read_text(directory / "other/file") == "new");

  std::filesystem::create_symlink("nowhere", directory / "dangling");
  CHECK_THROWS_ERROR(write_file_atomically(directory / "dangling", bytes_of("x")), FileError,
                     "follow the link");
}

TEST_CASE("A writer that throws leaves the old file and nothing else", "[io][file]") {
  const test::TemporaryDirectory directory;
  write_text(directory / "file", "old");
  CHECK_THROWS_AS(write_file_atomically(directory / "file",
                                        [](AtomicFile& file) {
                                          file.write(bytes_of("half of the ne"));
                                          throw std::logic_error("enough");
                                        }),
                  std::logic_error);
  CHECK(read_text(directory / "file") == "old");
  CHECK(directory.names() == std::set<std::string>{"file"});
}

TEST_CASE("A write that the system refuses leaves the old file and nothing else", "[io][file]") {
  const test::TemporaryDirectory directory;
  write_text(directory / "file", "old");
  CHECK(in_child([&] {
          std::signal(SIGXFSZ, SIG_IGN);  // else the limit kills instead of failing the write
          const rlimit limit{4096, 4096};
          if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
          try {
            write_file_atomically(directory / "file", bytes_of(std::string(100'000, 'x')));
          } catch (const FileError& error) {
            const std::string message = error.what();
            const bool names_both = message.find("File too large") != message.npos &&
                                    message.find((directory / "file").string()) != message.npos;
            return names_both ? 0 : 2;
          }
          return 3;
        }) == 0);
  CHECK(read_text(directory / "file") == "old");
  CHECK(directory.names() == std::set<std::string>{"file"});
}

TEST_CASE("A file whose owner made it read-only is not replaced", "[io][file]") {
  const test::TemporaryDirectory directory;
  REQUIRE(::chmod(directory.path().c_str(), 0777) == 0);
  write_text(directory / "file", "old");
  REQUIRE(::chmod((directory / "file").c_str(), 0444) == 0);
  CHECK(in_child([&] {
          // Permissions do not bind root: become somebody else.
          if (::geteuid() == 0 && ::setuid(65534) != 0) return 1;
          try {
            write_file_atomically(directory / "file", bytes_of("new"));
          } catch (const FileError&) {
            return 0;
          }
          return 2;
        }) == 0);
  CHECK(read_text(directory / "file") == "old");
}

TEST_CASE("A folder that takes no new file is an error", "[io][file]") {
  const test::TemporaryDirectory directory;
  REQUIRE(::chmod(directory.path().c_str(), 0555) == 0);
  CHECK(in_child([&] {
          if (::geteuid() == 0 && ::setuid(65534) != 0) return 1;
          try {
            write_file_atomically(directory / "file", bytes_of("new"));
          } catch (const FileError& error) {
            const std::string message = error.what();
            return message.find("Permission denied") != message.npos ? 0 : 2;
          }
          return 3;
        }) == 0);
  CHECK(directory.names().empty());
}

TEST_CASE("A folder that is missing, or loses the temporary file, is an error", "[io][file]") {
  const test::TemporaryDirectory directory;
  CHECK_THROWS_ERROR(write_file_atomically(directory / "none/file", bytes_of("x")), FileError,
                     "folder");
  CHECK_THROWS_ERROR(write_file_atomically(directory / std::string(300, 'n'), bytes_of("x")),
                     FileError, "File name too long");
  CHECK_THROWS_ERROR(write_file_atomically(directory / "file",
                                           [&](AtomicFile&) {
                                             for (const std::string& name : directory.names()) {
                                               std::filesystem::remove(directory / name);
                                             }
                                           }),
                     FileError, "cannot replace");
  CHECK(directory.names().empty());
}

TEST_CASE("The remains of a killed process do not stop a new one of its number", "[io][file]") {
  const test::TemporaryDirectory directory;
  CHECK(in_child([&] {
          AtomicFile probe(directory / "probe");
          const std::string name = *directory.names().begin();  // .<process>-0.pixelrnn-tmp
          const std::size_t dash = name.find('-');
          const int number = std::stoi(name.substr(dash + 1));
          for (int next = number + 1; next < number + 4; ++next) {
            write_text(
                directory / (name.substr(0, dash + 1) + std::to_string(next) + ".pixelrnn-tmp"),
                "remains");
          }
          write_file_atomically(directory / "file", bytes_of("new"));
          return 0;
        }) == 0);
  CHECK(read_text(directory / "file") == "new");
}

TEST_CASE("A file is committed once", "[io][file]") {
  const test::TemporaryDirectory directory;
  AtomicFile file(directory / "file");
  file.write(bytes_of("new"));
  file.commit();
  CHECK_THROWS_ERROR(file.commit(), FileError, "cannot flush");
  CHECK_THROWS_ERROR(file.write(bytes_of("more")), FileError, "cannot write");
  CHECK(read_text(directory / "file") == "new");
}

}  // namespace pixelrnn
