"""`make_demo`: phantoms as files, a starter pipeline run on them, and a contact sheet of it all."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from millimorph._version import __version__
from millimorph.errors import OutputError
from millimorph.generate import (
    DatasetReport,
    DatasetRequest,
    Sidecar,
    generate_dataset,
)
from millimorph.generate.local import Show
from millimorph.images import Case
from millimorph.io import (
    read_image,
    read_labels,
    read_landmarks,
    write_image,
    write_labels,
    write_landmarks,
)
from millimorph.io.atomic import is_temporary, write_text
from millimorph.phantoms import PHANTOM_LABEL_NAMES, phantom_cases
from millimorph.pipelines import get_pipeline
from millimorph.recipe import dump_pipeline
from millimorph.report import contact_sheet
from millimorph.runner import AugmentedCase

MARK_FILE = "demo.json"
SAMPLES_PER_CASE = 3
_PIPELINE = "starter"


@dataclass(frozen=True)
class Demo:
    """Where a demo put things."""

    out: Path
    originals: Path
    pipeline: Path
    sheet: Path
    report: DatasetReport


def make_demo(out: Path, show: Show | None = None, workers: int = 1) -> Demo:
    """Write phantoms, augment them with the starter pipeline and draw the contact sheet.

    Raises OutputError when `out` holds files that are not of a demo, or cannot be written to.
    """
    _claim(out)
    originals, pipeline = out / "originals", out / "pipeline.yaml"
    originals.mkdir(exist_ok=True)
    cases = [_with_common_names(case) for case in phantom_cases()]
    for case in cases:
        _write_case(case, originals)
    dump_pipeline(get_pipeline(_PIPELINE), pipeline)
    request = DatasetRequest(
        folder=originals,
        pipeline=get_pipeline(_PIPELINE),
        out=out / "augmented",
        images={"image": "{case}_image.nii.gz"},
        labels={"labels": "{case}_labels.nii.gz"},
        landmarks={"points": "{case}_points.csv"},
        count=SAMPLES_PER_CASE,
        workers=workers,
    )
    report = generate_dataset(request, show)
    sheet = out / "contact_sheet.png"
    pairs = [(case, list(_samples(case, report.out))) for case in cases]
    contact_sheet(pairs, sheet, PHANTOM_LABEL_NAMES)
    return Demo(out, originals, pipeline, sheet, report)


def _claim(out: Path) -> None:
    """Mark the folder as a demo's before anything else is written to it."""
    mark = out / MARK_FILE
    try:
        out.mkdir(parents=True, exist_ok=True)
        names = sorted(one.name for one in out.iterdir() if not is_temporary(one))
    except OSError as error:
        raise OutputError(f"{out}: cannot be used: {error.strerror or error}") from None
    if names and not _is_mark(mark):
        raise OutputError(
            f'{out} holds files that are not of a demo (such as "{names[0]}"); nothing was '
            f"touched, choose a new folder: millimorph demo FOLDER"
        )
    write_text(mark, json.dumps({"millimorph demo": __version__}) + "\n")


def _is_mark(path: Path) -> bool:
    try:
        return "millimorph demo" in json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, TypeError):
        return False


def _with_common_names(case: Case) -> Case:
    """Give the parts of a phantom the names that all cases of the folder share."""
    return Case(
        id=case.id,
        images=dict.fromkeys(["image"], next(iter(case.images.values()))),
        labels=dict.fromkeys(["labels"], next(iter(case.labels.values()))),
        landmarks=dict.fromkeys(["points"], next(iter(case.landmarks.values()))),
    )


def _write_case(case: Case, folder: Path) -> None:
    write_image(case.images["image"], folder / f"{case.id}_image.nii.gz")
    write_labels(case.labels["labels"], folder / f"{case.id}_labels.nii.gz")
    write_landmarks(case.landmarks["points"], folder / f"{case.id}_points.csv")


def _samples(case: Case, out: Path) -> Iterator[AugmentedCase]:
    """Read the samples of a case back from their files."""
    for path in sorted((out / case.id).glob(f"{case.id}__*.json")):
        sidecar = Sidecar.read(path)
        files = {role: path.parent / output.file for role, output in sidecar.outputs.items()}
        yield AugmentedCase(
            case.id,
            {"image": read_image(files["image"])},
            {"labels": read_labels(files["labels"])},
            {"points": read_landmarks(files["points"])},
            recipe=sidecar.parsed_recipe(),
        )
