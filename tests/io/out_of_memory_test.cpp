// SPDX-License-Identifier: MIT
// Every reader and writer of io/ with each of its allocations failing in turn.
#include <cstdint>
#include <new>
#include <string>
#include <vector>

#include <pixelrnn/io/cifar10.hpp>
#include <pixelrnn/io/idx.hpp>
#include <pixelrnn/io/npy.hpp>
#include <pixelrnn/io/png.hpp>
#include <pixelrnn/io/safetensors.hpp>

#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

namespace pixelrnn {
namespace {

/// Runs `work` with 0, 1, 2, ... allocations allowed until it gets through; each time before, it
/// must throw std::bad_alloc, and then `check` must hold. Returns how often it failed.
template <class Work, class Check>
int failures(Work work, Check check) {
  for (int allowed = 0;; ++allowed) {
    bool failed = false;
    {
      const test::AllocationBudget budget(static_cast<std::size_t>(allowed));
      try {
        work();
      } catch (const std::bad_alloc&) {
        failed = true;
      }
    }
    if (!failed) return allowed;
    check();
  }
}

}  // namespace

TEST_CASE("A reader that runs out of memory says so and leaks nothing", "[io][memory]") {
  const test::TemporaryDirectory directory;
  const Images images(2, {4, 5, 3}, 256);
  const std::vector<std::uint8_t> values(6);
  write_idx(directory / "images.gz", images);
  write_png(directory / "image.png", images.first(1));
  test::write_text(directory / "cifar", std::string(3073, '\1'));
  write_npy(directory / "array.npy", {2, 3}, std::span(values));
  write_safetensors(directory / "file", {stored("values", {2, 3}, std::span(values))},
                    {{"key", "a value that no short string can hold in itself"}});
  const auto in = [&](const char* name) { return directory / name; };
  const auto nothing = [] {};
  CHECK(failures([&] { static_cast<void>(read_idx(in("images.gz"))); }, nothing) > 3);
  CHECK(failures([&] { static_cast<void>(read_png(in("image.png"))); }, nothing) > 3);
  CHECK(failures([&] { static_cast<void>(read_cifar10(in("cifar"))); }, nothing) > 3);
  CHECK(failures([&] { static_cast<void>(read_npy<std::uint8_t>(in("array.npy"))); }, nothing) > 3);
  CHECK(failures([&] { static_cast<void>(read_safetensors(in("file"))); }, nothing) > 3);
}

TEST_CASE("A writer that runs out of memory leaves the old file and nothing else", "[io][memory]") {
  const test::TemporaryDirectory directory;
  const auto path = directory / "file.gz";
  const Images image(1, {4, 5, 3}, 256);
  const std::vector<std::uint8_t> values(6);
  const auto check_writer = [&](auto write) {
    test::write_text(path, "old");
    const int count = failures(write, [&] {
      REQUIRE(test::read_text(path) == "old");
      REQUIRE(directory.names().size() == 1);
    });
    CHECK(count > 3);
    CHECK(test::read_text(path) != "old");
  };
  check_writer([&] { write_idx(path, image); });
  check_writer([&] { write_png(path, image); });
  check_writer([&] { write_npy(path, {2, 3}, std::span(values)); });
  check_writer([&] {
    write_safetensors(path, {stored("values", {2, 3}, std::span(values))}, {{"key", "value"}});
  });
}

}  // namespace pixelrnn
