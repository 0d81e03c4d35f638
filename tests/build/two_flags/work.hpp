// SPDX-License-Identifier: MIT
// What each half of the program offers: the same functions, from one work.cpp.
#pragma once

namespace baseline {
double random_sum();
double work();
const char* abi();
}  // namespace baseline

namespace native {
double random_sum();
double work();
const char* abi();
}  // namespace native
