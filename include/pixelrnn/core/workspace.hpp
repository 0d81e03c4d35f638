// SPDX-License-Identifier: MIT
// Workspace: a stack of reusable memory, so that a training step allocates nothing once warm.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <pixelrnn/core/tensor.hpp>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace pixelrnn::inline PIXELRNN_ABI {

/// Hands out 64-byte aligned, uninitialised memory in stack order. reset() forgets everything and
/// keeps the memory as one block, so a repeated sequence of allocations touches the heap only the
/// first time. One thread at a time.
class Workspace {
 public:
  Workspace() = default;
  /// What was moved from is empty, and can be used again.
  Workspace(Workspace&& other) noexcept { swap(other); }
  Workspace& operator=(Workspace&& other) noexcept {
    Workspace taken(std::move(other));
    swap(taken);
    return *this;
  }

  /// Room for `count` values of T. Throws std::bad_alloc.
  template <class T>
  requires std::is_trivially_copyable_v<T>
  [[nodiscard]] T* allocate(Index count) {
    const std::size_t wanted = static_cast<std::size_t>(std::max<Index>(count, 1));
    if (wanted > static_cast<std::size_t>(PTRDIFF_MAX) / sizeof(T)) throw std::bad_alloc();
    return static_cast<T*>(allocate_bytes(wanted * sizeof(T)));
  }
  /// Room for a whole view; the elements are uninitialised.
  template <class T, std::size_t Rank>
  [[nodiscard]] TensorView<T, Rank> allocate(Shape<Rank> shape) {
    return {allocate<T>(shape.count()), shape};
  }
  template <class T>
  [[nodiscard]] T* allocate_zero(Index count) {
    T* memory = allocate<T>(count);
    std::fill_n(memory, count, T{});
    return memory;
  }
  [[nodiscard]] void* allocate_bytes(std::size_t bytes) {
    constexpr std::size_t grain = Tensor<std::byte, 1>::alignment;
    bytes = (bytes + grain - 1) / grain * grain;
    while (current_ < blocks_.size() && blocks_[current_].size() - used_ < bytes) {
      full_ += used_;
      ++current_;
      used_ = 0;
    }
    if (current_ == blocks_.size()) {
      const Index size = static_cast<Index>(std::max({bytes, capacity() / 2, smallest_block}));
      blocks_.push_back(Block(size));
    }
    void* memory = blocks_[current_].data() + used_;
    used_ += bytes;
    peak_ = std::max(peak_, full_ + used_);
    return memory;
  }

  /// A position of the stack.
  struct Mark {
    std::size_t block = 0, used = 0, full = 0;
  };
  [[nodiscard]] Mark mark() const { return {current_, used_, full_}; }
  /// Gives back everything allocated since the mark.
  void release(Mark mark) {
    current_ = mark.block;
    used_ = mark.used;
    full_ = mark.full;
  }
  /// Whether an address is within what the workspace holds, handed out or not.
  [[nodiscard]] bool holds(const void* address) const {
    const std::less_equal<const void*> before;  // which orders what is of different arrays too
    return std::any_of(blocks_.begin(), blocks_.end(), [&](const Block& block) {
      return before(block.data(), address) && !before(block.data() + block.size(), address);
    });
  }
  /// Gives back everything, and merges the blocks into one. Throws std::bad_alloc, and is empty
  /// then, if there is no such block: the old ones go first, so as not to need twice the memory.
  void reset() {
    release({});
    if (blocks_.size() > 1) {
      const std::size_t total = capacity();
      blocks_.clear();
      blocks_.push_back(Block(static_cast<Index>(total)));
    }
  }

  /// Bytes held, and the most that were ever in use at once.
  [[nodiscard]] std::size_t capacity() const {
    std::size_t total = 0;
    for (const Block& block : blocks_) total += block.size();
    return total;
  }
  [[nodiscard]] std::size_t peak() const { return peak_; }

 private:
  static constexpr std::size_t smallest_block = std::size_t{1} << 16;

  /// Aligned bytes without Tensor's zeroing: pages are touched when they are first used. Where much
  /// is wanted Linux is asked for large pages, which it may refuse: a training step walks through
  /// all of its memory, and 4 kB at a time that is mostly waiting for the addresses.
  class Block {
   public:
    explicit Block(Index bytes)
        : size_(static_cast<std::size_t>(bytes)), memory_(take(size_), Free{alignment(size_)}) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
      if (size_ >= large_page) static_cast<void>(::madvise(memory_.get(), size_, MADV_HUGEPAGE));
#endif
    }
    [[nodiscard]] std::byte* data() const { return memory_.get(); }
    [[nodiscard]] std::size_t size() const { return size_; }

   private:
    static constexpr std::size_t large_page = std::size_t{1} << 21;
    static std::align_val_t alignment(std::size_t size) {
      return std::align_val_t{size >= large_page ? large_page : 64};
    }
    static std::byte* take(std::size_t size) {
      return static_cast<std::byte*>(::operator new(size, alignment(size)));
    }
    struct Free {
      std::align_val_t alignment;
      void operator()(std::byte* memory) const { ::operator delete(memory, alignment); }
    };
    std::size_t size_;
    std::unique_ptr<std::byte[], Free> memory_;
  };

  void swap(Workspace& other) noexcept {
    blocks_.swap(other.blocks_);
    std::swap(current_, other.current_);
    std::swap(used_, other.used_);
    std::swap(full_, other.full_);
    std::swap(peak_, other.peak_);
  }

  std::vector<Block> blocks_;
  std::size_t current_ = 0;  ///< the block allocations come from
  std::size_t used_ = 0;     ///< bytes used of it
  std::size_t full_ = 0;     ///< bytes used of the blocks before it
  std::size_t peak_ = 0;
};

/// Gives a workspace's memory back at the end of a scope.
class Scratch {
 public:
  explicit Scratch(Workspace& workspace) : workspace_(workspace), mark_(workspace.mark()) {}
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { workspace_.release(mark_); }

 private:
  Workspace& workspace_;
  Workspace::Mark mark_;
};

}  // namespace pixelrnn::inline PIXELRNN_ABI
