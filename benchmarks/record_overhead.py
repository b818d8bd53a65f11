"""What share of making a 128³ sample goes into its records, and into what.

`python -m benchmarks.record_overhead` from the repository root. CT and labels, a pipeline with an
elastic field, gamma and noise, one thread, `.nii.gz`. Times are the CPU's, so that other work
on the machine counts for little; only fsync, which waits for the disk, is taken by the clock. The
median counts.
"""

import hashlib
import os
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import perf_counter, process_time
from typing import Any
from unittest.mock import patch

import numpy as np
from scipy.ndimage import gaussian_filter

from millimorph.designs import Random
from millimorph.distributions import LogUniform, Uniform
from millimorph.generate import DatasetRequest, sample, work
from millimorph.generate.inputs import CaseInput
from millimorph.generate.local import prepared
from millimorph.generate.pool import Crew
from millimorph.generate.work import Finished, Job, SampleMaker, Task
from millimorph.geometry import ImageGrid
from millimorph.images import LabelMap, ScalarImage
from millimorph.io import write_image, write_labels
from millimorph.ops import Affine, Elastic, Gamma, GaussianNoise
from millimorph.recipe import Pipeline

SIZE = 128
SAMPLES = 24
BOUND = 0.05
_PARTS = (
    (work, "measured", "measuring"),
    (work, "_finished", "manifest row"),
    (sample, "_recorded", "sidecar"),
    (os, "fsync", "fsync"),
)


def main() -> int:
    """Make samples and print the shares; 1 if they are over the bound."""
    with tempfile.TemporaryDirectory(prefix="millimorph-overhead-") as folder:
        times = _made(Path(folder))
    whole = statistics.median(one["whole"] for one in times)
    total = 0.0
    print(f"a sample takes {1e3 * whole:.1f} ms, of which")
    for name in (*(name for _, _, name in _PARTS), "digests"):
        seconds = statistics.median(one[name] for one in times)
        total += seconds
        print(f"  {name:<14}{1e3 * seconds:7.2f} ms {seconds / whole:7.1%}")
    print(f"  {'all records':<14}{1e3 * total:7.2f} ms {total / whole:7.1%}, bound {BOUND:.0%}")
    return 0 if total <= BOUND * whole else 1


def _made(folder: Path) -> list[dict[str, float]]:
    """Make samples one by one, with the seconds of each part; the first ones are warm-up."""
    job, case = _job(folder)
    times = []
    maker = SampleMaker(job)
    for index in range(SAMPLES):
        with _timed() as spent:
            begin = process_time()
            (outcome,) = maker.outcomes(Task(case, index, index + 1))
            spent["whole"] = process_time() - begin + spent["fsync"]
        if not isinstance(outcome, Finished):
            raise TypeError(f"a sample failed: {outcome}")
        spent["digests"] = _digest_time(job.out, outcome)
        times.append(spent)
    return times[4:]


def _digest_time(out: Path, made: Finished) -> float:
    """Digest the files of a sample again: they were while they were written."""
    contents = [(out / file).read_bytes() for file in made.line.files.values()]
    begin = process_time()
    for content in contents:
        hashlib.sha256(content)
    return process_time() - begin


def _job(folder: Path) -> tuple[Job, CaseInput]:
    inputs, out = folder / "in", folder / "out"
    inputs.mkdir()
    out.mkdir()
    _write_case(inputs)
    pipeline = Pipeline(
        spatial=(
            Affine(rotation_deg=Uniform(-10, 10)),
            Elastic(control_spacing_mm=40, magnitude_mm=Uniform(0, 6)),
        ),
        intensity=(Gamma(gamma=LogUniform(0.7, 1.5)), GaussianNoise(std_fraction=Uniform(0, 0.05))),
        design=Random(count=SAMPLES),
    )
    request = DatasetRequest(
        folder=inputs,
        pipeline=pipeline,
        out=out,
        images={"ct": "{case}_ct.nii.gz"},
        labels={"organs": "{case}_organs.nii.gz"},
        workers=os.cpu_count() or 1,
    )
    with Crew(1) as crew:
        found = prepared(request, crew)
    return found.job, found.cases[0]


def _write_case(inputs: Path) -> None:
    grid = ImageGrid((SIZE,) * 3, (1.5, 1.5, 2.0))
    dice = np.random.default_rng(0)
    smooth = gaussian_filter(dice.normal(size=grid.shape), 4)
    voxels = smooth / smooth.std() * 300 + dice.normal(size=grid.shape) * 20
    write_image(ScalarImage(voxels.astype(np.int16), grid), inputs / "p1_ct.nii.gz")
    organs = np.digitize(smooth / smooth.std(), (-1, 0, 1, 2)).astype(np.uint8)
    write_labels(LabelMap(organs, grid), inputs / "p1_organs.nii.gz")


@contextmanager
def _timed() -> Iterator[dict[str, float]]:
    """Take the time of the parts while they are called inside."""
    spent: dict[str, float] = defaultdict(float)
    with ExitStack() as stack:
        for module, function, name in _PARTS:
            timed = _with_time(getattr(module, function), spent, name)
            stack.enter_context(patch.object(module, function, timed))
        yield spent


def _with_time(
    function: Callable[..., Any], spent: dict[str, float], name: str
) -> Callable[..., Any]:
    clock = perf_counter if name == "fsync" else process_time

    def timed(*arguments: Any) -> Any:
        begin = clock()
        try:
            return function(*arguments)
        finally:
            spent[name] += clock() - begin

    return timed


if __name__ == "__main__":
    sys.exit(main())
