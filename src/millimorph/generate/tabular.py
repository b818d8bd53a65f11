"""The manifest as a table: manifest.parquet, one row per sample, for DuckDB, Polars or pandas.

Written with pyarrow, the extra `parquet`; a few thousand rows are in memory at a time. The same
manifest gives the same bytes with the same version of pyarrow.
"""

from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

from millimorph.io.atomic import replacing

INSTALL = 'python -m pip install "millimorph[parquet]"'
_ROWS_AT_ONCE = 4096


def has_parquet() -> bool:
    """Tell whether pyarrow is installed."""
    return find_spec("pyarrow") is not None


def write_parquet(path: Path, contents: Iterable[Mapping[str, Any]]) -> None:
    """Write the rows of a manifest as Parquet; OutputError if the file cannot be written."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _schema()
    rows = (_row(content) for content in contents)
    with (
        replacing(path) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd") as target,
    ):
        while part := list(islice(rows, _ROWS_AT_ONCE)):
            target.write_batch(pa.RecordBatch.from_pylist(part, schema))


def _schema() -> Any:
    import pyarrow as pa

    text, whole, number = pa.string(), pa.int64(), pa.float64()
    grid = [
        ("shape", pa.list_(whole)),
        ("spacing_mm", pa.list_(number)),
        ("affine", pa.list_(number)),
    ]
    file = [("role", text), ("kind", text), ("path", text), ("sha256", text), ("bytes", whole)]
    voxels = [("dtype", text), ("resamples", whole), ("interpolation", text), *grid]
    label = [
        ("label", whole),
        ("voxels_before", whole),
        ("voxels_after", whole),
        ("mm3_before", number),
        ("mm3_after", number),
    ]
    measured = [("kept_share", number), ("labels", pa.list_(pa.struct(label)))]
    output = [*file, *voxels, ("quantiles", pa.list_(number)), *measured]
    return pa.schema(
        [
            ("sample_id", text),
            ("case_id", text),
            ("group_id", text),
            ("sample_index", whole),
            ("seed", pa.uint64()),
            ("pipeline_sha256", text),
            ("recipe_sha256", text),
            ("sidecar_path", text),
            ("sidecar_sha256", text),
            ("sources", pa.list_(pa.struct(file))),
            ("outputs", pa.list_(pa.struct(output))),
            ("jacobian_min", number),
            ("jacobian_max", number),
            ("jacobian_negative_share", number),
            ("largest_displacement_mm", number),
            ("backend", text),
            ("millimorph", text),
            ("warnings", pa.list_(text)),
        ]
    )


def _row(content: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "sample_id": content["sample"],
        "case_id": content["case"],
        "group_id": content["group"],
        "sample_index": content["index"],
        "seed": content["seed"],
        "pipeline_sha256": content["pipeline"],
        "recipe_sha256": content["recipe"],
        "sidecar_path": content["sidecar"],
        "sidecar_sha256": content["sha256"],
        "sources": [{"role": role, **one} for role, one in content["sources"].items()],
        "outputs": list(_outputs(content)),
        **(content["measured"]["map"] or {}),
        "backend": content["backend"],
        "millimorph": content["millimorph"],
        "warnings": content["warnings"],
    }


def _outputs(content: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    facts = {**content["measured"]["images"], **content["measured"]["labels"]}
    for role, one in content["outputs"].items():
        fact = facts.get(role, {})
        yield {
            "role": role,
            "path": content["files"][role],
            **one,
            **fact,
            **fact.get("grid", {}),
            "labels": _volumes(fact) if "voxels_before" in fact else None,
        }


def _volumes(fact: Mapping[str, Any]) -> list[dict[str, Any]]:
    before, after = fact["voxels_before"], fact["voxels_after"]
    return [
        {
            "label": int(label),
            "voxels_before": before.get(label, 0),
            "voxels_after": after.get(label, 0),
            "mm3_before": before.get(label, 0) * fact["voxel_mm3_before"],
            "mm3_after": after.get(label, 0) * fact["voxel_mm3_after"],
        }
        for label in sorted({*before, *after}, key=int)
    ]
