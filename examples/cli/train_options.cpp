// SPDX-License-Identifier: MIT
// The options of pixelrnn train, and what becomes of them when a training is resumed or starts from
// a model.
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "options.hpp"
#include "output.hpp"
#include "validators.hpp"

namespace cli {
namespace {

/// A word as a shell reads it back.
std::string quoted_word(const std::string& word) {
  const char* const plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=:,+@%";
  if (!word.empty() && word.find_first_not_of(plain) == word.npos) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  quoted += '\'';
  return quoted;
}

/// The command line as it was given, but for --resume and --start-from.
std::string repeatable(const std::vector<std::string>& arguments) {
  std::string line;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i].starts_with("--resume=") || arguments[i].starts_with("--start-from="))
      continue;
    if (arguments[i] == "--resume" || arguments[i] == "--start-from") {
      ++i;
      continue;
    }
    if (!line.empty()) line += ' ';
    line += quoted_word(arguments[i]);
  }
  return line;
}

using OptionWord = std::pair<const char*, const char*>;

/// What is taken from a file where the command line is silent, option and word: of the model, by
/// --resume and --start-from, ...
constexpr OptionWord model_options[] = {
    {"--model", "model"},
    {"--layers", "layers"},
    {"--hidden", "hidden"},
    {"--head", "head"},
    {"--initial-state", "initial_state"},
    {"--first-kernel", "first_kernel"},
    {"--kernel", "kernel"},
    {"--cycle", "cycle"},
    {"--dilations", "dilations"},
};
/// ... and of the training, by --resume alone.
constexpr OptionWord training_options[] = {
    {"--condition", "option.condition"},
    {"--condition-channels", "option.condition-channels"},
    {"--classes", "option.classes"},
    {"--limit", "option.limit"},
    {"--epochs", "option.epochs"},
    {"--steps", "option.steps"},
    {"--batch-size", "option.batch-size"},
    {"--optimizer", "option.optimizer"},
    {"--learning-rate", "option.learning-rate"},
    {"--momentum", "option.momentum"},
    {"--schedule", "option.schedule"},
    {"--warmup", "option.warmup"},
    {"--clip-norm", "option.clip-norm"},
    {"--average-decay", "option.average-decay"},
    {"--dropout", "option.dropout"},
    {"--patience", "option.patience"},
    {"--seed", "option.seed"},
};

Metadata words_of(const Train& train) {
  Metadata words = words_of(train.preparation);
  words["option.condition"] = train.condition;
  words["option.condition-channels"] = std::to_string(train.condition_channels);
  if (train.classes) words["option.classes"] = std::to_string(*train.classes);
  words["option.limit"] = std::to_string(train.limit);
  words["option.epochs"] = std::to_string(train.epochs);
  words["option.steps"] = std::to_string(train.steps);
  words["option.batch-size"] = std::to_string(train.batch_size);
  words["option.optimizer"] = train.optimizer;
  if (train.learning_rate) words["option.learning-rate"] = format("%.17g", *train.learning_rate);
  words["option.momentum"] = format("%.17g", train.momentum);
  words["option.schedule"] = train.schedule;
  words["option.warmup"] = std::to_string(train.warmup);
  words["option.clip-norm"] = format("%.17g", train.clip_norm);
  words["option.average-decay"] = format("%.17g", train.average_decay);
  words["option.dropout"] = format("%.17g", train.dropout);
  words["option.patience"] = std::to_string(train.patience);
  words["option.seed"] = std::to_string(train.seed);
  return words;
}

/// Gives the option the word of a file, if the command line is silent.
void take_option(CLI::App& parser, const std::string& file, const Metadata& words,
                 const OptionWord& named) {
  const auto& [name, key] = named;
  CLI::Option* const option = parser.get_option(name);
  const auto word = words.find(key);
  if (option->count() != 0 || word == words.end()) return;
  try {
    option->add_result(word->second);
    option->run_callback();
  } catch (const CLI::ParseError&) {
    detail::fail<ConfigError>(file, ": ", key, " is ", detail::in_quotes(word->second), ", which ",
                              name, " does not take");
  }
}

/// Completes the options of the model from a file.
void complete_model(CLI::App& parser, Train& train, const std::string& file, const ModelSpec& spec,
                    const Metadata& words) {
  for (const OptionWord& named : model_options) take_option(parser, file, words, named);
  ModelSpec& model = train.model;  // whose flags can only be given
  model.skip = model.skip || spec.skip;
  model.residual = model.residual && spec.residual;
  model.upsample = model.upsample && spec.upsample;
  model.padding_bias = model.padding_bias || spec.padding_bias;
  model.head_relu_first = model.head_relu_first && spec.head_relu_first;
  model.first_gated = model.first_gated && spec.first_gated;
  model.head_elu = model.head_elu || spec.head_elu;
  if (spec.encoding != Encoding::scaled) model.encoding = spec.encoding;
  if (parser.get_option("--stream")->count() == 0) model.stream = spec.stream;
  if (parser.get_option("--mixture")->count() == 0) model.components = spec.components;
  if (parser.get_option("--orientation")->count() == 0) model.orientation = spec.orientation;
}

/// What the model of --start-from is told, where the command line is silent.
void complete_condition(CLI::App& parser, Train& train, const Condition& condition,
                        bool told_scale) {
  if (parser.get_option("--condition")->count() == 0) {
    train.condition = condition.classes > 0                   ? "class"
                      : condition.channels > 0 && !told_scale ? "maps"
                                                              : "none";
  }
  if (parser.get_option("--condition-channels")->count() == 0 && condition.width() > 0) {
    train.condition_channels = condition.width();
  }
  if (!train.classes && condition.classes > 0) train.classes = condition.classes;
}

/// Completes the options from the file to be resumed or started from, and makes the words of the
/// file to come.
void complete_options(CLI::App& parser, Train& train, const PreparationOptions& given) {
  Preparation fallback = holds_sound(train.data) ? preparation_of_sound() : Preparation();
  const bool resumes = !train.resume.empty();
  const std::string& file = resumes ? train.resume : train.start_from;
  Metadata words;  // of that file
  if (!file.empty()) {
    words = read_metadata(file);
    const ModelSpec spec = spec_of(file);
    complete_model(parser, train, file, spec, words);
    fallback = preparation_in(words, spec.levels, spec.image);
    if (resumes) {
      for (const OptionWord& named : training_options) {
        // A limit that was reached would end this run before it begins.
        const auto steps = words.find("trainer.steps"), limit = words.find("option.steps");
        const bool reached = named.second == std::string_view("option.steps") &&
                             steps != words.end() && limit != words.end() &&
                             steps->second == limit->second;
        if (!reached) take_option(parser, file, words, named);
      }
      train.keep_best = train.keep_best || words.contains("trainer.keep_best");
      // They are the same data, of which that has been said already.
      if (words.contains("data.levels")) fallback.must_reach = 0;
    } else {
      complete_condition(parser, train, spec.condition, fallback.told_scale > 1);
      // One scale that is given stands for both.
      if (given.scale && !given.told_scale) fallback.told_scale = 1;
      // Weights have channels, but no size; of sound that is the piece.
      fallback.grey = fallback.grey || spec.image.channels == 1;
      if (holds_sound(train.data)) fallback.piece = spec.image.width;
      fallback.image.reset();
    }
  }
  PreparationOptions options = given;
  if (given.binarize == "none" && !given.levels && file.empty()) {
    options.levels = given.data_levels.value_or(256);
  }
  train.preparation = options.over(fallback);
  train.words = words_of(train);
  if (train.starts_from_model()) train.words[Train::start_word] = train.start_from;
  const auto start = words.find(Train::start_word);
  if (resumes && start != words.end()) train.words.insert(*start);
}

}  // namespace

Command add_train(CLI::App& app, const std::vector<std::string>& arguments) {
  CLI::App* const parser = app.add_subcommand("train", "Fit a model to images");
  const auto train = std::make_shared<Train>();
  const auto preparation = std::make_shared<PreparationOptions>();
  add_data(*parser, train->data, train->labels, train->told);
  parser->add_option("--limit", train->limit, "Use the first so many images; 0: all")
      ->transform(whole(0))
      ->capture_default_str();
  CLI::Option* const valid =
      parser->add_option("--valid", train->validation, "Images to evaluate after every epoch");
  parser->add_option("--valid-labels", train->validation_labels, "Their labels, as --labels")
      ->needs(valid)
      ->check(file_name());
  parser->add_option("--valid-told", train->validation_told, "What is told of them, as --told")
      ->needs(valid)
      ->check(file_name());
  parser->add_option("--valid-limit", train->validation_limit, "Likewise; 0: all")
      ->needs(valid)
      ->transform(whole(0))
      ->capture_default_str();
  add_preparation(*parser, *preparation);
  parser
      ->add_option("--levels", preparation->levels,
                   "Levels of a sub-pixel: 2, or with --binarize none any number up to 256")
      ->transform(whole(2, 256));
  add_model_spec(*parser, train->model);
  const auto add_scale = [&](const char* name, std::optional<Index>& scale, const char* what) {
    return parser->add_option(name, scale, what)->transform(whole(1, 4096));
  };
  CLI::Option* const small = add_scale(
      "--scale", preparation->scale,
      "Every so many pixels: the small model of a multi-scale pair, see sample --small [1]");
  add_scale("--told-scale", preparation->told_scale,
            "Tell the model every so many pixels of an image, enlarged, in every layer: the large "
            "model of a pair [1]")
      ->excludes(small);
  CLI::Option* const condition =
      parser
          ->add_option("--condition", train->condition,
                       "What the model is told of each image: class, its label; maps, the numbers "
                       "of --told; or none")
          ->check(CLI::IsMember({"none", "class", "maps"}))
          ->capture_default_str();
  parser
      ->add_option("--condition-channels", train->condition_channels,
                   "Numbers that its layers learn to stand for a class, or for each pixel of "
                   "--told-scale")
      ->transform(whole(1, 65536))
      ->capture_default_str();
  parser
      ->add_option("--classes", train->classes,
                   "Labels are 0 to one less than this [one more than the largest]")
      ->needs(condition)
      ->transform(whole(2, 65536));
  parser->add_option("--epochs", train->epochs, "Passes over the data, in all")
      ->transform(whole(1))
      ->capture_default_str();
  parser->add_option("--steps", train->steps, "Stop after so many steps, in all; 0: no limit")
      ->transform(whole(0))
      ->capture_default_str();
  parser->add_option("--batch-size", train->batch_size, "Images of a step")
      ->transform(whole(1))
      ->capture_default_str();
  parser->add_option("--optimizer", train->optimizer, "Update rule")
      ->check(CLI::IsMember({"sgd", "rmsprop", "adam"}))
      ->capture_default_str();
  parser->add_option("--learning-rate", train->learning_rate, "[0.01 of sgd, else 0.001]")
      ->transform(not_negative());
  parser->add_option("--momentum", train->momentum, "Of sgd")
      ->transform(below_one())
      ->capture_default_str();
  parser->add_option("--schedule", train->schedule, "Of the learning rate")
      ->check(CLI::IsMember({"constant", "cosine"}))
      ->capture_default_str();
  parser->add_option("--warmup", train->warmup, "Steps in which a cosine schedule rises first")
      ->transform(whole(0))
      ->capture_default_str();
  parser->add_option("--clip-norm", train->clip_norm, "Largest gradient norm; 0: any")
      ->transform(not_negative())
      ->capture_default_str();
  parser->add_option("--average-decay", train->average_decay, "Of a weight average; 0: none")
      ->transform(below_one())
      ->capture_default_str();
  parser
      ->add_option("--dropout", train->dropout,
                   "Probability that a step sets a number within a block to 0, against overfitting")
      ->transform(below_one())
      ->capture_default_str();
  parser
      ->add_option("--seed", train->seed,
                   "Of the weights, of the order of the images and of dropout")
      ->transform(whole(0, any_seed))
      ->capture_default_str();
  parser
      ->add_option("--patience", train->patience,
                   "Stop when so many epochs in a row have not improved on --valid; 0: do not")
      ->transform(whole(0))
      ->capture_default_str();
  parser->add_flag("--keep-best", train->keep_best,
                   "Keep the weights of the epoch that was best on --valid beside the last ones");
  parser->add_flag("--curve", train->curve, "Draw the nats of this run's steps when it is done");
  add_threads(*parser, train->threads);
  parser->add_option("--out", train->out, "Model file, also written after every epoch")
      ->required()
      ->check(file_name());
  parser
      ->add_option(
          "--resume", train->resume,
          "Go on from this file; options of model and training that are not given are those "
          "it was trained with, but files and when to write them are to be given again")
      ->check(file_name());
  parser
      ->add_option("--start-from", train->start_from,
                   "Begin with the weights of this model file, or of one that comes with the tool: "
                   "of its best epoch, else averaged, else the last ones. Options of the model and "
                   "the data that are not given are the file's; images may have another size, "
                   "their pixels another order. With --resume it is not read")
      ->check(file_name())
      ->transform(model_file());
  parser->add_option("--checkpoint-every", train->checkpoint_every, "Write --out so often (steps)")
      ->transform(whole(0))
      ->capture_default_str();
  parser->add_option("--log", train->log, "CSV file of every step and epoch")->check(file_name());
  add_json(*parser, train->json);
  return {parser, [=] {
            complete_options(*parser, *train, *preparation);
            for (const auto& [wanted, name] : {std::pair(train->patience > 0, "--patience"),
                                               {train->keep_best, "--keep-best"}}) {
              if (!wanted || !train->validation.empty()) continue;
              detail::fail<ConfigError>(name, " compares epochs by held-out images; give them as ",
                                        "--valid");
            }
            train->command_line = repeatable(arguments);
            return train->run();
          }};
}

}  // namespace cli
