"""The records that a run leaves beside the samples: manifest, table, card and their checksums.

All follow from job.json and the sidecars, so they can be lost and made again.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from millimorph.generate.card import Summary, card_text
from millimorph.generate.checksums import are_intact, write_checksums
from millimorph.generate.croissant import croissant_text
from millimorph.generate.lines import rows_of
from millimorph.generate.manifest import (
    CARD_FILE,
    CROISSANT_FILE,
    MANIFEST_FILE,
    PARQUET_FILE,
    read_job,
)
from millimorph.generate.sidecar import file_digest
from millimorph.generate.tabular import has_parquet, write_parquet
from millimorph.io.atomic import write_text


def write_records(out: Path) -> None:
    """Bring the records of a folder up to date with its manifest.

    Records that are as they should be are left alone. Raises OutputError if one cannot be written.
    """
    names = [MANIFEST_FILE, CARD_FILE, CROISSANT_FILE, *([PARQUET_FILE] if has_parquet() else [])]
    if are_intact(out, names):
        return
    summary = Summary()
    contents = (_counted(content, summary) for content in _contents(out))
    if has_parquet():
        write_parquet(out / PARQUET_FILE, contents)
    else:
        (out / PARQUET_FILE).unlink(missing_ok=True)
        for _ in contents:
            pass
    job = read_job(out)
    write_text(out / CARD_FILE, card_text(job, summary))
    described = [name for name in names if name in {MANIFEST_FILE, PARQUET_FILE}]
    digests = {name: file_digest(out / name) for name in described}
    write_text(out / CROISSANT_FILE, croissant_text(job, summary, digests))
    write_checksums(out, names)


def _contents(out: Path) -> Iterator[dict[str, Any]]:
    return (content for _, content in rows_of(out / MANIFEST_FILE) if content is not None)


def _counted(content: dict[str, Any], summary: Summary) -> Mapping[str, Any]:
    """Count a row on its way; rows come sorted by case."""
    summary.add(content)
    return content
