// SPDX-License-Identifier: MIT
#include <pixelrnn/io/cifar10.hpp>

#include <string>
#include <vector>

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
  write_text(directory / "batch", "");
  CHECK(read_cifar10(directory / "batch").empty());
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
  CHECK(read_cifar10({a, a}, 4 * 3072).count() == 4);
  CHECK_THROWS_ERROR(read_cifar10({a, a}, 4 * 3072 - 1), FileError, "max_bytes");
  CHECK_THROWS_ERROR(read_cifar10(a, 10), FileError, "max_bytes");
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

TEST_CASE("Zipped records beyond the cap cost a small multiple of it", "[io][cifar10]") {
  constexpr std::size_t cap = 1'000'000;
  const std::string zeros(3073 * 10'000, '\0');
  test::check_refused_cheaply(
      test::text_of(deflate_gzip(test::bytes_of(zeros))), "more than 1000000 bytes of pixels",
      [](const auto& path) { return read_cifar10(path, cap); }, 4 * cap);
}

}  // namespace pixelrnn
