# SPDX-License-Identifier: MIT
"""This version beside another one of ours, by turns; `./run against COMMIT` builds both.

The other one runs twice, as two processes: how far these two are apart is the noise of the machine
in this very run (A/A), and only what exceeds it counts. Prints one line a row: the median of the
ratios of neighbouring turns, new to old and old to old, below 1 where the first is faster.
"""

import argparse
import pathlib
import statistics
import tempfile

from common import NETS, Worker

CASES = ["mnist_h16", "cifar_grey"]
# Work, threads, images in the batch or drawn; 0: as many as the case has.
WORKS = [
    ("forward", 2, 0),
    ("forward", 1, 1),
    ("train", 2, 0),
    ("sample", 1, 1),
    ("sample", 2, 16),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", help="pixelrnn_peer of the other version")
    parser.add_argument("new", help="pixelrnn_peer of this one")
    parser.add_argument("--nets", nargs="+", choices=NETS, default=list(NETS))
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.2, help="least time of a turn")
    options = parser.parse_args()

    programs = {"old": options.old, "again": options.old, "new": options.new}
    for net in options.nets:
        for case in options.cases:
            for work, threads, count in WORKS:
                seconds = turns(programs, net, case, work, threads, count, options)
                ratio, noise = (
                    statistics.median(a / b for a, b in zip(seconds[name], seconds["old"]))
                    for name in ("new", "again")
                )
                median = statistics.median(seconds["old"])
                print(
                    f"{net:16}{case:11}{work:8} threads {threads} images {count or 'all':>3}"
                    f"  old {1e3 * median:8.2f} ms  new/old {ratio:.3f}  old/old {noise:.3f}",
                    flush=True,
                )


def turns(programs, net, case, work, threads, count, options):
    """Seconds of each turn of each program, without the first."""
    batch = count if work == "forward" else 0
    with tempfile.TemporaryDirectory() as folder:
        workers = {name: Worker(name, [path], threads) for name, path in programs.items()}
        for name, worker in workers.items():
            worker.ask("load", pathlib.Path(folder) / name, net, case, 0, batch)
        seconds = {name: [] for name in programs}
        for turn in range(options.rounds + 1):
            for name, worker in workers.items():
                answer = float(worker.ask(work, threads, options.seconds, count))
                if turn > 0:
                    seconds[name].append(answer)
        for worker in workers.values():
            worker.close()
    return seconds


if __name__ == "__main__":
    main()
