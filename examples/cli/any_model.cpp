// SPDX-License-Identifier: MIT
// Behind AnyModel: one model and three trainers for each kind of likelihood, all over an erased
// net.
#include "any_model.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include <pixelrnn/io/foreign_weights.hpp>
#include <pixelrnn/io/half_weights.hpp>
#include <pixelrnn/io/load_model.hpp>
#include <pixelrnn/pixelrnn.hpp>

#include "likelihoods.hpp"

namespace cli {
namespace {

template <Model M, UpdateRule Rule>
class TrainerOf final : public AnyTrainer {
 public:
  TrainerOf(M& model, const Rule& rule, const TrainerOptions& options)
      : trainer_(model, rule, options) {}

  FitReport fit(const TrainingSet& data, const FitOptions& options) override {
    return trainer_.fit(data, options);
  }
  void save(const std::filesystem::path& path, const Metadata& extra) override {
    save_checkpoint(path, trainer_, extra);
  }
  void load(const std::filesystem::path& path) override { load_checkpoint(path, trainer_); }
  Index steps() const override { return trainer_.steps(); }
  Index epoch() const override { return trainer_.epoch(); }
  Index position() const override { return trainer_.position(); }
  std::size_t peak_bytes() const override { return trainer_.peak_bytes(); }

 private:
  Trainer<M, Rule> trainer_;
};

Net make_net(const ModelSpec& spec, Rng& rng) {
  if (spec.kind == "pixel_cnn") return make_pixel_cnn(spec, rng);
  if (spec.kind == "gated_pixel_cnn") return make_gated_pixel_cnn(spec, rng);
  if (spec.kind == "spatial_lstm") return make_spatial_lstm(spec, rng);
  if (spec.kind == "row_lstm") return make_row_lstm(spec, rng);
  if (spec.kind == "diagonal_bilstm") return make_diagonal_bilstm(spec, rng);
  if (spec.kind == "wavenet") return make_wave_net(spec, rng);
  std::string known;
  for (const char* const kind : kinds) known += known.empty() ? kind : std::string(", ") + kind;
  detail::fail<ConfigError>("the model is ", spec.kind, ", expected one of ", known);
}

/// But for the likelihood.
ModelSpec spec_in(const ModelWords& words) {
  ModelSpec spec;
  spec.kind = words["model"];
  words.read(spec);
  if (spec.kind == "gated_pixel_cnn") {
    words.read_kernels(spec);
  } else if (spec.kind == "wavenet") {
    words.read_cycle(spec);
  } else {
    words.read_skip(spec);
    words.read_stream(spec);
    if (spec.kind != "pixel_cnn") {
      spec.initial_state = words["initial_state"];
      words.read_residual(spec);
      words.read_block(spec);
    }
  }
  return spec;
}

/// Throws ConfigError if the words promise more weights than a file of so many bytes holds.
void require_room(const ModelWords& words, const ModelSpec& spec, std::uint64_t bytes) {
  words.require_room(spec, bytes,
                     spec.kind == "gated_pixel_cnn" ? words.gated_kernels(spec)
                     : spec.kind == "wavenet"       ? words.wave_kernels(spec)
                                                    : 0);
}

/// A model of the library over an erased net: one type for all kinds of nets, which compile once.
template <class L>
class ErasedModel : public ImageModel<AnyLayer, L> {
 public:
  ErasedModel(const ModelSpec& spec, Net net, const L& likelihood, Rng& rng)
      : ImageModel<AnyLayer, L>(spec.image, std::move(net.layer), likelihood,
                                std::move(net.description), spec.encoding, spec.condition, rng,
                                spec.orientation),
        first_layer_flops(net.first_layer_flops) {}

  static std::optional<ErasedModel> made_of(const ModelWords& words, std::uint64_t bytes) {
    const std::optional<L> likelihood = words.likelihood<L>();
    if (!likelihood) return std::nullopt;
    ModelSpec spec = spec_in(words);
    spec.levels = likelihood->levels();
    if constexpr (requires { likelihood->components(); })
      spec.components = likelihood->components();
    require_room(words, spec, bytes);
    Rng rng(0);  // every weight is replaced
    Net net = make_net(spec, rng);
    return ErasedModel(spec, std::move(net), *likelihood, rng);
  }

  Index first_layer_flops;
};

template <class L>
class ModelOf final : public AnyModel {
 public:
  using M = ErasedModel<L>;

  explicit ModelOf(M model) : model_(std::move(model)) {}

  ImageShape image_shape() const override { return model_.image_shape(); }
  int levels() const override { return model_.likelihood().levels(); }
  Condition condition() const override { return model_.condition(); }
  Metadata describe() const override { return model_.describe(); }
  std::vector<ParameterInfo> parameters() const override {
    std::vector<ParameterInfo> result;
    for (const auto& [name, parameter] : pixelrnn::parameters(model_)) {
      result.push_back({name, parameter->shape(), parameter->trained()});
    }
    return result;
  }
  Flops flops() const override {
    const ImageShape image = model_.image_shape();
    const Index forward = pixelrnn::flops(model_.net(), image.height, image.width);
    return {forward, 3 * forward - model_.first_layer_flops};
  }
  Evaluation evaluate(const Images& images, const EvaluateOptions& options) const override {
    return pixelrnn::evaluate(model_, images, options);
  }
  ClassEvaluation evaluate_classes(const Images& images,
                                   const EvaluateOptions& options) const override {
    return pixelrnn::evaluate_classes(model_, images, options);
  }
  Tensor<double, 4> nats_map(const Images& images, const EvaluateOptions& options) const override {
    return pixelrnn::nats_map(model_, images, options);
  }
  FeatureMap<float> logits_map(const Images& images,
                               const EvaluateOptions& options) const override {
    return pixelrnn::logits_map(model_, images, options);
  }
  Images complete(const Images& known, const KeepMask& keep, const SampleOptions& options,
                  AnyRule rule, AnySampler sampler) const override {
    return sampler == AnySampler::cached
               ? pixelrnn::complete(model_, known, keep, options, rule, Cached{})
               : pixelrnn::complete(model_, known, keep, options, rule, FullForward{});
  }
  Images sample(Index count, const SampleOptions& options, AnyRule rule,
                AnySampler sampler) const override {
    return sampler == AnySampler::cached
               ? pixelrnn::sample(model_, count, options, rule, Cached{})
               : pixelrnn::sample(model_, count, options, rule, FullForward{});
  }
  Tensor<unsigned char, 2> receptive_field(Index row, Index column,
                                           const VerifyOptions& options) const override {
    return pixelrnn::receptive_field(model_, row, column, options);
  }
  std::function<void()> forward_pass(const Images& images, int threads) const override {
    struct Pass {
      Pass(Shape<4> shape, int threads)
          : input(shape), tape({.threads = threads, .record = false}) {}
      FeatureMap<float> input;
      Tape<float> tape;
    };
    const auto pass = std::make_shared<Pass>(images.pixels().shape(), threads);
    encode(model_, images.pixels(), pass->input.view());
    return [this, pass] {
      pass->tape.reset();
      static_cast<void>(model_.logits(pass->tape.constant(pass->input)));
    };
  }
  std::vector<NamedTensor<float>> weights() override { return weights_of(model_); }
  void save(const std::filesystem::path& path, const Metadata& extra) const override {
    save_weights(path, model_, extra);
  }
  void save_in_half(const std::filesystem::path& path, const Metadata& extra) override {
    round_to_half(model_);
    save_half_weights(path, model_, extra);
  }
  void import_weights(const std::filesystem::path& path, const WeightNames& names) override {
    pixelrnn::import_weights(path, model_, names);
  }
  void export_weights(const std::filesystem::path& path, const WeightNames& names) const override {
    pixelrnn::export_weights(path, model_, names);
  }
  std::unique_ptr<AnyTrainer> trainer(const AnyUpdateRule& rule,
                                      const TrainerOptions& options) override {
    return std::visit(
        [&]<class Rule>(const Rule& chosen) -> std::unique_ptr<AnyTrainer> {
          return std::make_unique<TrainerOf<M, Rule>>(model_, chosen, options);
        },
        rule);
  }

 private:
  M model_;
};

}  // namespace

std::unique_ptr<AnyModel> make_model(const ModelSpec& spec, Rng& rng) {
  return with_likelihood(spec, [&]<class L>(const L& likelihood) -> std::unique_ptr<AnyModel> {
    Net net = make_net(spec, rng);
    return std::make_unique<ModelOf<L>>(ErasedModel<L>(spec, std::move(net), likelihood, rng));
  });
}

ModelSpec spec_of(const std::filesystem::path& path) {
  const ModelWords words(path.string(), read_metadata(path));
  ModelSpec spec = spec_in(words);
  if (words.likelihood<Bernoulli>()) {
    spec.levels = 2;
  } else if (const auto softmax = words.likelihood<Categorical>()) {
    spec.levels = softmax->levels();
  } else if (const auto mixture = words.likelihood<LogisticMixture>()) {
    spec.levels = mixture->levels(), spec.components = mixture->components();
  } else {
    words.refuse("likelihood", words["likelihood"],
                 "bernoulli, categorical<levels> or logistic_mixture<levels>x<components>");
  }
  require_room(words, spec, std::filesystem::file_size(path));
  return spec;
}

std::unique_ptr<AnyModel> load_model(const std::filesystem::path& path, StoredWeights which) {
  return std::visit(
      []<class L>(ErasedModel<L>&& model) -> std::unique_ptr<AnyModel> {
        return std::make_unique<ModelOf<L>>(std::move(model));
      },
      pixelrnn::load_model<ErasedModel<Bernoulli>, ErasedModel<Categorical>,
                           ErasedModel<LogisticMixture>>(path, which));
}

}  // namespace cli
