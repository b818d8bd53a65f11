"""Several DICOM series in a folder, whose paths are no files: in tables, limits and exports."""

import numpy as np
import pytest
from data_sets import request
from test_io_dicom import SERIES, TURN, write_slice

from millimorph.errors import FileError, OutputError
from millimorph.generate import (
    Limits,
    export_bids,
    export_decathlon,
    export_monai,
    export_nnunet,
    generate_dataset,
)
from millimorph.generate.limits import bytes_of
from millimorph.images import LabelMap
from millimorph.io import read_image, series_choices, write_labels


@pytest.fixture
def inputs(tmp_path):
    """Write two series into one folder, label maps of them, and a table of both."""
    folder = tmp_path / "in" / "study"
    folder.mkdir(parents=True)
    for k in range(2):
        for slice_ in range(3):
            place = TURN[:, 2] * 2.5 * slice_ + 100 * k
            plane = np.full((4, 5), 10 * k + slice_, np.int16)
            extra = {"0020|0011": str(k)}
            write_slice(folder / f"{k}_{slice_}.dcm", place, plane, TURN, f"{SERIES}.{k}", extra)
    rows = ["id,image:ct,label:organs"]
    for k, one in enumerate(series_choices(folder)):
        image = read_image(one.path)
        labels = LabelMap((image.array % 2).astype(np.uint8), image.grid)
        write_labels(labels, tmp_path / "in" / f"{k}.nii.gz")
        rows.append(f"c{k},study/{one.path.name},{k}.nii.gz")
    (tmp_path / "in" / "cases.csv").write_text("\n".join(rows))
    return tmp_path / "in"


@pytest.fixture
def out(inputs, tmp_path):
    """Make a job of that table: each of its cases is found."""
    asked = request(inputs, tmp_path / "out", images={}, labels={}, landmarks={}, count=1)
    assert (generate_dataset(asked).made, generate_dataset(asked).kept) == (2, 2)
    return asked.out


def test_a_series_takes_as_long_to_read_as_its_folder(inputs):
    folder = inputs / "study"
    for one in series_choices(folder):
        assert bytes_of(one.path) == sum(path.stat().st_size for path in folder.iterdir())


def test_only_its_own_files_count_for_the_memory_of_a_series(inputs):
    folder = inputs / "study"
    most = max(path.stat().st_size for path in folder.iterdir())
    choices = [one.path for one in series_choices(folder)]
    Limits(read_gigabytes=3.1 * most / 1e9).check_sizes(choices)
    with pytest.raises(FileError, match="allow more with --read-gigabytes"):
        Limits(read_gigabytes=1.9 * most / 1e9).check_sizes(choices)


@pytest.mark.parametrize(
    ("export", "name"),
    [
        (export_nnunet, "Dataset101_Series"),
        (export_decathlon, "Task11_Series"),
        (export_monai, "monai"),
        (export_bids, "bids"),
    ],
)
def test_series_are_exported_as_volumes(out, tmp_path, export, name):
    found = export(out, tmp_path / name)
    assert (found.originals, found.copies) == (2, 2)
    volumes = [read_image(path).array for path in (tmp_path / name).rglob("*.nii.gz")]
    assert sum(volume[:, 0, 0].tolist() == [0, 1, 2] for volume in volumes) == 1
    assert sum(volume[:, 0, 0].tolist() == [10, 11, 12] for volume in volumes) == 1


@pytest.mark.parametrize(
    ("export", "name"), [(export_nnunet, "Dataset101_Series"), (export_monai, "monai")]
)
def test_series_cannot_be_referred_to(out, tmp_path, export, name):
    with pytest.raises(OutputError, match="leave out --refer"):
        export(out, tmp_path / name, "linked")
