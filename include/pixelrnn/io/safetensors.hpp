// SPDX-License-Identifier: MIT
// safetensors: named tensors in a file that no reader needs to trust.
#pragma once

#include <pixelrnn/io/safetensors_reader.hpp>  // IWYU pragma: export
#include <pixelrnn/io/safetensors_writer.hpp>  // IWYU pragma: export
