// SPDX-License-Identifier: MIT
// Mixtures of models: several orders of pixels, averaged.
#include <pixelrnn/training/mixture.hpp>

#include <cmath>
#include <limits>
#include <vector>

#include <pixelrnn/models/pixel_cnn.hpp>
#include <pixelrnn/models/pixel_rnn.hpp>
#include <pixelrnn/verify/chi_square.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/models.hpp"

using namespace pixelrnn;

namespace {

using Mixed = PixelCNN<Bernoulli, Backend<double>>;

Mixture<Mixed> three_orders(std::vector<double> weights = {}, Index classes = 0) {
  const Orientation orders[] = {{}, {.by_columns = true}, {.from_below = true, .from_right = true}};
  Mixture<Mixed> mixture{{}, std::move(weights)};
  std::uint64_t seed = 1;
  for (const Orientation& order : orders) {
    mixture.models.push_back(test::random_model<Mixed>({.image = {2, 3, 1},
                                                        .layers = 1,
                                                        .hidden = 4,
                                                        .head = 4,
                                                        .condition = {.classes = classes},
                                                        .orientation = order},
                                                       seed++, 1.5));
  }
  return mixture;
}

}  // namespace

TEST_CASE("A mixture is the weighted mean of probabilities, which sum to 1",
          "[training][mixture]") {
  const Images all = test::all_images({2, 3, 1}, 2);
  for (const std::vector<double>& weights :
       {std::vector<double>{}, {1, 2, 5}, {0, 1, 0}, {0.2, 0.8, 0}}) {
    const auto mixture = three_orders(weights);
    double sum = 0;
    for (const double w : weights) sum += w;
    const Evaluation found = evaluate(mixture, all);
    double total = 0;
    for (Index n = 0; n < all.count(); ++n) {
      double p = 0;
      for (std::size_t k = 0; k < 3; ++k) {
        const double w = weights.empty() ? 1.0 / 3 : weights[k] / sum;
        p += w * std::exp(-evaluate(mixture.models[k], all.slice(n, 1)).nats_per_image());
      }
      const double nats = found.image_nats[static_cast<std::size_t>(n)].value;
      CHECK(nats == Approx(-std::log(p)).epsilon(1e-12));
      total += std::exp(-nats);
    }
    CHECK(total == Approx(1).epsilon(1e-12));
  }
  // Never worse than the mean of its parts.
  const auto mixture = three_orders();
  double mean = 0;
  for (const Mixed& model : mixture.models) mean += evaluate(model, all).nats_per_image() / 3;
  CHECK(evaluate(mixture, all).nats_per_image() < mean);
}

TEST_CASE("Probabilities too small to be numbers are mixed all the same", "[training][mixture]") {
  const double infinity = std::numeric_limits<double>::infinity();
  const std::vector<Evaluation> parts{{{{2000}, {3000}, {infinity}, {infinity}}, {1, 1, 1}, "none"},
                                      {{{2001}, {2900}, {5}, {infinity}}, {1, 1, 1}, "none"}};
  const Evaluation found = mixed(parts);
  CHECK(found.image_nats[0].value == Approx(2000 - std::log((1 + std::exp(-1.0)) / 2)));
  CHECK(found.image_nats[1].value == Approx(2900 + std::log(2.0)));
  CHECK(found.image_nats[2].value == Approx(5 + std::log(2.0)));
  CHECK(found.image_nats[3].value == infinity);
  // What has no weight says nothing, however much more likely it finds an image.
  const std::vector<double> first{1, 0};
  CHECK(mixed(parts, first).image_nats[1].value == 3000);
  CHECK(mixed(parts, first).image_nats[2].value == infinity);
}

TEST_CASE("A mixture draws whole images from its models, by its probabilities",
          "[training][mixture]") {
  const auto mixture = three_orders({1, 3, 2});
  const Index draws = 20000;
  const SampleOptions how{.seed = 5, .threads = 2};
  const Images drawn = sample(mixture, draws, how);
  std::vector<std::size_t> counts(64);
  for (Index n = 0; n < draws; ++n) ++counts[test::number_of(drawn[n], 2)];
  std::vector<double> p;
  for (const Nats nats : evaluate(mixture, test::all_images({2, 3, 1}, 2)).image_nats) {
    p.push_back(std::exp(-nats.value));
  }
  CHECK(detail::chi_square(counts, p).p_value >= 1e-4);
  // The control: one of the models alone draws something else.
  std::vector<std::size_t> of_one(64);
  const Images others = sample(mixture.models[0], draws, how);
  for (Index n = 0; n < draws; ++n) ++of_one[test::number_of(others[n], 2)];
  CHECK(detail::chi_square(of_one, p).p_value < 1e-4);

  // Bits: image i is image i of the model that its number gives it.
  std::vector<Index> chosen(3);
  for (Index n = 0; n < 60; ++n) {
    const auto number = static_cast<std::uint64_t>(n);
    const std::size_t k = model_of_image(mixture.weights, 5, number);
    ++chosen[k];
    CHECK(test::difference(drawn.slice(n, 1),
                           sample(mixture.models[k], 1, {.seed = 5, .first = number})) == "");
  }
  for (const Index times : chosen) CHECK(times > 3);
  CHECK(test::difference(sample(mixture, 7, {.seed = 5, .first = 20}), drawn.slice(20, 7)) == "");
  const std::vector<Index> some{9, 3, 40};
  CHECK(test::difference(sample(mixture, 3, {.seed = 5, .numbers = {9, 3, 40}}),
                         drawn.select(some)) == "");
}

TEST_CASE("Models of a mixture are told the same", "[training][mixture]") {
  const auto mixture = three_orders({}, 2);
  const std::vector<double> equal{1, 1, 1};
  const Conditions told{.labels = {1, 0, 1, 1}};
  const Images drawn = sample(mixture, 4, {.seed = 3, .conditions = told});
  CHECK(drawn.labels() == told.labels);
  for (Index n = 0; n < 4; ++n) {
    const auto number = static_cast<std::uint64_t>(n);
    const Mixed& model = mixture.models[model_of_image(equal, 3, number)];
    const Conditions own{.labels = {told.labels[static_cast<std::size_t>(n)]}};
    CHECK(test::difference(drawn.slice(n, 1),
                           sample(model, 1, {.seed = 3, .first = number, .conditions = own})) ==
          "");
  }
  CHECK(std::isfinite(evaluate(mixture, drawn).nats_per_image()));
}

TEST_CASE("What is no mixture is refused", "[training][mixture]") {
  const Images all = test::all_images({2, 3, 1}, 2);
  CHECK_THROWS_ERROR(evaluate(Mixture<Mixed>{}, all), ConfigError, "Mixture: there is no model");
  CHECK_THROWS_ERROR(sample(Mixture<Mixed>{}, 1), ConfigError, "Mixture: there is no model");
  CHECK_THROWS_ERROR(evaluate(three_orders({1, 2}), all), ConfigError,
                     "Mixture: there are 2 weights whose sum is 3, for 3 models");
  CHECK_THROWS_ERROR(sample(three_orders({1, -1, 3}), 1), ConfigError, "expected none, or one of");
  CHECK_THROWS_ERROR(sample(three_orders({0, 0, 0}), 1), ConfigError, "whose sum is 0");
  CHECK_THROWS_ERROR(sample(three_orders(), 2, {.numbers = {1}}), ConfigError,
                     "there are 1 SampleOptions::numbers for 2 images");
  const std::vector<Evaluation> unlike{{{{1}}, {1, 1, 1}, "none"}, {{{1}}, {1, 2, 1}, "none"}};
  CHECK_THROWS_ERROR(mixed(unlike), ShapeError, "mixed: parts are of 1 images 1x1x1 and of 1");
}
