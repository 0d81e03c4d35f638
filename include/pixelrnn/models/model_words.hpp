// SPDX-License-Identifier: MIT
// ModelWords: the words that a model file says of its model, and models made of them.
#pragma once

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <pixelrnn/core/orientation.hpp>
#include <pixelrnn/core/random.hpp>
#include <pixelrnn/models/condition.hpp>
#include <pixelrnn/models/encoding.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// The words of a model file (model.describe()), taken for what a stranger wrote: each is asked for
/// by its kind, and refused with a ConfigError that begins with `where` if it is missing or none.
class ModelWords {
 public:
  /// The largest size of a model, and the most sub-pixels of its images: far more of anything than
  /// a model has.
  static constexpr Index largest = Index{1} << 24;
  /// Has an image sub-pixels, and not too many? Says so of any numbers, however large.
  [[nodiscard]] static constexpr bool is_small(const ImageShape& image) {
    const auto fits = [](Index size) { return size >= 1 && size <= largest; };
    return fits(image.height) && fits(image.width) && fits(image.channels) &&
           image.height <= largest / image.width / image.channels;
  }

  ModelWords(std::string where, std::map<std::string, std::string> words)
      : where_(std::move(where)), words_(std::move(words)) {}

  [[nodiscard]] const std::string& operator[](const std::string& key) const {
    const auto word = words_.find(key);
    if (word == words_.end()) {
      detail::fail<ConfigError>(where_, ": the word ", key, " is missing");
    }
    return word->second;
  }
  [[nodiscard]] bool contains(const std::string& key) const { return words_.contains(key); }
  /// A whole number from 1 to `largest`.
  [[nodiscard]] Index size(const std::string& key) const { return parse((*this)[key], key); }
  [[nodiscard]] bool flag(const std::string& key) const {
    const std::string& text = (*this)[key];
    if (text != "true" && text != "false") refuse(key, text, "true or false");
    return text == "true";
  }
  /// "28x28x1"
  [[nodiscard]] ImageShape image() const {
    const std::string& text = (*this)["image"];
    const std::size_t first = text.find('x');
    const std::size_t second = first == text.npos ? text.npos : text.find('x', first + 1);
    if (second == text.npos) refuse("image", text, "HEIGHTxWIDTHxCHANNELS");
    const ImageShape image{parse(text.substr(0, first), "image"),
                           parse(text.substr(first + 1, second - first - 1), "image"),
                           parse(text.substr(second + 1), "image")};
    if (!is_small(image)) refuse("image", text, "at most 2^24 sub-pixels");
    return image;
  }
  /// "-1..1", which files of earlier versions do not say, "0..1" or "level".
  [[nodiscard]] Encoding encoding() const {
    if (!contains("encoding")) return Encoding::scaled;
    const std::optional<Encoding> encoding = encoding_named((*this)["encoding"]);
    if (!encoding) refuse("encoding", (*this)["encoding"], "-1..1, 0..1 or level");
    return *encoding;
  }
  /// "10 classes in 16 channels", "3 channels", "3 channels through 16 features", or nothing.
  [[nodiscard]] Condition condition() const {
    if (!contains("condition")) return {};
    const std::string& text = (*this)["condition"];
    const std::string_view of_classes = " classes in ", of_channels = " channels",
                           through = " channels through ", of_features = " features";
    if (const std::size_t at = text.find(through); at != text.npos && text.ends_with(of_features)) {
      const std::size_t first = at + through.size();
      return {.channels = parse(text.substr(0, at), "condition"),
              .features =
                  parse(text.substr(first, text.size() - of_features.size() - first), "condition")};
    }
    const std::size_t middle = text.find(of_classes);
    if (!text.ends_with(of_channels)) refuse("condition", text, "CLASSES classes in N channels");
    const std::size_t end = text.size() - of_channels.size();
    const std::size_t begin = middle == text.npos ? 0 : middle + of_classes.size();
    Condition found;
    if (middle != text.npos) found.classes = parse(text.substr(0, middle), "condition");
    found.channels = parse(text.substr(begin, end - std::min(begin, end)), "condition");
    return found;
  }
  /// "columns from below" and the like; what is not said is raster order.
  [[nodiscard]] Orientation orientation() const {
    if (!contains("orientation")) return {};
    const std::optional<Orientation> found = orientation_named((*this)["orientation"]);
    if (!found) {
      refuse("orientation", (*this)["orientation"], "rows or columns (from below) (from right)");
    }
    return *found;
  }
  /// A likelihood of type L, if that is what the file names. L says which names are its own:
  ///   static std::optional<L> named(std::string_view name);
  template <class L>
  [[nodiscard]] std::optional<L> likelihood() const {
    return L::named((*this)["likelihood"]);
  }
  /// What the models have in common.
  template <class Config>
  void read(Config& config) const {
    config.image = image();
    config.layers = size("layers");
    config.hidden = size("hidden");
    bool has_head = true;
    if constexpr (requires { config.first_gated; }) has_head = (*this)["head"] != "0";
    config.head = has_head ? size("head") : 0;
    config.encoding = encoding();
    config.condition = condition();
    config.orientation = orientation();
  }
  /// And what only some have: skips between blocks, blocks without a residual, which most files do
  /// not speak of, kernels of another size, or dilations.
  template <class Config>
  void read_skip(Config& config) const {
    config.skip = flag("skip");
  }
  template <class Config>
  void read_residual(Config& config) const {
    config.residual = !contains("residual") || flag("residual");
  }
  /// Maps between blocks, and where the head's ReLUs are, of models that are not the paper's.
  template <class Config>
  void read_stream(Config& config) const {
    if (contains("stream")) config.stream = size("stream");
    config.head_relu_first = !contains("head_relu_first") || flag("head_relu_first");
  }
  template <class Config>
  void read_block(Config& config) const {
    config.upsample = !contains("upsample") || flag("upsample");
    config.padding_bias = contains("padding_bias") && flag("padding_bias");
  }
  template <class Config>
  void read_kernels(Config& config) const {
    config.first_kernel = size("first_kernel");
    config.kernel = size("kernel");
    config.first_gated = !contains("first_gated") || flag("first_gated");
    config.head_elu = contains("head_elu") && flag("head_elu");
    config.dilations.clear();
    if (!contains("dilations")) return;
    const std::string& text = (*this)["dilations"];
    for (std::size_t from = 0, end = 0; end != text.npos; from = end + 1) {
      end = text.find(',', from);
      config.dilations.push_back(parse(text.substr(from, end - from), "dilations"));
      if (std::ssize(config.dilations) > config.layers) {
        refuse("dilations", text, "no more of them than layers");
      }
    }
  }
  template <class Config>
  void read_cycle(Config& config) const {
    config.kernel = size("kernel");
    config.cycle = size("cycle");
  }
  [[noreturn]] void refuse(const std::string& key, const std::string& found,
                           const char* expected) const {
    detail::fail<ConfigError>(where_, ": ", key, " is ", detail::in_quotes(found), ", expected ",
                              expected);
  }
  /// Weights that a GatedPixelCNN has at least, and a WaveNet: their kernels as they are stored.
  template <class Config>
  [[nodiscard]] static double gated_kernels(const Config& c) {
    const double first = static_cast<double>(c.first_kernel), k = static_cast<double>(c.kernel);
    const double h = static_cast<double>(c.hidden);
    const double later = static_cast<double>(c.layers - 1), first_gated = c.first_gated ? 1 : 0;
    return h * ((1 + first_gated) * first * first * static_cast<double>(c.image.channels) +
                later * 2 * h * k * k + (later + first_gated) * 5 * h);
  }
  template <class Config>
  [[nodiscard]] static double wave_kernels(const Config& c) {
    const double k = static_cast<double>(c.kernel), h = static_cast<double>(c.hidden);
    const double head = static_cast<double>(c.head);
    return head * head + 2 * k * h * static_cast<double>(c.image.channels) +
           static_cast<double>(c.layers) * (2 * k - 1) * 2 * h * h;
  }
  /// Throws ConfigError if a net of such sizes has more weights than fit in so many bytes: a few
  /// words could ask for any amount of memory. `kernels`: of nets that say theirs, in place of the
  /// least that blocks have.
  template <class Config>
  void require_room(const Config& config, std::uint64_t bytes, double kernels = 0) const {
    const double hidden = static_cast<double>(config.hidden),
                 head = static_cast<double>(config.head);
    const double blocks = static_cast<double>(config.layers) * 2 * hidden * hidden + head * head;
    const double layers = static_cast<double>(config.layers);
    double stream = hidden, of_stream = 0;  // at least
    if constexpr (requires { config.stream; }) {
      if (config.stream > 0) {
        stream = static_cast<double>(config.stream);
        of_stream = 49 * static_cast<double>(config.image.channels) * stream +
                    layers * hidden * stream + (config.skip ? layers * stream * stream : 0);
      }
    }
    const double least = (kernels > 0 ? kernels : blocks) + of_stream + stream * head +
                         head * static_cast<double>(config.image.channels) +
                         static_cast<double>(config.condition.width()) *
                             (static_cast<double>(config.condition.classes) + 2 * hidden);
    // A weight takes two bytes or more.
    if (least <= static_cast<double>(bytes) / 2) return;
    detail::fail<ConfigError>(where_, ": a model of ", config.layers, " layers, hidden ",
                              config.hidden, ", head ", config.head, " and a stream of ", stream,
                              " maps has at least ", least, " weights, the file only ", bytes,
                              " bytes");
  }

 private:
  [[nodiscard]] Index parse(const std::string& text, const std::string& key) const {
    Index value = 0;
    const char* const end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || stopped != end || value < 1 || value > largest) {
      refuse(key, text, "a whole number from 1 to 2^24");
    }
    return value;
  }

  std::string where_;
  std::map<std::string, std::string> words_;
};

}  // namespace pixelrnn::inline PIXELRNN_ABI
