// SPDX-License-Identifier: MIT
// pixelrnn sample, complete and shapes: the commands that make images.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <utility>

#include <pixelrnn/io/idx.hpp>
#include <pixelrnn/io/png.hpp>
#include <pixelrnn/io/wav.hpp>
#include <pixelrnn/training/mixture.hpp>
#include <pixelrnn/training/multi_scale.hpp>

#include "commands.hpp"
#include "output.hpp"
#include "shapes.hpp"

namespace cli {
namespace {

void require_separate_files(const Drawing& options, std::vector<NamedFile> read) {
  for (const std::string& path : options.model.mixed_with) read.push_back({"--mix-with", path});
  read.push_back({"--small", options.model.small});
  read.push_back({"--model", options.model.path});
  read.push_back({"--told", options.told});
  require_separate(read, {{"--out", options.out}, {"--json", options.json}});
}

/// Throws ConfigError if --class is none of the model's.
void require_class(const Drawing& options, const AnyModel& net) {
  if (!options.of_class) return;
  const Index classes = net.condition().classes;
  if (classes == 0) {
    detail::fail<ConfigError>("--class is ", *options.of_class, ", but the model ",
                              options.model.path, " is told no classes; see train --condition");
  }
  if (*options.of_class >= classes) {
    detail::fail<ConfigError>("--class is ", *options.of_class, ", expected 0 to ", classes - 1);
  }
}

bool makes_sound(const Drawing& options) { return ending_of(options.out) == ".wav"; }
/// Throws ConfigError, before anything is drawn, if --out is sound and images are none, or is
/// something else; FileError if it cannot be written.
void require_drawable(const Drawing& options, const ImageShape& image) {
  require_writable("--out", options.out, {".png", ".wav"});
  if (!makes_sound(options) || image.height == 1) return;
  detail::fail<ConfigError>("--out ", options.out, " is sound, which has one row, the images are ",
                            image, "; use a name that ends in .png");
}
/// Pieces one after the other, at the rate of what the model was trained on.
void write_sound(const Drawing& options, const Images& drawn) {
  const ModelWords words(options.model.path, read_metadata(options.model.path));
  const Index rate = words.contains("data.rate") ? words.size("data.rate") : Sound().rate;
  write_wav(options.out, sound_of(drawn, rate, {.levels = drawn.levels()}));
}

/// Draws, then writes and shows what was drawn.
template <class Draw, class Arrange>
int run_drawing(const Drawing& options, const Console& console, Index columns, Draw draw,
                Arrange arrange) {
  const auto start = std::chrono::steady_clock::now();
  const Images drawn = draw();
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const Images shown = arrange(drawn);
  if (makes_sound(options)) {
    write_sound(options, drawn);
  } else {
    write_grid(options.out, shown, columns);
  }
  if (options.show) console.write(as_text(shown, console.columns()));
  console.write(format("wrote %s: %td images drawn in %.2f s\n", harmless(options.out).c_str(),
                       drawn.count(), seconds));
  Figures figures;
  figures.set("images", drawn.count());
  figures.set("seed", std::to_string(options.seed));
  figures.set("temperature", options.temperature);
  figures.set("sampler", options.sampler);
  figures.set("seconds", seconds);
  figures.set("ms_per_image",
              1000 * seconds / static_cast<double>(std::max<Index>(1, drawn.count())));
  figures.set("out", options.out);
  figures.write(options.json);
  return 0;
}

/// The pixels of images of this size that are known: the first rows or columns, or those of a
/// picture that are not black.
KeepMask known_pixels(const Complete& options, const ImageShape& image) {
  KeepMask keep{Tensor<unsigned char, 2>({image.height, image.width})};
  if (options.keep_rows) {
    const KeepRows rows{*options.keep_rows};
    rows.check(image);
    std::fill_n(keep.mask.begin(), rows.rows * image.width, static_cast<unsigned char>(1));
    return keep;
  }
  if (options.keep_columns) {
    if (*options.keep_columns > image.width) {
      detail::fail<ConfigError>("--keep-columns is ", *options.keep_columns, ", expected 0 to ",
                                image.width, ", the columns of the images");
    }
    for (Index row = 0; row < image.height; ++row) {
      std::fill_n(keep.mask.begin() + row * image.width, *options.keep_columns,
                  static_cast<unsigned char>(1));
    }
    return keep;
  }
  const Images picture = read_png(options.keep_mask, {.background = 0});
  const ImageShape found = picture.image_shape();
  if (found.height != image.height || found.width != image.width) {
    detail::fail<ShapeError>("--keep-mask ", options.keep_mask, " is ", found.height, 'x',
                             found.width, ", expected ", image.height, 'x', image.width,
                             " as the images");
  }
  // Masks are written as 0 and 1, as 0 and 255, and with soft edges: all that is not black is kept.
  const TensorView<const Images::Level, 3> values = picture[0];
  for (Index row = 0; row < image.height; ++row) {
    for (Index column = 0; column < image.width; ++column) {
      for (Index c = 0; c < found.channels; ++c) {
        if (values(row, column, c) != 0) keep.mask(row, column) = 1;
      }
    }
  }
  if (std::ranges::count(keep.mask, 1) == 0) {
    detail::fail<ConfigError>(
        "--keep-mask ", options.keep_mask, " is all black and keeps nothing, ",
        "expected pixels that are not black; to keep nothing use ", "--keep-rows 0");
  }
  return keep;
}

/// Every image as often as it is to be completed.
Images repeated(const Images& images, Index times) {
  std::vector<Index> indices;
  for (Index i = 0; i < images.count() * times; ++i) indices.push_back(i / times);
  return images.select(indices);
}

/// For each image a line: itself, what is known of it (the rest grey), and its completions.
Images lines_of(const Images& images, const KeepMask& keep, const Images& completed) {
  const Index variants = completed.count() / images.count(), columns = 2 + variants;
  const Index channels = images.image_shape().channels;
  const Images originals = displayed(images), drawn = displayed(completed);
  Images lines(images.count() * columns, images.image_shape(), 256);
  for (Index n = 0; n < images.count(); ++n) {
    std::ranges::copy(originals[n], lines[n * columns].begin());
    Index element = 0;
    std::ranges::transform(originals[n], lines[n * columns + 1].begin(), [&](Images::Level level) {
      const bool kept = keep.mask.data()[element++ / channels] != 0;
      return kept ? level : Images::Level{128};
    });
    for (Index v = 0; v < variants; ++v) {
      std::ranges::copy(drawn[n * variants + v], lines[n * columns + 2 + v].begin());
    }
  }
  return lines;
}

}  // namespace

int Sample::run() const {
  require_separate_files(*this, {});
  const Console console(json);
  const auto nets = model.load_all(console);
  const std::unique_ptr<AnyModel>& net = nets[0];
  require_class(*this, *net);
  const ImageShape image = net->image_shape();
  const ImageShape size{height > 0 ? height : image.height, width > 0 ? width : image.width,
                        image.channels};
  require_drawable(*this, size);
  SampleOptions how{
      .seed = seed, .threads = threads, .first = first, .height = height, .width = width};
  // Classes by turns, if none is asked for: image i is of the same class in every call.
  const auto classes = static_cast<std::uint64_t>(net->condition().classes);
  if (classes > 0) how.conditions.labels.reserve(static_cast<std::size_t>(count));
  for (Index i = 0; i < count && classes > 0; ++i) {
    const auto by_turns =
        static_cast<int>((first % classes + static_cast<std::uint64_t>(i)) % classes);
    how.conditions.labels.push_back(of_class.value_or(by_turns));
  }
  if (!told.empty()) {
    constexpr std::uint64_t most = std::uint64_t{1} << 40;  // rows that no file has
    how.conditions.maps = read_told(told, static_cast<Index>(std::min(first, most)), count);
  }
  const Index told_scale =
      preparation_in(read_metadata(model.path), net->levels(), image).told_scale;
  require_told(*net, told_scale, told, how.conditions.maps, size);
  const std::unique_ptr<AnyModel> small = model.load_small(console, *net, told_scale);
  if (told_scale > 1 && small == nullptr) {
    detail::fail<ConfigError>("the model is told smaller images; give the model that draws them ",
                              "as --small");
  }
  const auto draw = [&] {
    const AnyRule rule{temperature};
    if (small != nullptr) {
      how = detail::told(
          small->sample(count, detail::smaller(how, told_scale), rule, chosen_sampler()),
          told_scale, how);
    }
    if (nets.size() == 1) return net->sample(count, how, rule, chosen_sampler());
    Images all(count, size, net->levels(), "sampled");
    all.set_conditions(how.conditions);
    const std::vector<double> equal(nets.size(), 1.0 / static_cast<double>(nets.size()));
    detail::draw_mixed(all, equal, how,
                       [&](std::size_t k, const Images& part, const SampleOptions& own) {
                         const KeepMask none{Tensor<unsigned char, 2>({size.height, size.width})};
                         return nets[k]->complete(part, none, own, rule, chosen_sampler());
                       });
    return all;
  };
  return run_drawing(*this, console, columns, draw, [](const Images& images) { return images; });
}

int Complete::run() const {
  std::vector<NamedFile> read{{"--keep-mask", keep_mask}};
  for (const std::string& path : data) read.push_back({"--data", path});
  for (const std::string& path : labels) read.push_back({"--labels", path});
  require_separate_files(*this, read);
  const Console console(json);
  const std::unique_ptr<AnyModel> net = model.load(console);
  require_class(*this, *net);
  const Preparation how =
      preparation_for(preparation, read_metadata(model.path), net->levels(), net->image_shape());
  if (how.told_scale > 1) {
    detail::fail<ConfigError>("the model is told a smaller image, of which what is unknown is a ",
                              "part too; complete by a model of one scale");
  }
  require_drawable(*this, net->image_shape());
  Images part = read_source({data, labels, told, first, count}, how);
  if (exact && part.count() < count) {
    detail::fail<ConfigError>("--count is ", count, ", but from image --first ", first,
                              " on (counted from 0) the data have only ", part.count());
  }
  Images images = prepare(std::move(part), how);
  const KeepMask keep = known_pixels(*this, images.image_shape());
  require_told(*net, how.told_scale, told, images.conditions().maps, images.image_shape());
  require_labels(*net, images, first);
  if (of_class) {
    images.set_labels(std::vector<int>(static_cast<std::size_t>(images.count()), *of_class));
  } else if (net->condition().classes > 0 && images.labels().empty()) {
    detail::fail<ConfigError>("the model is told the class of an image; give --labels or --class");
  }
  // Numbered as all completions of the data are, so that --first changes none of them.
  const SampleOptions options{
      .seed = seed,
      .threads = threads,
      .first = static_cast<std::uint64_t>(first) * static_cast<std::uint64_t>(variants)};
  const auto draw = [&] {
    return net->complete(repeated(images, variants), keep, options, AnyRule{temperature},
                         chosen_sampler());
  };
  return run_drawing(*this, console, 2 + variants, draw,
                     [&](const Images& completed) { return lines_of(images, keep, completed); });
}

int Shapes::run() const {
  require_separate({}, {{"--out", out}, {"--json", json}});
  static_cast<void>(Console(json));  // to find out now that it cannot be written
  write_idx(out, draw_shapes(count, seed));
  Figures figures;
  figures.set("images", count);
  figures.set("seed", std::to_string(seed));
  figures.set("out", out);
  figures.write(json);
  return 0;
}

}  // namespace cli
