"""The commands: each reads its arguments, calls one public function and says what is next.

A command imports what it needs when it runs.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from millimorph._version import __version__
from millimorph.errors import OutputError, PipelineError

DONE, FAILED, DONE_IN_PART = 0, 1, 3

_ROLE = Parameter(negative=(), consume_multiple=False, show_default=False)
_FURTHER = Parameter(
    negative=(), consume_multiple=False, show_default=False, allow_leading_hyphen=True
)
_PER_AXIS = Parameter(negative=(), consume_multiple=True)

Patterns = Annotated[tuple[str, ...], _ROLE]
LayoutName = Literal["auto", "nnunet", "decathlon", "bids", "table", "files"]

app = App(
    name="millimorph",
    version=__version__,
    help_format="plaintext",
    default_parameter=Parameter(negative=()),
)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


@app.command(
    help_epilogue="""Examples:
  millimorph demo
  millimorph demo /data/millimorph-demo"""
)
def demo(out: Path = Path("millimorph-demo"), /, *, workers: int = 1) -> int:
    """Make phantoms, augment them and draw a contact sheet, with no data of yours.

    Args:
        out: The folder to write to: a new one, or that of an earlier demo.
        workers: Processes.
    """
    from millimorph.cli.progress import shown_progress
    from millimorph.cli.texts import demo_text
    from millimorph.demo import make_demo

    with shown_progress() as show:
        made = make_demo(out, show, workers)
    _say(demo_text(made))
    return DONE


@app.command(
    help_epilogue="""nnU-Net, Decathlon and BIDS data sets and tables of cases need no patterns:
  millimorph generate Dataset001_Liver --pipeline ct --out augmented

Patterns are relative to FOLDER and hold {case} once, which names the case:
  millimorph generate data --pipeline ct --out augmented \\
      --image ct=images/{case}.nii.gz
  millimorph generate data --pipeline my.yaml --out augmented \\
      --image t1=images/{case}_t1.nii.gz --image t2=images/{case}_t2.nii.gz \\
      --label organs=labels/{case}.nii.gz \\
      --landmarks points=points/{case}.csv --count 20

The same command goes on where a stopped one ended.
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done with some cases left out."""
)
def generate(  # noqa: PLR0913 - one parameter per option
    folder: Path,
    /,
    *,
    pipeline: str,
    out: Path,
    image: Patterns = (),
    label: Patterns = (),
    landmarks: Patterns = (),
    layout: LayoutName = "auto",
    count: int | None = None,
    seed: int | None = None,
    format: str = "nii.gz",  # noqa: A002 - the option's name
    workers: int | None = None,
    backend: Literal["cpu", "reference"] = "cpu",
    shard: str = "1/1",
    dry_run: bool = False,
) -> int:
    """Write augmented samples of all cases in a folder, with labels and sidecars.

    Args:
        folder: The folder that holds the images.
        pipeline: A pipeline file, or the name of a starter pipeline (millimorph pipelines).
        out: The folder to write to: a new one, or that of the same job.
        image: NAME=PATTERN, may be repeated; without any, FOLDER's layout says what is what.
        label: NAME=PATTERN of label maps, may be repeated.
        landmarks: NAME=PATTERN of CSV files with the columns name, x, y, z (LPS, mm).
        layout: How FOLDER is laid out, without patterns; files: each image is a case.
        count: Samples per case; wins over the pipeline's design.
        seed: Wins over the pipeline's seed.
        format: File type of images and labels: nii.gz, nii, mha, nrrd, png, tif.
        workers: Processes; left out, one per CPU. The files do not depend on it.
        backend: cpu is fast; reference is slow, and the definition of correct.
        shard: Make only part I of N, as I/N; machines that share OUT take one part each.
        dry_run: Write nothing; say how many samples there would be, and about their size and time.
    """
    from millimorph.backends.cpus import available_cpus
    from millimorph.cli.progress import shown_progress
    from millimorph.cli.texts import design_text, layout_text, plan_text, report_text
    from millimorph.generate import DatasetRequest, Shard, generate_dataset, plan_dataset
    from millimorph.io import find_data_set
    from millimorph.pipelines import find_pipeline

    request = DatasetRequest(
        folder=folder,
        pipeline=find_pipeline(pipeline),
        out=out,
        images=_patterns("--image", image),
        labels=_patterns("--label", label),
        landmarks=_patterns("--landmarks", landmarks),
        layout=layout,
        count=count,
        seed=seed,
        suffix=f".{format.lstrip('.')}",
        workers=available_cpus() if workers is None else workers,
        backend=backend,
        shard=Shard.parse(shard),
    )
    _say(design_text(request.pipeline))
    if not (image or label or landmarks):
        _say(layout_text(folder, find_data_set(folder, layout)))
    if dry_run:
        plan = plan_dataset(request)
        _say(plan_text(plan, out))
        return DONE_IN_PART if plan.failures else DONE
    with shown_progress() as show:
        report = generate_dataset(request, show)
    _say(report_text(report))
    if not report.failures:
        return DONE
    return DONE_IN_PART if report.made + report.kept else FAILED


def _patterns(option: str, given: Sequence[str]) -> dict[str, str]:
    """Read NAME=PATTERN, each name once."""
    patterns: dict[str, str] = {}
    for text in given:
        name, sign, pattern = text.partition("=")
        if not (name and sign and pattern):
            raise PipelineError(
                f"{option} takes NAME=PATTERN, such as {option} ct=images/{{case}}.nii.gz, got "
                f"{text!r}"
            )
        if name in patterns:
            raise PipelineError(f"{option} {name}=… is given twice; every name has one pattern")
        patterns[name] = pattern
    return patterns


@app.command(
    help_epilogue="""Examples:
  millimorph inspect ct.nii.gz
  millimorph inspect data
  millimorph inspect data --json > data.json"""
)
def inspect(path: Path, /, *, json: bool = False) -> int:
    """Say what a file or folder holds: size, spacing, orientation, type, range, labels.

    Args:
        path: A file, a folder with a DICOM series, or a folder of files.
        json: Print JSON.
    """
    from millimorph.cli.progress import shown_counts
    from millimorph.cli.texts import json_text
    from millimorph.report import FolderInspection, inspect_path

    with shown_counts("files") as show:
        found = inspect_path(path, show)
    _say(json_text(found.as_data()) if json else found.text())
    files = found.files if isinstance(found, FolderInspection) else (found,)
    return DONE_IN_PART if any(file.error is not None for file in files) else DONE


@app.command(
    help_epilogue="""Examples:
  millimorph show ct --image ct.nii.gz
  millimorph show ct --image ct.nii.gz --window -160 240 --out ct.png
  millimorph show synthseg --labels brain.nii.gz
  millimorph show my.yaml --count 5 --like ct.nii.gz
  millimorph show my.yaml --size 256 256 120 --spacing 0.8 0.8 2.5
  millimorph show my.yaml --count 100 --json > recipes.jsonl"""
)
def show(  # noqa: PLR0913 - one parameter per option
    pipeline: str,
    /,
    *,
    image: Path | None = None,
    labels: Path | None = None,
    window: Annotated[tuple[float, float] | None, _PER_AXIS] = None,
    out: Path | None = None,
    count: int = 3,
    seed: int | None = None,
    size: Annotated[tuple[int, ...] | None, _PER_AXIS] = None,
    spacing: Annotated[tuple[float, ...] | None, _PER_AXIS] = None,
    like: Path | None = None,
    json: bool = False,
) -> int:
    """Draw each op of a pipeline on your image, or print its recipes and programs.

    With --image or --labels: a PNG with a row for each op, which shows the
    original and the op at the low end, in the middle and at the high end
    of its range. Without: recipes and programs for an imagined image.

    Args:
        pipeline: A pipeline file, or the name of a ready pipeline.
        image: Draw the ops on this image.
        labels: A label map of the image, for ops on labels and masks.
        window: The grey levels shown black and white, low high; left out, from the data.
        out: The PNG to write; left out, show_PIPELINE_IMAGE.png in this folder.
        count: How many recipes are printed.
        seed: Wins over the pipeline's seed.
        size: Size of the imagined image in voxels, x y z (or x y).
        spacing: Its spacing in mm.
        like: Take size, spacing and place of the imagined image from this file.
        json: Print only the recipes, one JSON text per line.
    """
    from millimorph.cli.showing import (
        draw_pipeline,
        imagined_case,
        pipeline_text,
        recipe_lines,
        sheet_path,
    )
    from millimorph.pipelines import find_pipeline

    found = find_pipeline(pipeline)
    if json:
        _say("\n".join(recipe_lines(found, count, seed)))
    elif image is None and labels is None:
        case = imagined_case(found, size, spacing, like)
        _say(pipeline_text(found, case, count, seed))
    else:
        seeded = found if seed is None else found.replace(seed=seed)
        sheet = sheet_path(pipeline, image or labels, out)
        draw_pipeline(seeded, image, labels, window, sheet)
        _say(f"look at: {sheet}")
    return DONE


@app.command(
    help_epilogue="""Examples:
  millimorph slurm data --pipeline ct --out augmented --shards 20 > job.sh
  sbatch job.sh"""
)
def slurm(  # noqa: PLR0913 - one parameter per option
    folder: Path,
    /,
    *,
    pipeline: str,
    out: Path,
    options: Annotated[tuple[str, ...], _FURTHER] = (),
    shards: int = 10,
    cpus: int = 4,
    memory: str = "16G",
    time: str = "04:00:00",
) -> int:
    """Print a job script for SLURM that makes the data set as an array of shards.

    Args:
        folder: The folder that holds the images.
        pipeline: A pipeline file, or the name of a ready pipeline.
        out: The folder that all shards write to.
        options: Further options of generate, each as one text, such as "--count 100".
        shards: Jobs in the array.
        cpus: CPUs of each job, one worker for each.
        memory: Memory of each job.
        time: Longest time of each job, hours:minutes:seconds.
    """
    from millimorph.cli.slurm import ArrayJob, slurm_script

    job = ArrayJob(folder, pipeline, out, options, shards, cpus, memory, time)
    sys.stdout.write(slurm_script(job))
    return DONE


@app.command(
    help_epilogue="""Examples:
  millimorph status augmented"""
)
def status(out: Path, /) -> int:
    """Say how far a job is, from its output folder.

    Args:
        out: The folder that `generate` wrote to.
    """
    from millimorph.cli.texts import status_text
    from millimorph.generate import job_status

    found = job_status(out)
    _say(status_text(found))
    return DONE_IN_PART if found.failures else DONE


@app.command(
    help_epilogue="""Examples:
  millimorph verify augmented

What is damaged or missing is made again by the generate command that made the folder, once the
damaged files are removed."""
)
def verify(out: Path, /) -> int:
    """Hash every file of an output folder again; name what is damaged, missing or extra.

    Args:
        out: The folder that `generate` wrote to.
    """
    from millimorph.cli.progress import shown_counts
    from millimorph.cli.texts import verification_text
    from millimorph.generate import verify as verify_folder

    with shown_counts("samples") as show:
        found = verify_folder(out, show)
    _say(verification_text(found))
    return DONE if found.intact else FAILED


@app.command(
    help_epilogue="""Examples:
  millimorph export augmented --to nnunet nnUNet_raw/Dataset101_LiverAugmented"""
)
def export(out: Path, dest: Path, /, *, to: Literal["nnunet"]) -> int:
    """Write a finished output folder and its originals as a data set for training.

    Splits are by patient: no copy of a case that validates is trained on.

    Args:
        out: The folder that `generate` wrote to.
        dest: The folder to write: a new one, named as the format demands.
        to: The format; nnunet is nnU-Net v2 raw with splits_final.json.
    """
    from millimorph.cli.texts import export_text
    from millimorph.generate import export_nnunet

    match to:
        case "nnunet":
            _say(export_text(export_nnunet(out, dest)))
    return DONE


@app.command(
    help_epilogue="""Examples:
  millimorph replay augmented/p01/p01__0007.json
  millimorph replay augmented/p01/p01__0007.json --out again
  millimorph replay p01__0007.json --source-root /data/moved"""
)
def replay(
    sidecar: Path,
    /,
    *,
    out: Path | None = None,
    source_root: Path | None = None,
) -> int:
    """Make one sample again from its sidecar and its source files, and compare.

    Args:
        sidecar: The .json file of a sample.
        out: Write the sample to this folder; left out, it is only compared.
        source_root: Where the input folder is now, if it was moved.
    """
    from millimorph.cli.texts import replay_text
    from millimorph.generate import replay as replay_sample

    report = replay_sample(sidecar, out, source_root)
    _say(replay_text(report, sidecar))
    kept = report.intact or report.written is not None
    return DONE if report.reproduced and kept else FAILED


@app.command(
    help_epilogue="""Examples:
  millimorph schema --out millimorph.schema.json
Then begin a pipeline file with the line
  # yaml-language-server: $schema=millimorph.schema.json"""
)
def schema(*, out: Path | None = None) -> int:
    """Print the JSON Schema of pipeline files, for editors that complete and check.

    Args:
        out: Write it to this file.
    """
    from millimorph.cli.texts import json_text
    from millimorph.io.atomic import write_text
    from millimorph.recipe import pipeline_schema

    text = json_text(pipeline_schema())
    if out is None:
        _say(text)
        return DONE
    if out.exists() and '"$schema"' not in out.read_text("utf-8", errors="replace"):
        raise OutputError(f"{out} exists and is no schema; choose another name")
    write_text(out, f"{text}\n")
    _say(f"wrote {out}\nnext: begin a pipeline file with\n  # yaml-language-server: $schema={out}")
    return DONE


@app.command(
    help_epilogue="""Examples:
  millimorph pipelines
  millimorph pipelines ct > my.yaml"""
)
def pipelines(name: str | None = None, /) -> int:
    """List the ready pipelines, or print one as a file to begin with.

    Args:
        name: The pipeline to print.
    """
    from millimorph.cli.texts import pipelines_text
    from millimorph.pipelines import get_pipeline, named_pipelines
    from millimorph.recipe import dump_pipeline

    if name is None:
        _say(pipelines_text(named_pipelines()))
    else:
        sys.stdout.write(dump_pipeline(get_pipeline(name)))
    return DONE
