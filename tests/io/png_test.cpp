// SPDX-License-Identifier: MIT
#include <pixelrnn/io/png.hpp>

#include <zlib.h>

#include <algorithm>
#include <string>
#include <vector>

#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/damage.hpp"
#include "support/temporary_directory.hpp"

namespace pixelrnn {
namespace {

using test::read_text;
using test::write_text;
using Bytes = std::string;

Bytes big32(std::uint32_t value) {
  Bytes bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
  return bytes;
}
Bytes chunk(const Bytes& type, const Bytes& data) {
  const Bytes body = type + data;
  const auto sum =
      crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  return big32(static_cast<std::uint32_t>(data.size())) + body +
         big32(static_cast<std::uint32_t>(sum));
}
Bytes deflated(const Bytes& text) {
  uLongf size = compressBound(text.size());
  Bytes result(size, '\0');
  compress(reinterpret_cast<Bytef*>(result.data()), &size,
           reinterpret_cast<const Bytef*>(text.data()), text.size());
  result.resize(size);
  return result;
}

enum Colour : char { grey = 0, rgb = 2, palette = 3, grey_alpha = 4, rgb_alpha = 6 };

/// A PNG file put together by hand; `rows` are the scan lines, each after its filter byte.
Bytes png(std::uint32_t width, std::uint32_t height, char depth, Colour colour, const Bytes& rows,
          const Bytes& before_data = "", bool interlaced = false) {
  return "\x89PNG\r\n\x1a\n" +
         chunk("IHDR", big32(width) + big32(height) +
                           Bytes{depth, colour, '\0', '\0', static_cast<char>(interlaced)}) +
         before_data + chunk("IDAT", deflated(rows)) + chunk("IEND", "");
}

Bytes bytes(std::initializer_list<int> values) {
  Bytes result;
  for (const int value : values) result += static_cast<char>(value);
  return result;
}

Images read(const Bytes& content, const PngOptions& options = {}) {
  const test::TemporaryDirectory directory;
  write_text(directory / "image.png", content);
  return read_png(directory / "image.png", options);
}
std::vector<int> values_of(const Images& images) {
  return {images.pixels().begin(), images.pixels().end()};
}

Images gradient(ImageShape shape, int levels = 256) {
  Images image(1, shape, levels);
  int value = 0;
  for (Images::Level& v : image.pixels()) v = static_cast<Images::Level>((value += 37) % levels);
  return image;
}

}  // namespace

TEST_CASE("Images come back from PNG as they were written", "[io][png]") {
  const test::TemporaryDirectory directory;
  for (const Index channels : {1, 3}) {
    const Images image = gradient({5, 7, channels});
    write_png(directory / "image.png", image);
    const Images back = read_png(directory / "image.png");
    CHECK(back.pixels().shape() == Shape<4>{1, 5, 7, channels});
    CHECK(values_of(back) == values_of(image));
    CHECK(back.levels() == 256);
  }
  CHECK(directory.names() == std::set<std::string>{"image.png"});
}

TEST_CASE("Images longer and wider than libpng's own limit come back from PNG", "[io][png]") {
  const test::TemporaryDirectory directory;
  for (const ImageShape shape : {ImageShape{1'000'001, 1, 1}, ImageShape{1, 1'000'001, 1}}) {
    const Images image = gradient(shape);
    write_png(directory / "image.png", image);
    const Images back = read_png(directory / "image.png");
    CHECK(back.image_shape() == shape);
    CHECK(std::ranges::equal(back.pixels(), image.pixels()));
  }
}

TEST_CASE("write_png spreads the levels over 0 .. 255", "[io][png]") {
  const test::TemporaryDirectory directory;
  for (const int levels : {2, 3, 4, 8, 16, 100, 256}) {
    Images image(1, {1, levels, 1}, levels);
    std::vector<int> expected;
    for (int level = 0; level < levels; ++level) {
      image[0](0, level, 0) = static_cast<Images::Level>(level);
      expected.push_back(static_cast<int>(std::lround(level * 255.0 / (levels - 1))));
    }
    write_png(directory / "image.png", image);
    CHECK(values_of(read_png(directory / "image.png")) == expected);
    CHECK(expected.back() == 255);
  }
}

TEST_CASE("write_png spreads more than 256 levels over 16 bits", "[io][png]") {
  const test::TemporaryDirectory directory;
  const auto written = [&](int levels) {
    Images image(1, {1, 4, 1}, levels);
    for (int i = 0; i < 4; ++i) {
      image[0](0, i, 0) = static_cast<Images::Level>((levels - 1) * i / 3);
    }
    write_png(directory / "image.png", image);
    return read_text(directory / "image.png");
  };
  const auto depth = [&](int levels) { return int{written(levels)[24]}; };  // of IHDR
  CHECK(depth(256) == 8);
  CHECK(depth(257) == 16);
  CHECK(depth(65536) == 16);
  // The reader scales 16 bits to the nearest of 8.
  static_cast<void>(written(1000));
  const Images back = read_png(directory / "image.png");
  for (int i = 0; i < 4; ++i) CHECK(back[0](0, i, 0) == 85 * i);
}

TEST_CASE("write_png takes one grey or colour image and refuses the rest", "[io][png]") {
  const test::TemporaryDirectory directory;
  const auto path = directory / "image.png";
  CHECK_THROWS_ERROR(write_png(path, Images(2, {2, 2, 1}, 256)), ShapeError, "see grid");
  CHECK_THROWS_ERROR(write_png(path, Images(0, {2, 2, 1}, 256)), ShapeError, "N=0");
  CHECK_THROWS_ERROR(write_png(path, Images(1, {2, 2, 2}, 256)), ShapeError, "C = 1 or 3");
  CHECK_THROWS_ERROR(write_png(path, Images(1, {0, 2, 1}, 256)), ShapeError, "H=0");
  CHECK_THROWS_ERROR(write_png(path, Images(1, {2, 0, 1}, 256)), ShapeError, "W=0");
  CHECK_THROWS_ERROR(write_png(directory / "none/image.png", Images(1, {2, 2, 1}, 256)), FileError,
                     "folder");
  CHECK(directory.names().empty());
}

TEST_CASE("Grey samples of 1, 2 and 4 bits are scaled up", "[io][png]") {
  CHECK(values_of(read(png(4, 1, 1, grey, bytes({0, 0b01100000})))) ==
        std::vector<int>{0, 255, 255, 0});
  CHECK(values_of(read(png(4, 1, 2, grey, bytes({0, 0b00011011})))) ==
        std::vector<int>{0, 85, 170, 255});
  CHECK(values_of(read(png(2, 1, 4, grey, bytes({0, 0x1f})))) == std::vector<int>{17, 255});
}

TEST_CASE("Samples of 16 bits are scaled down to the nearest", "[io][png]") {
  // 257 v is v; 128 more are v, 129 more are v + 1.
  const Images image = read(png(4, 1, 16, grey,
                                bytes({0, 0x10, 0x10, 0x10, 0x90, 0x10, 0x91,  //
                                       0xff, 0xff})));
  CHECK(values_of(image) == std::vector<int>{16, 16, 17, 255});
  CHECK(values_of(read(png(1, 1, 16, rgb, bytes({0, 0, 0, 0x80, 0x80, 0xfe, 0xfe})))) ==
        std::vector<int>{0, 128, 254});
}

TEST_CASE("A palette becomes its colours", "[io][png]") {
  const Bytes colours = chunk("PLTE", bytes({1, 2, 3, 250, 251, 252}));
  const Images image = read(png(2, 1, 1, palette, bytes({0, 0b01000000}), colours));
  CHECK(image.image_shape() == ImageShape{1, 2, 3});
  CHECK(values_of(image) == std::vector<int>{1, 2, 3, 250, 251, 252});
}

TEST_CASE("An interlaced image is the image", "[io][png]") {
  // 3x3 in Adam7's order: (0,0); none; none; (0,2); (2,0), (2,2); (0,1), (2,1); row 1.
  const Bytes rows = bytes({0, 1, 0, 3, 0, 7, 9, 0, 2, 0, 8, 0, 4, 5, 6});
  CHECK(values_of(read(png(3, 3, 8, grey, rows, "", true))) ==
        std::vector<int>{1, 2, 3, 4, 5, 6, 7, 8, 9});
}

TEST_CASE("Transparency is refused, or put on a background if there is one", "[io][png]") {
  PngOptions white;
  white.background = std::uint8_t{255};
  const Bytes with_alpha = png(3, 1, 8, grey_alpha, bytes({0, 100, 255, 100, 0, 100, 128}));
  CHECK_THROWS_ERROR(read(with_alpha), FileError, "PngOptions::background");
  CHECK(values_of(read(with_alpha, white)) == std::vector<int>{100, 255, 177});

  const Bytes coloured = png(2, 1, 8, rgb_alpha, bytes({0, 10, 20, 30, 255, 10, 20, 30, 0}));
  CHECK_THROWS_ERROR(read(coloured), FileError, "transparency");
  CHECK(values_of(read(coloured, white)) == std::vector<int>{10, 20, 30, 255, 255, 255});

  // One colour, or entries of a palette, declared transparent.
  const Bytes key = png(2, 1, 8, grey, bytes({0, 7, 8}), chunk("tRNS", bytes({0, 7})));
  CHECK_THROWS_ERROR(read(key), FileError, "transparency");
  CHECK(values_of(read(key, white)) == std::vector<int>{255, 8});
  const Bytes entries = png(2, 1, 8, palette, bytes({0, 0, 1}),
                            chunk("PLTE", bytes({1, 2, 3, 4, 5, 6})) + chunk("tRNS", bytes({0})));
  CHECK_THROWS_ERROR(read(entries), FileError, "transparency");
  CHECK(values_of(read(entries, white)) == std::vector<int>{255, 255, 255, 4, 5, 6});
  const Bytes deep = png(1, 1, 16, grey_alpha, bytes({0, 0, 0, 0x80, 0x80}));
  CHECK(values_of(read(deep, white)) == std::vector<int>{127});
  white.background = std::uint8_t{0};
  CHECK(values_of(read(coloured, white)) == std::vector<int>{10, 20, 30, 0, 0, 0});
}

TEST_CASE("Chunks that make no pixels are ignored, gamma too", "[io][png]") {
  const Bytes extras = chunk("gAMA", big32(45455)) + chunk("tEXt", Bytes("Title\0x", 7)) +
                       chunk("eXIf", "") + chunk("iCCP", "broken") +
                       chunk("acTL", big32(2) + big32(0));
  CHECK(values_of(read(png(2, 1, 8, grey, bytes({0, 50, 60}), extras))) ==
        std::vector<int>{50, 60});
}

TEST_CASE("More pixels than max_pixels are refused before they are decoded", "[io][png]") {
  const Bytes rows = bytes({0, 1, 2, 0, 3, 4});
  PngOptions options;
  options.max_pixels = 4;
  CHECK(read(png(2, 2, 8, grey, rows), options).count() == 1);
  options.max_pixels = 3;
  CHECK_THROWS_ERROR(read(png(2, 2, 8, grey, rows), options), FileError,
                     "2x2, expected at most 3 pixels (PngOptions::max_pixels)");
  // 10^12 pixels promised by 60 bytes.
  CHECK_THROWS_ERROR(read(png(1'000'000, 1'000'000, 16, rgb_alpha, rows)), FileError,
                     "1000000x1000000, expected at most 16777216");
  CHECK_THROWS_ERROR(read(png(0x7fffffff, 1, 8, grey, rows)), FileError,
                     "1x2147483647, expected at most 16777216");
}

TEST_CASE("A PNG file that promises much is refused for little", "[io][png]") {
  const auto refused = [](const Bytes& file, const char* says, const PngOptions& options = {}) {
    test::check_refused_cheaply(file, says,
                                [&](const auto& path) { return read_png(path, options); });
  };
  const Bytes rows(100, '\0');
  refused(png(100'000, 100'000, 8, rgb, rows), "100000x100000, expected at most 16777216 pixels");
  // Within max_pixels, and more than so few bytes can inflate to.
  refused(png(4096, 4096, 8, rgb, rows), "4096x4096, which takes 4096 rows of 12288 bytes");
  refused(png(1'000'000, 16, 16, rgb_alpha, rows),
          "16x1000000, which takes 16 rows of 8000000 bytes", {.background = 0});
  refused(png(4096, 4096, 1, grey, rows, "", true),
          "4096x4096, which takes 4096 rows of 512 bytes");
  refused("\x89PNG\r\n\x1a\n" + big32(0x7fffffff) + "IHDR", "PNG: ");
  refused(png(1, 1, 8, grey, rows, big32(0x7fffffff) + "iCCPname"), "PNG: ");
}

TEST_CASE("Broken files are errors that say what libpng found", "[io][png]") {
  const Bytes valid = png(2, 2, 8, grey, bytes({0, 1, 2, 0, 3, 4}));
  REQUIRE(values_of(read(valid)) == std::vector<int>{1, 2, 3, 4});
  CHECK_THROWS_ERROR(read(""), FileError, "cut off");
  CHECK_THROWS_ERROR(read("this is no image at all"), FileError, "Not a PNG file");
  CHECK_THROWS_ERROR(read(png(2, 2, 8, grey, bytes({0, 1, 2}))), FileError,
                     "Not enough image data");
  CHECK_THROWS_ERROR(read(png(2, 1, 8, grey, bytes({9, 1, 2}))), FileError, "bad adaptive filter");
  CHECK_THROWS_ERROR(read(png(0, 1, 8, grey, "")), FileError, "Invalid IHDR");
  CHECK_THROWS_ERROR(read(png(1, 1, 8, palette, bytes({0, 0}))), FileError, "PLTE");
  Bytes bad_sum = valid;
  bad_sum[bad_sum.size() - 14] = static_cast<char>(bad_sum[bad_sum.size() - 14] ^ 1);
  CHECK_THROWS_ERROR(read(bad_sum), FileError, "IDAT: CRC error");
  CHECK_THROWS_ERROR(read(valid, {.max_bytes = valid.size() - 1}), FileError, "max_bytes");
}

TEST_CASE("Damaged PNG files are errors or images of the same shape", "[io][png]") {
  const auto shape_of = [](const std::filesystem::path& path) {
    return read_png(path).pixels().shape();
  };
  test::check_survives_damage(png(2, 2, 8, rgb, bytes({0, 1, 2, 3, 4, 5, 6, 1, 7, 8, 9, 1, 2, 3})),
                              shape_of);
  test::check_survives_damage(png(4, 1, 2, palette, bytes({0, 0b00011011}),
                                  chunk("PLTE", bytes({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}))),
                              shape_of);
}

TEST_CASE("A folder is read in the order of the bytes of its names", "[io][png]") {
  const test::TemporaryDirectory directory;
  const auto put = [&](const char* name, int value) {
    write_text(directory / name, png(1, 1, 8, grey, bytes({0, value})));
  };
  put("b.png", 4);
  put("a10.png", 1);
  put("a9.png", 3);
  put("B.PNG", 0);
  put("a2.png", 2);
  put("\xc3\xa9.png", 5);
  put(".hidden.png", 9);
  write_text(directory / "notes.txt", "not an image");
  std::filesystem::create_directory(directory / "more");
  const Images images = read_png_folder(directory.path());
  CHECK(images.image_shape() == ImageShape{1, 1, 1});
  CHECK(values_of(images) == std::vector<int>{0, 1, 2, 3, 4, 5});
  CHECK(images.levels() == 256);
}

TEST_CASE("A folder must hold images of one size, and at least one", "[io][png]") {
  const test::TemporaryDirectory directory;
  CHECK_THROWS_ERROR(read_png_folder(directory.path()), FileError, "no *.png");
  CHECK_THROWS_ERROR(read_png_folder(directory / "none"), FileError, "cannot read the folder");
  write_png(directory / "a.png", gradient({2, 3, 1}));
  write_png(directory / "b.png", gradient({2, 3, 1}));
  CHECK(read_png_folder(directory.path()).count() == 2);
  for (const char* name : {"a.png", "b.png"}) {
    write_png(directory / name, Images(1, {100, 100, 1}, 256));
  }
  CHECK(read_png_folder(directory.path(), {.max_bytes = 20'000}).count() == 2);
  CHECK_THROWS_ERROR(read_png_folder(directory.path(), {.max_bytes = 19'999}), FileError,
                     "the folder has more than 19999 bytes of pixels");
  write_png(directory / "a.png", gradient({2, 3, 1}));
  write_png(directory / "b.png", gradient({2, 3, 3}));
  CHECK_THROWS_ERROR(read_png_folder(directory.path()), FileError, "2x3x3");
  write_png(directory / "b.png", gradient({3, 2, 1}));
  CHECK_THROWS_ERROR(read_png_folder(directory.path()), FileError, "expected 2x3x1");
  std::filesystem::remove(directory / "b.png");
  std::filesystem::create_directory(directory / "b.png");
  CHECK_THROWS_ERROR(read_png_folder(directory.path()), FileError, "not a regular file");
}

TEST_CASE("Grey and colour images of a folder mix as luma", "[io][png]") {
  const test::TemporaryDirectory directory;
  write_text(directory / "a.png", png(2, 1, 8, grey, bytes({0, 7, 200})));
  write_text(directory / "b.png", png(2, 1, 8, rgb, bytes({0, 255, 0, 0, 0, 255, 0})));
  CHECK_THROWS_ERROR(
      read_png_folder(directory.path()), FileError,
      "b.png\": the image is 1x2x3 (height x width x channels), expected 1x2x1 as the "
      "first of the folder (with PngOptions::grey grey and colour mix)");
  const Images mixed = read_png_folder(directory.path(), {.grey = true});
  CHECK(mixed.image_shape() == ImageShape{1, 2, 1});
  CHECK(values_of(mixed) == std::vector<int>{7, 200, 76, 150});
  CHECK(values_of(read_png(directory / "b.png", {.grey = true})) == std::vector<int>{76, 150});
  // Transparency first: the luma of what is seen.
  CHECK(values_of(read(png(1, 1, 8, rgb_alpha, bytes({0, 10, 20, 30, 0})),
                       {.background = 9, .grey = true})) == std::vector<int>{9});
}

TEST_CASE("A limit reads so many images of a folder, and no other file", "[io][png]") {
  const test::TemporaryDirectory directory;
  for (const char* name : {"1.png", "2.png", "3.png"}) {
    write_text(directory / name, png(1, 1, 8, grey, bytes({0, name[0]})));
  }
  write_text(directory / "4.png", "no image");
  CHECK(values_of(read_png_folder(directory.path(), {.limit = 2})) == std::vector<int>{'1', '2'});
  CHECK(read_png_folder(directory.path(), {.limit = 3}).count() == 3);
  CHECK_THROWS_ERROR(read_png_folder(directory.path(), {.limit = 4}), FileError, "Not a PNG");
  CHECK_THROWS_ERROR(read_png_folder(directory.path(), {.limit = -1}), ConfigError, "limit is -1");
}

TEST_CASE("A folder costs what its images take, not what their number promises", "[io][png]") {
  const test::TemporaryDirectory directory;
  // 10 kB each, which zeros compress to a few bytes; the last is not there.
  for (int i = 0; i < 20; ++i) {
    write_png(directory / (std::to_string(100 + i) + ".png"), Images(1, {100, 100, 1}, 256));
  }
  const auto cost = [&] {
    const std::size_t before = test::allocated_bytes();
    try {
      static_cast<void>(read_png_folder(directory.path()));
    } catch (const FileError&) {
    }
    return test::allocated_bytes() - before;
  };
  // Each image decoded by itself; and rooms for 1, 3, 7, 15 and 20 of them.
  constexpr std::size_t level = sizeof(Images::Level);
  CHECK(cost() < 20 * 10'000 + 46 * level * 10'000 + 60'000);
  write_text(directory / "102.png", "no image");
  CHECK(cost() < 2 * 10'000 + 4 * level * 10'000 + 60'000);
}

TEST_CASE("Links are followed within the folder and nowhere else", "[io][png]") {
  const test::TemporaryDirectory directory;
  std::filesystem::create_directory(directory / "folder");
  std::filesystem::create_directory(directory / "folder2");
  write_png(directory / "folder/a.png", gradient({1, 1, 1}));
  write_png(directory / "folder2/a.png", gradient({1, 1, 1}));
  std::filesystem::create_symlink("a.png", directory / "folder/b.png");
  std::filesystem::create_symlink("folder", directory / "link");
  CHECK(read_png_folder(directory / "folder").count() == 2);
  CHECK(read_png_folder(directory / "link").count() == 2);
  std::filesystem::create_symlink("../folder2/a.png", directory / "folder/c.png");
  CHECK_THROWS_ERROR(read_png_folder(directory / "folder"), FileError, "leaves the folder");
  std::filesystem::remove(directory / "folder/c.png");
  std::filesystem::create_symlink("c.png", directory / "folder/c.png");  // to itself
  CHECK_THROWS_ERROR(read_png_folder(directory / "folder"), FileError, "cannot read the folder");
}

}  // namespace pixelrnn
