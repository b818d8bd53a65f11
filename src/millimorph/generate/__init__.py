"""Writing augmented data sets: samples, their sidecars, the manifest, and making samples again."""

from millimorph.generate.exports import (
    Export,
    Placing,
    export_bids,
    export_decathlon,
    export_monai,
    export_nnunet,
)
from millimorph.generate.inputs import read_grid
from millimorph.generate.limits import Limits
from millimorph.generate.lines import ManifestLine
from millimorph.generate.local import (
    DatasetReport,
    Progress,
    generate_dataset,
)
from millimorph.generate.manifest import (
    MANIFEST_FILE,
    PARQUET_FILE,
    QUARANTINE_FILE,
    Failure,
    read_manifest,
)
from millimorph.generate.plan import DatasetPlan, plan_dataset
from millimorph.generate.replay import ReplayReport, RoleReplay, replay
from millimorph.generate.request import DatasetRequest, Shard
from millimorph.generate.sample import read_output
from millimorph.generate.sidecar import Sidecar
from millimorph.generate.status import JobStatus, job_status
from millimorph.generate.verification import Finding, Verification, verify
from millimorph.generate.webdataset_export import ShardsExport, export_webdataset

__all__ = [
    "MANIFEST_FILE",
    "PARQUET_FILE",
    "QUARANTINE_FILE",
    "DatasetPlan",
    "DatasetReport",
    "DatasetRequest",
    "Export",
    "Failure",
    "Finding",
    "JobStatus",
    "Limits",
    "ManifestLine",
    "Placing",
    "Progress",
    "ReplayReport",
    "RoleReplay",
    "Shard",
    "ShardsExport",
    "Sidecar",
    "Verification",
    "export_bids",
    "export_decathlon",
    "export_monai",
    "export_nnunet",
    "export_webdataset",
    "generate_dataset",
    "job_status",
    "plan_dataset",
    "read_grid",
    "read_manifest",
    "read_output",
    "replay",
    "verify",
]
