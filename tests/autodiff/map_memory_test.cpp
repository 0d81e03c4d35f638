// SPDX-License-Identifier: MIT
#include <vector>

#include <pixelrnn/autodiff/map_memory.hpp>

#include "support/catch.hpp"

using namespace pixelrnn;
using detail::MapMemory;

TEST_CASE("Memory of a map that was given back is the next one of its size", "[autodiff][maps]") {
  MapMemory maps;
  void* const a = maps.take(1000);
  void* const b = maps.take(1000);
  CHECK(a != b);
  const Index block = maps.find(a);
  CHECK(maps.find(static_cast<char*>(a) + 999) == block);
  CHECK(maps.find(static_cast<char*>(a) + 1000) != block);
  maps.give_back(block);
  CHECK(maps.find(a) == MapMemory::none);
  CHECK(maps.take(2000) != a);  // too small
  CHECK(maps.take(400) != a);   // twice too large
  CHECK(maps.take(600) == a);
  int outside = 0;
  CHECK(maps.find(&outside) == MapMemory::none);
}

TEST_CASE("Of equal blocks the last one used is taken, of others the smallest",
          "[autodiff][maps]") {
  MapMemory maps;
  std::vector<void*> blocks;
  for (const int bytes : {1500, 1000, 1000, 1200})
    blocks.push_back(maps.take(static_cast<std::size_t>(bytes)));
  for (void* const block : blocks) maps.give_back(maps.find(block));
  CHECK(maps.take(900) == blocks[2]);
  CHECK(maps.take(900) == blocks[1]);
  CHECK(maps.take(900) == blocks[3]);
  CHECK(maps.take(900) == blocks[0]);
}

TEST_CASE("What was taken since a moment and is not held is found", "[autodiff][maps]") {
  MapMemory maps;
  static_cast<void>(maps.take(10));
  const std::size_t moment = maps.now();
  const Index held = maps.find(maps.take(10)), kept = maps.find(maps.take(10));
  const Index unheld = maps.find(maps.take(10));
  maps.hold(held);
  std::vector<Index> found;
  maps.for_each_unheld(moment, kept, [&](Index block) { found.push_back(block); });
  CHECK(found == std::vector<Index>{unheld});
  CHECK(maps.is_held(held));
  maps.let_go(held);
  CHECK_FALSE(maps.is_held(held));
  CHECK(maps.is_since(moment, held));
  CHECK_FALSE(maps.is_since(maps.now(), held));
}

TEST_CASE("Maps forget everything when they are reset, and keep the memory", "[autodiff][maps]") {
  MapMemory maps;
  for (int round = 0; round < 3; ++round) {
    static_cast<void>(maps.take(100'000)), static_cast<void>(maps.take(200'000));
    maps.reset();
  }
  CHECK(maps.peak() < 310'000);
}
