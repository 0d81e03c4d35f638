// SPDX-License-Identifier: MIT
// Counts the heap allocations of a test program, and lets them fail.
#pragma once

#include <cstddef>

namespace pixelrnn::test {

/// Calls of operator new, in any form and on any thread, since the program began.
[[nodiscard]] std::size_t allocation_count();

/// While it lives, operator new throws std::bad_alloc once `allowed` more allocations were made.
class AllocationBudget {
 public:
  explicit AllocationBudget(std::size_t allowed);
  AllocationBudget(const AllocationBudget&) = delete;
  AllocationBudget& operator=(const AllocationBudget&) = delete;
  ~AllocationBudget();
};

}  // namespace pixelrnn::test
