// SPDX-License-Identifier: MIT
// Walker: a model's conditionals one sub-pixel after the other, at the cost of about one pass.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include <pixelrnn/models/model.hpp>
#include <pixelrnn/nn/network/reach.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// What a Walker walks over.
struct WalkerOptions {
  /// A width without an end, in practice: for lines of sound, of nets that read no rows above and
  /// so many columns to the left (Reach). Their walk takes no more memory than a short one.
  static constexpr Index endless = Index{1} << 40;

  Index images = 1;
  Index height = 0, width = 0;  ///< 0: the model's
  Team* team = nullptr;         ///< shares the work: see Walk
};

/// Walks a model over some images of any size in the model's order (Orientation; then R, G, B), all
/// of them at one place: next() says how the next level is distributed given those before it, put()
/// what it is.
///
///   Walker walker(model);
///   while (!walker.done()) walker.put(choose(walker.next()));
///
/// What it costs to draw an image, to code it, or to learn its likelihood: a step of the net for
/// each colour, some more where the net cannot observe (ObservingLayer). Bits do not depend on the
/// images beside. The model, and what is told of the images, must outlive it; one thread at a time.
template <WalkableModel M>
class Walker {
 public:
  using T = typename M::Scalar;
  using Level = Images::Level;

  /// Throws ConfigError if a size is negative or no image is walked, a layer has no walk, or a line
  /// is endless of a net that keeps all of it; what M::set_condition throws.
  explicit Walker(const M& model, WalkerOptions options = {}, const ConditionView& told = {})
      : model_(model), likelihood_(model.likelihood()) {
    const ImageShape image = model.image_shape();
    if (options.images < 1 || options.height < 0 || options.width < 0) {
      detail::fail<ConfigError>("Walker: images is ", options.images, ", height ", options.height,
                                " and width ", options.width,
                                ", expected 1 or more images and sizes of 0 (the model's) or more");
    }
    const Index height = options.height > 0 ? options.height : image.height;
    const Index width = options.width > 0 ? options.width : image.width;
    image_ = {height, width, image.channels};
    pixel_ = Tensor<Level, 2>({options.images, image.channels});
    inputs_ = FeatureMap<T>({options.images, 1, 1, image.channels});
    outputs_ = FeatureMap<T>({options.images, 1, 1, likelihood_.outputs(image.channels)});
    rooms_.resize(static_cast<std::size_t>(options.images));
    orientation_ = orientation_of(model);
    ordered_ = orientation_.ordered(image_);
    require_end();
    Walk walk{options.images, ordered_.height, ordered_.width, image.channels, options.team};
    if constexpr (ConditionalModel<M>) {
      condition_ =
          std::make_unique<Tape<T>>(TapeOptions{.threads = 1, .record = false, .walk_bits = true});
      model.set_condition(*condition_, told, options.images);
      if (condition_->condition()) walk.condition = condition_->condition()->value();
    }
    cache_ = std::make_unique<Cache>(model.net().make_cache(walk));
  }

  [[nodiscard]] const ImageShape& image_shape() const { return image_; }
  [[nodiscard]] Index images() const { return pixel_.shape()[0]; }
  /// Whether all levels are put; the place of the next one in the images otherwise.
  [[nodiscard]] bool done() const { return row_ == ordered_.height; }
  [[nodiscard]] Index row() const { return orientation_.in_image(image_, row_, column_).row; }
  [[nodiscard]] Index column() const { return orientation_.in_image(image_, row_, column_).column; }
  [[nodiscard]] Index channel() const { return channel_; }

  /// The logits of the pixel at hand, a row an image, of which those of the next channel are final.
  /// Until the next put(). Throws ConfigError if the walk is done.
  [[nodiscard]] MatrixView<const T> logits() {
    require_more("next");
    if constexpr (M::Likelihood::masks_colours) {
      // Each colour's units once, those of colours that nobody asked for too.
      while (stepped_ < channel_) step({++stepped_, image_.channels});
    } else if (stepped_ < 0) {
      step({}), stepped_ = channel_;
    }
    return as_rows(std::as_const(outputs_).view());
  }
  /// The Conditional of the next level of an image (likelihood.hpp), until the next call for that
  /// image or put(). Throws likewise.
  [[nodiscard]] auto next(Index image = 0) {
    const T* const z = logits().row(image);
    return likelihood_.conditional(z, pixel_of(image), channel_,
                                   rooms_[static_cast<std::size_t>(image)]);
  }

  /// Puts the next level of each image, and goes on to the one after it. Throws ShapeError unless
  /// there is one an image, ValueError if one is none of the likelihood's, ConfigError if the walk
  /// is done.
  void put(std::span<const Level> levels) {
    require_more("put");
    require_levels(levels, images());
    for (Index n = 0; n < images(); ++n) {
      pixel_(n, channel_) = levels[static_cast<std::size_t>(n)];
    }
    if (++channel_ == image_.channels) end_pixel();
  }
  /// Of a walk over one image.
  void put(Level level) { put(std::span<const Level>(&level, 1)); }
  /// Puts all levels of the next pixel, (images, C) of them, that nobody asks for: one step of the
  /// net. Throws as put() does, and ConfigError within a pixel.
  void put_pixel(std::span<const Level> levels) {
    require_more("put_pixel");
    if (channel_ != 0) {
      detail::fail<ConfigError>("Walker::put_pixel: channel ", channel_, " of pixel (", row(), ", ",
                                column(), ") is next, expected channel 0; put() the others");
    }
    require_levels(levels, pixel_.size());
    std::copy(levels.begin(), levels.end(), pixel_.begin());
    end_pixel();
  }

 private:
  using Net = detail::NetOf<M>;
  using Cache = typename Net::Cache;

  [[nodiscard]] std::span<const Level> pixel_of(Index image) const {
    return {pixel_.data() + image * image_.channels, static_cast<std::size_t>(image_.channels)};
  }
  MatrixView<const T> encoded() {
    std::transform(pixel_.begin(), pixel_.end(), inputs_.begin(),
                   [this](Level level) { return model_.encode(int{level}); });
    return as_rows(std::as_const(inputs_).view());
  }
  void step(const ColourGroup& colour) {
    detail::step_colour(model_.net(), *cache_, row_, column_, encoded(), as_rows(outputs_.view()),
                        colour);
  }
  /// All levels of the pixel are there: the net comes to know them.
  void end_pixel() {
    // What was stepped for the last colour differs by nothing but what mask A hides.
    const bool is_stepped = stepped_ >= (M::Likelihood::masks_colours ? image_.channels - 1 : 0);
    if constexpr (ObservingLayer<Net>) {
      if (is_stepped) {
        model_.net().observe(*cache_, row_, column_, encoded());
      } else {
        step({});
      }
    } else {
      static_cast<void>(is_stepped);
      step({});
    }
    pixel_.fill(0);
    stepped_ = -1, channel_ = 0;
    if (++column_ < ordered_.width) return;
    model_.net().end_row(*cache_, row_);
    ++row_, column_ = 0;
  }
  void require_end() const {
    if (std::max(ordered_.height, ordered_.width) < WalkerOptions::endless) return;
    const Reach reach = reach_of(model_.net());
    if (ordered_.height == 1 && reach.above == 0 && reach.left != Reach::everywhere) return;
    detail::fail<ConfigError>(
        "Walker: a line of an image is endless, expected a net that reads no ",
        "rows above and some columns to the left, and height 1");
  }
  void require_more(const char* what) const {
    if (!done()) return;
    detail::fail<ConfigError>("Walker::", what, ": the walk over images ", image_,
                              " is done; make a new one");
  }
  void require_levels(std::span<const Level> levels, Index count) const {
    if (std::ssize(levels) != count) {
      detail::fail<ShapeError>("Walker: ", levels.size(), " levels are put, expected ", count,
                               " for ", images(), " images");
    }
    const auto bad = std::find_if(levels.begin(), levels.end(), [this](Level level) {
      return int{level} >= likelihood_.levels();
    });
    if (bad != levels.end()) {
      detail::fail<ValueError>("Walker: level ", bad - levels.begin(), " is ", int{*bad},
                               ", expected 0 to ", likelihood_.levels() - 1, " for ",
                               likelihood_.name());
    }
  }

  const M& model_;
  typename M::Likelihood likelihood_;
  Orientation orientation_{};
  ImageShape image_{}, ordered_{};
  std::unique_ptr<Tape<T>> condition_;  ///< holds what layers are told
  std::unique_ptr<Cache> cache_;
  Tensor<Level, 2> pixel_;  ///< (images, C): what is put of the pixel, 0 elsewhere
  FeatureMap<T> inputs_, outputs_;
  std::vector<std::vector<double>> rooms_;    ///< of conditionals
  Index row_ = 0, column_ = 0, channel_ = 0;  ///< in the model's order
  Index stepped_ = -1;                        ///< the channel that the pixel was last stepped for
};

}  // namespace pixelrnn::inline PIXELRNN_ABI
