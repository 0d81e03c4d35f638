# SPDX-License-Identifier: MIT
"""What every peer starts from: the net that pixelrnn_peer wrote, and the lines that drive a peer."""

import json
import sys
import time

import numpy as np
from safetensors import safe_open

TOLERANCE = 1e-4  # of loss, logits and gradient, relative: see Net.check


class Net:
    """Sizes, weights, a batch of images, and what our library computes for it.

    Weights are [kernel height][kernel width][C_in][C_out], gates in the order o, f, i, g.
    """

    def __init__(self, path):
        with safe_open(path, "numpy") as file:
            words = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        facts = json.loads(words["facts"])
        self.kind = words["model"]
        self.layers = int(words["layers"])
        self.hidden = int(words["hidden"])
        self.kernel, self.cycle = (int(words.get(word, 0)) for word in ("kernel", "cycle"))
        self.height, self.width, self.colours = map(int, words["image"].split("x"))
        self.levels = facts["levels"]
        self.loss = facts["loss"]
        self.images = tensors.pop("images")  # (N, H, W, C), levels
        self.logits = tensors.pop("logits")  # (N, H, W, C · outputs)
        self.told = tensors.pop("told", None)  # (N, H, W, numbers), of the large model of a pair
        self.is_mixture = words["likelihood"].startswith("logistic_mixture")
        self.weights, self.gradients = (
            {
                name.removeprefix(kind): tensor
                for name, tensor in tensors.items()
                if name.startswith(kind)
            }
            for kind in ("weights.", "gradients.")
        )

    @property
    def encoded(self):
        """The images as the net sees them: -1 to 1."""
        return (2.0 * self.images / (self.levels - 1) - 1.0).astype(np.float32)

    def mask(self, name):
        """Ones where mask A (of the first layer) or B lets the named weights be; for a state's
        weights and for what is no weights, ones."""
        shape = height, width, n_in, n_out = self.weights[name].shape
        free = ("state_weights", "condition_weights")
        if not name.endswith("weights") or name.endswith(free) or name.startswith("condition."):
            return np.ones(shape, np.float32)
        kind = "A" if name.startswith(("input.", "layer0.horizontal.")) else "B"
        gates = 1
        if name.endswith("input_weights"):
            gates = 5 if self.kind == "spatial_lstm" else 4
        mask = np.zeros(shape, np.float32)
        mask[: height // 2] = 1
        if ".vertical." in name:  # of rows above; later layers read this row of such a value
            mask[height // 2] = not name.startswith("layer0.")
            return mask
        if ".down." in name:
            return np.ones(shape, np.float32)
        mask[height // 2, : width // 2] = 1
        units = n_out // gates
        group_in = self.colours * np.arange(n_in) // n_in
        group_out = self.colours * (np.arange(n_out) % units) // units
        seen = np.less if kind == "A" else np.less_equal
        mask[height // 2, width // 2] = seen(group_in[:, None], group_out[None, :])
        return mask

    def check(self, loss, logits, gradients):
        """Raises AssertionError unless a peer computes what we do: loss and logits to TOLERANCE, the
        whole gradient to ten times that. Gradients of ReLU nets cannot agree to rounding: where an
        input is zero but for rounding, one is open and the other shut, and a bias, whose gradient is
        a long sum that nearly cancels, shows it most. So a parameter's own gradient is only checked
        for being that parameter's. (Our float kernels differ from our double ones by 7e-4 where
        such a ReLU flips and by 5e-7 where none does.)"""
        assert abs(loss - self.loss) <= TOLERANCE * abs(self.loss), (loss, self.loss)
        error = np.abs(logits - self.logits).max() / np.abs(self.logits).max()
        assert error <= TOLERANCE, f"logits differ by {error:.1e} of their largest value"
        squares = np.zeros(2)
        for name, expected in self.gradients.items():
            difference = np.asarray(gradients[name]).reshape(expected.shape) - expected
            error = np.abs(difference).max() / np.abs(expected).max()
            assert error <= 500 * TOLERANCE, f"{name} differs by {error:.1e} of its largest value"
            squares += np.square(difference).sum(), np.square(expected).sum()
        error = np.sqrt(squares[0] / squares[1])
        # A Spatial LSTM's cells grow along all paths from corner to corner, and rounding with them.
        bound = 100 if self.kind == "spatial_lstm" else 10
        assert error <= bound * TOLERANCE, f"the gradient differs by {error:.1e} of its length"


def seconds_of(least, call):
    """Seconds of one call: the mean over as many as take `least` seconds, one at least."""
    begin = time.perf_counter()
    calls = 0
    while True:
        call()
        calls += 1
        elapsed = time.perf_counter() - begin
        if elapsed >= least:
            return elapsed / calls


def serve(commands):
    """Answers each line on standard input, "NAME ARGUMENT...", by what commands[NAME] returns."""
    for line in sys.stdin:
        name, *arguments = line.split()
        print(commands[name](*arguments), flush=True)
