// SPDX-License-Identifier: MIT
// Macros that some platforms and test frameworks define, in lower case, before our headers come.
// The standard's headers and the dependencies' come before, because how they take it is not ours to
// test.
#pragma once

#include <omp.h>

#include <Eigen/Core>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <span>
#include <sstream>
#include <thread>
#include <xsimd/xsimd.hpp>

#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define check(...) static_assert(false, "the user's macro check")
#define verify(...) static_assert(false, "the user's macro verify")
#define require(...) static_assert(false, "the user's macro require")
#define assert_(...) static_assert(false, "the user's macro assert_")
#define fail(...) static_assert(false, "the user's macro fail")
