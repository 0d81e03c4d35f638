// SPDX-License-Identifier: MIT
#include <pixelrnn/io/image_files.hpp>

#include <algorithm>
#include <string>
#include <vector>

#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

namespace pixelrnn {
namespace {

using test::write_text;
namespace fs = std::filesystem;

/// Images of those values, one pixel of `channels` each.
Images pixels_of(const std::vector<int>& values, int levels = 256, Index channels = 1) {
  Images images(static_cast<Index>(values.size()) / channels, {1, 1, channels}, levels);
  std::ranges::transform(values, images.pixels().begin(),
                         [](int v) { return static_cast<Images::Level>(v); });
  return images;
}
std::vector<int> values_in(const Images& images) {
  return {images.pixels().begin(), images.pixels().end()};
}

/// A CIFAR-10 record: its label, and one value everywhere.
std::string cifar_record(char label, char value) { return label + std::string(3072, value); }
std::string zipped(const std::string& text) {
  return test::text_of(deflate_gzip(test::bytes_of(text)));
}
/// An IDX file of one axis: labels.
std::string idx_labels(const std::string& labels) {
  const auto size = static_cast<std::uint32_t>(labels.size());
  std::string file("\0\0\x08\x01", 4);
  for (int shift = 24; shift >= 0; shift -= 8) file += static_cast<char>(size >> shift);
  return file + labels;
}

}  // namespace

TEST_CASE("The format of a file is told by its content, not by its name", "[io][image_files]") {
  const test::TemporaryDirectory directory;
  write_idx(directory / "a.png", pixels_of({7, 200}));
  write_idx(directory / "b.gz", pixels_of({7, 200}));
  write_png(directory / "c.bin", pixels_of({7}));
  write_text(directory / "d.idx", cifar_record(3, 'a') + cifar_record(9, 'b'));
  write_text(directory / "e", zipped(cifar_record(3, 'a')));
  fs::create_directory(directory / "folder.idx");
  write_png(directory / "folder.idx/1.png", pixels_of({7}));
  CHECK(image_format(directory / "a.png") == ImageFormat::idx);
  CHECK(image_format(directory / "b.gz") == ImageFormat::idx);
  CHECK(image_format(directory / "c.bin") == ImageFormat::png);
  CHECK(image_format(directory / "d.idx") == ImageFormat::cifar10);
  CHECK(image_format(directory / "e") == ImageFormat::cifar10);
  CHECK(image_format(directory / "folder.idx") == ImageFormat::png_folder);
  CHECK(values_in(read_images(directory / "a.png")) == std::vector<int>{7, 200});
  CHECK(values_in(read_images(directory / "b.gz")) == std::vector<int>{7, 200});
  CHECK(values_in(read_images(directory / "c.bin")) == std::vector<int>{7});
  CHECK(read_images(directory / "d.idx").labels() == std::vector<int>{3, 9});
  CHECK(read_images(directory / "e").image_shape() == ImageShape{32, 32, 3});
  CHECK(values_in(read_images(directory / "folder.idx")) == std::vector<int>{7});
}

TEST_CASE("What is no image file is named for what it seems to be", "[io][image_files]") {
  const test::TemporaryDirectory directory;
  const auto refused = [&](const std::string& content, const std::string& says) {
    CAPTURE(says);
    for (const std::string& file : {content, content.empty() ? content : zipped(content)}) {
      write_text(directory / "file", file);
      CHECK_THROWS_ERROR(read_images(directory / "file"), FileError, says);
      CHECK_THROWS_ERROR(read_images(directory / "file"), FileError, (directory / "file").string());
    }
  };
  refused("", "is empty, expected images: IDX or CIFAR-10");
  refused("version https://git-lfs.github.com/spec/v1\n", "seems to be a Git LFS pointer");
  refused("<!DOCTYPE html><html>", "seems to be an HTML or XML page");
  refused("PK\x03\x04 and so on", "seems to be a zip archive");
  refused("\xff\xd8\xff\xe0 JFIF", "seems to be a JPEG image");
  refused("\x93NUMPY\1", "seems to be a NumPy array (.npy)");
  refused("some words", "seems to be text");
  // A batch of CIFAR-10 as Python has it, and an archive of them all.
  refused("\x80\x02}q\x01(", "seems to be a Python pickle");
  refused(std::string(257, 'n') + "ustar", "seems to be a tar archive");
  // Of the size of CIFAR-10 records, and yet none.
  refused("PK\x03\x04" + std::string(3069, '\1'), "seems to be a zip archive");
  refused(std::string(3073, '\xfe'), "no image file that is known");
  write_text(directory / "file", std::string(3072, '\1'));
  CHECK_THROWS_ERROR(read_images(directory / "file"), FileError, "no image file that is known");
  write_text(directory / "file", zipped(std::string(3072, '\1')));
  CHECK_THROWS_ERROR(read_images(directory / "file"), FileError,
                     "ends after 3072 bytes of a record");
  write_text(directory / "file", zipped("\x89PNG\r\n\x1a\n"));
  CHECK_THROWS_ERROR(read_images(directory / "file"), FileError, "a PNG image (gzipped)");
  CHECK_THROWS_ERROR(read_images(directory / "none"), FileError, "No such file");
}

TEST_CASE("IDX files of labels or floats are not taken for CIFAR-10, whatever their size",
          "[io][image_files]") {
  const test::TemporaryDirectory directory;
  for (const bool zip : {false, true}) {
    const auto put = [&](const std::string& file) {
      REQUIRE(file.size() % 3073 == 0);
      write_text(directory / "file", zip ? zipped(file) : file);
    };
    put(idx_labels(std::string(3065, '\5')));
    CHECK_THROWS_ERROR(read_images(directory / "file"), FileError,
                       "it is an IDX file of labels (1 axis, of 3065)");
    for (const auto& [type, name] : {std::pair{'\x0d', "32-bit floats"},
                                     {'\x0c', "32-bit integers"},
                                     {'\x09', "signed bytes"}}) {
      std::string file(3073, '\1');
      file[0] = file[1] = '\0';
      file[2] = type;
      file[3] = '\2';
      put(file);
      CHECK_THROWS_ERROR(read_images(directory / "file"), FileError,
                         std::string("it is an IDX file of ") + name);
    }
    put(cifar_record(5, '\5'));  // the control
    CHECK(read_images(directory / "file").count() == 1);
  }
}

TEST_CASE("Files follow each other, with labels if all have them", "[io][image_files]") {
  const test::TemporaryDirectory directory;
  const auto a = directory / "a", b = directory / "b", c = directory / "c", d = directory / "d";
  write_idx(a, pixels_of({1, 200}));
  write_png(b, pixels_of({3}));
  write_idx(c, Images(1, {32, 32, 3}, 256));
  write_text(d, cifar_record(4, 'a'));
  CHECK(values_in(read_images({a, b, a})) == std::vector<int>{1, 200, 3, 1, 200});
  CHECK(read_images({d, d, d}).labels() == std::vector<int>{4, 4, 4});
  CHECK(read_images({d, c, d}).count() == 3);
  CHECK(read_images({d, c, d}).labels().empty());
  CHECK_THROWS_ERROR(read_images(std::vector<fs::path>{}), ConfigError, "0 files");
}

TEST_CASE("Labels of other files are given to all images", "[io][image_files]") {
  const test::TemporaryDirectory directory;
  const auto a = directory / "a", b = directory / "b", two = directory / "two";
  write_idx(a, pixels_of({200, 1}));
  write_png(b, pixels_of({3}));
  write_text(two, idx_labels("\7\x63"));
  write_text(directory / "one", idx_labels("\5"));
  write_text(directory / "cifar", cifar_record(4, 'a'));
  CHECK(read_images(a, {.labels = {two}}).labels() == std::vector<int>{7, 99});
  CHECK(read_images({a, b}, {.labels = {two, directory / "one"}}).labels() ==
        std::vector<int>{7, 99, 5});
  CHECK_THROWS_ERROR(read_images({a, b}, {.labels = {two}}), FileError,
                     "there are 2 labels, expected 3, one an image");
  CHECK_THROWS_ERROR(read_images(b, {.labels = {two}}), FileError, "2 labels, expected 1");
  CHECK_THROWS_ERROR(read_images(a, {.labels = {two}, .classes = 10}), FileError,
                     "the value is 99, expected 0 to 9");
  CHECK(read_images(a, {.labels = {two}, .limit = 1}).labels() == std::vector<int>{7});
  // Labels of other files are found also where a limit leaves images unread.
  CHECK_THROWS_ERROR(read_images(a, {.labels = {two, directory / "one"}, .limit = 1}), FileError,
                     "there are 3 labels, expected 2, one an image");
  CHECK_THROWS_ERROR(read_images({a, a}, {.labels = {two}, .limit = 1}), FileError,
                     "there are 2 labels, expected 4, one an image");
  CHECK(read_images(a, {.labels = {two}, .limit = 9}).labels() == std::vector<int>{7, 99});
  CHECK_THROWS_ERROR(read_images({a, b}, {.labels = {two}, .limit = 9}), FileError, "expected 3");
  CHECK_THROWS_ERROR(read_images(directory / "cifar", {.labels = {directory / "one"}}), ConfigError,
                     "labels of their own");
  CHECK_THROWS_ERROR(read_images(a, {.labels = {a}}), FileError, "IDX file of images");
}

TEST_CASE("Grey and colour files mix as luma only, and the error names the file and the option",
          "[io][image_files]") {
  const test::TemporaryDirectory directory;
  const auto grey = directory / "grey", colour = directory / "colour", png = directory / "png";
  write_idx(grey, pixels_of({7, 200}));
  write_idx(colour, pixels_of({255, 0, 0}, 256, 3));
  write_png(png, pixels_of({0, 255, 0}, 256, 3));
  CHECK(values_in(read_images({grey, colour, png}, {.grey = true})) ==
        std::vector<int>{7, 200, 76, 150});
  CHECK(values_in(read_images({colour, png})) == std::vector<int>{255, 0, 0, 0, 255, 0});
  const std::string advice = "; with ImageFileOptions::grey colours become grey";
  CHECK_THROWS_ERROR(read_images({grey, colour}), FileError,
                     colour.string() +
                         "\": images are colour, 1x1x3 (height x width x channels), "
                         "expected grey, 1x1x1 as those before" +
                         advice);
  CHECK_THROWS_ERROR(read_images({colour, grey}), FileError,
                     grey.string() +
                         "\": images are grey, 1x1x1 (height x width x channels), "
                         "expected colour, 1x1x3 as those before" +
                         advice);
  // What a model wants.
  CHECK_THROWS_ERROR(read_images(colour, {.image = ImageShape{1, 1, 1}, .grey_name = "--grey"}),
                     FileError, "expected grey, 1x1x1; with --grey colours become grey");
  const std::string refused = "expected colour, 1x1x3";
  CHECK_THROWS_ERROR(read_images(grey, {.image = ImageShape{1, 1, 3}}), FileError, refused);
  CHECK_THROWS_ERROR(read_images(colour, {.grey = true, .image = ImageShape{1, 1, 3}}), FileError,
                     refused + " (ImageFileOptions::grey makes colours grey)");
  CHECK_THROWS_ERROR(read_images(grey, {.image = ImageShape{2, 1, 1}}), FileError,
                     "expected grey, 2x1x1");
  // Within a folder too.
  fs::create_directory(directory / "folder");
  write_png(directory / "folder/1.png", pixels_of({7}));
  write_png(directory / "folder/2.png", pixels_of({255, 0, 0}, 256, 3));
  CHECK(values_in(read_images(directory / "folder", {.grey = true})) == std::vector<int>{7, 76});
  CHECK_THROWS_ERROR(read_images(directory / "folder", {.grey_name = "--grey"}), FileError,
                     "2.png\": the image is 1x1x3 (height x width x channels), expected 1x1x1 as "
                     "the first of the folder (with --grey grey and colour mix)");
}

TEST_CASE("What the values of IDX files mean is said, not guessed", "[io][image_files]") {
  const test::TemporaryDirectory directory;
  const auto binary = directory / "binary", dark = directory / "dark", grey = directory / "grey";
  write_idx(binary, pixels_of({0, 1, 1}, 2));
  write_idx(dark, pixels_of({0, 15, 3}, 16));
  write_idx(grey, pixels_of({0, 15, 255}));
  write_idx(directory / "black", pixels_of({0, 0}));

  const Images two = read_images(binary, {.levels = 2});
  CHECK(two.levels() == 2);
  CHECK(two.binarization() == "fixed");
  CHECK(values_in(two) == std::vector<int>{0, 1, 1});
  CHECK(read_images(dark, {.levels = 16}).levels() == 16);
  CHECK(read_images(dark, {.levels = 16}).binarization() == "none");
  CHECK(read_images(dark).levels() == 256);
  CHECK_THROWS_ERROR(
      read_images(grey, {.levels = 16}), FileError,
      "offset 18: the value is 255, expected 0 to 15 (ImageFileOptions::levels = 16; "
      "use ImageFileOptions::levels = 256 if they are grey levels of 0 to 255)");

  const char* const says =
      "no value is above 1, expected grey levels of 0 to 255; use "
      "--levels 2 if they are levels 0 to 1 already, --levels 256 if they are "
      "that dark";
  CHECK_THROWS_ERROR(read_images(binary, {.levels_name = "--levels "}), FileError, says);
  CHECK_THROWS_ERROR(read_images({grey, binary}, {.levels_name = "--levels "}), FileError, says);
  CHECK_THROWS_ERROR(read_images({binary, grey}, {.levels_name = "--levels "}), FileError, says);
  CHECK(read_images(binary, {.must_reach = 0}).levels() == 256);
  CHECK_THROWS_ERROR(read_images(dark, {.must_reach = 16}), FileError,
                     "no value is above 15, expected grey levels of 0 to 255; use "
                     "ImageFileOptions::levels = 16 if they are levels 0 to 15 already");
  // Black is black in any number of levels.
  CHECK(read_images(directory / "black", {.must_reach = 16}).count() == 2);
  CHECK(read_images(directory / "black", {.levels = 2}).count() == 2);
  CHECK_THROWS_ERROR(read_images(grey, {.levels = 1}), ConfigError, "1 levels");
  CHECK_THROWS_ERROR(read_images(grey, {.levels = 257}), ConfigError, "257 levels");
}

TEST_CASE("PNG files of fewer levels are what write_png made of them, or refused",
          "[io][image_files]") {
  const test::TemporaryDirectory directory;
  const auto path = directory / "image";
  for (const int levels : {2, 3, 16, 255, 256}) {
    CAPTURE(levels);
    Images image(1, {1, levels, 1}, levels);
    for (int v = 0; v < levels; ++v) image[0](0, v, 0) = static_cast<Images::Level>(v);
    write_png(path, image);
    const Images back = read_images(path, {.levels = levels});
    CHECK(back.levels() == levels);
    CHECK(values_in(back) == values_in(image));
    CHECK(back.binarization() == (levels == 2 ? "fixed" : "none"));
  }
  write_png(path, pixels_of({100}));
  CHECK_THROWS_ERROR(read_images(path, {.levels = 2, .levels_name = "--levels "}), FileError,
                     "a value is 100, expected 2 levels spread over 0 to 255 (--levels 2); use "
                     "--levels 256 if they are grey levels");
  write_png(path, pixels_of({1}));  // nobody doubts what a PNG file means
  CHECK(read_images(path).levels() == 256);
}

TEST_CASE("A limit reads so many images of all files", "[io][image_files]") {
  const test::TemporaryDirectory directory;
  const auto a = directory / "a", b = directory / "b", folder = directory / "folder";
  write_idx(a, pixels_of({1, 200, 3}));
  // The header promises two images, and one is there.
  write_text(b, std::string("\0\0\x08\x03\0\0\0\2\0\0\0\1\0\0\0\1", 16) + "ab");
  fs::create_directory(folder);
  write_png(folder / "1.png", pixels_of({5}));
  write_text(folder / "2.png", "no image");
  CHECK(values_in(read_images({a, b}, {.limit = 2})) == std::vector<int>{1, 200});
  CHECK(values_in(read_images({a, b}, {.limit = 4})) == std::vector<int>{1, 200, 3, 'a'});
  CHECK(values_in(read_images({a, folder}, {.limit = 4})) == std::vector<int>{1, 200, 3, 5});
  CHECK_THROWS_ERROR(read_images({a, folder}, {.limit = 5}), FileError, "Not a PNG");
  CHECK(read_images(a, {.limit = 99}).count() == 3);
  CHECK_THROWS_ERROR(read_images(a, {.limit = -1}), ConfigError, "limit -1");
  // A wrong name is known all the same, and first of all.
  CHECK_THROWS_ERROR(read_images({a, directory / "none"}, {.limit = 2}), FileError, "No such file");

  write_idx(directory / "large", Images(1000, {100, 100, 1}, 256));
  const std::size_t before = test::allocated_bytes();
  CHECK(read_images(directory / "large", {.limit = 3}).count() == 3);
  CHECK(test::allocated_bytes() - before < 250'000);
}

TEST_CASE("The cap holds for all images of all files", "[io][image_files]") {
  const test::TemporaryDirectory directory;
  const auto path = directory / "file";
  write_idx(path, Images(1, {100, 100, 1}, 256));
  CHECK(read_images({path, path}, {.max_bytes = 20'000}).count() == 2);
  CHECK_THROWS_ERROR(read_images({path, path}, {.max_bytes = 19'999}), FileError,
                     "all images take more than 19999 bytes (max_bytes)");
}

TEST_CASE("Transparent pixels are white unless told otherwise", "[io][image_files]") {
  const test::TemporaryDirectory directory;
  // One grey pixel with alpha 0, made by hand elsewhere.
  write_text(directory / "clear.png",
             std::string("\x89\x50\x4e\x47\x0d\x0a\x1a\x0a\x00\x00\x00\x0d\x49\x48\x44\x52\x00\x00"
                         "\x00\x01\x00\x00\x00\x01\x08\x04\x00\x00\x00\xb5\x1c\x0c\x02\x00\x00\x00"
                         "\x0b\x49\x44\x41\x54\x78\x9c\x63\x60\x60\x00\x00\x00\x03\x00\x01\xb8\xad"
                         "\x3a\x63\x00\x00\x00\x00\x49\x45\x4e\x44\xae\x42\x60\x82",
                         68));
  ;
  CHECK(values_in(read_images(directory / "clear.png")) == std::vector<int>{255});
  CHECK(values_in(read_images(directory / "clear.png", {.background = 9})) == std::vector<int>{9});
}

}  // namespace pixelrnn
