// SPDX-License-Identifier: MIT
// MapMemory: blocks for the maps of a pass without a recording, which go back one by one.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include <pixelrnn/core/workspace.hpp>

namespace pixelrnn::inline PIXELRNN_ABI::detail {

/// Hands out memory as a Workspace does, and takes it back block by block: a net's maps take turns
/// in as few as are needed at once, however deep it is, and stay nearer to the caches. A block
/// stays until reset() unless somebody gives it back: either its last holder, or who sweeps up
/// after an operation.
class MapMemory {
 public:
  static constexpr Index none = -1;

  [[nodiscard]] void* take(std::size_t bytes) {
    const Index found = find_free(bytes);
    Block& block = found != none ? blocks_[at(found)] : blocks_.emplace_back();
    if (found == none) block = {static_cast<std::byte*>(memory_.allocate_bytes(bytes)), bytes};
    block.is_taken = true, block.time = ++time_;
    return block.data;
  }
  /// The block that an address is in; none if it is in no block that is taken.
  [[nodiscard]] Index find(const void* address) const {
    const std::less_equal<const void*> before;  // which orders what is of different arrays too
    for (Index i = std::ssize(blocks_) - 1; i >= 0; --i) {
      const Block& block = blocks_[at(i)];
      if (block.is_taken && before(block.data, address) &&
          !before(block.data + block.size, address)) {
        return i;
      }
    }
    return none;
  }
  [[nodiscard]] bool is_held(Index block) const { return blocks_[at(block)].holders > 0; }
  void hold(Index block) { ++blocks_[at(block)].holders; }
  /// Holds no longer, and lets it stay.
  void let_go(Index block) { --blocks_[at(block)].holders; }
  void give_back(Index block) { blocks_[at(block)].is_taken = false; }

  /// A moment, and whether a block was taken after it.
  [[nodiscard]] std::size_t now() const { return time_; }
  [[nodiscard]] bool is_since(std::size_t moment, Index block) const {
    return blocks_[at(block)].time > moment;
  }
  /// Calls f(block) for what was taken since, is not held, and is not `but`.
  template <class F>
  void for_each_unheld(std::size_t since, Index but, F&& f) {
    for (Index i = 0; i < std::ssize(blocks_); ++i) {
      const Block& block = blocks_[at(i)];
      if (block.is_taken && block.time > since && block.holders == 0 && i != but) f(i);
    }
  }

  void reset() {
    blocks_.clear();
    memory_.reset();
  }
  [[nodiscard]] std::size_t peak() const { return memory_.peak(); }

 private:
  struct Block {
    std::byte* data = nullptr;
    std::size_t size = 0;
    Index holders = 0;
    std::size_t time = 0;  ///< when it was last taken
    bool is_taken = false;
  };
  static std::size_t at(Index i) { return static_cast<std::size_t>(i); }
  /// The smallest that will do and is not twice as large; of equals the last one used, whose memory
  /// is most likely in a cache.
  [[nodiscard]] Index find_free(std::size_t bytes) const {
    Index best = none;
    for (Index i = 0; i < std::ssize(blocks_); ++i) {
      const Block& block = blocks_[at(i)];
      if (block.is_taken || block.size < bytes || block.size > 2 * bytes) continue;
      if (best == none || block.size < blocks_[at(best)].size ||
          (block.size == blocks_[at(best)].size && block.time > blocks_[at(best)].time)) {
        best = i;
      }
    }
    return best;
  }

  Workspace memory_;
  std::vector<Block> blocks_;
  std::size_t time_ = 0;
};

}  // namespace pixelrnn::inline PIXELRNN_ABI::detail
