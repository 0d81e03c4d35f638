// SPDX-License-Identifier: MIT
// Variable and Backward: what an operation sees of a tape, forward and in reverse.
#pragma once

#include <pixelrnn/core/tensor.hpp>
#include <pixelrnn/core/workspace.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

template <class T>
class Tape;
template <class T>
class Parameter;

/// A value on a tape: a light handle, valid until the tape is reset or, within a net on a tape that
/// does not record, until its memory is given back (MapPass); a use after that throws ConfigError.
/// Always a feature map (N, H, W, C); one number an image is (N, 1, 1, 1), a scalar (1, 1, 1, 1).
template <class T>
class Variable {
 public:
  using Scalar = T;

  [[nodiscard]] FeatureView<const T> value() const { return tape_->value(*this); }
  [[nodiscard]] Shape<4> shape() const { return tape_->value(*this).shape(); }
  [[nodiscard]] Tape<T>& tape() const { return *tape_; }
  [[nodiscard]] Index id() const { return id_; }

 private:
  friend class Tape<T>;
  Variable(Tape<T>& tape, Index id, Index recording)
      : tape_(&tape), id_(id), recording_(recording) {}
  Tape<T>* tape_;
  Index id_;
  Index recording_;  ///< of the tape's: how often it was reset before
};

/// What an operation sees when it is reversed. Gradients of inputs are added to, never overwritten,
/// except through claim_gradient.
template <class T>
class Backward {
 public:
  /// dL/doutput, of the output's shape.
  [[nodiscard]] FeatureView<const T> output_gradient() const {
    return tape_.gradient_of(tape_.node(node_));
  }
  [[nodiscard]] FeatureView<const T> output() const { return tape_.node(node_).value; }
  [[nodiscard]] FeatureView<const T> input(Index i) const { return tape_.node(source(i)).value; }
  /// False for constants: their gradient need not (and cannot) be computed.
  [[nodiscard]] bool wants_gradient(Index i) const { return tape_.node(source(i)).needs_gradient; }
  /// dL/dinput(i) so far (zero at first): add to it.
  [[nodiscard]] FeatureView<T> input_gradient(Index i) const {
    return tape_.zeroed_gradient(source(i));
  }
  /// The same without the zeroing: `fresh` memory must be overwritten, other memory added to.
  struct Claim {
    FeatureView<T> gradient;
    bool fresh;
  };
  [[nodiscard]] Claim claim_gradient(Index i) const { return tape_.claim_gradient(source(i)); }
  /// dL/dinput(i) += dL/doutput, as for either operand of a sum: the first contribution shares the
  /// output's memory instead of copying it.
  void pass_gradient(Index i) const { tape_.pass_gradient(tape_.node(node_), source(i)); }
  /// dL/dθ so far, to add to. If the Gradients of the sweep are not for this parameter, memory that
  /// is thrown away.
  [[nodiscard]] FeatureView<T> gradient(const Parameter<T>& parameter) const {
    return tape_.gradient_of(parameter);
  }
  [[nodiscard]] int threads() const { return tape_.threads(); }
  /// Memory that is given back when the operation's backward returns.
  [[nodiscard]] Workspace& scratch() const { return tape_.scratch(); }

 private:
  friend class Tape<T>;
  Backward(Tape<T>& tape, Index node) : tape_(tape), node_(node) {}
  /// The node of input i.
  [[nodiscard]] Index source(Index i) const { return tape_.node(node_).inputs[i]; }
  Tape<T>& tape_;
  Index node_;
};

}  // namespace pixelrnn::inline PIXELRNN_ABI
