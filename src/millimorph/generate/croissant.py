"""croissant.json: the data set card for machines, in Croissant 1.1 of MLCommons (JSON-LD).

Source: docs.mlcommons.org/croissant, version 1.1; provenance in the terms of W3C PROV.
"""

import json
from collections.abc import Mapping
from typing import Any

from millimorph.generate.card import Summary
from millimorph.generate.manifest import MANIFEST_FILE, PARQUET_FILE, JobRecord

_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "prov": "http://www.w3.org/ns/prov#",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_FORMATS = {MANIFEST_FILE: "application/jsonlines", PARQUET_FILE: "application/x-parquet"}
_FIELDS = (
    ("sample", "sc:Text", "name that the files of the sample begin with"),
    ("case", "sc:Text", "case that the sample was made from"),
    ("group", "sc:Text", "patient, if the sources tell; split by it"),
    ("index", "sc:Integer", "number of the sample within its case"),
    ("pipeline", "sc:Text", "SHA-256 of the pipeline"),
    ("recipe", "sc:Text", "SHA-256 of the recipe"),
    ("sidecar", "sc:Text", "path of the sidecar"),
    ("sha256", "sc:Text", "SHA-256 of the sidecar"),
)
_ENDINGS = {".nii": "application/x-nifti", ".nii.gz": "application/x-nifti", ".csv": "text/csv"}


def croissant_text(job: JobRecord, summary: Summary, digests: Mapping[str, tuple[str, int]]) -> str:
    """Return croissant.json; `digests` are SHA-256 and size of the manifest's files."""
    pipelines = sorted(summary.pipelines)
    content = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": f"millimorph-{pipelines[0][:12]}" if pipelines else "millimorph-empty",
        "description": (
            f"{summary.samples} augmented samples of {summary.cases} cases{summary.patients}, made "
            f"by {job.engine} with seed {job.seed}. See README.md."
        ),
        "version": "1.0.0",
        "license": "The licence and terms of use of the source images apply; see README.md",
        "prov:wasDerivedFrom": {
            "@type": "prov:Entity",
            "@id": "sources",
            "prov:label": f"{summary.sources} source files, named with their SHA-256 in every row",
        },
        "prov:wasGeneratedBy": {
            "@type": "prov:Activity",
            "@id": "generation",
            "prov:label": f"millimorph generate, pipeline {', '.join(pipelines)}, seed {job.seed}",
            "prov:wasAssociatedWith": {
                "@type": "prov:SoftwareAgent",
                "@id": "software",
                "prov:label": job.engine,
            },
        },
        "distribution": [
            *(_file(name, *digest) for name, digest in digests.items()),
            _files("sidecars", "*/*.json", "application/json"),
            *(
                _files(role, f"*/*_{role}{end}", _ENDINGS.get(end, "application/octet-stream"))
                for role, (_, end) in summary.roles.items()
            ),
        ],
        "recordSet": [_samples()],
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _file(name: str, sha256: str, size: int) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "contentSize": f"{size} B",
        "encodingFormat": _FORMATS[name],
        "sha256": sha256,
    }


def _files(name: str, includes: str, form: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": f"files/{name}",
        "name": name,
        "encodingFormat": form,
        "includes": includes,
    }


def _samples() -> dict[str, Any]:
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"samples/{name}",
            "name": name,
            "description": told,
            "dataType": kind,
            "source": {"fileObject": {"@id": MANIFEST_FILE}, "extract": {"column": name}},
        }
        for name, kind, told in _FIELDS
    ]
    return {
        "@type": "cr:RecordSet",
        "@id": "samples",
        "name": "samples",
        "description": "A record for each sample; the manifest says more.",
        "key": {"@id": "samples/sample"},
        "field": fields,
    }
