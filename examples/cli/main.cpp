// SPDX-License-Identifier: MIT
// pixelrnn: the command line; parses options into the structs of commands.hpp and runs one.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "commands.hpp"
#include "output.hpp"
#include "validators.hpp"

namespace cli {
namespace {

/// A subcommand: its parser, and what runs once it has been chosen and parsed.
struct Command {
  CLI::App* parser;
  std::function<int()> run;
};

void add_threads(CLI::App& parser, int& threads) {
  parser.add_option("--threads", threads, "Threads; 0: as many as OpenMP offers")
      ->transform(whole(0, most_threads))
      ->capture_default_str();
}
void add_json(CLI::App& parser, std::string& path) {
  parser.add_option("--json", path, "Write the figures to this file as JSON; -: standard output")
      ->check(file_name());
}
void add_data(CLI::App& parser, std::vector<std::string>& paths) {
  parser
      .add_option("--data", paths,
                  "IDX or CIFAR-10 (gzipped or not), PNG or a folder of PNG; colours become luma")
      ->required();
}
void add_preparation(CLI::App& parser, PreparationOptions& options) {
  parser
      .add_option("--binarize", options.binarize,
                  "From grey to black and white: by a threshold, by one random draw a pixel, by a "
                  "new draw each epoch (one draw when evaluating), or not")
      ->check(CLI::IsMember({"threshold", "stochastic", "dynamic", "none"}));
  parser.add_option("--threshold", options.threshold, "First level that becomes white [128]")
      ->transform(whole(1, 255));
  parser.add_option("--binarize-seed", options.seed, "Seed of the draws of --binarize [0]")
      ->transform(whole(0, any_seed));
}
void add_model_file(CLI::App& parser, ModelFile& file) {
  parser.add_option("--model", file.path, "Model file that train has written")->required();
  parser.add_option("--weights", file.weights, "averaged (if they were kept) or trained")
      ->check(CLI::IsMember({"averaged", "trained"}))
      ->capture_default_str();
}
void add_model_spec(CLI::App& parser, ModelSpec& spec) {
  parser.add_option("--model", spec.kind, "Kind of model")
      ->check(CLI::IsMember({"pixel_cnn", "row_lstm", "diagonal_bilstm"}))
      ->capture_default_str();
  parser.add_option("--layers", spec.layers, "Residual blocks")
      ->transform(whole(1, largest_size))
      ->capture_default_str();
  parser
      .add_option("--hidden", spec.hidden,
                  "Units of a block; between blocks there are twice as many")
      ->transform(whole(1, largest_size))
      ->capture_default_str();
  parser.add_option("--head", spec.head, "Maps of the two layers before the logits")
      ->transform(whole(1, largest_size))
      ->capture_default_str();
  parser.add_flag("--skip", spec.skip, "Learned connections from every block to the output");
  parser
      .add_option("--initial-state", spec.initial_state,
                  "State of an LSTM outside the image; padded_scan: diagonal_bilstm only")
      ->check(CLI::IsMember({"learned", "zero", "padded_scan"}))
      ->capture_default_str();
}
void add_drawing(CLI::App& parser, Drawing& options) {
  add_model_file(parser, options.model);
  parser.add_option("--seed", options.seed, "An image depends on it and the image's number alone")
      ->transform(whole(0, any_seed))
      ->capture_default_str();
  parser
      .add_option("--temperature", options.temperature,
                  "1: as the model says; less: bolder; more: wilder; 0: the likeliest level")
      ->transform(not_negative())
      ->capture_default_str();
  parser
      .add_option("--sampler", options.sampler,
                  "cached: one walk over the image; full: a forward pass a pixel (slow)")
      ->check(CLI::IsMember({"cached", "full"}))
      ->capture_default_str();
  parser.add_option("--out", options.out, "PNG file of all images side by side")
      ->required()
      ->check(file_name());
  parser.add_flag("--show", options.show, "Show the images as text too");
  add_threads(parser, options.threads);
  add_json(parser, options.json);
}

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

/// The command line as it was given, but for --resume.
std::string repeatable(const std::vector<std::string>& arguments) {
  std::string line;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i].starts_with("--resume=")) continue;
    if (arguments[i] == "--resume") {
      ++i;
      continue;
    }
    if (!line.empty()) line += ' ';
    line += quoted_word(arguments[i]);
  }
  return line;
}

/// What --resume takes from the file where the command line is silent: option and word.
constexpr std::pair<const char*, const char*> resumed_options[] = {
    {"--model", "model"},
    {"--layers", "layers"},
    {"--hidden", "hidden"},
    {"--head", "head"},
    {"--initial-state", "initial_state"},
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
    {"--seed", "option.seed"},
};

Metadata words_of(const Train& train) {
  Metadata words = words_of(train.preparation);
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
  words["option.seed"] = std::to_string(train.seed);
  return words;
}

/// Completes the options from the file to be resumed, and makes the words of the file to come.
void complete_options(CLI::App& parser, Train& train, const PreparationOptions& given) {
  Preparation fallback;
  if (!train.resume.empty()) {
    const Metadata words = read_metadata(train.resume);
    for (const auto& [name, key] : resumed_options) {
      CLI::Option* const option = parser.get_option(name);
      const auto word = words.find(key);
      if (option->count() != 0 || word == words.end()) continue;
      // A limit that was reached would end this run before it begins.
      const auto steps = words.find("trainer.steps");
      if (word->first == "option.steps" && steps != words.end() && steps->second == word->second) {
        continue;
      }
      try {
        option->add_result(word->second);
        option->run_callback();
      } catch (const CLI::ParseError&) {
        detail::fail<ConfigError>(train.resume, ": ", key, " is ", detail::in_quotes(word->second),
                                  ", which ", name, " does not take");
      }
    }
    const auto skip = words.find("skip");
    if (skip != words.end() && skip->second == "true") train.model.skip = true;
    fallback = preparation_in(words, spec_of(train.resume).levels);
  }
  train.preparation = given.over(fallback);
  if (given.binarize == "none" && !given.levels && train.resume.empty()) {
    train.preparation.levels = 256;
  }
  train.words = words_of(train);
}

Command add_train(CLI::App& app, const std::vector<std::string>& arguments) {
  CLI::App* const parser = app.add_subcommand("train", "Fit a model to images");
  const auto train = std::make_shared<Train>();
  const auto preparation = std::make_shared<PreparationOptions>();
  add_data(*parser, train->data);
  parser->add_option("--limit", train->limit, "Use the first so many images; 0: all")
      ->transform(whole(0))
      ->capture_default_str();
  CLI::Option* const valid =
      parser->add_option("--valid", train->validation, "Images to evaluate after every epoch");
  parser->add_option("--valid-limit", train->validation_limit, "Likewise; 0: all")
      ->needs(valid)
      ->transform(whole(0))
      ->capture_default_str();
  add_preparation(*parser, *preparation);
  parser
      ->add_option("--levels", preparation->levels,
                   "Levels of a pixel: 2, or with --binarize none also 4, 8, 16, 256")
      ->check(CLI::IsMember({2, 4, 8, 16, 256}));
  add_model_spec(*parser, train->model);
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
  parser->add_option("--learning-rate", train->learning_rate, "[the rule's own]");
  parser->add_option("--momentum", train->momentum, "Of sgd")->capture_default_str();
  parser->add_option("--schedule", train->schedule, "Of the learning rate")
      ->check(CLI::IsMember({"constant", "cosine"}))
      ->capture_default_str();
  parser->add_option("--warmup", train->warmup, "Steps in which a cosine schedule rises first")
      ->transform(whole(0))
      ->capture_default_str();
  parser->add_option("--clip-norm", train->clip_norm, "Largest gradient norm; 0: any")
      ->capture_default_str();
  parser->add_option("--average-decay", train->average_decay, "Of a weight average; 0: none")
      ->capture_default_str();
  parser->add_option("--seed", train->seed, "Of the weights and of the order of the images")
      ->transform(whole(0, any_seed))
      ->capture_default_str();
  add_threads(*parser, train->threads);
  parser->add_option("--out", train->out, "Model file, also written after every epoch")
      ->required()
      ->check(file_name());
  parser
      ->add_option("--resume", train->resume,
                   "Go on from this file; options not given are those it was trained with")
      ->check(file_name());
  parser->add_option("--checkpoint-every", train->checkpoint_every, "Write --out so often (steps)")
      ->transform(whole(0))
      ->capture_default_str();
  parser->add_option("--log", train->log, "CSV file of every step and epoch")->check(file_name());
  add_json(*parser, train->json);
  return {parser, [=] {
            complete_options(*parser, *train, *preparation);
            train->command_line = repeatable(arguments);
            return train->run();
          }};
}

Command add_evaluate(CLI::App& app) {
  CLI::App* const parser = app.add_subcommand("evaluate", "Exact likelihood of images");
  const auto evaluate = std::make_shared<Evaluate>();
  add_model_file(*parser, evaluate->model);
  add_data(*parser, evaluate->data);
  parser->add_option("--first", evaluate->first, "Number of the first image, from 0")
      ->transform(whole(0))
      ->capture_default_str();
  parser->add_option("--limit", evaluate->limit, "Use so many images; 0: all")
      ->transform(whole(0))
      ->capture_default_str();
  add_preparation(*parser, evaluate->preparation);
  CLI::Option* const baseline = parser->add_option(
      "--baseline", evaluate->baseline, "Compare with independent pixels, fitted to these images");
  parser->add_option("--baseline-limit", evaluate->baseline_limit, "Fit to so many; 0: all")
      ->needs(baseline)
      ->transform(whole(0))
      ->capture_default_str();
  parser->add_option("--batch-size", evaluate->batch_size, "Images of a pass")
      ->transform(whole(1))
      ->capture_default_str();
  add_threads(*parser, evaluate->threads);
  add_json(*parser, evaluate->json);
  return {parser, [=] { return evaluate->run(); }};
}

Command add_sample(CLI::App& app) {
  CLI::App* const parser = app.add_subcommand("sample", "Draw new images");
  const auto sample = std::make_shared<Sample>();
  add_drawing(*parser, *sample);
  parser->add_option("--count", sample->count, "Images")
      ->transform(whole(1))
      ->capture_default_str();
  parser->add_option("--first", sample->first, "Number of the first image")
      ->transform(whole(0, any_seed))
      ->capture_default_str();
  parser->add_option("--columns", sample->columns, "Images in a line of the PNG file")
      ->transform(whole(1))
      ->capture_default_str();
  return {parser, [=] { return sample->run(); }};
}

Command add_complete(CLI::App& app) {
  CLI::App* const parser = app.add_subcommand(
      "complete", "Draw the unknown part of images; each line: image, known part, completions");
  const auto complete = std::make_shared<Complete>();
  complete->count = 8;
  add_drawing(*parser, *complete);
  add_data(*parser, complete->data);
  parser->add_option("--count", complete->count, "Images")
      ->transform(whole(1))
      ->capture_default_str();
  parser->add_option("--first", complete->first, "Number of the first image of the data, from 0")
      ->transform(whole(0))
      ->capture_default_str();
  parser->add_option("--variants", complete->variants, "Completions of each image")
      ->transform(whole(1, most_variants))
      ->capture_default_str();
  add_preparation(*parser, complete->preparation);
  CLI::Option_group* const known = parser->add_option_group("known", "What is known");
  known->add_option("--keep-rows", complete->keep_rows, "The first so many rows")
      ->transform(whole(0));
  known->add_option("--keep-mask", complete->keep_mask, "The white pixels of this PNG file");
  known->require_option(1);
  return {parser, [=] { return complete->run(); }};
}

Command add_inspect(CLI::App& app) {
  CLI::App* const parser = app.add_subcommand(
      "inspect", "Show architecture, weights, cost and receptive field of a model");
  const auto inspect = std::make_shared<Inspect>();
  parser->add_option("--model", inspect->path, "Model file that train has written")->required();
  add_json(*parser, inspect->json);
  return {parser, [=] { return inspect->run(); }};
}

Command add_benchmark(CLI::App& app) {
  CLI::App* const parser = app.add_subcommand("benchmark", "Measure how fast a model is");
  const auto benchmark = std::make_shared<Benchmark>();
  const auto image = std::make_shared<std::string>("28x28x1");
  add_model_spec(*parser, benchmark->model);
  parser->add_option("--levels", benchmark->model.levels, "Levels of a pixel")
      ->check(CLI::IsMember({2, 4, 8, 16, 256}))
      ->capture_default_str();
  parser->add_option("--image", *image, "HEIGHTxWIDTHxCHANNELS")->capture_default_str();
  parser->add_option("--batch-size", benchmark->batch_size, "Images of a pass")
      ->transform(whole(1))
      ->capture_default_str();
  parser->add_option("--repeats", benchmark->repeats, "Measurements, of which the median counts")
      ->transform(whole(1, most_repeats))
      ->capture_default_str();
  add_threads(*parser, benchmark->threads);
  add_json(*parser, benchmark->json);
  return {parser, [=] {
            ImageShape& shape = benchmark->model.image;
            char excess = 0;
            const int found = std::sscanf(image->c_str(), "%tdx%tdx%td%c", &shape.height,
                                          &shape.width, &shape.channels, &excess);
            if (found != 3) {
              detail::fail<ConfigError>("--image is ", *image,
                                        ", expected HEIGHTxWIDTHxCHANNELS such as 28x28x1");
            }
            return benchmark->run();
          }};
}

Command add_shapes(CLI::App& app) {
  CLI::App* const parser = app.add_subcommand("shapes", "Write generated images as IDX");
  parser->group("");  // a means for tests and the demo, not listed in --help
  const auto shapes = std::make_shared<Shapes>();
  parser->add_option("--out", shapes->out, "IDX file")->required();
  parser->add_option("--count", shapes->count, "Images")->transform(whole(1));
  parser->add_option("--seed", shapes->seed, "Seed");
  return {parser, [=] { return shapes->run(); }};
}

/// One line to the standard error.
int complain(std::string message, int status) {
  std::ranges::replace(message, '\n', ' ');
  std::fprintf(stderr, "pixelrnn: %s\n", harmless(message).c_str());
  return status;
}

/// If the standard streams are closed, the next file opened would be one of them, and text for
/// people would end up in it: takes their numbers with what cannot be written.
void take_standard_streams() {
  int taken = 0;
  while (taken >= 0 && taken <= STDERR_FILENO) taken = ::open("/dev/null", O_RDONLY);
  if (taken >= 0) ::close(taken);
}

/// The status of a command, or failure if its text was lost.
int status_of(const Command& command) {
  const int status = command.run();
  const bool lost = std::fflush(stdout) != 0 || std::ferror(stdout) != 0;
  return lost && status == 0 ? complain("cannot write to the standard output", 1) : status;
}

int main(int argc, char** argv) {
  take_standard_streams();
  CLI::App app("Autoregressive image models: PixelCNN, Row LSTM, Diagonal BiLSTM");
  app.require_subcommand(1);
  app.set_version_flag("--version", format("pixelrnn %d.%d.%d", PIXELRNN_VERSION_MAJOR,
                                           PIXELRNN_VERSION_MINOR, PIXELRNN_VERSION_PATCH));
  const std::vector<std::string> arguments(argv, argv + argc);
  const std::vector<Command> commands{
      add_train(app, arguments), add_evaluate(app),  add_sample(app), add_complete(app),
      add_inspect(app),          add_benchmark(app), add_shapes(app)};
  try {
    app.parse(argc, argv);
    for (const Command& command : commands) {
      if (command.parser->parsed()) return status_of(command);
    }
    return 0;
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help
    const std::vector<std::string> rest = app.remaining();
    if (app.get_subcommands().empty() && !rest.empty()) {
      return complain("there is no subcommand " + rest.front() + ", see pixelrnn --help", 2);
    }
    return complain(error.what(), 2);
  } catch (const std::bad_alloc&) {
    return complain("not enough memory", 1);
  } catch (const std::exception& error) {
    return complain(error.what(), 1);
  }
}

}  // namespace
}  // namespace cli

int main(int argc, char** argv) { return cli::main(argc, argv); }
