// SPDX-License-Identifier: MIT
#include <cstddef>
#include <vector>

#include <pixelrnn/likelihood/categorical.hpp>
#include <pixelrnn/models/pixel_cnn.hpp>
#include <pixelrnn/models/pixel_rnn.hpp>
#include <pixelrnn/sampling/sample.hpp>

#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/models.hpp"

using namespace pixelrnn;

namespace {

/// Draws like Multinomial and notes how many heap allocations there were before each draw.
struct CountingRule {
  std::vector<std::size_t>* counts;
  void check() const {}
  template <class P>
  [[nodiscard]] int draw(const P& p, double u, const DrawSite& site) const {
    counts->push_back(test::allocation_count());
    return Multinomial{}.draw(p, u, site);
  }
};

/// The allocation counts at each of the 3 · 6 · 5 · C draws of a call, after that at its begin.
template <class Sampler, class M>
std::vector<std::size_t> counts_of_draws(const M& model) {
  std::vector<std::size_t> counts;
  counts.reserve(1000);
  counts.push_back(test::allocation_count());
  static_cast<void>(sample(model, 3, {.threads = 1}, CountingRule{&counts}, Sampler{}));
  return counts;
}

template <class M>
void check(const M& model) {
  const ImageShape image = model.image_shape();
  const auto draws = static_cast<std::size_t>(3 * image.height * image.width * image.channels);
  const auto cached = counts_of_draws<Cached>(model);
  REQUIRE(cached.size() == draws + 1);
  CHECK(cached[1] > cached[0]);  // the control: there is something to count
  CHECK(cached.back() == cached[1]);

  const auto full = counts_of_draws<FullForward>(model);
  REQUIRE(full.size() == draws + 1);
  CHECK(full[1] > full[0]);
  CHECK(full.back() == full[draws / 2]);  // by then its tape has room for a pass
}

}  // namespace

TEST_CASE("Once it draws, a sampler allocates nothing", "[sampling][allocation]") {
  Rng rng(1);
  SECTION("PixelCNN") {
    check(
        PixelCNN<test::Softmax<4>>({.image = {6, 5, 3}, .layers = 2, .hidden = 6, .head = 6}, rng));
  }
  SECTION("Row LSTM") {
    check(PixelRNN<RowLSTM<>>({.image = {6, 5, 1}, .layers = 2, .hidden = 4, .head = 4}, rng));
  }
  SECTION("Diagonal BiLSTM") {
    check(PixelRNN<DiagonalBiLSTM<>>(
        {.image = {6, 5, 1}, .layers = 2, .hidden = 4, .head = 4, .skip = true}, rng));
  }
}
