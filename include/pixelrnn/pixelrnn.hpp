// SPDX-License-Identifier: MIT
// The umbrella: everything but io/, which needs libraries of its own, and the Eigen kernels.
#pragma once

#include <pixelrnn/autodiff/functions.hpp>
#include <pixelrnn/autodiff/gradcheck.hpp>
#include <pixelrnn/core/images.hpp>
#include <pixelrnn/core/luma.hpp>
#include <pixelrnn/core/sound.hpp>
#include <pixelrnn/kernels/reference.hpp>
#include <pixelrnn/likelihood/bernoulli.hpp>
#include <pixelrnn/likelihood/categorical.hpp>
#include <pixelrnn/likelihood/logistic_mixture.hpp>
#include <pixelrnn/models/fingerprint.hpp>
#include <pixelrnn/models/gated_pixel_cnn.hpp>
#include <pixelrnn/models/paper.hpp>
#include <pixelrnn/models/wave_net.hpp>
#include <pixelrnn/nn/convolution/one_hot_conv2d.hpp>
#include <pixelrnn/nn/diagonal_lstm/skew.hpp>
#include <pixelrnn/nn/dropout.hpp>
#include <pixelrnn/nn/embedding.hpp>
#include <pixelrnn/nn/relu.hpp>
#include <pixelrnn/nn/residual.hpp>
#include <pixelrnn/nn/spatial_lstm/spatial_lstm.hpp>
#include <pixelrnn/sampling/sample.hpp>
#include <pixelrnn/training/binarize.hpp>
#include <pixelrnn/training/classify.hpp>
#include <pixelrnn/training/content_hash.hpp>
#include <pixelrnn/training/every_order.hpp>
#include <pixelrnn/training/multi_scale.hpp>
#include <pixelrnn/training/toy.hpp>
#include <pixelrnn/training/trainer.hpp>
#include <pixelrnn/verify/receptive_field.hpp>
#include <pixelrnn/verify/resume.hpp>
#include <pixelrnn/verify/samples.hpp>
#include <pixelrnn/verify/verify.hpp>
