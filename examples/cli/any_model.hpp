// SPDX-License-Identifier: MIT
// AnyModel: models and trainers of the library, whose types are fixed when compiling, at run time.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include <pixelrnn/io/checkpoint.hpp>
#include <pixelrnn/io/weight_names.hpp>
#include <pixelrnn/sampling/sample.hpp>
#include <pixelrnn/training/classify.hpp>
#include <pixelrnn/training/trainer.hpp>
#include <pixelrnn/verify/receptive_field.hpp>

#include "nets.hpp"
#include "training_set.hpp"

namespace cli {

/// A sampling rule with its temperature chosen at run time: 0 takes the most probable level.
struct AnyRule {
  double temperature = 1;

  void check() const {
    if (temperature != 0) Temperature{temperature}.check();
  }
  template <class P>
  [[nodiscard]] int draw(const P& p, double u, const DrawSite& site) const {
    if (temperature == 0) return Argmax{}.draw(p, u, site);
    if (temperature == 1) return Multinomial{}.draw(p, u, site);
    return Temperature{temperature}.draw(p, u, site);
  }
};
static_assert(SamplingRule<AnyRule>);

enum class AnySampler { cached, full };
using AnyUpdateRule = std::variant<SGD, RMSProp, Adam>;

/// A Trainer of whatever model and rule.
class AnyTrainer {
 public:
  virtual ~AnyTrainer() = default;
  virtual FitReport fit(const TrainingSet& data, const FitOptions& options) = 0;
  virtual void save(const std::filesystem::path& path, const Metadata& extra) = 0;
  virtual void load(const std::filesystem::path& path) = 0;
  [[nodiscard]] virtual Index steps() const = 0;
  [[nodiscard]] virtual Index epoch() const = 0;
  [[nodiscard]] virtual Index position() const = 0;
  [[nodiscard]] virtual std::size_t peak_bytes() const = 0;
};

/// A model of whatever kind and likelihood. Each function is the library's of the same name.
class AnyModel {
 public:
  struct ParameterInfo {
    std::string name;
    Shape<4> shape;
    Index trained = 0;  ///< elements that no mask forbids
  };
  /// Useful FLOP for one image, element-wise work not counted. A training step is three times the
  /// forward pass (each product once more for the gradient of either factor), less the gradient
  /// that nobody asks for: that of the first layer's input, the image.
  struct Flops {
    Index forward = 0, training = 0;
  };

  virtual ~AnyModel() = default;
  [[nodiscard]] virtual ImageShape image_shape() const = 0;
  [[nodiscard]] virtual int levels() const = 0;
  [[nodiscard]] virtual Condition condition() const = 0;
  [[nodiscard]] virtual Metadata describe() const = 0;
  [[nodiscard]] virtual std::vector<ParameterInfo> parameters() const = 0;
  [[nodiscard]] virtual Flops flops() const = 0;

  [[nodiscard]] virtual Evaluation evaluate(const Images& images,
                                            const EvaluateOptions& options) const = 0;
  [[nodiscard]] virtual ClassEvaluation evaluate_classes(const Images& images,
                                                         const EvaluateOptions& options) const = 0;
  [[nodiscard]] virtual Tensor<double, 4> nats_map(const Images& images,
                                                   const EvaluateOptions& options) const = 0;
  [[nodiscard]] virtual FeatureMap<float> logits_map(const Images& images,
                                                     const EvaluateOptions& options) const = 0;
  [[nodiscard]] virtual Images complete(const Images& known, const KeepMask& keep,
                                        const SampleOptions& options, AnyRule rule,
                                        AnySampler sampler) const = 0;
  [[nodiscard]] virtual Images sample(Index count, const SampleOptions& options, AnyRule rule,
                                      AnySampler sampler) const = 0;
  [[nodiscard]] virtual Tensor<unsigned char, 2> receptive_field(
      Index row, Index column, const VerifyOptions& options) const = 0;
  /// What runs one forward pass over these images, without gradients, each time it is called.
  [[nodiscard]] virtual std::function<void()> forward_pass(const Images& images,
                                                           int threads) const = 0;
  /// Views that are good while the model lives.
  [[nodiscard]] virtual std::vector<NamedTensor<float>> weights() = 0;
  /// Weights alone, with words beside those that describe the model.
  virtual void save(const std::filesystem::path& path, const Metadata& extra) const = 0;
  /// Its weights are rounded.
  virtual void save_in_half(const std::filesystem::path& path, const Metadata& extra) = 0;
  virtual void import_weights(const std::filesystem::path& path, const WeightNames& names) = 0;
  virtual void export_weights(const std::filesystem::path& path,
                              const WeightNames& names) const = 0;
  /// The model must outlive the trainer.
  [[nodiscard]] virtual std::unique_ptr<AnyTrainer> trainer(const AnyUpdateRule& rule,
                                                            const TrainerOptions& options) = 0;

  [[nodiscard]] Index parameter_count() const {
    Index count = 0;
    for (const ParameterInfo& parameter : parameters()) count += parameter.trained;
    return count;
  }
};

/// A model with fresh weights. Throws ConfigError on a kind, initial state or number of levels that
/// this program does not have.
[[nodiscard]] std::unique_ptr<AnyModel> make_model(const ModelSpec& spec, Rng& rng);

/// What a model file says its model is. Throws ConfigError if its words are not those of a model of
/// this program, or promise more weights than the file holds.
[[nodiscard]] ModelSpec spec_of(const std::filesystem::path& path);

/// A model out of a file. Throws likewise: nothing large is made on its word.
[[nodiscard]] std::unique_ptr<AnyModel> load_model(const std::filesystem::path& path,
                                                   StoredWeights which);

}  // namespace cli
