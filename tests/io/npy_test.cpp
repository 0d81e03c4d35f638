// SPDX-License-Identifier: MIT
#include <pixelrnn/io/npy.hpp>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/damage.hpp"
#include "support/temporary_directory.hpp"

namespace pixelrnn {
namespace {

using test::read_text;
using test::write_text;
using Bytes = std::string;

template <class T>
Bytes raw(std::initializer_list<T> values) {
  return {reinterpret_cast<const char*>(values.begin()), values.size() * sizeof(T)};
}

/// A file of version 1.0 with that header.
Bytes file_of(const Bytes& header, const Bytes& data) {
  return Bytes("\x93NUMPY\1\0", 8) + raw({static_cast<std::uint16_t>(header.size())}) + header +
         data;
}
/// The same of version 2.0.
Bytes file2_of(const Bytes& header, const Bytes& data) {
  return Bytes("\x93NUMPY\2\0", 8) + raw({static_cast<std::uint32_t>(header.size())}) + header +
         data;
}
Bytes header_of(const Bytes& descr, const Bytes& order, const Bytes& shape) {
  return "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }\n";
}

template <class T = float>
NpyArray<T> read(const Bytes& content, std::uint64_t max_bytes = default_max_bytes) {
  const test::TemporaryDirectory directory;
  write_text(directory / "file.npy", content);
  return read_npy<T>(directory / "file.npy", max_bytes);
}
/// What read says of six floats under that header.
NpyArray<float> read_header(const Bytes& header) {
  return read(file_of(header, raw({0.f, 1.f, 2.f, 3.f, 4.f, 5.f})));
}

}  // namespace

TEMPLATE_TEST_CASE("Arrays come back from .npy as they were written", "[io][npy]", float, double,
                   std::uint8_t, std::uint16_t, std::int64_t) {
  const test::TemporaryDirectory directory;
  using Shapes = std::vector<std::vector<Index>>;
  for (const auto& shape : Shapes{{}, {1}, {4}, {2, 3}, {2, 3, 4, 1, 2}, {0}, {3, 0, 2}}) {
    std::size_t count = 1;
    for (const Index extent : shape) count *= static_cast<std::size_t>(extent);
    NpyArray<TestType> array{shape, std::vector<TestType>(count)};
    for (std::size_t i = 0; i < count; ++i) array.values[i] = static_cast<TestType>(5 * i);
    if (count != 0) array.values.back() = std::numeric_limits<TestType>::lowest();
    write_npy(directory / "file.npy", array);
    const NpyArray<TestType> back = read_npy<TestType>(directory / "file.npy");
    CHECK(back.shape == array.shape);
    CHECK(back.values == array.values);
    // The values begin at a multiple of 64.
    CHECK((read_text(directory / "file.npy").size() - count * sizeof(TestType)) % 64 == 0);
  }
  CHECK(directory.names() == std::set<std::string>{"file.npy"});
}

TEST_CASE("Tensors and views are written too", "[io][npy]") {
  const test::TemporaryDirectory directory;
  Tensor<double, 3> tensor({2, 1, 2});
  for (Index i = 0; i < 4; ++i) tensor.data()[i] = static_cast<double>(i);
  write_npy(directory / "tensor.npy", tensor);
  write_npy(directory / "view.npy", tensor.view()[1]);
  CHECK(read_npy<double>(directory / "tensor.npy").shape == std::vector<Index>{2, 1, 2});
  CHECK(read_npy<double>(directory / "view.npy").values == std::vector<double>{2, 3});
}

TEST_CASE("The header written is the one NumPy reads and writes", "[io][npy]") {
  const test::TemporaryDirectory directory;
  const auto header = [&](const std::vector<Index>& shape) {
    const std::vector<std::uint8_t> values(shape.empty() ? 1 : 6);
    write_npy(directory / "file.npy", shape, std::span(values));
    const Bytes file = read_text(directory / "file.npy");
    CHECK(file.substr(0, 10) == Bytes("\x93NUMPY\1\0\x76\0", 10));
    CHECK(file[127] == '\n');
    const Bytes text = file.substr(10, 117);
    return text.substr(0, text.find_last_not_of(' ') + 1);
  };
  CHECK(header({2, 3}) == "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }");
  CHECK(header({6}) == "{'descr': '|u1', 'fortran_order': False, 'shape': (6,), }");
  CHECK(header({}) == "{'descr': '|u1', 'fortran_order': False, 'shape': (), }");
}

TEST_CASE("A file saved by NumPy is read", "[io][npy]") {
  // NumPy 1.24: numpy.save(file, numpy.array([[1.5, -2]], "f4"))
  const Bytes header =
      "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }" + Bytes(58, ' ') + '\n';
  const NpyArray<float> array = read(file_of(header, Bytes("\0\0\xc0\x3f\0\0\0\xc0", 8)));
  CHECK(array.shape == std::vector<Index>{1, 2});
  CHECK(array.values == std::vector<float>{1.5f, -2});
}

TEST_CASE("Fortran order becomes row-major", "[io][npy]") {
  // numpy.asfortranarray([[0, 1, 2], [3, 4, 5]]) lies in memory as 0 3 1 4 2 5.
  const Bytes data = raw({0.f, 3.f, 1.f, 4.f, 2.f, 5.f});
  const NpyArray<float> array = read(file_of(header_of("<f4", "True", "(2, 3)"), data));
  CHECK(array.shape == std::vector<Index>{2, 3});
  CHECK(array.values == std::vector<float>{0, 1, 2, 3, 4, 5});
  // Three axes: value (i, j, k) of (2, 3, 2) lies at i + 2 j + 6 k.
  std::vector<double> cube(12);
  for (std::size_t n = 0; n < 12; ++n) {
    cube[n] = static_cast<double>(100 * (n % 2) + 10 * (n / 2 % 3) + n / 6);
  }
  const Bytes cube_bytes(reinterpret_cast<const char*>(cube.data()), 96);
  CHECK(read<double>(file_of(header_of("<f8", "True", "(2, 3, 2)"), cube_bytes)).values ==
        std::vector<double>{0, 1, 10, 11, 20, 21, 100, 101, 110, 111, 120, 121});
  CHECK(read(file_of(header_of("<f4", "True", "()"), raw({7.f}))).values == std::vector<float>{7});
  CHECK(read(file_of(header_of("<f4", "True", "(0, 3)"), "")).values.empty());
}

TEST_CASE("Both versions, all alignments, key orders and quotes are read", "[io][npy]") {
  const Bytes data = raw({1.f});
  const std::vector<Bytes> headers{
      header_of("<f4", "False", "()"),
      header_of("<f4", "False", "(1,)"),
      header_of("<f4", "False", "(1, 1)"),
      header_of("<f4", "False", "(1, 1,)"),
      "{'shape': (1,), 'fortran_order': False, 'descr': '<f4'}\n",
      "{\"descr\":\"<f4\",\"fortran_order\":True,\"shape\":(1,)}\n",
      "  { 'descr' : '<f4' , 'fortran_order' : False , 'shape' : ( 1 , ) , }   \n",
  };
  for (const Bytes& header : headers) {
    CAPTURE(header);
    CHECK(read(file_of(header, data)).values == std::vector<float>{1});
    CHECK(read(file2_of(header, data)).values == std::vector<float>{1});
  }
}

TEST_CASE("Other types than the one asked for are refused", "[io][npy]") {
  for (const char* descr : {"<f8", ">f4", "=f4", "|O", "<U1", "|V4", "<i4", "f4", ""}) {
    CAPTURE(descr);
    CHECK_THROWS_ERROR(read(file_of(header_of(descr, "False", "()"), raw({1.f}))), FileError,
                       "expected \"<f4\"");
  }
  CHECK_THROWS_ERROR(
      read_header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (6,), }\n"),
      FileError, "expected '\"'");
}

TEST_CASE("Whatever is no header is refused", "[io][npy]") {
  REQUIRE(read_header(header_of("<f4", "False", "(2, 3)")).values.size() == 6);
  const auto refused = [](const Bytes& header, const char* says) {
    CAPTURE(header);
    CHECK_THROWS_ERROR(read_header(header), FileError, says);
  };
  const Bytes d = "'descr': '<f4'", o = "'fortran_order': False", s = "'shape': (6,)";
  const Bytes comma = ", ";
  refused("", "expected '{'");
  refused("\n", "expected '{'");
  refused("[]\n", "expected '{'");
  refused("{" + d + comma + o + comma + s + "\n", "expected '}'");
  refused("{" + d + comma + o + comma + s + "}", "line feed");
  refused("{" + d + comma + o + comma + s + "} x\n", "follows");
  refused("{" + d + comma + o + comma + s + "}\0\n", "line feed");
  refused("{" + d + comma + o + "}\n", "lacks");
  refused("{" + d + comma + s + "}\n", "lacks");
  refused("{" + o + comma + s + "}\n", "lacks");
  refused("{}\n", "lacks");
  refused("{" + d + comma + d + comma + o + comma + s + "}\n",
          "\"descr\" is unknown or occurs twice");
  refused("{" + d + comma + o + comma + o + comma + s + "}\n", "occurs twice");
  refused("{" + d + comma + o + comma + s + comma + s + "}\n", "occurs twice");
  refused("{" + d + comma + o + comma + s + comma + "'more': 1}\n", "\"more\" is unknown");
  refused("{" + d + " " + o + comma + s + "}\n", "expected '}'");
  refused("{'descr' '<f4', " + o + comma + s + "}\n", "expected ':'");
  refused("{'descr", "no end");
  refused("{descr: '<f4'}\n", "expected '\"'");
  refused("{" + d + comma + "'fortran_order': 0, " + s + "}\n", "neither True nor False");
  const auto shaped = [&](const char* shape, const char* says) {
    refused("{" + d + comma + o + comma + "'shape': " + shape + "}\n", says);
  };
  shaped("6", "expected '('");
  shaped("(6)", "expected ','");
  shaped("[2, 3]", "expected '('");
  shaped("(-6,)", "a whole number of 0 or more");
  shaped("(6L,)", "expected ','");
  shaped("(,)", "a whole number of 0 or more");
  shaped("(2, 3", "expected ')'");
  shaped("(2 3)", "expected ','");
  shaped("(2, 3 1)", "expected ')'");
  shaped("(6.0,)", "expected ','");
}

TEST_CASE("Sizes are bounded and must be those of the data", "[io][npy]") {
  const auto shaped = [](const char* shape, const char* says) {
    CAPTURE(shape);
    CHECK_THROWS_ERROR(read_header(header_of("<f4", "False", shape)), FileError, says);
  };
  shaped("(2, 2)", "takes 16 bytes, but 24 follow");
  shaped("(7,)", "takes 28 bytes, but 24 follow");
  shaped("(0,)", "takes 0 bytes, but 24 follow");
  shaped("(281474976710657,)", "over 2^48");
  shaped("(99999999999999999999999999,)", "over 2^48");
  shaped("(281474976710656,)", "takes 1125899906842624 bytes");
  // 2^64 + 24 bytes: 24 if the product wraps.
  shaped("(3, 2, 4294967296, 1073741824)", "2^63 bytes or more");
  shaped("(0, 281474976710656, 281474976710656)", "2^63 bytes or more");
}

TEST_CASE("A .npy file that promises much is refused for little", "[io][npy]") {
  const auto refused = [](const Bytes& file, const char* says) {
    test::check_refused_cheaply(file, says, [](const auto& path) { return read_npy<float>(path); });
  };
  const Bytes data = raw({1.f});
  refused(file_of(header_of("<f4", "False", "(1099511627776,)"), data),
          "takes 4398046511104 bytes");
  refused(file_of(header_of("<f4", "True", "(1048576, 1048576)"), data),
          "takes 4398046511104 bytes");
  refused(file2_of(header_of("<f4", "False", "()"), data).replace(8, 4, "\xff\xff\xff\x7f"),
          "the header has 2147483647 bytes");
  // As many axes as a header can hold.
  Bytes axes(9'900, '1');
  for (std::size_t i = 1; i < axes.size(); i += 2) axes[i] = ',';
  refused(file_of(header_of("<f4", "False", "(2," + axes + ')'), data), "takes 8 bytes");
}

TEST_CASE("Other files are refused by their first bytes", "[io][npy]") {
  const Bytes valid = file_of(header_of("<f4", "False", "()"), raw({1.f}));
  REQUIRE(read(valid).values.size() == 1);
  const auto with = [&](std::size_t at, char byte) {
    Bytes file = valid;
    file[at] = byte;
    return file;
  };
  CHECK_THROWS_ERROR(read(""), FileError, "does not begin with");
  CHECK_THROWS_ERROR(read(with(0, 'N')), FileError, "does not begin with");
  CHECK_THROWS_ERROR(read(with(6, 3)), FileError, "the version is not 1.0 or 2.0");
  CHECK_THROWS_ERROR(read(with(6, 0)), FileError, "the version is not 1.0 or 2.0");
  CHECK_THROWS_ERROR(read(with(7, 1)), FileError, "the version is not 1.0 or 2.0");
  CHECK_THROWS_ERROR(read(valid.substr(0, 9)), FileError, "ends within its header");
  CHECK_THROWS_ERROR(read(with(9, 1)), FileError, "the header has 312 bytes, expected at most 60");
  const Bytes long_header(10'000, ' ');
  CHECK_THROWS_ERROR(read(file2_of(long_header + ' ', "")), FileError, "expected at most 10000");
  CHECK_THROWS_ERROR(read(file2_of(long_header, "")), FileError, "expected '{'");
  CHECK_THROWS_ERROR(read(valid, valid.size() - 1), FileError, "max_bytes");
}

TEST_CASE("Values that do not fill their shape are not written", "[io][npy]") {
  const test::TemporaryDirectory directory;
  const std::vector<float> values(6);
  const auto write = [&](const std::vector<Index>& shape) {
    write_npy(directory / "file.npy", shape, std::span(values));
  };
  CHECK_THROWS_ERROR(write({5}), ShapeError, "6 values");
  CHECK_THROWS_ERROR(write({-2, -3}), ShapeError, "6 values");
  CHECK_THROWS_ERROR(write({}), ShapeError, "6 values");
  std::vector<Index> axes(33, 1);
  axes[0] = 6;
  CHECK_THROWS_ERROR(write(axes), ShapeError, "33 axes");
  CHECK(directory.names().empty());
  axes.pop_back();
  write(axes);
  CHECK(read_npy<float>(directory / "file.npy").shape == axes);
}

TEST_CASE("Damaged .npy files are errors or have the same shape", "[io][npy]") {
  const auto shape_of = [](const std::filesystem::path& path) {
    return read_npy<float>(path).shape;
  };
  const Bytes data = raw({0.f, 1.f, 2.f, 3.f, 4.f, 5.f});
  test::check_survives_damage(file_of(header_of("<f4", "False", "(2, 3)"), data), shape_of);
  test::check_survives_damage(file2_of(header_of("<f4", "True", "(6,)"), data), shape_of);
}

}  // namespace pixelrnn
