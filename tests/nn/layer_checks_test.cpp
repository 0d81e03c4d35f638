// SPDX-License-Identifier: MIT
// The controls: layers that read what they must not, which the checks of support/ must report.
#include <string>

#include "support/layer_checks.hpp"

using namespace pixelrnn;

namespace {

enum class Fault { none, threads, threads_unrecorded, recording, gradient, neighbour };

/// y = 2 x; by a fault a little more.
template <Fault fault>
struct Doubled {
  using Scalar = float;
  using BackendPolicy = test::FloatXsimdBackend;

  [[nodiscard]] Variable<float> forward(Variable<float> x) const {
    struct Op {
      void backward(Backward<float>& ctx) const {
        const float more = fault == Fault::gradient ? static_cast<float>(ctx.threads()) : 0;
        const FeatureView<const float> dy = ctx.output_gradient();
        const FeatureView<float> dx = ctx.input_gradient(0);
        for (Index i = 0; i < dx.size(); ++i) dx.data()[i] += (2 + 1e-3f * more) * dy.data()[i];
      }
    };
    const Tape<float>& tape = x.tape();
    const auto threads = static_cast<float>(tape.threads());
    float more = 0;
    if (fault == Fault::threads) more = threads;
    if (fault == Fault::threads_unrecorded && !tape.records()) more = threads - 1;
    if (fault == Fault::recording && tape.records()) more = 1;
    const FeatureView<float> y = x.tape().allocate(x.shape());
    for (Index i = 0; i < y.size(); ++i) y.data()[i] = (2 + 1e-3f * more) * x.value().data()[i];
    // The last pixel of each image but the first sees the first image.
    for (Index n = 1; fault == Fault::neighbour && n < y.shape().n(); ++n) {
      y[n].data()[y[n].size() - 1] += x.value().data()[0];
    }
    return x.tape().record("twice", y, {x}, Op{});
  }
  [[nodiscard]] Shape<4> output_shape(Shape<4> x) const { return x; }
  void for_each_parameter(auto&&) {}
};

const FeatureMap<float> three_maps = test::random_map<float>({3, 2, 2, 1}, 1, 0.5, 1);

}  // namespace

TEST_CASE("A layer that reads nothing else passes the checks", "[nn][layer_checks]") {
  test::check_same_bits_for_all_threads(Doubled<Fault::none>{}, three_maps);
  test::check_images_do_not_depend_on_each_other(Doubled<Fault::none>{}, three_maps);
}

TEST_CASE("The check of threads reports a layer that reads their number", "[nn][layer_checks]") {
  const auto says = [](const auto& layer) { return test::thread_difference(layer, three_maps); };
  CHECK(says(Doubled<Fault::threads>{}).find("with 2 threads at (") == 0);
  CHECK(says(Doubled<Fault::threads_unrecorded>{}).find("with 2 threads at (") == 0);
  CHECK(says(Doubled<Fault::gradient>{}).find("with 2 threads the gradient of x at (") == 0);
  CHECK(says(Doubled<Fault::recording>{}).find("without a recording at (") == 0);
}

TEST_CASE("The check of images reports a layer that reads its batch neighbour",
          "[nn][layer_checks]") {
  CHECK(test::neighbour_difference(Doubled<Fault::neighbour>{}, three_maps).find("image 1 at (") ==
        0);
  CHECK(test::thread_difference(Doubled<Fault::neighbour>{}, three_maps) == "");
}
