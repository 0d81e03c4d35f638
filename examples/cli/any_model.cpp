// SPDX-License-Identifier: MIT
// Behind AnyModel: one model and three trainers for each kind of likelihood, all over an erased
// net.
#include "any_model.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

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

template <class L>
class ModelOf final : public AnyModel {
 public:
  using M = ImageModel<AnyLayer, L>;

  ModelOf(const ModelSpec& spec, Net net, L likelihood)
      : model_(spec.image, std::move(net.layer), likelihood, std::move(net.description),
               spec.encoding),
        first_layer_flops_(net.first_layer_flops) {}

  ImageShape image_shape() const override { return model_.image_shape(); }
  int levels() const override { return model_.likelihood().levels(); }
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
    return {forward, 3 * forward - first_layer_flops_};
  }
  void load(const std::filesystem::path& path, StoredWeights which) override {
    load_weights(path, model_, which);
  }

  Evaluation evaluate(const Images& images, const EvaluateOptions& options) const override {
    return pixelrnn::evaluate(model_, images, options);
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
  Index first_layer_flops_;
};

Net make_net(const ModelSpec& spec, Rng& rng) {
  if (spec.kind == "pixel_cnn") return make_pixel_cnn(spec, rng);
  if (spec.kind == "row_lstm") return make_row_lstm(spec, rng);
  if (spec.kind == "diagonal_bilstm") return make_diagonal_bilstm(spec, rng);
  detail::fail<ConfigError>("the model is ", spec.kind,
                            ", expected pixel_cnn, row_lstm or diagonal_bilstm");
}

/// The words of a model file, taken for what a stranger wrote.
class Words {
 public:
  Words(const std::filesystem::path& path, const Metadata& words) : path_(path), words_(words) {}

  [[nodiscard]] const std::string& operator[](const char* key) const {
    const auto word = words_.find(key);
    if (word == words_.end()) detail::fail<ConfigError>(path_, ": the word ", key, " is missing");
    return word->second;
  }
  /// A whole number from 1 to 2^24: far more of anything than a model has.
  [[nodiscard]] Index size(const char* key) const { return parse((*this)[key], key); }
  [[nodiscard]] bool flag(const char* key) const {
    const std::string& text = (*this)[key];
    if (text != "true" && text != "false") fail(key, text, "true or false");
    return text == "true";
  }
  /// "28x28x1"
  [[nodiscard]] ImageShape image() const {
    const std::string& text = (*this)["image"];
    const std::size_t first = text.find('x');
    const std::size_t second = first == text.npos ? text.npos : text.find('x', first + 1);
    if (second == text.npos) fail("image", text, "HEIGHTxWIDTHxCHANNELS");
    const ImageShape image{parse(text.substr(0, first), "image"),
                           parse(text.substr(first + 1, second - first - 1), "image"),
                           parse(text.substr(second + 1), "image")};
    if (!is_small(image)) fail("image", text, "at most 2^24 sub-pixels");
    return image;
  }
  /// bernoulli: 2; categorical16: 16
  [[nodiscard]] int levels() const {
    const std::string& text = (*this)["likelihood"];
    if (text == Bernoulli::name()) return Bernoulli::levels();
    const std::string prefix = "categorical";
    if (!text.starts_with(prefix)) fail("likelihood", text, "bernoulli or categorical<levels>");
    return static_cast<int>(parse(text.substr(prefix.size()), "likelihood"));
  }
  /// "-1..1", which files of earlier versions do not say, or "0..1"
  [[nodiscard]] Encoding encoding() const {
    const auto word = words_.find("encoding");
    const std::optional<Encoding> encoding =
        word == words_.end() ? Encoding::scaled : encoding_named(word->second);
    if (!encoding || *encoding == Encoding::level) {
      fail("encoding", word->second, "-1..1 or 0..1");
    }
    return *encoding;
  }

 private:
  [[nodiscard]] Index parse(const std::string& text, const char* key) const {
    Index value = 0;
    const char* const end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || stopped != end || value < 1 || value > largest_size) {
      fail(key, text, "a whole number from 1 to 2^24");
    }
    return value;
  }
  [[noreturn]] void fail(const char* key, const std::string& found, const char* expected) const {
    detail::fail<ConfigError>(path_, ": ", key, " is ", detail::in_quotes(found), ", expected ",
                              expected);
  }

  const std::filesystem::path& path_;
  const Metadata& words_;
};

}  // namespace

std::unique_ptr<AnyModel> make_model(const ModelSpec& spec, Rng& rng) {
  return with_likelihood(
      spec.levels, [&]<class L>(const L& likelihood) -> std::unique_ptr<AnyModel> {
        return std::make_unique<ModelOf<L>>(spec, make_net(spec, rng), likelihood);
      });
}

ModelSpec spec_of(const std::filesystem::path& path) {
  const Metadata metadata = read_metadata(path);
  const Words words(path, metadata);
  ModelSpec spec;
  spec.kind = words["model"];
  spec.image = words.image();
  spec.levels = words.levels();
  spec.layers = words.size("layers");
  spec.hidden = words.size("hidden");
  spec.head = words.size("head");
  spec.skip = words.flag("skip");
  spec.encoding = words.encoding();
  if (spec.kind != "pixel_cnn") spec.initial_state = words["initial_state"];

  // A lower bound of the weights such a model has, in double: it may be absurdly large.
  const double hidden = static_cast<double>(spec.hidden), head = static_cast<double>(spec.head);
  const double least = static_cast<double>(spec.layers) * 2 * hidden * hidden + 2 * hidden * head +
                       head * head + head * static_cast<double>(spec.image.channels);
  // A weight takes two bytes or more, and a file of more than this is not read at all.
  const std::uint64_t bytes =
      std::min<std::uint64_t>(std::filesystem::file_size(path), default_max_bytes);
  if (least > static_cast<double>(bytes) / 2) {
    detail::fail<ConfigError>(path, ": a model of ", spec.layers, " layers, hidden ", spec.hidden,
                              " and head ", spec.head, " has at least ", least,
                              " weights, the file only ", bytes, " bytes");
  }
  return spec;
}

std::unique_ptr<AnyModel> load_model(const std::filesystem::path& path, StoredWeights which) {
  Rng rng(0);  // every weight is replaced
  std::unique_ptr<AnyModel> model = make_model(spec_of(path), rng);
  model->load(path, which);
  return model;
}

}  // namespace cli
