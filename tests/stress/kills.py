"""Kill a job at random moments, in every way, and hold what is there against an uninterrupted run.

Run by hand: `python tests/stress/kills.py --kills 300 --seed 1`. After each kill every visible file
must be complete and equal to that of the uninterrupted run, and what was finished must not have
been rewritten. Now and then the job is let through, must end well and leave no temporary file;
then it begins anew.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from data_sets import IMAGES, LABELS, LANDMARKS, PIPELINE, tree, write_cases

from millimorph.generate import Sidecar
from millimorph.generate.manifest import is_notes
from millimorph.io.atomic import TEMPORARY_PREFIX
from millimorph.recipe import dump_pipeline

SAMPLES = 12
WORKERS = 2
SHORTEST_WAIT_S, LONGEST_WAIT_S = 0.5, 3.0
LONGEST_RUN_S = 120.0
KILLS_BETWEEN_ENDS = 12
WAYS = ("kill group", "kill worker", "stop worker", "kill parent", "interrupt", "terminate")
CODES = {"interrupt": 130, "terminate": 143}


@dataclass
class Harness:
    """A small job, what it should make, and what has been found so far."""

    folder: Path
    chance: random.Random
    wanted: dict[str, bytes] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.inputs = write_cases(self.folder)
        self.pipeline = self.folder / "pipeline.yaml"
        self.pipeline.write_text(dump_pipeline(PIPELINE))
        begin = time.monotonic()
        self._ends_well(self._start(self.folder / "wanted"), self.folder / "wanted")
        self.run_s = time.monotonic() - begin
        self.wanted = tree(self.folder / "wanted")

    def _start(self, out: Path) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "millimorph", "generate", str(self.inputs)]
        command += ["--pipeline", str(self.pipeline), "--out", str(out), "--count", str(SAMPLES)]
        for option, patterns in (("image", IMAGES), ("label", LABELS), ("landmarks", LANDMARKS)):
            command += [f"--{option}", *(f"{name}={text}" for name, text in patterns.items())]
        command += ["--backend", "reference", "--workers", str(WORKERS)]
        return subprocess.Popen(  # noqa: S603 - our own words
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def kill(self, way: str, out: Path) -> None:
        """Start the job, end it in one way at a random moment, and look at what there is."""
        before = _times(out)
        process = self._start(out)
        time.sleep(self.chance.uniform(SHORTEST_WAIT_S, min(LONGEST_WAIT_S, self.run_s)))
        if way in {"kill worker", "stop worker"}:
            self._harm_a_worker(process, way)
            self._ends_well(process, out)
        else:
            number = {"interrupt": signal.SIGINT, "terminate": signal.SIGTERM}.get(
                way, signal.SIGKILL
            )
            with suppress(ProcessLookupError):
                if way in {"kill group", "interrupt", "terminate"}:
                    os.killpg(process.pid, number)
                else:
                    process.send_signal(number)
            _, told = process.communicate(timeout=LONGEST_RUN_S)
            codes = {0, -number, CODES.get(way, -number)}
            check(process.returncode in codes, f"ended with {process.returncode}: {told}")
            check("Traceback" not in told or way == "interrupt", told)
            if process.returncode in CODES.values():
                check("the same command goes on" in told, told)
                left = [path for path in out.rglob(f"{TEMPORARY_PREFIX}*") if not is_notes(path)]
                check(not left, f"left behind: {left}")
            self._group_is_gone(process.pid)
        self._look(out, before)
        self.done[way] += 1

    def let_through(self, out: Path) -> None:
        """Resume: it must end well, rewrite nothing, and leave what the uninterrupted run left."""
        before = _times(out)
        self._ends_well(self._start(out), out)
        self._look(out, before)
        self.done["let through"] += 1

    def _harm_a_worker(self, process: "subprocess.Popen[str]", way: str) -> None:
        children = _children(process.pid)
        if children:
            number = signal.SIGKILL if way == "kill worker" else signal.SIGSTOP
            with suppress(ProcessLookupError):
                os.kill(self.chance.choice(children), number)
        else:
            self.done[f"{way}: too early or late"] += 1

    def _ends_well(self, process: "subprocess.Popen[str]", out: Path) -> None:
        begin = time.monotonic()
        _, told = process.communicate(timeout=LONGEST_RUN_S)
        self.seconds.append(time.monotonic() - begin)
        check(process.returncode == 0, f"ended with {process.returncode}: {told}")
        if self.wanted:
            found = tree(out)
            names = found.keys() | self.wanted
            differing = [name for name in names if found.get(name) != self.wanted.get(name)]
            check(not differing, f"other than in an uninterrupted run: {differing[:5]}")

    @staticmethod
    def _group_is_gone(group: int) -> None:
        for _ in range(100):
            try:
                os.killpg(group, 0)
            except (ProcessLookupError, PermissionError):
                return
            time.sleep(0.1)
        check(found=False, text="workers live on without their parent")

    def _look(self, out: Path, before: dict[Path, tuple[int, int]]) -> None:
        for name, content in tree(out).items():
            if not Path(name).name.startswith(".") and name != "manifest.jsonl":
                check(self.wanted.get(name) == content, f"{name} is not as it should be")
        for path in out.glob("*/*__*.json"):
            for output in Sidecar.read(path).outputs.values():
                check((path.parent / output.file).is_file(), f"{path} stands without its files")
        after = _times(out)
        for path, times in before.items():
            check(after.get(path) == times, f"{path} was finished and was written again")


def check(found: bool, text: str) -> None:
    """Stop at the first thing that is wrong."""
    if not found:
        raise AssertionError(text)


def _times(out: Path) -> dict[Path, tuple[int, int]]:
    """When the files of finished samples were written, and which file on the disk they are."""
    found = {}
    for path in out.glob("*/*__*.json"):
        for one in (path, *(path.parent / output.file for output in _outputs(path))):
            stat = one.stat()
            found[one] = (stat.st_mtime_ns, stat.st_ino)
    return found


def _outputs(path: Path) -> list[object]:
    return list(Sidecar.read(path).outputs.values())


def _children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
    except OSError:
        return []
    return [int(word) for word in text.split()]


def stress(folder: Path, kills: int, seed: int, ways: tuple[str, ...] = WAYS) -> Harness:
    """Do so many kills; AssertionError with the seed at the first thing that is wrong."""
    harness = Harness(folder, random.Random(seed))  # noqa: S311 - moments, not secrets
    out, job = folder / "out-0", 0
    for number in range(kills):
        way = ways[number % len(ways)]
        try:
            harness.kill(way, out)
            if len(_times(out)) == len(_times(folder / "wanted")):
                harness.let_through(out)
                job += 1
                out = folder / f"out-{job}"
            elif number % KILLS_BETWEEN_ENDS == KILLS_BETWEEN_ENDS - 1:
                harness.let_through(out)
        except Exception as error:
            raise AssertionError(f"seed {seed}, kill {number} ({way}): {error}") from error
    harness.let_through(out)
    return harness


def main() -> None:
    """Read the options and say what was done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    sys.stdout.write(f"{options.kills} kills, seed {options.seed}\n")
    sys.stdout.flush()
    with TemporaryDirectory(prefix="millimorph-kills-") as folder:
        harness = stress(Path(folder), options.kills, options.seed)
        for what, count in sorted(harness.done.items()):
            sys.stdout.write(f"{count:5d}  {what}\n")
        longest = max(harness.seconds)
        sys.stdout.write(f"nothing was wrong; the longest run took {longest:.1f} s\n")


if __name__ == "__main__":
    main()
