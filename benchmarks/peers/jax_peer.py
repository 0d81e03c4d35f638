# SPDX-License-Identifier: MIT
"""The three nets in JAX, jitted whole, recurrences by lax.scan; a worker that times them.

Maps are (N, H, W, C) and weights as our library keeps them: both are JAX's own layouts.
usage: jax_peer.py    (lines on standard input: see peers.py)
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from net import Net, seconds_of, serve


def convolution(p, name, x):
    """Same-size convolution; weights come masked."""
    dimensions = ("NHWC", "HWIO", "NHWC")
    y = lax.conv_general_dilated(
        x, p[f"{name}.weights"], (1, 1), "SAME", dimension_numbers=dimensions
    )
    return y + p[f"{name}.bias"]


def pointwise(p, name, x):
    return x @ p[f"{name}.weights"][0, 0] + p[f"{name}.bias"]


def cell(gates, c):
    """One LSTM step from pre-activations o, f, i, g."""
    o, f, i, g = jnp.split(gates, 4, -1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def row_lstm(p, name, x):
    inputs = convolution(
        {"k.weights": p[f"{name}.input_weights"], "k.bias": p[f"{name}.bias"]}, "k", x
    )
    n, _, width, hidden = inputs.shape[0], *inputs.shape[1:3], inputs.shape[3] // 4
    weights = p[f"{name}.state_weights"].reshape(3 * hidden, 4 * hidden)

    def row(state, z):
        h, c = state
        padded = jnp.pad(h, ((0, 0), (1, 1), (0, 0)))
        taps = jnp.concatenate([padded[:, t : t + width] for t in range(3)], -1)
        h, c = cell(z + taps @ weights, c)
        return (h, c), h

    begin = tuple(
        jnp.broadcast_to(p[f"{name}.{s}0"].reshape(hidden), (n, width, hidden)) for s in "hc"
    )
    return jnp.moveaxis(lax.scan(row, begin, jnp.moveaxis(inputs, 1, 0))[1], 0, 1)


def skew(x):
    """(N, H, W, C) to (N, H, H + W - 1, C): row r begins r columns later."""
    n, height, width, channels = x.shape
    x = jnp.pad(x, ((0, 0), (0, 0), (0, height), (0, 0))).reshape(n, -1, channels)
    return x[:, : height * (height + width - 1)].reshape(n, height, -1, channels)


def unskew(x):
    """The inverse of skew."""
    n, height, columns, channels = x.shape
    x = jnp.pad(x.reshape(n, -1, channels), ((0, 0), (0, height), (0, 0)))
    return x.reshape(n, height, columns + 1, channels)[:, :, : columns + 1 - height]


def diagonal_lstm(p, name, x):
    """One direction: the skewed map column by column."""
    n, height, width, _ = x.shape
    inputs = x @ p[f"{name}.input_weights"][0, 0] + p[f"{name}.bias"]
    hidden = inputs.shape[3] // 4
    weights = p[f"{name}.state_weights"].reshape(2 * hidden, 4 * hidden)
    h0, c0 = (p[f"{name}.{s}0"].reshape(hidden) for s in "hc")
    rows = jnp.arange(height)[:, None]

    def column(state, z_t):
        z, t = z_t
        h, c = state
        begins = rows == t  # at column t the row t finds the initial state on its left
        left, c = jnp.where(begins, h0, h), jnp.where(begins, c0, c)
        above = jnp.pad(h, ((0, 0), (1, 0), (0, 0)))[:, :-1]
        h, c = cell(z + jnp.concatenate([above, left], -1) @ weights, c)
        return (h, c), h

    zero = jnp.zeros((n, height, hidden))
    columns = jnp.moveaxis(skew(inputs), 2, 0)
    _, h = lax.scan(column, (zero, zero), (columns, jnp.arange(height + width - 1)))
    return unskew(jnp.moveaxis(h, 0, 2))


def diagonal_bilstm(p, name, x):
    left = diagonal_lstm(p, f"{name}.left", x)
    right = diagonal_lstm(p, f"{name}.right", x[:, :, ::-1])[:, :, ::-1]
    return left + jnp.pad(right, ((0, 0), (1, 0), (0, 0), (0, 0)))[:, :-1]


def recurrent_block(recurrence, p, name, x):
    return x + pointwise(p, f"{name}.upsample", recurrence(p, f"{name}.recurrence", x))


def conv_block(p, name, x):
    inner = pointwise(p, f"{name}.down", jax.nn.relu(x))
    inner = convolution(p, f"{name}.conv", jax.nn.relu(inner))
    return x + pointwise(p, f"{name}.up", jax.nn.relu(inner))


BLOCKS = {
    "pixel_cnn": conv_block,
    "row_lstm": functools.partial(recurrent_block, row_lstm),
    "diagonal_bilstm": functools.partial(recurrent_block, diagonal_bilstm),
}


class Peer:
    def version(self):
        return jax.__version__

    def load(self, path):
        """Makes the net, compiles it and checks that it computes what ours does."""
        net = Net(path)
        masks = {name: net.mask(name) for name in net.weights}
        masks = {name: jnp.asarray(mask) for name, mask in masks.items() if not mask.all()}
        self.weights = jax.tree.map(jnp.asarray, net.weights)
        self.x = jnp.asarray(net.encoded)
        images = jnp.asarray(net.images)
        block = BLOCKS[net.kind]

        def logits(weights, x):
            p = weights | {name: weights[name] * mask for name, mask in masks.items()}
            x = convolution(p, "input", x)
            for layer in range(net.layers):
                x = block(p, f"blocks.{layer}", x)
            x = pointwise(p, "head1", jax.nn.relu(x))
            x = pointwise(p, "head2", jax.nn.relu(x))
            return pointwise(p, "logits", x)

        def loss(weights):
            z = logits(weights, self.x)
            if net.levels == 2:
                each = jax.nn.softplus(jnp.where(images == 1, -z, z))
            else:
                z = jax.nn.log_softmax(z.reshape(*images.shape, net.levels))
                each = -jnp.take_along_axis(z, images[..., None].astype(int), -1)
            return each.sum() / len(images)

        def step(weights, squares):
            """RMSProp: s = 0.95·s + 0.05·g²; w = w - 1e-5·g / (√s + 1e-8)."""
            gradients = jax.grad(loss)(weights)
            squares = jax.tree.map(lambda s, g: 0.95 * s + 0.05 * g * g, squares, gradients)
            update = lambda w, s, g: w - 1e-5 * g / (jnp.sqrt(s) + 1e-8)
            return jax.tree.map(update, weights, squares, gradients), squares

        self.logits = jax.jit(logits)
        self.step = jax.jit(step, donate_argnums=(0, 1))
        value, gradients = jax.jit(jax.value_and_grad(loss))(self.weights)
        net.check(
            float(value),
            np.asarray(self.logits(self.weights, self.x)),
            {name: np.asarray(g) for name, g in gradients.items()},
        )
        self.squares = jax.tree.map(jnp.zeros_like, self.weights)
        self.train("0")
        return "ok"

    def train(self, least):
        def step():
            self.weights, self.squares = self.step(self.weights, self.squares)
            jax.block_until_ready(self.weights)

        return seconds_of(float(least), step)

    def forward(self, least):
        return seconds_of(
            float(least), lambda: self.logits(self.weights, self.x).block_until_ready()
        )


if __name__ == "__main__":
    peer = Peer()
    serve({name: getattr(peer, name) for name in dir(peer) if not name.startswith("_")})
