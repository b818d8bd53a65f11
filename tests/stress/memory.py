"""What a worker holds in memory: at its peak for a large sample, and after many small ones.

Run by hand: `python tests/stress/memory.py --samples 10000 --edge 256`. Guaranteed are 4 times the
largest sample and 400 MB for the peak, and less than 1 MB per 1000 samples of growth.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

import numpy as np
from data_sets import PIPELINE, request, write_case

from millimorph.distributions import Uniform
from millimorph.generate.local import prepared
from millimorph.generate.pool import Crew
from millimorph.generate.work import SampleMaker, Task
from millimorph.geometry import ImageGrid
from millimorph.images import ScalarImage
from millimorph.io import write_image
from millimorph.ops import Affine, Elastic, GaussianBlur, GaussianNoise
from millimorph.recipe import Pipeline

MB = 1e6
MOST_PER_SAMPLE, MOST_BESIDES = 4.0, 400 * MB
MOST_GROWTH_PER_1000 = 1.0 * MB
LARGE = Pipeline(
    spatial=(
        Affine(rotation_deg=Uniform(-10, 10)),
        Elastic(control_spacing_mm=40, magnitude_mm=Uniform(0, 6)),
    ),
    intensity=(GaussianBlur(sigma_mm=1.5), GaussianNoise(std=Uniform(0, 5))),
)
_PEAK = "import sys; sys.path.insert(0, sys.argv[1]); import memory; memory.print_peak(sys.argv[2])"


def held_bytes() -> int:
    """The resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def peak_bytes() -> int:
    """The most memory that this process has ever held."""
    row = next(row for row in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in row)
    return 1024 * int(row.split()[1])


def held_after(folder: Path, every: int, times: int) -> Iterator[int]:
    """Make small samples as a worker does; yield what is held after each `every` of them."""
    inputs = folder / "in"
    inputs.mkdir()
    write_case(inputs, "p1", (12, 10, 8))
    asked = request(inputs, folder / "out", count=every * times, pipeline=PIPELINE, backend="cpu")
    with Crew(1) as crew:
        work = prepared(asked, crew)
    asked.out.mkdir()
    maker = SampleMaker(work.job)
    case = work.tasks[0].case
    for start in range(0, every * times, every):
        for _ in maker.steps(Task(case, start, start + every)):
            pass
        shutil.rmtree(asked.out / "p1")
        yield held_bytes()


def growth_per_1000(held: list[int], every: int) -> float:
    """The slope of a straight line through what was held, in bytes per 1000 samples."""
    samples = np.arange(len(held)) * (every / 1000)
    return float(np.polyfit(samples, held, 1)[0])


def write_large_case(folder: Path, edge: int) -> int:
    """Write a cube of float32 into a folder and return its bytes."""
    (folder / "in").mkdir()
    grid = ImageGrid((edge,) * 3, (1.0, 1.0, 1.0))
    values = np.random.default_rng(1).normal(size=grid.shape).astype(np.float32)
    write_image(ScalarImage(values, grid), folder / "in" / "p1_ct.nii.gz")
    return values.nbytes


def peak_of_worker(folder: Path) -> int:
    """The peak of a process of its own that makes two large samples."""
    command = [sys.executable, "-c", _PEAK, str(Path(__file__).parent), str(folder)]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603
    return int(said.stdout)


def print_peak(folder: str) -> None:
    """Make two large samples as a worker does, and print the peak."""
    inputs, out = Path(folder) / "in", Path(folder) / "out"
    asked = request(inputs, out, pipeline=LARGE, count=2, backend="cpu", labels={}, landmarks={})
    with Crew(1) as crew:
        work = prepared(asked, crew)
    out.mkdir()
    made = list(SampleMaker(work.job).outcomes(work.tasks[0]))
    if len(made) != 2:
        raise AssertionError(f"two samples were to be made, got {made}")
    sys.stdout.write(f"{peak_bytes()}\n")


def main() -> None:
    """Measure and print both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--edge", type=int, default=256)
    options = parser.parse_args()
    with TemporaryDirectory(prefix="millimorph-memory-") as folder:
        size = write_large_case(Path(folder), options.edge)
        peak = peak_of_worker(Path(folder))
        bound = MOST_PER_SAMPLE * size + MOST_BESIDES
        sys.stdout.write(
            f"peak for a sample of {size / MB:.0f} MB: {peak / MB:.0f} MB, "
            f"bound {bound / MB:.0f} MB\n"
        )
    every = max(1, options.samples // 20)
    with TemporaryDirectory(prefix="millimorph-memory-") as folder:
        held = list(held_after(Path(folder), every, 20))
        growth = growth_per_1000(held[2:], every)
        sys.stdout.write(
            f"held after {every} and {20 * every} samples: {held[0] / MB:.1f} and "
            f"{held[-1] / MB:.1f} MB; growth {growth / MB:.3f} MB per 1000 samples\n"
        )


if __name__ == "__main__":
    main()
