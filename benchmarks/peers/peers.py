# SPDX-License-Identifier: MIT
"""Our nets beside the same nets in PyTorch and JAX, by turns in one run.

Writes benchmarks/RESULTS.md and results.svg. Each contestant is a process of its own that answers
one line on standard input with one on standard output, and is idle while another has its turn:

  load PATH          reads what pixelrnn_peer wrote; fails unless it computes the same to 1e-4
  forward SECONDS    seconds of one call: the mean over as many calls as take so long, one at least
  train SECONDS
  cached COUNT SECONDS, naive COUNT PASSES    sampling, see torch_sampler.py

pixelrnn_peer's own lines, which name threads too, stand at serve() in peer_ours.cpp.
"""

import argparse
import dataclasses
import json
import pathlib
import platform
import shlex
import statistics
import sys
import tempfile
import time

from safetensors import safe_open

from chart import chart
from common import (
    NETS,
    OTHERS,
    Failure,
    Worker,
    elapsed,
    machine,
    markdown,
    milliseconds,
    say,
    write,
)

HERE = pathlib.Path(__file__).parent
OURS, EAGER, COMPILE, JAX = "pixelrnn", "PyTorch eager", "torch.compile", "JAX jit"
CACHED, NAIVE = "PyTorch cached walk", "PyTorch naive"
SOUNDS = ["sound_10x32", "sound_20x32", "sound_10x64", "sound_20x64"]
RATE = 16000  # of sound, samples a second


@dataclasses.dataclass
class Row:
    """A line of the table: medians in seconds, by contestant."""

    net: str
    label: str
    seconds: dict
    peak_percent: float | None = None  # of sampling, not known
    megabytes: dict = dataclasses.field(default_factory=dict)
    real_time: dict = dataclasses.field(default_factory=dict)  # of sound: times as fast as it plays

    def ratios(self):
        return {name: s / self.seconds[OURS] for name, s in self.seconds.items() if name != OURS}


class Comparison:
    def __init__(self, options):
        self.options = options
        self.rows = []
        self.notes = []
        self.is_whole = True  # no peer was left out that must not be
        self.versions = {}
        self.peaks = []  # FLOP/s, probed between the rows

    def worker(self, name):
        threads = self.options.threads
        python = [sys.executable]
        command = {
            OURS: [self.options.ours],
            EAGER: [*python, HERE / "torch_peer.py", "eager", str(threads)],
            COMPILE: [*python, HERE / "torch_peer.py", "compile", str(threads)],
            JAX: [*python, HERE / "jax_peer.py"],
        }[name]
        return Worker(name, command, threads)

    def contestants(self, net):
        compiled = self.options.compile == "all" or net in self.options.compile.split(",")
        return [OURS, EAGER, *([COMPILE] if compiled else []), *([JAX] if net in NETS else [])]

    def medians(self, calls, rounds):
        """calls: {name: a function that returns seconds}. One after the other, round after round,
        so that what disturbs the machine for a while disturbs all alike. The first round warms up
        and does not count."""
        found = {name: [] for name in calls}
        for turn in range(rounds + 1):
            for name, call in calls.items():
                seconds = float(call())
                if turn > 0:
                    found[name].append(seconds)
        return {name: statistics.median(seconds) for name, seconds in found.items()}

    def workload(self, net, case, layers, sampling):
        """All rows of one net at one size. `layers` 0 leaves the case's own number. A contestant
        that fails to load is left out, named in the notes, and the run fails in the end; if it is
        ours, at once."""
        o = self.options
        workers = {}
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "net.safetensors"
            try:
                ours = workers[OURS] = self.worker(OURS)
                self.peaks.append(float(ours.ask("peak", o.threads)))
                idle = {OURS: ours.memory("VmRSS")}
                ours.ask("load", path, net, case, layers)
                with safe_open(path, "numpy") as file:
                    words = file.metadata()
                facts = json.loads(words["facts"])
                title = f"{(NETS | OTHERS)[net]}, {words['image'].replace('x', '×')}, h = {words['hidden']}, "
                title += f"{words['layers']} layers"
                for name in self.contestants(net)[1:]:
                    try:
                        worker = workers[name] = self.worker(name)
                        self.versions[name] = worker.ask("version", limit=120)
                        idle[name] = worker.memory("VmRSS")
                        limit = o.compile_limit if name == COMPILE else None
                        worker.ask("load", path, limit=limit)
                    except Failure as failure:
                        self.notes.append(f"{title}: left out, {failure}")
                        # Not every net can be compiled; the others must run and agree.
                        self.is_whole = self.is_whole and name == COMPILE
                        workers.pop(name).close()
                    say(f"{title}: {name} ready" if name in workers else self.notes[-1])
                self.peaks.append(float(ours.ask("peak", o.threads)))

                def timed(what):
                    return {
                        name: (lambda w=w, n=name: w.ask(*self.words(n, what)))
                        for name, w in workers.items()
                    }

                for what in ("forward", "train"):
                    if what == "train":
                        for worker in workers.values():
                            worker.forget_peak()
                    row = Row(net, f"{title}: {what}", self.medians(timed(what), o.rounds))
                    self.peaks.append(float(ours.ask("peak", o.threads)))
                    flop = facts[f"{what}_flop"]
                    row.peak_percent = 100 * flop / row.seconds[OURS] / max(self.peaks)
                    if what == "train":
                        row.megabytes = {
                            name: 1e-6 * (worker.memory("VmHWM") - idle[name])
                            for name, worker in workers.items()
                        }
                    self.add(row)
                for count in sampling if EAGER in workers else []:
                    self.add(self.sampling(net, title, workers, count))
                    if net == "wavenet":
                        seconds = int(words["image"].split("x")[1]) / RATE
                        row = self.rows[-1]
                        row.real_time = {name: seconds / s for name, s in row.seconds.items()}
            finally:
                for worker in workers.values():
                    worker.close()

    def words(self, name, what):
        """A line that asks a contestant for a forward pass or a training step."""
        return (what, *((self.options.threads,) if name == OURS else ()), self.options.least)

    def sampling(self, net, title, workers, count):
        """Whole images; one alone on one thread, where both are fastest."""
        o = self.options
        threads = 1 if count == 1 else o.threads
        ours, torch = workers[OURS], workers[EAGER]
        calls = {
            OURS: lambda: ours.ask("sample", threads, o.least, count),
            CACHED: lambda: torch.ask("cached", count, 0),
            NAIVE: lambda: torch.ask("naive", count, o.passes),
        }
        label = f"{title}: sample {count} image{'s' if count > 1 else ''}"
        return Row(net, label, self.medians(calls, o.rounds))

    def add(self, row):
        self.rows.append(row)
        times = ", ".join(f"{name} {milliseconds(s)} ms" for name, s in row.seconds.items())
        say(f"{row.label}: {times}")


def times(ratio):
    return f"{ratio:,.0f}×" if ratio >= 100 else f"{ratio:.3g}×"


def table(names, rows, memory=False):
    """Markdown: milliseconds, and in brackets how many times ours that is."""
    head = ["workload", f"{OURS}, ms", *(f"{n}, ms (× ours)" for n in names)]
    if memory:
        head.append("% of FMA peak")
        head.append("memory of a step, MB: " + ", ".join([OURS, *names]))
    lines = []
    for row in rows:
        cells = [row.label, milliseconds(row.seconds[OURS])]
        for name in names:
            if name in row.seconds:
                cells.append(f"{milliseconds(row.seconds[name])} ({times(row.ratios()[name])})")
            else:
                cells.append("–")
        if memory:
            cells.append(f"{row.peak_percent:.0f}")
            sizes = {name: f"{size:.0f}" for name, size in row.megabytes.items()}
            cells.append(", ".join(sizes.get(n, "–") for n in [OURS, *names]) if sizes else "–")
        lines.append(cells)
    return markdown(head, lines)


def sounds(rows):
    """How much faster than it plays sound is drawn, on one thread."""
    lines = [
        [row.label.removesuffix(": sample 1 image"), *(f"{x:.3g}" for x in row.real_time.values())]
        for row in rows
        if row.real_time
    ]
    if not lines:
        return []
    head = ["seconds of sound at 16 kHz drawn in a second, one thread", OURS, CACHED, NAIVE]
    return [markdown(head, lines), ""]


def heading(comparison, title):
    """What every part begins with."""
    o = comparison.options
    versions = ", ".join(
        f"{name} {comparison.versions[contestant]}"
        for name, contestant in (("PyTorch", EAGER), ("JAX", JAX))
        if contestant in comparison.versions
    )
    return [
        f"## {title}",
        "",
        *(["**A trial (`--quick`): these figures mean nothing.**", ""] if o.quick else []),
        f"Machine: {machine(o.threads)}. Its multiply-add units reach "
        f"{1e-9 * max(comparison.peaks):.0f} GFLOP/s with {o.threads} threads, probed in this run.",
        "",
        f"{versions}, Python {platform.python_version()}; {time.strftime('%Y-%m-%d')}; {elapsed()} "
        f"in all. Command: `{o.command}`.",
        "",
    ]


def report_others(comparison, rows):
    """The part of RESULTS.md about what came before and after the paper."""
    o = comparison.options
    passes = [row for row in rows if NAIVE not in row.seconds]
    samples = [row for row in rows if NAIVE in row.seconds]
    text = [
        *heading(comparison, "Before and after the paper, beside PyTorch"),
        "Checked, timed and counted as above. Images are 28×28 and black or white, but for the mixture's, 16 a batch; a "
        "line of sound is 4,000 samples of 256 levels, 4 a batch.",
        "",
        table([EAGER], passes, memory=True),
        "",
        *([table([CACHED, NAIVE], samples), ""] if samples else []),
        *sounds(samples),
        *(f"- {note}" for note in comparison.notes),
    ]
    return "\n".join(text).rstrip("\n")


def report(comparison, rows):
    """The part of RESULTS.md about the paper's nets."""
    o = comparison.options
    passes = [row for row in rows if NAIVE not in row.seconds]
    samples = [row for row in rows if NAIVE in row.seconds]
    names = [n for n in (EAGER, COMPILE, JAX) if any(n in row.seconds for row in passes)]
    depth = (
        f"{o.cifar_layers} layers here; the paper's nets have 12 or 15"
        if o.cifar_layers
        else "12 layers, PixelCNN 15, as the paper's nets"
    )
    text = [
        *heading(comparison, "Beside PyTorch and JAX"),
        "All nets have the same weights and images; before anything is timed, each contestant's "
        "logits and loss are held to ours (1e-4), and gradients (1e-3). Contestants take "
        f"turns on the same {o.threads} processors; medians of {o.rounds} rounds after one that "
        "warms up. Batch 16, float32. A training step is forward, backward and RMSProp. CIFAR size "
        f"(32×32, one channel, 256 levels, head of 1024 maps) has {depth}.",
        "",
        table(names, passes, memory=True),
        "",
        "Useful FLOPs only (allowed taps of real pixels) count for the share of peak; at CIFAR size "
        "PixelCNN's 3×3 layers and Row LSTM do seven tenths of theirs (pairs of pixels), so that it "
        "may pass 100. Memory is the "
        "most a process held during training steps over what it held before it loaded the net, "
        "weights, RMSProp's state and what its allocator keeps included.",
        "",
        *([table([CACHED, NAIVE], samples), ""] if samples else []),
        f"Naive sampling is a forward pass for each pixel, worked out from {o.passes} of them a "
        "round. The cached walk in PyTorch is held to the forward pass's logits too. One image is "
        "sampled on one thread by all but the naive way, which has all.",
        "",
        "torch.compile was tried for: "
        + (", ".join(NETS[n] for n in NETS if COMPILE in comparison.contestants(n)) or "no net")
        + " (`--compile` chooses; the recurrent nets are off by default, since it unrolls their "
        f"loops before it compiles them). Its limit: {o.compile_limit:g} s a net.",
        "",
        *(f"- {note}" for note in comparison.notes),
        *([""] if comparison.notes else []),
        "![How many times as long as pixelrnn the peers take](results.svg)",
    ]
    return "\n".join(text)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ours", help="the program pixelrnn_peer")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3, help="that count; one more warms up")
    parser.add_argument("--least", type=float, default=0.3, help="seconds of one turn, at least")
    parser.add_argument("--passes", type=int, default=5, help="of naive sampling in one turn")
    parser.add_argument("--nets", default=",".join(NETS | OTHERS))
    parser.add_argument("--cifar-layers", type=int, default=0, help="0: as many as the paper's")
    parser.add_argument("--compile", default="pixel_cnn", help="nets for torch.compile, all, none")
    parser.add_argument("--compile-limit", type=float, default=90, help="seconds a net")
    parser.add_argument("--out", type=pathlib.Path, default=HERE.parent, help="folder of results")
    parser.add_argument(
        "--quick", action="store_true", help="one layer of the small size, one round: a trial"
    )
    options = parser.parse_args()
    arguments = sys.argv[2:] if len(sys.argv) > 1 and sys.argv[1] == options.ours else sys.argv[1:]
    options.command = shlex.join(["./run", "peers", *arguments])
    if options.quick:
        options.rounds, options.least, options.passes = 1, 0.05, 2
    return options


def main():
    options = parse()
    comparison = Comparison(options)
    nets = options.nets.split(",")
    for net in nets:
        layers = 1 if options.quick else 0
        for case in SOUNDS[: 1 if options.quick else None] if net == "wavenet" else ["mnist_h16"]:
            counts = [1, 16] if net in NETS else [1] if net == "wavenet" else []
            comparison.workload(net, case, layers, counts)
    if not options.quick:
        for net in (n for n in nets if n in NETS):
            comparison.workload(net, "cifar_grey", options.cifar_layers, [])
    options.out.mkdir(parents=True, exist_ok=True)
    # The paper's nets and the others are parts of their own: either may be measured alone.
    others = [row for row in comparison.rows if row.net in OTHERS]
    papers = [row for row in comparison.rows if row.net in NETS]
    if papers:
        write(options.out / "RESULTS.md", "peers", report(comparison, papers))
        groups = [(row.label, row.ratios()) for row in papers]
        title = "Times as long as pixelrnn (logarithmic; 1 is as fast)"
        (options.out / "results.svg").write_text(chart(title, groups))
    if others:
        write(options.out / "RESULTS.md", "others", report_others(comparison, others))
    say(f"written: {options.out / 'RESULTS.md'}")
    if not comparison.is_whole:
        raise Failure("; ".join(comparison.notes))


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"peers.py: {failure}")
