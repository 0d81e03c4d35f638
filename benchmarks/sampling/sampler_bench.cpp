// SPDX-License-Identifier: MIT
// Samplers: images drawn together, by one walk over them all or by a forward pass for each pixel.
#include "support/models.hpp"

namespace {

using namespace pixelrnn;
using namespace pixelrnn::bench;

/// Where the cached walk on the model's kernels draws other images than full passes on Reference.
/// On a small image: full passes are what nobody wants to wait for.
template <template <class L, class K> class Net, class L, class K>
const std::string& sampler_verdict(const std::string& what, Case c) {
  return once(join("sample", what, c.name, K::name), [&]() -> std::string {
    c.image.height = 4, c.image.width = 3;
    const auto model = make_model<Net<L, K>>(c);
    const auto reference = make_model<Net<L, kernels::Reference>>(c);
    const Images ours = sample(model, 3, {.seed = 5});
    const Images expected = sample(reference, 3, {.seed = 5}, Multinomial{}, FullForward{});
    const auto a = ours.pixels().flat(), b = expected.pixels().flat();
    return std::equal(a.begin(), a.end(), b.begin()) ? "" : "draws other images than Reference";
  });
}

template <class M, class Sampler>
void draw(benchmark::State& state, const M& model, Index count, int threads, double passes) {
  std::uint64_t seed = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        sample(model, count, {.seed = ++seed, .threads = threads}, Multinomial{}, Sampler{}));
  }
  const ImageShape s = model.image_shape();
  report(state,
         {.flop = passes * forward_flop(model, count),
          .images = double(count),
          .pixels = double(count * s.pixels())},
         threads);
}

template <template <class L, class K> class Net, class L, class K>
void add_samplers(const std::string& what, Case c, std::initializer_list<Index> counts) {
  for (const Index count : counts) {
    for (const int threads : {1, 2}) {
      if (count == 1 && threads == 2) continue;  // one image is one walk
      add(join("sample", what, "Cached", c.name, K::name, numbered("n", count),
               threads_name(threads)),
          [=](benchmark::State& state) {
            const std::string& wrong = sampler_verdict<Net, L, K>(what, c);
            if (!wrong.empty()) return state.SkipWithError(wrong.c_str());
            draw<Net<L, K>, Cached>(state, make_model<Net<L, K>>(c), count, threads, 1);
          });
    }
  }
}
/// What a sampler without caches costs, on 8 × 8 pixels.
template <template <class L, class K> class Net>
void add_full_forward(const std::string& what) {
  Case c = mnist_cases[0];
  c.image = {8, 8, 1};
  for (const int threads : {1, 2}) {
    add(join("sample", what, "FullForward", "8x8_h16", "Xsimd", "n16", threads_name(threads)),
        [=](benchmark::State& state) {
          using M = Net<Bernoulli, kernels::Xsimd>;
          draw<M, FullForward>(state, make_model<M>(c), 16, threads,
                               static_cast<double>(c.image.pixels()));
        });
  }
}
template <template <class L, class K> class Net>
void add_all(const std::string& what) {
  using kernels::Eigen, kernels::Reference, kernels::Xsimd;
  add_samplers<Net, Bernoulli, Xsimd>(what, mnist_cases[0], {1, 16, 64});
  add_samplers<Net, Bernoulli, Eigen>(what, mnist_cases[0], {1, 16, 64});
  add_samplers<Net, Bernoulli, Reference>(what, mnist_cases[0], {1});
  for (const Case& c : cifar_cases) {
    add_samplers<Net, Categorical, Xsimd>(what, c, {1, 16});
  }
  for (const Case& c : colour_cases) add_samplers<Net, Bernoulli, Xsimd>(what, c, {1, 16});
  add_full_forward<Net>(what);
}

const bool registered = [] {
  add_all<DiagonalNet>("diagonal_bilstm");
  add_all<RowNet>("row_lstm");
  add_all<ConvNet>("pixel_cnn");
  return true;
}();

}  // namespace
