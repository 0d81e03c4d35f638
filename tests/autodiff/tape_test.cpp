// SPDX-License-Identifier: MIT
#include <cmath>
#include <limits>
#include <memory>
#include <type_traits>
#include <vector>

#include <pixelrnn/autodiff/functions.hpp>

#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/compare.hpp"
#include "support/random.hpp"

using namespace pixelrnn;
using test::random_map;

namespace {

FeatureMap<double> number(double value) { return FeatureMap<double>({1, 1, 1, 1}, value); }

double value_of(const Variable<double>& scalar) { return scalar.value().data()[0]; }

struct One {
  using Scalar = double;
  Parameter<double> parameter{Shape<4>{1, 1, 1, 2}};
  void for_each_parameter(auto&& visit) { visit("parameter", parameter); }
};

/// Copies its first input; backward does what a test wants to look at.
template <class F>
Variable<double> copy_with_backward(std::initializer_list<Variable<double>> inputs, F f) {
  struct Op {
    F f;
    void backward(Backward<double>& context) { f(context); }
  };
  const Variable<double> x = *inputs.begin();
  const FeatureView<double> y = x.tape().allocate(x.shape());
  std::copy(x.value().begin(), x.value().end(), y.begin());
  return x.tape().record("copy", y, inputs, Op{std::move(f)});
}

}  // namespace

TEST_CASE("A chain of operations is reversed by the chain rule", "[autodiff][tape]") {
  const FeatureMap<double> at = number(0.5);
  Tape<double> tape;
  const Variable<double> x = tape.input(at);
  const Variable<double> y = scale(mul(x, x), 3.0);  // 3 x^2
  CHECK(value_of(y) == 0.75);
  tape.backward(y);
  CHECK(tape.gradient(x).data()[0] == 3.0);
}

TEST_CASE("A value used twice gets the sum of both gradients", "[autodiff][tape]") {
  const FeatureMap<double> at = number(3);
  Tape<double> tape;
  const Variable<double> x = tape.input(at);
  const Variable<double> square = mul(x, x);
  // A diamond: x^2 + x^2 · x + (x + x), whose derivative is 2 x + 3 x^2 + 2.
  const Variable<double> y = add(add(square, mul(square, x)), add(x, x));
  CHECK(value_of(y) == 9 + 27 + 6);
  tape.backward(y);
  CHECK(tape.gradient(x).data()[0] == 6 + 27 + 2);
}

TEST_CASE("A long chain needs no recursion", "[autodiff][tape]") {
  const FeatureMap<double> at = number(1);
  Tape<double> tape;
  const Variable<double> x = tape.input(at);
  Variable<double> y = x;
  for (int i = 0; i < 200000; ++i) y = scale(y, 1.0);
  tape.backward(y);
  CHECK(tape.gradient(x).data()[0] == 1);
}

TEST_CASE("Constants want no gradient", "[autodiff][tape]") {
  const FeatureMap<double> at = number(2);
  Tape<double> tape;
  const Variable<double> x = tape.input(at), constant = tape.constant(at);
  std::vector<bool> wants;
  const Variable<double> y = copy_with_backward({x, constant}, [&](Backward<double>& context) {
    wants = {context.wants_gradient(0), context.wants_gradient(1)};
  });
  tape.backward(y);
  CHECK(wants == std::vector<bool>{true, false});
  CHECK_THROWS_ERROR(
      tape.gradient(constant), ConfigError,
      "Tape::gradient: the variable is of constant, expected one of Tape::input(), whose "
      "gradients alone are kept; parameters' are in the Gradients of backward()");
  CHECK_THROWS_ERROR(tape.gradient(y), ConfigError, "expected one of Tape::input()");
}

TEST_CASE("What depends on constants alone is not reversed", "[autodiff][tape]") {
  const FeatureMap<double> at = number(2);
  Tape<double> tape;
  bool reversed = false;
  const Variable<double> y =
      copy_with_backward({tape.constant(at)}, [&reversed](Backward<double>&) { reversed = true; });
  tape.backward(scale(y, 2.0));
  CHECK_FALSE(reversed);
}

TEST_CASE("What does not lead to the loss is not reversed", "[autodiff][tape]") {
  const FeatureMap<double> at = number(2);
  Tape<double> tape;
  const Variable<double> x = tape.input(at), unused = tape.input(at);
  bool reversed = false;
  const auto note = [&reversed](Backward<double>&) { reversed = true; };
  static_cast<void>(copy_with_backward({x}, note));
  const Variable<double> loss = scale(x, 2.0);
  static_cast<void>(copy_with_backward({loss}, note));  // recorded after the loss
  tape.backward(loss);
  CHECK_FALSE(reversed);
  CHECK(tape.gradient(x).data()[0] == 2);
  CHECK(tape.gradient(unused).data()[0] == 0);
}

TEST_CASE("An operation sees its input, its output and the gradient of its output",
          "[autodiff][tape]") {
  const FeatureMap<double> at = random_map<double>({2, 1, 3, 1}, 1);
  const FeatureMap<double> gradient = random_map<double>({2, 1, 3, 1}, 2);
  Tape<double> tape({.threads = 3});
  bool seen = false;
  const Variable<double> x = tape.input(at);
  const Variable<double> y = copy_with_backward({x}, [&](Backward<double>& context) {
    seen = true;
    CHECK(context.input(0).data() == at.data());
    CHECK(test::bit_difference(FeatureMap<double>(context.output()), at) == "");
    CHECK(test::bit_difference(FeatureMap<double>(context.output_gradient()), gradient) == "");
    CHECK(context.threads() == 3);
  });
  tape.backward(y, gradient);
  CHECK(seen);
}

TEST_CASE("The first claim of a gradient is fresh, the next is not", "[autodiff][tape]") {
  const FeatureMap<double> at = number(1);
  Tape<double> tape;
  const Variable<double> x = tape.input(at);
  std::vector<bool> fresh;
  const auto claim = [&fresh](double share) {
    return [&fresh, share](Backward<double>& context) {
      const auto [gradient, is_fresh] = context.claim_gradient(0);
      fresh.push_back(is_fresh);
      gradient.data()[0] = share + (is_fresh ? 0 : gradient.data()[0]);
    };
  };
  const Variable<double> y =
      add(copy_with_backward({x}, claim(10)), copy_with_backward({x}, claim(3)));
  tape.backward(y);
  CHECK(fresh == std::vector<bool>{true, false});
  CHECK(tape.gradient(x).data()[0] == 13);
}

TEST_CASE("A gradient that is passed on is shared until one of its users is written to",
          "[autodiff][tape]") {
  const FeatureMap<double> at = random_map<double>({1, 2, 2, 1}, 1);
  const FeatureMap<double> gradient = random_map<double>({1, 2, 2, 1}, 2);
  Tape<double> tape;
  const Variable<double> x = tape.input(at), y = tape.input(at);
  const auto pass = [](Backward<double>& context) {
    context.pass_gradient(0), context.pass_gradient(1);
  };
  const Variable<double> more = scale(x, 8.0);  // reversed last: writes to x's gradient alone
  const Variable<double> both = copy_with_backward({x, y}, pass);
  const Variable<double> twice = copy_with_backward({both, both}, pass);
  tape.backward(copy_with_backward({twice, more}, pass), gradient);
  for (Index i = 0; i < at.size(); ++i) {
    CHECK(tape.gradient(x).data()[i] == 10 * gradient.data()[i]);
    CHECK(tape.gradient(y).data()[i] == 2 * gradient.data()[i]);
  }
}

TEST_CASE("input_gradient begins at zero", "[autodiff][tape]") {
  const FeatureMap<double> at = random_map<double>({1, 2, 3, 4}, 3);
  Tape<double> tape;
  for (int step = 0; step < 3; ++step) {  // the second time, in memory that was used
    tape.reset();
    const Variable<double> x = tape.input(at);
    const Variable<double> y = copy_with_backward({x}, [](Backward<double>& context) {
      for (double& d : context.input_gradient(0)) {
        CHECK(d == 0);
        d = 7;
      }
    });
    tape.backward(sum(y));
  }
}

TEST_CASE("A parameter's gradient sums over sweeps until it is cleared", "[autodiff][tape]") {
  One owner;
  const Parameter<double>& parameter = owner.parameter;
  owner.parameter.value().data()[0] = 5, owner.parameter.value().data()[1] = 7;
  Gradients gradients(owner);
  Tape<double> tape;
  const auto sweep = [&] {
    tape.reset();
    const Variable<double> p = tape.leaf(parameter);
    tape.backward(sum(mul(p, p)), gradients);
  };
  sweep();
  CHECK(gradients[parameter].data()[0] == 10);
  sweep();
  CHECK(gradients[parameter].data()[0] == 20);
  CHECK(gradients[parameter].data()[1] == 28);
  gradients.clear();
  sweep();
  CHECK(gradients[parameter].data()[1] == 14);
}

TEST_CASE("A sweep can begin with a gradient of any shape", "[autodiff][tape]") {
  const FeatureMap<double> at = random_map<double>({2, 3, 1, 2}, 1);
  const FeatureMap<double> gradient = random_map<double>({2, 3, 1, 2}, 2);
  Tape<double> tape;
  const Variable<double> x = tape.input(at);
  tape.backward(scale(x, 2.0), gradient);
  for (Index i = 0; i < at.size(); ++i) {
    CHECK(tape.gradient(x).data()[i] == 2 * gradient.data()[i]);
  }
  tape.reset();
  const Variable<double> alone = tape.input(at);
  tape.backward(alone, gradient);  // an output that is an input
  CHECK(test::bit_difference(FeatureMap<double>(tape.gradient(alone)), gradient) == "");
}

TEST_CASE("The tape says what it cannot do", "[autodiff][tape]") {
  const FeatureMap<double> at({1, 2, 2, 1});
  Tape<double> tape, other;
  const Variable<double> x = tape.input(at);
  const Variable<double> stranger = other.input(at);

  CHECK_THROWS_ERROR(tape.backward(x), ShapeError,
                     "Tape::backward: loss is (N=1, H=2, W=2, C=1), expected one number");
  CHECK_THROWS_ERROR(tape.backward(x, number(1)), ShapeError,
                     "Tape::backward: output_gradient is (N=1, H=1, W=1, C=1), expected (N=1, H=2, "
                     "W=2, C=1)");
  CHECK_THROWS_ERROR(add(x, stranger), ConfigError, "add: a variable is on another tape");
  CHECK_THROWS_ERROR(tape.backward(sum(stranger)), ConfigError,
                     "Tape::backward: a variable is on another tape");
  CHECK_THROWS_ERROR(tape.gradient(stranger), ConfigError,
                     "Tape::gradient: a variable is on another tape");

  const Variable<double> loss = sum(x);
  CHECK_NOTHROW(tape.backward(loss));  // none of the errors above has used up the sweep
  CHECK_THROWS_ERROR(tape.backward(loss), ConfigError,
                     "Tape::backward: the tape was swept already; call reset()");
  tape.reset();
  CHECK_NOTHROW(tape.backward(sum(tape.input(at))));

  CHECK_THROWS_ERROR(Tape<double>({.threads = -1}), ConfigError, "Tape: threads is -1");
}

TEST_CASE("A tape that does not record computes values and keeps no operation",
          "[autodiff][tape]") {
  const FeatureMap<double> at = number(3);
  Parameter<double> parameter({1, 1, 1, 1});
  Tape<double> tape({.record = false});
  CHECK_FALSE(tape.records());
  const Variable<double> x = tape.input(at);
  const auto owned = std::make_shared<int>(1);
  const Variable<double> y =
      copy_with_backward({x, tape.leaf(parameter)}, [owned](Backward<double>&) {});
  CHECK(owned.use_count() == 1);
  CHECK(value_of(mul(y, y)) == 9);
  CHECK_THROWS_ERROR(tape.backward(y), ConfigError, "TapeOptions::record");
}

TEST_CASE("Operations are destroyed with the recording", "[autodiff][tape]") {
  const FeatureMap<double> at = number(3);
  const auto owned = std::make_shared<int>(1);
  const auto keep = [owned](Backward<double>&) {};
  const long before = owned.use_count();
  {
    Tape<double> tape;
    static_cast<void>(copy_with_backward({tape.input(at)}, keep));
    CHECK(owned.use_count() == before + 1);
    tape.reset();
    CHECK(owned.use_count() == before);
    static_cast<void>(copy_with_backward({tape.input(at)}, keep));
    CHECK(owned.use_count() == before + 1);
  }
  CHECK(owned.use_count() == before);
}

TEST_CASE("A repeated step allocates nothing once warm", "[autodiff][tape]") {
  const FeatureMap<double> at = random_map<double>({4, 9, 9, 8}, 1);
  Parameter<double> parameter({1, 1, 1, 8});
  Tape<double> tape({.threads = 1});
  const auto step = [&] {
    tape.reset();
    Variable<double> y = tape.input(at);
    for (int i = 0; i < 30; ++i) y = add(mul(y, tape.leaf(parameter)), scale(y, 0.5));
    tape.backward(mean(y));
  };
  for (int warm = 0; warm < 3; ++warm) step();
  const std::size_t before = test::allocation_count();
  for (int i = 0; i < 5; ++i) step();
  CHECK(test::allocation_count() == before);
}

TEST_CASE("Gradients live only while they are needed", "[autodiff][tape]") {
  constexpr int length = 100;
  const FeatureMap<double> at({1, 32, 32, 16});  // 128 kB
  const std::size_t bytes = static_cast<std::size_t>(at.size()) * sizeof(double);
  Tape<double> tape;
  Variable<double> y = tape.input(at);
  for (int i = 0; i < length; ++i) y = scale(y, 0.5);
  tape.backward(sum(y));
  // The values of all operations, and the gradients of two.
  CHECK(tape.peak_bytes() >= length * bytes);
  CHECK(tape.peak_bytes() < (length + 6) * bytes);
}

TEST_CASE("What an operation takes as scratch is given back after it", "[autodiff][tape]") {
  constexpr Index size = 1 << 20;
  const FeatureMap<double> at = number(1);
  Tape<double> tape;
  Variable<double> y = tape.input(at);
  for (int i = 0; i < 8; ++i) {
    y = copy_with_backward({y}, [](Backward<double>& context) {
      std::fill_n(context.scratch().allocate<double>(size), size, 1.0);
      context.input_gradient(0).data()[0] += 1;
    });
  }
  tape.backward(y);
  CHECK(tape.peak_bytes() >= size * sizeof(double));
  CHECK(tape.peak_bytes() < 2 * size * sizeof(double));
}

TEST_CASE("first_non_finite names the operation and its place", "[autodiff][tape]") {
  const FeatureMap<double> at = number(1e200), one = number(1);
  Tape<double> tape;
  const Variable<double> x = tape.input(at);
  const Variable<double> fine = scale(x, 2.0);
  CHECK(tape.first_non_finite() == "");
  const Variable<double> infinite = mul(fine, fine);
  static_cast<void>(scale(infinite, 0.0));
  CHECK(tape.first_non_finite() == "mul (operation 2)");

  tape.reset();
  const FeatureMap<double> nan = number(std::numeric_limits<double>::quiet_NaN());
  static_cast<void>(scale(tape.input(one), 1.0));
  static_cast<void>(scale(tape.constant(nan), 1.0));
  CHECK(tape.first_non_finite() == "constant (operation 2)");
}

TEST_CASE("A tape cannot be copied, since variables point to it", "[autodiff][tape]") {
  STATIC_REQUIRE_FALSE(std::is_copy_constructible_v<Tape<float>>);
  STATIC_REQUIRE_FALSE(std::is_copy_assignable_v<Tape<float>>);
}
