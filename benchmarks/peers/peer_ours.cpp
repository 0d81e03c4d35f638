// SPDX-License-Identifier: MIT
// Our side of the comparison with peers: writes a model and what it computes to a file, then times
// it whenever a line on standard input says so. peers.py is the other end.
#include <chrono>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <pixelrnn/io/safetensors.hpp>

#include "support/cases.hpp"
#include "support/fma_peak.hpp"

namespace {

using namespace pixelrnn;
using namespace pixelrnn::bench;

/// Seconds of one call of f: the mean over as many calls as take `least` seconds, one at least.
template <class F>
double seconds_of(double least, F f) {
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  double elapsed = 0;
  Index calls = 0;
  do {
    f();
    ++calls;
    elapsed = std::chrono::duration<double>(Clock::now() - begin).count();
  } while (elapsed < least);
  return elapsed / static_cast<double>(calls);
}

/// A model to be timed, whatever its type.
class AnyPeer {
 public:
  virtual ~AnyPeer() = default;
  /// Weights, a batch, its logits and the gradients of its mean nats per image, as a file.
  virtual void write(const std::string& path) const = 0;
  /// Seconds of one call of forward, train or sample with so many threads.
  virtual double time(const std::string& what, int threads, double least, Index count) = 0;
  /// Bytes of activations, saved state and gradients in a training step, by the tape's own count.
  [[nodiscard]] virtual std::size_t step_bytes() const = 0;
};

template <class M>
class Peer : public AnyPeer {
 public:
  /// `told` numbers of each pixel go through a network of 16 maps: the large model of a pair.
  Peer(const Case& c, Index layers, const typename M::Likelihood& likelihood = {}, Index told = 0)
      : model_(make(c, layers, likelihood, told)),
        images_(noise(c.batch, c.image, model_.likelihood().levels())),
        x_(images_.pixels().shape()) {
    // Biases and initial states are born zero: a peer could forget them unnoticed.
    Rng rng(2);
    for (const auto& [name, parameter] : parameters(model_)) {
      const Shape<4>& s = parameter->shape();
      if (s.count() != s.c()) continue;
      for (float& v : parameter->value()) v = static_cast<float>(rng.uniform(-0.1, 0.1));
    }
    encode(model_, images_.pixels(), x_);
    if (told > 0) {
      images_.set_condition_maps(noise_map({c.batch, c.image.height, c.image.width, told}));
    }
  }

  void write(const std::string& path) const override {
    Tape<float> tape({.threads = 2});
    Gradients gradients(model_);
    const Variable<float> logits = logits_given(model_, tape.constant(x_), images_.conditions());
    const Variable<float> loss =
        mean(image_nats<execution::OpenMP>(model_.likelihood(), logits, images_.pixels()));
    Tensor<std::uint8_t, 4> levels(images_.pixels().shape());
    std::copy(images_.pixels().begin(), images_.pixels().end(), levels.view().begin());
    std::vector<StoredTensor> tensors{stored("images", levels), stored("logits", logits.value())};
    const ConditionView told = images_.conditions();
    if (!told.maps.empty()) tensors.push_back(stored("told", told.maps));
    const nlohmann::json facts{{"loss", loss.value().data()[0]},
                               {"levels", model_.likelihood().levels()},
                               {"forward_flop", forward_flop(model_, images_.count())},
                               {"train_flop", train_flop(model_, images_.count())},
                               {"parameters", parameter_count(model_)}};
    tape.backward(loss, gradients);
    for (const auto& [name, parameter] : parameters(model_)) {
      tensors.push_back(stored("weights." + name, parameter->value()));
      tensors.push_back(stored("gradients." + name, gradients[*parameter]));
    }
    std::map<std::string, std::string> words = model_.describe();
    words["facts"] = facts.dump();
    write_safetensors(path, tensors, words);
  }

  double time(const std::string& what, int threads, double least, Index count) override {
    if (what == "forward") {
      if (tape_ == nullptr || tape_->threads() != threads) {
        tape_ = std::make_unique<Tape<float>>(TapeOptions{.threads = threads, .record = false});
        warm_up([&] { forward(); });
      }
      return seconds_of(least, [&] { forward(); });
    }
    if (what == "train") {
      if (trainer_ == nullptr || trainer_threads_ != threads) {
        trainer_threads_ = threads;
        trainer_ = std::make_unique<Trainer<M, RMSProp>>(model_, RMSProp{.learning_rate = 1e-5},
                                                         TrainerOptions{.threads = threads});
        warm_up([&] { train(); });
      }
      return seconds_of(least, [&] { train(); });
    }
    if (what == "sample") {
      return seconds_of(least, [&] {
        static_cast<void>(sample(model_, count, {.seed = ++seed_, .threads = threads}));
      });
    }
    throw std::invalid_argument("unknown work: " + what);
  }
  [[nodiscard]] std::size_t step_bytes() const override {
    return trainer_ == nullptr ? 0 : trainer_->peak_bytes();
  }

 private:
  static M make(const Case& c, Index layers, const typename M::Likelihood& likelihood, Index told) {
    Rng rng(1);
    auto config = config_of<M>(c);
    if (layers > 0) config.layers = layers;
    if (told > 0) config.condition = {.channels = told, .features = 16};
    return M(config, rng, likelihood);
  }
  /// The first calls make room; the tape then merges what it was given into one block.
  template <class F>
  static void warm_up(F f) {
    for (int call = 0; call < 3; ++call) f();
  }
  void forward() {
    tape_->reset();
    static_cast<void>(logits_given(model_, tape_->constant(x_), images_.conditions()));
  }
  void train() {
    trainer_->fit(images_, {.epochs = std::numeric_limits<Index>::max(),
                            .steps = trainer_->steps() + 1,
                            .batch_size = images_.count()});
  }

  M model_;
  Images images_;
  FeatureMap<float> x_;
  std::unique_ptr<Tape<float>> tape_;
  std::unique_ptr<Trainer<M, RMSProp>> trainer_;
  int trainer_threads_ = 0;
  std::uint64_t seed_ = 0;
};

template <class L>
std::unique_ptr<AnyPeer> make_peer(const std::string& net, const Case& c, Index layers) {
  using kernels::Xsimd;
  if (net == "diagonal_bilstm") return std::make_unique<Peer<DiagonalNet<L, Xsimd>>>(c, layers);
  if (net == "row_lstm") return std::make_unique<Peer<RowNet<L, Xsimd>>>(c, layers);
  if (net == "pixel_cnn") return std::make_unique<Peer<ConvNet<L, Xsimd>>>(c, layers);
  if (net == "spatial_lstm") return std::make_unique<Peer<SpatialNet<L, Xsimd>>>(c, layers);
  if (net == "gated_pixel_cnn") return std::make_unique<Peer<GatedNet<L, Xsimd>>>(c, layers);
  if (net == "multiscale") {
    return std::make_unique<Peer<DiagonalNet<L, Xsimd>>>(c, layers, L(), 2);
  }
  if (net == "mixture") {
    using Net = ConvNet<LogisticMixture, Xsimd>;
    return std::make_unique<Peer<Net>>(c, layers, LogisticMixture(256, 10));
  }
  throw std::invalid_argument("unknown net: " + net);
}
std::unique_ptr<AnyPeer> make_peer(const std::string& net, const std::string& name, Index layers,
                                   Index batch) {
  for (Case c : mnist_cases) {
    if (batch > 0) c.batch = batch;
    if (c.name == name) return make_peer<Bernoulli>(net, c, layers);
  }
  for (Case c : cifar_cases) {
    if (batch > 0) c.batch = batch;
    if (c.name == name) return make_peer<Categorical>(net, c, layers);
  }
  for (Case c : sound_cases) {
    if (batch > 0) c.batch = batch;
    if (c.name == name && net == "wavenet") {
      return std::make_unique<Peer<SoundNet<Categorical, kernels::Xsimd>>>(c, layers);
    }
  }
  throw std::invalid_argument("unknown case: " + name + " of " + net);
}

/// Bytes a second at which `threads` threads read as many bytes again and again: what weights that
/// no longer fit a core's own caches cost.
double bandwidth(Index bytes, int threads) {
  const Index count = bytes / static_cast<Index>(sizeof(float)) / threads;
  const FeatureMap<float> weights = noise_map({1, threads, 1, count});
  FeatureMap<float> sums({1, threads, 1, 64});
  const double seconds = seconds_of(0.2, [&] {
    execution::OpenMP::for_each(threads, threads, [&](Index thread, Index) {
      constexpr Index lanes = simd::lanes<float>;
      const float* from = weights.data() + thread * count;
      simd::Batch<float> sum[4] = {simd::Batch<float>(0.0f), simd::Batch<float>(0.0f),
                                   simd::Batch<float>(0.0f), simd::Batch<float>(0.0f)};
      for (Index i = 0; i + 4 * lanes <= count; i += 4 * lanes) {
        for (Index v = 0; v < 4; ++v) sum[v] = sum[v] + simd::load(from + i + v * lanes);
      }
      for (Index v = 0; v < 4; ++v) simd::store(&sums(0, thread, 0, 0), sum[v]);
    });
  });
  return static_cast<double>(bytes) / seconds;
}

/// Answers each line with one line, until there are no more:
///   load PATH NET CASE LAYERS [BATCH]
///                                   makes a model and images (0: as many layers or images as the
///                                   case has) and writes them to PATH
///   WORK THREADS SECONDS [COUNT]    seconds of one forward, train or sample (of COUNT images)
///   step_bytes                      memory of a training step, once there was one
///   peak THREADS                    FLOP/s of the multiply-add units
///   bandwidth BYTES THREADS         bytes a second of reading that much memory
void serve(std::istream& in, std::ostream& out) {
  std::unique_ptr<AnyPeer> peer;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string what;
    words >> what;
    if (what == "load") {
      std::string path, net, name;
      Index layers = 0, batch = 0;
      words >> path >> net >> name >> layers >> batch;
      peer = make_peer(net, name, layers, batch);
      peer->write(path);
      out << "ok";
    } else if (what == "peak") {
      int threads = 1;
      words >> threads;
      out << fma_peak(threads);
    } else if (what == "bandwidth") {
      Index bytes = 0;
      int threads = 1;
      words >> bytes >> threads;
      out << bandwidth(bytes, threads);
    } else if (peer == nullptr) {
      throw std::invalid_argument("load a model first");
    } else if (what == "step_bytes") {
      out << peer->step_bytes();
    } else {
      int threads = 1;
      double least = 0;
      Index count = 1;
      words >> threads >> least >> count;
      out << peer->time(what, threads, least, count);
    }
    out << std::endl;
  }
}

}  // namespace

int main() {
  try {
    serve(std::cin, std::cout);
  } catch (const std::exception& error) {
    std::cerr << "pixelrnn_peer: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
