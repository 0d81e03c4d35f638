// SPDX-License-Identifier: MIT
// oneDNN's matrix product, if the build has found it.
#pragma once

#if PIXELRNN_BENCH_ONEDNN
#include <omp.h>

#include <dnnl.hpp>
#include <pixelrnn/core/tensor.hpp>

namespace pixelrnn::bench {

/// oneDNN uses as many threads as OpenMP offers; here one, as a kernel of ours does.
class OneThread {
 public:
  OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;
  ~OneThread() { omp_set_num_threads(before_); }

 private:
  int before_;
};

/// out (m × n) = in (m × k) · weights (k × n), all row-major.
inline void sgemm(Index m, Index n, Index k, const float* in, const float* weights, float* out) {
  dnnl::sgemm('N', 'N', m, n, k, 1.0f, in, k, weights, n, 0.0f, out, n);
}

/// The same with weights in the order oneDNN chooses for this m, n, k.
class PackedMatmul {
 public:
  PackedMatmul(Index m, Index n, Index k, const float* in, const float* weights, float* out)
      : engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {
    using dnnl::memory;
    const auto plain = [](memory::dims dims) {
      return memory::desc(std::move(dims), memory::data_type::f32, memory::format_tag::ab);
    };
    const memory::desc any({k, n}, memory::data_type::f32, memory::format_tag::any);
    const dnnl::matmul::primitive_desc chosen({plain({m, k}), any, plain({m, n})}, engine_);
    memory source(plain({k, n}), engine_, const_cast<float*>(weights));
    memory packed(chosen.weights_desc(), engine_);
    dnnl::reorder(source, packed).execute(stream_, source, packed);
    stream_.wait();
    primitive_ = dnnl::matmul(chosen);
    arguments_ = {{DNNL_ARG_SRC, memory(plain({m, k}), engine_, const_cast<float*>(in))},
                  {DNNL_ARG_WEIGHTS, packed},
                  {DNNL_ARG_DST, memory(plain({m, n}), engine_, out)}};
  }
  void operator()() {
    primitive_.execute(stream_, arguments_);
    stream_.wait();
  }

 private:
  dnnl::engine engine_;
  dnnl::stream stream_;
  dnnl::matmul primitive_;
  std::unordered_map<int, dnnl::memory> arguments_;
};

}  // namespace pixelrnn::bench
#endif
