// SPDX-License-Identifier: MIT
// One model for all eight orders of the pixels, which is told the order; and their mixture.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <pixelrnn/models/model.hpp>
#include <pixelrnn/training/dataset.hpp>
#include <pixelrnn/training/mixture.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

namespace detail {
/// The levels of an image (H, W, C), in the order of a model.
inline void reorder(const Orientation& orientation, TensorView<const Images::Level, 3> from,
                    TensorView<Images::Level, 3> to) {
  const Shape<3> s = from.shape();
  for_each_ordered_pixel(orientation, {s[0], s[1], s[2]}, [&](Index t, Index f) {
    std::copy_n(from.data() + f * s[2], s[2], to.data() + t * s[2]);
  });
}
/// The order is what images are told: there is no room for more.
inline void require_untold(const char* where, const ConditionView& told) {
  if (told.labels.empty() && told.maps.empty()) return;
  fail<ConfigError>(
      where, ": images come with labels or maps, expected none: their order is their ", "label");
}
}  // namespace detail

/// Images as they are in one of the eight orders, all_orientations[order], with it as their label.
/// Throws ConfigError if there is no such order, or something is told of the images already.
[[nodiscard]] inline Images in_order(const Images& images, int order) {
  if (order < 0 || order >= std::ssize(all_orientations)) {
    detail::fail<ConfigError>("in_order: order is ", order, ", expected 0 to ",
                              all_orientations.size() - 1);
  }
  detail::require_untold("in_order", images.conditions());
  const Orientation& orientation = all_orientations[static_cast<std::size_t>(order)];
  Images out(images.count(), orientation.ordered(images.image_shape()), images.levels(),
             images.binarization());
  for (Index n = 0; n < images.count(); ++n) detail::reorder(orientation, images[n], out[n]);
  out.set_labels(std::vector<int>(static_cast<std::size_t>(images.count()), order));
  return out;
}

/// A data set in all eight orders, each image with its order as its label: for a model with
/// Config::condition = {.classes = 8}. It learns eight tasks from the same images, which keeps a
/// net that would learn few images by heart from it (order-agnostic training: Uria, Murray &
/// Larochelle 2014, arXiv 1310.1757; orders of images: Jain et al. 2020, arXiv 2006.12486), and
/// every_order() makes one model of the eight. Eight times as many images in an epoch; for
/// validation in_order().
template <DataSet D>
class EveryOrder {
 public:
  /// The data must outlive this. Throws ShapeError unless images are square, ConfigError if
  /// something is told of them already.
  explicit EveryOrder(const D& data) : data_(data), image_(data.image_shape()) {
    if (image_.height != image_.width) {
      detail::fail<ShapeError>("EveryOrder: images are ", image_,
                               ", expected square ones: by columns they change their shape");
    }
    detail::require_untold("EveryOrder", told_of(data));
    for (Index i = 0; i < count(); ++i) told_.labels.push_back(static_cast<int>(i % orders));
  }
  explicit EveryOrder(const D&&) = delete;  // would dangle
  [[nodiscard]] Index count() const { return orders * data_.count(); }
  [[nodiscard]] ImageShape image_shape() const { return image_; }
  [[nodiscard]] int levels() const { return data_.levels(); }
  [[nodiscard]] std::string binarization() const { return binarization_of(data_); }
  [[nodiscard]] const Conditions& conditions() const { return told_; }
  void fetch(Index image, Index epoch, TensorView<Images::Level, 3> out) const {
    Tensor<Images::Level, 3> plain({image_.height, image_.width, image_.channels});
    pixelrnn::fetch(data_, image / orders, epoch, plain.view());
    detail::reorder(all_orientations[static_cast<std::size_t>(image % orders)], plain.view(), out);
  }

 private:
  static constexpr Index orders = std::ssize(all_orientations);
  const D& data_;
  ImageShape image_;
  Conditions told_;
};

/// A model that is told the order of the pixels (EveryOrder), in one of them: told nothing itself,
/// and with an orientation of its own. Copies share the model.
template <ConditionalModel M>
class InOrder {
 public:
  using Scalar = typename M::Scalar;
  using Likelihood = typename M::Likelihood;
  using Execution = ExecutionOf<M>;
  static constexpr bool separates_images = SeparatesImages<M>;

  /// Throws ConfigError if there is no such order, the model goes through images in another order
  /// than the raster's, or is told no labels; ValueError if it knows fewer than eight.
  InOrder(std::shared_ptr<M> model, int order) : model_(std::move(model)), order_(order) {
    if (order < 0 || order >= std::ssize(all_orientations)) {
      detail::fail<ConfigError>("InOrder: order is ", order, ", expected 0 to ",
                                all_orientations.size() - 1);
    }
    if (!orientation_of(*model_).is_raster()) {
      detail::fail<ConfigError>("InOrder: the model has an orientation of its own, ",
                                name_of(orientation_of(*model_)), ", expected rows");
    }
    if (model_->example_conditions(1).labels.empty()) {
      detail::fail<ConfigError>("InOrder: the model is told no labels, expected one that is told ",
                                "its order: Config::condition = {.classes = 8}");
    }
    const std::vector<int> last{static_cast<int>(all_orientations.size()) - 1};
    Tape<Scalar> tape({.threads = 1, .record = false});
    model_->set_condition(tape, {last, {}}, 1);
  }

  [[nodiscard]] ImageShape image_shape() const { return model_->image_shape(); }
  [[nodiscard]] const Likelihood& likelihood() const { return model_->likelihood(); }
  [[nodiscard]] Orientation orientation() const {
    return all_orientations[static_cast<std::size_t>(order_)];
  }
  [[nodiscard]] Scalar encode(int level) const { return model_->encode(level); }
  [[nodiscard]] Variable<Scalar> logits(Variable<Scalar> x) const { return model_->logits(x); }
  [[nodiscard]] const auto& net() const requires detail::HasNet<const M> { return model_->net(); }
  [[nodiscard]] std::map<std::string, std::string> describe() const {
    auto words = model_->describe();
    words["orientation"] = name_of(orientation());
    return words;
  }
  void for_each_parameter(auto&& visit) { model_->for_each_parameter(visit); }
  /// The order, whatever is told.
  void set_condition(Tape<Scalar>& tape, const ConditionView&, Index images) const {
    const std::vector<int> labels(static_cast<std::size_t>(images), order_);
    model_->set_condition(tape, {labels, {}}, images);
  }
  [[nodiscard]] Conditions example_conditions(Index) const { return {}; }

 private:
  std::shared_ptr<M> model_;
  int order_;
};

/// p(x) = mean over the eight orders of p(x | order), of a model that is told the order.
template <ConditionalModel M>
[[nodiscard]] Mixture<InOrder<M>> every_order(M model) {
  const auto shared = std::make_shared<M>(std::move(model));
  Mixture<InOrder<M>> mixture;
  for (int order = 0; order < std::ssize(all_orientations); ++order) {
    mixture.models.emplace_back(shared, order);
  }
  return mixture;
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
