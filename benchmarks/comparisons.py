"""The rows that set millimorph beside other libraries: the same work, in turns, on one thread."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import SimpleITK as sitk  # noqa: N813 - its users' name for it

from benchmarks.inputs import Job
from benchmarks.installed_peers import Agreement, agreement, scipy_affine, simpleitk_resample
from benchmarks.ours import AFFINE, ELASTIC, Interpolation, Work, image_case, prepare
from benchmarks.peers import PeerError, interpreter_with, started
from benchmarks.plan import Plan
from benchmarks.table import Comparison, Gate, Row
from benchmarks.timing import best_call, race


@dataclass(frozen=True)
class Settings:
    """What a whole benchmark run is told."""

    plan: Plan
    peers_python: Path | None


@dataclass(frozen=True)
class InstalledRival:
    """A library of this environment; `run` has been called once and is warm."""

    name: str
    run: Callable[[], object]
    gate: float | None
    note: str = ""


@dataclass(frozen=True)
class PeerRival:
    """A library that may need the peers' environment; `package` is also its name in the plan."""

    package: str
    work: str
    gate: float | None


@dataclass(frozen=True)
class Contest:
    """Our work, the call that does it, and who does the same."""

    title: str
    work: Work
    run: Callable[[], object]
    rivals: tuple[InstalledRival | PeerRival, ...]
    rounds: int


def affine_linear(settings: Settings) -> list[Comparison]:
    """Affine map, linear interpolation, float32."""
    work = prepare(image_case(settings.plan.size), AFFINE, "linear")
    rivals = (
        simpleitk_rival(work, "linear", gate=4.5),
        scipy_rival(work),
        PeerRival("torch", "torch affine", gate=15.0),
        PeerRival("torchio", "TorchIO affine", gate=25.0),
        PeerRival("monai", "MONAI affine", gate=25.0),
    )
    return compare(
        Contest("affine, linear", work, work.run, rivals, settings.plan.rounds), settings
    )


def elastic_linear(settings: Settings) -> list[Comparison]:
    """Affine map and B-spline field, linear interpolation, at the large size."""
    work = prepare(image_case(settings.plan.size), ELASTIC, "linear")
    rivals = (
        simpleitk_rival(work, "linear", gate=120.0),
        PeerRival("torchio", "TorchIO affine + elastic", gate=35.0),
    )
    contest = Contest(
        "affine + B-spline, linear", work, work.run, rivals, settings.plan.slow_rounds
    )
    return compare(contest, settings)


def elastic_linear_small(settings: Settings) -> list[Comparison]:
    """Affine map and B-spline field, linear interpolation, at the size of a training patch."""
    work = prepare(image_case(settings.plan.small_size), ELASTIC, "linear")
    rivals = (
        PeerRival("torchio", "TorchIO affine + elastic", gate=20.0),
        PeerRival("monai", "MONAI affine + elastic", gate=200.0),
        PeerRival("batchgeneratorsv2", "batchgeneratorsv2 affine + elastic", gate=None),
    )
    contest = Contest("affine + B-spline, linear", work, work.run, rivals, settings.plan.rounds)
    return compare(contest, settings)


def affine_nearest(settings: Settings) -> list[Comparison]:
    """Affine map, nearest neighbour."""
    work = prepare(image_case(settings.plan.size), AFFINE, "nearest")
    rivals = (simpleitk_rival(work, "nearest", gate=4.0),)
    contest = Contest("affine, nearest", work, work.run, rivals, settings.plan.rounds)
    return compare(contest, settings)


def affine_cubic(settings: Settings) -> list[Comparison]:
    """Affine map, cubic B-spline interpolation, the prefilter included on both sides."""
    work = prepare(image_case(settings.plan.cubic_size), AFFINE, "cubic")
    rivals = (simpleitk_rival(work, "cubic", gate=5.0),)
    title = "affine, cubic with prefilter"
    contest = Contest(title, work, work.run_afresh, rivals, settings.plan.rounds)
    return compare(contest, settings)


def simpleitk_rival(work: Work, interpolation: Interpolation, gate: float) -> InstalledRival:
    """Return SimpleITK, warmed up by the run that is compared with ours voxel by voxel."""
    run = simpleitk_resample(work, interpolation)
    apart = agreement(work.run(), sitk.GetArrayFromImage(run()))
    name = f"SimpleITK {version('SimpleITK')}"
    return InstalledRival(name, run, gate, agreement_note(apart, interpolation))


def scipy_rival(work: Work) -> InstalledRival:
    """Return SciPy, warmed up; no gate."""
    run = scipy_affine(work)
    run()
    return InstalledRival(f"SciPy {version('scipy')} affine_transform", run, gate=None)


def agreement_note(apart: Agreement, interpolation: Interpolation) -> str:
    """Say how well two results agree: nearest is equal or not, the others differ by rounding."""
    same = (
        f"{apart.differing} voxels differ"
        if interpolation == "nearest"
        else f"agree within {apart.largest_sd:.1e} SD"
    )
    border = f", {apart.on_one_side} voxels outside for one only" if apart.on_one_side else ""
    return same + border


def compare(contest: Contest, settings: Settings) -> list[Comparison]:
    """Let ours and every rival that is there take turns, and return a row for each rival."""
    filled = float((contest.work.run() != 0).mean())
    with ExitStack() as stack:
        turns, notes = _entered(contest, filled, settings, stack)
        best = race(turns, contest.rounds)
    voxels = contest.work.size**3
    ours_ns = best["ours"] * 1e9 / voxels
    work = f"{contest.title}, {contest.work.size}³"
    comparisons = []
    for rival, (peer, note) in zip(_asked(contest.rivals, settings), notes, strict=True):
        gate = None if rival.gate is None else Gate("at least", rival.gate)
        peer_ns = best[peer] * 1e9 / voxels if peer in best else None
        ratio = None if peer_ns is None else peer_ns / ours_ns
        comparisons.append(Comparison(Row(work, ratio, "×", gate, note), ours_ns, peer, peer_ns))
    return comparisons


def _asked(
    rivals: Sequence[InstalledRival | PeerRival], settings: Settings
) -> list[InstalledRival | PeerRival]:
    return [
        rival
        for rival in rivals
        if isinstance(rival, InstalledRival) or rival.package in settings.plan.peers
    ]


def _entered(
    contest: Contest, filled: float, settings: Settings, stack: ExitStack
) -> tuple[dict[str, Callable[[], float]], list[tuple[str, str]]]:
    """Return everyone's call for one round by name, and each asked rival's name and note."""
    at_least_s = settings.plan.at_least_s
    turns: dict[str, Callable[[], float]] = {"ours": partial(best_call, contest.run, at_least_s)}
    index_map = contest.work.index_map()
    notes = []
    for rival in _asked(contest.rivals, settings):
        if isinstance(rival, InstalledRival):
            turns[rival.name] = partial(best_call, rival.run, at_least_s)
            notes.append((rival.name, rival.note))
            continue
        try:
            python = interpreter_with(rival.package, settings.peers_python)
            job = Job(rival.work, contest.work.size, index_map, at_least_s)
            peer = stack.enter_context(started(job, python))
        except PeerError as error:
            notes.append((rival.work, str(error)))
            continue
        name = f"{rival.work} ({peer.versions[rival.package]})"
        turns[name] = peer.one_round
        notes.append((name, f"filled {peer.inside:.0%}, ours {filled:.0%}"))
    return turns, notes
