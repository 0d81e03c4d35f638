// SPDX-License-Identifier: MIT
// pixelrnn evaluate: the exact likelihood of images under a model.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include <pixelrnn/io/npy.hpp>
#include <pixelrnn/io/png.hpp>
#include <pixelrnn/training/mixture.hpp>
#include <pixelrnn/training/multi_scale.hpp>

#include "commands.hpp"
#include "independent_pixels.hpp"
#include "output.hpp"

namespace cli {
namespace {
/// What a model is told of an image, whatever it makes of it.
std::string told_to(const AnyModel& model, const std::string& path) {
  const Condition condition = model.condition();
  const Index scale =
      preparation_in(read_metadata(path), model.levels(), model.image_shape()).told_scale;
  if (scale > 1) return "every " + std::to_string(scale) + ". pixel";
  if (condition.classes > 0) return std::to_string(condition.classes) + " classes";
  return condition.width() == 0 ? "nothing" : std::to_string(condition.channels) + " numbers";
}
}  // namespace

std::vector<std::unique_ptr<AnyModel>> ModelFile::load_all(const Console& console) const {
  std::vector<std::unique_ptr<AnyModel>> models;
  models.push_back(load(console));
  if (mixed_with.empty()) return models;
  const AnyModel& first = *models[0];
  const std::string wanted = told_to(first, path);
  for (const std::string& other : mixed_with) {
    models.push_back(ModelFile{other, weights}.load(console));
    const AnyModel& model = *models.back();
    const std::string found = told_to(model, other);
    if (model.image_shape() == first.image_shape() && model.levels() == first.levels() &&
        found == wanted) {
      continue;
    }
    detail::fail<ConfigError>("--mix-with ", other, " is a model of images ", model.image_shape(),
                              " of ", model.levels(), " levels told ", found, ", expected ",
                              first.image_shape(), " of ", first.levels(), " told ", wanted,
                              " as --model");
  }
  return models;
}

namespace {
/// The mean over images and channels of what pixels cost, black for 0 and white for the largest.
Images mean_map(const Tensor<double, 4>& nats) {
  const Shape<4> s = nats.shape();
  std::vector<double> sums(static_cast<std::size_t>(s.h() * s.w()));
  for (Index i = 0; i < nats.size(); ++i) {
    sums[static_cast<std::size_t>(i / s.c() % (s.h() * s.w()))] += nats.data()[i];
  }
  const double largest = std::max(1e-300, *std::ranges::max_element(sums));
  Images picture(1, {s.h(), s.w(), 1}, 256);
  std::ranges::transform(sums, picture.pixels().begin(), [&](double sum) {
    return static_cast<Images::Level>(std::lround(255 * sum / largest));
  });
  return picture;
}
}  // namespace

std::unique_ptr<AnyModel> ModelFile::load_small(const Console& console, const AnyModel& large,
                                                Index told_scale) const {
  if (small.empty()) return nullptr;
  const ImageShape s = large.image_shape();
  if (told_scale == 1) {
    detail::fail<ConfigError>("--small is told to a model that train --told-scale made, which ",
                              path, " is not");
  }
  std::unique_ptr<AnyModel> model = ModelFile{small, weights}.load(console);
  const ImageShape expected{s.height / told_scale, s.width / told_scale, s.channels};
  if (model->image_shape() != expected || model->levels() != large.levels() ||
      model->condition().width() > 0) {
    detail::fail<ConfigError>("--small ", small, " is a model of images ", model->image_shape(),
                              " of ", model->levels(), " levels, expected ", expected, " of ",
                              large.levels(), ", told nothing");
  }
  return model;
}

void require_maps(const char* option, const std::string& path, const Shape<4>& maps,
                  const ImageShape& image, Index channels, const char* whose) {
  if (maps.h() * maps.w() != 1 && (maps.h() != image.height || maps.w() != image.width)) {
    detail::fail<ConfigError>(option, ' ', path, " tells of ", maps.h(), 'x', maps.w(),
                              " pixels, expected ", image.height, 'x', image.width,
                              " as the images, or numbers of a whole image");
  }
  if (maps.c() == channels) return;
  detail::fail<ConfigError>(option, ' ', path, " has ", maps.c(),
                            " numbers of an image or pixel, expected ", channels, whose);
}

void require_told(const AnyModel& model, Index told_scale, const std::string& told,
                  const FeatureMap<float>& maps, const ImageShape& image) {
  const Condition condition = model.condition();
  const bool wants = condition.width() > 0 && condition.classes == 0 && told_scale == 1;
  if (!wants && told.empty()) return;
  if (wants && !told.empty()) {
    return require_maps("--told", told, maps.shape(), image, condition.channels,
                        ", which the model is told");
  }
  if (wants) {
    detail::fail<ConfigError>("the model is told ", condition.channels,
                              " numbers of an image or pixel; give them as --told");
  }
  detail::fail<ConfigError>("--told is ", told, ", but the model is told no numbers; see train ",
                            "--condition maps");
}

void require_labels(const AnyModel& model, const Images& images, Index first) {
  const Index classes = model.condition().classes;
  if (classes == 0) return;
  const auto bad =
      std::ranges::find_if(images.labels(), [=](int label) { return label >= classes; });
  if (bad == images.labels().end()) return;
  detail::fail<ConfigError>("image ", first + (bad - images.labels().begin()),
                            " of the data (counted from 0) has label ", *bad, ", expected 0 to ",
                            classes - 1, ", the classes that the model is told");
}

int Evaluate::run() const {
  std::vector<NamedFile> read{{"--model", model.path}, {"--small", model.small}};
  for (const std::string& path : model.mixed_with) read.push_back({"--mix-with", path});
  for (const std::string& path : data) read.push_back({"--data", path});
  for (const std::string& path : labels) read.push_back({"--labels", path});
  read.push_back({"--told", told});
  for (const std::string& path : baseline) read.push_back({"--baseline", path});
  require_separate(read, {{"--json", json}, {"--logits", logits}, {"--nats-map", nats_map}});
  const Console console(json);
  const auto nets = model.load_all(console);
  const std::unique_ptr<AnyModel>& net = nets[0];
  if ((nets.size() > 1 || !model.small.empty()) &&
      (classify || !logits.empty() || !nats_map.empty())) {
    detail::fail<ConfigError>("--classify, --logits and --nats-map are of one model, expected no ",
                              nets.size() > 1 ? "--mix-with" : "--small");
  }
  require_writable("--logits", logits, {".npy"});
  require_writable("--nats-map", nats_map, {".npy", ".png"});
  const Preparation how =
      preparation_for(preparation, read_metadata(model.path), net->levels(), net->image_shape());
  const Images images = prepare(read_source({data, labels, told, first, limit}, how), how);
  require_told(*net, how.told_scale, told, images.conditions().maps, images.image_shape());
  require_labels(*net, images, first);
  const EvaluateOptions options{
      .batch_size = batch_size, .threads = threads, .walk_bits = walk_bits};
  const std::unique_ptr<AnyModel> small = model.load_small(console, *net, how.told_scale);
  const bool is_told = net->condition().classes > 0;
  if (classify && !is_told) {
    detail::fail<ConfigError>("--classify needs a model that is told classes; see train ",
                              "--condition class");
  }
  if (is_told && images.labels().empty() && !classify) {
    detail::fail<ConfigError>("the model is told the class of an image; give --labels, or ",
                              "--classify to try all classes");
  }
  std::optional<double> independent;
  if (!baseline.empty()) {
    independent = independent_pixels_nats(
        prepare(read_source({.paths = baseline, .count = baseline_limit}, how), how), images);
  }
  const auto start = std::chrono::steady_clock::now();
  // Not told, p(x) is the mean of p(x | class).
  std::optional<ClassEvaluation> classes;
  if (classify) classes = net->evaluate_classes(images, options);
  Evaluation result{{}, images.image_shape(), images.binarization()};
  if (is_told && images.labels().empty()) {
    for (Index n = 0; n < images.count(); ++n) result.image_nats.push_back(classes->image_nats(n));
  } else {
    std::vector<Evaluation> parts;
    for (const auto& one : nets) parts.push_back(one->evaluate(images, options));
    result = mixed(parts);
    if (small != nullptr) {
      detail::add_nats(result, small->evaluate(subsampled(images, how.told_scale), options));
    }
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  console.write(format("%.4f nats/image  %.5f bits/dim  %td images  binarization %s\n",
                       detail::shown(result.nats_per_image()), detail::shown(result.bits_per_dim()),
                       result.images(), result.binarization.c_str()));
  std::map<std::string, double> by_class;
  if (!images.labels().empty()) {
    for (const ClassNats& one : nats_by_class(result, images.labels())) {
      by_class[std::to_string(one.label)] = one.nats_per_image;
      console.write(format(
          "class %3d: %.4f nats/image  %.5f bits/dim  %td images\n", one.label, one.nats_per_image,
          bits_per_dim(Nats{one.nats_per_image}, images.image_shape()), one.images));
    }
  }
  std::optional<double> accuracy;
  if (classes) {
    console.write(format("%.4f nats/image  not told the class, of %td as probable as each other\n",
                         classes->nats_per_image(), classes->classes()));
    if (!images.labels().empty()) {
      accuracy = classes->accuracy(images.labels());
      console.write(format("%.2f %% of the images are of the class that is most probable\n",
                           100 * *accuracy));
    }
  }
  if (independent) {
    console.write(format("%.4f nats/image  independent pixels  binarization %s\n", *independent,
                         result.binarization.c_str()));
  }
  if (!logits.empty()) write_npy(logits, net->logits_map(images, options));
  if (ending_of(nats_map) == ".png") {
    write_png(nats_map, mean_map(net->nats_map(images, options)));
  } else if (!nats_map.empty()) {
    write_npy(nats_map, net->nats_map(images, options));
  }
  Figures figures;
  figures.set("nats_per_image", result.nats_per_image());
  figures.set("bits_per_dim", result.bits_per_dim());
  figures.set("images", result.images());
  figures.set("binarization", result.binarization);
  if (!by_class.empty()) figures.set("class_nats_per_image", by_class);
  if (classes) figures.set("nats_per_image_not_told", classes->nats_per_image());
  if (accuracy) figures.set("accuracy", *accuracy);
  if (independent) figures.set("independent_pixels_nats_per_image", *independent);
  figures.set("images_per_second", static_cast<double>(result.images()) / seconds);
  figures.set("seconds", seconds);
  figures.write(json);
  return 0;
}

}  // namespace cli
