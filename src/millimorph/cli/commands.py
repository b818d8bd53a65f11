"""The commands: each reads its arguments, calls one public function and says what is next.

Those on data sets are in `data_sets`. A command imports what it needs when it runs.
"""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from millimorph.cli import data_sets
from millimorph.cli.app import DONE, DONE_IN_PART, app, say
from millimorph.errors import OutputError

__all__ = ["app", "data_sets"]

_PER_AXIS = Parameter(negative=(), consume_multiple=True)


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
    say(demo_text(made))
    return DONE


@app.command(
    help_epilogue="""Examples:
  millimorph inspect ct.nii.gz
  millimorph inspect data
  millimorph inspect data --json > data.json"""
)
def inspect(
    path: Path, /, *, json: bool = False, read_gigabytes: float = 4.0, read_seconds: float = 30.0
) -> int:
    """Say what a file or folder holds: size, spacing, orientation, type, range, labels.

    Args:
        path: A file, a folder with a DICOM series, or a folder of files.
        json: Print JSON.
        read_gigabytes: Memory for reading one file; one that needs more is listed as unreadable.
        read_seconds: Time for it, and a second more for each 10 MB.
    """
    from millimorph.cli.progress import shown_counts
    from millimorph.cli.texts import json_text
    from millimorph.generate import Limits
    from millimorph.report import FolderInspection, inspect_path

    limits = Limits(read_gigabytes, read_seconds)
    with shown_counts("files") as show:
        found = inspect_path(path, show, limits)
    say(json_text(found.as_data()) if json else found.text())
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
        say("\n".join(recipe_lines(found, count, seed)))
    elif image is None and labels is None:
        case = imagined_case(found, size, spacing, like)
        say(pipeline_text(found, case, count, seed))
    else:
        seeded = found if seed is None else found.replace(seed=seed)
        sheet = sheet_path(pipeline, image or labels, out)
        draw_pipeline(seeded, image, labels, window, sheet)
        say(f"look at: {sheet}")
    return DONE


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
        say(text)
        return DONE
    if out.exists() and '"$schema"' not in out.read_text("utf-8", errors="replace"):
        raise OutputError(f"{out} exists and is no schema; choose another name")
    write_text(out, f"{text}\n")
    say(f"wrote {out}\nnext: begin a pipeline file with\n  # yaml-language-server: $schema={out}")
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
        say(pipelines_text(named_pipelines()))
    else:
        sys.stdout.write(dump_pipeline(get_pipeline(name)))
    return DONE
