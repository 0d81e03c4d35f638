// SPDX-License-Identifier: MIT
// The layers straight from the paper (arXiv 1601.06759), as plain loops in double. They use tensors
// as containers and nothing else of the library, so that an error of the library is not theirs.
#pragma once

#include <cmath>
#include <map>
#include <string>

#include <pixelrnn/autodiff/parameter.hpp>

namespace pixelrnn::test::naive {

using Map = FeatureMap<double>;
/// Weights by the names the layers give them.
using Weights = std::map<std::string, Map>;

[[nodiscard]] inline Map in_double(const auto& map) {
  Map copy(map.shape());
  for (Index i = 0; i < copy.size(); ++i) copy.data()[i] = static_cast<double>(map.data()[i]);
  return copy;
}

template <class Layer>
[[nodiscard]] Weights weights_of(const Layer& layer) {
  Weights weights;
  for (const auto& [name, parameter] : parameters(layer)) {
    weights[name] = in_double(parameter->value());
  }
  return weights;
}
/// The weights below "prefix.", without it.
[[nodiscard]] inline Weights part(const Weights& weights, const std::string& prefix) {
  Weights found;
  for (const auto& [name, value] : weights) {
    if (name.rfind(prefix + '.', 0) == 0) found[name.substr(prefix.size() + 1)] = value;
  }
  return found;
}

// Section 3.4 ---------------------------------------------------------------------------------

/// `own` is what a user might want: of the row above each colour what it may see and no other, of
/// the one above that all but the middle, of its own what lies to the left.
enum class Mask { none, A, B, above, above_and_row, own };

/// Colour of channel c of n: how many of the boundaries n/colours, 2n/colours, ... lie at or before
/// it.
[[nodiscard]] inline Index group(Index c, Index n, Index colours) {
  Index g = 0;
  for (Index k = 1; k < colours; ++k) g += c * colours >= k * n ? 1 : 0;
  return g;
}

/// 1 if the weight at (y, x) of an h × w kernel, from colour `in` to colour `out`, is allowed.
[[nodiscard]] inline double mask_value(Mask mask, Index y, Index x, Index h, Index w, Index in,
                                       Index out) {
  if (mask == Mask::none) return 1;
  const Index centre_y = h / 2, centre_x = w / 2;
  if (mask == Mask::above) return y < centre_y ? 1 : 0;
  if (mask == Mask::above_and_row) return y <= centre_y ? 1 : 0;
  if (mask == Mask::own) {
    if (y == centre_y) return x < centre_x ? 1 : 0;
    if (y == centre_y - 1) return in <= out ? 1 : 0;
    return y < centre_y && x != centre_x ? 1 : 0;
  }
  if (y < centre_y) return 1;
  if (y == centre_y && x < centre_x) return 1;
  if (y == centre_y && x == centre_x) {
    if (mask == Mask::A && in < out) return 1;
    if (mask == Mask::B && in <= out) return 1;
  }
  return 0;
}

struct Convolution {
  Mask mask = Mask::none;
  Index colours = 1;
  Index dilation = 1;
  Index gates = 1;  ///< output maps are this many gates, each with all its colour groups
};

/// y(r, j) = b + Σ mask · K[y, x] · x(r + dilation·(y - centre), j + dilation·(x - centre)).
[[nodiscard]] inline Map convolve(const Map& x, const Map& kernel, const Map* bias,
                                  Convolution how) {
  const Shape<4> s = x.shape(), k = kernel.shape();
  const Index units = k[3] / how.gates;
  Map y(s.with_channels(k[3]));
  for (Index n = 0; n < s.n(); ++n)
    for (Index r = 0; r < s.h(); ++r)
      for (Index j = 0; j < s.w(); ++j)
        for (Index o = 0; o < k[3]; ++o) {
          double sum = bias != nullptr ? (*bias)(0, 0, 0, o) : 0.0;
          for (Index ky = 0; ky < k[0]; ++ky)
            for (Index kx = 0; kx < k[1]; ++kx) {
              const Index from_r = r + how.dilation * (ky - k[0] / 2);
              const Index from_j = j + how.dilation * (kx - k[1] / 2);
              if (from_r < 0 || from_r >= s.h() || from_j < 0 || from_j >= s.w()) continue;
              for (Index i = 0; i < k[2]; ++i) {
                sum += mask_value(how.mask, ky, kx, k[0], k[1], group(i, k[2], how.colours),
                                  group(o % units, units, how.colours)) *
                       kernel(ky, kx, i, o) * x(n, from_r, from_j, i);
              }
            }
          y(n, r, j, o) = sum;
        }
  return y;
}

/// What is told of each image as a map of `like`'s size: a vector is the same at all pixels.
[[nodiscard]] inline Map told_map(const Map& c, const Shape<4>& like) {
  Map map(like.with_channels(c.shape().c()));
  for (Index n = 0; n < like.n(); ++n)
    for (Index r = 0; r < like.h(); ++r)
      for (Index j = 0; j < like.w(); ++j)
        for (Index k = 0; k < map.shape().c(); ++k) {
          map(n, r, j, k) =
              c.shape().h() == 1 && c.shape().w() == 1 ? c(n, 0, 0, k) : c(n, r, j, k);
        }
  return map;
}
[[nodiscard]] inline Map add(const Map& a, const Map& b) {
  Map y(a);
  for (Index i = 0; i < y.size(); ++i) y.data()[i] += b.data()[i];
  return y;
}
/// Pre-activations and what is told of their pixels, if anything, through an unmasked 1×1 map.
[[nodiscard]] inline Map add_told(const Map& z, const Weights& w, const Map* told) {
  return told == nullptr ? z : add(z, convolve(*told, w.at("condition_weights"), nullptr, {}));
}

// Section 3.1 ---------------------------------------------------------------------------------

[[nodiscard]] inline double logistic(double z) { return 1.0 / (1.0 + std::exp(-z)); }

/// One unit of eq. 3 from its four pre-activations; returns h and updates c.
[[nodiscard]] inline double lstm_unit(double z_o, double z_f, double z_i, double z_g, double& c) {
  c = logistic(z_f) * c + logistic(z_i) * std::tanh(z_g);
  return logistic(z_o) * std::tanh(c);
}

/// A learned initial value, zero if there is none.
[[nodiscard]] inline double initial(const Weights& w, const char* name, Index unit) {
  return w.count(name) != 0 ? w.at(name)(0, 0, 0, unit) : 0.0;
}

/// Row LSTM, eq. 3 with a bias.
[[nodiscard]] inline Map row_lstm(const Map& x, const Weights& w, Index colours = 1,
                                  const Map* told = nullptr) {
  const Index hidden = w.at("bias").shape().c() / 4;
  const Shape<4> s = x.shape();
  const Map is = add_told(convolve(x, w.at("input_weights"), &w.at("bias"),
                                   {.mask = Mask::B, .colours = colours, .gates = 4}),
                          w, told);
  Map y(s.with_channels(hidden));
  for (Index n = 0; n < s.n(); ++n) {
    Map h({1, 1, s.w(), hidden}), c({1, 1, s.w(), hidden});
    for (Index j = 0; j < s.w(); ++j)
      for (Index k = 0; k < hidden; ++k) {
        h(0, 0, j, k) = initial(w, "h0", k);
        c(0, 0, j, k) = initial(w, "c0", k);
      }
    for (Index r = 0; r < s.h(); ++r) {
      const Map ss = convolve(h, w.at("state_weights"), nullptr, {});
      for (Index j = 0; j < s.w(); ++j)
        for (Index k = 0; k < hidden; ++k) {
          const auto z = [&](Index gate) {
            return is(n, r, j, gate * hidden + k) + ss(0, 0, j, gate * hidden + k);
          };
          h(0, 0, j, k) = lstm_unit(z(0), z(1), z(2), z(3), c(0, 0, j, k));
          y(n, r, j, k) = h(0, 0, j, k);
        }
    }
  }
  return y;
}

// Section 3.2 ---------------------------------------------------------------------------------

/// "offsets each row of the input map by one position with respect to the previous row"
[[nodiscard]] inline Map skew(const Map& x) {
  const Shape<4> s = x.shape();
  Map skewed({s.n(), s.h(), s.h() + s.w() - 1, s.c()});
  for (Index n = 0; n < s.n(); ++n)
    for (Index r = 0; r < s.h(); ++r)
      for (Index j = 0; j < s.w(); ++j)
        for (Index c = 0; c < s.c(); ++c) skewed(n, r, j + r, c) = x(n, r, j, c);
  return skewed;
}
[[nodiscard]] inline Map unskew(const Map& skewed) {
  const Shape<4> s = skewed.shape();
  Map x({s.n(), s.h(), s.w() - s.h() + 1, s.c()});
  for (Index n = 0; n < s.n(); ++n)
    for (Index r = 0; r < s.h(); ++r)
      for (Index j = 0; j < x.shape().w(); ++j)
        for (Index c = 0; c < s.c(); ++c) x(n, r, j, c) = skewed(n, r, j + r, c);
  return x;
}
[[nodiscard]] inline Map mirror(const Map& x) {
  const Shape<4> s = x.shape();
  Map y(s);
  for (Index n = 0; n < s.n(); ++n)
    for (Index r = 0; r < s.h(); ++r)
      for (Index j = 0; j < s.w(); ++j)
        for (Index c = 0; c < s.c(); ++c) y(n, r, j, c) = x(n, r, s.w() - 1 - j, c);
  return y;
}
/// "the right output map is then shifted down by one row"
[[nodiscard]] inline Map shift_down(const Map& x) {
  const Shape<4> s = x.shape();
  Map y(s);
  for (Index n = 0; n < s.n(); ++n)
    for (Index r = 1; r < s.h(); ++r)
      for (Index j = 0; j < s.w(); ++j)
        for (Index c = 0; c < s.c(); ++c) y(n, r, j, c) = x(n, r - 1, j, c);
  return y;
}

/// What the first column of a row finds to its left: h0 and c0 (zero if there are none), or what
/// the recurrence leaves behind when it runs over the padding.
enum class Edge { initial_state, padding_is_scanned };

/// The diagonal recurrence from the left, column after column of the skewed map, each by a
/// convolution of size 2 × 1 over the column before.
[[nodiscard]] inline Map diagonal_lstm(const Map& x, const Weights& w, Edge edge, Index colours = 1,
                                       const Map* told = nullptr) {
  const Index hidden = w.at("bias").shape().c() / 4;
  const Map& kernel = w.at("state_weights");  // [2][1][hidden][4·hidden]: above, left
  const Map skewed_told = told != nullptr ? skew(*told) : Map();
  const Map is = add_told(convolve(skew(x), w.at("input_weights"), &w.at("bias"),
                                   {.mask = Mask::B, .colours = colours, .gates = 4}),
                          w, told != nullptr ? &skewed_told : nullptr);
  const Shape<4> s = is.shape().with_channels(hidden);
  const Index width = x.shape().w();
  Map h(s), c(s);
  for (Index n = 0; n < s.n(); ++n)
    for (Index t = 0; t < s.w(); ++t)
      for (Index r = 0; r < s.h(); ++r)
        for (Index k = 0; k < hidden; ++k) {
          const bool is_padding = t < r || t >= r + width;
          if (is_padding && edge == Edge::initial_state) {
            h(n, r, t, k) = initial(w, "h0", k);
            c(n, r, t, k) = initial(w, "c0", k);
            continue;
          }
          // Column t - 1: rows r - 1 and r.
          const auto above = [&](Index unit) {
            return t == 0 || r == 0 ? 0.0 : h(n, r - 1, t - 1, unit);
          };
          const auto left = [&](Index unit) {
            return t == 0 ? initial(w, "h0", unit) : h(n, r, t - 1, unit);
          };
          const auto z = [&](Index gate) {
            // A bias of the padding's own: the bias of the input was there before the map was
            // skewed.
            const bool is_own = is_padding && w.contains("padding_bias");
            double sum = is_own ? w.at("padding_bias")(0, 0, 0, gate * hidden + k)
                                : is(n, r, t, gate * hidden + k);
            for (Index unit = 0; unit < hidden; ++unit) {
              sum += kernel(0, 0, unit, gate * hidden + k) * above(unit) +
                     kernel(1, 0, unit, gate * hidden + k) * left(unit);
            }
            return sum;
          };
          c(n, r, t, k) = t == 0 ? initial(w, "c0", k) : c(n, r, t - 1, k);
          h(n, r, t, k) = lstm_unit(z(0), z(1), z(2), z(3), c(n, r, t, k));
        }
  return unskew(h);
}

/// The same from the right, before it is shifted.
[[nodiscard]] inline Map diagonal_lstm_from_right(const Map& x, const Weights& w, Edge edge,
                                                  Index colours = 1, const Map* told = nullptr) {
  const Map mirrored_told = told != nullptr ? mirror(*told) : Map();
  return mirror(
      diagonal_lstm(mirror(x), w, edge, colours, told != nullptr ? &mirrored_told : nullptr));
}

/// Both directions, with weights "left.…" and "right.…".
[[nodiscard]] inline Map diagonal_bilstm(const Map& x, const Weights& w, Edge edge,
                                         Index colours = 1, const Map* told = nullptr) {
  return add(diagonal_lstm(x, part(w, "left"), edge, colours, told),
             shift_down(diagonal_lstm_from_right(x, part(w, "right"), edge, colours, told)));
}

}  // namespace pixelrnn::test::naive
