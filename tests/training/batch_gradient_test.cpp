// SPDX-License-Identifier: MIT
#include <vector>

#include <pixelrnn/models/pixel_rnn.hpp>
#include <pixelrnn/nn/relu.hpp>
#include <pixelrnn/nn/residual.hpp>
#include <pixelrnn/training/batch_gradient.hpp>
#include <pixelrnn/training/evaluate.hpp>

#include "support/catch.hpp"
#include "support/models.hpp"
#include "support/training.hpp"

using namespace pixelrnn;

namespace {

/// Of images of this shape two are a part of a batch: odd batches end in a part of one.
constexpr ImageShape half_a_part{16, 24, 1};

template <class M>
struct BatchLoss {
  double nats;
  test::Snapshot<typename M::Scalar> gradient;
};

template <class M>
test::Snapshot<typename M::Scalar> named(const M& model,
                                         const Gradients<typename M::Scalar>& gradients) {
  test::Snapshot<typename M::Scalar> copy;
  for (const auto& [name, parameter] : parameters(model)) {
    copy[name] = FeatureMap<typename M::Scalar>(gradients[*parameter]);
  }
  return copy;
}

/// By the definition: the mean over the whole batch, on one tape.
template <class M>
BatchLoss<M> by_one_tape(const M& model, const Images& images, std::size_t* bytes = nullptr) {
  const auto x = test::encoded(model, images);
  Gradients gradients(model);
  Tape<typename M::Scalar> tape({.threads = 1});
  const auto loss = mean(image_nats<ExecutionOf<M>>(
      model.likelihood(), model.logits(tape.constant(x)), images.pixels()));
  tape.backward(loss, gradients);
  if (bytes != nullptr) *bytes = tape.peak_bytes();
  return {static_cast<double>(loss.value().data()[0]), named(model, gradients)};
}
template <class M>
BatchLoss<M> in_parts(const M& model, const Images& images, int threads,
                      std::size_t* bytes = nullptr) {
  BatchGradient<M> loss(model, threads);
  Gradients gradients(model);
  double nats = 0;
  for (int turn = 0; turn < 2; ++turn) {  // what the first leaves behind does not matter
    gradients.clear();
    nats = loss(images, gradients);
  }
  if (bytes != nullptr) *bytes = loss.peak_bytes();
  return {nats, named(model, gradients)};
}

/// The largest difference of two gradients beside the largest value.
template <class T>
double distance(const test::Snapshot<T>& a, const test::Snapshot<T>& b) {
  double difference = 0, largest = 0;
  for (const auto& [name, values] : a) {
    const auto& other = b.at(name);
    for (Index i = 0; i < values.size(); ++i) {
      const double v = static_cast<double>(values.data()[i]);
      difference = std::max(difference, std::abs(v - static_cast<double>(other.data()[i])));
      largest = std::max(largest, std::abs(v));
    }
  }
  REQUIRE(largest > 0);
  return difference / largest;
}

using B64 = Backend<double>;
template <class T>
PixelCNN<Bernoulli, Backend<T>> cnn() {
  return test::random_model<PixelCNN<Bernoulli, Backend<T>>>(
      {.image = half_a_part, .layers = 2, .hidden = 5, .head = 6}, 3);
}
template <class Layer>
PixelRNN<Layer, Bernoulli> recurrent() {
  return test::random_model<PixelRNN<Layer, Bernoulli>>(
      {.image = half_a_part, .layers = 2, .hidden = 5, .head = 6, .skip = true}, 3);
}

/// Takes the mean over the batch from each image: no image is apart from the others. `Promise` is
/// what it says of that.
template <bool Promise>
struct BatchNorm {
  using Scalar = double;
  static constexpr bool separates_images = Promise;
  void for_each_parameter(auto&&) {}
  [[nodiscard]] Shape<4> output_shape(Shape<4> x) const { return x; }
  [[nodiscard]] Variable<double> forward(Variable<double> x) const {
    struct Op {
      void backward(Backward<double>& ctx) const {
        less_mean(ctx.output_gradient(), ctx.input_gradient(0), true);
      }
    };
    const FeatureView<double> y = x.tape().allocate(x.shape());
    less_mean(x.value(), y, false);
    return x.tape().record("BatchNorm", y, {x}, Op{});
  }
  static void less_mean(FeatureView<const double> from, FeatureView<double> to, bool add) {
    const Index images = from.shape().n(), size = from.size() / images;
    for (Index i = 0; i < size; ++i) {
      double mean = 0;
      for (Index n = 0; n < images; ++n) mean += from[n].data()[i] / static_cast<double>(images);
      for (Index n = 0; n < images; ++n) {
        const double value = from[n].data()[i] - mean;
        double& out = to[n].data()[i];
        out = add ? out + value : value;
      }
    }
  }
};
template <bool Promise>
auto normalised() {
  Rng rng(4);
  Sequential net(
      MaskedConv2d<MaskA, B64>({.out_channels = 6, .kernel_height = 3, .kernel_width = 3}, rng),
      BatchNorm<Promise>(), ReLU<B64>(),
      MaskedConv2d<MaskB, B64>({.in_channels = 6, .out_channels = 1}, rng));
  return ImageModel<decltype(net), Bernoulli>(half_a_part, std::move(net));
}

}  // namespace

TEST_CASE("The loss and gradient of a batch in parts are those of the whole batch",
          "[training][batch_gradient]") {
  const auto check = [](auto model) {
    for (const Index count : {1, 2, 3, 7, 16, 17, 37}) {
      CAPTURE(count);
      const Images images = test::random_images(count, half_a_part, 2, 5);
      const auto whole = by_one_tape(model, images), parts = in_parts(model, images, 2);
      CHECK(std::abs(parts.nats / whole.nats - 1) < 1e-13);
      CHECK(distance(parts.gradient, whole.gradient) < 1e-12);
    }
    // The control: other images, another gradient.
    const auto one = in_parts(model, test::random_images(16, half_a_part, 2, 5), 1);
    const auto other = in_parts(model, test::random_images(16, half_a_part, 2, 6), 1);
    CHECK(distance(one.gradient, other.gradient) > 1e-3);
  };
  check(cnn<double>());
  check(recurrent<RowLSTM<LearnedState, B64>>());
  check(recurrent<DiagonalBiLSTM<LearnedState, B64>>());
  check(recurrent<DiagonalBiLSTM<PaddedScanState, B64>>());
}

TEST_CASE("A batch in parts gives the same bits for any number of threads, few parts or many",
          "[training][batch_gradient]") {
  const auto check = [](auto model) {
    for (const Index count : {1, 3, 19, 40}) {
      const Images images = test::random_images(count, model.image_shape(), 2, 5);
      const auto one = in_parts(model, images, 1);
      for (const int threads : {2, 3, 5, 8, 20}) {
        CAPTURE(count, threads);
        const auto many = in_parts(model, images, threads);
        CHECK(test::same_bits(many.nats, one.nats));
        CHECK(test::bit_difference(many.gradient, one.gradient) == "");
      }
    }
  };
  check(cnn<float>());
  check(recurrent<DiagonalBiLSTM<>>());
  check(recurrent<RowLSTM<>>());
  // Large enough for its layers to take threads, if they were not on a thread of a team already.
  const auto large = test::random_model<PixelCNN<Bernoulli>>(
      {.image = {28, 28, 1}, .layers = 1, .hidden = 16, .head = 16}, 3);
  REQUIRE(flops(large.net(), 28, 28) > worth_a_thread);
  check(large);
}

#if PIXELRNN_HAS_OPENMP
TEST_CASE("Threads that are chosen for each call change no bit, whatever is chosen",
          "[training][batch_gradient]") {
  const int before = omp_get_max_threads();
  omp_set_num_threads(5);
  const auto check = [](auto model) {
    const Images images = test::random_images(9, model.image_shape(), 2, 5);
    const auto one = in_parts(model, images, 1);
    const auto nats = evaluate(model, images, {.batch_size = 4, .threads = 1}).image_nats;
    BatchGradient loss(model, 0);
    Gradients gradients(model);
    for (const Index most : {5, 1, 3, 2, 5, 4, 1}) {
      CAPTURE(most);
      const execution::AtMost limit(most);
      gradients.clear();
      CHECK(test::same_bits(loss(images, gradients), one.nats));
      CHECK(test::bit_difference(named(model, gradients), one.gradient) == "");
      const auto same = evaluate(model, images, {.batch_size = 4}).image_nats;
      CHECK(std::equal(nats.begin(), nats.end(), same.begin(), same.end(),
                       [](Nats a, Nats b) { return test::same_bits(a.value, b.value); }));
    }
  };
  check(cnn<float>());
  check(recurrent<DiagonalBiLSTM<>>());
  check(recurrent<RowLSTM<>>());
  check(normalised<false>());  // takes the whole batch
  omp_set_num_threads(before);
}
#endif

TEST_CASE("A batch of few or large images is in parts of one, of tiny ones whole",
          "[training][batch_gradient]") {
  // What is used at once tells: the same for 8 images as for 2 in parts, four times as much if not.
  const auto bytes = [](ImageShape image, Index count) {
    const auto model =
        test::random_model<PixelCNN<>>({.image = image, .layers = 2, .hidden = 8, .head = 8}, 3);
    std::size_t used = 0;
    in_parts(model, test::random_images(count, image, 2, 5), 1, &used);
    return static_cast<double>(used);
  };
  CHECK(bytes({40, 40, 1}, 8) < 1.2 * bytes({40, 40, 1}, 2));
  CHECK(bytes({8, 8, 1}, 8) > 2 * bytes({8, 8, 1}, 2));
  CHECK(bytes({8, 8, 1}, 48) < 1.2 * bytes({8, 8, 1}, 24));
}

TEST_CASE("A batch in parts takes the memory of the images under way",
          "[training][batch_gradient]") {
  const auto model = cnn<float>();
  const Images images = test::random_images(64, model.image_shape(), 2, 5);
  std::size_t whole = 0, one = 0, two = 0;
  by_one_tape(model, images, &whole);
  in_parts(model, images, 1, &one);
  in_parts(model, images, 2, &two);
  CHECK(one < whole / 8);
  CHECK(one < two);
  CHECK(two < whole / 4);
}

TEST_CASE("A net that does not separate images takes the whole batch",
          "[training][batch_gradient]") {
  auto model = normalised<false>();
  const Images images = test::random_images(16, half_a_part, 2, 5);
  const auto whole = by_one_tape(model, images), same = in_parts(model, images, 2);
  CHECK(same.nats == Approx(whole.nats).epsilon(1e-13));
  CHECK(distance(same.gradient, whole.gradient) < 1e-13);
  // The control: one that promises what it does not keep.
  auto liar = normalised<true>();
  CHECK(distance(in_parts(liar, images, 2).gradient, whole.gradient) > 1e-3);
}

TEST_CASE("What is made of layers that separate images separates them",
          "[training][batch_gradient]") {
  using Conv = MaskedConv2d<MaskB, B64>;
  using Secret = BatchNorm<false>;
  STATIC_REQUIRE(SeparatesImages<Sequential<Conv, ReLU<B64>>>);
  STATIC_REQUIRE(SeparatesImages<Residual<Conv, DiagonalBiLSTM<LearnedState, B64>>>);
  STATIC_REQUIRE(SeparatesImages<Stack<RowLSTM<LearnedState, B64>, Conv>>);
  STATIC_REQUIRE(SeparatesImages<PixelCNN<>>);
  STATIC_REQUIRE(SeparatesImages<PixelRNN<>>);
  STATIC_REQUIRE_FALSE(SeparatesImages<Secret>);
  STATIC_REQUIRE_FALSE(SeparatesImages<Sequential<Conv, Secret, ReLU<B64>>>);
  STATIC_REQUIRE_FALSE(SeparatesImages<Residual<Secret, Conv>>);
  STATIC_REQUIRE_FALSE(SeparatesImages<Stack<Secret, Secret>>);
  STATIC_REQUIRE_FALSE(SeparatesImages<decltype(normalised<false>())>);
}

TEST_CASE("A level that is none is named by its place in the whole batch",
          "[training][batch_gradient]") {
  auto model = test::tiny_model();
  Images images = test::some_bars(16);
  images.pixels().data()[15 * 16 + 3] = 2;
  for (const int threads : {1, 2, 20}) {
    Gradients gradients(model);
    BatchGradient loss(model, threads);
    CHECK_THROWS_ERROR(loss(images, gradients), ValueError,
                       "BatchGradient: element 243 of the images is 2, expected 0 to 1");
  }
}

namespace {
/// Throws where the second pixel of an image is 1.
struct Picky {
  using Scalar = float;
  static constexpr bool separates_images = true;
  void for_each_parameter(auto&&) {}
  [[nodiscard]] Shape<4> output_shape(Shape<4> x) const { return x; }
  [[nodiscard]] Variable<float> forward(Variable<float> x) const {
    for (Index n = 0; n < x.shape().n(); ++n) {
      if (x.value()[n].data()[1] == 1) throw std::runtime_error("I do not like it");
    }
    return x;
  }
};
}  // namespace

TEST_CASE("An error in a part is the caller's, and the next batch is as if it had not been",
          "[training][batch_gradient]") {
  Rng rng(4);
  Sequential net(Picky(), MaskedConv2d<MaskA>({.kernel_height = 3, .kernel_width = 3}, rng));
  ImageModel<decltype(net), Bernoulli> model(half_a_part, std::move(net));
  Images images = test::random_images(16, half_a_part, 2, 5);
  for (Index n = 0; n < 16; ++n) images[n](0, 1, 0) = 0;
  for (const int threads : {1, 2, 20}) {
    BatchGradient loss(model, threads);
    Gradients gradients(model);
    images[9](0, 1, 0) = 1;
    CHECK_THROWS_WITH(loss(images, gradients), "I do not like it");
    images[9](0, 1, 0) = 0;
    gradients.clear();
    const auto expected = in_parts(model, images, 1);
    CHECK(loss(images, gradients) == expected.nats);
    CHECK(test::bit_difference(named(model, gradients), expected.gradient) == "");
  }
}

TEST_CASE("A batch that does not fit itself is refused", "[training][batch_gradient]") {
  const auto model = test::tiny_model();
  BatchGradient loss(model, 2);
  Gradients gradients(model);
  const Images images = test::some_bars(16);
  const std::vector<double> fewer(15, 1.0);
  for (const Batch& batch : {Batch(images, fewer), Batch(images).slice(0, 0)}) {
    CHECK_THROWS_ERROR(loss(batch, gradients), ShapeError, "BatchGradient: levels are (N=");
    CHECK_THROWS_ERROR(loss.first_non_finite(batch), ShapeError, "N >= 1");
  }
  const std::vector<int> labels(15, 1);
  CHECK_THROWS_ERROR(loss(Batch(images.pixels(), {labels, {}}), gradients), ShapeError,
                     "BatchGradient: there are 15 labels, expected 16");
}

TEST_CASE("Gradients of another model are refused, those of a part of it are not",
          "[training][batch_gradient]") {
  const auto model = test::tiny_model(), copy = model;
  BatchGradient loss(model, 1);
  Gradients of_copy(copy);
  CHECK_THROWS_ERROR(loss(test::some_bars(4), of_copy), ConfigError,
                     "BatchGradient: the gradients are for no parameter of the model");
  Gradients of_layer(model.net().layer<0>());
  CHECK(loss(test::some_bars(4), of_layer) > 0);
  CHECK(gradient_norm(of_layer) > 0);
}

TEST_CASE("Weights of either sign weigh the images of a batch, whole and in parts",
          "[training][batch_gradient]") {
  const Images images = test::random_images(11, half_a_part, 2, 5);
  std::vector<double> weights;
  for (Index n = 0; n < 11; ++n) weights.push_back(0.3 * static_cast<double>(n) - 1);
  const auto check = [&](auto model) {
    // By the definition: each image alone, and their sum.
    const auto sum_of = [&](auto weight_of) {
      double loss = 0;
      std::map<std::string, FeatureMap<double>> sum;
      for (Index n = 0; n < 11; ++n) {
        const auto one = by_one_tape(model, images.slice(n, 1));
        const double w = weight_of(n);
        loss += w * one.nats;
        for (const auto& [name, g] : one.gradient) {
          auto& to = sum.try_emplace(name, g.shape()).first->second;
          for (Index i = 0; i < g.size(); ++i) to.data()[i] += w * static_cast<double>(g.data()[i]);
        }
      }
      return std::pair(loss, sum);
    };
    const auto [loss, sum] = sum_of([&](Index n) { return weights[static_cast<std::size_t>(n)]; });
    for (const int threads : {1, 3}) {
      BatchGradient loss_of(model, threads);
      const auto found = [&](const Batch& batch) {
        Gradients gradients(model);
        const double nats = loss_of(batch, gradients);
        return std::pair(nats, named(model, gradients));
      };
      const auto weighted = found(Batch(images, weights));
      CHECK(weighted.first == Approx(loss).epsilon(1e-12));
      CHECK(distance(weighted.second, sum) < 1e-12);
      // The control: equal weights are others.
      CHECK(distance(weighted.second, sum_of([](Index) { return 1.0 / 11; }).second) > 1e-2);
      // Equal weights are the mean.
      const std::vector<double> equal(11, 1.0 / 11);
      const auto of_equal = found(Batch(images, equal)), mean = found(images);
      CHECK(of_equal.first == Approx(mean.first).epsilon(1e-12));
      CHECK(distance(of_equal.second, mean.second) < 1e-12);
    }
  };
  Rng rng(1);
  check(PixelCNN<Bernoulli, B64>({.image = half_a_part, .layers = 1, .hidden = 2, .head = 3}, rng));
  check(PixelRNN<RowLSTM<LearnedState, B64>>(
      {.image = half_a_part, .layers = 1, .hidden = 2, .head = 3}, rng));
}

TEST_CASE("A loss that is not finite says so and names its first operation",
          "[training][batch_gradient]") {
  auto model = test::tiny_model();
  const Images images = test::some_bars(16);
  BatchGradient loss(model, 2);
  Gradients gradients(model);
  CHECK(std::isfinite(loss(images, gradients)));
  CHECK(loss.first_non_finite(images) == "");
  parameters(model)[0].parameter->value().data()[0] = std::numeric_limits<float>::infinity();
  CHECK_FALSE(std::isfinite(loss(images, gradients)));
  CHECK(loss.first_non_finite(images).starts_with("MaskedConv2d (operation "));
}
