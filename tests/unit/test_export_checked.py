"""What the tools that own a layout say of an export: nnU-Net, MONAI and the BIDS validator.

nnU-Net and MONAI run in an interpreter of their own, named by MILLIMORPH_PEERS_PYTHON.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from exported import colours, from_bids, from_decathlon, from_nnunet, from_table

from millimorph.generate import export_bids, export_decathlon, export_monai, export_nnunet

SCRIPT = Path(__file__).with_name("peer_checks.py")


@pytest.fixture(scope="module")
def jobs(tmp_path_factory):
    """A finished job from a source in each layout."""
    made = {"channels": from_decathlon, "regions": from_nnunet, "bids": from_bids}
    made |= {"gaps": from_table, "colours": colours}
    return {name: make(tmp_path_factory.mktemp(name)) for name, make in made.items()}


def answers(python, folder, checks):
    """Let the other interpreter do all checks at once: it takes seconds to start."""
    listed = [{"check": check, "path": str(path)} for check, path in checks.values()]
    (folder / "checks.json").write_text(json.dumps(listed))
    environment = {**os.environ, "PYTHONWARNINGS": "ignore", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(  # noqa: S603 - our own script and tool
        [python, str(SCRIPT), str(folder / "checks.json")],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    (line,) = [row for row in done.stdout.splitlines() if row.startswith("answers: ")]
    return dict(zip(checks, json.loads(line.removeprefix("answers: ")), strict=True))


@pytest.fixture(scope="module")
def told(jobs, peers_python, tmp_path_factory):
    """Everything that nnU-Net and MONAI say, of good data sets and of one that is damaged."""
    folder = tmp_path_factory.mktemp("exports")
    raw = {
        "channels": folder / "Dataset201_Channels",
        "regions": folder / "Dataset202_Regions",
        "gaps": folder / "Dataset203_Gaps",
        "colours": folder / "Dataset207_Colours",
    }
    for name, dest in raw.items():
        export_nnunet(jobs[name], dest)
    referred = folder / "Dataset205_Referred"
    export_nnunet(jobs["regions"], referred, placing="linked")
    task = folder / "Task21_Channels"
    export_decathlon(jobs["channels"], task)
    for name in ("channels", "bids"):
        export_monai(jobs[name], folder / f"monai-{name}")
    export_monai(jobs["regions"], folder / "monai-referred", placing="linked")
    damaged = folder / "Dataset206_Damaged"
    shutil.copytree(raw["regions"], damaged)
    shutil.copyfile(
        raw["gaps"] / "labelsTr/w__aug0001.nii.gz", damaged / "labelsTr/a_1__aug0001.nii.gz"
    )
    (damaged / "labelsTr/a_2.nii.gz").unlink()
    checks = {f"nnunet {name}": ("nnunet", dest) for name, dest in raw.items()}
    checks |= {
        "nnunet referred": ("nnunet", referred),
        "nnunet damaged": ("nnunet", damaged),
        "decathlon": ("decathlon", task),
        "monai task": ("monai", task / "dataset.json"),
        "monai channels": ("monai", folder / "monai-channels/datalist.json"),
        "monai fold 1": ("monai", folder / "monai-channels/datalist_fold1.json"),
        "monai contrasts": ("monai", folder / "monai-bids/datalist.json"),
        "monai referred": ("monai", folder / "monai-referred/datalist.json"),
    }
    return answers(peers_python, folder, checks)


@pytest.mark.parametrize("name", ["channels", "regions", "gaps", "colours", "referred"])
def test_nnunet_accepts_what_is_written_for_it(told, name):
    """By verify_dataset_integrity: counts, labels, shapes, spacings, channels."""
    assert told[f"nnunet {name}"] == "accepted"


def test_nnunet_does_not_accept_everything(told):
    assert "not all training cases have a label file" in told["nnunet damaged"]


def test_nnunets_converter_takes_the_decathlon_export(told):
    """Two channels on the fourth axis come out as two channels of nnU-Net, which accepts them."""
    cases = [f"t_{k}{copy}" for k in range(3) for copy in ("", "__aug0000", "__aug0001")]
    assert told["decathlon"] == {"cases": cases, "shape": [2, 4, 5, 6], "verified": "accepted"}


@pytest.mark.parametrize(
    ("name", "counts", "channels"),
    [
        ("task", {"training": 9}, 2),
        ("channels", {"training": 6, "validation": 1}, 2),
        ("fold 1", {"training": 3, "validation": 2}, 2),
        ("contrasts", {"training": 3, "validation": 1}, 2),
        ("referred", {"training": 3, "validation": 1}, 1),
    ],
)
def test_monai_reads_the_lists_and_their_images(told, name, counts, channels):
    """By load_decathlon_datalist, check_missing_files and LoadImage, channels first."""
    answer = told[f"monai {name}"]
    assert isinstance(answer, dict), answer
    assert {key: one["count"] for key, one in answer.items()} == counts
    for one in answer.values():
        assert one["missing"] == []
        assert one["shapes"] == [[channels, 6, 5, 4], [1, 6, 5, 4]]


def validated(folder):
    """Return the codes of the BIDS validator's errors, and of its warnings."""
    validator = Path(sys.executable).with_name("bids-validator-deno")
    done = subprocess.run(  # noqa: S603 - our own script and tool
        [str(validator), str(folder), "--format", "json"],
        capture_output=True,
        text=True,
        check=False,
    )
    issues = json.loads(done.stdout)["issues"]["issues"]
    by_severity = {"error": set(), "warning": set()}
    for issue in issues:
        by_severity[issue["severity"]].add(issue["code"])
    return by_severity["error"], by_severity["warning"]


@pytest.mark.parametrize("name", ["channels", "regions", "bids", "gaps"])
def test_the_bids_validator_finds_no_error(jobs, tmp_path, name):
    """Warnings are of what only people know, such as authors, and of recommended fields."""
    export_bids(jobs[name], tmp_path / "bids")
    errors, warned = validated(tmp_path / "bids")
    assert errors == set()
    assert warned <= {"SIDECAR_KEY_RECOMMENDED", "JSON_KEY_RECOMMENDED", "TOO_FEW_AUTHORS"}


def test_the_bids_validator_does_not_accept_everything(jobs, tmp_path):
    """Without .bidsignore a CT is no BIDS; without SkullStripped an MR is none."""
    export_bids(jobs["gaps"], tmp_path / "ct")
    (tmp_path / "ct/.bidsignore").unlink()
    assert "NOT_INCLUDED" in validated(tmp_path / "ct")[0]
    export_bids(jobs["bids"], tmp_path / "mr")
    for path in (tmp_path / "mr").rglob("*_T1w.json"):
        path.write_text(path.read_text().replace("SkullStripped", "Unknown"))
    assert validated(tmp_path / "mr")[0] != set()
