// SPDX-License-Identifier: MIT
// load_model: a model out of a file, of one of the kinds that a program knows.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include <pixelrnn/io/checkpoint.hpp>
#include <pixelrnn/models/model_words.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// A model that can be made of the words of a file: all of the library's are, and a class of a
/// user's that offers
///   static std::optional<M> made_of(const ModelWords& words, std::uint64_t bytes);
/// nothing if the file is of another kind; `bytes` is the size of the file, which bounds what its
/// words can be true of (ModelWords::require_room). Weights are loaded afterwards.
template <class M>
concept LoadableModel = Model<M> && requires(const ModelWords& words, std::uint64_t bytes) {
  { M::made_of(words, bytes) } -> std::same_as<std::optional<M>>;
};

namespace detail {

template <class Result, LoadableModel First, LoadableModel... Rest>
[[nodiscard]] std::optional<Result> made_of(const ModelWords& words, std::uint64_t bytes) {
  if (std::optional<First> model = First::made_of(words, bytes)) {
    return Result(std::in_place_type<First>, std::move(*model));
  }
  if constexpr (sizeof...(Rest) > 0) {
    return made_of<Result, Rest...>(words, bytes);
  } else {
    return std::nullopt;
  }
}

}  // namespace detail

/// The model of a file of save_weights or save_checkpoint, with its weights, if it is one of these
/// kinds, asked in this order; all there are would compile for minutes:
///
///   auto any = load_model<PixelCNN<>, PixelRNN<DiagonalBiLSTM<>>>("model.safetensors");
///   std::visit([](const auto& model) { write_png("new.png", grid(sample(model, 16))); }, any);
///
/// Throws ConfigError if it is of none of them, or its words are none of a model; FileError and
/// ConfigError as read_metadata and load_weights do.
template <LoadableModel... Kinds>
[[nodiscard]] std::variant<Kinds...> load_model(const std::filesystem::path& path,
                                                StoredWeights which = StoredWeights::best) {
  const ModelWords words(path.string(), read_metadata(path));
  // A file of more than this is not read at all.
  const std::uint64_t bytes =
      std::min<std::uint64_t>(std::filesystem::file_size(path), default_max_bytes);
  auto model = detail::made_of<std::variant<Kinds...>, Kinds...>(words, bytes);
  if (!model) {
    detail::fail<ConfigError>(
        "load_model: ", path, " is a model of kind ", detail::in_quotes(words["model"]),
        " with likelihood ", detail::in_quotes(words["likelihood"]),
        words.contains("initial_state")
            ? " and initial state " + detail::in_quotes(words["initial_state"])
            : std::string(),
        ", which is none of the ", sizeof...(Kinds), " kinds that the program asks for");
  }
  std::visit([&](auto& made) { load_weights(path, made, which); }, *model);
  return std::move(*model);
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
