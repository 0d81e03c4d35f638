// SPDX-License-Identifier: MIT
// Memory of a tape's gradients: reused once nobody looks at it, shared while it is only read.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include <pixelrnn/core/workspace.hpp>

namespace pixelrnn::inline PIXELRNN_ABI::detail {

/// Gradients are as large as values, of few sizes: a free one serves the next of its size.
template <class T>
class GradientMemory {
 public:
  /// The number of a gradient of `count` uninitialised values, with one user.
  [[nodiscard]] Index take(Workspace& workspace, Index count) {
    const auto match = std::find_if(all_.begin(), all_.end(), [=](const Gradient& g) {
      return g.users == 0 && g.count == count;
    });
    if (match != all_.end()) {
      match->users = 1;
      return match - all_.begin();
    }
    all_.push_back({workspace.allocate<T>(count), count, 1});
    return std::ssize(all_) - 1;
  }
  void share(Index gradient) { ++at(gradient).users; }
  void release(Index gradient) { --at(gradient).users; }
  [[nodiscard]] bool is_shared(Index gradient) const { return at(gradient).users > 1; }
  [[nodiscard]] T* data(Index gradient) const { return at(gradient).memory; }
  /// Forgets all; the memory is the workspace's.
  void clear() { all_.clear(); }

 private:
  struct Gradient {
    T* memory;
    Index count;
    Index users;  ///< 0: free for the next gradient of this size
  };
  Gradient& at(Index gradient) { return all_[static_cast<std::size_t>(gradient)]; }
  [[nodiscard]] const Gradient& at(Index gradient) const {
    return all_[static_cast<std::size_t>(gradient)];
  }
  std::vector<Gradient> all_;
};

}  // namespace pixelrnn::inline PIXELRNN_ABI::detail
