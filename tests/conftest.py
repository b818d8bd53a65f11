"""Fixtures that several folders of tests share."""

import os
import subprocess
from pathlib import Path

import pytest

DATA_VARIABLE = "MILLIMORPH_TEST_DATA"
PEERS_VARIABLE = "MILLIMORPH_PEERS_PYTHON"
DEFAULT_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real images, from the environment or beside the repository."""
    folder = Path(os.environ.get(DATA_VARIABLE, DEFAULT_DATA))
    if not folder.is_dir():
        pytest.skip(f"the real images are not here: no folder {folder} (set {DATA_VARIABLE})")
    return folder


@pytest.fixture(scope="session")
def peers_python() -> str:
    """The interpreter of an environment with nnU-Net and MONAI (tests/peers.txt)."""
    python = os.environ.get(PEERS_VARIABLE)
    if not python:
        pytest.skip(
            f"{PEERS_VARIABLE} is not set; it names an interpreter with tests/peers.txt installed"
        )
    for name in ("nnunetv2", "monai"):
        code = (
            f"import importlib.util; raise SystemExit(importlib.util.find_spec('{name}') is None)"
        )
        if subprocess.run([python, "-c", code], check=False).returncode:  # noqa: S603 - as asked
            pytest.skip(f"{PEERS_VARIABLE} names an interpreter without {name} (tests/peers.txt)")
    return python
