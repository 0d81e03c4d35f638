#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""amat.py AMAT IDX: binarised MNIST as it is published, a line of 784 words 0 and 1 for each image, as gzipped IDX."""

import gzip
import struct
import sys


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, target = sys.argv[1:]
    with open(source) as file:
        images = [line.split() for line in file if line.strip()]
    for number, image in enumerate(images, 1):
        if len(image) != 784:
            sys.exit(f"{source}: image {number} has {len(image)} words, expected 784")
        for word in set(image) - {"0", "1"}:
            sys.exit(f"{source}: image {number} has the word {word!r}, expected 0 or 1")
    if not images:
        sys.exit(f"{source}: there is no image")
    with gzip.open(target, "wb") as file:
        file.write(struct.pack(">4i", 2051, len(images), 28, 28))
        for image in images:
            file.write(bytes(map(int, image)))


if __name__ == "__main__":
    main()
