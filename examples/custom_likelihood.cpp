// SPDX-License-Identifier: MIT
// A likelihood of your own: levels that are counts, with one logit where a softmax needs V.
#include <algorithm>
#include <array>
#include <cmath>
#include <iostream>
#include <string>

#include <pixelrnn/pixelrnn.hpp>

using namespace pixelrnn;

/// p(k) = C(n, k) p^k (1-p)^(n-k) for k = 0 .. n, n = V - 1, with p = logistic(z):
///   -ln p(k) = n·softplus(z) - k·z - ln C(n, k),   d/dz = n·logistic(z) - k.
template <int V>
struct Binomial {
  static constexpr int levels = V;
  static constexpr Index outputs = 1;
  static std::string name() { return "binomial" + std::to_string(V); }

  template <class T>
  static T nats(const T* logits, int level) {
    const T z = logits[0];
    const T softplus = std::max(z, T{0}) + std::log1p(std::exp(-std::abs(z)));
    return (V - 1) * softplus - static_cast<T>(level) * z - log_choose<T>(level);
  }
  template <class T>
  static void add_gradient(const T* logits, int level, T scale, T* d) {
    d[0] += scale * ((V - 1) / (T{1} + std::exp(-logits[0])) - static_cast<T>(level));
  }
  template <class T>
  static void log_probabilities(const T* logits, T* out) {
    for (int v = 0; v < V; ++v) out[v] = -nats(logits, v);
  }

 private:
  /// ln C(V-1, level), as a sum: std::lgamma may write to a global variable, and threads are about.
  template <class T>
  static T log_choose(int level) {
    double sum = 0;
    for (int i = 1; i <= level; ++i) sum += std::log(static_cast<double>(V - i) / i);
    return static_cast<T>(sum);
  }
};
static_assert(Likelihood<Binomial<5>, float> && Likelihood<Binomial<5>, double>);

/// Images whose pixels are binomial with a logit that depends on the pixel to the left, so that the
/// true nats are known; they are added to `true_nats`.
Images draw_images(Index count, Rng& rng, double& true_nats) {
  using Truth = Binomial<5>;
  Images images(count, {6, 6, 1}, Truth::levels);
  for (Index i = 0; i < count; ++i) {
    for (Index y = 0; y < 6; ++y) {
      for (Index x = 0; x < 6; ++x) {
        const int left = x > 0 ? images[i](y, x - 1, 0) : 2;
        const double logit = 1.2 * (left - 2);
        std::array<double, Truth::levels> log_p;
        Truth::log_probabilities(&logit, log_p.data());
        const int level = Multinomial{}.draw(log_p, rng.uniform());
        images[i](y, x, 0) = static_cast<Images::Level>(level);
        true_nats += Truth::nats(&logit, level);
      }
    }
  }
  return images;
}

int main() {
  Rng rng(1);

  // The derivative, on the operation that training uses: the nats of whole images.
  double unused = 0;
  const Images few = draw_images(2, rng, unused);
  FeatureMap<double> z(few.pixels().shape());
  for (double& v : z) v = rng.normal();
  const GradcheckReport gradients =
      gradcheck({z}, [&few](Tape<double>&, const std::vector<Variable<double>>& in) {
        return image_nats<Binomial<5>, execution::Sequential>(in[0], few.pixels());
      });
  std::cout << "derivatives " << (gradients ? "right" : "wrong, " + gradients.where) << '\n';

  // The probabilities, summed over all 5^4 images of a tiny model.
  const PixelCNN<Binomial<5>> tiny({.image = {2, 2, 1}, .layers = 1, .hidden = 4}, rng);
  const VerifyReport sum = verify_normalisation(tiny);
  std::cout << "sum of p(x) over " << sum.checked << " images " << sum.value << '\n';

  // Training reaches what the true distribution reaches on the same fresh images.
  double true_nats = 0;
  const Images train_set = draw_images(1500, rng, unused);
  const Images test_set = draw_images(500, rng, true_nats);
  true_nats /= static_cast<double>(test_set.count());
  PixelCNN<Binomial<5>> model({.image = {6, 6, 1}, .layers = 1, .hidden = 8}, rng);
  Trainer trainer(model, Adam{.learning_rate = 5e-3}, {.schedule = cosine_rate(380)});
  trainer.fit(train_set, {.epochs = 4, .batch_size = 16});
  const double after = evaluate(model, test_set).nats_per_image();
  std::cout << after << " nats an image; the true distribution has " << true_nats << '\n';

  return gradients && sum && std::abs(after / true_nats - 1) < 0.02 ? 0 : 1;
}
