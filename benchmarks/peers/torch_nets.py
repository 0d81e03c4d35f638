# SPDX-License-Identifier: MIT
"""The nets in PyTorch, as one would write them today. Maps are (N, C, H, W)."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def parameter(net, name, order=(0, 1, 2, 3)):
    """Our weights in another order of axes, remembering the way back for their gradient."""
    value = nn.Parameter(torch.from_numpy(net.weights[name]).permute(order).contiguous())
    value.ours = name, tuple(int(axis) for axis in np.argsort(order))
    return value


def cell(gates, c, dim):
    """One LSTM step from pre-activations o, f, i, g along an axis."""
    hidden = c.shape[dim]
    o, f, i = gates.narrow(dim, 0, 3 * hidden).sigmoid().chunk(3, dim)
    c = f * c + i * gates.narrow(dim, 3 * hidden, hidden).tanh()
    return o * c.tanh(), c


class MaskedConv(nn.Module):
    """A convolution whose weights are multiplied by a mask, unless the mask is full."""

    def __init__(self, net, name, weights="weights", bias="bias"):
        super().__init__()
        self.weight = parameter(net, f"{name}.{weights}", (3, 2, 0, 1))
        self.bias = parameter(net, f"{name}.{bias}")
        mask = torch.from_numpy(net.mask(f"{name}.{weights}")).permute(3, 2, 0, 1).contiguous()
        self.register_buffer("mask", None if mask.all() else mask)
        self.padding = tuple(side // 2 for side in self.weight.shape[2:])
        told = f"{name}.condition_weights"
        self.of_told = parameter(net, told, (3, 2, 0, 1)) if told in net.weights else None
        self.net = net

    def forward(self, x):
        weight = self.weight if self.mask is None else self.weight * self.mask
        y = F.conv2d(x, weight, self.bias.view(-1), padding=self.padding)
        return y if self.of_told is None else y + F.conv2d(self.net.condition, self.of_told)


class RowLSTM(nn.Module):
    """Row after row: the input's part for the whole map at once, the state's by a product a row."""

    def __init__(self, net, name):
        super().__init__()
        self.to_gates = MaskedConv(net, name, "input_weights")
        self.state = parameter(net, f"{name}.state_weights", (0, 1, 2, 3))
        self.h0, self.c0 = (parameter(net, f"{name}.{state}0") for state in "hc")

    def forward(self, x):
        n, _, height, width = x.shape
        inputs = self.to_gates(x).permute(2, 0, 3, 1)  # (H, N, W, 4h)
        h, c = (s.view(1, 1, -1).expand(n, width, -1) for s in (self.h0, self.c0))
        weights = self.state.flatten(0, 2)  # (3h, 4h)
        rows = []
        for r in range(height):
            taps = F.pad(h, (0, 0, 1, 1)).unfold(1, width, 1)  # (N, 3, h, W)
            taps = taps.permute(0, 3, 1, 2).flatten(2).flatten(0, 1)
            gates = torch.addmm(inputs[r].flatten(0, 1), taps, weights)
            h, c = cell(gates.view(n, width, -1), c, 2)
            rows.append(h)
        return torch.stack(rows, 2).permute(0, 3, 2, 1)


def skew(x):
    """(..., H, W, C) to (..., H, H + W - 1, C): row r begins r columns later."""
    height, width = x.shape[-3:-1]
    x = F.pad(x, (0, 0, 0, height)).flatten(-3, -2)
    return x[..., : height * (height + width - 1), :].unflatten(-2, (height, -1))


def unskew(x):
    """The inverse of skew."""
    height, width = x.shape[-3], x.shape[-2] - x.shape[-3] + 1
    x = F.pad(x.flatten(-3, -2), (0, 0, 0, height))
    return x.unflatten(-2, (height, height + width))[..., :width, :]


class DiagonalBiLSTM(nn.Module):
    """The skewed map column by column, both directions in one batched product."""

    def __init__(self, net, name):
        super().__init__()
        sides = [f"{name}.{side}" for side in ("left", "right")]
        self.to_gates = nn.ModuleList(MaskedConv(net, side, "input_weights") for side in sides)
        self.state = nn.ParameterList(parameter(net, f"{s}.state_weights") for s in sides)
        self.h0, self.c0 = (
            nn.ParameterList(parameter(net, f"{s}.{state}0") for s in sides) for state in "hc"
        )

    def forward(self, x):
        n, _, height, width = x.shape
        left, right = (to_gates(x) for to_gates in self.to_gates)
        inputs = torch.stack([left, right.flip(3)]).permute(0, 1, 3, 4, 2)
        inputs = skew(inputs).permute(3, 0, 1, 2, 4).flatten(2, 3).contiguous()  # (T, 2, N·H, 4h)
        weights = torch.stack([w.flatten(0, 2) for w in self.state])  # (2, 2h, 4h)
        h0, c0 = (torch.stack([s.view(1, 1, -1) for s in p]) for p in (self.h0, self.c0))
        hidden = h0.shape[-1]
        begins = torch.eye(height, device=x.device).bool().view(height, height, 1)
        h, c = (s.expand(2, n, height, hidden) for s in (h0, c0))  # row 0 begins with them
        columns = []
        for t in range(height + width - 1):
            above = F.pad(h, (0, 0, 1, -1))  # row -1 is zero
            both = torch.cat([above, h], -1).view(2, n * height, 2 * hidden)
            gates = torch.baddbmm(inputs[t], both, weights)
            h, c = cell(gates.view(2, n, height, -1), c, 3)
            columns.append(h)
            if t + 1 < height:  # row t + 1 begins in the next column
                h, c = torch.where(begins[t + 1], h0, h), torch.where(begins[t + 1], c0, c)
        left, right = unskew(torch.stack(columns, 3))
        y = left + F.pad(right.flip(2), (0, 0, 0, 0, 1, -1))
        return y.permute(0, 3, 1, 2)


class SpatialLSTM(nn.Module):
    """The skewed map column by column, as the Diagonal BiLSTM's left direction, with a fifth gate
    and the state of both neighbours."""

    def __init__(self, net, name):
        super().__init__()
        self.to_gates = MaskedConv(net, name, "input_weights")
        self.state = parameter(net, f"{name}.state_weights")

    def forward(self, x):
        n, _, height, width = x.shape
        inputs = skew(self.to_gates(x).permute(0, 2, 3, 1)).permute(2, 0, 1, 3)  # (T, N, H, 5h)
        inputs = inputs.flatten(1, 2).contiguous()
        weights = self.state.flatten(0, 2)  # (2h, 5h): above, left
        hidden = weights.shape[0] // 2
        inside = skew(torch.ones(height, width, 1)).bool().transpose(0, 1)  # (T, H, 1)
        h = c = inputs.new_zeros(n, height, hidden)
        columns = []
        for t in range(height + width - 1):
            above, c_above = (F.pad(s, (0, 0, 1, -1)) for s in (h, c))
            both = torch.cat([above, h], -1).view(n * height, 2 * hidden)
            z = torch.addmm(inputs[t], both, weights).view(n, height, -1)
            o, f_left, f_above, i = z[..., : 4 * hidden].sigmoid().chunk(4, 2)
            c = f_left * c + f_above * c_above + i * z[..., 4 * hidden :].tanh()
            h = (o * c).tanh()
            h, c = h * inside[t], c * inside[t]  # the state outside is zero
            columns.append(h)
        return unskew(torch.stack(columns, 2)).permute(0, 3, 1, 2)


class RecurrentBlock(nn.Module):
    def __init__(self, net, name):
        super().__init__()
        kinds = {
            "row_lstm": RowLSTM,
            "diagonal_bilstm": DiagonalBiLSTM,
            "spatial_lstm": SpatialLSTM,
        }
        layer = kinds[net.kind]
        self.recurrence = layer(net, f"{name}.recurrence")
        self.upsample = MaskedConv(net, f"{name}.upsample")

    def forward(self, x):
        return x + self.upsample(self.recurrence(x))


class ConvBlock(nn.Module):
    def __init__(self, net, name):
        super().__init__()
        self.down, self.conv, self.up = (
            MaskedConv(net, f"{name}.{layer}") for layer in ("down", "conv", "up")
        )

    def forward(self, x):
        return x + self.up(self.conv(self.down(x.relu()).relu()).relu())


class Model(nn.Module):
    """Encoded images to logits (N, C · outputs, H, W)."""

    def __init__(self, net):
        super().__init__()
        block = ConvBlock if net.kind == "pixel_cnn" else RecurrentBlock
        self.input = MaskedConv(net, "input")
        self.net, self.network = net, nn.ModuleList()
        if net.told is not None:  # sec. 3.6 of the paper: a network of two layers
            self.register_buffer("told", torch.from_numpy(net.told).permute(0, 3, 1, 2).contiguous())
            self.network.extend(MaskedConv(net, f"condition.maps{l}") for l in range(2))
        self.blocks = nn.ModuleList(block(net, f"blocks.{l}") for l in range(net.layers))
        self.head1, self.head2, self.logits = (
            MaskedConv(net, name) for name in ("head1", "head2", "logits")
        )

    def head(self, x):
        return self.logits(self.head2(self.head1(x.relu()).relu()))

    def forward(self, x):
        if self.network:
            self.net.condition = self.network[1](self.network[0](self.told).relu())
        x = self.input(x)
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def gate(x):
    """tanh of the first half of the maps times sigmoid of the second (one colour)."""
    a, b = x.chunk(2, 1)
    return a.tanh() * b.sigmoid()


class GatedModel(nn.Module):
    """Gated PixelCNN of one colour: two stacks of gated convolutions."""

    def __init__(self, net):
        super().__init__()
        layers = [f"layer{l}" for l in range(net.layers)]
        for part in ("vertical", "down", "horizontal", "out"):
            setattr(self, part, nn.ModuleList(MaskedConv(net, f"{l}.{part}") for l in layers))
        self.head, self.logits = MaskedConv(net, "head"), MaskedConv(net, "logits")

    def forward(self, x):
        v = h = x
        for l, (vertical, down, horizontal, out) in enumerate(
            zip(self.vertical, self.down, self.horizontal, self.out)
        ):
            rows = vertical(v)
            new = out(gate(horizontal(h) + down(rows)))
            v, h = gate(rows), new if l == 0 else h + new
        return self.logits(self.head(h.relu()).relu())


class CausalConv(nn.Module):
    """Of a line, the taps up to the present sample, or to the one before it, alone."""

    def __init__(self, net, name, taps, shift, dilation=1):
        super().__init__()
        self.weight = parameter(net, f"{name}.weights", (3, 2, 0, 1))
        self.bias = parameter(net, f"{name}.bias")
        self.taps, self.shift, self.dilation = taps, shift, dilation

    def forward(self, x):
        x = F.pad(x, ((self.taps - 1) * self.dilation + self.shift, -self.shift))
        return F.conv2d(
            x, self.weight[..., : self.taps], self.bias.view(-1), dilation=(1, self.dilation)
        )


class WaveModel(nn.Module):
    """WaveNet of one channel."""

    def __init__(self, net):
        super().__init__()
        layers, k = range(net.layers), net.kernel
        self.input = CausalConv(net, "input", k, 1)
        self.dilated = nn.ModuleList(
            CausalConv(net, f"layer{l}.dilated", k, 0, 2 ** (l % net.cycle)) for l in layers
        )
        self.skip = nn.ModuleList(MaskedConv(net, f"layer{l}.skip") for l in layers)
        self.residual = nn.ModuleList(MaskedConv(net, f"layer{l}.residual") for l in layers[:-1])
        self.head, self.logits = MaskedConv(net, "head"), MaskedConv(net, "logits")

    def forward(self, x):
        h, skips = self.input(x), 0
        for l, (dilated, skip) in enumerate(zip(self.dilated, self.skip)):
            z = gate(dilated(h))
            skips = skips + skip(z)
            if l < len(self.residual):
                h = h + self.residual[l](z)
        return self.logits(self.head(skips.relu()).relu())


def make_model(net):
    kinds = {"gated_pixel_cnn": GatedModel, "wavenet": WaveModel}
    return kinds.get(net.kind, Model)(net)


def mixture_nats(logits, levels, images):
    """Discretised logistics of one channel (Salimans et al. 2017): their weights, means, log scales."""
    x, bin = images * (2 / (levels - 1)) - 1, 1 / (levels - 1)
    weights, means, scales = logits.chunk(3, 1)
    scales = scales.clamp(min=-7).exp()
    above = ((x + bin - means) / scales).sigmoid().masked_fill(images == levels - 1, 1.0)
    below = ((x - bin - means) / scales).sigmoid().masked_fill(images == 0, 0.0)
    inside = (above - below).clamp(min=1e-12).log()
    return -(weights.log_softmax(1) + inside).logsumexp(1).sum()


def nats(logits, net, images):
    """Mean nats per image; images (N, C, H, W) hold levels."""
    levels = net.levels
    if net.is_mixture:
        each = mixture_nats(logits, levels, images)
    elif levels == 2:
        each = F.binary_cross_entropy_with_logits(logits, images.to(logits.dtype), reduction="sum")
    else:
        n, _, height, width = images.shape
        logits = logits.view(n, -1, levels, height, width).transpose(1, 2)
        each = F.cross_entropy(logits, images, reduction="sum")
    return each / images.shape[0]
