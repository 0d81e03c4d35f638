// SPDX-License-Identifier: MIT
// Prepared: what layers make of their weights alone, for all parts of a pass that a worker has.
#pragma once

#include <cstddef>
#include <new>
#include <type_traits>
#include <vector>

#include <pixelrnn/core/workspace.hpp>

namespace pixelrnn::inline PIXELRNN_ABI::detail {

/// A pass that goes through a net a few images at a time would pack the weights of each layer anew
/// for each part of the batch; here they stay until the next pass, which may have other weights.
class Prepared {
 public:
  /// What make(workspace) gave for this owner since clear(), or gives now.
  template <class T, class Make>
  requires std::is_trivially_copyable_v<T>
  [[nodiscard]] T get(const void* owner, Make&& make) {
    for (const Entry& entry : entries_) {
      if (entry.owner == owner && entry.type == &type_of<T>) {
        return *static_cast<const T*>(entry.value);
      }
    }
    const T* const value = ::new (memory_.allocate_bytes(sizeof(T))) T(make(memory_));
    entries_.push_back({owner, &type_of<T>, value});
    return *value;
  }
  void clear() {
    entries_.clear();
    memory_.reset();
  }
  [[nodiscard]] std::size_t peak_bytes() const { return memory_.peak(); }

 private:
  /// Its address tells one T from another.
  template <class T>
  static inline char type_of = 0;

  struct Entry {
    const void* owner;
    const void* type;
    const void* value;
  };
  Workspace memory_;
  std::vector<Entry> entries_;
};

}  // namespace pixelrnn::inline PIXELRNN_ABI::detail
