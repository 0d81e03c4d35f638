// SPDX-License-Identifier: MIT
// Counts the heap allocations of a test program and their bytes, and lets them fail.
#pragma once

#include <cstddef>

namespace pixelrnn::test {

/// Calls of operator new, in any form and on any thread, since the program began.
[[nodiscard]] std::size_t allocation_count();

/// The bytes these calls asked for, whether they got them or not; what was freed counts too. What C
/// libraries take from malloc does not.
[[nodiscard]] std::size_t allocated_bytes();

/// While it lives, operator new throws std::bad_alloc once `allowed` more allocations were made.
class AllocationBudget {
 public:
  explicit AllocationBudget(std::size_t allowed);
  AllocationBudget(const AllocationBudget&) = delete;
  AllocationBudget& operator=(const AllocationBudget&) = delete;
  ~AllocationBudget();
};

}  // namespace pixelrnn::test
