#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""curve.py LOG CSV SVG: of a log of `train --log` the epochs, as CSV and as a picture; of a training of fewer
than five epochs the mean of every fiftieth part of its steps, and the validations between them."""

import csv
import sys

WIDTH, HEIGHT, MARGIN = 480, 260, 46
COLOURS = {"train": "#888888", "validation": "#c03020"}
PARTS = 50


def by_epoch(rows):
    return {name: [(int(row["epoch"]), float(row["nats_per_image"])) for row in rows if row["event"] == name]
            for name in COLOURS}


def by_step(rows):
    steps = [(int(row["step"]), float(row["nats_per_image"])) for row in rows if row["event"] == "step"]
    size = max(1, -(-len(steps) // PARTS))
    parts = [steps[i:i + size] for i in range(0, len(steps), size)]
    validations = [(int(row["step"]), float(row["nats_per_image"])) for row in rows if row["event"] == "validation"]
    return {"train": [(part[-1][0], sum(nats for _, nats in part) / len(part)) for part in parts],
            "validation": validations}


def main():
    log, table, picture = sys.argv[1:]
    with open(log, newline="") as file:
        rows = list(csv.DictReader(file))
    unit, curves = "epoch", by_epoch(rows)
    if len(curves["train"]) < 5:
        unit, curves = "step", by_step(rows)
    curves = {name: points for name, points in curves.items() if points}
    if len(curves.get("train", [])) < 2:
        sys.exit(f"{log}: expected two epochs or steps at least")
    columns = [dict(points) for points in curves.values()]
    with open(table, "w") as file:
        print(unit, *(f"{name}_nats" for name in curves), sep=",", file=file)
        for at in sorted({at for points in curves.values() for at, _ in points}):
            print(at, *(f"{column[at]:.3f}" if at in column else "" for column in columns), sep=",", file=file)

    # From the second on: the first would leave no room for the rest.
    first, last = curves["train"][1][0], curves["train"][-1][0]
    shown = {name: [p for p in points if p[0] >= first] for name, points in curves.items()}
    nats = [value for points in shown.values() for _, value in points]
    low, high = min(nats), max(nats)

    def place(at, value):
        x = MARGIN + (WIDTH - 2 * MARGIN) * (at - first) / max(1, last - first)
        y = HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * (value - low) / max(1e-9, high - low)
        return f"{x:.1f},{y:.1f}"

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{MARGIN}" y="20">nats an image by {unit}, from {unit} {first} on</text>',
        f'<text x="4" y="{HEIGHT - MARGIN}">{low:.1f}</text>',
        f'<text x="4" y="{MARGIN}">{high:.1f}</text>',
        f'<text x="{WIDTH - MARGIN}" y="{HEIGHT - 20}">{last}</text>',
        f'<text x="{MARGIN}" y="{HEIGHT - 20}">{first}</text>',
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
