# SPDX-License-Identifier: MIT
"""What peers.py and alone.py share: processes that answer lines, the machine, parts of RESULTS.md."""

import os
import pathlib
import platform
import queue
import subprocess
import sys
import threading
import time

NETS = {
    "diagonal_bilstm": "Diagonal BiLSTM",
    "row_lstm": "Row LSTM",
    "pixel_cnn": "PixelCNN",
}
# What came before and after the paper; JAX has none of these, and PyTorch walks WaveNet alone.
OTHERS = {
    "spatial_lstm": "Spatial LSTM",
    "gated_pixel_cnn": "Gated PixelCNN",
    "wavenet": "WaveNet",
    "multiscale": "Multi-scale, large model, of Diagonal BiLSTM",
    "mixture": "PixelCNN, 10 logistics of 256 levels",
}
BEGAN = time.perf_counter()


def elapsed():
    return f"{time.perf_counter() - BEGAN:.0f} s"


def say(text):
    print(f"[{elapsed():>7}] {text}", file=sys.stderr, flush=True)


class Failure(Exception):
    """A contestant that ended or took too long."""


class Worker:
    """A contestant's process, on as many processors as it may have threads."""

    def __init__(self, name, command, threads):
        processors = sorted(os.sched_getaffinity(0))[:threads]
        self.name = name
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": str(threads), "JAX_PLATFORMS": "cpu"},
            preexec_fn=lambda: os.sched_setaffinity(0, processors),
        )
        # A thread reads, so that waiting for an answer can have a limit.
        self.answers = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.answers.put(line.strip())
        self.answers.put(None)

    def ask(self, *words, limit=None):
        try:
            print(*words, file=self.process.stdin, flush=True)
            answer = self.answers.get(timeout=limit)
        except BrokenPipeError:
            answer = None
        except queue.Empty:
            raise Failure(f"{self.name}: no answer to “{words[0]}” in {limit:g} s") from None
        if answer is None:
            raise Failure(f"{self.name} ended at “{' '.join(map(str, words))}”")
        self.settle()
        return answer

    def settle(self, step=0.05, limit=10):
        """Waits until the process rests: one that still gives back its memory, having answered,
        would take processors from the next (JAX for half a second, after a step that held 8 GB).
        Says so of one that never does, as with OMP_WAIT_POLICY=active."""
        end = time.monotonic() + limit
        before = None
        while before != (before := self.processor_time()):
            if time.monotonic() > end:
                say(f"{self.name} does not rest between turns: the others' times suffer")
                return
            time.sleep(step)

    def processor_time(self):
        """Of all its threads, in ticks of 10 ms."""
        stat = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text()
        user, system = stat.rpartition(")")[2].split()[11:13]
        return int(user) + int(system)

    def memory(self, key):
        """Bytes by the kernel's count: VmRSS now, VmHWM at most since forget_peak()."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(key + ":"):
                return 1024 * int(line.split()[1])
        raise KeyError(key)

    def forget_peak(self):
        pathlib.Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def close(self):
        self.process.kill()
        self.process.wait()


def machine(threads):
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    pairs = (line.split(":", 1) for line in reversed(lines) if ":" in line)
    facts = {key.strip(): value.strip() for key, value in pairs}
    names = {"avx512f": "AVX-512", "avx2": "AVX2", "sse2": "SSE2"}
    flags = facts.get("flags", "").split()
    vectors = next((name for flag, name in names.items() if flag in flags), platform.machine())
    model = facts.get("model name", platform.machine())
    kinds = ", ".join(f"{k} {facts[k]}" for k in ("cpu family", "model") if k in facts)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{model} ({kinds}), {vectors}, {os.cpu_count()} processors of which {threads} are used, "
        f"{memory:.0f} GiB"
    )


def milliseconds(seconds):
    return f"{1e3 * seconds:,.0f}" if seconds >= 0.1 else f"{1e3 * seconds:.3g}"


def markdown(head, rows):
    """A table of cells that are texts; numbers, all but the first column, to the right."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def write(path, part, text):
    """Replaces what an earlier run wrote into the file as this part, and nothing else."""
    begin, end = f"<!-- {part}: begin -->", f"<!-- {part}: end -->"
    text = f"{begin}\n{text}\n{end}\n"
    old = path.read_text() if path.exists() else "# Results\n"
    if begin in old:
        before, rest = old.split(begin, 1)
        text = before + text + rest.split(end, 1)[1].removeprefix("\n")
    else:
        text = old.rstrip("\n") + "\n\n" + text
    path.write_text(text)
