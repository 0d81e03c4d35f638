// SPDX-License-Identifier: MIT
#include <pixelrnn/io/cifar10.hpp>

#include <string>
#include <vector>

#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/damage.hpp"
#include "support/temporary_directory.hpp"

namespace pixelrnn {
namespace {

using test::write_text;

/// Channel c of pixel p of image i: different for all neighbours of each.
int pixel(int i, int p, int c) { return (31 * i + 7 * p + 85 * c + p / 32) % 256; }

/// Records with those labels, made of pixel().
std::string batch(const std::vector<int>& labels) {
  std::string file;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    file += static_cast<char>(labels[i]);
    for (int c = 0; c < 3; ++c) {
      for (int p = 0; p < 1024; ++p) file += static_cast<char>(pixel(static_cast<int>(i), p, c));
    }
  }
  return file;
}

std::string zip(const std::string& text) {
  return test::text_of(deflate_gzip(test::bytes_of(text)));
}

}  // namespace

TEST_CASE("CIFAR-10's colour planes become colours side by side", "[io][cifar10]") {
  const test::TemporaryDirectory directory;
  write_text(directory / "batch", batch({3, 9}));
  write_text(directory / "batch.gz", zip(batch({3, 9})));
  for (const char* name : {"batch", "batch.gz"}) {
    const Images images = read_cifar10(directory / name);
    CHECK(images.labels() == std::vector<int>{3, 9});
    CHECK(images.pixels().shape() == Shape<4>{2, 32, 32, 3});
    CHECK(images.levels() == 256);
    int wrong = 0;
    for (int i = 0; i < 2; ++i) {
      for (int p = 0; p < 1024; ++p) {
        for (int c = 0; c < 3; ++c) {
          if (images[i](p / 32, p % 32, c) != pixel(i, p, c)) ++wrong;
        }
      }
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("Batches are read one after the other", "[io][cifar10]") {
  const test::TemporaryDirectory directory;
  write_text(directory / "a", batch({1, 2}));
  write_text(directory / "b", batch({3}));
  const auto a = directory / "a", b = directory / "b";
  CHECK(read_cifar10({a, b}).labels() == std::vector<int>{1, 2, 3});
  const std::vector<std::filesystem::path> list{b, a};
  CHECK(read_cifar10(list).labels() == std::vector<int>{3, 1, 2});
  CHECK(read_cifar10({a, b}).count() == 3);
  CHECK(read_cifar10(list).count() == 3);
  CHECK(read_cifar10(a).count() == 2);
  CHECK(int{read_cifar10({a, b})[2](0, 1, 0)} == pixel(0, 1, 0));
}

TEST_CASE("A file that is no whole number of records is refused", "[io][cifar10]") {
  const test::TemporaryDirectory directory;
  const std::string valid = batch({3, 9});
  for (const std::size_t length : {1u, 3072u, 3074u, 6145u}) {
    write_text(directory / "batch", valid.substr(0, length));
    CHECK_THROWS_ERROR(read_cifar10(directory / "batch"), FileError, "bytes of a record");
    write_text(directory / "batch", zip(valid.substr(0, length)));
    CHECK_THROWS_ERROR(read_cifar10(directory / "batch"), FileError, "bytes of a record");
  }
}

TEST_CASE("A file without a record is refused, also beside others", "[io][cifar10]") {
  const test::TemporaryDirectory directory;
  write_text(directory / "some", batch({3}));
  for (const std::string& nothing : {std::string(), zip("")}) {
    write_text(directory / "none", nothing);
    const std::string says = (directory / "none").string() + ": the file is empty";
    const auto some = directory / "some", none = directory / "none";
    CHECK_THROWS_ERROR(read_cifar10(none), FileError, says);
    CHECK_THROWS_ERROR(read_cifar10({some, none}), FileError, says);
    CHECK_THROWS_ERROR(read_cifar10({none, some}), FileError, says);
  }
}

TEST_CASE("A label above 9 is named with its place", "[io][cifar10]") {
  const test::TemporaryDirectory directory;
  write_text(directory / "batch", batch({3, 10}));
  CHECK_THROWS_ERROR(read_cifar10(directory / "batch"), FileError,
                     "offset 3073: the label is 10, expected 0 to 9");
}

TEST_CASE("The cap holds for all pixels of all files", "[io][cifar10]") {
  const test::TemporaryDirectory directory;
  write_text(directory / "a", zip(batch({1, 2})));
  const auto a = directory / "a";
  CHECK(read_cifar10({a, a}, {.max_bytes = 4 * 3072}).count() == 4);
  CHECK_THROWS_ERROR(read_cifar10({a, a}, {.max_bytes = 4 * 3072 - 1}), FileError,
                     "offset 3073: more than 12287 bytes of pixels (max_bytes)");
  CHECK_THROWS_ERROR(read_cifar10(a, {.max_bytes = 10}), FileError, "max_bytes");
}

TEST_CASE("A cut-off or damaged zipped batch is refused", "[io][cifar10]") {
  const test::TemporaryDirectory directory;
  const std::string zipped = zip(batch({3, 9}));
  std::string bad_sum = zipped;
  bad_sum[bad_sum.size() - 8] = static_cast<char>(bad_sum[bad_sum.size() - 8] ^ 1);
  write_text(directory / "batch", bad_sum);
  CHECK_THROWS_ERROR(read_cifar10(directory / "batch"), FileError, "incorrect data check");
  for (std::size_t length = 2; length < zipped.size(); ++length) {
    write_text(directory / "batch", zipped.substr(0, length));
    try {
      static_cast<void>(read_cifar10(directory / "batch"));
      FAIL("accepted when cut off after " << length << " bytes");
    } catch (const FileError&) {
    }
  }
}

TEST_CASE("Whatever bit of a batch flips, it is refused or has as many images", "[io][cifar10]") {
  const test::TemporaryDirectory directory;
  const std::string valid = batch({3, 9});
  int rejected = 0;
  for (std::size_t i = 0; i < valid.size(); i += 61) {  // 61 does not divide 3073 - 1
    for (const std::size_t at : {i, (i * 3073) % valid.size()}) {
      for (int bit = 0; bit < 8; ++bit) {
        std::string flipped = valid;
        flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
        write_text(directory / "batch", flipped);
        try {
          if (read_cifar10(directory / "batch").count() != 2) FAIL("byte " << at);
        } catch (const FileError&) {
          ++rejected;
        }
      }
    }
  }
  CHECK(rejected > 0);
}

TEST_CASE("Zipped records beyond the cap, or with a damaged end, cost next to nothing",
          "[io][cifar10]") {
  const std::string zeros(3073 * 10'000, '\0');
  constexpr std::size_t little = 100'000;
  test::check_refused_cheaply(
      zip(zeros), "more than 1000000 bytes of pixels",
      [](const auto& path) { return read_cifar10(path, {.max_bytes = 1'000'000}); }, little);
  const auto as_images = [](const auto& path) { return read_cifar10(path); };
  test::check_refused_cheaply(zip(zeros + "\x7f"), "ends after 1 bytes", as_images, little);
  test::check_refused_cheaply(zip(zeros + batch({10})), "the label is 10", as_images, little);
}

TEST_CASE("The pixels of batches are in memory once, also while they are read", "[io][cifar10]") {
  const test::TemporaryDirectory directory;
  write_text(directory / "batch", batch(std::vector<int>(100, 5)));
  write_text(directory / "batch.gz", zip(batch(std::vector<int>(100, 5))));
  const auto plain = directory / "batch", zipped = directory / "batch.gz";
  const std::size_t before = test::allocated_bytes();
  CHECK(read_cifar10({plain, zipped}).count() == 200);
  // Beside them a piece of a file at a time, four times.
  CHECK(test::allocated_bytes() - before < 200 * 3072 * sizeof(Images::Level) + 300'000);
}

TEST_CASE("A limit reads so many images of all batches, and nothing behind them", "[io][cifar10]") {
  const test::TemporaryDirectory directory;
  write_text(directory / "a", batch({1, 2}));
  write_text(directory / "b", zip(batch({3, 4, 10})));
  const auto a = directory / "a", b = directory / "b", none = directory / "none";
  CHECK(read_cifar10({a, b}, {.limit = 1}).labels() == std::vector<int>{1});
  CHECK(read_cifar10({a, b}, {.limit = 4}).labels() == std::vector<int>{1, 2, 3, 4});
  CHECK(int{read_cifar10({a, b}, {.limit = 4})[3](0, 1, 0)} == pixel(1, 1, 0));
  CHECK(read_cifar10({a, none}, {.limit = 2}).count() == 2);
  CHECK(read_cifar10(a, {.limit = 9}).count() == 2);
  CHECK_THROWS_ERROR(read_cifar10({a, b}, {.limit = 5}), FileError, "the label is 10");
  CHECK_THROWS_ERROR(read_cifar10({a, none}, {.limit = 3}), FileError, "No such file");
  CHECK_THROWS_ERROR(read_cifar10(a, {.limit = -1}), ConfigError, "limit is -1");
}

}  // namespace pixelrnn
