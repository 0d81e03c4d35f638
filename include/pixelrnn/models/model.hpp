// SPDX-License-Identifier: MIT
// ImageModel: a net that maps an image to logits, and the likelihood that reads them.
#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <string>

#include <pixelrnn/core/orientation.hpp>
#include <pixelrnn/kernels/backend.hpp>
#include <pixelrnn/likelihood/likelihood.hpp>
#include <pixelrnn/models/condition.hpp>
#include <pixelrnn/models/encoding.hpp>
#include <pixelrnn/models/parts.hpp>
#include <pixelrnn/nn/layer.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// What trainers, evaluators and FullForward need of a model; ImageModel is one, and so is any
/// class of a user's that offers the same. To be sampled fast it is a WalkableModel too.
template <class M>
concept Model = requires(const M& model, M& owner, Variable<typename M::Scalar> x, int level) {
  typename M::Likelihood;
  { model.image_shape() } -> std::same_as<ImageShape>;
  { model.likelihood() } -> std::convertible_to<typename M::Likelihood>;
  { model.encode(level) } -> std::same_as<typename M::Scalar>;
  { model.logits(x) } -> std::same_as<Variable<typename M::Scalar>>;
  { model.describe() } -> std::same_as<std::map<std::string, std::string>>;
  owner.for_each_parameter(detail::AnyVisitor{});
}
&&Likelihood<typename M::Likelihood, typename M::Scalar>;

namespace detail {
template <class M>
concept HasNet = requires(M& model) {
  model.net();
};
/// The type of the net that a const model shows.
template <class M>
using NetOf = std::remove_cvref_t<decltype(std::declval<const M&>().net())>;
template <class Net, class T>
concept NetThatWalks = IncrementalLayer<std::remove_cvref_t<Net>> &&
    std::same_as<typename std::remove_cvref_t<Net>::Scalar, T>;
}  // namespace detail

/// A model that Cached can walk: it shows its net, an IncrementalLayer of the model's Scalar, and
/// logits(x) is net().forward(x) and nothing else.
///   const Net& net() const;
template <class M>
concept WalkableModel = Model<M> && requires(const M& model) {
  { model.net() } -> detail::NetThatWalks<typename M::Scalar>;
};

/// A model that is told something of its images beside their pixels, or may be: it gives the tape
/// the condition of so many of them, from which its logits then follow. And it says what might be
/// told of some images, for checks that are given nothing better.
template <class M>
concept ConditionalModel = Model<M> && requires(const M& model, Tape<typename M::Scalar>& tape,
                                                const ConditionView& told, Index images) {
  model.set_condition(tape, told, images);
  { model.example_conditions(images) } -> std::same_as<Conditions>;
};

/// The order in which a model goes through the pixels of an image: that of its member
/// orientation(), if it has one, else the raster's. Its logits(x) takes x, and gives logits, in
/// that order; images and what is told of them are not.
template <Model M>
[[nodiscard]] Orientation orientation_of(const M& model) {
  if constexpr (requires {
                  { model.orientation() } -> std::convertible_to<Orientation>;
                }) {
    return model.orientation();
  } else {
    return {};
  }
}

/// The logits of images x that something is told of, which must outlive the tape's recording.
template <Model M>
[[nodiscard]] Variable<typename M::Scalar> logits_given(const M& model,
                                                        Variable<typename M::Scalar> x,
                                                        const ConditionView& told) {
  if constexpr (ConditionalModel<M>) model.set_condition(x.tape(), told, x.shape().n());
  return model.logits(x);
}

/// p(x) = Π over sub-pixels i of p(x_i | x_<i) (eq. 1 and 2 of the paper): raster order, then
/// R, G, B; with a condition c, p(x | c). The net maps encoded images (N, H, W, C) to the
/// likelihood's logits (N, H, W, outputs(C)); that they depend on earlier sub-pixels only is the
/// net's promise, which verify_causality checks. Throws ShapeError if the net does not end in the
/// right number of channels.
template <Layer Net, class L>
requires Likelihood<L, typename Net::Scalar>
class ImageModel {
  static_assert(detail::WholeWalk<Net>::value);

 public:
  using Scalar = typename Net::Scalar;
  using Likelihood = L;
  using NetType = Net;
  using Execution = ExecutionOf<Net>;
  static constexpr bool separates_images = SeparatesImages<Net>;

  ImageModel(ImageShape image, Net net, L likelihood = L(),
             std::map<std::string, std::string> description = {},
             Encoding encoding = Encoding::scaled)
      : ImageModel(image, std::move(net), std::move(likelihood), std::move(description), encoding,
                   ConditionInput(), {}) {}
  /// A model that is told something, for a net with layers of as many condition_channels. The table
  /// of labels is drawn here, after the net.
  ImageModel(ImageShape image, Net net, L likelihood,
             std::map<std::string, std::string> description, Encoding encoding, Condition condition,
             Rng& rng, Orientation orientation = {})
      : ImageModel(image, std::move(net), std::move(likelihood), std::move(description), encoding,
                   ConditionInput(condition, rng), orientation) {}

  [[nodiscard]] ImageShape image_shape() const { return image_; }
  [[nodiscard]] const Orientation& orientation() const { return orientation_; }
  [[nodiscard]] const L& likelihood() const { return likelihood_; }
  [[nodiscard]] const Net& net() const { return net_; }
  [[nodiscard]] Net& net() { return net_; }
  /// Everything that fixes the shapes of the parameters and the meaning of the output, as words:
  /// the net, layer by layer, and how levels are encoded. Checkpoints carry it and refuse a model
  /// that differs.
  [[nodiscard]] std::map<std::string, std::string> describe() const { return description_; }

  /// A level as the net reads it.
  [[nodiscard]] Scalar encode(int level) const {
    return encode_level<Scalar>(encoding_, level, likelihood_.levels());
  }
  [[nodiscard]] Variable<Scalar> logits(Variable<Scalar> x) const {
    return detail::forward_in_parts(net_, x);
  }
  void for_each_parameter(auto&& visit) {
    net_.for_each_parameter(visit);
    if (condition_.exists()) visit("condition", condition_);
  }

  /// What the model is told of each image.
  [[nodiscard]] const Condition& condition() const { return condition_.condition(); }
  /// See ConditionalModel. Throws ConfigError if nothing is told of the images and must be,
  /// ShapeError if it does not fit, ValueError on a label that is none of the classes.
  void set_condition(Tape<Scalar>& tape, const ConditionView& told, Index images) const {
    condition_.set(tape, told, images, orientation_);
  }
  [[nodiscard]] Conditions example_conditions(Index images) const {
    return condition_.example(images);
  }

 private:
  using ConditionInput = detail::ConditionInput<Backend<Scalar, kernels::Xsimd, Execution>>;

  ImageModel(ImageShape image, Net net, L likelihood,
             std::map<std::string, std::string> description, Encoding encoding,
             ConditionInput condition, const Orientation& orientation)
      : image_(image),
        net_(std::move(net)),
        likelihood_(std::move(likelihood)),
        description_(std::move(description)),
        encoding_(encoding),
        condition_(std::move(condition)),
        orientation_(orientation) {
    require_valid(image, "ImageModel");
    if constexpr (IsNetwork<Net>) net_.require_visited();
    const ImageShape ordered = orientation.ordered(image);
    const Shape<4> in{1, ordered.height, ordered.width, ordered.channels};
    const Shape<4> out = net_.output_shape(in);
    const Shape<4> expected = in.with_channels(likelihood_.outputs(image.channels));
    if (out != expected) {
      detail::fail<ShapeError>("ImageModel: the net turns ", in, " into ", out, ", expected ",
                               expected, ": ", expected.c(), " logits a pixel for ",
                               likelihood_.name());
    }
    std::ostringstream shape;
    shape << image;
    description_.insert({{"image", shape.str()},
                         {"likelihood", likelihood_.name()},
                         {"model", "custom"},
                         {"net", description_of(net_)},
                         {"encoding", std::string(name_of(encoding))}});
    if (condition_.exists()) description_.insert({"condition", condition_.describe()});
    if (!orientation.is_raster()) description_.insert({"orientation", name_of(orientation)});
  }

  ImageShape image_;
  Net net_;
  L likelihood_;
  std::map<std::string, std::string> description_;
  Encoding encoding_;
  ConditionInput condition_;
  Orientation orientation_;
};

/// Throws ShapeError or ConfigError unless a model can read these images, whose height and width
/// may be others than its own: a net says itself if it cannot.
template <Model M>
void require_images(const char* where, const M& model, const Images& images) {
  if (images.image_shape().channels != model.image_shape().channels) {
    detail::fail<ShapeError>(where, ": images are ", images.image_shape(), ", the model's are ",
                             model.image_shape(), " (height x width x channels); their number of ",
                             "channels must be the same");
  }
  if (images.levels() != model.likelihood().levels()) {
    detail::fail<ConfigError>(where, ": images have ", images.levels(), " levels, the model's ",
                              model.likelihood().name(), " likelihood has ",
                              model.likelihood().levels(), "; see binarize() and quantize()");
  }
}

namespace detail {
/// Calls f(to, level) for all levels of images (N, H, W, C), `to` their places in a model's order.
template <class F>
void for_each_ordered_level(const Orientation& orientation,
                            TensorView<const Images::Level, 4> levels, F&& f) {
  const Shape<4> s = levels.shape();
  for (Index n = 0; n < s.n(); ++n) {
    const Index image = n * s.h() * s.w() * s.c();
    for_each_ordered_pixel(orientation, {s.h(), s.w(), s.c()}, [&](Index to, Index from) {
      for (Index c = 0; c < s.c(); ++c) {
        f(image + to * s.c() + c, levels.data()[image + from * s.c() + c]);
      }
    });
  }
}
/// The shape of images in a model's order.
[[nodiscard]] inline Shape<4> ordered_shape(const Orientation& orientation, const Shape<4>& s) {
  const ImageShape image = orientation.ordered({s.h(), s.w(), s.c()});
  return {s.n(), image.height, image.width, image.channels};
}
/// Levels of images in a model's order: as they are, or a copy in `memory`.
template <Model M>
[[nodiscard]] TensorView<const Images::Level, 4> ordered_levels(
    const M& model, TensorView<const Images::Level, 4> levels, Workspace& memory) {
  const Orientation orientation = orientation_of(model);
  if (orientation.is_raster()) return levels;
  const TensorView<Images::Level, 4> copy =
      memory.allocate<Images::Level>(ordered_shape(orientation, levels.shape()));
  for_each_ordered_level(orientation, levels,
                         [&](Index to, Images::Level level) { copy.data()[to] = level; });
  return copy;
}
/// The pixels of an image in the order in which a model goes through them.
template <Model M>
[[nodiscard]] std::vector<Index> pixels_of_order(const M& model, const ImageShape& image) {
  std::vector<Index> pixels;
  for_each_ordered_pixel(orientation_of(model), image,
                         [&](Index, Index from) { pixels.push_back(from); });
  return pixels;
}
}  // namespace detail

/// Writes model.encode(level) of every sub-pixel of images (N, H, W, C), in the model's order: to
/// (N, W, H, C) if that is by columns.
template <Model M>
void encode(const M& model, TensorView<const Images::Level, 4> levels,
            FeatureView<typename M::Scalar> out) {
  // A table of the first levels, which are all where there are few.
  std::array<typename M::Scalar, 256> table;
  const int few = std::min(model.likelihood().levels(), 256);
  for (int level = 0; level < few; ++level) {
    table[static_cast<std::size_t>(level)] = model.encode(level);
  }
  const auto number = [&](Images::Level level) {
    return level < few ? table[level] : model.encode(level);
  };
  const Orientation orientation = orientation_of(model);
  if (orientation.is_raster()) {
    std::transform(levels.begin(), levels.end(), out.begin(), number);
  } else {
    detail::for_each_ordered_level(orientation, levels, [&](Index to, Images::Level level) {
      out.data()[to] = number(level);
    });
  }
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
