#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""curve.py LOG CSV SVG: of a log of `train --log` the epochs alone, as CSV and as a picture."""

import csv
import sys

WIDTH, HEIGHT, MARGIN = 480, 260, 46
COLOURS = {"train": "#888888", "validation": "#c03020"}


def main():
    log, table, picture = sys.argv[1:]
    curves = {name: [] for name in COLOURS}
    with open(log, newline="") as file:
        for row in csv.DictReader(file):
            if row["event"] in curves:
                curves[row["event"]].append((int(row["epoch"]), float(row["nats_per_image"])))
    epochs = [epoch for epoch, _ in curves["train"]]
    columns = [dict(curves[name]) for name in COLOURS]
    with open(table, "w") as file:
        print("epoch,train_nats,validation_nats", file=file)
        for epoch in epochs:
            print(epoch, *(f"{column[epoch]:.3f}" for column in columns), sep=",", file=file)

    # From the second epoch on: the first would leave no room for the rest.
    shown = {name: [p for p in points if p[0] > 1] for name, points in curves.items()}
    nats = [value for points in shown.values() for _, value in points]
    low, high = min(nats), max(nats)

    def place(epoch, value):
        x = MARGIN + (WIDTH - 2 * MARGIN) * (epoch - 2) / max(1, epochs[-1] - 2)
        y = HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * (value - low) / max(1e-9, high - low)
        return f"{x:.1f},{y:.1f}"

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{MARGIN}" y="20">nats an image by epoch, from the second on</text>',
        f'<text x="4" y="{HEIGHT - MARGIN}">{low:.1f}</text>',
        f'<text x="4" y="{MARGIN}">{high:.1f}</text>',
        f'<text x="{WIDTH - MARGIN}" y="{HEIGHT - 20}">{epochs[-1]}</text>',
        f'<text x="{MARGIN}" y="{HEIGHT - 20}">2</text>',
    ]
    for i, (name, points) in enumerate(shown.items()):
        path = " ".join(place(*point) for point in points)
        lines.append(f'<polyline points="{path}" fill="none" stroke="{COLOURS[name]}"/>')
        lines.append(
            f'<text x="{WIDTH - 2 * MARGIN - 60}" y="{MARGIN + 16 * (i + 1)}" '
            f'fill="{COLOURS[name]}">{name}</text>'
        )
    with open(picture, "w") as file:
        print(*lines, "</svg>", sep="\n", file=file)


if __name__ == "__main__":
    main()
