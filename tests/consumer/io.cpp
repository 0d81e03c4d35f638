// SPDX-License-Identifier: MIT
// A program of somebody else that writes and reads files: each library behind pixelrnn::io is used.
#ifdef DEFINE_MACROS
#include <png.h>
#include <zlib.h>

#include <nlohmann/json.hpp>

#include "macros.hpp"
#endif

#include <pixelrnn/io/checkpoint.hpp>
#include <pixelrnn/io/cifar10.hpp>
#include <pixelrnn/io/idx.hpp>
#include <pixelrnn/io/image_files.hpp>
#include <pixelrnn/io/npy.hpp>
#include <pixelrnn/io/npz.hpp>
#include <pixelrnn/io/png.hpp>
#include <pixelrnn/io/safetensors.hpp>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <span>

using namespace pixelrnn;

int main() {
  Images images(1, {3, 2, 1}, 256);
  images[0](2, 1, 0) = 200;
  write_png("consumer.png", images);
  const Images png = read_png("consumer.png");
  bool right = std::equal(png.pixels().begin(), png.pixels().end(), images.pixels().begin(),
                          images.pixels().end());

  write_idx("consumer.idx.gz", images);
  const Images idx = read_idx("consumer.idx.gz");
  right = right && std::equal(idx.pixels().begin(), idx.pixels().end(), images.pixels().begin(),
                              images.pixels().end());

  write_safetensors("consumer.safetensors", std::span<const StoredTensor>{}, {{"by", "us"}});
  right = right && read_safetensors("consumer.safetensors").metadata().at("by") == "us";

  for (const char* file : {"consumer.png", "consumer.idx.gz", "consumer.safetensors"}) {
    std::remove(file);
  }
  std::cout << (right ? "right" : "wrong") << '\n';
  return right ? 0 : 1;
}
