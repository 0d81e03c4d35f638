// SPDX-License-Identifier: MIT
// The groups of options that several subcommands share.
#include "options.hpp"

#include <string>
#include <vector>

#include <pixelrnn/likelihood/logistic_mixture.hpp>

#include "validators.hpp"

namespace cli {

void add_threads(CLI::App& parser, int& threads) {
  parser.add_option("--threads", threads, "Threads; 0: as many as OpenMP offers")
      ->transform(whole(0, most_threads))
      ->capture_default_str();
}
void add_json(CLI::App& parser, std::string& path) {
  parser.add_option("--json", path, "Write the figures to this file as JSON; -: standard output")
      ->check(file_name());
}
void add_told(CLI::App& parser, std::string& told) {
  parser
      .add_option("--told", told,
                  "NumPy file of float32 that a model with --condition maps is told: numbers of an "
                  "image (images, numbers), or of its pixels (images, rows, columns[, numbers])")
      ->check(file_name());
}
void add_data(CLI::App& parser, std::vector<std::string>& paths, std::vector<std::string>& labels,
              std::string& told) {
  parser
      .add_option("--data", paths,
                  "IDX or CIFAR-10 (gzipped or not), PNG or a folder of PNG, or WAV, told by their "
                  "content")
      ->required();
  parser
      .add_option("--labels", labels,
                  "IDX files of the labels of all images; CIFAR-10 has its own [none]")
      ->check(file_name());
  add_told(parser, told);
}
void add_preparation(CLI::App& parser, PreparationOptions& options) {
  parser.add_flag("--grey", options.grey,
                  "Colours become luma, and grey and colour may mix; a grey model implies it");
  parser
      .add_option("--piece", options.piece,
                  "Samples of a piece of sound, which is an image of one row [the model's; 4000]")
      ->transform(whole(1, ModelWords::largest));
  parser
      .add_option("--data-levels", options.data_levels,
                  "What values of IDX files mean: 2 if they are 0 and 1, 16 if 0 to 15, ...; PNG "
                  "and CIFAR-10 always have 0 to 255 [256; with --binarize none for 2 levels: 2]")
      ->transform(whole(2, 256));
  parser
      .add_option("--binarize", options.binarize,
                  "From grey to black and white: by a threshold, by one random draw a pixel, by a "
                  "new draw each epoch (one draw when evaluating), or not; of colour each channel "
                  "by itself [threshold; with --data-levels 2: none]")
      ->check(CLI::IsMember({"threshold", "stochastic", "dynamic", "none"}));
  parser
      .add_option("--threshold", options.threshold,
                  "First level that becomes white [half of --data-levels]")
      ->transform(whole(1, 255));
  parser.add_option("--binarize-seed", options.seed, "Seed of the draws of --binarize [0]")
      ->transform(whole(0, any_seed));
}
void add_model_file(CLI::App& parser, ModelFile& file) {
  parser
      .add_option("--model", file.path,
                  "Model file that train has written, or the name of one that comes with the tool")
      ->required()
      ->transform(model_file());
  parser
      .add_option("--weights", file.weights,
                  "Of the best epoch (else averaged), averaged (else trained), or trained last")
      ->check(CLI::IsMember({"best", "averaged", "trained"}))
      ->capture_default_str();
}
void add_mixture(CLI::App& parser, ModelFile& file) {
  parser
      .add_option("--small", file.small,
                  "The small model of a multi-scale pair, whose images --model is told")
      ->transform(model_file());
  parser
      .add_option("--mix-with", file.mixed_with,
                  "More model files, of other seeds, orientations or kinds: p(x) is the mean of "
                  "all models'")
      ->transform(model_file());
}
void add_model_spec(CLI::App& parser, ModelSpec& spec) {
  parser.add_option("--model", spec.kind, "Kind of model")
      ->check(CLI::IsMember(std::vector<std::string>(kinds.begin(), kinds.end())))
      ->capture_default_str();
  parser
      .add_option("--layers", spec.layers,
                  "Residual blocks, or layers of gated_pixel_cnn and wavenet")
      ->transform(whole(1, most_layers))
      ->capture_default_str();
  parser
      .add_option("--hidden", spec.hidden,
                  "Units of a block, and twice as many between blocks; maps of the layers of "
                  "gated_pixel_cnn and wavenet")
      ->transform(whole(1, most_maps))
      ->capture_default_str();
  parser
      .add_option("--head", spec.head,
                  "Maps of the layers before the logits; of gated_pixel_cnn 0: no such layer")
      ->transform(whole(0, most_maps))
      ->capture_default_str();
  CLI::Option* const skip =
      parser.add_flag("--skip", spec.skip, "Learned connections from every block to the output");
  parser.add_flag_callback(
      "--no-residual", [&spec] { spec.residual = false; },
      "Blocks with an LSTM do not add their input to their output");
  const auto add_size = [&](const char* name, Index& size, const char* what) {
    return parser.add_option(name, size, what)
        ->transform(whole(1, ModelWords::largest))
        ->excludes(skip);
  };
  add_size("--first-kernel", spec.first_kernel, "Size of gated_pixel_cnn's first kernels, odd")
      ->capture_default_str();
  add_size("--kernel", spec.kernel,
           "Size of its other kernels, odd [3]; taps of wavenet's layers [2]");
  parser
      .add_option("--dilations", spec.dilations,
                  "Of gated_pixel_cnn's other kernels, in turn: 1,2,1,4 [1]")
      ->delimiter(',')
      ->transform(whole(1, ModelWords::largest))
      ->excludes(skip);
  parser.add_flag_callback(
      "--plain-first", [&spec] { spec.first_gated = false; },
      "The first layer of gated_pixel_cnn is not gated");
  parser.add_flag("--head-elu", spec.head_elu, "ELUs in the head of gated_pixel_cnn, not ReLUs");
  add_size("--cycle", spec.cycle, "Layers of wavenet in which dilations double from 1 on")
      ->capture_default_str();
  parser
      .add_option("--mixture", spec.components,
                  "Of so many logistic distributions, 10 or so: levels as amounts, in place of a "
                  "softmax over names")
      ->transform(whole(1, LogisticMixture::most_components));
  parser.add_flag_callback(
      "--zero-one", [&spec] { spec.encoding = Encoding::zero_one; },
      "Levels enter the net as 0 to 1, not as -1 to 1");
  parser.add_option("--stream", spec.stream, "Maps between residual blocks [twice --hidden]")
      ->transform(whole(1, most_maps));
  parser.add_flag_callback(
      "--no-upsample", [&spec] { spec.upsample = false; },
      "No 1x1 layer behind an LSTM; --stream is --hidden then");
  parser.add_flag("--padding-bias", spec.padding_bias,
                  "With --initial-state padded_scan: the padding has a bias of its own");
  parser.add_flag_callback(
      "--head-relu-after", [&spec] { spec.head_relu_first = false; },
      "ReLUs behind the first two layers of the head, not before them");
  std::vector<std::string> names;
  for (const Orientation& o : all_orientations) names.push_back(name_of(o));
  parser
      .add_option_function<std::string>(
          "--orientation",
          [&spec](const std::string& name) { spec.orientation = *orientation_named(name); },
          "The order in which the model goes through the pixels of an image: rows, columns, then "
          "from below, then from right [rows]")
      ->check(CLI::IsMember(names));
  parser
      .add_option("--initial-state", spec.initial_state,
                  "State of an LSTM outside the image; padded_scan: diagonal_bilstm only; "
                  "spatial_lstm's is zero")
      ->check(CLI::IsMember({"learned", "zero", "padded_scan"}))
      ->capture_default_str();
}
void add_drawing(CLI::App& parser, Drawing& options) {
  add_model_file(parser, options.model);
  parser
      .add_option("--seed", options.seed,
                  "An image depends on it and the image's number alone; a completion "
                  "on --variants too")
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
  parser
      .add_option("--out", options.out,
                  "*.png: all images side by side; *.wav: sound, one after the other")
      ->required()
      ->check(file_name());
  parser.add_flag("--show", options.show, "Show the images as text too");
  parser
      .add_option("--class", options.of_class,
                  "Images of this class, from a model that is told classes")
      ->transform(whole(0, 65535));
  add_threads(parser, options.threads);
  add_json(parser, options.json);
}

}  // namespace cli
