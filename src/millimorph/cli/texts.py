"""What commands say at their end: what was made, what was left out and why, what to try next."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from millimorph.cli.progress import time_text
from millimorph.demo import Demo
from millimorph.generate import (
    MANIFEST_FILE,
    PARQUET_FILE,
    QUARANTINE_FILE,
    DatasetPlan,
    DatasetReport,
    Export,
    Failure,
    JobStatus,
    ReplayReport,
    ShardsExport,
    Verification,
    read_manifest,
)
from millimorph.generate.space import bytes_text
from millimorph.generate.tabular import INSTALL
from millimorph.io import DataSet
from millimorph.pipelines import NamedPipeline
from millimorph.recipe import Pipeline, describe_design

_MOST_ROWS = 30
_MOST_INDICES = 8
_STATES = {
    "changed": "but the file beside the sidecar has changed since",
    "missing": "but the file beside the sidecar is missing",
}


def report_text(report: DatasetReport, pseudonyms: Path | None = None) -> str:
    """Return the summary as text; `pseudonyms` is the key file that names were hidden with."""
    with_key = "" if pseudonyms is None else f" --pseudonyms {pseudonyms}"
    lines = [_summary(report)]
    lines += _warning_rows(report)
    if report.failures:
        lines += ["", "left out:", *failure_rows(report.failures), ""]
    if report.first_sidecar is not None:
        table = f" and {PARQUET_FILE}" if report.has_table else ""
        lines += [
            f"files:    {report.out}/<case>/<case>__<index>_<name>, each with a sidecar .json",
            f"manifest: {report.out / MANIFEST_FILE}{table}; README.md is the data set's card",
        ]
        if not report.has_table:
            lines.append(
                f"          only as JSON lines; for {PARQUET_FILE} too: {INSTALL}, then the same "
                f"command again"
            )
        if report.failures:
            lines.append(f"left out: {report.out / QUARANTINE_FILE}")
        lines += [
            "",
            "next:",
            f"  millimorph inspect {report.out}",
            f"  millimorph verify {report.out}",
            f"  millimorph replay {report.first_sidecar}{with_key}",
        ]
    return "\n".join(lines)


def _warning_rows(report: DatasetReport) -> list[str]:
    rows = [
        f"warning ({count} sample{'' if count == 1 else 's'}): {text}"
        for text, count in sorted(report.warnings.items())
    ]
    if len(rows) > _MOST_ROWS:
        rows[_MOST_ROWS:] = [f"… and {len(rows) - _MOST_ROWS} more warnings, in the sidecars"]
    return rows


def _summary(report: DatasetReport) -> str:
    kept = (
        f", {report.kept} {'was' if report.kept == 1 else 'were'} there already"
        if report.kept
        else ""
    )
    cases = f"{report.cases} {_noun(report.cases, 'case')}"
    made = f"{report.made} {_noun(report.made, 'sample')}"
    return f"made {made} of {cases} in {time_text(report.seconds)}{kept}"


def failure_rows(failures: Sequence[Failure]) -> list[str]:
    """Return a row per case and reason: the case, its samples, the reason."""
    grouped: dict[tuple[str, str], list[int]] = defaultdict(list)
    for failure in failures:
        indices = grouped[failure.case, failure.reason]
        if failure.index is not None:
            indices.append(failure.index)
    rows = [
        f"  {case}{_samples(sorted(indices))}: {reason}"
        for (case, reason), indices in sorted(grouped.items())
    ]
    if len(rows) > _MOST_ROWS:
        rows[_MOST_ROWS:] = [f"  … and {len(rows) - _MOST_ROWS} more"]
    return rows


def _samples(indices: Sequence[int]) -> str:
    if not indices:
        return ""
    shown = ", ".join(str(index) for index in indices[:_MOST_INDICES])
    more = f" and {len(indices) - _MOST_INDICES} more" if len(indices) > _MOST_INDICES else ""
    return f" (sample{'' if len(indices) == 1 else 's'} {shown}{more})"


def layout_text(folder: Path, data_set: DataSet | None) -> str:
    """Return which layout was found and what there is of it, with what is not used."""
    if data_set is None:
        return (
            f"layout: files; every image below {folder} is a case of its own; to keep images and "
            f"labels together, see: millimorph inspect {folder}"
        )
    return "\n".join([f"layout: {data_set.text()}", *(f"  {text}" for text in data_set.notes)])


def design_text(pipeline: Pipeline) -> str:
    """Return the design in one line; of a full factorial, `m parameters × n values = n^m`."""
    return f"design: {describe_design(pipeline)}"


def demo_text(demo: Demo) -> str:
    """Return where the demo put things and what to look at."""
    first = min(read_manifest(demo.report.out).values(), key=lambda line: line.sample)
    return f"""{_summary(demo.report)}
look at:  {demo.sheet}
          before and after, label outlines, and a grid that moved with the voxels
files:    {demo.originals} and {demo.report.out}
pipeline: {demo.pipeline}

next:
  millimorph inspect {demo.originals}
  millimorph show {demo.pipeline} --count 1
  millimorph replay {demo.report.out / first.sidecar}
  millimorph generate YOUR_FOLDER --pipeline {demo.pipeline} --out augmented"""


def plan_text(plan: DatasetPlan, out: Path) -> str:
    """Return what there is to do, about what it takes, and what cannot be done."""
    to_make = plan.samples - plan.there
    kept = f", {plan.there} of {plan.samples} are there" if plan.there else ""
    cases = f"{plan.cases} {_noun(plan.cases, 'case')}"
    lines = [f"would make {to_make} {_noun(to_make, 'sample')} of {cases}{kept}"]
    if plan.bytes_needed is not None and plan.seconds_needed is not None:
        workers = f"{plan.workers} {_noun(plan.workers, 'worker')}"
        free = bytes_text(plan.free_bytes)
        lines += [
            f"disk:  about {bytes_text(plan.bytes_needed)}, {free} are free",
            f"time:  about {time_text(plan.seconds_needed)} with {workers}",
        ]
        if plan.bytes_needed > plan.free_bytes:
            lines.append(f"NOT ENOUGH SPACE on the disk of {out}; free some, or take another --out")
    if plan.failures:
        lines += ["", "would be left out:", *failure_rows(plan.failures)]
    return "\n".join([*lines, "", f"nothing was written to {out}; leave out --dry-run to begin"])


def status_text(status: JobStatus) -> str:
    """Return how many samples there are, and what was left out."""
    counts = sorted(set(status.samples.values()))
    spread = (
        f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}" if counts else "0"
    )
    total = sum(status.samples.values())
    finished = f"{total} finished {_noun(total, 'sample')}"
    cases = f"{len(status.samples)} {_noun(len(status.samples), 'case')}"
    lines = [
        f"{status.out}: {finished} of {cases}, {spread} each",
        f"made by {status.engine}, seed {status.seed}",
    ]
    if status.running is not None:
        lines.append("a run is writing to it" if status.running else "no run is writing to it")
    if status.failures:
        lines += ["", "left out by the last run:", *failure_rows(status.failures)]
    return "\n".join([*lines, "", f"next: millimorph verify {status.out}"])


def verification_text(found: Verification) -> str:
    """Return whether everything is as it was written, else a row per file that is not."""
    looked = (
        f"{found.files} {_noun(found.files, 'file')} of {found.samples} "
        f"{_noun(found.samples, 'sample')}"
    )
    if found.intact:
        return f"{found.out}: {looked}, all as they were written"
    rows = [f"  {one.state:<7}  {one.path}: {one.reason}" for one in found.findings]
    return "\n".join(
        [
            f"{found.out}: {looked}; {len(rows)} not as they were written:",
            *rows,
            "",
            "next: remove what is damaged and run the same generate command again; it makes only",
            "      what is not there",
        ]
    )


def export_text(export: Export) -> str:
    """Return what was written, what to know of it, and what to do next."""
    patients = f"{export.patients} {_noun(export.patients, 'patient')}"
    copies = f"{export.copies} augmented {'copy' if export.copies == 1 else 'copies'}"
    originals = f"{export.originals} original {_noun(export.originals, 'case')}"
    lines = [f"{export.dest}: {originals} and {copies} of {patients}"]
    if not export.patients_known:
        lines.append("the data set does not name patients, so every case counts as one of its own")
    return "\n".join(
        [*lines, *export.notes, "", "next:", *(f"  {line}" for line in export.next_steps)]
    )


def shards_text(export: ShardsExport) -> str:
    """Return what was written, and how to read it."""
    samples = f"{export.samples} {_noun(export.samples, 'sample')}"
    patients = f"{export.patients} {_noun(export.patients, 'patient')}"
    shards = f"{export.shards} {_noun(export.shards, 'shard')}"
    lines = [f"{export.dest}: {samples} of {patients} in {shards}, listed in index.json"]
    if export.split_patients:
        several = f"{len(export.split_patients)} {_noun(len(export.split_patients), 'patient')}"
        lines.append(f"{several} larger than a shard; split by patient, not by shard")
    last = f"{export.shards - 1:06d}"
    urls = "shard-000000.tar" if export.shards == 1 else f"shard-{{000000..{last}}}.tar"
    return "\n".join([*lines, "", "next:", f'  webdataset.WebDataset("{export.dest}/{urls}")'])


def _noun(count: int, singular: str) -> str:
    return singular if count == 1 else f"{singular}s"


def replay_text(report: ReplayReport, sidecar: Path) -> str:
    """Return how each file compares, and what that means."""
    lines = [
        f"  {role.role}: {role.remade}"
        + ("" if role.on_disk == "intact" else f", {_STATES[role.on_disk]}")
        for role in report.roles
    ]
    verdict = "made again as it was" if report.reproduced else "NOT the same when made again"
    lines.insert(0, f"{report.sample}: {verdict}")
    if report.written is not None:
        lines.append(f"written to {report.written}")
    elif not report.intact:
        lines.append(f"next: millimorph replay {sidecar} --out again    (writes the files anew)")
    return "\n".join(lines)


def pipelines_text(starters: Sequence[NamedPipeline]) -> str:
    """Return a line per ready pipeline."""
    width = max(len(starter.name) for starter in starters)
    lines = [f"  {starter.name:<{width}}  {starter.summary}" for starter in starters]
    return "\n".join(
        [*lines, "", "next: millimorph show NAME, or millimorph pipelines NAME > my.yaml"]
    )


def json_text(content: Mapping[str, object]) -> str:
    """Return JSON for people: indented, in UTF-8."""
    return json.dumps(content, indent=2, ensure_ascii=False)
