// SPDX-License-Identifier: MIT
// Embedding: a learned vector for each level of each channel.
#pragma once

#include <algorithm>
#include <cmath>

#include <pixelrnn/core/random.hpp>
#include <pixelrnn/kernels/backend.hpp>
#include <pixelrnn/nn/layer.hpp>
#include <pixelrnn/nn/level_input.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

struct EmbeddingConfig {
  Index channels = 1;   ///< C of the images
  int levels = 256;     ///< V
  Index dimension = 8;  ///< D: numbers for each level
};

/// y(n, i, j, c·D + d) = table(c, x(n, i, j, c), d), where x are levels as whole numbers
/// (Encoding::level):
///   x (N, H, W, C)    table [1][C][V][D]    y (N, H, W, C·D)
/// The first layer of a net whose levels are names rather than brightnesses: codes, palettes,
/// symbols. A convolution with mask A comes after it, with in_channels = C·D and colours = C if it
/// must tell colours apart. Levels have no derivative: x gets none. Cost: C·D values copied a
/// pixel; nothing is multiplied. The table begins uniform in ±√3, of variance 1. Throws ConfigError
/// unless sizes are positive and 2 <= levels <= 65536; ShapeError if x has not C channels;
/// ValueError if a number is no level.
template <class B = Backend<>>
class Embedding {
 public:
  using Scalar = typename B::Scalar;
  using BackendPolicy = B;
  static constexpr bool separates_images = true;
  static constexpr bool is_pointwise = true;
  using Config = EmbeddingConfig;

  Embedding(Config config, Rng& rng)
      : config_(checked(config)), table_({1, config.channels, config.levels, config.dimension}) {
    const double bound = std::sqrt(3.0);
    for (Scalar& v : table_.value()) v = static_cast<Scalar>(rng.uniform(-bound, bound));
  }

  [[nodiscard]] const Config& config() const { return config_; }
  [[nodiscard]] Shape<4> output_shape(Shape<4> x) const {
    detail::require_channels("Embedding", x, config_.channels, "Config::channels");
    return x.with_channels(config_.channels * config_.dimension);
  }
  /// "Embedding(3 of 256 levels->24)"
  [[nodiscard]] std::string describe() const {
    return "Embedding(" + std::to_string(config_.channels) + " of " +
           std::to_string(config_.levels) + " levels->" +
           std::to_string(config_.channels * config_.dimension) + ')';
  }
  void for_each_parameter(auto&& visit) { visit("table", table_); }

  [[nodiscard]] Variable<Scalar> forward(Variable<Scalar> x) const {
    struct Op {
      const Embedding* layer;
      void backward(pixelrnn::Backward<Scalar>& ctx) const {
        const FeatureView<const Scalar> in = ctx.input(0);
        const Scalar* dy = ctx.output_gradient().data();
        const FeatureView<Scalar> gradient = ctx.gradient(layer->table_);
        const Index dimension = layer->config_.dimension;
        for (Index i = 0; i < in.size(); ++i, dy += dimension) {
          Scalar* const to = layer->row_of(gradient.data(), static_cast<Index>(in.data()[i]), i);
          for (Index d = 0; d < dimension; ++d) to[d] += dy[d];
        }
      }
    };
    const FeatureView<Scalar> y = x.tape().allocate(output_shape(x.shape()));
    const Scalar* const in = x.value().data();
    const Chunks parts{x.value().size()};
    B::Execution::for_each(x.tape().threads(), parts.size(), [&](Index part, Index) {
      for (Index i = parts.first(part); i < parts.last(part); ++i) {
        look_up(in[i], i, y.data() + i * config_.dimension);
      }
    });
    return x.tape().record("Embedding", y, {x, x.tape().leaf(table_)}, Op{this});
  }

  struct Cache {
    detail::GuardedWalk walk;
  };
  [[nodiscard]] Cache make_cache(Walk walk) const { return {{walk}}; }
  void step(Cache& cache, Index row, Index column, const MatrixView<const Scalar>& x,
            const MatrixView<Scalar>& y) const {
    detail::require_input("Embedding", cache.walk, row, column, x, config_.channels);
    detail::require_output("Embedding", cache.walk, y, config_.channels * config_.dimension);
    for (Index b = 0; b < x.rows; ++b) {
      for (Index c = 0; c < config_.channels; ++c) {
        look_up(x(b, c), c, y.row(b) + c * config_.dimension);
      }
    }
  }
  void end_row(Cache&, Index) const {}

 private:
  [[nodiscard]] static const Config& checked(const Config& config) {
    if (config.channels < 1 || config.dimension < 1) {
      detail::fail<ConfigError>("Embedding: Config is {channels=", config.channels,
                                ", dimension=", config.dimension, "}, expected 1 or more of each");
    }
    detail::require_level_count("Embedding: Config", config.levels);
    return config;
  }
  /// The row of a table for `level`, of the channel that value i of a map belongs to.
  template <class Table>
  [[nodiscard]] Table* row_of(Table* table, Index level, Index i) const {
    return table + (i % config_.channels * config_.levels + level) * config_.dimension;
  }
  void look_up(Scalar number, Index i, Scalar* to) const {
    const Index level = detail::level_of("Embedding", number, config_.levels);
    std::copy_n(row_of(table_.value().data(), level, i), config_.dimension, to);
  }

  Config config_;
  Parameter<Scalar> table_;
};

static_assert(IncrementalLayer<Embedding<>>);

}  // namespace pixelrnn::inline PIXELRNN_ABI
