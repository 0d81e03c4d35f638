// SPDX-License-Identifier: MIT
// pixelrnn inspect: what a model file holds.
#include <algorithm>
#include <sstream>

#include "commands.hpp"
#include "output.hpp"

namespace cli {
namespace {

std::string text_of(const Shape<4>& shape) {
  return format("%td x %td x %td x %td", shape.n(), shape.h(), shape.w(), shape.c());
}

/// The largest image, in sub-pixels, whose receptive field is looked for: that takes memory for all
/// activations of a training step, and the size of the image is but a word of the file.
constexpr Index largest_with_field = Index{1} << 14;

/// What the logits of a pixel see. A derivative may vanish for one random image, where a ReLU is
/// off: several are tried.
Tensor<unsigned char, 2> field_of(const AnyModel& model, Index row, Index column) {
  const ImageShape image = model.image_shape();
  Tensor<unsigned char, 2> field({image.height, image.width});
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    const auto seen = model.receptive_field(row, column, {.seed = seed});
    std::ranges::transform(field.view(), seen.view(), field.begin(),
                           [](int a, int b) { return static_cast<unsigned char>(a | b); });
  }
  return field;
}

std::string drawing_of(const Tensor<unsigned char, 2>& field, Index row, Index column) {
  std::string text;
  for (Index r = 0; r < field.shape()[0]; ++r) {
    text += "  ";
    for (Index c = 0; c < field.shape()[1]; ++c) {
      text += r == row && c == column ? '@' : field(r, c) != 0 ? '#' : '.';
    }
    text += '\n';
  }
  return text;
}

}  // namespace

int Inspect::run() const {
  require_separate({{"--model", path}}, {{"--json", json}});
  const Console console(json);
  const Metadata words = read_metadata(path);
  warn_without_fingerprint(console, path, words);
  const std::unique_ptr<AnyModel> model = load_model(path, StoredWeights::averaged);
  const AnyModel::Flops flops = model->flops();

  std::string text;
  Metadata tensors;
  for (const auto& [key, value] : words) {
    text += format("%-28s %s\n", harmless(key).c_str(), harmless(value).c_str());
  }
  text += '\n';
  for (const AnyModel::ParameterInfo& parameter : model->parameters()) {
    text += format("%-44s %s\n", parameter.name.c_str(), text_of(parameter.shape).c_str());
    tensors[parameter.name] = text_of(parameter.shape);
  }
  text += format("\n%td parameters\n%.2f MFLOP an image forward, %.2f in a training step\n",
                 model->parameter_count(), 1e-6 * static_cast<double>(flops.forward),
                 1e-6 * static_cast<double>(flops.training));
  Figures figures;
  figures.set("words", words);
  figures.set("tensors", tensors);
  figures.set("parameters", model->parameter_count());
  figures.set("flops_per_image", flops.forward);
  figures.set("flops_per_training_image", flops.training);
  const ImageShape image = model->image_shape();
  if (image.subpixels() <= largest_with_field) {
    const Index row = image.height / 2, column = image.width / 2;
    const Tensor<unsigned char, 2> field = field_of(*model, row, column);
    // What comes earlier: in colour the pixel's logits see its own first colours too.
    const Index seen = std::count(field.begin(), &field(row, column), 1);
    text += format("receptive field of pixel (%td, %td): %td of %td earlier pixels\n", row, column,
                   seen, row * image.width + column);
    if (image.height <= 64 && image.width <= 76) text += drawing_of(field, row, column);
    figures.set("receptive_field_row", row);
    figures.set("receptive_field_column", column);
    figures.set("receptive_field_pixels", seen);
  } else {
    text += format("receptive field: not looked for in images of more than %td sub-pixels\n",
                   largest_with_field);
  }
  console.write(text);
  figures.write(json);
  return 0;
}

}  // namespace cli
