"""The commands on data sets: make one, in shards too, look after it, hand it on.

A command imports what it needs when it runs.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from millimorph.cli.app import DONE, DONE_IN_PART, FAILED, app, say
from millimorph.errors import PipelineError

_ROLE = Parameter(negative=(), consume_multiple=False, show_default=False)
_FURTHER = Parameter(
    negative=(), consume_multiple=False, show_default=False, allow_leading_hyphen=True
)

_SHARD_MEGABYTES = 512

Patterns = Annotated[tuple[str, ...], _ROLE]
LayoutName = Literal["auto", "nnunet", "decathlon", "monai", "bids", "table", "files"]


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
    engine: Literal["local", "dask"] = "local",
    scheduler: str | None = None,
    read_gigabytes: float = 4.0,
    read_seconds: float = 30.0,
    sample_seconds: float = 3600.0,
    pseudonyms: Path | None = None,
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
        format: File type of images and labels: nii.gz, nii, mha, nrrd, b2nd, png, tif.
        workers: Processes; left out, one per CPU. The files do not depend on it.
        backend: cpu is fast; reference is slow, and the definition of correct.
        shard: Make only part I of N, as I/N; machines that share OUT take one part each.
        engine: local is this machine; dask is the workers of a Dask scheduler, which see FOLDER and
            OUT under the same paths.
        scheduler: The address of the Dask scheduler, such as tcp://10.0.0.1:8786.
        read_gigabytes: Memory for reading the files of a case; one that needs more is left out.
        read_seconds: Time for it, and a second more for each 10 MB; a case that hangs is left out.
        sample_seconds: Time to make one sample; one that takes longer is left out.
        pseudonyms: A key file, made if it is not there: cases and patients get other names in OUT
            and in all that is told, and only this file, kept elsewhere, says whose they are.
        dry_run: Write nothing; say how many samples there would be, and about their size and time.
    """
    from millimorph.cli.progress import shown_progress
    from millimorph.cli.texts import design_text, layout_text, plan_text, report_text
    from millimorph.generate import DatasetRequest, Limits, Shard, generate_dataset, plan_dataset
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
        workers=_workers(workers, scheduler),
        backend=backend,
        shard=Shard.parse(shard),
        limits=Limits(read_gigabytes, read_seconds, sample_seconds),
        scheduler=_scheduler(engine, scheduler),
        pseudonyms=pseudonyms,
    )
    say(design_text(request.pipeline))
    if not (image or label or landmarks) and pseudonyms is None:
        say(layout_text(folder, find_data_set(folder, layout)))
    if dry_run:
        plan = plan_dataset(request)
        say(plan_text(plan, out))
        return DONE_IN_PART if plan.failures else DONE
    with shown_progress() as show:
        report = generate_dataset(request, show)
    say(report_text(report, pseudonyms))
    if not report.failures:
        return DONE
    return DONE_IN_PART if report.made + report.kept else FAILED


def _workers(given: int | None, scheduler: str | None) -> int:
    """Settle the number of processes here; on a cluster one reads headers."""
    from millimorph.backends.cpus import available_cpus

    if scheduler is None:
        return available_cpus() if given is None else given
    if given is not None:
        raise PipelineError(
            "--workers is for --engine local; with dask the workers are those of the scheduler"
        )
    return 1


def _scheduler(engine: Literal["local", "dask"], given: str | None) -> str | None:
    if engine == "dask" and given is None:
        raise PipelineError("--engine dask needs --scheduler ADDRESS, such as tcp://10.0.0.1:8786")
    if engine == "local" and given is not None:
        raise PipelineError("--scheduler is for --engine dask; add that, or leave it out")
    return given


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
    say(status_text(found))
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
    say(verification_text(found))
    return DONE if found.intact else FAILED


@app.command(
    help_epilogue="""Examples:
  millimorph export augmented nnUNet_raw/Dataset101_LiverAugmented --to nnunet
  millimorph export augmented Task11_LiverAugmented --to decathlon
  millimorph export augmented liver_lists --to monai --refer
  millimorph export augmented liver_bids --to bids
  millimorph export augmented shards --to webdataset --shard-size 1000"""
)
def export(  # noqa: PLR0913 - one parameter per option
    out: Path,
    dest: Path,
    /,
    *,
    to: Literal["nnunet", "decathlon", "monai", "bids", "webdataset"],
    refer: bool = False,
    skull_stripped: bool = False,
    shard_size: int | None = None,
    source_root: Path | None = None,
) -> int:
    """Write a finished output folder and its originals as a data set for training.

    Splits are by patient: no copy of a case that validates is trained on.

    Args:
        out: The folder that `generate` wrote to.
        dest: The folder to write: a new one, named as the format demands.
        to: The format: nnU-Net v2 raw, Medical Segmentation Decathlon, data lists of MONAI, a BIDS
            derivative, or tar shards of the samples alone for WebDataset.
        refer: Copy nothing, refer to the files where they are (nnunet and monai).
        skull_stripped: Say so in the sidecars of MR images (bids).
        shard_size: MB in a shard of webdataset, 512 unless given; a patient is kept together.
        source_root: Where the input folder is now, if it or OUT was moved.
    """
    from millimorph.cli.texts import export_text, shards_text
    from millimorph.generate import (
        Placing,
        export_bids,
        export_decathlon,
        export_monai,
        export_nnunet,
        export_webdataset,
    )

    if refer and to not in {"nnunet", "monai"}:
        raise PipelineError(f"--refer is for --to nnunet and monai; {to} holds its files itself")
    if skull_stripped and to != "bids":
        raise PipelineError(f"--skull-stripped is for --to bids; {to} has no place for it")
    if shard_size is not None and to != "webdataset":
        raise PipelineError("--shard-size is for --to webdataset; leave it out")
    if source_root is not None and to == "webdataset":
        raise PipelineError("--source-root is for originals; webdataset holds none, leave it out")
    placing: Placing = "linked" if refer else "copied"
    match to:
        case "nnunet":
            say(export_text(export_nnunet(out, dest, placing, source_root)))
        case "decathlon":
            say(export_text(export_decathlon(out, dest, source_root)))
        case "monai":
            say(export_text(export_monai(out, dest, placing, source_root)))
        case "bids":
            found = export_bids(out, dest, source_root, skull_stripped=skull_stripped)
            say(export_text(found))
        case "webdataset":
            megabytes = _SHARD_MEGABYTES if shard_size is None else shard_size
            say(shards_text(export_webdataset(out, dest, megabytes * 1_000_000)))
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
    pseudonyms: Path | None = None,
) -> int:
    """Make one sample again from its sidecar and its source files, and compare.

    Args:
        sidecar: The .json file of a sample.
        out: Write the sample to this folder; left out, it is only compared.
        source_root: Where the input folder is now, if it was moved.
        pseudonyms: The key file of a sample that was made with one.
    """
    from millimorph.cli.texts import replay_text
    from millimorph.generate import replay as replay_sample

    report = replay_sample(sidecar, out, source_root, pseudonyms)
    say(replay_text(report, sidecar))
    kept = report.intact or report.written is not None
    return DONE if report.reproduced and kept else FAILED
