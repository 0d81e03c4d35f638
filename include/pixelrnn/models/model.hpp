// SPDX-License-Identifier: MIT
// ImageModel: a net that maps an image to logits, and the likelihood that reads them.
#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <string>

#include <pixelrnn/likelihood/likelihood.hpp>
#include <pixelrnn/models/encoding.hpp>
#include <pixelrnn/nn/layer.hpp>
#include <pixelrnn/nn/sequential.hpp>

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

/// p(x) = Π over sub-pixels i of p(x_i | x_<i) (eq. 1 and 2 of the paper): raster order, then
/// R, G, B. The net maps encoded images (N, H, W, C) to the likelihood's logits (N, H, W,
/// outputs(C)); that they depend on earlier sub-pixels only is the net's promise, which
/// verify_causality checks. Throws ShapeError if the net does not end in the right number of
/// channels.
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
      : image_(image),
        net_(std::move(net)),
        likelihood_(std::move(likelihood)),
        description_(std::move(description)),
        encoding_(encoding) {
    require_valid(image, "ImageModel");
    const Shape<4> in{1, image.height, image.width, image.channels};
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
  }

  [[nodiscard]] ImageShape image_shape() const { return image_; }
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
  [[nodiscard]] Variable<Scalar> logits(Variable<Scalar> x) const { return net_.forward(x); }
  void for_each_parameter(auto&& visit) { net_.for_each_parameter(visit); }

 private:
  ImageShape image_;
  Net net_;
  L likelihood_;
  std::map<std::string, std::string> description_;
  Encoding encoding_;
};

/// Throws ShapeError or ConfigError unless a model can read these images.
template <Model M>
void require_images(const char* where, const M& model, const Images& images) {
  if (images.image_shape() != model.image_shape()) {
    detail::fail<ShapeError>(where, ": images are ", images.image_shape(), ", the model's are ",
                             model.image_shape(), " (height x width x channels)");
  }
  if (images.levels() != model.likelihood().levels()) {
    detail::fail<ConfigError>(where, ": images have ", images.levels(), " levels, the model's ",
                              model.likelihood().name(), " likelihood has ",
                              model.likelihood().levels(), "; see binarize() and quantize()");
  }
}

/// Writes model.encode(level) of every sub-pixel. Both (N, H, W, C).
template <Model M>
void encode(const M& model, TensorView<const Images::Level, 4> levels,
            FeatureView<typename M::Scalar> out) {
  // A table of the first levels, which are all where there are few.
  std::array<typename M::Scalar, 256> table;
  const int few = std::min(model.likelihood().levels(), 256);
  for (int level = 0; level < few; ++level) {
    table[static_cast<std::size_t>(level)] = model.encode(level);
  }
  std::transform(levels.begin(), levels.end(), out.begin(), [&](Images::Level level) {
    return level < few ? table[level] : model.encode(level);
  });
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
