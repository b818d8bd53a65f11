"""Fixtures that several folders of tests share."""

import os
from pathlib import Path

import pytest

DATA_VARIABLE = "MILLIMORPH_TEST_DATA"
DEFAULT_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real images, from the environment or beside the repository."""
    folder = Path(os.environ.get(DATA_VARIABLE, DEFAULT_DATA))
    if not folder.is_dir():
        pytest.skip(f"the real images are not here: no folder {folder} (set {DATA_VARIABLE})")
    return folder
