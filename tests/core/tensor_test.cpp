// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstdint>
#include <limits>
#include <new>
#include <numeric>
#include <ranges>
#include <string>
#include <type_traits>
#include <utility>

#include <pixelrnn/core/tensor.hpp>

#include "support/allocations.hpp"
#include "support/catch.hpp"

using namespace pixelrnn;

namespace {

/// 0, 1, 2, ... in memory order.
template <class T, std::size_t Rank>
Tensor<T, Rank> counting(Shape<Rank> shape) {
  Tensor<T, Rank> tensor(shape);
  std::iota(tensor.begin(), tensor.end(), T{0});
  return tensor;
}

bool is_aligned(const void* memory, std::uintptr_t alignment) {
  return reinterpret_cast<std::uintptr_t>(memory) % alignment == 0;
}

}  // namespace

TEMPLATE_TEST_CASE("A tensor is aligned to 64 bytes whatever its size", "[core][tensor]",
                   std::uint8_t, float, double) {
  for (const Index size : {0, 1, 3, 15, 16, 17, 1000, 100003}) {
    const Tensor<TestType, 1> tensor(Shape<1>{size});
    CHECK(is_aligned(tensor.data(), 64));
  }
}

TEMPLATE_TEST_CASE("A tensor is zero at birth, also in memory used before", "[core][tensor]",
                   std::uint8_t, float, double) {
  for (int round = 0; round < 4; ++round) {
    Tensor<TestType, 2> tensor({17, 19});
    CHECK(std::all_of(tensor.begin(), tensor.end(), [](TestType v) { return v == 0; }));
    tensor.fill(TestType{7});
    CHECK(std::all_of(tensor.begin(), tensor.end(), [](TestType v) { return v == 7; }));
  }
}

TEST_CASE("A tensor can be born full of one value", "[core][tensor]") {
  const Tensor<float, 2> tensor({3, 5}, 2.5f);
  CHECK(tensor.size() == 15);
  CHECK(std::count(tensor.begin(), tensor.end(), 2.5f) == 15);
}

TEST_CASE("A default tensor is empty; one without elements still has an address",
          "[core][tensor]") {
  const Tensor<float, 2> nothing;
  CHECK(nothing.data() == nullptr);
  CHECK(nothing.size() == 0);
  CHECK(nothing.empty());
  CHECK(nothing.begin() == nothing.end());

  const Tensor<float, 2> none({0, 5});
  CHECK(none.data() != nullptr);
  CHECK(none.empty());
  CHECK(none.shape() == Shape<2>{0, 5});
}

TEST_CASE("A default tensor of rank 0 holds nothing, a constructed one a single value",
          "[core][tensor]") {
  CHECK(Tensor<float, 0>().size() == 0);
  CHECK(Tensor<float, 0>(Shape<0>{}).size() == 1);
}

TEST_CASE("Elements are in row-major order, the last index fastest", "[core][tensor]") {
  const Tensor<int, 4> tensor = counting<int>(Shape<4>{2, 3, 4, 5});
  int expected = 0;
  for (Index n = 0; n < 2; ++n) {
    for (Index h = 0; h < 3; ++h) {
      for (Index w = 0; w < 4; ++w) {
        for (Index c = 0; c < 5; ++c) CHECK(tensor(n, h, w, c) == expected++);
      }
    }
  }
  CHECK(expected == tensor.size());
}

TEST_CASE("Elements can be written through index, iterator and view", "[core][tensor]") {
  Tensor<int, 2> tensor({2, 3});
  tensor(1, 2) = 5;
  *tensor.begin() = 6;
  tensor.view()(0, 1) = 7;
  CHECK(tensor.data()[5] == 5);
  CHECK(tensor.data()[0] == 6);
  CHECK(tensor.data()[1] == 7);
}

TEST_CASE("A copy has its own memory and the same elements", "[core][tensor]") {
  Tensor<int, 2> original = counting<int>(Shape<2>{2, 3});
  Tensor<int, 2> copy = original;
  CHECK(copy.data() != original.data());
  CHECK(std::equal(copy.begin(), copy.end(), original.begin(), original.end()));
  copy(0, 0) = 100;
  CHECK(original(0, 0) == 0);

  Tensor<int, 2> assigned({5, 5});
  assigned = original;
  CHECK(assigned.shape() == original.shape());
  CHECK(assigned.data() != original.data());
  CHECK(assigned(1, 2) == 5);
}

TEST_CASE("Assigning a tensor to itself leaves it as it is", "[core][tensor]") {
  Tensor<int, 2> tensor = counting<int>(Shape<2>{2, 3});
  const Tensor<int, 2>& itself = tensor;
  tensor = itself;
  CHECK(tensor.shape() == Shape<2>{2, 3});
  CHECK(tensor(1, 2) == 5);
}

TEST_CASE("A move takes the memory and leaves an empty tensor behind", "[core][tensor]") {
  Tensor<int, 2> original = counting<int>(Shape<2>{2, 3});
  const int* const memory = original.data();

  Tensor<int, 2> moved = std::move(original);
  CHECK(moved.data() == memory);
  CHECK(moved(1, 2) == 5);
  // What a moved-from tensor looks like is part of its contract.
  // NOLINTBEGIN(bugprone-use-after-move)
  CHECK(original.empty());
  CHECK(original.data() == nullptr);
  CHECK(original.shape() == Shape<2>{0, 0});

  Tensor<int, 2> assigned({4, 4});
  assigned = std::move(moved);
  CHECK(assigned.data() == memory);
  CHECK(assigned.shape() == Shape<2>{2, 3});
  CHECK(moved.empty());

  original = counting<int>(Shape<2>{1, 2});
  CHECK(original(0, 1) == 1);
  // NOLINTEND(bugprone-use-after-move)
}

TEST_CASE("A move allocates nothing and cannot fail, a copy allocates once", "[core][tensor]") {
  STATIC_REQUIRE(std::is_nothrow_move_constructible_v<Tensor<float, 4>>);
  STATIC_REQUIRE(std::is_nothrow_move_assignable_v<Tensor<float, 4>>);
  Tensor<int, 2> original({100, 100});
  const std::size_t before = test::allocation_count();
  Tensor<int, 2> moved = std::move(original);
  CHECK(test::allocation_count() == before);
  const Tensor<int, 2> copy = moved;
  CHECK(test::allocation_count() == before + 1);
  CHECK(copy.size() == moved.size());
}

TEST_CASE("A tensor refuses impossible extents by name", "[core][tensor]") {
  constexpr Index most = std::numeric_limits<Index>::max();
  CHECK_THROWS_ERROR((Tensor<float, 2>({2, -1})), ConfigError,
                     "Tensor: shape is (2, -1), expected extents of 0 or more");
  CHECK_THROWS_ERROR((Tensor<float, 2>({most, 2})), ConfigError, "more elements than Index counts");
}

TEST_CASE("A tensor too large for memory is bad_alloc", "[core][tensor]") {
  constexpr Index most = std::numeric_limits<Index>::max();
  CHECK_THROWS_AS((Tensor<double, 1>(Shape<1>{most})), std::bad_alloc);        // bytes overflow
  CHECK_THROWS_AS((Tensor<std::uint8_t, 1>(Shape<1>{most})), std::bad_alloc);  // no such memory
  CHECK_THROWS_AS((Tensor<double, 1>(Shape<1>{most / 16})), std::bad_alloc);
}

TEST_CASE("A copy assignment that runs out of memory leaves the target as it was",
          "[core][tensor]") {
  Tensor<int, 1> target = counting<int>(Shape<1>{4});
  const Tensor<int, 1> source(Shape<1>{1000});
  {
    const test::AllocationBudget nothing_left(0);
    CHECK_THROWS_AS(target = source, std::bad_alloc);
  }
  CHECK(target.shape() == Shape<1>{4});
  CHECK(target(3) == 3);
}

TEST_CASE("A view shows the tensor's own memory", "[core][tensor]") {
  Tensor<int, 2> tensor = counting<int>(Shape<2>{2, 3});
  const TensorView<int, 2> view = tensor;
  CHECK(view.data() == tensor.data());
  CHECK(view.shape() == tensor.shape());
  CHECK(view.size() == 6);
  CHECK_FALSE(view.empty());
  view(1, 1) = 40;  // a view is a pointer: its own constness says nothing about the elements
  CHECK(tensor(1, 1) == 40);
  CHECK(std::accumulate(view.begin(), view.end(), 0) == 0 + 1 + 2 + 3 + 40 + 5);
  CHECK(view.flat().size() == 6);
  CHECK(view.flat().data() == tensor.data());
}

TEST_CASE("A view of const elements is made from a mutable one, never the reverse",
          "[core][tensor]") {
  STATIC_REQUIRE(std::is_convertible_v<TensorView<int, 2>, TensorView<const int, 2>>);
  STATIC_REQUIRE_FALSE(std::is_constructible_v<TensorView<int, 2>, TensorView<const int, 2>>);
  STATIC_REQUIRE(std::is_convertible_v<const Tensor<int, 2>&, TensorView<const int, 2>>);
  STATIC_REQUIRE_FALSE(std::is_convertible_v<const Tensor<int, 2>&, TensorView<int, 2>>);

  Tensor<int, 1> tensor(Shape<1>{3}, 4);
  const TensorView<int, 1> mutable_view = tensor;
  const TensorView<const int, 1> view = mutable_view;
  CHECK(view.data() == tensor.data());
  CHECK(view(2) == 4);
}

TEST_CASE("Iterators of a view outlive the view, those of a tensor do not outlive it",
          "[core][tensor]") {
  STATIC_REQUIRE(std::ranges::borrowed_range<TensorView<int, 2>>);
  STATIC_REQUIRE(std::ranges::borrowed_range<TensorView<const float, 4>>);
  STATIC_REQUIRE_FALSE(std::ranges::borrowed_range<Tensor<int, 2>>);
  const Tensor<int, 2> tensor = counting<int>(Shape<2>{3, 4});
  // Of a view that is gone: std::ranges would give a dangling, which is no pointer.
  const int* const found = std::ranges::find(tensor.view()[1], 6);
  CHECK(found == &tensor(1, 2));
}

TEST_CASE("A view of a tensor is a view of std::ranges too, a tensor is not", "[core][tensor]") {
  STATIC_REQUIRE(std::ranges::view<TensorView<int, 2>>);
  STATIC_REQUIRE(std::ranges::view<TensorView<const float, 4>>);
  STATIC_REQUIRE_FALSE(std::ranges::view<Tensor<int, 2>>);
  STATIC_REQUIRE(std::ranges::contiguous_range<TensorView<int, 2>>);
  STATIC_REQUIRE(std::ranges::sized_range<TensorView<int, 2>>);
}

TEST_CASE("A default view is empty", "[core][tensor]") {
  const TensorView<float, 3> view;
  CHECK(view.data() == nullptr);
  CHECK(view.empty());
  CHECK(view.flat().empty());
}

TEST_CASE("A tensor copied from a view has memory of its own", "[core][tensor]") {
  const Tensor<int, 2> source = counting<int>(Shape<2>{4, 3});
  const Tensor<int, 2> middle(source.view().slice(1, 2));
  CHECK(middle.shape() == Shape<2>{2, 3});
  CHECK(middle(0, 0) == 3);
  CHECK(middle(1, 2) == 8);
  CHECK(middle.data() != source.data() + 3);
}

TEST_CASE("The bracket operator takes one slice of one rank less", "[core][tensor]") {
  const Tensor<int, 3> tensor = counting<int>(Shape<3>{2, 3, 4});
  const TensorView<const int, 2> second = tensor.view()[1];
  CHECK(second.shape() == Shape<2>{3, 4});
  CHECK(second(0, 0) == 12);
  CHECK(second[2](3) == 23);
}

TEST_CASE("slice takes whole slices along the outermost axis", "[core][tensor]") {
  const Tensor<int, 3> tensor = counting<int>(Shape<3>{5, 2, 3});
  const TensorView<const int, 3> part = tensor.view().slice(1, 3);
  CHECK(part.shape() == Shape<3>{3, 2, 3});
  CHECK(part(0, 0, 0) == 6);
  CHECK(part(2, 1, 2) == 23);
  CHECK(tensor.view().slice(0, 5).size() == tensor.size());
  CHECK(tensor.view().slice(5, 0).empty());
  CHECK((Tensor<int, 2>({0, 4}).view().slice(0, 0).shape() == Shape<2>{0, 4}));
}

TEST_CASE("slice refuses what leaves the axis, and says which", "[core][tensor]") {
  constexpr Index most = std::numeric_limits<Index>::max();
  const Tensor<int, 2> tensor({5, 2});
  const TensorView<const int, 2> view = tensor;
  CHECK_THROWS_ERROR(view.slice(3, 3), ShapeError,
                     "TensorView::slice: [3, 6) leaves the outermost axis of (5, 2)");
  CHECK_THROWS_AS(view.slice(-1, 2), ShapeError);
  CHECK_THROWS_AS(view.slice(2, -1), ShapeError);
  CHECK_THROWS_AS(view.slice(6, 0), ShapeError);
  CHECK_THROWS_AS(view.slice(0, most), ShapeError);
}

TEST_CASE("reshape shows the same elements under another shape", "[core][tensor]") {
  const Tensor<int, 3> tensor = counting<int>(Shape<3>{2, 3, 4});
  const auto matrix = tensor.view().reshape(Shape<2>{6, 4});
  CHECK(matrix.data() == tensor.data());
  CHECK(matrix(5, 3) == 23);
  CHECK(tensor.view().reshape(Shape<1>{24})(17) == 17);
}

TEST_CASE("reshape refuses another number of elements, and says both", "[core][tensor]") {
  const Tensor<int, 2> tensor({2, 3});
  CHECK_THROWS_ERROR(tensor.view().reshape(Shape<2>{4, 2}), ShapeError,
                     "TensorView::reshape: (2, 3) has 6 elements and cannot become (4, 2)");
}

TEST_CASE("Only values that can be copied as bytes are tensor elements", "[core][tensor]") {
  // In a generic lambda the requirement is a question, not an error.
  constexpr auto has_tensor = []<class T>(T*) {
    return requires { typename Tensor<T, 2>; };
  };
  STATIC_REQUIRE(has_tensor(static_cast<double*>(nullptr)));
  STATIC_REQUIRE_FALSE(has_tensor(static_cast<std::string*>(nullptr)));
}

TEST_CASE("A matrix view finds rows by stride", "[core][tensor]") {
  Tensor<int, 2> tensor = counting<int>(Shape<2>{3, 4});
  // The two columns in the middle.
  const MatrixView<int> middle{tensor.data() + 1, 3, 2, 4};
  CHECK(middle(0, 0) == 1);
  CHECK(middle(2, 1) == 10);
  CHECK(middle.row(1) == tensor.data() + 5);
  middle(1, 0) = 50;
  const MatrixView<const int> read_only = middle;
  CHECK(read_only(1, 0) == 50);
  CHECK(read_only.rows == 3);
  CHECK(read_only.columns == 2);
  CHECK(read_only.stride == 4);
  STATIC_REQUIRE_FALSE(std::is_convertible_v<MatrixView<const int>, MatrixView<int>>);
}

TEST_CASE("Rows of a matrix view without a stride lie one after the other", "[core][tensor]") {
  const Tensor<int, 2> tensor = counting<int>(Shape<2>{3, 4});
  const MatrixView<const int> all{tensor.data(), 3, 4};
  CHECK(all.stride == 4);
  CHECK(all.row(2) == tensor.data() + 8);
  CHECK(all(2, 3) == 11);
  const MatrixView<const int> named{.data = tensor.data(), .rows = 3, .columns = 4};
  CHECK(named.stride == 4);
  const MatrixView<const int> repeated{tensor.data(), 3, 4,
                                       0};  // a stride of 0 is one that is given
  CHECK(repeated.row(2) == tensor.data());
  const MatrixView<const int> nothing{};
  CHECK(nothing.data == nullptr);
  CHECK(nothing.rows == 0);
  CHECK(nothing.columns == 0);
  CHECK(nothing.stride == 0);
}

TEST_CASE("as_rows shows each pixel of a feature map as a row of channels", "[core][tensor]") {
  FeatureMap<int> map = counting<int>(Shape<4>{2, 3, 4, 5});
  const MatrixView<int> rows = as_rows(map.view());
  CHECK(rows.rows == 2 * 3 * 4);
  CHECK(rows.columns == 5);
  CHECK(rows.stride == 5);
  CHECK(rows(1 * 12 + 2 * 4 + 3, 4) == map(1, 2, 3, 4));
}
