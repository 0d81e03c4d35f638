// SPDX-License-Identifier: MIT
// Settings that the sanitizers ask the program for; without a sanitizer nobody calls these.
extern "C" {

const char* __asan_default_options() {
  return "detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1";
}

const char* __ubsan_default_options() { return "print_stacktrace=1"; }

/// LLVM's OpenMP runtime never frees the descriptors of a team that it makes larger.
const char* __lsan_default_suppressions() { return "leak:libomp.so\n"; }

/// The runtime is not instrumented; Archer, which development.cmake links, tells what it does.
const char* __tsan_default_options() { return "ignore_noninstrumented_modules=1"; }

}  // extern "C"
