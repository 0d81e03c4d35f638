// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstdint>
#include <limits>
#include <new>
#include <utility>
#include <vector>

#include <pixelrnn/core/workspace.hpp>

#include "support/allocations.hpp"
#include "support/catch.hpp"

using namespace pixelrnn;

namespace {

/// What one training step might ask for: sizes of many magnitudes, some given back on the way.
void use_like_a_step(Workspace& workspace) {
  static_cast<void>(workspace.allocate<float>(100));
  {
    const Scratch scratch(workspace);
    static_cast<void>(workspace.allocate<double>(50000));
    static_cast<void>(workspace.allocate<std::uint8_t>(1));
  }
  static_cast<void>(workspace.allocate<float>(Shape<4>{4, 28, 28, 32}));
  static_cast<void>(workspace.allocate<float>(300000));
}

}  // namespace

TEMPLATE_TEST_CASE("All memory of a workspace is aligned to 64 bytes", "[core][workspace]",
                   std::uint8_t, float, double) {
  Workspace workspace;
  for (const Index count : {1, 3, 17, 1000, 100000, 5, 0, 2}) {
    const auto address = reinterpret_cast<std::uintptr_t>(workspace.allocate<TestType>(count));
    CHECK(address % 64 == 0);
  }
}

TEST_CASE("Pieces of a workspace do not overlap", "[core][workspace]") {
  Workspace workspace;
  std::vector<std::pair<int*, Index>> pieces;
  for (Index count = 1; count < 40000; count = count * 3 + 1) {
    int* piece = workspace.allocate<int>(count);
    std::fill_n(piece, count, static_cast<int>(pieces.size()));
    pieces.emplace_back(piece, count);
  }
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const auto [piece, count] = pieces[i];
    CHECK(std::count(piece, piece + count, static_cast<int>(i)) == count);
  }
}

TEST_CASE("Memory handed out stays where it is while the workspace grows", "[core][workspace]") {
  Workspace workspace;
  int* first = workspace.allocate<int>(10);
  std::fill_n(first, 10, 7);
  for (int i = 0; i < 10; ++i) std::fill_n(workspace.allocate<int>(100000), 100000, i);
  CHECK(std::count(first, first + 10, 7) == 10);
}

TEST_CASE("A view from a workspace has the shape that was asked for", "[core][workspace]") {
  Workspace workspace;
  const TensorView<float, 4> map = workspace.allocate<float>(Shape<4>{2, 3, 4, 5});
  CHECK(map.shape() == Shape<4>{2, 3, 4, 5});
  CHECK(map.size() == 120);
}

TEST_CASE("allocate_zero is zero, also in memory used before", "[core][workspace]") {
  Workspace workspace;
  std::fill_n(workspace.allocate<float>(1000), 1000, 5.0f);
  workspace.reset();
  const float* memory = workspace.allocate_zero<float>(1000);
  CHECK(std::count(memory, memory + 1000, 0.0f) == 1000);
}

TEST_CASE("A repeated sequence of allocations touches the heap only the first time",
          "[core][workspace]") {
  Workspace workspace;
  const std::size_t cold = test::allocation_count();
  use_like_a_step(workspace);
  CHECK(test::allocation_count() > cold);  // the counter works
  workspace.reset();

  const std::size_t warm = test::allocation_count();
  for (int step = 0; step < 5; ++step) {
    use_like_a_step(workspace);
    workspace.reset();
  }
  CHECK(test::allocation_count() == warm);
}

TEST_CASE("A reset workspace hands out the same addresses again", "[core][workspace]") {
  Workspace workspace;
  use_like_a_step(workspace);
  workspace.reset();  // merges the blocks
  const float* first = workspace.allocate<float>(100);
  const float* second = workspace.allocate<float>(100);
  workspace.reset();
  CHECK(workspace.allocate<float>(100) == first);
  CHECK(workspace.allocate<float>(100) == second);
}

TEST_CASE("release gives back everything since the mark, and nothing before it",
          "[core][workspace]") {
  Workspace workspace;
  int* kept = workspace.allocate<int>(10);
  std::fill_n(kept, 10, 3);
  const Workspace::Mark mark = workspace.mark();
  int* given_back = workspace.allocate<int>(10);
  static_cast<void>(workspace.allocate<int>(200000));  // another block
  workspace.release(mark);
  int* again = workspace.allocate<int>(10);
  CHECK(again == given_back);
  std::fill_n(again, 10, 4);
  CHECK(std::count(kept, kept + 10, 3) == 10);
}

TEST_CASE("A scratch gives its memory back at the end of its scope, also by exception",
          "[core][workspace]") {
  Workspace workspace;
  const float* outer = workspace.allocate<float>(10);
  const float* inner = nullptr;
  {
    const Scratch scratch(workspace);
    inner = workspace.allocate<float>(10);
    CHECK(inner != outer);
  }
  const auto fails = [&workspace] {
    const Scratch scratch(workspace);
    static_cast<void>(workspace.allocate<float>(10));
    throw ValueError("on purpose");
  };
  CHECK_THROWS_AS(fails(), ValueError);
  CHECK(workspace.allocate<float>(10) == inner);
}

TEST_CASE("Scratches nest like scopes", "[core][workspace]") {
  Workspace workspace;
  const Scratch outer(workspace);
  const int* a = workspace.allocate<int>(4);
  const int* b = nullptr;
  {
    const Scratch inner(workspace);
    b = workspace.allocate<int>(4);
  }
  CHECK(workspace.allocate<int>(4) == b);
  CHECK(a != b);
}

TEST_CASE("peak is the most bytes in use at once, in whole grains of 64", "[core][workspace]") {
  Workspace workspace;
  CHECK(workspace.peak() == 0);
  CHECK(workspace.capacity() == 0);
  static_cast<void>(workspace.allocate<std::uint8_t>(65));
  CHECK(workspace.peak() == 128);
  {
    const Scratch scratch(workspace);
    static_cast<void>(workspace.allocate<std::uint8_t>(64));
  }
  CHECK(workspace.peak() == 192);
  static_cast<void>(workspace.allocate<std::uint8_t>(64));
  CHECK(workspace.peak() == 192);
  workspace.reset();
  CHECK(workspace.peak() == 192);
  CHECK(workspace.capacity() >= workspace.peak());
}

TEST_CASE("A warm workspace holds little more than it ever needed", "[core][workspace]") {
  Workspace workspace;
  for (int step = 0; step < 20; ++step) {
    use_like_a_step(workspace);
    workspace.reset();
  }
  CHECK(workspace.capacity() <= 2 * workspace.peak());
}

TEST_CASE("A moved workspace takes its memory along", "[core][workspace]") {
  Workspace workspace;
  int* memory = workspace.allocate<int>(10);
  std::fill_n(memory, 10, 6);
  Workspace moved = std::move(workspace);
  CHECK(std::count(memory, memory + 10, 6) == 10);
  CHECK(moved.allocate<int>(1) > memory);
}

TEST_CASE("A workspace moved from is empty and works on", "[core][workspace]") {
  Workspace workspace;
  use_like_a_step(workspace);
  const std::size_t held = workspace.capacity(), peak = workspace.peak();
  Workspace moved = std::move(workspace);
  CHECK(moved.capacity() == held);
  CHECK(moved.peak() == peak);
  // NOLINTBEGIN(bugprone-use-after-move): that is the question
  CHECK(workspace.capacity() == 0);
  CHECK(workspace.peak() == 0);
  use_like_a_step(workspace);
  CHECK(workspace.peak() == peak);
  workspace.reset();
  moved = std::move(workspace);
  CHECK(workspace.capacity() == 0);
  use_like_a_step(workspace);
  // NOLINTEND(bugprone-use-after-move)
  use_like_a_step(moved);
}

TEST_CASE("A workspace whose blocks cannot be merged is empty and works on", "[core][workspace]") {
  Workspace workspace;
  use_like_a_step(workspace);  // several blocks
  {
    const test::AllocationBudget nothing_left(0);
    CHECK_THROWS_AS(workspace.reset(), std::bad_alloc);
  }
  CHECK(workspace.capacity() == 0);
  const Workspace::Mark mark = workspace.mark();
  CHECK(mark.block == 0);
  CHECK(mark.used == 0);
  CHECK(mark.full == 0);
  use_like_a_step(workspace);
  workspace.reset();
  CHECK(workspace.capacity() >= workspace.peak());
}

TEST_CASE("A workspace asked for too much is bad_alloc and works on", "[core][workspace]") {
  Workspace workspace;
  const int* before = workspace.allocate<int>(1);
  const Workspace::Mark mark = workspace.mark();
  CHECK_THROWS_AS(workspace.allocate<double>(std::numeric_limits<Index>::max()), std::bad_alloc);
  CHECK_THROWS_AS(workspace.allocate<double>(std::numeric_limits<Index>::max() / 16),
                  std::bad_alloc);
  {
    const test::AllocationBudget nothing_left(0);
    CHECK_THROWS_AS(workspace.allocate<double>(1000000), std::bad_alloc);
  }
  workspace.release(mark);
  CHECK(workspace.allocate<int>(1) == before + 16);
}
