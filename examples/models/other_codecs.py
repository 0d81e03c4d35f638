#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""other_codecs.py FILE [LIMIT]: bits/dim of PNG, of lossless WebP and of simple predictors on images of a file.

FILE is CIFAR-10's binary batch or IDX, gzipped or not. Needs numpy and Pillow. PNG and WebP are counted
with their headers, each image by itself, as a model's nats are. Of a predictor it is the entropy of what is
left of all images together, channel by channel: what no code without a context goes below.
"""

import gzip
import io
import struct
import sys

import numpy as np
from PIL import Image


def read(path):
    """(N, H, W, C), 0 to 255."""
    with open(path, "rb") as file:
        data = file.read()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    if data[:3] == b"\0\0\x08":
        shape = struct.unpack(f">{data[3]}I", data[4:4 + 4 * data[3]])
        return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(*shape, 1)
    return np.frombuffer(data, np.uint8).reshape(-1, 3073)[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)


def file_bits(images, kind, **options):
    """Bits of all images, each as a file of its own."""
    size = 0
    for image in images:
        out = io.BytesIO()
        Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(out, kind, **options)
        size += len(out.getvalue())
    return 8 * size


def entropy_bits(values):
    counts = np.bincount(values.ravel(), minlength=256)
    p = counts[counts > 0] / values.size
    return -values.size * (p * np.log2(p)).sum()


def left_by(predictor, images):
    """Levels less what a predictor makes of left a, above b and above left c, mod 256."""
    x = images.astype(np.int32)
    pad = np.pad(x, ((0, 0), (1, 0), (1, 0), (0, 0)))
    return (x - predictor(pad[:, 1:, :-1], pad[:, :-1, 1:], pad[:, :-1, :-1])) % 256


def med(a, b, c):
    """The median of a, b and a + b - c (LOCO-I, Weinberger et al. 2000)."""
    return np.where(c >= np.maximum(a, b), np.minimum(a, b),
                    np.where(c <= np.minimum(a, b), np.maximum(a, b), a + b - c))


PREDICTORS = {
    "none": lambda a, b, c: 0 * a,
    "left": lambda a, b, c: a,
    "above": lambda a, b, c: b,
    "average": lambda a, b, c: (a + b) // 2,
    "plane": lambda a, b, c: a + b - c,
    "median (LOCO-I)": med,
}


def main():
    images = read(sys.argv[1])
    if len(sys.argv) > 2:
        images = images[:int(sys.argv[2])]
    rows = [("PNG", file_bits(images, "PNG", optimize=True)),
            ("WebP, lossless", file_bits(images, "WEBP", lossless=True, quality=100, method=6))]
    spaces = {"": images}
    if images.shape[-1] == 3:
        # Red and blue less green, mod 256: can be undone.
        less_green = images.copy()
        less_green[..., 0] -= images[..., 1]
        less_green[..., 2] -= images[..., 1]
        spaces[", red and blue less green"] = less_green
    for space, values in spaces.items():
        for name, predictor in PREDICTORS.items():
            rest = left_by(predictor, values)
            bits = sum(entropy_bits(rest[..., c]) for c in range(rest.shape[-1]))
            rows.append((f"predictor {name}{space}", bits))
    for name, bits in rows:
        print(f"{bits / images.size:7.3f} bits/dim  {name}")


if __name__ == "__main__":
    main()
