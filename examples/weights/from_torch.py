#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# from_torch.py THEIRS.safetensors NAMES OURS.safetensors: weights of PyTorch, of
# save_file(net.state_dict(), THEIRS), as load_weights of pixelrnn reads them. NAMES: see to_torch.py.
import sys

import numpy as np
from safetensors.numpy import load_file, save_file

weights = load_file(sys.argv[1])
ours = {}
lines = [line.split("#")[0].split() for line in open(sys.argv[2])]
for name, theirs, *words in filter(None, lines):
    w = weights[theirs]
    if "same" in words or w.ndim == 1:
        w = w.reshape((1,) * (4 - w.ndim) + w.shape)
    else:  # (C_out, C_in, taps); a line of taps goes down in states of Diagonal BiLSTM and Spatial LSTM
        down = name.endswith(("left.state_weights", "right.state_weights")) or w.shape[0] == 5 * w.shape[1]
        taps = w.shape[2:] if w.ndim == 4 else ((-1, 1) if down else (1, -1))
        w = w.reshape(w.shape[:2] + taps).transpose(2, 3, 1, 0)  # (rows, columns, C_in, C_out)
    gates = [word[6:] for word in words if word.startswith("gates=")]
    if gates:  # ours are o, f, i, g
        w = np.concatenate([np.split(w, 4, axis=3)[gates[0].index(gate)] for gate in "ofig"], axis=3)
    ours[name] = np.ascontiguousarray(w)
save_file(ours, sys.argv[3])
