# SPDX-License-Identifier: MIT
# Says once that what is compiled here is not optimised. The library is all templates, so it is
# compiled with the flags of whoever uses it, and CMake without a build type gives none.
#
# A NOTICE, not a warning: Debug may be meant, and a target may have options of its own, which
# cannot be seen from here. A generator of several configurations does not yet know which.
function(pixelrnn_say_if_not_optimised)
  get_property(is_multi GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
  get_property(is_said GLOBAL PROPERTY PIXELRNN_SAID_NOT_OPTIMISED)
  if(is_multi OR is_said)
    return()
  endif()
  string(TOUPPER "${CMAKE_BUILD_TYPE}" type)
  get_directory_property(options COMPILE_OPTIONS)
  string(REGEX MATCHALL "[ ;][-/]O[^ ;]*" levels
               " ${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${type}} ${options}")
  if(levels)
    list(GET levels -1 level)  # the last one counts
  endif()
  if(NOT levels OR level MATCHES "O[0d]")
    set_property(GLOBAL PROPERTY PIXELRNN_SAID_NOT_OPTIMISED ON)
    message(NOTICE "pixelrnn: without optimisation (CMAKE_BUILD_TYPE is \"${CMAKE_BUILD_TYPE}\") "
                   "nets run a hundred times slower; for speed configure with "
                   "-DCMAKE_BUILD_TYPE=Release")
  endif()
endfunction()
