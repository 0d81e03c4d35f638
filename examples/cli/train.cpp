// SPDX-License-Identifier: MIT
// pixelrnn train: fits a model to images, shows how it goes, and can be stopped and resumed.
#include <algorithm>
#include <limits>
#include <optional>

#include <pixelrnn/io/file.hpp>
#include <pixelrnn/training/content_hash.hpp>

#include "commands.hpp"
#include "interrupt.hpp"
#include "output.hpp"
#include "progress.hpp"

namespace cli {
namespace {

AnyUpdateRule update_rule(const Train& options) {
  const auto with_rate = [&](auto rule) -> AnyUpdateRule {
    rule.learning_rate = options.learning_rate.value_or(rule.learning_rate);
    return rule;
  };
  if (options.optimizer == "sgd") return with_rate(SGD{.momentum = options.momentum});
  if (options.momentum != 0) {
    detail::fail<ConfigError>("--momentum is ", options.momentum, ", but belongs to --optimizer ",
                              "sgd alone");
  }
  if (options.optimizer == "rmsprop") return with_rate(RMSProp{});
  return with_rate(Adam{});
}

/// The step at which training ends.
Index last_step(const Train& options, Index images) {
  const Index an_epoch = images / options.batch_size + (images % options.batch_size == 0 ? 0 : 1);
  if (options.epochs > std::numeric_limits<Index>::max() / an_epoch) {
    detail::fail<ConfigError>("--epochs ", options.epochs, " is too many");
  }
  const Index all = an_epoch * options.epochs;
  return options.steps > 0 ? std::min(options.steps, all) : all;
}

Schedule chosen_schedule(const Train& options, Index steps) {
  if (options.schedule == "cosine") {
    const Index rate_steps = std::max<Index>(1, steps);
    if (options.warmup >= rate_steps) {
      detail::fail<ConfigError>("--warmup is ", options.warmup, ", expected less than the ",
                                rate_steps,
                                " steps of this training: --epochs, --steps, --batch-size");
    }
    return cosine_rate(rate_steps, options.warmup);
  }
  if (options.warmup != 0) {
    detail::fail<ConfigError>("--warmup is ", options.warmup, ", but belongs to --schedule cosine ",
                              "alone");
  }
  return constant_rate();
}

/// A checkpoint goes on with the data it was trained on: their order depends on their number, and
/// the best epoch is the best on the images it was validated on.
void require_same_data(const Train& options, const Metadata& words) {
  const auto trained_on = read_metadata(options.resume);
  std::vector<const char*> keys{"data.images", "data.binarization", "data.content",
                                "data.told",   "data.labels",       "data.told_scale"};
  if (options.patience > 0 || options.keep_best) {
    keys.insert(keys.end(),
                {"data.validation_content", "data.validation_told", "data.validation_labels"});
  }
  for (const char* const key : keys) {
    const auto before = trained_on.find(key), now = words.find(key);
    if (before == trained_on.end() || now == words.end() || before->second == now->second) continue;
    detail::fail<ConfigError>(options.resume, ": it was trained with ", key, " = ",
                              detail::in_quotes(before->second), ", these are ", now->second,
                              "; resume with the same data");
  }
}

/// The condition that the command line asks for. Throws ConfigError unless all images have labels
/// that it can be.
Condition chosen_condition(const Train& options, const TrainingSet& images,
                           const std::optional<Images>& held_out) {
  const Index scale = options.preparation.scale * options.preparation.told_scale;
  if (scale > 1 && !(options.told.empty() && options.validation_told.empty())) {
    detail::fail<ConfigError>("--told is of images of one scale, expected no --scale and ",
                              "--told-scale");
  }
  if (options.condition != "maps" && !options.validation_told.empty()) {
    detail::fail<ConfigError>("--valid-told needs --condition maps, which is ", options.condition);
  }
  if (options.preparation.told_scale > 1) {
    if (options.condition != "none") {
      detail::fail<ConfigError>("--told-scale is what the model is told, expected no --condition");
    }
    return {.channels = images.image_shape().channels, .features = options.condition_channels};
  }
  if ((options.condition == "maps") != !options.told.empty()) {
    detail::fail<ConfigError>("--condition is ", options.condition, " and --told ",
                              options.told.empty() ? "not given" : options.told,
                              ", expected --condition maps with --told, or neither");
  }
  if (options.condition == "none") return {};
  if (options.condition == "maps") {
    if (held_out && options.validation_told.empty()) {
      detail::fail<ConfigError>("--condition maps needs what is told of the images of --valid; ",
                                "give it as --valid-told");
    }
    const Shape<4> maps = images.conditions().maps.shape();
    require_maps("--told", options.told, maps, images.image_shape(), maps.c(), "");
    if (held_out) {
      require_maps("--valid-told", options.validation_told, held_out->conditions().maps.shape(),
                   held_out->image_shape(), maps.c(), " as --told");
    }
    return {.channels = maps.c()};
  }
  const auto require = [](const std::vector<int>& labels, const char* option, const char* of) {
    if (!labels.empty()) return;
    detail::fail<ConfigError>("--condition class needs the labels of the images of ", of,
                              "; give them as ", option);
  };
  require(images.labels(), "--labels", "--data");
  Index most = *std::ranges::max_element(images.labels()) + 1;
  if (held_out) {
    require(held_out->labels(), "--valid-labels", "--valid");
    most = std::max<Index>(most, *std::ranges::max_element(held_out->labels()) + 1);
  }
  return {.classes = options.classes.value_or(std::max<Index>(2, most)),
          .channels = options.condition_channels};
}

/// Gives a model the weights of another one. Throws ConfigError unless they are the same but for
/// the order of the pixels and the size of the images.
void take_weights(const std::string& path, AnyModel& first, AnyModel& net) {
  const Index channels = first.image_shape().channels, own = net.image_shape().channels;
  if (channels != own) {
    detail::fail<ConfigError>("--start-from ", path, ": it is a model of ", channels,
                              " channels, the data have ", own);
  }
  Metadata wanted = net.describe(), found = first.describe();
  for (const char* const free : {"image", "orientation"}) wanted.erase(free), found.erase(free);
  for (const auto& [word, value] : found) wanted.try_emplace(word, "none");
  require_metadata(("--start-from " + path).c_str(), wanted, found);
  const std::vector<NamedTensor<float>> from = first.weights(), to = net.weights();
  for (std::size_t p = 0; p < to.size(); ++p) {
    std::copy(from[p].values.begin(), from[p].values.end(), to[p].values.begin());
  }
}

/// What is written may be what was resumed, and nothing else that is read.
void require_separate_files(const Train& options) {
  std::vector<NamedFile> images;
  for (const std::string& path : options.data) images.push_back({"--data", path});
  for (const std::string& path : options.labels) images.push_back({"--labels", path});
  for (const std::string& path : options.validation) images.push_back({"--valid", path});
  for (const std::string& path : options.validation_labels) {
    images.push_back({"--valid-labels", path});
  }
  images.push_back({"--told", options.told});
  images.push_back({"--valid-told", options.validation_told});
  const NamedFile log{"--log", options.log}, json{"--json", options.json};
  require_separate(images, {{"--out", options.out}, log, json});
  require_separate({{"--resume", options.resume}}, {log, json});
  if (options.starts_from_model()) {
    require_separate({{"--start-from", options.start_from}}, {{"--out", options.out}, log, json});
  }
}

}  // namespace

int Train::run() const {
  require_separate_files(*this);
  const Console console(json);
  Metadata kept = words;
  Images source = read_source({data, labels, told, 0, limit}, preparation);
  kept["data.content"] = content_hash(source);
  if (!told.empty()) kept["data.told"] = content_hash(source.conditions().maps.view());
  if (holds_sound(data)) kept["data.rate"] = std::to_string(rate_of_sound(data));
  TrainingSet images = prepare_training(std::move(source), preparation);
  std::optional<Images> held_out;
  if (!validation.empty()) {
    Preparation how = preparation;
    const ImageShape own = images.image_shape();
    how.image = {own.height * how.scale, own.width * how.scale, own.channels};
    held_out = prepare(
        read_source({validation, validation_labels, validation_told, 0, validation_limit}, how),
        how);
    kept["data.validation_content"] = content_hash(*held_out);
    if (!validation_told.empty()) {
      kept["data.validation_told"] = content_hash(held_out->conditions().maps.view());
    }
  }

  ModelSpec spec = model;
  spec.image = images.image_shape();
  spec.levels = images.levels();
  spec.condition = chosen_condition(*this, images, held_out);
  if (spec.condition.classes > 0) {
    kept["option.classes"] = std::to_string(spec.condition.classes);
    kept["data.labels"] = content_hash(images.labels());
    if (held_out) kept["data.validation_labels"] = content_hash(held_out->labels());
  }
  Rng rng(seed);
  const std::unique_ptr<AnyModel> net = make_model(spec, rng);
  if (starts_from_model()) {
    take_weights(start_from, *ModelFile{.path = start_from}.load(console), *net);
  }
  const Index end = last_step(*this, images.count());
  const std::unique_ptr<AnyTrainer> trainer =
      net->trainer(update_rule(*this), {.seed = seed,
                                        .threads = threads,
                                        .clip_norm = clip_norm,
                                        .dropout = dropout,
                                        .average_decay = average_decay,
                                        .keep_best = keep_best,
                                        .schedule = chosen_schedule(*this, end)});
  kept["data.images"] = std::to_string(images.count());
  kept["data.binarization"] = images.binarization();
  if (!resume.empty()) {
    require_same_data(*this, kept);
    trainer->load(resume);
  }
  static_cast<void>(AtomicFile(out));  // to find out now, not hours later, that it cannot be made
  const Index begin = trainer->steps();
  Progress progress(console, begin, end, epochs, images.binarization());
  if (!log.empty()) progress.log_to(log, !resume.empty(), begin);

  console.write(
      format("%s: %td parameters, %td images of %td x %td x %td, %d levels, binarization %s\n",
             spec.kind.c_str(), net->parameter_count(), images.count(), spec.image.height,
             spec.image.width, spec.image.channels, spec.levels, images.binarization().c_str()));
  if (spec.condition.classes > 0) {
    console.write(
        format("it is told which of %td classes an image is of\n", spec.condition.classes));
  }
  if (condition == "maps") {
    console.write(format("it is told %td numbers of an image or pixel\n", spec.condition.channels));
  }
  if (preparation.told_scale > 1) {
    console.write(format("it is told every %td. pixel of an image\n", preparation.told_scale));
  }
  if (starts_from_model()) {
    console.write(format("starting from %s\n", harmless(start_from).c_str()));
  }
  if (!resume.empty()) {
    console.write(format("resuming %s at step %td\n", harmless(resume).c_str(), begin));
  }

  const auto save = [&] {
    progress.flush_log();  // so that no checkpoint is ahead of the log
    trainer->save(out, kept);
    progress.resume();
  };
  const Interrupt interrupt;
  std::optional<double> train_nats;
  std::vector<double> nats_of_steps;
  FitOptions fit{.epochs = epochs, .steps = steps, .batch_size = batch_size, .patience = patience};
  if (held_out) fit.validation = &*held_out;
  fit.on_step = [&](const StepReport& step) {
    progress.step(step);
    if (curve) nats_of_steps.push_back(step.nats_per_image);
    // At the end of an epoch on_epoch saves, when the epoch has been counted.
    const bool due = checkpoint_every > 0 && step.step % checkpoint_every == 0;
    if (due && step.position < images.count()) save();
    return interrupt.signal() == 0;
  };
  fit.on_epoch = [&](const EpochReport& epoch) {
    train_nats = epoch.train_nats_per_image;
    progress.epoch(epoch);
    save();
    return interrupt.signal() == 0;
  };
  const FitReport report = trainer->fit(images, fit);
  save();
  progress.finish();
  if (curve) console.write(curve_of(nats_of_steps, console.columns(), 12));

  const bool done =
      report.stagnated || report.epochs >= epochs || (steps > 0 && report.steps >= steps);
  if (done) {
    if (report.stagnated) {
      console.write(format("stopped early: %td epochs without a better validation\n", patience));
    } else if (report.steps == begin) {
      console.write(
          format("no step was left to do: --epochs is %td, --steps %td\n", epochs, steps));
    }
    if (report.best) {
      console.write(format("best epoch %td: validation %.3f nats, %s%s\n", report.best->epoch + 1,
                           report.best->nats_per_image, report.validation_binarization.c_str(),
                           keep_best ? "; its weights are kept" : ""));
    }
    if (report.steps > begin && !train_nats) {
      console.write(format("no epoch ended, the last step was of %.3f nats%s\n",
                           report.last_nats_per_image,
                           held_out ? ": the images of --valid were not looked at" : ""));
    }
    console.write(format("wrote %s after %td steps\n", harmless(out).c_str(), report.steps));
  } else {
    console.write(format("stopped at step %td of %td; to resume:\n  %s --resume %s\n", report.steps,
                         end, harmless(command_line).c_str(), harmless(out).c_str()));
  }

  Figures figures;
  figures.set("steps", report.steps);
  figures.set("epochs", report.epochs);
  figures.set("finished", done);
  figures.set("last_nats_per_image", report.last_nats_per_image);
  if (train_nats) figures.set("train_nats_per_image", *train_nats);
  figures.set("binarization", report.binarization);
  if (report.validation_nats_per_image) {
    figures.set("validation_nats_per_image", *report.validation_nats_per_image);
    figures.set("validation_binarization", report.validation_binarization);
  }
  if (report.best) {
    figures.set("best_epoch", report.best->epoch + 1);
    figures.set("best_validation_nats_per_image", report.best->nats_per_image);
  }
  figures.set("images", images.count());
  figures.set("parameters", net->parameter_count());
  figures.set("images_per_second", progress.images_per_second());
  figures.set("seconds", progress.seconds());
  figures.set("peak_bytes", static_cast<Index>(trainer->peak_bytes()));
  const auto start = words.find(start_word);
  if (start != words.end()) figures.set("start_from", start->second);
  figures.set("out", out);
  figures.write(json);
  return done ? 0 : 128 + interrupt.signal();
}

}  // namespace cli
