// SPDX-License-Identifier: MIT
#include <pixelrnn/io/npz.hpp>

#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/damage.hpp"
#include "support/temporary_directory.hpp"

namespace pixelrnn {
namespace {

using test::write_text;

std::filesystem::path fixture(const std::string& name) {
  return std::filesystem::path(PIXELRNN_TEST_FIXTURES) / name;
}

/// An array as NumPy of 2016 wrote it: its header is aligned to 16 bytes, not 64.
std::string npy(const std::string& descr, const std::string& shape, const std::string& data) {
  std::string header =
      "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + ", }";
  header.resize((10 + header.size() + 1 + 15) / 16 * 16 - 10, ' ');
  header.back() = '\n';
  const auto length = static_cast<std::uint16_t>(header.size());
  return std::string("\x93NUMPY\1\0", 8) + std::string(reinterpret_cast<const char*>(&length), 2) +
         header + data;
}
std::string floats(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

/// Writes an archive of such entries.
void write_zip(const std::filesystem::path& path,
               const std::vector<std::pair<std::string, std::string>>& entries,
               int method = ZIP_CM_STORE) {
  int error = 0;
  zip_t* const archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &error);
  REQUIRE(archive != nullptr);
  for (const auto& [name, content] : entries) {
    zip_source_t* const source =
        zip_source_buffer(archive, content.data(), content.size(), /*freep=*/0);
    const zip_int64_t index = zip_file_add(archive, name.c_str(), source, 0);
    REQUIRE(index >= 0);
    REQUIRE(zip_set_file_compression(archive, static_cast<zip_uint64_t>(index), method, 0) == 0);
  }
  REQUIRE(zip_close(archive) == 0);
}

std::vector<std::pair<std::string, std::vector<Index>>> shapes_of(const NpzFile& file) {
  std::vector<std::pair<std::string, std::vector<Index>>> shapes;
  for (const StoredTensor& t : file.tensors()) shapes.emplace_back(t.name, t.shape);
  return shapes;
}

}  // namespace

TEST_CASE("Arrays that NumPy saved come back, stored or deflated", "[io][npz]") {
  for (const char* name : {"arrays.npz", "arrays_compressed.npz"}) {
    CAPTURE(name);
    CHECK(is_npz(fixture(name)));
    const NpzFile file = read_npz(fixture(name));
    const std::vector<StoredTensor>& all = file.tensors();
    REQUIRE(shapes_of(file) == std::vector<std::pair<std::string, std::vector<Index>>>{
                                   {"a", {2, 3, 4}}, {"b", {2, 3}}, {"c", {3}}, {"d", {}}});
    CHECK(all[0].dtype == Dtype::f32);
    const std::vector<float> a = to_values<float>(all[0]);
    for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i] == static_cast<float>(i) / 8);
    CHECK(to_values<double>(all[1]) == std::vector<double>{0, 1, 2, 3, 4, 5});  // was by columns
    CHECK(to_values<std::int64_t>(all[2]) == std::vector<std::int64_t>{-1, 0, 7});
    CHECK(all[3].dtype == Dtype::f16);
    CHECK(to_values<float>(all[3]) == std::vector<float>{3.5F});
  }
}

TEST_CASE("Old headers and entries in any order are read", "[io][npz]") {
  const test::TemporaryDirectory directory;
  const auto path = directory / "old.npz";
  for (const int method : {ZIP_CM_STORE, ZIP_CM_DEFLATE}) {
    write_zip(path,
              {{"arr_1.npy", npy("<f4", "(2,)", floats({1, 2}))},
               {"arr_0.npy", npy("<f4", "(1, 2)", floats({3, 4}))}},
              method);
    const NpzFile file = read_npz(path);
    REQUIRE(file.tensors().size() == 2);
    CHECK(file.tensors()[0].name == "arr_1");
    CHECK(to_values<float>(file.tensors()[1]) == std::vector<float>{3, 4});
  }
}

TEST_CASE("A damaged archive is an error or the same", "[io][npz]") {
  const test::TemporaryDirectory directory;
  for (const int method : {ZIP_CM_STORE, ZIP_CM_DEFLATE}) {
    write_zip(directory / "a.npz", {{"a.npy", npy("<f4", "(3,)", floats({1, 2, 3}))}}, method);
    test::check_survives_damage(
        test::read_text(directory / "a.npz"),
        [](const std::filesystem::path& path) { return shapes_of(read_npz(path)); });
  }
}

TEST_CASE("What is no archive of arrays is refused, by its place", "[io][npz]") {
  const test::TemporaryDirectory directory;
  const auto path = directory / "x.npz";
  const std::string good = npy("<f4", "(1,)", floats({1}));
  const auto says = [&](const std::string& text) {
    CHECK_THROWS_ERROR(read_npz(path), FileError, text);
  };
  write_text(path, "no archive");
  CHECK_FALSE(is_npz(path));
  says("it is no zip archive that libzip reads");
  write_text(path, "");
  CHECK_FALSE(is_npz(path));
  says("it is no zip archive: it has no byte");
  write_zip(path, {{"a.npy", good}, {"readme.txt", "text"}});
  says("entry \"readme.txt\" is no array, expected NAME.npy");
  write_zip(path, {{"a.npy", good.substr(0, good.size() - 1)}});
  says("a.npy\": offset");
  write_zip(path, {{"a.npy", npy("<i4", "(1,)", floats({1}))}});
  says("descr is \"<i4\", expected |u1, <u2, <f2, <f4, <f8, <i8 or <u8");
  write_zip(path, {{"a.npy", "text"}});
  says("does not begin with \\x93NUMPY");
  write_zip(path, {{"a.npy", good}, {"b.npy", good}});
  CHECK_NOTHROW(read_npz(path));
  CHECK_THROWS_ERROR(read_npz(path, 100), FileError, "expected at most");
  // Both are of one name, in their own headers and in the directory.
  std::string twice = test::read_text(path);
  for (std::size_t at = 0; (at = twice.find("b.npy", at)) != std::string::npos;) twice[at] = 'a';
  write_text(path, twice);
  CHECK_THROWS_AS(read_npz(path), FileError);  // libzip itself says so, or we do
  write_zip(path, {{"/a\033[2J.npy", "text"}});
  says("/a?[2J.npy\": offset 0: the file does not begin");
  CHECK_THROWS_AS(read_npz(directory / "none.npz"), FileError);
}

TEST_CASE("All arrays together have no more bytes than is allowed", "[io][npz]") {
  const test::TemporaryDirectory directory;
  const auto path = directory / "many.npz";
  const std::string zeros = npy("<f4", "(10000,)", std::string(40000, '\0'));
  write_zip(path, {{"a.npy", zeros}, {"b.npy", zeros}, {"c.npy", zeros}}, ZIP_CM_DEFLATE);
  CHECK_NOTHROW(read_npz(path, 3 * zeros.size()));
  CHECK_THROWS_ERROR(read_npz(path, 3 * zeros.size() - 1), FileError,
                     "entry \"c.npy\" has 40080 bytes, expected at most 40079 (max_bytes)");
}

TEST_CASE("A safetensors file whose header begins as a zip archive does is none", "[io][npz]") {
  const test::TemporaryDirectory directory;
  // Its length, 19280, is the bytes 'P' and 'K'.
  std::string header = "{}";
  header.resize(19280, ' ');
  write_text(directory / "pk.safetensors", std::string("PK\0\0\0\0\0\0", 8) + header);
  CHECK_FALSE(is_npz(directory / "pk.safetensors"));
}

TEST_CASE("A bomb is refused before it goes off", "[io][npz]") {
  const test::TemporaryDirectory directory;
  const auto path = directory / "bomb.npz";
  // 64 MB of zeros in 64 kB.
  write_zip(path, {{"a.npy", npy("<f4", "(16777216,)", std::string(std::size_t{1} << 26, '\0'))}},
            ZIP_CM_DEFLATE);
  const std::string content = test::read_text(path);
  CHECK(content.size() < 100'000);
  test::check_refused_cheaply(
      content, "expected at most 1000000 (max_bytes)",
      [](const std::filesystem::path& file) { return read_npz(file, 1'000'000); }, 1'000'000);
}

}  // namespace pixelrnn
