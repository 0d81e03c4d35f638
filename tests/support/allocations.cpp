// SPDX-License-Identifier: MIT
// The replacement of operator new behind allocations.hpp. All its forms are replaced, because those
// left out would be a sanitizer's, whose memory our operator delete must not free.
#include "support/allocations.hpp"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>

namespace {

constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();
std::atomic<std::size_t> allocations{0};
std::atomic<std::size_t> all_bytes{0};
std::atomic<std::size_t> last_allowed{unlimited};

/// Aligned memory, or null when memory or budget is out. Its floats are NaN, as large as blocks of
/// tests are: what is read before it is written shall not look like a zero.
void* allocate(std::size_t bytes, std::size_t alignment) noexcept {
  // Sanitizers end the program on sizes that malloc merely refuses.
  constexpr std::size_t absurd = std::size_t{1} << 46;
  all_bytes += bytes;
  if (++allocations > last_allowed || bytes > absurd) return nullptr;
  void* const memory = std::aligned_alloc(alignment, (bytes / alignment + 1) * alignment);
  constexpr std::size_t large = std::size_t{1} << 28;
  if (memory != nullptr && bytes < large) std::memset(memory, 0xff, bytes);
  return memory;
}

void* require(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

constexpr std::size_t usual = __STDCPP_DEFAULT_NEW_ALIGNMENT__;

}  // namespace

using std::align_val_t, std::nothrow_t, std::size_t;

void* operator new(size_t bytes) { return require(allocate(bytes, usual)); }
void* operator new[](size_t bytes) { return require(allocate(bytes, usual)); }
void* operator new(size_t bytes, const nothrow_t&) noexcept { return allocate(bytes, usual); }
void* operator new[](size_t bytes, const nothrow_t&) noexcept { return allocate(bytes, usual); }
void* operator new(size_t bytes, align_val_t alignment) {
  return require(allocate(bytes, static_cast<size_t>(alignment)));
}
void* operator new[](size_t bytes, align_val_t alignment) {
  return require(allocate(bytes, static_cast<size_t>(alignment)));
}
void* operator new(size_t bytes, align_val_t alignment, const nothrow_t&) noexcept {
  return allocate(bytes, static_cast<size_t>(alignment));
}
void* operator new[](size_t bytes, align_val_t alignment, const nothrow_t&) noexcept {
  return allocate(bytes, static_cast<size_t>(alignment));
}

void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const nothrow_t&) noexcept { std::free(memory); }
void operator delete(void* memory, align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t, align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, align_val_t, const nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, align_val_t, const nothrow_t&) noexcept { std::free(memory); }

namespace pixelrnn::test {

std::size_t allocation_count() { return allocations; }
std::size_t allocated_bytes() { return all_bytes; }

AllocationBudget::AllocationBudget(std::size_t allowed) { last_allowed = allocations + allowed; }
AllocationBudget::~AllocationBudget() { last_allowed = unlimited; }

}  // namespace pixelrnn::test
