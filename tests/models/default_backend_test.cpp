// SPDX-License-Identifier: MIT
// The models as users get them, in float with the default kernels, against the same models in
// double with the reference kernels, which the other files of this folder prove right.
#include <pixelrnn/likelihood/categorical.hpp>
#include <pixelrnn/models/pixel_cnn.hpp>
#include <pixelrnn/models/pixel_rnn.hpp>
#include <pixelrnn/verify/samples.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/model_proofs.hpp"

using namespace pixelrnn;

namespace {

/// A family of models: as users get it, and in double with the reference kernels.
template <class L>
struct CNN {
  using Single = PixelCNN<L>;
  using Exact = PixelCNN<L, test::ReferenceBackend>;
};
template <class L>
struct Row {
  using Single = PixelRNN<RowLSTM<>, L>;
  using Exact = PixelRNN<RowLSTM<LearnedState, test::ReferenceBackend>, L>;
};
template <class L>
struct Diagonal {
  using Single = PixelRNN<DiagonalBiLSTM<>, L>;
  using Exact = PixelRNN<DiagonalBiLSTM<LearnedState, test::ReferenceBackend>, L>;
};

constexpr double bound = 0.3;  // of the weights: small enough for logits of moderate size

}  // namespace

TEMPLATE_TEST_CASE("Default models give the logits of the same models in double",
                   "[models][default]", CNN<Bernoulli>, Row<Bernoulli>,
                   Diagonal<test::Softmax<3>>) {
  using Single = typename TestType::Single;
  using Exact = typename TestType::Exact;
  using L = typename Single::Likelihood;
  for (const Index hidden : {Index{3}, Index{16}, Index{20}}) {
    typename Single::Config config;
    config.image = {5, 4, L().levels() == 2 ? 1 : 3};
    config.layers = 2;
    config.hidden = hidden;
    config.head = 9;
    config.skip = true;
    CAPTURE(hidden);
    const auto single = test::random_model<Single>(config, 9, bound);
    const auto exact = test::random_model<Exact>(config, 9, bound);
    const auto other = test::random_model<Exact>(config, 10, bound);
    const Images images = test::random_images(3, config.image, L().levels(), 3);
    const auto y = test::logits_of(single, test::encoded(single, images));
    const auto x = test::encoded(exact, images);
    CHECK(test::difference(y, test::logits_of(exact, x), 1e-4, 1e-5) == "");
    CHECK(test::difference(y, test::logits_of(other, x), 1e-4, 1e-5) != "");
  }
}

TEMPLATE_TEST_CASE("Gradients in float point where the loss in double rises", "[models][default]",
                   CNN<Bernoulli>, Row<Bernoulli>, Diagonal<test::Softmax<3>>) {
  using Single = typename TestType::Single;
  using Exact = typename TestType::Exact;
  typename Single::Config config;
  config.image = {5, 4, typename Single::Likelihood().levels() == 2 ? 1 : 3};
  config.layers = 2;
  config.hidden = 6;
  config.head = 8;
  auto single = test::random_model<Single>(config, 9, bound);
  auto exact = test::random_model<Exact>(config, 9, bound);
  CHECK(test::directional_error(single, exact) < 1e-3);
}

TEMPLATE_TEST_CASE("Logits and samples depend neither on the batch nor on threads, to the bit",
                   "[models][default]", CNN<Bernoulli>, Row<Bernoulli>,
                   Diagonal<test::Softmax<3>>) {
  using Single = typename TestType::Single;
  typename Single::Config config;
  config.image = {5, 4, typename Single::Likelihood().levels() == 2 ? 1 : 3};
  config.layers = 2;
  config.hidden = 6;
  config.head = 8;
  config.skip = true;
  const auto model = test::random_model<Single>(config, 10, bound);
  CHECK(verify_determinism(model).where == "");
}

TEMPLATE_TEST_CASE("Probabilities in float sum to 1", "[models][default]", CNN<Bernoulli>,
                   Row<Bernoulli>, Diagonal<test::Softmax<3>>) {
  using Single = typename TestType::Single;
  typename Single::Config config;
  config.image =
      typename Single::Likelihood().levels() == 2 ? ImageShape{3, 3, 1} : ImageShape{1, 2, 3};
  config.layers = 2;
  config.hidden = 5;
  config.head = 8;
  const auto model = test::random_model<Single>(config, 11, bound);
  CHECK(test::total_probability(model) == Approx(1).epsilon(1e-5));
}
