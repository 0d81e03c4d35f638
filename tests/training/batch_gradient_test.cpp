// SPDX-License-Identifier: MIT
#include <vector>

#include <pixelrnn/models/pixel_rnn.hpp>
#include <pixelrnn/nn/relu.hpp>
#include <pixelrnn/training/batch_gradient.hpp>
#include <pixelrnn/training/evaluate.hpp>

#include "support/catch.hpp"
#include "support/models.hpp"
#include "support/training.hpp"

using namespace pixelrnn;

namespace {

template <class M>
struct BatchLoss {
  double nats;
  test::Snapshot<typename M::Scalar> gradient;
};

template <class M>
test::Snapshot<typename M::Scalar> gradients(const M& model) {
  test::Snapshot<typename M::Scalar> copy;
  for (const auto& [name, parameter] : parameters(model)) {
    using View = FeatureView<const typename M::Scalar>;
    copy[name] = FeatureMap<typename M::Scalar>(View(parameter->gradient()));
  }
  return copy;
}

/// By the definition: the mean over the whole batch, on one tape.
template <class M>
BatchLoss<M> by_one_tape(M& model, const Images& images, std::size_t* bytes = nullptr) {
  const auto x = test::encoded(model, images);
  clear_gradients(model);
  Tape<typename M::Scalar> tape({.threads = 1});
  const auto loss = mean(image_nats<ExecutionOf<M>>(
      model.likelihood(), model.logits(tape.constant(x)), images.pixels()));
  tape.backward(loss);
  if (bytes != nullptr) *bytes = tape.peak_bytes();
  return {static_cast<double>(loss.value().data()[0]), gradients(model)};
}
template <class M>
BatchLoss<M> in_parts(M& model, const Images& images, int threads, std::size_t* bytes = nullptr) {
  const auto x = test::encoded(model, images);
  BatchGradient<M> gradient(model, threads);
  double nats = 0;
  for (int turn = 0; turn < 2; ++turn) {  // what the first leaves behind does not matter
    clear_gradients(model);
    nats = gradient(x, images.pixels());
  }
  if (bytes != nullptr) *bytes = gradient.peak_bytes();
  return {nats, gradients(model)};
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
template <class Layer>
PixelRNN<Layer, Bernoulli> recurrent() {
  return test::random_model<PixelRNN<Layer, Bernoulli>>(
      {.image = {5, 4, 1}, .layers = 2, .hidden = 5, .head = 6, .skip = true}, 3);
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
  return ImageModel<decltype(net), Bernoulli>({5, 4, 1}, std::move(net));
}

}  // namespace

TEST_CASE("The loss and gradient of a batch in parts are those of the whole batch",
          "[training][batch_gradient]") {
  const auto check = [](auto model) {
    for (const Index count : {1, 2, 3, 7, 8, 16, 17, 40}) {
      CAPTURE(count);
      const Images images = test::random_images(count, {5, 4, 1}, 2, 5);
      const auto whole = by_one_tape(model, images), parts = in_parts(model, images, 2);
      CHECK(std::abs(parts.nats / whole.nats - 1) < 1e-13);
      CHECK(distance(parts.gradient, whole.gradient) < 1e-12);
    }
    // The control: other images, another gradient.
    const auto one = in_parts(model, test::random_images(16, {5, 4, 1}, 2, 5), 1);
    const auto other = in_parts(model, test::random_images(16, {5, 4, 1}, 2, 6), 1);
    CHECK(distance(one.gradient, other.gradient) > 1e-3);
  };
  check(test::random_model<PixelCNN<Bernoulli, B64>>(
      {.image = {5, 4, 1}, .layers = 2, .hidden = 5, .head = 6}, 3));
  check(recurrent<RowLSTM<LearnedState, B64>>());
  check(recurrent<DiagonalBiLSTM<LearnedState, B64>>());
  check(recurrent<DiagonalBiLSTM<PaddedScanState, B64>>());
}

TEST_CASE("A batch in parts gives the same bits for any number of threads, few parts or many",
          "[training][batch_gradient]") {
  const auto check = [](auto model) {
    for (const Index count : {1, 3, 9, 40}) {
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
  check(test::tiny_model(1, 5));
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
    const auto x = test::encoded(model, images);
    const auto one = in_parts(model, images, 1);
    const auto nats = evaluate(model, images, {.batch_size = 4, .threads = 1}).image_nats;
    BatchGradient gradient(model, 0);
    for (const Index most : {5, 1, 3, 2, 5, 4, 1}) {
      CAPTURE(most);
      const execution::AtMost limit(most);
      clear_gradients(model);
      CHECK(test::same_bits(gradient(x, images.pixels()), one.nats));
      CHECK(test::bit_difference(gradients(model), one.gradient) == "");
      const auto same = evaluate(model, images, {.batch_size = 4}).image_nats;
      CHECK(std::equal(nats.begin(), nats.end(), same.begin(), same.end(),
                       [](Nats a, Nats b) { return test::same_bits(a.value, b.value); }));
    }
  };
  check(test::tiny_model(1, 5));
  check(recurrent<DiagonalBiLSTM<>>());
  check(recurrent<RowLSTM<>>());
  check(normalised<false>());  // takes the whole batch
  omp_set_num_threads(before);
}
#endif

TEST_CASE("A batch in parts takes the memory of the images under way",
          "[training][batch_gradient]") {
  auto model = test::tiny_model(1, 16);
  const Images images = test::random_images(32, model.image_shape(), 2, 5);
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
  const Images images = test::random_images(16, {5, 4, 1}, 2, 5);
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
  const FeatureMap<float> x({16, 4, 4, 1});
  for (const int threads : {1, 2, 20}) {
    BatchGradient<test::TinyModel> gradient(model, threads);
    CHECK_THROWS_ERROR(gradient(x, images.pixels()), ValueError,
                       "BatchGradient: element 243 of the images is 2, expected 0 to 1");
  }
}

namespace {
/// Throws where the second pixel of an image is 7.
struct Picky {
  using Scalar = float;
  static constexpr bool separates_images = true;
  void for_each_parameter(auto&&) {}
  [[nodiscard]] Shape<4> output_shape(Shape<4> x) const { return x; }
  [[nodiscard]] Variable<float> forward(Variable<float> x) const {
    for (Index n = 0; n < x.shape().n(); ++n) {
      if (x.value()[n].data()[1] == 7) throw std::runtime_error("I do not like it");
    }
    return x;
  }
};
}  // namespace

TEST_CASE("An error in a part is the caller's, and gradients go to their parameters again",
          "[training][batch_gradient]") {
  Rng rng(4);
  Sequential net(Picky(), MaskedConv2d<MaskA>({.kernel_height = 3, .kernel_width = 3}, rng));
  ImageModel<decltype(net), Bernoulli> model({4, 4, 1}, std::move(net));
  const Images images = test::some_bars(16);
  FeatureMap<float> x = test::encoded(model, images);
  for (const int threads : {1, 2, 20}) {
    BatchGradient gradient(model, threads);
    x.data()[9 * 16 + 1] = 7;
    CHECK_THROWS_WITH(gradient(x, images.pixels()), "I do not like it");
    x.data()[9 * 16 + 1] = 0;
    // Were the room still in use, this thread would write to that and clear another.
    const auto* parameter = parameters(model)[0].parameter;
    parameter->gradient().data()[0] = 5;
    clear_gradients(model);
    CHECK(parameter->gradient().data()[0] == 0);
    CHECK(gradient(x, images.pixels()) > 0);
    CHECK(gradient_norm(parameters(model)) > 0);
  }
}

TEST_CASE("A batch that does not fit itself or the net is refused", "[training][batch_gradient]") {
  auto model = test::tiny_model();
  BatchGradient<test::TinyModel> gradient(model, 2);
  const Images images = test::some_bars(16);
  const FeatureMap<float> fewer({15, 4, 4, 1}), wider({16, 4, 5, 1});
  for (const auto* x : {&fewer, &wider}) {
    CHECK_THROWS_ERROR(gradient(*x, images.pixels()), ShapeError, "BatchGradient: x is (N=1");
    CHECK_THROWS_ERROR(gradient.first_non_finite(*x, images.pixels()), ShapeError, "N >= 1");
  }
  const FeatureMap<float> none({0, 4, 4, 1});
  CHECK_THROWS_ERROR(gradient(none, images.pixels().slice(0, 0)), ShapeError, "N >= 1");
}

TEST_CASE("A loss that is not finite says so and names its first operation",
          "[training][batch_gradient]") {
  auto model = test::tiny_model();
  const Images images = test::some_bars(16);
  FeatureMap<float> x = test::encoded(model, images);
  BatchGradient<test::TinyModel> gradient(model, 2);
  CHECK(std::isfinite(gradient(x, images.pixels())));
  CHECK(gradient.first_non_finite(x, images.pixels()) == "");
  x.data()[x.size() - 16] = std::numeric_limits<float>::infinity();  // in the last image
  CHECK_FALSE(std::isfinite(gradient(x, images.pixels())));
  CHECK(gradient.first_non_finite(x, images.pixels()).starts_with("constant (operation 0)"));
}
