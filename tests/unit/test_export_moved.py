"""Exports of moved jobs: sidecars from before and after see the input folder from other places."""

import shutil

import pytest
from data_sets import PIPELINE
from exported import from_bids, from_table, generate

from millimorph.cli import run_command
from millimorph.errors import FileError
from millimorph.generate import export_bids, export_decathlon, export_monai, export_nnunet


def moved_and_grown(source, folder):
    """Move a finished job deeper, and make one more sample of each case there."""
    out = folder / "deeper" / "moved"
    out.parent.mkdir()
    shutil.move(source(folder), out)
    return generate(folder / "in", out, count=3, pipeline=PIPELINE)


@pytest.mark.parametrize(
    ("export", "name"),
    [(export_nnunet, "Dataset101_A"), (export_decathlon, "Task11_A"), (export_monai, "monai")],
)
def test_a_moved_job_is_exported_once_it_is_told_where_its_sources_are(tmp_path, export, name):
    out = moved_and_grown(from_table, tmp_path)
    with pytest.raises(FileError, match=r"is missing.*--source-root"):
        export(out, tmp_path / name)
    found = export(out, tmp_path / name, source_root=tmp_path / "in")
    assert (found.originals, found.copies, found.patients) == (3, 9, 2)


def test_a_moved_job_of_bids_refers_to_the_folder_that_is_told(tmp_path):
    out = moved_and_grown(from_bids, tmp_path)
    assert export_bids(out, tmp_path / "bids", tmp_path / "in").copies == 6
    assert '"raw": "../in"' in (tmp_path / "bids" / "dataset_description.json").read_text()


def test_the_command_takes_the_place_of_the_sources(tmp_path, capsys):
    out, dest = moved_and_grown(from_table, tmp_path), tmp_path / "lists"
    command = ["export", str(out), str(dest), "--to", "monai"]
    assert run_command(command) == 1
    assert "--source-root" in capsys.readouterr().err
    assert run_command([*command, "--source-root", str(tmp_path / "in")]) == 0


def test_changed_originals_are_refused_wherever_they_are_said_to_be(tmp_path):
    out = moved_and_grown(from_table, tmp_path)
    path = next((tmp_path / "in").glob("v_0001.nii.gz"))
    shutil.copyfile(tmp_path / "in" / "w.nii.gz", path)
    with pytest.raises(FileError, match="has changed"):
        export_monai(out, tmp_path / "monai", source_root=tmp_path / "in")
