#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# to_torch.py OURS.safetensors NAMES THEIRS.safetensors: weights of pixelrnn for PyTorch, by a table of
# names as `pixelrnn export --names` reads it, but for *, sums and causal. load_state_dict(load_file(THEIRS)).
import sys

import numpy as np
from safetensors.numpy import load_file, save_file

weights = load_file(sys.argv[1])
theirs = {}
lines = [line.split("#")[0].split() for line in open(sys.argv[2])]
for ours, name, *words in filter(None, lines):
    w = weights[ours]  # (rows, columns, C_in, C_out)
    gates = [word[6:] for word in words if word.startswith("gates=")]
    if gates:  # ours are o, f, i, g
        w = np.concatenate([np.split(w, 4, axis=3)["ofig".index(gate)] for gate in gates[0]], axis=3)
    if "same" in words:
        w = w.reshape([n for i, n in enumerate(w.shape) if max(w.shape[: i + 1]) > 1])
    elif w.size == w.shape[3] and not ours.endswith("weights"):
        w = w.reshape(-1)  # a bias
    else:
        w = w.transpose(3, 2, 0, 1)
        w = w.reshape(w.shape[:2] + (() if "linear" in words else (-1,) if "conv1d" in words else w.shape[2:]))
    theirs[name] = np.ascontiguousarray(w)
save_file(theirs, sys.argv[3])
