// SPDX-License-Identifier: MIT
// A layer of your own: its two walks, its derivative, and the proof that it may stand in a model.
#include <algorithm>
#include <iostream>

#include <pixelrnn/pixelrnn.hpp>

using namespace pixelrnn;

/// A memory that leaks along each row:  y(r, j) = x(r, j) + a ⊙ y(r, j-1),  y(r, -1) = 0.
/// x and y (N, H, W, C); a (1, 1, 1, C) is trained and starts at 1/2.
/// dL/dx(r, j) = g(r, j) = dL/dy(r, j) + a ⊙ g(r, j+1);  dL/da = Σ g(r, j) ⊙ y(r, j-1).
template <class T = float>
class LeakyRow {
 public:
  using Scalar = T;
  // Images do not know of each other, so a trainer may take them in parts, on several threads.
  static constexpr bool separates_images = true;

  explicit LeakyRow(Index channels) : leak_({1, 1, 1, channels}) {
    std::fill_n(leak_.value().data(), channels, T{0.5});
  }

  // A layer has parameters, keeps or changes the shape, and goes over the whole map at once.
  void for_each_parameter(auto&& visit) { visit("leak", leak_); }
  [[nodiscard]] Shape<4> output_shape(Shape<4> x) const {
    if (x.c() != leak_.size()) throw ShapeError("LeakyRow: x has not the channels it was made for");
    return x;
  }
  [[nodiscard]] Variable<T> forward(Variable<T> x) const {
    Tape<T>& tape = x.tape();
    const FeatureView<T> y = tape.allocate(output_shape(x.shape()));
    const FeatureView<const T> in = x.value();
    // Images are independent, so threads share them; the bits do not depend on how many there are.
    execution::OpenMP::for_each(tape.threads(), y.shape().n(), [&](Index n, Index) {
      for (Index r = 0; r < y.shape().h(); ++r) {
        for (Index j = 0; j < y.shape().w(); ++j) {
          advance(&in(n, r, j, 0), j > 0 ? &y(n, r, j - 1, 0) : nullptr, &y(n, r, j, 0));
        }
      }
    });
    // The parameter is an input too: the derivative is wanted even where x is a constant.
    return tape.record("LeakyRow", y, {x, tape.leaf(leak_)}, Op{});
  }

  // That is enough to train, and to sample by FullForward. The incremental walk is what makes
  // sampling fast: one pixel from its input and a cache of the past. A pixel may be stepped again
  // with another x (once a colour), so the cache holds the row, not just its latest value.
  struct Cache {
    FeatureMap<T> row;  ///< y of the current row: (batch, 1, W, C)
  };
  [[nodiscard]] Cache make_cache(Walk walk) const {
    return {FeatureMap<T>({walk.batch, 1, walk.width, leak_.size()})};
  }
  void step(Cache& cache, Index /*row*/, Index column, MatrixView<const T> x,
            MatrixView<T> y) const {
    for (Index b = 0; b < x.rows; ++b) {
      T* const now = &cache.row(b, 0, column, 0);
      advance(x.row(b), column > 0 ? now - x.columns : nullptr, now);
      std::copy_n(now, x.columns, y.row(b));
    }
  }
  void end_row(Cache&, Index /*row*/) const {}

 private:
  /// Both walks compute with this, so they agree to the bit.
  void advance(const T* x, const T* before, T* y) const {
    const T* const a = leak_.value().data();
    for (Index c = 0; c < leak_.size(); ++c) y[c] = x[c] + (before ? a[c] * before[c] : T{0});
  }

  struct Op {
    void backward(Backward<T>& ctx) const {
      const FeatureView<const T> y = ctx.output(), dy = ctx.output_gradient(), a = ctx.input(1);
      const FeatureView<T> dx = ctx.input_gradient(0), da = ctx.input_gradient(1);
      const Shape<4>& s = y.shape();
      T* const g = ctx.scratch().template allocate<T>(s.c());
      for (Index row = 0; row < s.n() * s.h(); ++row) {
        std::fill_n(g, s.c(), T{0});
        for (Index j = s.w() - 1; j >= 0; --j) {
          const Index at = (row * s.w() + j) * s.c();
          for (Index c = 0; c < s.c(); ++c) {
            g[c] = dy.data()[at + c] + a.data()[c] * g[c];
            dx.data()[at + c] += g[c];  // +=: x may feed other operations too
            if (j > 0) da.data()[c] += g[c] * y.data()[at - s.c() + c];
          }
        }
      }
    }
  };

  Parameter<T> leak_;
};
static_assert(IncrementalLayer<LeakyRow<float>> && IncrementalLayer<LeakyRow<double>>);

/// The layer inside a model of 5×4 binary images.
template <class B>
auto make_model(Rng& rng) {
  Sequential net(
      MaskedConv2d<MaskA, B>({.out_channels = 6, .kernel_height = 3, .kernel_width = 3}, rng),
      LeakyRow<typename B::Scalar>(6), ReLU<B>(),
      MaskedConv2d<MaskB, B>({.in_channels = 6, .out_channels = 1}, rng));
  return ImageModel<decltype(net), Bernoulli>({5, 4, 1}, std::move(net));
}

int main() {
  Rng rng(1);
  bool right = true;
  const auto claim = [&right](const char* what, bool holds, const std::string& where) {
    std::cout << (holds ? "yes  " : "NO   ") << what << (holds ? "" : ": " + where) << '\n';
    right = right && holds;
  };

  LeakyRow<double> layer(3);
  FeatureMap<double> x({2, 3, 4, 3});
  for (double& v : x) v = rng.normal();
  const GradcheckReport gradients = gradcheck(layer, x);
  claim("its derivatives are those of its values", gradients.passed, gradients.where);

  const auto model = make_model<Backend<float>>(rng);
  const VerifyReport causal = verify_causality(model);
  claim("no logit of the model sees the future", causal.passed, causal.where);
  const VerifyReport whole = verify_normalisation(model);
  claim("the probabilities of all 2^20 images sum to 1", whole.passed, whole.where);

  const Images walked = sample(model, 20, {.seed = 3}, Multinomial{}, Cached{});
  const Images full = sample(model, 20, {.seed = 3}, Multinomial{}, FullForward{});
  claim("pass and walk draw the same images", std::ranges::equal(walked.pixels(), full.pixels()),
        "step() and forward() differ");
  return right ? 0 : 1;
}
