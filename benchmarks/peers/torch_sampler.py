# SPDX-License-Identifier: MIT
"""Sampling in PyTorch: a whole pass for every sub-pixel, and a walk with caches."""

import time

import numpy as np
import torch
import torch.nn.functional as F

from net import TOLERANCE


def draw(logits, levels):
    """Levels (N) from the logits (N, outputs) of one sub-pixel, scaled to what nets read."""
    if levels == 2:
        level = torch.bernoulli(logits[:, 0].sigmoid())
    else:
        level = torch.multinomial(logits.softmax(1), 1)[:, 0]
    return 2 * level / (levels - 1) - 1


@torch.inference_mode()
def naive_seconds(model, net, count, passes):
    """Seconds for `count` images with a forward pass for each sub-pixel, as most code on the web
    does it: worked out from the first few passes, since all cost the same."""
    outputs = net.logits.shape[-1] // net.colours
    canvas = torch.full((count, net.colours, net.height, net.width), -1.0)
    canvas = canvas.contiguous(memory_format=torch.channels_last)
    model(canvas)
    begin = time.perf_counter()
    for i in range(passes):
        pixel, channel = divmod(i, net.colours)
        row, column = divmod(pixel, net.width)
        logits = model(canvas)[:, channel * outputs : (channel + 1) * outputs, row, column]
        canvas[:, channel, row, column] = draw(logits, net.levels)
    return (time.perf_counter() - begin) / passes * net.height * net.width * net.colours


def check_logits(net, found):
    """Raises AssertionError unless a walk's logits of each sub-pixel are those of the file."""
    logits = torch.stack(found, 1).view(net.logits.shape).numpy()
    error = np.abs(logits - net.logits).max() / np.abs(net.logits).max()
    assert error <= TOLERANCE, f"the walk's logits differ by {error:.1e} of the largest"


def cell(z, c):
    """One LSTM step from pre-activations o, f, i, g."""
    hidden = c.shape[-1]
    o, f, i = z[..., : 3 * hidden].sigmoid().chunk(3, -1)
    c = torch.addcmul(f * c, i, z[..., 3 * hidden :].tanh())
    return o * c.tanh(), c


class Weights:
    """Masked weights by name: of one layer, or of one kind of all blocks stacked for a batched
    product over layers."""

    def __init__(self, net):
        self.layers = net.layers
        self.tensors = {
            name: torch.from_numpy(w * net.mask(name)) for name, w in net.weights.items()
        }

    def matrix(self, name, taps=(slice(None), slice(None))):
        """The taps' matrices one below the other: (taps · C_in, C_out)."""
        return self.tensors[name][taps].reshape(-1, self.tensors[name].shape[-1]).contiguous()

    def matrices(self, name, *taps):
        return [self.matrix(f"blocks.{l}.{name}", *taps) for l in range(self.layers)]

    def stacked(self, name, *taps):
        return torch.stack(self.matrices(name, *taps))


# The walks of the three nets' blocks. All that a net needs of the rows above a pixel is linear in
# what is known once those rows are complete: it is computed for a whole row and all layers in one
# product, which leaves one product a layer and pixel.
#   begin(N, W)                 what the row above the first leaves: tensors (W, L, N, channels)
#   begin_row(N)                what is left of the first pixel of a row: tensors (L, N, channels)
#   pixel(x, above, left)       the blocks at one pixel: x (N, 2h) and what it leaves
#   end_row(row, above)         what a finished row leaves, from what each of its pixels left


def over_layers(x, weights, bias):
    """(W, L, N, C) times (L, C, D) + bias (L, 1, D) to (W, L, N, D)."""
    columns, layers, n, _ = x.shape
    y = torch.baddbmm(bias, x.transpose(0, 1).reshape(layers, columns * n, -1), weights)
    return y.view(layers, columns, n, -1).transpose(0, 1).contiguous()


def with_neighbours(row):
    """(W, L, N, C) to (W, L, N, 3C): the pixels j - 1, j, j + 1, zero outside."""
    return torch.cat([F.pad(row[:-1], (0,) * 6 + (1, 0)), row, F.pad(row[1:], (0,) * 6 + (0, 1))], 3)


class ConvWalk:
    def __init__(self, weights):
        self.down = [*zip(weights.matrices("down.weights"), weights.matrices("down.bias"))]
        self.up = [*zip(weights.matrices("up.weights"), weights.matrices("up.bias"))]
        self.here = weights.matrices("conv.weights", (1, slice(0, 2)))
        self.above = weights.stacked("conv.weights", (0,))
        self.bias = weights.stacked("conv.bias")

    def begin(self, n, width):
        return (self.bias[None].expand(width, -1, n, -1).contiguous(),)

    def begin_row(self, n):
        return (torch.zeros(len(self.up), n, self.bias.shape[-1]),)

    def pixel(self, x, above, left):
        leaves = []
        for l, here in enumerate(self.here):
            inner = torch.addmm(self.down[l][1], x.relu(), self.down[l][0]).relu()
            leaves.append(inner)
            z = torch.addmm(above[0][l], torch.cat([left[0][l], inner], 1), here)
            x = torch.addmm(x, z.relu(), self.up[l][0]) + self.up[l][1]
        return x, (torch.stack(leaves),)

    def end_row(self, row, above):
        return (over_layers(with_neighbours(row[0]), self.above, self.bias),)


class RowWalk:
    def __init__(self, weights):
        name = "recurrence"
        self.up = [*zip(weights.matrices("upsample.weights"), weights.matrices("upsample.bias"))]
        self.here = weights.matrices(f"{name}.input_weights", (0, slice(0, 2)))
        self.above = weights.stacked(f"{name}.state_weights")
        self.bias = weights.stacked(f"{name}.bias")
        self.h0, self.c0 = weights.stacked(f"{name}.h0"), weights.stacked(f"{name}.c0")

    def begin(self, n, width):
        h, c = (s[None].expand(width, -1, n, -1) for s in (self.h0, self.c0))
        return self.end_row((None, h, c), None)

    def begin_row(self, n):
        layers, _, hidden = self.h0.shape
        return torch.zeros(layers, n, 2 * hidden), None, None

    def pixel(self, x, above, left):
        xs, hs, cs = [], [], []
        for l, here in enumerate(self.here):
            z = torch.addmm(above[0][l], torch.cat([left[0][l], x], 1), here)
            h, c = cell(z, above[1][l])
            xs.append(x), hs.append(h), cs.append(c)
            x = torch.addmm(x, h, self.up[l][0]) + self.up[l][1]
        return x, (torch.stack(xs), torch.stack(hs), torch.stack(cs))

    def end_row(self, row, above):
        return over_layers(with_neighbours(row[1]), self.above, self.bias), row[2]


class DiagonalWalk:
    def __init__(self, weights):
        left, right = "recurrence.left", "recurrence.right"
        self.up = [*zip(weights.matrices("upsample.weights"), weights.matrices("upsample.bias"))]
        inputs = weights.matrices(f"{left}.input_weights")
        states = weights.matrices(f"{left}.state_weights", (1,))
        self.here = [torch.cat(pair) for pair in zip(inputs, states)]
        self.above = weights.stacked(f"{left}.state_weights", (0,))
        self.bias = weights.stacked(f"{left}.bias")
        self.h0, self.c0 = weights.stacked(f"{left}.h0"), weights.stacked(f"{left}.c0")
        inputs = weights.stacked(f"{right}.input_weights")
        states = weights.stacked(f"{right}.state_weights", (0,))
        self.right = torch.cat([inputs, states], 1)
        self.right_state = weights.stacked(f"{right}.state_weights", (1,))
        self.right_bias = weights.stacked(f"{right}.bias")
        self.right_h0, self.right_c0 = (weights.stacked(f"{right}.{s}0") for s in "hc")

    def begin(self, n, width):
        layers, _, hidden = self.h0.shape
        above = self.bias[None].expand(width, -1, n, -1).contiguous()
        return above, torch.zeros(width, layers, n, hidden)

    def begin_row(self, n):
        return None, self.h0.expand(-1, n, -1), self.c0.expand(-1, n, -1)

    def pixel(self, x, above, left):
        xs, hs, cs = [], [], []
        for l, here in enumerate(self.here):
            z = torch.addmm(above[0][l], torch.cat([x, left[1][l]], 1), here)
            h, c = cell(z, left[2][l])
            xs.append(x), hs.append(h), cs.append(c)
            x = torch.addmm(x, h + above[1][l], self.up[l][0]) + self.up[l][1]
        return x, (torch.stack(xs), torch.stack(hs), torch.stack(cs))

    def end_row(self, row, above):
        """The scan from the right runs when its row is complete, for all layers at once. The next
        row adds it: that is the shift down by one."""
        n = row[0].shape[2]
        z = over_layers(torch.cat([row[0], above[1]], 3), self.right, self.right_bias)
        h, c = (s.expand(-1, n, -1) for s in (self.right_h0, self.right_c0))
        scanned = []
        for column in z.flip(0):
            h, c = cell(torch.baddbmm(column, h, self.right_state), c)
            scanned.append(h)
        return over_layers(row[1], self.above, self.bias), torch.stack(scanned[::-1])


class CachedSampler:
    def __init__(self, net, compiled):
        self.net = net
        self.outputs = net.logits.shape[-1] // net.colours
        weights = Weights(net)
        walks = {"row_lstm": RowWalk, "diagonal_bilstm": DiagonalWalk, "pixel_cnn": ConvWalk}
        self.walk = walks[net.kind](weights)
        first = weights.tensors["input.weights"]  # 7×7: three rows above, this one up to the pixel
        self.first_above = first[:3].permute(3, 2, 0, 1).contiguous()
        self.first_here = weights.matrix("input.weights", (3, slice(0, 4)))
        self.first_bias = weights.tensors["input.bias"].flatten()
        self.head = [
            (weights.matrix(f"{name}.weights"), weights.matrix(f"{name}.bias"))
            for name in ("head1", "head2", "logits")
        ]
        self.pixel, self.end_row = self.whole_pixel, self.walk.end_row
        if compiled:
            self.pixel, self.end_row = torch.compile(self.pixel), torch.compile(self.end_row)

    def whole_pixel(self, first, seen, above, left):
        """Logits (N, C · outputs), and what the pixel leaves."""
        x = torch.addmm(first, seen, self.first_here)
        x, leaves = self.walk.pixel(x, above, left)
        (w1, b1), (w2, b2), (w3, b3) = self.head
        x = torch.addmm(b2, torch.addmm(b1, x.relu(), w1).relu(), w2)
        return torch.addmm(b3, x, w3), leaves

    @torch.inference_mode()
    def run(self, n, choose):
        """N images, each sub-pixel what choose(logits (N, outputs), row, column, channel) says."""
        net, outputs = self.net, self.outputs
        canvas = torch.zeros(n, net.height + 3, net.width + 6, net.colours)
        above = self.walk.begin(n, net.width)
        for row in range(net.height):
            band = canvas[:, row : row + 3].permute(0, 3, 1, 2)
            first = F.conv2d(band, self.first_above, self.first_bias)  # (N, 2h, 1, W)
            first = first[:, :, 0].permute(2, 0, 1).contiguous()
            leaves = self.walk.begin_row(n)
            row_leaves = []
            for column in range(net.width):
                seen = canvas[:, row + 3, column : column + 4]
                above_pixel, left = tuple(a[column] for a in above), leaves
                for c in range(net.colours):
                    logits, leaves = self.pixel(first[column], seen.flatten(1), above_pixel, left)
                    logits = logits[:, c * outputs : (c + 1) * outputs]
                    seen[:, 3, c] = choose(logits, row, column, c)
                row_leaves.append(leaves)
            if row + 1 < net.height:
                above = self.end_row(tuple(map(torch.stack, zip(*row_leaves))), above)
        return canvas[:, 3:, 3:-3]

    def sample(self, n):
        return self.run(n, lambda logits, *_: draw(logits, self.net.levels))

    def check(self):
        """Given the net's images, the walk must find the logits of the forward pass."""
        net, found = self.net, []
        given = torch.from_numpy(net.encoded)

        def choose(logits, row, column, channel):
            found.append(logits)
            return given[:, row, column, channel]

        self.run(len(given), choose)
        check_logits(net, found)


class WaveSampler:
    """WaveNet sample by sample: a ring of each layer's inputs, as long as its dilation."""

    def __init__(self, net):
        self.net = net
        k, weights = net.kernel, Weights(net)
        self.input = weights.matrix("input.weights", (0, slice(0, k)))
        self.input_bias = weights.matrix("input.bias")
        self.dilations = [2 ** (l % net.cycle) for l in range(net.layers)]
        self.layers = []
        for l in range(net.layers):
            name = f"layer{l}."
            # Skip and residual in one product.
            out = [name + part for part in ("skip", "residual")[: 2 - (l + 1 == net.layers)]]
            self.layers.append(
                (
                    weights.matrix(name + "dilated.weights", (0, slice(0, k))),
                    weights.matrix(name + "dilated.bias"),
                    torch.cat([weights.matrix(o + ".weights") for o in out], 1),
                    torch.cat([weights.matrix(o + ".bias") for o in out], 1),
                )
            )
        self.head = [
            (weights.matrix(f"{name}.weights"), weights.matrix(f"{name}.bias"))
            for name in ("head", "logits")
        ]

    @torch.inference_mode()
    def run(self, n, choose):
        """N lines, each sample what choose(logits (N, outputs), t) says."""
        net, k = self.net, self.net.kernel
        hidden, skips = net.hidden, self.head[0][0].shape[0]
        rings = [torch.zeros((k - 1) * d, n, hidden) for d in self.dilations]
        line = torch.zeros(n, net.width + k)
        for t in range(net.width):
            h = torch.addmm(self.input_bias, line[:, t : t + k], self.input)
            total = torch.zeros(n, skips)
            for ring, d, (w, b, w_out, b_out) in zip(rings, self.dilations, self.layers):
                past = [ring[(t + j * d) % len(ring)] for j in range(k - 1)]
                z = torch.addmm(b, torch.cat([*past, h], 1), w)
                ring[t % len(ring)] = h
                z = z[:, :hidden].tanh() * z[:, hidden:].sigmoid()
                out = torch.addmm(b_out, z, w_out)
                total += out[:, :skips]
                if out.shape[1] > skips:
                    h = h + out[:, skips:]
            (w1, b1), (w2, b2) = self.head
            logits = torch.addmm(b2, torch.addmm(b1, total.relu(), w1).relu(), w2)
            line[:, t + k] = choose(logits, t)
        return line[:, k:]

    def sample(self, n):
        return self.run(n, lambda logits, _: draw(logits, self.net.levels))

    def check(self):
        """As CachedSampler's."""
        net, found = self.net, []
        given = torch.from_numpy(net.encoded)[:, 0, :, 0]

        def choose(logits, t):
            found.append(logits)
            return given[:, t]

        self.run(len(given), choose)
        check_logits(net, found)


def make_sampler(net, compiled):
    return WaveSampler(net) if net.kind == "wavenet" else CachedSampler(net, compiled)
