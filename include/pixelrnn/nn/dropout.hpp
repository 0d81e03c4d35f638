// SPDX-License-Identifier: MIT
// Dropout as a layer.
#pragma once

#include <string>

#include <pixelrnn/kernels/backend.hpp>
#include <pixelrnn/nn/network/network.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// y = x. In training some numbers become 0, and the others are enlarged as much (StepDropout). The
/// rate is TrainerOptions::dropout, one for the whole net; at its default, 0, the layer does
/// nothing. Evaluation and sampling leave nothing out. It is p.dropout(x) of Network, for a
/// Sequential. No parameters.
template <class B = Backend<>>
class Dropout : public Network<Dropout<B>, typename B::Scalar> {
 public:
  using Execution = typename B::Execution;
  static constexpr const char* name = "Dropout";

  template <class Pass>
  [[nodiscard]] auto run(Pass& p, typename Pass::Value x) const {
    return p.dropout(std::move(x));
  }
  [[nodiscard]] std::string describe() const { return "Dropout"; }
  void for_each_parameter(auto&&) {}
};

}  // namespace pixelrnn::inline PIXELRNN_ABI
