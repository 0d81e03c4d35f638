// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <pixelrnn/likelihood/categorical.hpp>
#include <pixelrnn/models/pixel_rnn.hpp>
#include <pixelrnn/nn/convolution/masked_conv2d.hpp>
#include <pixelrnn/verify/receptive_field.hpp>
#include <pixelrnn/verify/verify.hpp>

#include "support/catch.hpp"
#include "support/models.hpp"

using namespace pixelrnn;

namespace {

using First = MaskedConv2d<MaskA>;
using Later = MaskedConv2d<MaskB>;

template <class Conv>
Conv conv(Index in, Index out, Index kernel = 3, Index colours = 1) {
  Rng rng(1);
  return Conv({.in_channels = in,
               .out_channels = out,
               .kernel_height = kernel,
               .kernel_width = kernel,
               .colours = colours},
              rng);
}
template <class L = Bernoulli, class... Layers>
auto model_of(ImageShape image, Layers... layers) {
  ImageModel<Sequential<Layers...>, L> model(image, Sequential<Layers...>(std::move(layers)...));
  test::randomise(model, 3, 0.5);
  return model;
}

/// One 3 × 3 convolution with mask A: the smallest correct model.
auto small_model(ImageShape image = {3, 4, 1}) { return model_of(image, conv<First>(1, 1)); }

/// The classic mistake of sec. 3.2: the scan from the right is not shifted down, so row r sees
/// columns from j on of row r itself. What was shifted is shifted back, the last row is left out.
template <bool IsShifted>
struct TwoScans {
  using Scalar = float;
  explicit TwoScans(Rng& rng) : left({2, 3, 1}, rng), right({2, 3, 1}, rng) {}

  [[nodiscard]] Variable<float> forward(Variable<float> x) const {
    const Variable<float> a = left.forward(x), b = right.forward(x);
    return add(a, IsShifted ? b : up(b));
  }
  [[nodiscard]] Shape<4> output_shape(Shape<4> x) const { return left.output_shape(x); }
  void for_each_parameter(auto&& visit) { visit("left", left), visit("right", right); }

  /// y(r) = x(r + 1).
  static Variable<float> up(Variable<float> x) {
    struct Op {
      void backward(Backward<float>& ctx) const {
        const FeatureView<const float> dy = ctx.output_gradient();
        const FeatureView<float> dx = ctx.input_gradient(0);
        const Shape<4> s = dx.shape();
        const Index row = s.w() * s.c();
        for (Index n = 0; n < s.n(); ++n) {
          for (Index i = row; i < s.h() * row; ++i) dx[n].data()[i] += dy[n].data()[i - row];
        }
      }
    };
    const Shape<4> s = x.shape();
    const FeatureView<float> y = x.tape().allocate(s);
    const Index row = s.w() * s.c();
    for (Index n = 0; n < s.n(); ++n) {
      for (Index i = 0; i < s.h() * row; ++i) {
        y[n].data()[i] = i + row < s.h() * row ? x.value()[n].data()[i + row] : 0.0f;
      }
    }
    return x.tape().record("up", y, {x}, Op{});
  }

  DiagonalLSTM<FromLeft> left;
  DiagonalLSTM<FromRight> right;
};

/// The classic mistake of sec. 3.4: one convolution to 4·h maps whose colours are taken over all
/// 4·h, so that the last gates of every unit belong to the last colour. Here a unit is the sum of
/// its gates. With a convolution for each gate colours are grouped inside it, as they should be.
template <bool IsGrouped>
struct Gates {
  using Scalar = float;
  static constexpr Index units = 3;
  explicit Gates(Index in) {
    if (IsGrouped) {
      for (int gate = 0; gate < 4; ++gate) convolutions.push_back(conv<Later>(in, units, 1, 3));
    } else {
      convolutions.push_back(conv<Later>(in, 4 * units, 1, 3));
    }
  }
  [[nodiscard]] Variable<float> forward(Variable<float> x) const {
    Variable<float> sum = gates_of(convolutions[0].forward(x));
    for (std::size_t gate = 1; gate < convolutions.size(); ++gate) {
      sum = add(sum, gates_of(convolutions[gate].forward(x)));
    }
    return sum;
  }
  [[nodiscard]] Shape<4> output_shape(Shape<4> x) const { return x.with_channels(units); }
  void for_each_parameter(auto&& visit) {
    for (std::size_t gate = 0; gate < convolutions.size(); ++gate) {
      visit(std::to_string(gate), convolutions[gate]);
    }
  }

  /// y[k] = Σ over gates of z[gate · units + k].
  static Variable<float> gates_of(Variable<float> z) {
    struct Op {
      void backward(Backward<float>& ctx) const {
        const FeatureView<const float> dy = ctx.output_gradient();
        const FeatureView<float> dz = ctx.input_gradient(0);
        const Index channels = dz.shape().c();
        for (Index i = 0; i < dz.size(); ++i) {
          dz.data()[i] += dy.data()[i / channels * units + i % channels % units];
        }
      }
    };
    const Index channels = z.shape().c();
    const FeatureView<float> y = z.tape().allocate(z.shape().with_channels(units));
    std::fill(y.begin(), y.end(), 0.0f);
    for (Index i = 0; i < z.value().size(); ++i) {
      y.data()[i / channels * units + i % channels % units] += z.value().data()[i];
    }
    return z.tape().record("gates", y, {z}, Op{});
  }

  std::vector<Later> convolutions;
};

/// Such gates after a first layer, for binary images of three colours.
template <bool IsGrouped>
auto gated_model() {
  return model_of({2, 2, 3}, conv<First>(3, 3, 3, 3), Gates<IsGrouped>(3));
}
template <bool IsShifted>
auto scanned_model() {
  Rng rng(1);
  return model_of({4, 2, 1}, conv<First>(1, 2), TwoScans<IsShifted>(rng), conv<Later>(3, 1, 1));
}

/// z_i = x_(i-1), but z_1 = max(x_0 + x_2 - 1, 0): it sees the future in images that begin with 1.
struct HiddenLeak {
  using Scalar = float;
  using Likelihood = Bernoulli;
  [[nodiscard]] static Likelihood likelihood() { return {}; }
  [[nodiscard]] ImageShape image_shape() const { return {1, 3, 1}; }
  [[nodiscard]] float encode(int level) const { return static_cast<float>(2 * level - 1); }
  [[nodiscard]] Variable<float> logits(Variable<float> x) const {
    const FeatureView<float> z = x.tape().allocate(x.shape());
    for (Index n = 0; n < x.shape().n(); ++n) {
      const float* const in = x.value()[n].data();
      float* const out = z[n].data();
      out[0] = 0;
      out[1] = std::max(in[0] + in[2] - 1, 0.0f);
      out[2] = in[1];
    }
    return x.tape().constant(z);
  }
  [[nodiscard]] std::map<std::string, std::string> describe() const { return {}; }
  void for_each_parameter(auto&&) {}
};

/// A causal model that notes whatever it was given.
struct Noting : HiddenLeak {
  std::vector<float>* seen;
  explicit Noting(std::vector<float>& notes) : seen(&notes) {}
  [[nodiscard]] Variable<float> logits(Variable<float> x) const {
    seen->insert(seen->end(), x.value().begin(), x.value().end());
    return HiddenLeak::logits(x);
  }
};

/// A Bernoulli whose probabilities sum to a little more than 1.
struct Generous : Bernoulli {
  template <class T>
  static double nats(const T* logits, std::span<const Images::Level> pixel) {
    return Bernoulli::nats(logits, pixel) - 0.01 * static_cast<double>(pixel.size());
  }
};

/// A pixel is before another in raster order.
bool is_earlier(const SubPixel& a, const SubPixel& b) {
  return a.row < b.row || (a.row == b.row && a.column < b.column);
}

}  // namespace

TEST_CASE("A causal model passes every proof", "[verify]") {
  const auto model =
      test::random_model<PixelRNN<>>({.image = {3, 4, 1}, .layers = 1, .hidden = 4, .head = 5}, 1);
  const VerifyReport causality = verify_causality(model);
  INFO(causality.where);
  CHECK(causality);
  CHECK(causality.checked == 4 * 12 * 12);
  CHECK(causality.where == "");
  const VerifyReport completeness = verify_completeness(model);
  INFO(completeness.where);
  CHECK(completeness);
  CHECK(completeness.checked == 12 * 12);
  const VerifyReport normalisation = verify_normalisation(model);
  INFO(normalisation.where);
  CHECK(normalisation);
  CHECK(normalisation.checked == 4096);
  CHECK(normalisation.value == Approx(1).epsilon(1e-5));
}

TEST_CASE("A causal model of three colours passes every proof", "[verify]") {
  const auto model = gated_model<true>();
  CHECK(verify_causality(model).where == "");
  CHECK(verify_normalisation(model));
}

TEST_CASE("Mask B in the first layer is found", "[verify]") {
  const auto wrong = model_of({3, 3, 1}, conv<Later>(1, 1));
  const VerifyReport causality = verify_causality(wrong);
  CHECK_FALSE(causality);
  CHECK(causality.where ==
        "the logits of (row 0, column 0, channel 0) change with sub-pixels from (row 0, column 0, "
        "channel 0) on");
  const VerifyReport completeness = verify_completeness(wrong);
  CHECK_FALSE(completeness);
  CHECK(completeness.where ==
        "the logits of (row 0, column 0, channel 0) see (row 0, column 0, channel 0)");
  const VerifyReport normalisation = verify_normalisation(wrong);
  CHECK_FALSE(normalisation);
  CHECK(std::abs(normalisation.value - 1) > 0.01);
  CHECK(normalisation.where.find("the probabilities sum to ") == 0);
}

TEST_CASE("A scan from the right that is not shifted down is found", "[verify]") {
  CHECK(verify_causality(scanned_model<true>()).where == "");
  CHECK(verify_completeness(scanned_model<true>()).where == "");
  CHECK(verify_normalisation(scanned_model<true>()));

  const auto wrong = scanned_model<false>();
  const VerifyReport causality = verify_causality(wrong);
  CHECK_FALSE(causality);
  // What the first layer knows at (0, 1) is (0, 0), and from there it comes back.
  CHECK(causality.where ==
        "the logits of (row 0, column 0, channel 0) change with sub-pixels from (row 0, column 0, "
        "channel 0) on");
  const VerifyReport completeness = verify_completeness(wrong);
  CHECK_FALSE(completeness);
  CHECK(completeness.where.find("the logits of (row 0, column 0, channel 0) see ") == 0);
  CHECK_FALSE(verify_normalisation(wrong));
}

TEST_CASE("Colours grouped over all gates at once are found", "[verify]") {
  const auto wrong = gated_model<false>();
  const VerifyReport causality = verify_causality(wrong);
  CHECK_FALSE(causality);
  CHECK(causality.where ==
        "the logits of (row 0, column 0, channel 0) change with sub-pixels from (row 0, column 0, "
        "channel 0) on");
  CHECK_FALSE(verify_normalisation(wrong));
}

TEST_CASE("A leak that a ReLU hides from some images is found by others", "[verify]") {
  int by_one = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    by_one += verify_causality(HiddenLeak{}, {.seed = seed}, 1).passed ? 0 : 1;
  }
  CHECK(by_one > 8);
  CHECK(by_one < 32);
  const VerifyReport report = verify_causality(HiddenLeak{});
  CHECK_FALSE(report);
  CHECK(report.where.find("the logits of (row 0, column 1, channel 0) change with") == 0);
  CHECK_FALSE(verify_causality(HiddenLeak{}, {}, 16));
}

TEST_CASE("Causality is asked with inputs that a model knows, every one of them replaced",
          "[verify]") {
  std::vector<float> seen;
  static_cast<void>(verify_causality(Noting(seen), {}, 5));
  REQUIRE(seen.size() == 5 * (1 + 3) * 3);
  CHECK(std::all_of(seen.begin(), seen.end(), [](float x) { return std::abs(x) == 1; }));
  for (std::size_t trial = 0; trial < 5; ++trial) {
    const float* const x = seen.data() + trial * 12;
    for (std::size_t j = 0; j < 3; ++j) {
      for (std::size_t k = 0; k < 3; ++k) CHECK((x[k] != x[3 * (j + 1) + k]) == (k >= j));
    }
  }
}

TEST_CASE("A model that looks at nothing proves nothing", "[verify]") {
  auto model = small_model();
  const auto all = parameters(model);
  std::fill(all[0].parameter->value().begin(), all[0].parameter->value().end(), 0.0f);
  const VerifyReport report = verify_causality(model);
  CHECK_FALSE(report);
  CHECK(report.where == "no logit depends on any sub-pixel");
  CHECK(verify_normalisation(model));  // it is a distribution all the same
  // One sub-pixel has no past to depend on.
  CHECK(verify_causality(small_model({1, 1, 1})));
}

TEST_CASE("A likelihood whose probabilities do not sum to 1 is found", "[verify]") {
  const auto wrong = model_of<Generous>({2, 2, 1}, conv<First>(1, 1));
  CHECK(verify_causality(wrong));
  const VerifyReport report = verify_normalisation(wrong);
  CHECK_FALSE(report);
  CHECK(report.value == Approx(std::exp(0.04)).epsilon(1e-4));
  CHECK(report.where.find("the probabilities sum to 1.04") == 0);
  CHECK(verify_normalisation(wrong, 0.05));
}

TEST_CASE("A blind spot is found, unless the model owns up to it", "[verify]") {
  const auto model = small_model({3, 5, 1});
  const VerifyReport report = verify_completeness(model);
  CHECK_FALSE(report);
  CHECK(report.where ==
        "the logits of (row 0, column 2, channel 0) do not see (row 0, column 0, channel 0)");
  const auto promise = [](const SubPixel& from, const SubPixel& to) {
    return is_earlier(from, to) && to.row - from.row <= 1 && std::abs(to.column - from.column) <= 1;
  };
  CHECK(verify_completeness(model, promise).where == "");
  // A promise of less than the model sees is broken too.
  const VerifyReport less =
      verify_completeness(model, [](const SubPixel& from, const SubPixel& to) {
        return from.row == to.row && from.column == to.column - 1;
      });
  CHECK_FALSE(less);
  CHECK(less.where ==
        "the logits of (row 1, column 0, channel 0) see (row 0, column 0, channel 0)");
}

TEST_CASE("Fewer positions are fewer comparisons", "[verify]") {
  const auto model = small_model({3, 4, 1});
  CHECK(verify_causality(model).checked == 4 * 144);
  CHECK(verify_causality(model, {}, 1).checked == 144);
  CHECK(verify_causality(model, {.positions = 3}).checked == 4 * 36);
  CHECK(verify_causality(model, {.positions = 3}));
  CHECK(verify_causality(model, {.positions = 500}).checked == 4 * 144);
}

TEST_CASE("Too many images to enumerate are refused", "[verify]") {
  CHECK_THROWS_ERROR(verify_normalisation(small_model({3, 7, 1})), ConfigError,
                     "verify_normalisation: images 3x7x1 of 2 levels are too many to enumerate, "
                     "expected at most 2^20");
}

TEST_CASE("The receptive field of a pixel is what its logits see", "[verify]") {
  const auto model = small_model({4, 5, 1});
  const Tensor<unsigned char, 2> field = receptive_field(model, 2, 3);
  CHECK(field.shape() == Shape<2>{4, 5});
  const std::vector<std::string> expected{".....", "..###", "..#..", "....."};
  for (Index row = 0; row < 4; ++row) {
    std::string seen;
    for (Index column = 0; column < 5; ++column) seen += field(row, column) != 0 ? '#' : '.';
    CHECK(seen == expected[static_cast<std::size_t>(row)]);
  }
}

TEST_CASE("The field of a colour pixel holds itself, for its later colours", "[verify]") {
  const auto field = receptive_field(gated_model<true>(), 0, 1);
  CHECK(field(0, 0) == 1);
  CHECK(field(0, 1) == 1);
  CHECK(field(1, 0) == 0);
  CHECK(field(1, 1) == 0);
}

TEST_CASE("The receptive field of no pixel is refused", "[verify]") {
  const auto model = small_model({3, 4, 1});
  CHECK_THROWS_ERROR(
      receptive_field(model, 3, 0), ShapeError,
      "receptive_field: pixel (3, 0) is not in images 3x4x1, expected row 0 to 2 and "
      "column 0 to 3");
  CHECK_THROWS_ERROR(receptive_field(model, 0, -1), ShapeError, "pixel (0, -1) is not in");
}

TEST_CASE("The proofs agree for any number of threads", "[verify]") {
  const auto model = gated_model<true>();
  for (const int threads : {1, 2, 4}) {
    CAPTURE(threads);
    CHECK(verify_causality(model, {.threads = threads}));
    CHECK(verify_normalisation(model, 1e-4, {.threads = threads}).value ==
          verify_normalisation(model, 1e-4, {.threads = 1}).value);
  }
}
