// SPDX-License-Identifier: MIT
#include <cstddef>
#include <vector>

#include <pixelrnn/models/pixel_rnn.hpp>

#include "support/allocations.hpp"
#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/training.hpp"

using namespace pixelrnn;

namespace {

/// The heap allocations of each of 12 steps on one thread, over four epochs of 10 images whose last
/// batch is partial; what happens between two epochs counts to the step after.
template <class M, class Rule>
std::vector<std::size_t> allocations_of_steps(M& model, Rule rule) {
  const Images data = test::some_bars(10);
  std::vector<std::size_t> found;
  found.reserve(100);
  Trainer trainer(model, rule, {.threads = 1, .clip_norm = 0.1, .average_decay = 0.9});
  std::size_t before = test::allocation_count();
  trainer.fit(data, {.epochs = 4, .batch_size = 4, .on_step = [&](const StepReport&) {
                       found.push_back(test::allocation_count() - before);
                       before = test::allocation_count();
                       return true;
                     }});
  return found;
}

/// The first epoch makes room for both batch sizes, and then there is enough.
void check(const std::vector<std::size_t>& allocations) {
  REQUIRE(allocations.size() == 12);
  CHECK(allocations[0] > 0);  // the control: there is something to count
  for (std::size_t step = 4; step < 12; ++step) {
    CAPTURE(step);
    CHECK(allocations[step] == 0);
  }
}

}  // namespace

TEST_CASE("After the first steps a training step of a PixelCNN allocates nothing",
          "[training][allocation]") {
  auto model = test::tiny_model();
  check(allocations_of_steps(model, Adam{}));
  auto other = test::tiny_model();
  check(allocations_of_steps(other, RMSProp{}));
}

TEMPLATE_TEST_CASE("After the first steps a training step of a PixelRNN allocates nothing",
                   "[training][allocation]", DiagonalBiLSTM<>,
                   (RowLSTM<LearnedState, test::FloatPairBackend>)) {
  Rng rng(1);
  PixelRNN<TestType> model({.image = {4, 4, 1}, .layers = 2, .hidden = 4, .head = 4, .skip = true},
                           rng);
  check(allocations_of_steps(model, Adam{}));
}
