// SPDX-License-Identifier: MIT
// pixelrnn: the command line; parses options into the structs of commands.hpp and runs one.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "commands.hpp"
#include "options.hpp"
#include "output.hpp"
#include "validators.hpp"

namespace cli {
namespace {

Command add_evaluate(CLI::App& app) {
  CLI::App* const parser = app.add_subcommand("evaluate", "Exact likelihood of images");
  const auto evaluate = std::make_shared<Evaluate>();
  add_model_file(*parser, evaluate->model);
  add_mixture(*parser, evaluate->model);
  add_data(*parser, evaluate->data, evaluate->labels, evaluate->told);
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
  parser->add_flag("--walk-bits", evaluate->walk_bits,
                   "Figures with the same bits on every machine, slower for wide convolutions");
  parser->add_flag("--classify", evaluate->classify,
                   "Try every class that the model can be told: p(class | image)");
  parser
      ->add_option(
          "--logits", evaluate->logits,
          "Write the logits of all images to this .npy file: (N, H, W, C * logits), float32")
      ->check(file_name());
  parser
      ->add_option(
          "--nats-map", evaluate->nats_map,
          "Write -ln p of every sub-pixel to this .npy file: (N, H, W, C), float64; *.png: a "
          "picture of the mean over the images, black for 0, white for the largest")
      ->check(file_name());
  add_threads(*parser, evaluate->threads);
  add_json(*parser, evaluate->json);
  return {parser, [=] { return evaluate->run(); }};
}

Command add_sample(CLI::App& app) {
  CLI::App* const parser = app.add_subcommand("sample", "Draw new images");
  const auto sample = std::make_shared<Sample>();
  add_drawing(*parser, *sample);
  add_told(*parser, sample->told);
  add_mixture(*parser, sample->model);
  parser->add_option("--count", sample->count, "Images")
      ->transform(whole(1))
      ->capture_default_str();
  parser->add_option("--first", sample->first, "Number of the first image")
      ->transform(whole(0, any_seed))
      ->capture_default_str();
  parser->add_option("--columns", sample->columns, "Images in a line of the PNG file")
      ->transform(whole(1))
      ->capture_default_str();
  parser->add_option("--height", sample->height, "Rows of an image [the model's]")
      ->transform(whole(1, ModelWords::largest));
  parser
      ->add_option("--width", sample->width,
                   "Columns of an image, samples of a piece of sound [the model's]")
      ->transform(whole(1, ModelWords::largest));
  return {parser, [=] { return sample->run(); }};
}

Command add_complete(CLI::App& app) {
  CLI::App* const parser = app.add_subcommand(
      "complete", "Draw the unknown part of images; each line: image, known part, completions");
  const auto complete = std::make_shared<Complete>();
  complete->count = 8;
  add_drawing(*parser, *complete);
  add_data(*parser, complete->data, complete->labels, complete->told);
  CLI::Option* const count = parser->add_option("--count", complete->count, "Images")
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
  known
      ->add_option("--keep-columns", complete->keep_columns,
                   "The first so many columns: samples, of sound")
      ->transform(whole(0));
  known->add_option("--keep-mask", complete->keep_mask,
                    "The pixels of this PNG file that are not black, grey edges too");
  known->require_option(1);
  return {parser, [=] {
            complete->exact = count->count() != 0;
            return complete->run();
          }};
}

Command add_inspect(CLI::App& app) {
  CLI::App* const parser = app.add_subcommand(
      "inspect", "Show architecture, weights, cost and receptive field of a model");
  const auto inspect = std::make_shared<Inspect>();
  parser
      ->add_option("file,--model", inspect->path, "Model file that train has written, or its name")
      ->required()
      ->transform(model_file());
  add_json(*parser, inspect->json);
  return {parser, [=] { return inspect->run(); }};
}

/// Options for what is neither in a file nor said by images: levels and size.
void add_whole_spec(CLI::App& parser, ModelSpec& spec) {
  add_model_spec(parser, spec);
  parser.add_option("--levels", spec.levels, "Levels of a pixel")
      ->transform(whole(2, 256))
      ->capture_default_str();
  const auto read = [&spec](const std::string& image) {
    ImageShape& shape = spec.image;
    char excess = 0;
    const int found = std::sscanf(image.c_str(), "%tdx%tdx%td%c", &shape.height, &shape.width,
                                  &shape.channels, &excess);
    if (found != 3) {
      detail::fail<ConfigError>("--image is ", image,
                                ", expected HEIGHTxWIDTHxCHANNELS such as 28x28x1");
    }
    if (!ModelWords::is_small(shape)) {
      detail::fail<ConfigError>("--image is ", image, ", expected 1 to 2^24 sub-pixels");
    }
  };
  parser.add_option_function<std::string>("--image", read, "HEIGHTxWIDTHxCHANNELS")
      ->default_str("28x28x1");
}

Command add_benchmark(CLI::App& app) {
  CLI::App* const parser = app.add_subcommand("benchmark", "Measure how fast a model is");
  const auto benchmark = std::make_shared<Benchmark>();
  add_whole_spec(*parser, benchmark->model);
  parser->add_option("--batch-size", benchmark->batch_size, "Images of a pass")
      ->transform(whole(1))
      ->capture_default_str();
  parser->add_option("--repeats", benchmark->repeats, "Measurements, of which the median counts")
      ->transform(whole(1, most_repeats))
      ->capture_default_str();
  add_threads(*parser, benchmark->threads);
  add_json(*parser, benchmark->json);
  return {parser, [=] { return benchmark->run(); }};
}

Command add_import(CLI::App& app) {
  CLI::App* const parser =
      app.add_subcommand("import", "Make a model file of another program's weights");
  const auto command = std::make_shared<Import>();
  parser->add_option("--from", command->from, "Their weights: safetensors or .npz")
      ->required()
      ->check(file_name());
  parser->add_option("--names", command->names, "Table of names, a line each: OURS THEIRS")
      ->required()
      ->check(file_name());
  add_whole_spec(*parser, command->model);
  Condition& condition = command->model.condition;
  parser->add_option("--classes", condition.classes, "Classes that the model is told [none]")
      ->transform(whole(2, 65536));
  parser
      ->add_option("--condition-channels", condition.channels,
                   "Numbers that stand for a class [16], or that it is told of an image or pixel")
      ->transform(whole(1, most_maps));
  parser
      ->add_option("--condition-features", condition.features,
                   "Maps of the network that these numbers of pixels go through first [none]")
      ->transform(whole(1, most_maps));
  parser->add_option("--out", command->out, "Model file")->required()->check(file_name());
  add_json(*parser, command->json);
  return {parser, [=] { return command->run(); }};
}

Command add_export(CLI::App& app) {
  CLI::App* const parser =
      app.add_subcommand("export", "Write the weights of a model alone, without its training");
  const auto command = std::make_shared<Export>();
  add_model_file(*parser, command->model);
  parser
      ->add_option("--names", command->names,
                   "For another program: table of names, a line each: OURS THEIRS")
      ->check(file_name());
  parser
      ->add_flag("--half", command->half,
                 "In half precision: weights are rounded, files have half the size")
      ->excludes("--names");
  parser->add_option("--out", command->out, "Model file")->required()->check(file_name());
  add_json(*parser, command->json);
  return {parser, [=] { return command->run(); }};
}

Command add_shapes(CLI::App& app) {
  CLI::App* const parser = app.add_subcommand("shapes", "Write generated images as IDX");
  parser->group("");  // a means for tests and the demo, not listed in --help
  const auto shapes = std::make_shared<Shapes>();
  parser->add_option("--out", shapes->out, "IDX file")->required()->check(file_name());
  parser->add_option("--count", shapes->count, "Images")->transform(whole(1));
  parser->add_option("--seed", shapes->seed, "Seed")->transform(whole(0, any_seed));
  add_json(*parser, shapes->json);
  return {parser, [=] { return shapes->run(); }};
}

/// One line to the standard error.
int complain(std::string message, int status) {
  std::ranges::replace(message, '\n', ' ');
  std::fprintf(stderr, "pixelrnn: %s\n", harmless(message).c_str());
  return status;
}

/// That memory did not suffice, and the options of this command that take most of it.
std::string no_memory(const CLI::App& app) {
  std::string text = "not enough memory";
  const char* before = "; try less of ";
  for (const CLI::App* const command : app.get_subcommands()) {
    for (const char* const name :
         {"--image", "--limit", "--count", "--height", "--width", "--variants", "--batch-size",
          "--threads", "--layers", "--hidden", "--head", "--stream", "--kernel"}) {
      if (command->get_option_no_throw(name) == nullptr) continue;
      text += before;
      text += name;
      before = ", ";
    }
  }
  return text;
}

/// If the standard streams are closed, the next file opened would be one of them, and text for
/// people would end up in it: takes their numbers with what cannot be written.
void take_standard_streams() {
  int taken = 0;
  while (taken >= 0 && taken <= STDERR_FILENO) taken = ::open("/dev/null", O_RDONLY);
  if (taken >= 0) ::close(taken);
}

/// The status of what has been run, or failure if its text was lost.
int unless_lost(int status) {
  const bool lost = std::fflush(stdout) != 0 || std::ferror(stdout) != 0;
  return lost && status == 0 ? complain("cannot write to the standard output", 1) : status;
}

int main(int argc, char** argv) {
  take_standard_streams();
  CLI::App app(
      "Autoregressive models of images and sound; pixelrnn SUBCOMMAND --help says what each takes");
  app.require_subcommand(1);
  app.set_version_flag("--version", format("pixelrnn %d.%d.%d", PIXELRNN_VERSION_MAJOR,
                                           PIXELRNN_VERSION_MINOR, PIXELRNN_VERSION_PATCH));
  const std::vector<std::string> arguments(argv, argv + argc);
  const std::vector<Command> commands{
      add_train(app, arguments), add_evaluate(app),  add_sample(app),
      add_complete(app),         add_inspect(app),   add_export(app),
      add_import(app),           add_benchmark(app), add_shapes(app)};
  try {
    app.parse(argc, argv);
    for (const Command& command : commands) {
      if (command.parser->parsed()) return unless_lost(command.run());
    }
    return 0;
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return unless_lost(app.exit(error));  // --help
    const std::vector<std::string> rest = app.remaining();
    if (app.get_subcommands().empty() && !rest.empty()) {
      return complain("there is no subcommand " + rest.front() + ", see pixelrnn --help", 2);
    }
    return complain(error.what(), 2);
  } catch (const std::bad_alloc&) {
    return complain(no_memory(app), 1);
  } catch (const std::exception& error) {
    return complain(error.what(), 1);
  }
}

}  // namespace
}  // namespace cli

int main(int argc, char** argv) { return cli::main(argc, argv); }
