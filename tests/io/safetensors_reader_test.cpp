// SPDX-License-Identifier: MIT
#include <pixelrnn/io/safetensors_reader.hpp>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/damage.hpp"
#include "support/temporary_directory.hpp"

namespace pixelrnn {
namespace {

using test::write_text;
using Bytes = std::string;

template <class T>
Bytes raw(std::initializer_list<T> values) {
  return {reinterpret_cast<const char*>(values.begin()), values.size() * sizeof(T)};
}

/// A file with that header and that data.
Bytes file_of(const Bytes& header, const Bytes& data = "") {
  return raw({std::uint64_t{header.size()}}) + header + data;
}

/// One entry of a header.
Bytes entry(const Bytes& name, const Bytes& dtype, const Bytes& shape, const Bytes& offsets) {
  return '"' + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape +
         ",\"data_offsets\":" + offsets + '}';
}

/// What read_safetensors says of a file with that content.
SafetensorsFile read(const Bytes& content, const SafetensorsOptions& options = {}) {
  const test::TemporaryDirectory directory;
  write_text(directory / "file", content);
  return read_safetensors(directory / "file", options);
}

/// A file that breaks one rule, and the same file with just that cured.
struct Case {
  const char* rule;
  const char* says;
  Bytes broken;
  Bytes cured;
  SafetensorsOptions options = {};
};

/// Both files hold one tensor of 4 bytes, unless they say otherwise.
void check(const Case& c) {
  CAPTURE(c.rule, c.says);
  const Bytes rule = Bytes(c.rule) + ": ";
  const test::TemporaryDirectory directory;
  write_text(directory / "broken", c.broken);
  try {
    static_cast<void>(read_safetensors(directory / "broken", c.options));
    FAIL_CHECK("the broken file is accepted");
  } catch (const FileError& error) {
    const Bytes message = error.what();
    INFO(message);
    CHECK(message.substr(0, rule.size()) == rule);
    CHECK(message.find((directory / "broken").string()) != message.npos);
    CHECK(message.find("offset ") != message.npos);
    CHECK(message.find(c.says) != message.npos);
  }
  write_text(directory / "cured", c.cured);
  CHECK_NOTHROW(read_safetensors(directory / "cured", c.options));
}

const Bytes one = entry("a", "U8", "[4]", "[0,4]");
const Bytes data = "abcd";
const Bytes valid = file_of('{' + one + '}', data);

/// `valid` with another entry.
Bytes with(const Bytes& entry) { return file_of('{' + entry + '}', data); }

}  // namespace

TEST_CASE("A safetensors file gives its tensors by name, and its metadata", "[io][safetensors]") {
  const Bytes header = "{\"__metadata__\":{\"kind\":\"test\",\"n\":\"1\"}," +
                       entry("z.weight", "F32", "[2,1]", "[0,8]") + ',' +
                       entry("a.step", "I64", "[]", "[8,16]") + '}';
  const SafetensorsFile file = read(file_of(header, raw({1.5f, -2.0f}) + raw({std::int64_t{-7}})));
  REQUIRE(file.tensors().size() == 2);
  CHECK(file.tensors()[0].name == "a.step");
  CHECK(file.tensors()[1].name == "z.weight");
  CHECK(file.at("z.weight").shape == std::vector<Index>{2, 1});
  CHECK(to_values<float>(file.at("z.weight")) == std::vector<float>{1.5f, -2.0f});
  CHECK(to_values<std::int64_t>(file.at("a.step")) == std::vector<std::int64_t>{-7});
  CHECK(file.find("a.step") == &file.tensors()[0]);
  CHECK(file.find("a") == nullptr);
  CHECK(file.find("zz") == nullptr);
  CHECK_THROWS_ERROR(file.at("bias"), FileError, "has no tensor \"bias\"");
  CHECK_THROWS_ERROR(file.at("bias"), FileError, file.path().string());
  CHECK(file.metadata() == std::map<std::string, std::string>{{"kind", "test"}, {"n", "1"}});
}

TEST_CASE("A moved file keeps its tensors' bytes", "[io][safetensors]") {
  SafetensorsFile first = read(valid);
  const SafetensorsFile second = std::move(first);
  CHECK(to_values<std::uint8_t>(second.at("a")) == std::vector<std::uint8_t>{97, 98, 99, 100});
}

TEST_CASE("S1: a file has at least 8 bytes", "[io][safetensors]") {
  const Bytes empty = file_of("{}");
  check({"S1", "7 bytes", empty.substr(0, 7), empty});
  check({"S1", "0 bytes", "", empty});
}

TEST_CASE("S2: the header is not larger than its cap", "[io][safetensors]") {
  SafetensorsOptions small;
  small.max_header_bytes = 8;
  check({"S2", "max_header_bytes", file_of("{}       "), file_of("{}      "), small});
  const std::uint64_t cap = SafetensorsOptions{}.max_header_bytes;
  CHECK_THROWS_ERROR(read(raw({cap + 1}) + "{}"), FileError, "S2: ");
  CHECK_THROWS_ERROR(read(raw({std::numeric_limits<std::uint64_t>::max()}) + "{}"), FileError,
                     "S2: ");
  SafetensorsOptions large;
  large.max_header_bytes = 100'000'000;
  CHECK_NOTHROW(read(valid, large));
  large.max_header_bytes += 1;
  CHECK_THROWS_ERROR(read(valid, large), ConfigError, "max_header_bytes is 100000001");
}

TEST_CASE("S3: the header ends within the file", "[io][safetensors]") {
  check({"S3", "9 bytes, but the file ends after 8", raw({std::uint64_t{9}}) + "{}      ",
         raw({std::uint64_t{8}}) + "{}      "});
  CHECK_THROWS_ERROR(read(raw({SafetensorsOptions{}.max_header_bytes})), FileError, "S3: ");
}

TEST_CASE("S4: the header is UTF-8", "[io][safetensors]") {
  const Bytes cured = with(entry("\xc3\xa9", "U8", "[4]", "[0,4]"));
  check({"S4", "offset 10", with(entry("\xe9", "U8", "[4]", "[0,4]")), cured});
  for (const char* bad : {"\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80"}) {
    check({"S4", "UTF-8", with(entry(bad, "U8", "[4]", "[0,4]")), cured});
  }
}

TEST_CASE("S5: the header begins with a brace, white space apart, and ends with it",
          "[io][safetensors]") {
  const Bytes header = '{' + one + '}';
  check({"S5", "begin", file_of("\xef\xbb\xbf" + header, data), valid});  // byte order mark
  check({"S5", "begin", file_of('[' + header + ']', data), valid});
  check({"S5", "begin", file_of("", ""), file_of("{}")});
  check({"S5", "begin", file_of("   ", ""), file_of("{} ")});
  check({"S5", "begin", file_of("\x0b" + header, data), file_of("\t\n\r " + header, data)});
  check({"S5", "NUL", file_of(header + '\0', data), file_of(header + ' ', data)});
  check({"S5", "NUL", file_of(header + '\0' + "junk", data), file_of(header + "    ", data)});
  check({"S5", "follows", file_of(header + "{}", data), file_of(header + "  ", data)});
  check({"S5", "follows", file_of(header + ',', data), file_of(header + '\n', data)});
}

TEST_CASE("S6: the header is JSON of the one form", "[io][safetensors]") {
  const std::vector<std::pair<const char*, Bytes>> broken{
      {"not valid JSON", '{' + one},
      {"not valid JSON", '{' + one + ",}"},
      {"not valid JSON", "{'a':1}"},
      {"not valid JSON", "{\"a\":NaN}"},
      {"not valid JSON", "{\"a\":1e999}"},
      {"not valid JSON", "{\"\\ud800\":{}}"},  // half a surrogate pair
      {"not valid JSON", "{/* no comments */}"},
      {"a number", "{\"a\":1}"},
      {"a negative number", "{\"a\":-1}"},
      {"not whole", "{\"a\":1.5}"},
      {"a text", "{\"a\":\"b\"}"},
      {"null", "{\"a\":null}"},
      {"a truth value", "{\"a\":true}"},
      {"an array", "{\"a\":[]}"},
      {"lacks", "{\"a\":{}}"},
      {"lacks", "{\"a\":{\"dtype\":\"U8\",\"shape\":[4]}}"},
      {"lacks", "{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,4]}}"},
      {"lacks", "{\"a\":{\"shape\":[4],\"data_offsets\":[0,4]}}"},
      {"unknown key \"more\"",
       "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4],\"more\":1}}"},
      {"an object", "{\"a\":{\"dtype\":{}}}"},
      {"an array", "{\"a\":{\"dtype\":[]}}"},
      {"a number", "{\"a\":{\"dtype\":1}}"},
      {"a number", "{\"a\":{\"shape\":4}}"},
      {"a text", "{\"a\":{\"shape\":\"4\"}}"},
      {"an object", "{\"a\":{\"shape\":{}}}"},
      {"an array", "{\"a\":{\"shape\":[[4]]}}"},
      {"an object", "{\"a\":{\"shape\":[{}]}}"},
      {"0 data_offsets", "{\"a\":{\"data_offsets\":[]}}"},
      {"1 data_offsets", "{\"a\":{\"data_offsets\":[0]}}"},
      {"more than 2 data_offsets", "{\"a\":{\"data_offsets\":[0,4,4]}}"},
      {"null", "{\"__metadata__\":null}"},
      {"a text", "{\"__metadata__\":\"pt\"}"},
      {"an array", "{\"__metadata__\":[]}"},
      {"a number", "{\"__metadata__\":{\"n\":1}}"},
      {"an object", "{\"__metadata__\":{\"n\":{}}}"},
      {"an array", "{\"__metadata__\":{\"n\":[]}}"},
  };
  for (const auto& [says, header] : broken) {
    CAPTURE(header);
    check({"S6", says, file_of(header, data), valid});
  }
  check({"S6", "not valid JSON", file_of("{\""), file_of("{}")});
}

TEST_CASE("S6: deep nesting is stopped at its third step, however long it is",
          "[io][safetensors]") {
  const std::size_t deep = 1'000'000;
  CHECK_THROWS_ERROR(read(file_of("{\"a\":{\"shape\":" + Bytes(deep, '[') + "}}")), FileError,
                     "offset 24: an array where none belongs");
  Bytes objects;
  for (std::size_t i = 0; i < deep; ++i) objects += "{\"a\":";
  CHECK_THROWS_ERROR(read(file_of(objects)), FileError, "S6: ");
}

TEST_CASE("S7: nothing occurs twice", "[io][safetensors]") {
  const Bytes other = entry("b", "U8", "[0]", "[4,4]");
  check({"S7", "\"a\" occurs twice", with(one + ',' + entry("a", "U8", "[0]", "[4,4]")),
         with(one + ',' + other)});
  // The same name, spelt otherwise.
  check({"S7", "\"a\" occurs twice", with(one + ',' + entry("\\u0061", "U8", "[0]", "[4,4]")),
         with(one + ',' + entry("\\u0062", "U8", "[0]", "[4,4]"))});
  check({"S7", "\"dtype\" occurs twice",
         with("\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}"),
         valid});
  check({"S7", "\"shape\" occurs twice",
         with("\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"shape\":[4],\"data_offsets\":[0,4]}"),
         valid});
  check({"S7", "\"k\" occurs twice", file_of("{\"__metadata__\":{\"k\":\"1\",\"k\":\"1\"}}"),
         file_of("{\"__metadata__\":{\"k\":\"1\",\"l\":\"1\"}}")});
  check({"S7", "\"__metadata__\" occurs twice",
         file_of("{\"__metadata__\":{},\"__metadata__\":{}}"), file_of("{\"__metadata__\":{}}")});
}

TEST_CASE("S8: shapes and offsets are unsigned whole numbers", "[io][safetensors]") {
  for (const char* number :
       {"4.0", "4e0", "40e-1", "-4", "-0", "18446744073709551616", "\"4\"", "true", "null"}) {
    CAPTURE(number);
    check({"S8", "shape or data_offsets",
           with(entry("a", "U8", Bytes("[") + number + ']', "[0,4]")), valid});
    check({"S8", "shape or data_offsets",
           with(entry("a", "U8", "[4]", Bytes("[0,") + number + ']')), valid});
  }
}

TEST_CASE("S9: sizes do not overflow", "[io][safetensors]") {
  const auto sized = [](const char* shape) { return with(entry("a", "U8", shape, "[0,4]")); };
  // 2^64 + 4 and 2^65 + 4 elements: 4 if the product wraps.
  check({"S9", "2^63 bytes or more", sized("[4,4611686018427387905]"), sized("[4,1]")});
  check({"S9", "2^63 bytes or more", sized("[36893488147419103,500,2]"), sized("[2,1,2]")});
  check({"S9", "2^63 bytes or more", sized("[18446744073709551615]"), sized("[4]")});
  check({"S9", "2^63 bytes or more", sized("[9223372036854775808]"), sized("[4]")});
  // The elements fit, their bytes do not: 2^61 + 1 doubles would wrap to 8 bytes.
  check({"S9", "2^63 bytes or more",
         file_of('{' + entry("a", "F64", "[2305843009213693953]", "[0,8]") + '}', data + data),
         file_of('{' + entry("a", "F64", "[1]", "[0,8]") + '}', data + data)});
  // Nothing times too much is too much.
  check({"S9", "2^63 bytes or more",
         file_of('{' + entry("a", "U8", "[0,4294967296,4294967296]", "[0,0]") + '}'),
         file_of('{' + entry("a", "U8", "[0,4294967296,1]", "[0,0]") + '}')});
}

TEST_CASE("S9: axes, names and tensors are limited", "[io][safetensors]") {
  check({"S9", "more than 8 axes", with(entry("a", "U8", "[4,1,1,1,1,1,1,1,1]", "[0,4]")),
         with(entry("a", "U8", "[4,1,1,1,1,1,1,1]", "[0,4]"))});
  check({"S9", "1025 bytes", with(entry(Bytes(1025, 'n'), "U8", "[4]", "[0,4]")),
         with(entry(Bytes(1024, 'n'), "U8", "[4]", "[0,4]"))});
  SafetensorsOptions options;
  options.max_tensors = 2;
  const Bytes two = one + ',' + entry("b", "U8", "[0]", "[4,4]");
  check({"S9", "max_tensors", with(two + ',' + entry("c", "U8", "[0]", "[4,4]")), with(two),
         options});
  check({"S9", "max_tensors",
         file_of("{\"__metadata__\":{\"k\":\"\",\"l\":\"\",\"m\":\"\"}," + two + '}', data),
         file_of("{\"__metadata__\":{\"k\":\"\",\"l\":\"\"}," + two + '}', data), options});
}

TEST_CASE("S10: offsets are as far apart as dtype and shape demand", "[io][safetensors]") {
  const Bytes cured = with(entry("a", "F32", "[1]", "[0,4]"));
  check({"S10", "take 8 bytes", with(entry("a", "F32", "[2]", "[0,4]")), cured});
  check({"S10", "take 0 bytes", with(entry("a", "F32", "[0]", "[0,4]")), cured});
  check({"S10", "take 4 bytes", with(entry("a", "F32", "[1]", "[4,0]")), cured});
  check({"S10", "take 2 bytes", with(entry("a", "F16", "[1]", "[0,4]")), cured});
  check({"S10", "take 4 bytes", with(entry("a", "F32", "[1]", "[0,18446744073709551615]")), cured});
}

TEST_CASE("S11: tensors fill the data without hole or overlap", "[io][safetensors]") {
  const auto two = [](const char* first, const char* second) {
    return with(entry("a", "U8", "[2]", first) + ',' + entry("b", "U8", "[2]", second));
  };
  const Bytes cured = two("[0,2]", "[2,4]");
  check({"S11", "\"b\" begins at byte 1 of the data, expected 2", two("[0,2]", "[1,3]"), cured});
  check({"S11", "\"b\" begins at byte 0", two("[0,2]", "[0,2]"), cured});
  check({"S11", "\"b\" begins at byte 3", two("[0,2]", "[3,5]"), cured});
  check({"S11", "\"a\" begins at byte 1", two("[1,3]", "[3,5]"), cured});
  CHECK_NOTHROW(read(two("[2,4]", "[0,2]")));  // the order of the names is free
}

TEST_CASE("S12: the file ends where its tensors end", "[io][safetensors]") {
  check({"S12", "take 4 bytes, but 5 follow", valid + 'x', valid});
  check({"S12", "take 4 bytes, but 3 follow", valid.substr(0, valid.size() - 1), valid});
  check({"S12", "take 0 bytes, but 1 follow", file_of("{}", "x"), file_of("{}")});
}

TEST_CASE("S13: empty tensors and single numbers are legal", "[io][safetensors]") {
  const SafetensorsFile file = read(file_of('{' + entry("empty", "F32", "[3,0,2]", "[0,0]") + ',' +
                                                entry("number", "U8", "[]", "[0,1]") + ',' +
                                                entry("also empty", "I64", "[0]", "[1,1]") + '}',
                                            "x"));
  CHECK(file.at("empty").size() == 0);
  CHECK(file.at("empty").shape == std::vector<Index>{3, 0, 2});
  CHECK(file.at("number").shape.empty());
  CHECK(to_values<std::uint8_t>(file.at("number")) == std::vector<std::uint8_t>{'x'});
  CHECK(read(file_of("{}")).find("") == nullptr);
}

TEST_CASE("S14: NaN and infinity are refused if asked for", "[io][safetensors]") {
  SafetensorsOptions strict;
  strict.reject_nonfinite = true;
  const auto holding = [](const char* dtype, const char* size, const Bytes& values) {
    return file_of('{' + entry("w", dtype, "[2]", Bytes("[0,") + size + ']') + '}', values);
  };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  const Bytes bad_f32 = holding("F32", "8", raw({1.0f, nan}));
  check({"S14", "value 1 of tensor \"w\" is nan", bad_f32, holding("F32", "8", raw({1.0f, 2.0f})),
         strict});
  check({"S14", "value 0 of tensor \"w\" is -inf", holding("F64", "16", raw({-infinity, 1.0})),
         holding("F64", "16", raw({1.0, 1.0})), strict});
  check({"S14", "is inf", holding("F16", "4", raw<std::uint16_t>({0x7bff, 0x7c00})),
         holding("F16", "4", raw<std::uint16_t>({0x7bff, 0x7bff})), strict});
  check({"S14", "is nan", holding("BF16", "4", raw<std::uint16_t>({0x7f81, 0})),
         holding("BF16", "4", raw<std::uint16_t>({0x7f7f, 0})), strict});
  // The bits of NaN in whole numbers mean nothing.
  CHECK_NOTHROW(read(holding("I64", "16", raw({infinity, infinity})), strict));
  CHECK(read(bad_f32).find("w") != nullptr);
  // The offset is the value's: 8 + N + 4.
  const std::size_t at = bad_f32.size() - 4;
  CHECK_THROWS_ERROR(read(bad_f32, strict), FileError, "offset " + std::to_string(at) + ": ");
}

TEST_CASE("S15: other dtypes are refused by name", "[io][safetensors]") {
  for (const char* dtype : {"BOOL", "I8", "F8_E4M3", "F4", "u8", "", "U8 "}) {
    CAPTURE(dtype);
    check({"S15", "unsupported dtype", with(entry("a", dtype, "[4]", "[0,4]")), valid});
  }
}

TEST_CASE("The file has a cap of its own", "[io][safetensors]") {
  SafetensorsOptions options;
  options.max_bytes = valid.size();
  CHECK_NOTHROW(read(valid, options));
  options.max_bytes = valid.size() - 1;
  CHECK_THROWS_ERROR(read(valid, options), FileError, "SafetensorsOptions::max_bytes");
}

TEST_CASE("A header that promises much costs nothing", "[io][safetensors]") {
  // A file of holes: 2 GB by its size, and every rule kept. Its cap is what stops it.
  const test::TemporaryDirectory directory;
  const Bytes header = '{' + entry("a", "U8", "[2147483648]", "[0,2147483648]") + '}';
  write_text(directory / "file", file_of(header));
  std::filesystem::resize_file(directory / "file", 8 + header.size() + (std::uint64_t{1} << 31));
  SafetensorsOptions options;
  options.max_bytes = 1 << 20;
  CHECK_THROWS_ERROR(read_safetensors(directory / "file", options), FileError, "max_bytes");
  // And one that promises what is not there is refused before memory is asked for.
  const auto refused = [](const char* rule, const Bytes& file) {
    test::check_refused_cheaply(file, Bytes(rule) + ": ",
                                [](const auto& path) { return read_safetensors(path); });
  };
  const auto header_of_size = [](std::uint64_t bytes) { return raw({bytes}) + "{}"; };
  refused("S2", header_of_size(std::uint64_t{1} << 40));
  refused("S3", header_of_size(SafetensorsOptions{}.max_header_bytes));
  const Bytes exabytes = entry("a", "U8", "[1152921504606846976]", "[0,1152921504606846976]");
  refused("S12", file_of('{' + exabytes + '}', data));
  refused("S10", file_of('{' + entry("a", "F32", "[1099511627776]", "[0,4]") + '}', data));
  refused("S9", file_of('{' + entry("a", "F32", "[1099511627776,1099511627776]", "[0,4]") + '}'));
  refused("S6", file_of(Bytes(100'000, '[').replace(0, 1, "{\"a\":")));
  // Entries that take more memory than text: the shortest, and those of most axes.
  Bytes words = "{\"__metadata__\":{", tensors = "{";
  for (int i = 1'000; i < 10'000; ++i) {
    words += '"' + std::to_string(i) + "\":\"\",";
    tensors += entry(std::to_string(i), "U8", "[0,0,0,0,0,0,0,0]", "[0,0]") + ',';
  }
  refused("S6", file_of(words + "0}}"));
  refused("S6", file_of(tensors + "0}"));
}

TEST_CASE("Damaged safetensors files are errors or have the same shapes", "[io][safetensors]") {
  const Bytes header = "{\"__metadata__\":{\"k\":\"v\"}," + entry("w", "F32", "[2,3]", "[0,24]") +
                       ',' + entry("n", "U8", "[3]", "[24,27]") + "}   ";
  test::check_survives_damage(file_of(header, "abcdefghijklmnopqrstuvwxyz0"),
                              [](const std::filesystem::path& path) {
                                std::multiset<std::vector<Index>> shapes;
                                const SafetensorsFile file = read_safetensors(path);
                                for (const StoredTensor& tensor : file.tensors()) {
                                  shapes.insert(tensor.shape);
                                }
                                return shapes;
                              });
}

TEST_CASE("What is no safetensors file is told by what it seems to be", "[io][safetensors]") {
  const test::TemporaryDirectory directory;
  const auto message = [&](const std::string& content) {
    test::write_text(directory / "file", content);
    try {
      static_cast<void>(read_safetensors(directory / "file"));
    } catch (const FileError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  const std::string pointer =
      "version https://git-lfs.github.com/spec/v1\noid sha256:" + std::string(64, '0') +
      "\nsize 270452\n";
  CHECK(message(pointer).find("seems to be a Git LFS pointer") != std::string::npos);
  CHECK(message("<!DOCTYPE html>\n<html><head>404").find("seems to be an HTML or XML page") !=
        std::string::npos);
  CHECK(message(std::string("PK\3\4", 4) + std::string(60, '\0'))
            .find("seems to be a zip archive, expected safetensors") != std::string::npos);
  CHECK(message("oops").find("S1: ") == 0);
  CHECK(message("oops").find("seems to be text") != std::string::npos);
  // A file that is cut off, or whose length is damaged, is still one of ours.
  const std::string header = R"({"w":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})";
  const std::string length{static_cast<char>(header.size()), 0, 0, 0, 0, 0, 0, 0};
  CHECK(message(length + header.substr(0, 30)).find("seems") == std::string::npos);
  CHECK(message(std::string(8, '\x7f') + header).find("seems") == std::string::npos);
  CHECK(message(length + header + "ab") == "no error");
}

}  // namespace pixelrnn
