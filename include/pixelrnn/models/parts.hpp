// SPDX-License-Identifier: MIT
// A batch goes through a net a few images at a time, by several threads.
#pragma once

#include <algorithm>

#include <pixelrnn/core/tuning.hpp>
#include <pixelrnn/kernels/backend.hpp>
#include <pixelrnn/nn/layer.hpp>

namespace pixelrnn::inline PIXELRNN_ABI::detail {

/// Calls use(i, tape, first, images) for the parts [begin, begin + count) of a batch, i counting
/// from 0: each on one thread, with a fresh tape of its worker's, which records if `tape` does.
template <Execution E, class T, class Use>
void for_each_image_part(Tape<T>& tape, const Chunks& parts, Index begin, Index count, Use&& use) {
  const auto tapes = tape.worker_tapes(E::workers(tape.threads(), count));
  E::for_each(tape.threads(), count, [&](Index i, Index worker) {
    Tape<T>& own = *tapes[static_cast<std::size_t>(worker)];
    own.reset();
    const Index first = parts.first(begin + i);
    use(i, own, first, parts.last(begin + i) - first);
  });
}

/// net.forward(x). What is not recorded, of nets that separate images, goes through the whole net a
/// few images at a time, on a tape for each worker: maps stay in the second-level cache from layer
/// to layer, and threads meet once a pass. The same bits.
template <Layer Net>
[[nodiscard]] Variable<typename Net::Scalar> forward_in_parts(const Net& net,
                                                              Variable<typename Net::Scalar> x) {
  using T = typename Net::Scalar;
  using E = ExecutionOf<Net>;
  const Shape<4> in = x.shape();
  const Chunks parts = Chunks::of(in.n(), tuning::images_a_part);
  Tape<T>& tape = x.tape();
  if (tape.records() || !SeparatesImages<Net> || parts.size() < 2) return net.forward(x);
  const FeatureView<T> y = tape.allocate(net.output_shape(in));
  const Index in_size = x.value().size() / in.n(), out_size = y.size() / in.n();
  for_each_image_part<E>(
      tape, parts, 0, parts.size(), [&](Index, Tape<T>& own, Index first, Index images) {
        if (const auto& c = tape.condition()) {
          own.set_condition(own.constant(c->value().slice(first, images)));
        }
        StepDropout dropout = tape.dropout();
        dropout.image += static_cast<std::uint32_t>(first);
        own.set_dropout(dropout);
        const auto out = net.forward(
            own.constant({x.value().data() + first * in_size, {images, in.h(), in.w(), in.c()}}));
        std::copy_n(out.value().data(), images * out_size, y.data() + first * out_size);
      });
  return tape.constant(y);
}

}  // namespace pixelrnn::inline PIXELRNN_ABI::detail
