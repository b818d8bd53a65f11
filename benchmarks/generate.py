"""The rows of `generate`: samples on the disk beside the loops of others, and where its time goes.

All on one CPU and one thread, but for the row of two workers. Ours is the time of a whole job with
its records, flushed to the disk, shared among its samples; the others write plain files.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from types import SimpleNamespace
from unittest import mock

import numpy as np
import SimpleITK as sitk  # noqa: N813 - its users' name for it

import millimorph as mm
from benchmarks.comparisons import Contest, InstalledRival, PeerRival, Settings, compare
from benchmarks.inputs import (
    BIAS_STD,
    CONTROL_POINTS,
    GAMMA,
    MAGNITUDE_MM,
    NOISE_STD,
    label_array,
    source_array,
)
from benchmarks.ours import ELASTIC, IMAGE, LABELS, image_case, prepare, with_labels
from benchmarks.plan import Plan
from benchmarks.table import Comparison, Gate, Row
from benchmarks.timing import race
from millimorph.generate import DatasetRequest, Progress, generate_dataset, local, work
from millimorph.generate.limits import Limits
from millimorph.io import atomic
from millimorph.phantoms import torso

SAMPLES = 20
LOOP_SAMPLES = 100
"""As many as make the start of a job small beside them, as in any job worth its name."""
_STEADY_AFTER = 0.2
_CT_SPACING, _CT_ORIGIN = (352.0, 281.6, 288.0), (-174.9, -139.7, -142.5)


def loops(settings: Settings) -> list[Comparison]:
    """Affine and elastic, gamma, noise; an image of float32 and a label map, to .nii.gz."""
    size = settings.plan.small_size
    intensity = (mm.Gamma(gamma=GAMMA), mm.GaussianNoise(std=NOISE_STD))
    case = with_labels(image_case(size))
    described = prepare(case, ELASTIC, intensity=intensity)
    with _folder() as folder, _cpus(1):
        mm.write_image(case.images[IMAGE], folder / "in" / "case_image.nii.gz")
        mm.write_labels(case.labels[LABELS], folder / "in" / "case_labels.nii.gz")
        pipeline = mm.Pipeline(
            spatial=ELASTIC, intensity=intensity, images=mm.ImageSampling(fill=0.0, antialias=False)
        )
        rivals = (
            InstalledRival("SimpleITK loop", _simpleitk_loop(size, folder), gate=10.0),
            PeerRival("torchio", "TorchIO loop", gate=10.0),
            PeerRival("monai", "MONAI loop", gate=10.0),
        )
        job = _Job(folder, pipeline, ".nii.gz", _Extent(count=LOOP_SAMPLES))
        job.seconds()
        title = "generate: affine, elastic, gamma, noise to .nii.gz"
        contest = Contest(title, described, job.seconds, rivals, settings.plan.slow_rounds)
        return [_for_one_sample(line) for line in compare(contest, settings)]


def _for_one_sample(line: Comparison) -> Comparison:
    """Ours made a whole job in the time that was measured."""
    ratio = None if line.row.value is None else line.row.value * LOOP_SAMPLES
    return replace(line, row=replace(line.row, value=ratio), ours_ns=line.ours_ns / LOOP_SAMPLES)


def share_rows(plan: Plan) -> list[Row]:
    """Which part of one process's time the stages take, what compression and records cost."""
    with _folder() as folder, _cpus(1):
        _write_ct(plan.small_size, folder / "in")
        rows = []
        for suffix in (".mha", ".nii", ".nii.gz"):
            job = _Job(folder, _CT_PIPELINE, suffix, _HERE)
            job.seconds()
            best = min((job.timed() for _ in range(plan.rounds)), key=lambda times: times[0])
            whole, stages = (1000.0 * seconds / SAMPLES for seconds in best)
            note = f"stages {stages:.1f} of {whole:.1f} ms a sample"
            if suffix == ".nii.gz":
                value, gate = (whole - stages) / stages, Gate("at most", 2.0)
                rows.append(Row("all but the stages / stages, .nii.gz", value, "", gate, note))
            else:
                gate = Gate("at least", 0.6)
                rows.append(Row(f"share of the stages, {suffix}", stages / whole, "", gate, note))
        return [*rows, _records_row(folder, plan)]


def worker_rows(plan: Plan) -> list[Row]:
    """Samples a second of two workers on two CPUs over those of one on one, once both are at work.

    Start-up is left out: a job of thousands of samples does not see it.
    """
    title = "two workers / one"
    gate = Gate("at least", 1.8)
    if len(os.sched_getaffinity(0)) < 2:
        return [Row(title, None, "", gate, "needs two CPUs")]
    with _folder() as folder:
        _write_ct(plan.small_size, folder / "in")
        jobs = {
            workers: _Job(folder, _CT_PIPELINE, ".nii.gz", _Extent(workers, 8 * SAMPLES))
            for workers in (1, 2)
        }
        rounds = [
            {workers: job.steady_rate() for workers, job in jobs.items()}
            for _ in range(plan.slow_rounds)
        ]
    one, two = (max(rates[workers] for rates in rounds) for workers in (1, 2))
    return [Row(title, two / one, "", gate, f"{two:.1f} and {one:.1f} samples a second")]


_CT_PIPELINE = mm.Pipeline(
    spatial=(
        mm.Affine(rotation_deg=mm.Uniform(-10.0, 10.0), scale=mm.Uniform(0.9, 1.1)),
        mm.Elastic(control_points=CONTROL_POINTS, magnitude_mm=mm.Uniform(1.0, MAGNITUDE_MM)),
    ),
    intensity=(
        mm.BiasField(log_sd=BIAS_STD),
        mm.Gamma(gamma=mm.LogUniform(0.7, 1.5)),
        mm.GaussianNoise(std=mm.Uniform(0.0, 20.0)),
    ),
)


@dataclass(frozen=True)
class _Extent:
    """Worker processes, with a CPU each, and the samples that they make together.

    Without limits one worker is this process, whose parts can be measured.
    """

    workers: int = 1
    count: int = SAMPLES
    limits: Limits | None = field(default_factory=Limits)


_HERE = _Extent(limits=None)


class _Job:
    """A job on the one case in folder/in, made anew each time."""

    def __init__(
        self, folder: Path, pipeline: mm.Pipeline, suffix: str, extent: _Extent | None = None
    ) -> None:
        extent = _Extent() if extent is None else extent
        self._cpus = extent.workers
        self._out = folder / "out"
        self._request = DatasetRequest(
            folder=folder / "in",
            pipeline=pipeline,
            out=self._out,
            images={IMAGE: "{case}_image.nii.gz"},
            labels={LABELS: "{case}_labels.nii.gz"},
            count=extent.count,
            suffix=suffix,
            workers=extent.workers,
            limits=extent.limits,
        )

    def seconds(self) -> float:
        """Return the seconds of the whole job."""
        shutil.rmtree(self._out, ignore_errors=True)
        begin = perf_counter()
        report = generate_dataset(self._request)
        seconds = perf_counter() - begin
        if report.failures:
            raise RuntimeError(report.failures[0].reason)
        return seconds

    def timed(self) -> tuple[float, float]:
        """Return the seconds of the whole job and those of its stages."""
        spent = [0.0]

        def run(*arguments: object, **named: object) -> object:
            begin = perf_counter()
            result = plain_run(*arguments, **named)
            spent[0] += perf_counter() - begin
            return result

        plain_run = work.run
        with mock.patch.object(work, "run", run):
            return self.seconds(), spent[0]

    def steady_rate(self) -> float:
        """Return samples a second after the first fifth of them."""
        seen: list[tuple[int, float]] = []

        def show(progress: Progress) -> None:
            seen.append((progress.done, progress.seconds))

        shutil.rmtree(self._out, ignore_errors=True)
        with _cpus(self._cpus):
            generate_dataset(self._request, show)
        last_done, last = seen[-1]
        done, begin = next(one for one in seen if one[0] >= _STEADY_AFTER * last_done)
        return (last_done - done) / (last - begin)


class _NoDigest:
    """Stands for SHA-256 where its cost is taken away."""

    def update(self, _: object) -> None:
        pass

    def hexdigest(self) -> str:
        return "0" * 64


def _records_row(folder: Path, plan: Plan) -> Row:
    """What is saved by a job that does not digest its files, note its samples or flush anything."""
    job = _Job(folder, _CT_PIPELINE, ".nii.gz", _HERE)

    def bare() -> float:
        with (
            mock.patch.object(atomic, "hashlib", SimpleNamespace(sha256=_NoDigest)),
            mock.patch.object(os, "fsync", return_value=None),
            mock.patch.object(local.RunNotes, "append", return_value=None),
        ):
            return job.seconds()

    best = race({"whole": job.seconds, "bare": bare}, plan.rounds)
    whole, without = (1000.0 * best[name] / SAMPLES for name in ("whole", "bare"))
    note = f"{whole:.1f} and {without:.1f} ms a sample"
    title = "digests, notes and fsync, .nii.gz"
    return Row(title, 100.0 * (whole - without) / whole, "%", Gate("at most", 5.0), note)


def _simpleitk_loop(size: int, folder: Path) -> Callable[[], np.ndarray]:
    """The notebook's loop: a composite of an affine map and a B-spline, one Resample per image."""
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    image = sitk.GetImageFromArray(source_array(size))
    labels = sitk.GetImageFromArray(label_array(size))
    maps = mm.to_sitk(prepare(image_case(size), ELASTIC).pull)
    lowest, highest = (float(f(source_array(size))) for f in (np.min, np.max))

    def run() -> np.ndarray:
        moved = sitk.Resample(image, image, maps, sitk.sitkLinear, 0.0)
        moved_labels = sitk.Resample(labels, labels, maps, sitk.sitkNearestNeighbor, 0)
        unit = sitk.Clamp((moved - lowest) / (highest - lowest), sitk.sitkFloat32, 0.0, 1.0)
        curved = sitk.Pow(unit, GAMMA) * (highest - lowest) + lowest
        noisy = sitk.AdditiveGaussianNoise(curved, NOISE_STD)
        sitk.WriteImage(noisy, str(folder / "loop_image.nii.gz"))
        sitk.WriteImage(moved_labels, str(folder / "loop_labels.nii.gz"))
        return sitk.GetArrayFromImage(noisy)

    run()
    return run


def _write_ct(size: int, folder: Path) -> None:
    """Write a CT-like image of int16 with noise, and its label map."""
    case = torso()
    spacing = tuple(extent / size for extent in _CT_SPACING)
    grid = mm.ImageGrid(size=(size,) * 3, spacing_mm=spacing, origin_mm=_CT_ORIGIN)
    voxels = mm.resample(case.images["ct"], onto=grid).array
    noise = np.random.default_rng(1).normal(0.0, 15.0, voxels.shape)
    image = mm.ScalarImage(np.rint(voxels + noise).astype(np.int16), grid)
    mm.write_image(image, folder / "case_image.nii.gz")
    mm.write_labels(mm.resample(case.labels["organs"], onto=grid), folder / "case_labels.nii.gz")


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="millimorph-benchmark-") as name:
        (Path(name) / "in").mkdir()
        yield Path(name)


@contextmanager
def _cpus(count: int) -> Iterator[None]:
    """Hold this process and those it starts to some of its CPUs."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[-count:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
