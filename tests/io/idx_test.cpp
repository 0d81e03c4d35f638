// SPDX-License-Identifier: MIT
#include <pixelrnn/io/idx.hpp>

#include <algorithm>
#include <string>
#include <vector>

#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/damage.hpp"
#include "support/temporary_directory.hpp"

namespace pixelrnn {
namespace {

using test::bytes_of;
using test::read_text;
using test::write_text;

/// An IDX file of that type and those sizes.
std::string idx(const std::vector<std::uint32_t>& sizes, const std::string& values, char type = 8) {
  std::string file{'\0', '\0', type, static_cast<char>(sizes.size())};
  for (const std::uint32_t size : sizes) {
    for (int shift = 24; shift >= 0; shift -= 8) file += static_cast<char>(size >> shift);
  }
  return file + values;
}

std::string zip(const std::string& text) { return test::text_of(deflate_gzip(bytes_of(text))); }

Images random_images(Index count, ImageShape shape, int levels, std::string binarization = "none") {
  Images images(count, shape, levels, std::move(binarization));
  std::uint32_t state = 1;
  for (Images::Level& v : images.pixels()) {
    v = static_cast<Images::Level>(((state = state * 1664525 + 1013904223) >> 16) %
                                   static_cast<std::uint32_t>(levels));
  }
  return images;
}

bool same_pixels(const Images& a, const Images& b) {
  return a.pixels().shape() == b.pixels().shape() && std::ranges::equal(a.pixels(), b.pixels());
}

/// What read_idx says of a file with that content.
Images read(const std::string& content, const IdxOptions& options = {}) {
  const test::TemporaryDirectory directory;
  write_text(directory / "file", content);
  return read_idx(directory / "file", options);
}
std::vector<int> read_labels(const std::string& content, int classes = 10) {
  const test::TemporaryDirectory directory;
  write_text(directory / "file", content);
  return read_idx_labels(directory / "file", classes);
}

}  // namespace

TEST_CASE("Images come back from IDX as they were written, plain or zipped", "[io][idx]") {
  const test::TemporaryDirectory directory;
  for (const Index channels : {1, 3}) {
    const Images images = random_images(3, {4, 5, channels}, 256);
    for (const char* name : {"images", "images.gz"}) {
      write_idx(directory / name, images);
      const Images back = read_idx(directory / name);
      CHECK(same_pixels(back, images));
      CHECK(back.levels() == 256);
      CHECK(back.binarization() == "none");
    }
    CHECK(is_gzip(bytes_of(read_text(directory / "images.gz"))));
    CHECK_FALSE(is_gzip(bytes_of(read_text(directory / "images"))));
  }
}

TEST_CASE("write_idx writes the bytes the format asks for", "[io][idx]") {
  const test::TemporaryDirectory directory;
  Images grey(1, {1, 2, 1}, 256);
  grey[0](0, 1, 0) = 200;
  write_idx(directory / "grey", grey);
  CHECK(read_text(directory / "grey") == idx({1, 1, 2}, std::string("\0\xc8", 2)));
  const Images colour(2, {1, 1, 3}, 256);
  write_idx(directory / "colour", colour);
  CHECK(read_text(directory / "colour") == idx({2, 1, 1, 3}, std::string(6, '\0')));
}

TEST_CASE("An extent that IDX cannot hold is not written", "[io][idx]") {
  const test::TemporaryDirectory directory;
  const Images images(0, {1, Index{1} << 32, 1}, 256);
  CHECK_THROWS_ERROR(write_idx(directory / "file", images), ShapeError, "W=4294967296");
  CHECK(directory.names().empty());
}

TEST_CASE("gzip is known by the first bytes of a file, not by its name", "[io][idx]") {
  const test::TemporaryDirectory directory;
  const std::string plain = idx({1, 1, 2}, "ab");
  write_text(directory / "plain.gz", plain);
  write_text(directory / "zipped.idx", zip(plain));
  CHECK(same_pixels(read_idx(directory / "plain.gz"), read_idx(directory / "zipped.idx")));
}

TEST_CASE("A binary file is read with 2 levels and is then called fixed", "[io][idx]") {
  const std::string file = idx({1, 1, 2}, std::string("\0\1", 2));
  const Images binary = read(file, {.levels = 2});
  CHECK(binary.levels() == 2);
  CHECK(binary.binarization() == "fixed");
  CHECK(read(file, {.levels = 2, .binarization = "threshold 128"}).binarization() ==
        "threshold 128");
  CHECK(read(file).levels() == 256);
  CHECK(read(file).binarization() == "none");
}

TEST_CASE("A value that is not a level is named with its place and the knob", "[io][idx]") {
  const std::string file = idx({1, 1, 3}, std::string("\0\1\2", 3));
  CHECK_THROWS_ERROR(read(file, {.levels = 2}), FileError,
                     "offset 18: the value is 2, expected 0 to 1 (IdxOptions::levels)");
  CHECK(read(file, {.levels = 3}).levels() == 3);
  CHECK_THROWS_ERROR(read(file, {.limit = -1}), ConfigError, "limit -1, expected");
  CHECK_THROWS_ERROR(read(file, {.levels = 1}), ConfigError, "IdxOptions::levels is 1");
  CHECK_THROWS_ERROR(read(file, {.levels = 257}), ConfigError, "IdxOptions::levels is 257");
}

TEST_CASE("Four axes are images only if the last is 1 or 3", "[io][idx]") {
  CHECK(read(idx({1, 1, 1, 3}, "abc")).image_shape() == ImageShape{1, 1, 3});
  CHECK(read(idx({3, 1, 1, 1}, "abc")).image_shape() == ImageShape{1, 1, 1});
  CHECK_THROWS_ERROR(read(idx({1, 1, 1, 2}, "ab")), FileError, "4 axes, the last of 2");
  CHECK_THROWS_ERROR(read(idx({2, 1}, "ab")), FileError, "2 axes");
}

TEST_CASE("IDX files of something else are named for what they are", "[io][idx]") {
  const std::vector<std::pair<char, std::string>> types{{'\x09', "signed bytes"},
                                                        {'\x0b', "16-bit integers"},
                                                        {'\x0c', "32-bit integers"},
                                                        {'\x0d', "32-bit floats"},
                                                        {'\x0e', "64-bit floats"}};
  for (const auto& [type, name] : types) {
    const std::string says = "it is an IDX file of " + name + ", expected unsigned bytes";
    CHECK_THROWS_ERROR(read(idx({1, 1, 1}, std::string(8, '\0'), type)), FileError, says);
    CHECK_THROWS_ERROR(read_labels(idx({1}, std::string(8, '\0'), type)), FileError, says);
  }
  CHECK_THROWS_ERROR(read(idx({2}, "\1\2")), FileError,
                     "it is an IDX file of labels (1 axis, of 2), expected images");
  CHECK_THROWS_ERROR(read_labels(idx({1, 1}, "\1")), FileError, "IDX file of tables (2 axes)");
}

TEST_CASE("A file without images is read, one of images without pixels is not", "[io][idx]") {
  CHECK(read(idx({0, 28, 28}, "")).empty());
  CHECK_THROWS_ERROR(read(idx({5, 0, 28}, "")), FileError, "0x28, expected pixels");
  CHECK_THROWS_ERROR(read(idx({5, 28, 0}, "")), FileError, "28x0, expected pixels");
}

TEST_CASE("Every broken header is refused", "[io][idx]") {
  const std::string valid = idx({1, 1, 2}, "ab");
  REQUIRE(read(valid).count() == 1);
  const auto with = [&](std::size_t at, char byte) {
    std::string file = valid;
    file[at] = byte;
    return file;
  };
  CHECK_THROWS_ERROR(read(with(0, 1)), FileError, "does not begin with 00 00");
  CHECK_THROWS_ERROR(read(with(1, 1)), FileError, "does not begin with 00 00");
  for (const char type : {'\x0a', '\x07', '\x0f', '\0'}) {
    CHECK_THROWS_ERROR(read(with(2, type)), FileError, "expected 8 (unsigned bytes)");
  }
  CHECK_THROWS_ERROR(read(with(3, 0)), FileError, "the number of axes is 0");
  CHECK_THROWS_ERROR(read(with(3, 5)), FileError, "the number of axes is 5");
  CHECK_THROWS_ERROR(read(valid.substr(0, 3)), FileError, "ends within its header");
  CHECK_THROWS_ERROR(read(valid.substr(0, 15)), FileError, "ends within its header");
  CHECK_THROWS_ERROR(read(""), FileError, "ends within its header");
}

TEST_CASE("Sizes are held against the file before memory is allocated for them", "[io][idx]") {
  CHECK_THROWS_ERROR(read(idx({2, 1, 2}, "abc")), FileError,
                     "promise 4 values, but at most 3 can follow");
  CHECK_THROWS_ERROR(read(idx({1, 1, 2}, "abc")), FileError, "goes on after its last value");
  // 2^96 and 2^64 wrap around; 2^63 is no Index; 4 GB are not there.
  const std::uint32_t most = 0xffffffff;
  CHECK_THROWS_ERROR(read(idx({most, most, most}, "abc")), FileError, "2^63 or more");
  CHECK_THROWS_ERROR(read(idx({1u << 31, 1u << 31, 4}, "abc")), FileError, "2^63 or more");
  CHECK_THROWS_ERROR(read(idx({2, 1u << 31, 1u << 31}, "abc")), FileError, "2^63 or more");
  CHECK_THROWS_ERROR(read(idx({0, most, most, 3}, "")), FileError, "2^63 or more");
  CHECK_THROWS_ERROR(read(idx({1, 1, most}, "abc")), FileError, "promise 4294967295 values");
  CHECK_THROWS_ERROR(read(zip(idx({1, 1, most}, "abc"))), FileError, "promise 4294967295 values");
}

TEST_CASE("A zipped file must unpack to exactly what its header says", "[io][idx]") {
  CHECK(read(zip(idx({1, 1, 3}, "abc"))).count() == 1);
  CHECK_THROWS_ERROR(read(zip(idx({1, 1, 4}, "abc"))), FileError, "ends before 1 of the values");
  CHECK_THROWS_ERROR(read(zip(idx({1, 1, 2}, "abc"))), FileError, "goes on after its last value");
  CHECK_THROWS_ERROR(read(zip(idx({1, 1, 3}, "abc")) + "x"), FileError, "not gzip");
  std::string bad_sum = zip(idx({1, 1, 3}, "abc"));
  bad_sum[bad_sum.size() - 8] = static_cast<char>(bad_sum[bad_sum.size() - 8] ^ 1);
  CHECK_THROWS_ERROR(read(bad_sum), FileError, "incorrect data check");
}

TEST_CASE("The cap holds for a file and for what it unpacks to", "[io][idx]") {
  const std::string file = idx({1, 100, 100}, std::string(10'000, 'a'));
  CHECK(read(file, {.max_bytes = file.size()}).count() == 1);
  CHECK_THROWS_ERROR(read(file, {.max_bytes = file.size() - 1}), FileError, "max_bytes");
  CHECK(read(zip(file), {.max_bytes = 10'000}).count() == 1);
  CHECK_THROWS_ERROR(read(zip(file), {.max_bytes = 9'999}), FileError, "max_bytes is 9999");
}

TEST_CASE("Labels are read and held below the number of classes", "[io][idx]") {
  CHECK(read_labels(idx({3}, std::string("\0\x09\5", 3))) == std::vector<int>{0, 9, 5});
  CHECK(read_labels(zip(idx({1}, "\7"))) == std::vector<int>{7});
  CHECK_THROWS_ERROR(read_labels(idx({2}, "\1\x0a")), FileError,
                     "offset 9: the value is 10, expected 0 to 9 (classes)");
  CHECK(read_labels(idx({2}, "\1\x0a"), 11).size() == 2);
  CHECK_THROWS_ERROR(read_labels(idx({1, 1, 1}, "\1")), FileError,
                     "it is an IDX file of images (3 axes), expected labels");
}

TEST_CASE("Images come with the labels of another file, which must be as many", "[io][idx]") {
  const test::TemporaryDirectory directory;
  write_text(directory / "images", idx({2, 1, 1}, std::string("\1\0", 2)));
  write_text(directory / "labels", idx({2}, "\3\4"));
  write_text(directory / "more", idx({3}, "\3\4\5"));
  const Images images =
      read_idx(directory / "images", {.levels = 2, .labels = directory / "labels"});
  CHECK(images.levels() == 2);
  CHECK(images.labels() == std::vector<int>{3, 4});
  CHECK(read_idx(directory / "images").labels().empty());
  CHECK_THROWS_ERROR(read_idx(directory / "images", {.labels = directory / "more"}), FileError,
                     "has 2 images, but");
  CHECK_THROWS_ERROR(read_idx(directory / "images", {.labels = directory / "labels", .classes = 4}),
                     FileError, "the value is 4, expected 0 to 3");
  CHECK_THROWS_ERROR(read_idx(directory / "images", {.labels = directory / "none"}), FileError,
                     "No such file");
}

TEST_CASE("An IDX file that promises much is refused for little, zipped too", "[io][idx]") {
  const auto refused = [](const std::string& file, const char* says) {
    const auto as_images = [](const auto& path) { return read_idx(path); };
    test::check_refused_cheaply(file, says, as_images);
    test::check_refused_cheaply(zip(file), says, as_images);
  };
  refused(idx({1 << 20, 1 << 10, 1 << 10}, "123456"), "promise 1099511627776 values");
  refused(idx({0xffffffff, 0xffffffff, 0xffffffff, 3}, "123456"), "multiply to 2^63 or more");
  refused(idx({0, 0xffffffff, 0xffffffff, 3}, "123456"), "multiply to 2^63 or more");
  // 10 MB in 10 kB, of which the header promises 1000.
  test::check_refused_cheaply(zip(idx({10, 10, 10}, std::string(10'000'000, '\0'))),
                              "goes on after its last value",
                              [](const auto& path) { return read_idx(path); });
  const auto as_labels = [](const auto& path) { return read_idx_labels(path); };
  test::check_refused_cheaply(idx({0xffffffff}, "123456"), "promise 4294967295", as_labels);
  test::check_refused_cheaply(zip(idx({0xffffffff}, "123456")), "promise 4294967295", as_labels);
}

TEST_CASE("A zipped IDX file gets memory for what is in it, not for what it promises",
          "[io][idx]") {
  // 200 kB that could inflate to 200 MB. The header says 100 MB, and 200 kB are there.
  std::string noise(200'000, '\0');
  std::uint32_t state = 1;
  for (char& c : noise) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  constexpr std::size_t little = 200'000;
  const auto as_images = [](const auto& path) { return read_idx(path); };
  test::check_refused_cheaply(zip(idx({100, 1000, 1000}, noise)), "ends before 99800000 of the",
                              as_images, little);
  test::check_refused_cheaply(
      zip(idx({100'000'000}, noise)), "ends before 99800000 of the",
      [](const auto& path) { return read_idx_labels(path); }, little);
  // What is there but for its checksum is not kept either.
  std::string damaged = zip(idx({200, 100, 100}, std::string(2'000'000, '\0')));
  damaged[damaged.size() - 8] = static_cast<char>(damaged[damaged.size() - 8] ^ 1);
  test::check_refused_cheaply(damaged, "incorrect data check", as_images, little);
}

TEST_CASE("Images of more levels than a byte has are no IDX file", "[io][idx]") {
  const test::TemporaryDirectory directory;
  CHECK_THROWS_ERROR(write_idx(directory / "images", Images(1, {2, 2, 1}, 257)), ConfigError,
                     "write_idx: images have 257 levels, expected at most 256");
  CHECK_FALSE(std::filesystem::exists(directory / "images"));
}

TEST_CASE("The pixels of an IDX file are in memory once, also while it is read", "[io][idx]") {
  const test::TemporaryDirectory directory;
  const Images images = random_images(100, {100, 100, 1}, 256);
  for (const char* name : {"images", "images.gz"}) {
    write_idx(directory / name, images);
    const std::size_t before = test::allocated_bytes();
    CHECK(read_idx(directory / name).count() == 100);
    CHECK(test::allocated_bytes() - before < sizeof(Images::Level) * 1'000'000 + 80'000);
  }
}

TEST_CASE("A limit reads so many images with their labels, and nothing behind them", "[io][idx]") {
  const test::TemporaryDirectory directory;
  const Images images = random_images(100, {100, 100, 3}, 256);
  std::string labels(100, '\0');
  for (int i = 0; i < 10; ++i) labels[static_cast<std::size_t>(i)] = static_cast<char>(9 - i);
  labels[99] = '\x7f';  // no label, but none that is read
  write_text(directory / "labels", idx({100}, labels));
  write_idx(directory / "images", images);
  write_idx(directory / "images.gz", images);
  // Behind the first images the zipped file is damaged.
  std::string zipped = read_text(directory / "images.gz");
  zipped.resize(zipped.size() - 1000);
  write_text(directory / "cut.gz", zipped);
  for (const char* name : {"images", "images.gz", "cut.gz"}) {
    CAPTURE(name);
    const std::size_t before = test::allocated_bytes();
    const Images some = read_idx(directory / name, {.labels = directory / "labels", .limit = 3});
    CHECK(test::allocated_bytes() - before < 3 * 30'000 + 170'000);
    CHECK(same_pixels(some, images.first(3)));
    CHECK(some.labels() == std::vector<int>{9, 8, 7});
  }
  CHECK(read_idx(directory / "images.gz", {.limit = 1000}).count() == 100);
  CHECK_THROWS_ERROR(read_idx(directory / "cut.gz", {.limit = 1000}), FileError, "cut off");
}

TEST_CASE("Damaged IDX files are errors or images of the same shape", "[io][idx]") {
  const auto shape_of = [](const std::filesystem::path& path) {
    return read_idx(path).pixels().shape();
  };
  const std::string file = idx({3, 2, 5}, "abcdefghijklmnopqrstuvwxyz0123");
  test::check_survives_damage(file, shape_of);
  test::check_survives_damage(zip(file), shape_of);
  test::check_survives_damage(idx({5}, "\1\2\3\4\5"), [](const std::filesystem::path& path) {
    return read_idx_labels(path).size();
  });
}

}  // namespace pixelrnn
