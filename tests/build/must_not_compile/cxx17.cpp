// SPDX-License-Identifier: MIT
// An older standard than C++20, which is what compilers take if they are told none.
// expect: pixelrnn needs C++20: compile with -std=c++20
// errors: 1
// flag: -std=c++17
#include <pixelrnn/pixelrnn.hpp>

int main() {}
