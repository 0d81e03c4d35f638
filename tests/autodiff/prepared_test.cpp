// SPDX-License-Identifier: MIT
#include <pixelrnn/autodiff/prepared.hpp>
#include <pixelrnn/autodiff/tape.hpp>

#include "support/catch.hpp"

using namespace pixelrnn;

namespace {

struct Numbers {
  const int* data;
};
/// Makes numbers in a workspace and counts how often.
struct Maker {
  int made = 0;
  Numbers operator()(Workspace& room) {
    int* const data = room.allocate<int>(1);
    *data = ++made;
    return {data};
  }
};

}  // namespace

TEST_CASE("What was prepared for an owner is made once until it is cleared",
          "[autodiff][prepared]") {
  detail::Prepared prepared;
  Maker maker;
  const int a = 0, b = 0;
  const Numbers first = prepared.get<Numbers>(&a, maker);
  CHECK(*prepared.get<Numbers>(&b, maker).data == 2);
  CHECK(prepared.get<Numbers>(&a, maker).data == first.data);
  CHECK(*first.data == 1);
  CHECK(prepared.get<int>(&a, [](Workspace&) { return 7; }) == 7);  // another type
  CHECK(*prepared.get<Numbers>(&a, maker).data == 1);
  CHECK(prepared.peak_bytes() > 0);
  prepared.clear();
  CHECK(*prepared.get<Numbers>(&a, maker).data == 3);
}

TEST_CASE("Worker tapes keep what is prepared until the next pass, other tapes nothing",
          "[autodiff][prepared]") {
  Tape<float> tape({.record = false});
  Maker maker;
  const int owner = 0;
  const auto prepare = [&](Tape<float>& at) { return *at.prepare<Numbers>(&owner, maker).data; };
  CHECK(prepare(tape) == 1);
  CHECK(prepare(tape) == 2);
  Tape<float>& worker = *tape.worker_tapes(2)[1];
  CHECK(prepare(worker) == 3);
  worker.reset();
  CHECK(prepare(worker) == 3);
  CHECK(prepare(*tape.worker_tapes(2)[1]) == 4);
}
