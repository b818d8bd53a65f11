"""How long a finished job of many samples takes to resume, and its records to be written and read.

`python -m benchmarks.resume` from the repository root. One sample of each of 100 tiny cases is
made; the other files of 100 000 samples are copies under the names that they would have (links,
where the disk has them). One process; the disk's cache is warm. `--samples` makes fewer.
"""

import argparse
import os
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import perf_counter, process_time
from typing import TypeVar

import numpy as np

from millimorph.generate import (
    DatasetReport,
    DatasetRequest,
    Sidecar,
    generate_dataset,
    job_status,
    read_manifest,
)
from millimorph.generate.lines import manifest_content, sealed
from millimorph.generate.manifest import MANIFEST_FILE, merge_manifest
from millimorph.generate.records import write_records
from millimorph.generate.sidecar import sample_name
from millimorph.geometry import ImageGrid
from millimorph.images import LabelMap, ScalarImage
from millimorph.io import write_image, write_labels
from millimorph.ops import Affine
from millimorph.recipe import Pipeline

CASES = 100
SAMPLES = 100_000
BOUND_S = 10.0

Result = TypeVar("Result")


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the job, resume it and print what it took; 1 if resuming took too long."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.resume", description=__doc__)
    parser.add_argument("--samples", type=int, default=SAMPLES, help="samples in all")
    parser.add_argument(
        "--folder", type=Path, default=None, help="where to work; default: a new one"
    )
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="millimorph-resume-", dir=options.folder) as folder:
        return _measured(Path(folder), options.samples // CASES)


def _measured(folder: Path, count: int) -> int:
    inputs, out = folder / "in", folder / "out"
    _write_cases(inputs)
    _timed("make one sample of each case", lambda: _generate(inputs, out, 1))
    _timed("copy them (not measured)", lambda: _multiply(out, count))
    _timed("sort the manifest", lambda: merge_manifest(out, None))
    _timed("write Parquet and card", lambda: write_records(out))
    seconds, report = _timed("resume", lambda: _generate(inputs, out, count))
    _timed("read the manifest", lambda: len(read_manifest(out)))
    _timed("status", lambda: job_status(out))
    megabytes = (out / MANIFEST_FILE).stat().st_size / 1e6
    print(f"{report.kept} samples were kept, {report.made} made; manifest {megabytes:.0f} MB")
    if report.kept != CASES * count or report.made:
        raise RuntimeError("the job was not taken for finished")
    verdict = "met" if seconds < BOUND_S else "NOT met"
    print(f"bound for resuming {SAMPLES} samples: {BOUND_S:.0f} s, {verdict}")
    return 0 if seconds < BOUND_S else 1


def _timed(what: str, work: Callable[[], Result]) -> tuple[float, Result]:
    begin, begin_cpu = perf_counter(), process_time()
    result = work()
    seconds, cpu = perf_counter() - begin, process_time() - begin_cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(
        f"{what:<30}{seconds:8.2f} s ({cpu:.2f} s of CPU), peak memory so far {peak:.0f} MB",
        flush=True,
    )
    return seconds, result


def _write_cases(inputs: Path) -> None:
    inputs.mkdir()
    grid = ImageGrid((6, 5, 4), (2.0, 2.0, 3.0))
    for k in range(CASES):
        voxels = (np.arange(grid.voxel_count) + k).reshape(grid.shape)
        write_image(ScalarImage(voxels.astype(np.int16), grid), inputs / f"p{k:03d}_ct.nii.gz")
        labels = LabelMap((voxels % 3).astype(np.uint8), grid)
        write_labels(labels, inputs / f"p{k:03d}_organs.nii.gz")


def _generate(inputs: Path, out: Path, count: int) -> DatasetReport:
    return generate_dataset(
        DatasetRequest(
            folder=inputs,
            pipeline=Pipeline(spatial=(Affine(scale=1.1),)),
            out=out,
            images={"ct": "{case}_ct.nii.gz"},
            labels={"organs": "{case}_organs.nii.gz"},
            count=count,
            backend="reference",
        )
    )


def _multiply(out: Path, count: int) -> None:
    """Write files and sidecars of all samples, and the manifest's rows as notes of a run."""
    with (out / MANIFEST_FILE).open("ab") as notes:
        for first in sorted(out.glob("*/*__0000.json")):
            for row in _copies(first, count):
                notes.write(row)


def _copies(first: Path, count: int) -> Iterator[bytes]:
    sidecar = Sidecar.read(first)
    for index in range(1, count):
        name = sample_name(first.parent.name, index)
        outputs = {}
        for role, one in sidecar.outputs.items():
            file = one.file.replace(first.stem, name)
            _link(first.parent / one.file, first.parent / file)
            outputs[role] = one.model_copy(update={"file": file})
        recipe = {**sidecar.recipe, "index": index}
        made = sidecar.model_copy(update={"outputs": outputs, "recipe": recipe})
        text = made.text().encode()
        (first.parent / f"{name}.json").write_bytes(text)
        yield sealed(manifest_content(made, first.parent.name, text))


def _link(original: Path, copy: Path) -> None:
    try:
        os.link(original, copy)
    except OSError:
        shutil.copyfile(original, copy)


if __name__ == "__main__":
    sys.exit(main())
