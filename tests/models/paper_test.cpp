// SPDX-License-Identifier: MIT
// The paper's models: how many weights they have, counted by hand.
#include <pixelrnn/models/paper.hpp>
#include <pixelrnn/nn/row_lstm/row_lstm.hpp>
#include <pixelrnn/nn/spatial_lstm/spatial_lstm.hpp>
#include <pixelrnn/verify/samples.hpp>
#include <pixelrnn/verify/verify.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/model_proofs.hpp"

using namespace pixelrnn;

namespace {

/// Pairs of channels of n in and m out that a mask lets through at the pixel itself, counted one
/// by one.
Index paper_pairs(Index n, Index m, Index colours, bool own) {
  Index count = 0;
  for (Index i = 0; i < n; ++i) {
    for (Index o = 0; o < m; ++o) {
      const Index from = colours * i / n, to = colours * o / m;
      count += from < to || (own && from == to) ? 1 : 0;
    }
  }
  return count;
}
/// A convolution with `past` taps before the pixel.
Index paper_conv(Index past, Index in, Index out, Index colours, bool own = true) {
  return past * in * out + paper_pairs(in, out, colours, own) + out;
}
/// What all models have but the blocks: 7×7 mask A, two 1×1, the logits.
Index paper_frame(Index c, Index h, Index head, Index logits) {
  return paper_conv(24, c, 2 * h, c, false) + paper_conv(0, 2 * h, head, c) +
         paper_conv(0, head, head, c) + paper_conv(0, head, logits, c);
}
/// Four gates of h units from C maps with `past` taps before the pixel, and from `state` taps of h.
Index paper_lstm(Index past, Index state, Index in, Index h, Index c) {
  return 4 * (past * in * h + paper_pairs(in, h, c, true) + state * h * h + h) + 2 * h;
}
Index paper_up(Index h, Index c) { return paper_conv(0, h, 2 * h, c); }

template <class M>
Index paper_count(const typename M::Config& config, int levels = 2) {
  Rng rng(1);
  return parameter_count(M(config, rng, typename M::Likelihood(levels)));
}
struct TwoLevels : Bernoulli {
  explicit TwoLevels(int = 2) {}
};
using PaperCNN = PixelCNN<TwoLevels>;
using PaperRow = PixelRNN<RowLSTM<>, TwoLevels>;
using PaperDiagonal = PixelRNN<DiagonalBiLSTM<>, TwoLevels>;
using PaperColourCNN = PixelCNN<Categorical>;
using PaperColourRow = PixelRNN<RowLSTM<>, Categorical>;
using PaperColourDiagonal = PixelRNN<DiagonalBiLSTM<>, Categorical>;

}  // namespace

TEST_CASE("The paper's models for MNIST have the weights that are counted by hand",
          "[models][paper]") {
  const Index frame = paper_frame(1, 16, 32, 1);
  const Index block = paper_conv(0, 32, 16, 1) + paper_conv(4, 16, 16, 1) + paper_up(16, 1);
  CHECK(paper_count<PaperCNN>(paper::mnist<PaperCNN>()) == frame + 7 * block);
  CHECK(paper_count<PaperRow>(paper::mnist<PaperRow>()) ==
        frame + 7 * (paper_lstm(1, 3, 32, 16, 1) + paper_up(16, 1)));
  CHECK(paper_count<PaperDiagonal>(paper::mnist<PaperDiagonal>()) ==
        frame + 7 * (2 * paper_lstm(0, 2, 32, 16, 1) + paper_up(16, 1)));
}

TEST_CASE("The paper's models for CIFAR-10 and ImageNet have the weights that are counted by hand",
          "[models][paper]") {
  const Index frame = paper_frame(3, 128, 1024, 768);
  const Index block = paper_conv(0, 256, 128, 3) + paper_conv(4, 128, 128, 3) + paper_up(128, 3);
  CHECK(paper_count<PaperColourCNN>(paper::cifar10<PaperColourCNN>(), 256) == frame + 15 * block);
  CHECK(paper_count<PaperColourRow>(paper::cifar10<PaperColourRow>(), 256) ==
        frame + 12 * (paper_lstm(1, 3, 256, 128, 3) + paper_up(128, 3)));
  CHECK(paper_count<PaperColourDiagonal>(paper::cifar10<PaperColourDiagonal>(), 256) ==
        frame + 12 * (2 * paper_lstm(0, 2, 256, 128, 3) + paper_up(128, 3)));
  CHECK(paper_count<PaperColourRow>(paper::imagenet32<PaperColourRow>(), 256) ==
        paper_frame(3, 384, 1024, 768) + 12 * (paper_lstm(1, 3, 768, 384, 3) + paper_up(384, 3)));
  const auto large = paper::imagenet64<PaperColourRow>();
  CHECK((large.layers == 4 && large.hidden == 512 && !large.residual && !large.skip));
  CHECK(paper::imagenet64<PaperColourCNN>().image == ImageShape{64, 64, 3});
}

TEST_CASE("Residual and skip connections, each with and without, are four models",
          "[models][paper]") {
  using Row = PixelRNN<RowLSTM<LearnedState, test::ReferenceBackend>>;
  std::vector<double> logits;
  for (const bool residual : {false, true}) {
    for (const bool skip : {false, true}) {
      CAPTURE(residual, skip);
      auto model = test::random_model<Row>({.image = {3, 3, 1},
                                            .layers = 2,
                                            .hidden = 3,
                                            .head = 4,
                                            .skip = skip,
                                            .residual = residual},
                                           5);
      CHECK(verify_normalisation(model).where == "");
      CHECK(verify_causality(model).where == "");
      CHECK(verify_samplers(model).where == "");
      const GradcheckReport report = test::check_gradients(model);
      INFO(report.where);
      CHECK(report);
      const auto x = test::encoded(model, test::random_images(1, {3, 3, 1}, 2, 3));
      logits.push_back(test::logits_of(model, x).data()[8]);
      const auto again = Row::made_of(ModelWords("test", model.describe()), 1 << 20);
      REQUIRE(again.has_value());
      CHECK(again->describe() == model.describe());
    }
  }
  for (std::size_t i = 0; i < logits.size(); ++i) {
    CHECK(std::count(logits.begin(), logits.end(), logits[i]) == 1);
  }
}
