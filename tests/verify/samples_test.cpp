// SPDX-License-Identifier: MIT
#include <map>
#include <string>

#include <pixelrnn/likelihood/bernoulli.hpp>
#include <pixelrnn/likelihood/categorical.hpp>
#include <pixelrnn/nn/convolution/masked_conv2d.hpp>
#include <pixelrnn/nn/sequential.hpp>
#include <pixelrnn/verify/samples.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/models.hpp"

using namespace pixelrnn;

namespace {

enum class Fault { none, sign, neighbour, threads, recorded_threads };

/// z_i = x_(i-1) of the image; by a fault something else too. A model without a net.
template <Fault fault, class L = Bernoulli>
struct Toy {
  using Scalar = double;
  using Likelihood = L;
  [[nodiscard]] static Likelihood likelihood() { return {}; }
  [[nodiscard]] ImageShape image_shape() const { return {2, 3, 1}; }
  [[nodiscard]] double encode(int level) const { return level - 0.5; }
  [[nodiscard]] Variable<double> logits(Variable<double> x) const {
    const Tape<double>& tape = x.tape();
    const FeatureView<double> z = x.tape().allocate(x.shape());
    for (Index n = 0; n < x.shape().n(); ++n) {
      double* const out = z[n].data();
      out[0] = 0;
      std::copy_n(x.value()[n].data(), 5, out + 1);
      // The first image of the batch, or how many threads there are.
      if (fault == Fault::neighbour) out[5] += x.value()[0].data()[0];
      if (fault == Fault::threads) out[5] += tape.threads();
      if (fault == Fault::recorded_threads && tape.records()) out[5] += tape.threads();
    }
    return x.tape().constant(z);
  }
  [[nodiscard]] std::map<std::string, std::string> describe() const { return {}; }
  void for_each_parameter(auto&&) {}
};

/// y = x as a layer, whose step has the fault.
template <Fault fault>
struct Stepped {
  using Scalar = double;
  [[nodiscard]] Variable<double> forward(Variable<double> x) const { return x; }
  [[nodiscard]] Shape<4> output_shape(Shape<4> x) const { return x; }
  void for_each_parameter(auto&&) {}
  struct Cache {};
  [[nodiscard]] Cache make_cache(Walk) const { return {}; }
  void step(Cache&, Index, Index, MatrixView<const double> x, MatrixView<double> y) const {
    for (Index b = 0; b < x.rows; ++b) {
      for (Index c = 0; c < x.columns; ++c) {
        y(b, c) = fault == Fault::sign ? -x(b, c) : x(b, c);
        if (fault == Fault::neighbour) y(b, c) += 4 * x(x.rows - 1, c);
      }
    }
  }
  void end_row(Cache&, Index) const {}
};
template <Fault fault, class L = Bernoulli>
auto stepped_model(ImageShape image = {4, 5, 1}) {
  using Conv = MaskedConv2d<MaskA, test::ReferenceBackend>;
  Rng rng(1);
  Conv conv({.in_channels = image.channels,
             .out_channels = image.channels * L().outputs(1),
             .kernel_height = 3,
             .kernel_width = 3,
             .colours = image.channels},
            rng);
  using Net = Sequential<Conv, Stepped<fault>>;
  ImageModel<Net, L> model(image, Net(std::move(conv), Stepped<fault>{}));
  test::randomise(model, 3, 1);
  return model;
}

/// Samplers that are wrong in one thing.
template <Fault fault>
struct WrongSampler {
  static void fill(const auto& model, Images& canvas, const auto& keep, const auto& rule,
                   SampleOptions options, std::span<double> log_p) {
    if (fault == Fault::threads) options.seed += static_cast<std::uint64_t>(options.threads);
    if (fault == Fault::neighbour) options.first = 0;  // numbered within each call
    FullForward::fill(model, canvas, keep, rule, options, log_p);
  }
};
struct HotSampler {
  static void fill(const auto& model, Images& canvas, const auto& keep, const auto&,
                   const SampleOptions& options, std::span<double> log_p) {
    FullForward::fill(model, canvas, keep, Temperature{1.3}, options, log_p);
  }
};
/// A Bernoulli that is drawn from with other probabilities than it is trained with.
struct TwoFaced : Bernoulli {
  template <class T>
  static Bernoulli::Conditional<T> conditional(const T* logits, std::span<const Images::Level>,
                                               Index channel, std::vector<double>&) {
    return Bernoulli::Conditional<T>(logits[channel] + T(0.2));
  }
};

bool says(const VerifyReport& report, const char* text) {
  UNSCOPED_INFO(report.where);
  return !report.passed && report.where.find(text) == 0;
}

}  // namespace

TEST_CASE("Samplers that draw the same images pass", "[verify][samples]") {
  const auto grey = stepped_model<Fault::none>();
  const VerifyReport report = verify_samplers(grey);
  CHECK(report);
  CHECK(report.where == "");
  CHECK(report.checked == 4 * 4 * 20);
  CHECK(verify_samplers(grey, {.threads = 2}, 70).checked == 4 * 70 * 20);
  CHECK(verify_samplers(stepped_model<Fault::none, test::Softmax<3>>({3, 2, 3})).where == "");
}

TEST_CASE("A step that is not its forward is found by every rule and at few positions",
          "[verify][samples]") {
  const auto wrong = stepped_model<Fault::sign>();
  CHECK(says(verify_samplers(wrong), "Cached and FullForward draw different levels at (row "));
  CHECK_FALSE(verify_samplers(wrong, {.positions = 2}));
  CHECK_FALSE(verify_samplers(wrong, KeepRows{3}, Multinomial{}));
  CHECK_FALSE(verify_samplers(wrong, KeepAlternate{}, Argmax{}));
  CHECK(verify_samplers(wrong, KeepRows{4}, Multinomial{}));  // everything is kept
}

TEST_CASE("Drawn positions are spread, and the last pixel is one of them", "[verify][samples]") {
  const auto drawn = [](Index positions) {
    std::string picture;
    for (const unsigned char v : detail::keep_all_but(positions, {2, 5, 3}).mask) {
      picture += v != 0 ? '.' : '#';
    }
    return picture;
  };
  CHECK(drawn(0) == "##########");
  CHECK(drawn(1) == ".........#");
  CHECK(drawn(3) == "..#..#...#");
  CHECK(drawn(10) == "##########");
  CHECK(drawn(99) == "##########");
}

TEST_CASE("Models whose images are their own pass", "[verify][samples]") {
  const VerifyReport report = verify_determinism(Toy<Fault::none>{});
  CHECK(report);
  CHECK(report.where == "");
  // Logits of three batches of 1, 2 and 8 images and of all; drawn by 3 numbers of threads in 4
  // batch sizes, and the last 69, 35 and 1 again.
  const Index logits = 2 * 3 * (3 * 1 + 3 * 2 + (2 * 8 + 6) + 70), again = 69 + 35 + 1;
  CHECK(report.checked == 6 * (logits + 3 * 4 * 70 + again));
  CHECK(verify_determinism(Toy<Fault::none>{}, {.positions = 1}));
  CHECK(verify_determinism(Toy<Fault::none>{}, {}, 1));
  const VerifyReport walked = verify_determinism(stepped_model<Fault::none>());
  CHECK(walked.where == "");
  CHECK(walked.checked == 20 * (logits + 3 * 4 * 70 + again));
  CHECK(verify_determinism(Toy<Fault::none>{}, {}, 300).where == "");
}

TEST_CASE("A net that reads its batch neighbour is found", "[verify][samples]") {
  const VerifyReport report = verify_determinism(Toy<Fault::neighbour>{});
  CHECK(says(report, "the logits of (row 1, column 2, channel 0) of image "));
  CHECK(report.where.find(" differ between threads = 1, batch = 64 and threads = 1, batch = 1") !=
        std::string::npos);
  CHECK_FALSE(verify_determinism(Toy<Fault::neighbour>{}, {}, 2));
  // Alone in its step, which only samples show.
  CHECK(says(verify_determinism(stepped_model<Fault::neighbour>()), "the levels drawn at (row "));
}

TEST_CASE("A net that reads the number of threads is found", "[verify][samples]") {
  const VerifyReport report = verify_determinism(Toy<Fault::threads>{});
  CHECK(says(report,
             "the logits of (row 1, column 2, channel 0) of image 0 differ between "
             "threads = 1, batch = 64 and threads = 2, batch = 1"));
  CHECK(says(verify_determinism(Toy<Fault::recorded_threads>{}), "the recorded logits of "));
}

TEST_CASE("A sampler that reads the threads, or not the number of an image, is found",
          "[verify][samples]") {
  const Toy<Fault::none> model;
  CHECK(verify_determinism(model, {}, 70, WrongSampler<Fault::none>{}).where == "");
  CHECK(says(verify_determinism(model, {}, 70, WrongSampler<Fault::threads>{}),
             "the levels drawn at "));
  const VerifyReport report = verify_determinism(model, {}, 70, WrongSampler<Fault::neighbour>{});
  CHECK(says(report, "the levels drawn at "));
  CHECK(report.where.find(" differ without the images before number 1") != std::string::npos);
}

TEST_CASE("Samples of the model's distribution pass", "[verify][samples]") {
  const VerifyReport report = verify_distribution(Toy<Fault::none>{});
  CHECK(report);
  CHECK(report.where == "");
  CHECK(report.checked == 20000);
  CHECK(report.value > 1e-4);
  CHECK(report.value < 1);
  CHECK(verify_distribution(Toy<Fault::none>{}).value == report.value);
  CHECK(verify_distribution(Toy<Fault::none>{}, {.seed = 2}).value != report.value);
  CHECK(verify_distribution(stepped_model<Fault::none, test::Softmax<3>>({1, 2, 3})).where == "");
}

TEST_CASE("p-values of right samples are spread over [0, 1]", "[verify][samples]") {
  int low = 0, high = 0;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const double p = verify_distribution(Toy<Fault::none>{}, {.seed = seed}, 2000).value;
    low += p < 0.5 ? 1 : 0;
    high += p > 0.5 ? 1 : 0;
  }
  CHECK(low > 8);
  CHECK(high > 8);
}

TEST_CASE("A sampler of another distribution is found, and a likelihood of two minds",
          "[verify][samples]") {
  const char* const text = "20000 draws are not from p(x): the p-value of chi-square is ";
  CHECK(says(verify_distribution(Toy<Fault::none>{}, {}, 20000, HotSampler{}), text));
  CHECK(says(verify_distribution(Toy<Fault::none, TwoFaced>{}), text));
  CHECK(says(verify_distribution(stepped_model<Fault::sign>({2, 3, 1})), text));
}

TEST_CASE("A distribution that is not asked often enough proves nothing", "[verify][samples]") {
  CHECK(says(verify_distribution(Toy<Fault::none>{}, {}, 0),
             "fewer than two images are expected often enough in 0"));
  CHECK_FALSE(verify_distribution(Toy<Fault::none>{}, {}, 4));
  CHECK_THROWS_ERROR(verify_distribution(stepped_model<Fault::none>({3, 7, 1})), ConfigError,
                     "verify_distribution: images 3x7x1 of 2 levels are too many to enumerate");
}
