// SPDX-License-Identifier: MIT
// Operations on variables: the unary-operation door, arithmetic and reductions.
#pragma once

#include <concepts>
#include <numeric>

#include <pixelrnn/autodiff/tape.hpp>
#include <pixelrnn/simd/batch.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// An element-wise function y = f(x) with its derivative; examples/custom_op.cpp is one. Both work
/// on spans of equal length; backward adds: dx[i] += dy[i] · f'(x[i]).
template <class F, class T>
concept UnaryOp = requires(std::span<const T> in, std::span<T> out) {
  { F::name } -> std::convertible_to<const char*>;
  F::forward(in, out);           // x, y
  F::backward(in, in, in, out);  // x, y, dy, dx
};

/// y = F(x) element by element, recorded as one node.
template <class F, class T>
requires UnaryOp<F, T>
[[nodiscard]] Variable<T> apply(F, Variable<T> x) {
  struct Op {
    void backward(Backward<T>& ctx) {
      F::backward(ctx.input(0).flat(), ctx.output().flat(), ctx.output_gradient().flat(),
                  ctx.input_gradient(0).flat());
    }
  };
  const FeatureView<T> y = x.tape().allocate(x.shape());
  F::forward(x.value().flat(), y.flat());
  return x.tape().record(F::name, y, {x}, Op{});
}

namespace detail {

template <class T>
void require_same_shape(const char* where, Variable<T> a, Variable<T> b) {
  if (a.shape() != b.shape()) {
    fail<ShapeError>(where, ": the operands are ", a.shape(), " and ", b.shape(),
                     ", expected equal shapes");
  }
}

}  // namespace detail

namespace detail {

/// Blocks of an image's numbers that dropout draws at once.
[[nodiscard]] inline Index dropout_blocks(const Shape<4>& s) {
  return (s.h() * s.w() * s.c() + dropout_block - 1) / dropout_block;
}
/// Calls body(block of all, image, block of the image, where it begins, numbers).
template <class Body>
void for_each_dropout_block(int threads, const Shape<4>& s, const Body& body) {
  const Index blocks = dropout_blocks(s), size = s.h() * s.w() * s.c();
  for_each_part(threads, s.n() * blocks, [&](Index first, Index count) {
    for (Index block = first; block < first + count; ++block) {
      const Index image = block / blocks, from = block % blocks * dropout_block;
      body(block, image, block % blocks, image * size + from, std::min(dropout_block, size - from));
    }
  });
}

/// y += x.
template <class T>
void add_to(Index count, const T* x, T* y) {
  simd::transform(count, y, x, y, [](simd::Batch<T> b, simd::Batch<T> a) { return b + a; });
}

}  // namespace detail

/// The mean over the pixels of each image: (N, H, W, C) to (N, 1, 1, C), what a classifier reads of
/// a map. Throws ShapeError if an image has no pixels.
template <class T>
[[nodiscard]] Variable<T> pixel_mean(Variable<T> x) {
  struct Op {
    void backward(Backward<T>& ctx) const {
      const FeatureView<T> dx = ctx.input_gradient(0);
      const FeatureView<const T> dy = ctx.output_gradient();
      const Index pixels = dx.shape().h() * dx.shape().w(), c = dx.shape().c();
      for (Index i = 0; i < dx.shape().n() * pixels; ++i) {
        const T* const from = dy.data() + i / pixels * c;
        for (Index k = 0; k < c; ++k) dx.data()[i * c + k] += from[k] / static_cast<T>(pixels);
      }
    }
  };
  const Shape<4> s = x.shape();
  const Index pixels = s.h() * s.w();
  if (pixels == 0) {
    detail::fail<ShapeError>("pixel_mean: x is ", s, ", expected one pixel or more");
  }
  const FeatureView<T> y = x.tape().allocate({s.n(), 1, 1, s.c()});
  std::fill(y.begin(), y.end(), T{0});
  for (Index i = 0; i < s.n() * pixels; ++i) {
    detail::add_to(s.c(), x.value().data() + i * s.c(), y.data() + i / pixels * s.c());
  }
  for (T& sum : y) sum /= static_cast<T>(pixels);
  return x.tape().record("pixel_mean", y, {x}, Op{});
}

/// a + b, of equal shapes. Throws ShapeError otherwise.
template <class T>
[[nodiscard]] Variable<T> add(Variable<T> a, Variable<T> b) {
  struct Op {
    void backward(Backward<T>& ctx) {
      for (Index i = 0; i < 2; ++i) {
        if (ctx.wants_gradient(i)) ctx.pass_gradient(i);
      }
    }
  };
  detail::require_same_shape("add", a, b);
  const FeatureView<T> y = a.tape().allocate(a.shape());
  const T *const left = a.value().data(), *const right = b.value().data();
  detail::for_each_part(a.tape().threads(), y.size(), [&](Index at, Index count) {
    simd::transform(count, left + at, right + at, y.data() + at,
                    [](simd::Batch<T> l, simd::Batch<T> r) { return l + r; });
  });
  return a.tape().record("add", y, {a, b}, Op{});
}

/// One value an image, (N, 1, 1, C), at every pixel of a map (N, H, W, C). Throws ShapeError if x
/// has another shape; a map of that shape is given back as it is.
template <class T>
[[nodiscard]] Variable<T> broadcast(Variable<T> x, const Shape<4>& map) {
  struct Op {
    void backward(Backward<T>& ctx) {
      const FeatureView<const T> dy = ctx.output_gradient();
      const FeatureView<T> dx = ctx.input_gradient(0);
      const Shape<4> s = dy.shape();
      for (Index pixel = 0; pixel < s.n() * s.h() * s.w(); ++pixel) {
        detail::add_to(s.c(), dy.data() + pixel * s.c(), &dx(pixel / (s.h() * s.w()), 0, 0, 0));
      }
    }
  };
  const Shape<4> s = x.shape(), wanted = map.with_channels(s.c());
  if (s == wanted) return x;
  if (s != Shape<4>{map.n(), 1, 1, s.c()}) {
    detail::fail<ShapeError>("broadcast: x is ", s, ", expected ", wanted, " or (N=", map.n(),
                             ", H=1, W=1, C)");
  }
  const FeatureView<T> y = x.tape().allocate(wanted);
  for (Index n = 0; n < wanted.n(); ++n) {
    for (Index pixel = 0; pixel < wanted.h() * wanted.w(); ++pixel) {
      std::copy_n(&x.value()(n, 0, 0, 0), s.c(), &y(n, 0, 0, 0) + pixel * s.c());
    }
  }
  return x.tape().record("broadcast", y, {x}, Op{});
}

/// a ⊙ b of equal shapes, or b one value a channel (1, 1, 1, C). Throws ShapeError otherwise.
template <class T>
[[nodiscard]] Variable<T> mul(Variable<T> a, Variable<T> b) {
  struct Op {
    void backward(Backward<T>& ctx) {
      const FeatureView<const T> dy = ctx.output_gradient(), x = ctx.input(0), w = ctx.input(1);
      const Index size = x.size(), period = w.size();
      if (ctx.wants_gradient(0)) {
        T* const dx = ctx.input_gradient(0).data();
        for (Index at = 0; at < size; at += period) {
          for (Index c = 0; c < period; ++c) dx[at + c] += dy.data()[at + c] * w.data()[c];
        }
      }
      if (ctx.wants_gradient(1)) {
        T* const dw = ctx.input_gradient(1).data();
        for (Index at = 0; at < size; at += period) {
          for (Index c = 0; c < period; ++c) dw[c] += dy.data()[at + c] * x.data()[at + c];
        }
      }
    }
  };
  if (a.shape() != b.shape() && b.shape() != Shape<4>{1, 1, 1, a.shape().c()}) {
    detail::fail<ShapeError>("mul: the operands are ", a.shape(), " and ", b.shape(),
                             ", expected equal shapes or (N=1, H=1, W=1, C=", a.shape().c(),
                             ") for the second");
  }
  const FeatureView<T> y = a.tape().allocate(a.shape());
  const T *const x = a.value().data(), *const w = b.value().data();
  const Index period = b.value().size();  // of equal shapes all there is
  for (Index at = 0; at < y.size(); at += period) {
    for (Index c = 0; c < period; ++c) y.data()[at + c] = x[at + c] * w[c];
  }
  return a.tape().record("mul", y, {a, b}, Op{});
}

/// What a step of training leaves of x: see StepDropout. x itself on a tape that is told of no
/// dropout (Tape::set_dropout), as all are that evaluate and sample.
template <class T>
[[nodiscard]] Variable<T> dropout(Variable<T> x) {
  struct Op {
    const std::uint8_t* kept;
    T factor;
    void backward(Backward<T>& ctx) const {
      const FeatureView<const T> dy = ctx.output_gradient();
      const FeatureView<T> dx = ctx.input_gradient(0);
      detail::for_each_dropout_block(ctx.threads(), dx.shape(),
                                     [&](Index block, Index, Index, Index at, Index count) {
                                       for (Index i = 0; i < count; ++i) {
                                         if ((kept[block] >> i & 1) != 0)
                                           dx.data()[at + i] += factor * dy.data()[at + i];
                                       }
                                     });
    }
  };
  Tape<T>& tape = x.tape();
  if (tape.dropout().rate == 0) return x;
  const detail::DroppedMap map(tape.dropout(), tape.count_dropped_map());
  const T factor = static_cast<T>(map.factor());
  const FeatureView<T> y = tape.allocate(x.shape());
  const FeatureView<const T> in = x.value();
  const Index blocks = x.shape().n() * detail::dropout_blocks(x.shape());
  auto* const kept = tape.workspace().template allocate<std::uint8_t>(blocks);
  detail::for_each_dropout_block(
      tape.threads(), x.shape(),
      [&](Index block, Index image, Index of_image, Index at, Index count) {
        const std::uint8_t bits = map.kept(static_cast<std::uint32_t>(image), of_image);
        kept[block] = bits;
        for (Index i = 0; i < count; ++i) {
          y.data()[at + i] = (bits >> i & 1) != 0 ? factor * in.data()[at + i] : T{0};
        }
      });
  return tape.record("dropout", y, {x}, Op{kept, factor});
}

/// factor · x.
template <class T>
[[nodiscard]] Variable<T> scale(Variable<T> x, T factor) {
  struct Op {
    T factor;
    void backward(Backward<T>& ctx) {
      const FeatureView<const T> dy = ctx.output_gradient();
      const FeatureView<T> dx = ctx.input_gradient(0);
      for (Index i = 0; i < dx.size(); ++i) dx.data()[i] += factor * dy.data()[i];
    }
  };
  const FeatureView<T> y = x.tape().allocate(x.shape());
  for (Index i = 0; i < y.size(); ++i) y.data()[i] = factor * x.value().data()[i];
  return x.tape().record("scale", y, {x}, Op{factor});
}

/// Sum of all elements, in order, as one number.
template <class T>
[[nodiscard]] Variable<T> sum(Variable<T> x) {
  struct Op {
    void backward(Backward<T>& ctx) {
      const T dy = ctx.output_gradient().data()[0];
      for (T& d : ctx.input_gradient(0)) d += dy;
    }
  };
  const FeatureView<T> y = x.tape().allocate({1, 1, 1, 1});
  y.data()[0] = std::accumulate(x.value().begin(), x.value().end(), T{0});
  return x.tape().record("sum", y, {x}, Op{});
}

/// Mean of all elements as one number. Throws ShapeError if there is none.
template <class T>
[[nodiscard]] Variable<T> mean(Variable<T> x) {
  if (x.value().empty()) detail::fail<ShapeError>("mean: ", x.shape(), " has no elements");
  return scale(sum(x), T{1} / static_cast<T>(x.shape().count()));
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
