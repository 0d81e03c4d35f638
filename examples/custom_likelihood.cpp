// SPDX-License-Identifier: MIT
// A likelihood of your own: levels that are counts, with one logit where a softmax needs V.
#include <cmath>
#include <iostream>
#include <span>
#include <string>
#include <vector>

#include <pixelrnn/pixelrnn.hpp>

using namespace pixelrnn;

/// p(k) = C(n, k) p^k (1-p)^(n-k) for k = 0 .. n, n = V - 1, with p = logistic(z), one z a channel:
///   -ln p(k) = n·softplus(z) - k·z - ln C(n, k),   d/dz = n·logistic(z) - k.
class Binomial {
 public:
  /// Colours are kept apart by the net's masks, as one logit a channel has no place for others.
  static constexpr bool masks_colours = true;

  explicit Binomial(int levels) : levels_(levels) {}
  int levels() const { return levels_; }
  Index outputs(Index channels) const { return channels; }
  std::string name() const { return "binomial" + std::to_string(levels_); }

  template <class T>
  double nats(const T* logits, std::span<const Images::Level> pixel) const {
    double sum = 0;
    for (const Images::Level level : pixel) sum += nats_of(*logits++, level);
    return sum;
  }
  template <class T>
  void add_gradient(const T* logits, std::span<const Images::Level> pixel, T scale, T* d) const {
    const T n = static_cast<T>(levels_ - 1);
    for (const Images::Level level : pixel) {
      *d++ += scale * (n * simd::logistic(*logits++) - static_cast<T>(level));
    }
  }
  /// What a sampling rule draws from; here simply by working out all levels.
  template <class T>
  EnumeratedLevels conditional(const T* logits, std::span<const Images::Level>, Index channel,
                               std::vector<double>& room) const {
    return {levels_, room, [&](int level) { return -nats_of(logits[channel], level); }};
  }

 private:
  template <class T>
  double nats_of(T z, int level) const {
    const T n = static_cast<T>(levels_ - 1), k = static_cast<T>(level);
    return static_cast<double>(n * simd::softplus(z) - k * z) - log_choose(level);
  }
  /// ln C(V-1, level), as a sum: std::lgamma may write to a global variable, and threads are about.
  double log_choose(int level) const {
    double sum = 0;
    for (int i = 1; i <= level; ++i) sum += std::log(static_cast<double>(levels_ - i) / i);
    return sum;
  }

  int levels_;
};
static_assert(Likelihood<Binomial, float> && Likelihood<Binomial, double>);

/// Images whose pixels are binomial with a logit that depends on the pixel to the left, so that the
/// true nats are known; they are added to `true_nats`.
Images draw_images(Index count, Rng& rng, double& true_nats) {
  const Binomial truth(5);
  std::vector<double> room;
  Images images(count, {6, 6, 1}, truth.levels());
  for (Index i = 0; i < count; ++i) {
    for (Index y = 0; y < 6; ++y) {
      for (Index x = 0; x < 6; ++x) {
        const int left = x > 0 ? images[i](y, x - 1, 0) : 2;
        const double logit = 1.2 * (left - 2);
        const auto p = truth.conditional(&logit, {}, 0, room);
        int level = 0;
        for (double u = rng.uniform(); p.below(level + 1) <= u;) ++level;
        images[i](y, x, 0) = static_cast<Images::Level>(level);
        true_nats -= p.log_probability(level);
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
        return image_nats<execution::Sequential>(Binomial(5), in[0], few.pixels());
      });
  std::cout << "derivatives " << (gradients ? "right" : "wrong, " + gradients.where) << '\n';

  // The probabilities, summed over all 5^4 images of a tiny model.
  const PixelCNN<Binomial> tiny({.image = {2, 2, 1}, .layers = 1, .hidden = 4}, rng, Binomial(5));
  const VerifyReport sum = verify_normalisation(tiny);
  std::cout << "sum of p(x) over " << sum.checked << " images " << sum.value << '\n';

  // Training reaches what the true distribution reaches on the same fresh images.
  double true_nats = 0;
  const Images train_set = draw_images(1500, rng, unused);
  const Images test_set = draw_images(500, rng, true_nats);
  true_nats /= static_cast<double>(test_set.count());
  PixelCNN<Binomial> model({.image = {6, 6, 1}, .layers = 1, .hidden = 8}, rng, Binomial(5));
  Trainer trainer(model, Adam{.learning_rate = 5e-3}, {.schedule = cosine_rate(380)});
  trainer.fit(train_set, {.epochs = 4, .batch_size = 16});
  const double after = evaluate(model, test_set).nats_per_image();
  std::cout << after << " nats an image; the true distribution has " << true_nats << '\n';

  return gradients && sum && std::abs(after / true_nats - 1) < 0.02 ? 0 : 1;
}
