// SPDX-License-Identifier: MIT
#include <pixelrnn/io/safetensors.hpp>

#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

namespace pixelrnn {
namespace {

using test::read_text;

const std::map<std::string, std::string> no_metadata;

}  // namespace

TEST_CASE("Tensors and metadata come back from safetensors as they were written",
          "[io][safetensors]") {
  const test::TemporaryDirectory directory;
  Tensor<float, 4> weight({1, 2, 3, 4});
  for (Index i = 0; i < weight.size(); ++i) weight.data()[i] = 0.1f * static_cast<float>(i);
  Tensor<double, 1> bias({5}, -1e300);
  Tensor<std::uint8_t, 2> mask({2, 2}, std::uint8_t{255});
  const std::vector<std::int64_t> step{std::numeric_limits<std::int64_t>::min()};
  const std::vector<std::uint64_t> seed{std::numeric_limits<std::uint64_t>::max()};
  const std::map<std::string, std::string> metadata{
      {"kind", "PixelRNN"}, {"quote", "\"\\\n\x01/"}, {"\xc3\xa9", ""}};
  write_safetensors(directory / "file",
                    {stored("weight", weight), stored("bias", bias), stored("mask", mask),
                     stored("step", {}, std::span(step)), stored("seed", {1}, std::span(seed)),
                     stored("none", Tensor<float, 2>({0, 3}).view())},
                    metadata);
  const SafetensorsFile file = read_safetensors(directory / "file");
  CHECK(file.metadata() == metadata);
  CHECK(file.tensors().size() == 6);
  CHECK(to_values<float>(file.at("weight")) == std::vector<float>(weight.begin(), weight.end()));
  CHECK(file.at("weight").shape == std::vector<Index>{1, 2, 3, 4});
  CHECK(to_values<double>(file.at("bias")) == std::vector<double>(5, -1e300));
  CHECK(to_values<std::uint8_t>(file.at("mask")) == std::vector<std::uint8_t>(4, 255));
  CHECK(to_values<std::int64_t>(file.at("step")) == step);
  CHECK(to_values<std::uint64_t>(file.at("seed")) == seed);
  CHECK(file.at("none").shape == std::vector<Index>{0, 3});

  // What was read can be written again, to the same bytes.
  write_safetensors(directory / "copy", file.tensors(), file.metadata());
  CHECK(read_text(directory / "copy") == read_text(directory / "file"));
  CHECK(directory.names() == std::set<std::string>{"file", "copy"});
}

TEST_CASE("W1: the bytes are those of the format's own library", "[io][safetensors]") {
  const test::TemporaryDirectory directory;
  write_safetensors(directory / "empty", {});
  CHECK(read_text(directory / "empty") == std::string("\x08\0\0\0\0\0\0\0{}      ", 16));

  const std::vector<float> f32{0, 1};
  const std::vector<std::uint8_t> u8{7};
  const std::vector<double> f64{1};
  const std::vector<std::int64_t> i64{2};
  const std::vector<std::uint64_t> u64{3};
  const std::vector<std::uint16_t> half{0x3c00};
  const auto halves = std::as_bytes(std::span(half));
  write_safetensors(
      directory / "file",
      {stored("b", {2}, std::span(f32)), stored("a", {2, 1}, std::span(f32)),
       stored("c", {1}, std::span(u8)), stored("d", {}, std::span(f64)),
       stored("e", {1}, std::span(i64)), stored("f", {1}, std::span(u64)),
       StoredTensor{"g", Dtype::f16, {1}, halves}, StoredTensor{"h", Dtype::bf16, {1}, halves}},
      {{"format", "pt"}});
  // Written by the Python package safetensors 0.8.0: save_file({"a": ..., ...}, {"format": "pt"}).
  const std::string header =
      "{\"__metadata__\":{\"format\":\"pt\"},"
      "\"f\":{\"dtype\":\"U64\",\"shape\":[1],\"data_offsets\":[0,8]},"
      "\"e\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[8,16]},"
      "\"d\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[16,24]},"
      "\"a\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[24,32]},"
      "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[32,40]},"
      "\"h\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[40,42]},"
      "\"g\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[42,44]},"
      "\"c\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[44,45]}}";
  const std::string text = read_text(directory / "file");
  const std::size_t padded = (header.size() + 7) / 8 * 8;
  CHECK(text.substr(8, header.size()) == header);
  CHECK(text.substr(8 + header.size(), padded - header.size()) ==
        std::string(padded - header.size(), ' '));
  CHECK(text.size() == 8 + padded + 45);
}

TEST_CASE("W1: every value is aligned to its size", "[io][safetensors]") {
  const test::TemporaryDirectory directory;
  const std::vector<std::uint8_t> u8{1, 2, 3};
  const std::vector<double> f64{1};
  const std::vector<float> f32{1};
  for (const char* name : {"n", "na", "nam", "name", "names", "names_", "names__", "names___"}) {
    write_safetensors(directory / "file",
                      {stored("u8", {3}, std::span(u8)), stored(name, {1}, std::span(f64)),
                       stored("f32", {1}, std::span(f32))});
    const SafetensorsFile file = read_safetensors(directory / "file");
    const std::string text = read_text(directory / "file");
    CHECK((text.size() - 3 - 4 - 8) % 8 == 0);  // where the data begins, doubles first
    CHECK(file.at("f32").bytes.data() == file.at(name).bytes.data() + 8);
    CHECK(file.at("u8").bytes.data() == file.at(name).bytes.data() + 12);
  }
}

TEST_CASE("The writer refuses what the reader would refuse", "[io][safetensors]") {
  const test::TemporaryDirectory directory;
  const std::filesystem::path path = directory / "file";
  const std::vector<std::uint8_t> values(4);
  const auto bytes = std::as_bytes(std::span(values));
  const auto write = [&](std::string name, std::vector<Index> shape) {
    write_safetensors(path, {StoredTensor{std::move(name), Dtype::u8, std::move(shape), bytes}});
  };
  CHECK_THROWS_ERROR(write("\xff", {4}), ConfigError, "S4: ");
  CHECK_THROWS_ERROR(write("__metadata__", {4}), ConfigError, "S6: ");
  CHECK_THROWS_ERROR(write(std::string(1025, 'n'), {4}), ConfigError, "S9: ");
  CHECK_THROWS_ERROR(write("a", {4, 1, 1, 1, 1, 1, 1, 1, 1}), ConfigError, "S9: ");
  CHECK_THROWS_ERROR(write("a", {-4, -1}), ConfigError, "S9: ");
  CHECK_THROWS_ERROR(write("a", {Index{1} << 62, 4}), ConfigError, "S9: ");
  CHECK_THROWS_ERROR(write("a", {5}), ConfigError, "S10: ");
  const StoredTensor tensor{"a", Dtype::u8, {4}, bytes};
  CHECK_THROWS_ERROR(write_safetensors(path, {tensor, tensor}), ConfigError, "S7: ");
  for (const auto& metadata :
       {std::map<std::string, std::string>{{"k", "\xff"}}, {{"\xff", "v"}}}) {
    CHECK_THROWS_ERROR(write_safetensors(path, {tensor}, metadata), ConfigError, "S4: ");
  }
  const std::vector<StoredTensor> many(100'001, tensor);
  CHECK_THROWS_ERROR(write_safetensors(path, many), ConfigError, "S9: ");
  CHECK_THROWS_ERROR(write_safetensors(path, {}, {{"k", std::string(100'000'000, 'v')}}),
                     ConfigError, "S2: ");
  CHECK(directory.names().empty());
  // The largest of each is written, and read back.
  write(std::string(1024, 'n'), {4, 1, 1, 1, 1, 1, 1, 1});
  CHECK(read_safetensors(path).find(std::string(1024, 'n')) != nullptr);
}

TEST_CASE("A hundred thousand tensors are written and read", "[io][safetensors]") {
  const test::TemporaryDirectory directory;
  const std::vector<std::uint8_t> value{5};
  std::vector<StoredTensor> many;
  for (int i = 0; i < 100'000; ++i) {
    many.push_back(stored("layer." + std::to_string(i), {1}, std::span(value)));
  }
  write_safetensors(directory / "file", many);
  const SafetensorsFile file = read_safetensors(directory / "file");
  CHECK(file.tensors().size() == 100'000);
  CHECK(file.at("layer.99999").size() == 1);
}

TEST_CASE("W2: a process killed at any moment leaves the old file or the new one",
          "[io][safetensors]") {
  const test::TemporaryDirectory directory;
  const std::filesystem::path path = directory / "checkpoint";
  // Generation g: g + 1 thousands of values g. A mixture of two generations has the wrong values.
  const auto write_generation = [&](std::uint8_t generation) {
    const std::vector<std::uint8_t> values((generation + std::size_t{1}) * 1000, generation);
    write_safetensors(path,
                      {stored("values", {static_cast<Index>(values.size())}, std::span(values))});
  };
  std::set<std::uint8_t> seen;
  for (int kill = 0; kill < 50; ++kill) {
    std::array<int, 2> pipe{};
    REQUIRE(::pipe(pipe.data()) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      try {
        for (int generation = kill;; ++generation) {
          write_generation(static_cast<std::uint8_t>(generation % 256));
          if (::write(pipe[1], "w", 1) != 1) break;
        }
      } catch (...) {
      }
      ::_exit(1);
    }
    ::close(pipe[1]);
    // After its first file, so that every child gets somewhere on the busiest machine.
    char written = 0;
    REQUIRE(::read(pipe[0], &written, 1) == 1);
    std::this_thread::sleep_for(std::chrono::microseconds(kill * 3517 % 10'000));
    REQUIRE(::kill(child, SIGKILL) == 0);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    ::close(pipe[0]);

    const auto values = to_values<std::uint8_t>(read_safetensors(path).at("values"));
    REQUIRE(values.size() == (values[0] + std::size_t{1}) * 1000);
    REQUIRE(std::ranges::count(values, values[0]) == static_cast<std::ptrdiff_t>(values.size()));
    seen.insert(values[0]);
  }
  CHECK(seen.size() > 1);
}

}  // namespace pixelrnn
