"""Writing augmented data sets: samples, their sidecars, the manifest, and making samples again."""

from millimorph.generate.inputs import read_grid
from millimorph.generate.local import (
    DatasetReport,
    DatasetRequest,
    Progress,
    generate_dataset,
)
from millimorph.generate.manifest import (
    MANIFEST_FILE,
    QUARANTINE_FILE,
    Failure,
    ManifestLine,
    read_manifest,
)
from millimorph.generate.replay import ReplayReport, RoleReplay, replay
from millimorph.generate.sample import read_output
from millimorph.generate.sidecar import Sidecar

__all__ = [
    "MANIFEST_FILE",
    "QUARANTINE_FILE",
    "DatasetReport",
    "DatasetRequest",
    "Failure",
    "ManifestLine",
    "Progress",
    "ReplayReport",
    "RoleReplay",
    "Sidecar",
    "generate_dataset",
    "read_grid",
    "read_manifest",
    "read_output",
    "replay",
]
