// SPDX-License-Identifier: MIT
// Reading images, and giving them the levels of a model.
#include "training_set.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <limits>
#include <numeric>
#include <system_error>
#include <utility>

#include <pixelrnn/core/sound.hpp>
#include <pixelrnn/io/image_files.hpp>
#include <pixelrnn/io/npy.hpp>
#include <pixelrnn/io/wav.hpp>
#include <pixelrnn/models/scales.hpp>

namespace cli {
namespace {

/// For images that are black and white already: 0 and the highest level become 0 and 1.
Images two_levels(const Images& images) {
  Images binary(images.count(), images.image_shape(), 2, "fixed");
  const int top = images.levels() - 1;
  std::ranges::transform(images.pixels(), binary.pixels().begin(), [top](int level) {
    if (level != 0 && level != top) {
      detail::fail<ConfigError>("the images have grey levels (", level, " between 0 and ", top,
                                "), expected black and white only; use --binarize threshold");
    }
    return static_cast<Images::Level>(level != 0);
  });
  binary.set_conditions(images.conditions());
  return binary;
}

/// What no binarisation makes of images.
Images taken_as_they_are(Images images, int levels) {
  if (images.levels() == levels) return images;
  if (images.levels() < levels) {
    detail::fail<ConfigError>("the data have ", images.levels(), " levels, expected no fewer than ",
                              "the ", levels, " of the model; use --data-levels 256 if they are ",
                              "grey levels");
  }
  return levels == 2 ? two_levels(images) : quantize(images, levels);
}

/// Throws unless a binarisation is possible.
void require_fit(const Images& images, const Preparation& how) {
  if (how.levels != 2) {
    detail::fail<ConfigError>("--binarize ", how.binarize, " makes 2 levels, --levels is ",
                              how.levels, "; use --binarize none");
  }
  if (images.levels() == 2) {
    detail::fail<ConfigError>("the data have 2 levels (--data-levels 2), expected grey levels to ",
                              "binarise; use --binarize none");
  }
  if (how.binarize == "threshold" && how.threshold >= images.levels()) {
    detail::fail<ConfigError>("--threshold is ", how.threshold, ", expected 1 to ",
                              images.levels() - 1, ", for the data have ", images.levels(),
                              " levels");
  }
}

Images with_levels(Images images, const Preparation& how) {
  if (how.binarize == "none") return taken_as_they_are(std::move(images), how.levels);
  require_fit(images, how);
  if (how.binarize == "threshold") return binarize(images, Threshold{how.threshold});
  if (how.binarize == "stochastic" || how.binarize == "dynamic") {
    return binarize(images, Stochastic{how.seed});
  }
  detail::fail<ConfigError>("the binarization is ", detail::in_quotes(how.binarize),
                            ", expected threshold, stochastic, dynamic or none");
}

/// Small images of large ones, or large ones with what they are told of theirs.
Images at_scale(Images images, const Preparation& how) {
  if (how.scale > 1) images = subsampled(images, how.scale);
  if (how.told_scale > 1) {
    images.set_condition_maps(enlarged(subsampled(images, how.told_scale), how.told_scale));
  }
  return images;
}

/// Takes a number of at most `largest` out of a word.
template <class T>
void take_number(const Metadata& words, const char* key, T largest, T& value) {
  const auto word = words.find(key);
  if (word == words.end()) return;
  const char* const end = word->second.data() + word->second.size();
  const auto [stopped, error] = std::from_chars(word->second.data(), end, value);
  if (error != std::errc{} || stopped != end || value > largest) {
    detail::fail<ConfigError>("the model file's word ", key, " is ",
                              detail::in_quotes(word->second), ", expected a whole number up to ",
                              largest);
  }
}

/// What the values of IDX files mean if nobody has said it.
void choose_data_levels(Preparation& how) {
  how.data_levels = how.binarize == "none" && how.levels == 2 ? 2 : 256;
  // Files may have been quantised for the model already.
  how.must_reach = how.levels < 256 ? how.levels : 2;
}

/// Pieces of sound as images.
Images read_sound(const DataSource& source, const Preparation& how, bool mono) {
  if (how.image && how.image->height != 1) {
    detail::fail<ConfigError>(source.paths.front(), " is sound, the model is of images of ",
                              how.image->height, " rows");
  }
  if (how.binarize != "none") {
    detail::fail<ConfigError>(source.paths.front(), " is sound, which is not binarised, but ",
                              "--binarize is ", how.binarize, "; use --binarize none, and as many ",
                              "--levels as the model is to have");
  }
  const Index width = how.image ? how.image->width : 4000;
  const Index piece = how.piece > 0 ? how.piece : width;
  if (!source.labels.empty()) {
    detail::fail<ConfigError>("the data are sound, expected no labels (", source.labels.front(),
                              ')');
  }
  const Index end = source.count == 0 ? 0 : source.first + source.count;  // pieces; 0: all
  constexpr Index most = std::numeric_limits<Index>::max();
  const Index limit = end > most / piece ? most : end * piece;
  Sound all{{}, 0, 0};
  for (const std::string& path : source.paths) {
    Sound sound = read_wav(path, {.limit = limit});
    if (mono && sound.channels > 1) {
      const Index channels = sound.channels;
      Sound mixed{{}, 1, sound.rate};
      for (Index f = 0; f < sound.frames(); ++f) {
        const float* const frame = sound.samples.data() + f * channels;
        mixed.samples.push_back(std::accumulate(frame, frame + channels, 0.0F) /
                                static_cast<float>(channels));
      }
      sound = std::move(mixed);
    }
    if (all.channels == 0) all.channels = sound.channels, all.rate = sound.rate;
    if (sound.channels != all.channels || sound.rate != all.rate) {
      detail::fail<FileError>(path, ": ", sound.channels, " channels at ", sound.rate,
                              " frames a second, expected ", all.channels, " at ", all.rate,
                              " as those before; with --grey channels are mixed to one");
    }
    // A piece does not go on from one file to the next.
    sound.samples.resize(static_cast<std::size_t>(sound.frames() / piece * piece * all.channels));
    all.samples.insert(all.samples.end(), sound.samples.begin(), sound.samples.end());
  }
  const Images pieces = pieces_of(all, piece, {.levels = how.levels});
  if (pieces.empty()) {
    detail::fail<ConfigError>("the data have no piece of ", piece, " samples; see --piece");
  }
  return pieces.slice(0, end == 0 ? pieces.count() : std::min(pieces.count(), end));
}

}  // namespace

bool holds_sound(const std::vector<std::string>& paths) {
  try {
    return !paths.empty() && is_wav(paths.front());
  } catch (const FileError&) {
    return false;  // who reads it will say so
  }
}

Index rate_of_sound(const std::vector<std::string>& paths) {
  return read_wav(paths.front(), {.limit = 1}).rate;
}

Preparation PreparationOptions::over(const Preparation& fallback) const {
  Preparation chosen = fallback;
  if (binarize) {
    chosen.binarize = *binarize;
    if (levels || *binarize != "none") chosen.levels = levels.value_or(2);
  } else if (levels && *levels != fallback.levels) {
    chosen.levels = *levels;
    chosen.binarize = *levels == 2 ? "threshold" : "none";
  }
  if (data_levels) {
    chosen.data_levels = *data_levels;
    chosen.must_reach = 0;
    if (!binarize && chosen.levels == 2) {
      if (*data_levels == 2) {
        chosen.binarize = "none";
      } else if (chosen.binarize == "none") {
        chosen.binarize = "threshold";
      }
    }
  } else if (chosen.binarize != fallback.binarize || chosen.levels != fallback.levels) {
    choose_data_levels(chosen);
  }
  // The middle of other levels, unless it is said too.
  if (chosen.data_levels != fallback.data_levels) chosen.threshold = (chosen.data_levels + 1) / 2;
  if (threshold && chosen.binarize != "threshold") {
    detail::fail<ConfigError>("--threshold is ", *threshold, ", but --binarize is ",
                              chosen.binarize, "; leave it out, or use --binarize threshold");
  }
  if (seed && chosen.binarize != "stochastic" && chosen.binarize != "dynamic") {
    detail::fail<ConfigError>("--binarize-seed is ", *seed, ", but --binarize is ", chosen.binarize,
                              ", which draws nothing; leave it out, or use --binarize stochastic "
                              "or dynamic");
  }
  chosen.threshold = threshold.value_or(chosen.threshold);
  chosen.seed = seed.value_or(fallback.seed);
  chosen.grey = grey || fallback.grey;
  chosen.scale = scale.value_or(fallback.scale);
  chosen.told_scale = told_scale.value_or(fallback.told_scale);
  if (piece > 0) chosen.piece = piece;
  return chosen;
}

Metadata words_of(const Preparation& preparation) {
  Metadata words{{"data.binarize", preparation.binarize},
                 {"data.threshold", std::to_string(preparation.threshold)},
                 {"data.binarize_seed", std::to_string(preparation.seed)},
                 {"data.levels", std::to_string(preparation.data_levels)},
                 {"data.grey", preparation.grey ? "true" : "false"}};
  if (preparation.scale > 1) words["data.scale"] = std::to_string(preparation.scale);
  if (preparation.told_scale > 1) words["data.told_scale"] = std::to_string(preparation.told_scale);
  return words;
}

Preparation preparation_in(const Metadata& words, int levels, const ImageShape& image) {
  Preparation found{.binarize = levels == 2 ? "threshold" : "none", .levels = levels};
  const auto word = words.find("data.binarize");
  if (word != words.end()) found.binarize = word->second;
  take_number(words, "data.threshold", 255, found.threshold);
  take_number(words, "data.binarize_seed", std::numeric_limits<std::uint64_t>::max(), found.seed);
  choose_data_levels(found);
  if (words.contains("data.levels")) {
    take_number(words, "data.levels", 256, found.data_levels);
    found.must_reach = 2;
  }
  const auto grey = words.find("data.grey");
  found.grey = grey != words.end() && grey->second == "true";
  take_number(words, "data.scale", Index{1} << 12, found.scale);
  take_number(words, "data.told_scale", Index{1} << 12, found.told_scale);
  if (found.scale < 1 || found.told_scale < 1) {
    detail::fail<ConfigError>("the model file's words data.scale and data.told_scale are ",
                              found.scale, " and ", found.told_scale, ", expected 1 or more");
  }
  found.image = {image.height * found.scale, image.width * found.scale, image.channels};
  return found;
}

Preparation preparation_for(const PreparationOptions& given, const Metadata& words, int levels,
                            const ImageShape& image) {
  const Preparation how = given.over(preparation_in(words, levels, image));
  if (how.levels != levels) {
    detail::fail<ConfigError>("--binarize ", how.binarize, " makes ", how.levels,
                              " levels, the model has ", levels, "; use --binarize none");
  }
  return how;
}

Images read_source(const DataSource& source, const Preparation& how) {
  const std::vector<std::filesystem::path> paths(source.paths.begin(), source.paths.end());
  // Of colours a grey model can take nothing but the luma, whatever it was trained with.
  const bool grey = how.grey || (how.image && how.image->channels == 1);
  Images images =
      holds_sound(source.paths)
          ? read_sound(source, how, grey)
          : read_images(paths, {.levels = how.data_levels,
                                .must_reach = how.must_reach,
                                .grey = grey,
                                .image = how.image,
                                .labels = {source.labels.begin(), source.labels.end()},
                                .limit = source.count == 0 ? 0 : source.first + source.count,
                                .levels_name = "--data-levels ",
                                .grey_name = "--grey"});
  if (images.empty()) {
    detail::fail<ConfigError>("the data have no images: ", source.paths.front());
  }
  if (source.first >= images.count()) {
    detail::fail<ConfigError>("the data have ", images.count(), " images, none from number ",
                              source.first, " on (counted from 0)");
  }
  if (source.first > 0) images = images.slice(source.first, images.count() - source.first);
  if (!source.told.empty()) {
    images.set_condition_maps(
        read_told(source.told, source.first, images.count(), source.count == 0));
  }
  return images;
}

FeatureMap<float> read_told(const std::string& path, Index first, Index count, bool all) {
  const NpyArray<float> array = read_npy<float>(path);
  const std::vector<Index>& s = array.shape;
  if (s.size() < 2 || s.size() > 4) {
    detail::fail<FileError>(
        path, " has ", s.size(),
        " axes, expected (images, numbers), (images, rows, columns) or (images, "
        "rows, columns, numbers)");
  }
  for (const Index extent : s) {
    if (extent < 1)
      detail::fail<FileError>(path, " has an axis of ", extent, ", expected 1 or more");
  }
  if (s[0] - first < count || (all && s[0] - first > count)) {
    detail::fail<ConfigError>(path, " tells of ", s[0], " images, expected ", first + count,
                              all ? "" : " or more", ", one for each of the data");
  }
  const Shape<4> shape = s.size() == 2 ? Shape<4>{s[0], 1, 1, s[1]}
                                       : Shape<4>{s[0], s[1], s[2], s.size() == 4 ? s[3] : 1};
  const FeatureView<const float> values(array.values.data(), shape);
  const FeatureView<const float> told = values.slice(first, count);
  const auto* const bad =
      std::find_if(told.begin(), told.end(), [](float value) { return !std::isfinite(value); });
  if (bad != told.end()) {
    detail::fail<FileError>(path, " tells ", *bad, " of image ",
                            first + (bad - told.begin()) / (told.size() / count),
                            " (counted from 0), expected finite numbers");
  }
  return FeatureMap<float>(told);
}

Images prepare(Images images, const Preparation& how) {
  return at_scale(with_levels(std::move(images), how), how);
}

TrainingSet prepare_training(Images images, const Preparation& how) {
  if (how.binarize != "dynamic") return prepare(std::move(images), how);
  if (how.scale > 1 || how.told_scale > 1) {
    detail::fail<ConfigError>("--binarize dynamic makes other images in each epoch, expected no ",
                              "--scale and --told-scale; use --binarize stochastic");
  }
  require_fit(images, how);
  return binarize(std::move(images), Dynamic{how.seed});
}

}  // namespace cli
