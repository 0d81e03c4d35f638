# SPDX-License-Identifier: MIT
"""Our nets by themselves: threads, sampling beside a forward pass, matrix products beside oneDNN's,
compile times. Writes its part of benchmarks/RESULTS.md. Needs nothing but Python.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from common import NETS, Failure, Worker, elapsed, machine, markdown, milliseconds, say, write

ROOT = pathlib.Path(__file__).parent.parent.parent
# Name, case of cases.hpp, pixels.
SIZES = [
    ("28×28, h = 16", "mnist_h16", 784),
    ("32×32, h = 128", "cifar_grey", 1024),
]
ROUNDS = 3


def facts_of(path):
    """What pixelrnn_peer wrote into the metadata of its file, and the net's depth."""
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        words = json.loads(file.read(size))["__metadata__"]
    return {**json.loads(words["facts"]), "layers": words["layers"]}


class Net:
    """A net in two processes, on one processor and on two, asked in turn."""

    def __init__(self, program, net, case, batch, folder):
        self.workers = {
            threads: Worker(f"{threads} threads", [program], threads) for threads in (1, 2)
        }
        for threads, worker in self.workers.items():
            path = pathlib.Path(folder) / f"net{threads}"
            worker.ask("load", path, net, case, 0, batch)
            self.facts = facts_of(path)
            path.unlink()

    def medians(self, *calls):
        """Seconds of each call (threads, words...): medians of some rounds after one."""
        found = [[] for _ in calls]
        for turn in range(ROUNDS + 1):
            for seconds, (threads, work, *rest) in zip(found, calls):
                answer = float(self.workers[threads].ask(work, threads, 0.2, *rest))
                if turn > 0:
                    seconds.append(answer)
        return [statistics.median(seconds) for seconds in found]

    def close(self):
        for worker in self.workers.values():
            worker.close()


def threads_and_sampling(program):
    """The tables of all nets: two threads against one; sampling against forward passes."""
    scaling, sampling = [], []
    for size, case, pixels in SIZES:
        for net, title in NETS.items():
            with tempfile.TemporaryDirectory() as folder:
                one = Net(program, net, case, 1, folder)
                f1, f2, t1, t2 = one.medians(
                    (1, "forward"), (2, "forward"), (1, "train"), (2, "train")
                )
                one.close()
                many = Net(program, net, case, 16, folder)
                name = f"{title}, {size}, {many.facts['layers']} layers"
                F1, F2, T1, T2, S1, S2 = many.medians(
                    (1, "forward"),
                    (2, "forward"),
                    (1, "train"),
                    (2, "train"),
                    (1, "sample", 16),
                    (2, "sample", 16),
                )
                cell = lambda a, b: f"{milliseconds(a)} → {milliseconds(b)} ({a / b:.2f}×)"
                scaling.append(
                    [
                        name,
                        cell(F1, F2),
                        cell(T1, T2),
                        cell(S1, S2),
                        cell(f1, f2),
                        cell(t1, t2),
                    ]
                )
                single, sixty_four = many.medians((1, "sample", 1), (2, "sample", 64))
                # Every pixel reads all weights again.
                weights = 4 * many.facts["parameters"]
                rate = float(many.workers[1].ask("bandwidth", weights, 1))
                sampling.append(
                    [
                        name,
                        milliseconds(single),
                        f"{1e6 * single / pixels:.2f}",
                        f"{1e3 * pixels * weights / rate:.3g}",
                        f"{milliseconds(S2)} ({S2 / F2:.2f})",
                        f"{milliseconds(sixty_four)} ({sixty_four / (4 * F2):.2f})",
                    ]
                )
                many.close()
            say(name)
    return [
        "Two threads against one, ms (× faster). Batch 16, and one image alone.",
        "",
        markdown(
            [
                "net",
                "forward",
                "training step",
                "sample 16 images",
                "forward, 1 image",
                "training step, 1 image",
            ],
            scaling,
        ),
        "",
        "Cached sampling. One image on one thread, beside the time in which a core reads all "
        "weights once a pixel (a limit only where they do not stay in its caches); 16 and 64 images "
        "on two threads, in brackets how many forward passes of as many images that is.",
        "",
        markdown(
            [
                "net",
                "1 image, ms",
                "µs a pixel",
                "reading the weights, ms",
                "16 images, ms (passes)",
                "64 images, ms (passes)",
            ],
            sampling,
        ),
    ]


def products(program):
    """The table of matrix products."""
    say("matrix products")
    text = subprocess.run(
        [
            program,
            "--benchmark_filter=^gemm/.*/m(1|16|64|256|1024|16384)/(Xsimd|oneDNN)",
            "--benchmark_min_time=0.05",
            "--benchmark_format=json",
        ],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    ).stdout
    found, rows = {}, {}
    for run in json.loads(text)["benchmarks"]:
        if "error_message" in run:
            raise Failure(f"{run['name']}: {run['error_message']}")
        _, use, m, library = run["name"].split("/")[:4]
        library = "ours" if library == "Xsimd" else "oneDNN"
        best = found.setdefault((use, m), {})
        best[library] = max(best.get(library, 0), run["peak_percent"])
        rows.setdefault(use, []).append(m)
    sizes = list(dict.fromkeys(m for _, m in found))
    lines = [
        [use.replace("_", " ")]
        + [
            f"{found[use, m]['ours']:.0f} / {found[use, m].get('oneDNN', float('nan')):.0f}"
            for m in sizes
        ]
        for use in rows
    ]
    ahead = sum(f["ours"] >= f.get("oneDNN", 0) for f in found.values())
    return [
        "Matrix products of the models' shapes on one thread, % of the FMA peak: ours / the better of "
        "oneDNN's sgemm and its matmul with weights it has ordered beforehand. Columns are rows of the "
        f"left operand. Ours is ahead in {ahead} of {len(found)}.",
        "",
        markdown(["weights", *(m.removeprefix("m") for m in sizes)], lines),
    ]


def compile_times():
    """Seconds and memory of the compiler, by the kernel's count."""
    say("compile times")
    flags = subprocess.run(
        ["pkg-config", "--cflags", "eigen3"], stdout=subprocess.PIPE, text=True
    ).stdout
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        umbrella = pathlib.Path(folder) / "umbrella.cpp"
        umbrella.write_text("#include <pixelrnn/pixelrnn.hpp>\n")
        for title, source in (
            ("the umbrella header alone", umbrella),
            ("examples/hello.cpp", ROOT / "examples" / "hello.cpp"),
        ):
            command = [
                "c++",
                "-std=c++20",
                "-O3",
                "-march=native",
                "-fopenmp",
                f"-I{ROOT / 'include'}",
                *flags.split(),
                "-c",
                str(source),
                "-o",
                f"{folder}/out.o",
            ]
            seconds, kilobytes = [], 0
            for _ in range(ROUNDS):
                begin = time.perf_counter()
                process = subprocess.Popen(command)
                _, status, usage = os.wait4(process.pid, 0)
                if status != 0:
                    raise Failure(f"{' '.join(command)} failed")
                seconds.append(time.perf_counter() - begin)
                kilobytes = usage.ru_maxrss  # of the largest process that cc1plus was
            rows.append([title, f"{statistics.median(seconds):.1f}", f"{1.024e-3 * kilobytes:.0f}"])
    version = subprocess.run(["c++", "--version"], stdout=subprocess.PIPE, text=True).stdout
    return [
        f"Compile time with {version.splitlines()[0]}, `-std=c++20 -O3 -march=native -fopenmp`.",
        "",
        markdown(["program", "seconds", "memory, MB"], rows),
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peer", help="the program pixelrnn_peer")
    parser.add_argument("benchmarks", help="the program pixelrnn_benchmarks")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "benchmarks" / "RESULTS.md")
    options = parser.parse_args()
    first = threads_and_sampling(options.peer)
    second = products(options.benchmarks)
    third = compile_times()
    head = [
        "## By itself",
        "",
        f"Machine: {machine(2)}. Float32; medians of {ROUNDS} rounds after one, all columns of a row in "
        f"turn. {time.strftime('%Y-%m-%d')}; {elapsed()} in all. Command: "
        "`./run alone`.",
        "",
    ]
    write(options.out, "alone", "\n".join([*head, *first, "", *second, "", *third]))
    say(f"written: {options.out}")


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"alone.py: {failure}")
