// SPDX-License-Identifier: MIT
// Prints a line "name hash" for everything that has the same float bits on every machine with fused
// multiply-adds: functions, products, layers, likelihoods, models' samples and nats. same_bits.sh
// compiles this in several ways and compares the lines with those of expected.txt.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include <pixelrnn/autodiff/functions.hpp>
#include <pixelrnn/likelihood/categorical.hpp>
#include <pixelrnn/likelihood/logistic_mixture.hpp>
#include <pixelrnn/models/gated_pixel_cnn.hpp>
#include <pixelrnn/models/pixel_cnn.hpp>
#include <pixelrnn/models/pixel_rnn.hpp>
#include <pixelrnn/models/wave_net.hpp>
#include <pixelrnn/nn/convolution/one_hot_conv2d.hpp>
#include <pixelrnn/nn/embedding.hpp>
#include <pixelrnn/nn/spatial_lstm/spatial_lstm.hpp>
#include <pixelrnn/sampling/sample.hpp>
#include <pixelrnn/training/evaluate.hpp>

#if !defined(__FMA__) && !defined(__aarch64__)
#error "without fused multiply-adds bits are others"
#endif

using namespace pixelrnn;
using kernels::Rows;
namespace tiles = kernels::detail;

namespace {

/// FNV-1a of values' bytes, lowest first.
class Hash {
 public:
  template <class Values>
  Hash& add(const Values& values) {
    for (const auto& value : values) {
      unsigned char bytes[sizeof value];
      std::memcpy(bytes, &value, sizeof value);
      for (const unsigned char byte : bytes) sum_ = (sum_ ^ byte) * 0x100000001b3;
    }
    return *this;
  }
  [[nodiscard]] unsigned long long value() const { return sum_; }

 private:
  std::uint64_t sum_ = 0xcbf29ce484222325;
};
void print(const std::string& name, const Hash& hash) {
  std::printf("%s %016llx\n", name.c_str(), hash.value());
}

template <class T>
std::vector<T> numbers(Index count, double bound, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<T> values(static_cast<std::size_t>(count));
  for (T& v : values) v = static_cast<T>(rng.uniform(-bound, bound));
  return values;
}
/// Numbers in a map of this shape.
FeatureMap<float> map_of(Shape<4> shape, std::uint64_t seed) {
  FeatureMap<float> map(shape);
  const std::vector<float> values = numbers<float>(shape.count(), 1, seed);
  std::copy(values.begin(), values.end(), map.data());
  return map;
}

template <class T, class F>
void print_function(const std::string& name, double bound, F f) {
  const std::vector<T> x = numbers<T>(20000, bound, 1);
  std::vector<T> y(x.size());
  simd::transform(std::ssize(x), x.data(), y.data(), f);
  print(name, Hash().add(y));
}
void functions() {
  print_function<float>("exp float", 100, [](auto x) { return simd::exp(x); });
  print_function<double>("exp double", 750, [](auto x) { return simd::exp(x); });
  print_function<float>("log float", 100, [](auto x) { return simd::log(x * x); });
  print_function<double>("log double", 100, [](auto x) { return simd::log(x * x); });
  print_function<float>("logistic float", 90, [](auto x) { return simd::logistic(x); });
  print_function<float>("tanh float", 9, [](auto x) { return simd::tanh(x); });
  print_function<double>("tanh double", 20, [](auto x) { return simd::tanh(x); });
  print_function<float>("softplus float", 90, [](auto x) { return simd::softplus(x); });
}

/// Products of every number of columns, with terms of odd length.
void products() {
  constexpr Index rows = 9, most = 100;
  const Index lengths[] = {7, 30, 1};
  const Index depth = 38;
  const std::vector<float> a = numbers<float>(rows * depth, 1, 2);
  const std::vector<float> weights = numbers<float>(depth * most, 1, 3);
  const std::vector<float> bias = numbers<float>(most, 1, 4);
  std::vector<kernels::Term<float>> terms;
  Index begin = 0;
  for (const Index length : lengths) {
    terms.push_back({a.data() + begin, depth, length});
    begin += length;
  }
  Hash hash;
  for (Index columns = 1; columns <= most; ++columns) {
    Workspace workspace;
    const auto packed =
        kernels::allocate_packed<kernels::Xsimd, float>(workspace, depth, columns, 1);
    kernels::Xsimd::pack(packed, 0, kernels::Strided<float>{weights.data(), depth, columns, most});
    std::vector<float> out(static_cast<std::size_t>(rows * columns));
    kernels::Xsimd::affine(rows, std::span<const kernels::Term<float>>(terms),
                           kernels::as_const(packed), Rows<const float>{bias.data(), 0},
                           Rows<const float>{}, Rows<float>{out.data(), columns});
    hash.add(out);
  }
  print("products", hash);
}

/// Controls: the bits of a product by two chains and by one, as if their number followed from the
/// vectors' width; and of a sum that is fused, beside one that compilers may fuse or not.
void controls() {
  constexpr Index length = 50, columns = 16, V = columns / simd::lanes<float>;
  const std::vector<float> a = numbers<float>(length, 1, 5);
  const std::vector<float> b = numbers<float>(length * columns, 1, 6);
  const tiles::Strip<float> strip{a.data(), length, 1, b.data(), columns, length};
  const auto product = [&]<int C>(std::integral_constant<int, C>) {
    std::vector<float> out(static_cast<std::size_t>(columns));
    tiles::add_products<static_cast<int>(V), C, float>(
        1, std::span<const tiles::Strip<float>>(&strip, 1), {.out = {out.data(), columns}});
    return Hash().add(out);
  };
  print("control: two chains", product(std::integral_constant<int, 2>()));
  print("control: one chain", product(std::integral_constant<int, 1>()));
  print_function<float>("control: fused", 9, [](auto x) { return simd::fma(x, x, x); });
  print_function<float>("control: as the compiler likes", 9, [](auto x) { return x * x + x; });
}

/// What a layer makes of a map pixel by pixel, and all at once with a walk's bits.
template <class L>
void layer(const std::string& name, const L& layer, Index channels, int levels = 0) {
  constexpr Index batch = 3, size = 6;
  FeatureMap<float> x = map_of({batch, size, size, channels}, 7);
  if (levels > 0) {  // levels instead
    for (float& v : x) v = std::floor((v + 1) / 2 * static_cast<float>(levels - 1));
  }
  Tape<float> tape({.threads = 2, .record = false, .walk_bits = true});
  print(name + ", whole map", Hash().add(layer.forward(tape.constant(x.view())).value()));
  auto cache = layer.make_cache({batch, size, size, channels});
  const Index out = layer.output_shape(x.shape()).c();
  FeatureMap<float> in({batch, 1, 1, channels}), y({batch, 1, 1, out});
  Hash walk;
  for (Index row = 0; row < size; ++row) {
    for (Index column = 0; column < size; ++column) {
      for (Index n = 0; n < batch; ++n) {
        for (Index c = 0; c < channels; ++c) in(n, 0, 0, c) = x(n, row, column, c);
      }
      layer.step(cache, row, column, as_rows(in.view()), as_rows(y.view()));
      walk.add(y.view());
    }
    if constexpr (requires { layer.end_row(cache, row); }) layer.end_row(cache, row);
  }
  print(name + ", walk", walk);
}
void layers() {
  Rng rng(8);
  for (const Index out : {5, 16, 24, 70}) {
    const std::string to = std::to_string(out);
    layer("MaskedConv2d<A> 7x7 " + to,
          MaskedConv2d<MaskA>(
              {.in_channels = 2, .out_channels = out, .kernel_height = 7, .kernel_width = 7}, rng),
          2);
    layer("MaskedConv2d<B> 3x3 dilated " + to,
          MaskedConv2d<MaskB>({.in_channels = 12,
                               .out_channels = out,
                               .kernel_height = 3,
                               .kernel_width = 3,
                               .dilation = 2,
                               .relu_input = true},
                              rng),
          12);
    layer("RowLSTM " + to, RowLSTM<>({.in_channels = 9, .hidden = out}, rng), 9);
    layer("DiagonalBiLSTM " + to, DiagonalBiLSTM<>({.in_channels = 9, .hidden = out}, rng), 9);
  }
  layer("MaskedConv2d<B> 3x3 pairs",
        MaskedConv2d<MaskB>(
            {.in_channels = 64, .out_channels = 64, .kernel_height = 3, .kernel_width = 3}, rng),
        64);
  layer("MaskedConv2d<B> 3x3 colours",
        MaskedConv2d<MaskB>({.in_channels = 12,
                             .out_channels = 21,
                             .kernel_height = 3,
                             .kernel_width = 3,
                             .colours = 3},
                            rng),
        12);
  layer("RowLSTM colours", RowLSTM<ZeroState>({.in_channels = 9, .hidden = 6, .colours = 3}, rng),
        9);
  layer("DiagonalBiLSTM colours",
        DiagonalBiLSTM<ZeroState>({.in_channels = 9, .hidden = 6, .colours = 3}, rng), 9);
  layer("Embedding", Embedding<>({.channels = 3, .levels = 7, .dimension = 5}, rng), 3, 7);
  layer("OneHotConv2d",
        OneHotConv2d<MaskA>({.channels = 3,
                             .levels = 7,
                             .out_channels = 21,
                             .kernel_height = 5,
                             .kernel_width = 5,
                             .colours = 3},
                            rng),
        3, 7);
  layer("DiagonalLSTM from the right",
        DiagonalLSTM<FromRight>({.in_channels = 9, .hidden = 6}, rng), 9);
  layer("SpatialLSTM colours", SpatialLSTM<>({.in_channels = 9, .hidden = 6, .colours = 3}, rng),
        9);
}

/// A layer with what its images are told: a vector or a map each.
template <class L>
struct Told {
  using Cache = typename L::Cache;
  L inner;
  FeatureMap<float> c;
  [[nodiscard]] Variable<float> forward(Variable<float> x) const {
    x.tape().set_condition(x.tape().constant(c.view()));
    return inner.forward(x);
  }
  [[nodiscard]] Shape<4> output_shape(Shape<4> x) const { return inner.output_shape(x); }
  [[nodiscard]] Cache make_cache(Walk walk) const {
    walk.condition = FeatureView<const float>(c.view());
    return inner.make_cache(walk);
  }
  void step(Cache& cache, Index row, Index column, const MatrixView<const float>& x,
            const MatrixView<float>& y) const {
    inner.step(cache, row, column, x, y);
  }
  void end_row(Cache& cache, Index row) const { inner.end_row(cache, row); }
};
void told_layers() {
  Rng rng(9);
  for (const bool is_map : {false, true}) {
    const std::string what = is_map ? " told maps" : " told vectors";
    const auto c = map_of(is_map ? Shape<4>{3, 6, 6, 5} : Shape<4>{3, 1, 1, 5}, 8);
    const auto told = [&](const std::string& name, auto inner, Index channels) {
      layer(name + what, Told<decltype(inner)>{std::move(inner), c}, channels);
    };
    told("MaskedConv2d<above> 3x3",
         MaskedConv2d<>(MaskAbove{},
                        {.in_channels = 9,
                         .out_channels = 20,
                         .kernel_height = 3,
                         .kernel_width = 3,
                         .condition_channels = 5},
                        rng),
         9);
    told("MaskedConv2d<B> 3x3 colours",
         MaskedConv2d<MaskB>({.in_channels = 9,
                              .out_channels = 70,
                              .kernel_height = 3,
                              .kernel_width = 3,
                              .colours = 3,
                              .condition_channels = 5},
                             rng),
         9);
    told("RowLSTM", RowLSTM<>({.in_channels = 9, .hidden = 20, .condition_channels = 5}, rng), 9);
    told("DiagonalBiLSTM",
         DiagonalBiLSTM<>({.in_channels = 9, .hidden = 7, .colours = 3, .condition_channels = 5},
                          rng),
         9);
  }
}

template <class L>
void likelihood(const L& likelihood) {
  constexpr Index count = 500;
  const int levels = likelihood.levels();
  const Index outputs = likelihood.outputs(1);
  const std::vector<float> logits = numbers<float>(count * outputs, 6, 9);
  std::vector<double> nats, log_p, below, room;
  for (Index i = 0; i < count; ++i) {
    const float* const z = logits.data() + i * outputs;
    const Images::Level level[] = {static_cast<Images::Level>(i % levels)};
    nats.push_back(likelihood.nats(z, level));
    const auto p = likelihood.conditional(z, level, 0, room);
    for (int v = 0; v < levels; ++v) {
      log_p.push_back(p.log_probability(v));
      below.push_back(p.below(v));
    }
  }
  print(likelihood.name() + " nats", Hash().add(nats));
  print(likelihood.name() + " probabilities", Hash().add(log_p));
  print(likelihood.name() + " cumulated", Hash().add(below));
}

/// Weights, samples of all rules, and the nats of those samples.
template <class M, class L>
void model(const std::string& name, typename M::Config config, const L& likelihood) {
  Rng rng(10);
  M model(config, rng, likelihood);
  Hash weights;
  for (const auto& [path, parameter] : parameters(model)) weights.add(parameter->value());
  print(name + " weights", weights);
  // Sharper than they were born, so that images are not noise.
  for (const auto& [path, parameter] : parameters(model)) {
    for (float& w : parameter->value()) w *= 2;
  }
  const Images drawn = sample(model, 5, {.seed = 11, .threads = 2, .batch = 3});
  print(name + " samples", Hash().add(drawn.pixels()));
  print(name + " samples by temperature",
        Hash().add(sample(model, 3, {.seed = 12}, Temperature{.temperature = 0.7}).pixels()));
  print(name + " most probable",
        Hash().add(complete(model, drawn, KeepRows{std::min<Index>(3, config.image.height)},
                            {.seed = 13}, Argmax{})
                       .pixels()));
  FeatureMap<float> x(drawn.pixels().shape());
  encode(model, drawn.pixels(), x);
  Tape<float> tape({.threads = 2, .record = false, .walk_bits = true});
  print(name + " nats",
        Hash().add(image_nats<execution::OpenMP>(likelihood, model.logits(tape.constant(x.view())),
                                                 drawn.pixels())
                       .value()));
}
/// Told a class, and by columns from below: samples and their nats.
template <class M>
void told_model(const std::string& name) {
  Rng rng(10);
  M model({.image = {5, 6, 3},
           .layers = 2,
           .hidden = 9,
           .head = 12,
           .condition = {.classes = 3},
           .orientation = {.by_columns = true, .from_below = true}},
          rng, Categorical(16));
  const Sampled drawn =
      sample_with_log_p(model, 3, {.seed = 11, .threads = 2, .conditions = {.labels = {2, 0, 1}}});
  print(name + " told a class, samples", Hash().add(drawn.images.pixels()));
  print(name + " told a class, log p", Hash().add(drawn.log_p));
  std::vector<double> nats;
  for (const Nats n : evaluate(model, drawn.images, {.walk_bits = true}).image_nats) {
    nats.push_back(n.value);
  }
  print(name + " told a class, nats", Hash().add(nats));
}

template <class L>
void models(const std::string& name, ImageShape image, Index hidden, const L& likelihood) {
  model<PixelCNN<L>>("PixelCNN " + name,
                     {.image = image, .layers = 2, .hidden = hidden, .head = 12, .skip = true},
                     likelihood);
  model<PixelRNN<RowLSTM<>, L>>(
      "Row LSTM " + name, {.image = image, .layers = 1, .hidden = hidden, .head = 12}, likelihood);
  model<PixelRNN<DiagonalBiLSTM<>, L>>("Diagonal BiLSTM " + name,
                                       {.image = image, .layers = 1, .hidden = hidden, .head = 12},
                                       likelihood);
  model<PixelRNN<SpatialLSTM<>, L>>("Spatial LSTM " + name,
                                    {.image = image, .layers = 1, .hidden = hidden, .head = 12},
                                    likelihood);
  model<GatedPixelCNN<L>>("Gated PixelCNN " + name,
                          {.image = image, .layers = 2, .hidden = hidden, .head = 12}, likelihood);
}

}  // namespace

int main() {
  functions();
  products();
  controls();
  layers();
  told_layers();
  likelihood(Bernoulli());
  likelihood(Categorical(16));
  likelihood(Categorical(1000));
  likelihood(LogisticMixture(16, 5));
  likelihood(LogisticMixture(1000, 11));
  models("grey", {8, 8, 1}, 20, Bernoulli());
  models("colour", {5, 6, 3}, 9, Categorical(16));
  told_model<PixelCNN<Categorical>>("PixelCNN");
  told_model<PixelRNN<RowLSTM<>, Categorical>>("Row LSTM");
  told_model<PixelRNN<DiagonalBiLSTM<>, Categorical>>("Diagonal BiLSTM");
  told_model<GatedPixelCNN<Categorical>>("Gated PixelCNN");
  model<GatedPixelCNN<LogisticMixture>>("Gated PixelCNN mixture",
                                        {.image = {5, 6, 3}, .layers = 2, .hidden = 9, .head = 12},
                                        LogisticMixture(64, 3));
  model<GatedPixelCNN<Bernoulli>>("Gated PixelCNN with dilations and ELUs",
                                  {.image = {8, 8, 1},
                                   .layers = 4,
                                   .hidden = 12,
                                   .head = 0,
                                   .first_kernel = 3,
                                   .dilations = {1, 2},
                                   .first_gated = false,
                                   .head_elu = true},
                                  Bernoulli());
  model<WaveNet<Categorical>>(
      "WaveNet", {.image = {1, 40, 1}, .layers = 6, .hidden = 20, .head = 24, .cycle = 4},
      Categorical(16));
  model<WaveNet<Categorical>>(
      "WaveNet of two channels",
      {.image = {1, 30, 2}, .layers = 4, .hidden = 8, .head = 12, .kernel = 3, .cycle = 3},
      Categorical(16));
  return 0;
}
