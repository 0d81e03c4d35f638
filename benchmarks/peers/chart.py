# SPDX-License-Identifier: MIT
"""Horizontal bars on a logarithmic axis, as SVG text."""

import math
from html import escape

COLOURS = ("#d9822b", "#2a78b8", "#5a9a52", "#9a6fb0", "#8a8a8a")
BAR, GAP, LABELS, PLOT, TOP = 13, 12, 350, 480, 64


def chart(title, groups):
    """groups: [(label, {series: value})], values above 0. One colour a series, the same in every
    group; the axis goes from 1, or below if a value is, to the largest."""
    series = list(dict.fromkeys(name for _, bars in groups for name in bars))
    values = [value for _, bars in groups for value in bars.values()]
    low = min(0, math.floor(math.log10(min(values))))
    high = max(1, math.ceil(math.log10(max(values))))
    at = lambda value: LABELS + PLOT * (math.log10(value) - low) / (high - low)
    height = TOP + sum(BAR * len(bars) + GAP for _, bars in groups) + 8
    width = LABELS + PLOT + 70
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="10" y="18" font-size="13" font-weight="bold">{escape(title)}</text>',
    ]
    x = 10
    for name, colour in zip(series, COLOURS):
        out.append(f'<rect x="{x}" y="28" width="10" height="10" fill="{colour}"/>')
        out.append(f'<text x="{x + 14}" y="37">{escape(name)}</text>')
        x += 40 + 6.5 * len(name)
    for power in range(low, high + 1):
        x = at(10**power)
        line = "#444" if power == 0 else "#ddd"
        out.append(f'<path d="M{x:.1f} {TOP - 6}V{height - 6}" stroke="{line}"/>')
        out.append(f'<text x="{x:.1f}" y="{TOP - 9}" text-anchor="middle">{10**power:g}</text>')
    y = TOP
    for label, bars in groups:
        middle = y + BAR * len(bars) / 2 + 4
        head = f'<text x="{LABELS - 8}" y="{middle:.1f}" text-anchor="end">'
        out.append(f"{head}{escape(label)}</text>")
        for name, value in bars.items():
            begin, end = sorted((at(1), at(value)))
            colour = COLOURS[series.index(name)]
            out.append(
                f'<rect x="{begin:.1f}" y="{y}" width="{max(end - begin, 1):.1f}" '
                f'height="{BAR - 2}" fill="{colour}"/>'
            )
            out.append(f'<text x="{end + 4:.1f}" y="{y + 9}">{value:.3g}</text>')
            y += BAR
        y += GAP
    return "\n".join([*out, "</svg>\n"])
