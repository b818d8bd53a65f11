"""The data set card: README.md of an output folder, for whoever meets the files later.

It follows from job.json and the manifest, tells no time and no machine, and quotes only names that
are safe in Markdown.
"""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from millimorph.generate.manifest import (
    CHECKSUMS_FILE,
    CROISSANT_FILE,
    JOB_FILE,
    MANIFEST_FILE,
    PARQUET_FILE,
    QUARANTINE_FILE,
    TIMINGS_FILE,
    JobRecord,
)


@dataclass
class Summary:
    """Counts over the rows of a manifest, which come sorted by case.

    `roles` maps the name of an output to its kind and file ending.
    """

    samples: int = 0
    cases: int = 0
    sources: int = 0
    size: int = 0
    with_warnings: int = 0
    groups: set[str] = field(default_factory=set)
    roles: dict[str, tuple[str, str]] = field(default_factory=dict)
    pipelines: set[str] = field(default_factory=set)
    first_sidecar: str = ""
    _case: str | None = None

    def add(self, content: Mapping[str, Any]) -> None:
        """Count one row."""
        if content["case"] != self._case:
            self._case = content["case"]
            self.cases += 1
            self.sources += len(content["sources"])
        self.samples += 1
        self.size += content["bytes"] + sum(one["bytes"] for one in content["outputs"].values())
        self.with_warnings += bool(content["warnings"])
        self.pipelines.add(content["pipeline"])
        self.first_sidecar = self.first_sidecar or content["sidecar"]
        if content["group"] is not None:
            self.groups.add(content["group"])
        for role, one in content["outputs"].items():
            stem = f"{posixpath.splitext(content['sidecar'])[0]}_{role}"
            self.roles[role] = one["kind"], content["files"][role].removeprefix(stem)

    @property
    def patients(self) -> str:
        """How many patients there are, if the input folder tells."""
        return f" of {_count(len(self.groups), 'patient')}" if self.groups else ""


def card_text(job: JobRecord, summary: Summary) -> str:
    """Return README.md."""
    with_key = "" if job.pseudonyms is None else " --pseudonyms KEYFILE"
    sample = f"{_shell(summary.first_sidecar)}{with_key}"
    ops = [*_names(job.pipeline.get("spatial", ())), *_names(job.pipeline.get("intensity", ()))]
    return f"""# Augmented medical images

{_count(summary.samples, "sample")} of {_count(summary.cases, "case")}{summary.patients}, made by
{job.engine} from {_count(summary.sources, "source file")}; {summary.size / 1e6:.1f} MB.

| | |
|---|---|
| ops of the pipeline, in their order | {", ".join(ops) or "none"} |
| pipeline (SHA-256) | {", ".join(f"`{one}`" for one in sorted(summary.pipelines)) or "none"} |
| design | {", ".join(f"`{name}`" for name in job.design)} |
| seed | {job.seed} |
| backend | {job.backend} |
| samples with warnings | {summary.with_warnings} |

The samples are not independent of each other: those of one case show one patient's anatomy. Split
into training and validation by patient, or by case where `group_id` is empty; never by sample.

## Files
{_role_rows(summary)}
- `CASE/CASE__INDEX.json`: the sidecar of a sample. Its recipe, its sources and their digests, what
  was measured, the versions. With the sources it is enough to make the sample again.
- `{MANIFEST_FILE}`: a line for each sample with the same facts; `{PARQUET_FILE}`, if it is
  there, is the same as a table.
- `{JOB_FILE}`: the whole pipeline, design and seed. `{CROISSANT_FILE}`: this card for machines.
  `{CHECKSUMS_FILE}`: digests of these records.
- `{QUARANTINE_FILE}`, if it is there: what was left out and why. `{TIMINGS_FILE}`: seconds for each
  sample; the only file that differs from run to run.

Coordinates are LPS millimetres; determinants, displacements and label volumes in the manifest are
described in millimorph's docs/records.md.

## What to do with it
```sh
millimorph verify .                  # every byte against its records
millimorph status .                  # how far the job is, what was left out
millimorph replay {sample}   # make one sample again from its sources
```
The `millimorph generate` command that made the folder, given once more, goes on where it ended and
makes again what was lost.

## Licence
These files are derived from the source images: their licence, their terms of use and the consent of
the patients hold here too, and decide whether and to whom the files may be passed on. millimorph
adds no terms of its own. Augmented images are for training and testing software, not for diagnosis.
"""


def _names(ops: object) -> list[str]:
    return [str(one.get("op", "?")) for one in ops] if isinstance(ops, list) else []


def _role_rows(summary: Summary) -> str:
    return "\n".join(
        f"- `CASE/CASE__INDEX_{role}{ending}`: {kind}"
        for role, (kind, ending) in summary.roles.items()
    )


def _shell(path: str) -> str:
    """A path as a word of a shell, if it needs no thought; else a stand-in for it."""
    plain = path.isascii() and path.replace("/", "").replace("_", "").replace(".", "").isalnum()
    return path if plain else "CASE/CASE__0000.json"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
