// SPDX-License-Identifier: MIT
// Operations of your own: an element-wise one, one that changes the shape, and their gradcheck.
#include <cmath>
#include <iostream>

#include <pixelrnn/pixelrnn.hpp>

using namespace pixelrnn;

template <class T>
T logistic(T x) {
  return T{1} / (T{1} + std::exp(-x));
}

/// y = x·s, s = logistic(x) (Swish, Ramachandran et al. 2017).  dy/dx = s + y·(1 - s).
struct Swish {
  static constexpr const char* name = "Swish";
  template <class T>
  static void forward(std::span<const T> x, std::span<T> y) {
    for (std::size_t i = 0; i < x.size(); ++i) y[i] = x[i] * logistic(x[i]);
  }
  template <class T>
  static void backward(std::span<const T> x, std::span<const T> y, std::span<const T> dy,
                       std::span<T> dx) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      const T s = logistic(x[i]);
      dx[i] += dy[i] * (s + y[i] * (1 - s));  // +=: x may feed other operations too
    }
  }
};
static_assert(UnaryOp<Swish, float> && UnaryOp<Swish, double>);

/// The same with a mistake, for gradcheck to find.
struct WrongSwish : Swish {
  template <class T>
  static void backward(std::span<const T> x, std::span<const T> y, std::span<const T> dy,
                       std::span<T> dx) {
    for (std::size_t i = 0; i < x.size(); ++i) dx[i] += dy[i] * (logistic(x[i]) + y[i]);
  }
};

/// y = tanh(a) ⊙ logistic(b), where a and b are the two halves of x's channels (the gated unit of
/// van den Oord et al. 2016b, eq. 2). x (N, H, W, 2C) to y (N, H, W, C): too much for a UnaryOp, so
/// it goes through the door that every operation of the library uses, Tape::record.
template <class T>
Variable<T> gated(Variable<T> x) {
  struct Op {
    void backward(Backward<T>& ctx) const {
      const MatrixView<const T> in = as_rows(ctx.input(0)), dy = as_rows(ctx.output_gradient());
      const MatrixView<T> dx = as_rows(ctx.input_gradient(0));
      for (Index p = 0; p < dy.rows; ++p) {
        for (Index c = 0; c < dy.columns; ++c) {
          const T t = std::tanh(in(p, c)), s = logistic(in(p, dy.columns + c));
          dx(p, c) += dy(p, c) * s * (1 - t * t);
          dx(p, dy.columns + c) += dy(p, c) * t * s * (1 - s);
        }
      }
    }
  };
  const Shape<4>& shape = x.shape();
  if (shape.c() % 2 != 0) throw ShapeError("gated: x has an odd number of channels");
  const FeatureView<T> y = x.tape().allocate(shape.with_channels(shape.c() / 2));
  const MatrixView<const T> in = as_rows(x.value());
  const MatrixView<T> out = as_rows(y);
  for (Index p = 0; p < out.rows; ++p) {
    for (Index c = 0; c < out.columns; ++c) {
      out(p, c) = std::tanh(in(p, c)) * logistic(in(p, out.columns + c));
    }
  }
  return x.tape().record("gated", y, {x}, Op{});
}

int main() {
  FeatureMap<double> x({2, 3, 5, 4});
  Rng rng(1);
  for (double& v : x) v = rng.normal();

  // Operations compose; gradcheck differentiates whatever is made of them.
  const auto check = [&x](auto&& function) {
    return gradcheck({x}, [&](Tape<double>&, const std::vector<Variable<double>>& in) {
      return function(in[0]);
    });
  };
  const auto swish = check([](auto v) { return apply(Swish{}, v); });
  const auto both = check([](auto v) { return mul(gated(apply(Swish{}, v)), gated(v)); });
  const auto wrong = check([](auto v) { return apply(WrongSwish{}, v); });
  const auto verdict = [](const GradcheckReport& r) { return r ? "right" : "wrong, " + r.where; };
  std::cout << "Swish:                    " << verdict(swish) << '\n'
            << "gated(Swish(x)) gated(x): " << verdict(both) << '\n'
            << "Swish with a mistake:     " << verdict(wrong) << '\n';
  return swish && both && !wrong ? 0 : 1;
}
