// SPDX-License-Identifier: MIT
// Dropout as a layer.
#pragma once

#include <string>

#include <pixelrnn/kernels/backend.hpp>
#include <pixelrnn/nn/network/network.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// y = x, of which training leaves out a share (TrainerOptions::dropout): p.dropout(x) of Network,
/// for a Sequential. Evaluation and sampling leave nothing out. No parameters.
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
