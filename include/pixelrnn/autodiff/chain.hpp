// SPDX-License-Identifier: MIT
// Chain: steps of a pass without a recording give back what only they needed.
#pragma once

#include <array>

#include <pixelrnn/autodiff/tape.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// A computation x_l = f_l(x_{l-1}) of which, once x_l is there, nothing before it is needed:
///
///   const Chain<T> chain(x.tape());
///   x = chain.keep(f_1(x));
///   x = chain.keep(f_2(x));
///
/// On a tape that does not record, keep(y) gives back what was asked for since the chain began, y
/// itself excepted, so that the maps of all steps take turns in the memory of two: such a pass
/// needs little memory, however deep the net, and stays nearer to the caches. Variables made since
/// the chain began, but y, are invalid then; those made before it are not. A tape that records
/// keeps everything. Chains may be nested: what a step computes with a chain of its own is one
/// step.
template <class T>
class Chain {
 public:
  explicit Chain(Tape<T>& tape)
      : tape_(tape),
        nodes_(tape.nodes_.size()),
        marks_{tape.memory_[0].mark(), tape.memory_[1].mark()} {}

  [[nodiscard]] Variable<T> keep(Variable<T> y) const {
    if (tape_.records()) return y;
    const auto node = tape_.nodes_[Tape<T>::index(y.id())];
    for (std::size_t i = 0; i < marks_.size(); ++i) {
      if (tape_.memory_[i].holds(node.value.data())) continue;
      tape_.memory_[i].release(marks_[i]);
      tape_.current_ = i;
    }
    tape_.nodes_.resize(nodes_);
    return Tape<T>::index(y.id()) < nodes_ ? y : tape_.add_node(node);
  }

 private:
  Tape<T>& tape_;
  std::size_t nodes_;  ///< how many there were
  std::array<Workspace::Mark, 2> marks_;
};

}  // namespace pixelrnn::inline PIXELRNN_ABI
