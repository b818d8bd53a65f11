"""Data sets: what is written, what is left out, and what a stopped, repeated or wrong run does."""

import errno
import gzip
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from data_sets import PIPELINE, request, tree, write_case, write_cases

from millimorph.designs import FullFactorial, LatinHypercube
from millimorph.distributions import Uniform
from millimorph.errors import FileError, OutputError, PipelineError
from millimorph.generate import Shard, Sidecar, generate_dataset, read_manifest, sample
from millimorph.geometry import ImageGrid
from millimorph.images import ScalarImage
from millimorph.io import read_image, read_labels, read_landmarks, write_image
from millimorph.ops import Affine, Flip
from millimorph.recipe import ImageSampling, Pipeline, Reference, draw

SAMPLES = {f"{case}/{case}__{k:04d}" for case in ("p1", "p2", "p10") for k in range(3)}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return write_cases(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def finished(inputs):
    """An uninterrupted run of the whole request."""
    out = inputs.parent / "finished"
    report = generate_dataset(request(inputs, out))
    assert (report.made, report.kept, report.failures) == (9, 0, ())
    return out


def test_every_sample_has_its_files_its_sidecar_and_its_line(finished):
    names = set(tree(finished)) - {"job.json", "manifest.jsonl"}
    ends = ("_ct.nii.gz", "_organs.nii.gz", "_points.csv", ".json")
    assert names == {f"{sample}{end}" for sample in SAMPLES for end in ends}
    lines = [json.loads(row) for row in (finished / "manifest.jsonl").read_text().splitlines()]
    assert {line["sidecar"] for line in lines} == {f"{sample}.json" for sample in SAMPLES}
    assert {file for line in lines for file in line["files"].values()} <= names


def test_the_sidecar_holds_the_recipe_that_draw_gives(finished):
    resolved = PIPELINE.replace(dimension=3)
    drawn = next(draw(resolved, seed=0, case="p2", start=1))
    sidecar = Sidecar.read(finished / "p2" / "p2__0001.json")
    assert sidecar.parsed_recipe() == drawn
    assert sidecar.drawn == drawn.digest


def test_digests_in_the_sidecar_are_those_of_the_files(finished):
    folder = finished / "p1"
    sidecar = Sidecar.read(folder / "p1__0000.json")
    paths = [(folder / output.file, output.sha256) for output in sidecar.outputs.values()]
    paths += [(folder / source.path, source.sha256) for source in sidecar.sources.values()]
    for path, sha256 in paths:
        assert hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def test_no_output_tells_where_it_was_made(finished, inputs):
    for name, content in tree(finished).items():
        if not name.endswith(".gz"):
            assert str(inputs.parent).encode() not in content, name
            assert os.uname().nodename.encode() not in content, name


def test_files_do_not_depend_on_workers(finished, inputs):
    out = inputs.parent / "workers"
    report = generate_dataset(request(inputs, out, workers=2))
    assert report.made == 9
    assert tree(out) == tree(finished)


def test_progress_goes_from_nothing_to_all(inputs, tmp_path):
    seen = []
    generate_dataset(request(inputs, tmp_path / "out", count=1), seen.append)
    assert [(one.done, one.total) for one in seen] == [(k, 3) for k in range(4)]


def test_a_second_run_rewrites_nothing(inputs, tmp_path):
    out = tmp_path / "out"
    generate_dataset(request(inputs, out, count=2))
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    report = generate_dataset(request(inputs, out, count=2))
    assert (report.made, report.kept) == (0, 6)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_what_is_lost_is_made_again_and_the_rest_is_kept(finished, inputs):
    out = inputs.parent / "lost"
    generate_dataset(request(inputs, out))
    (out / "p1" / "p1__0000.json").unlink()
    (out / "p2" / "p2__0001_ct.nii.gz").unlink()
    (out / "p10" / "p10__0002_organs.nii.gz").write_bytes(b"cut off")
    (out / "manifest.jsonl").write_bytes((out / "manifest.jsonl").read_bytes()[:-30])
    report = generate_dataset(request(inputs, out))
    assert (report.made, report.kept) == (3, 6)
    assert tree(out) == tree(finished)


def test_more_samples_are_added_to_those_that_are_there(finished, inputs):
    out = inputs.parent / "more"
    generate_dataset(request(inputs, out, count=1))
    report = generate_dataset(request(inputs, out))
    assert (report.made, report.kept) == (6, 3)
    assert tree(out) == tree(finished)


def test_samples_of_a_changed_source_are_made_again(tmp_path):
    inputs, out = write_cases(tmp_path, "p1 p2"), tmp_path / "out"
    generate_dataset(request(inputs, out))
    old = (out / "p1" / "p1__0000_ct.nii.gz").read_bytes()
    write_image(
        ScalarImage(np.full((8, 10, 12), 30, np.int16), ImageGrid((12, 10, 8), (2, 2, 3))),
        inputs / "p1_ct.nii.gz",
    )
    report = generate_dataset(request(inputs, out))
    assert (report.made, report.kept) == (3, 3)
    assert (out / "p1" / "p1__0000_ct.nii.gz").read_bytes() != old


def test_a_run_killed_at_any_moment_goes_on_to_the_same_files(finished, inputs):
    """SIGKILL leaves no time to tidy up: what is there under a final name must be whole."""
    out = inputs.parent / "killed"
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "if __name__ == '__main__':\n"
        "    from pathlib import Path\n"
        "    from data_sets import request\n"
        "    from millimorph.generate import generate_dataset\n"
        "    paths = [Path(text) for text in sys.argv[2:]]\n"
        "    generate_dataset(request(*paths), lambda progress: print(progress.done, flush=True))\n"
    )
    command = [sys.executable, "-c", program, str(Path(__file__).parent), str(inputs), str(out)]
    wanted = tree(finished)
    for stop_after, wait_s in ((1, 0.0), (3, 0.013), (5, 0.031)):
        process = subprocess.Popen(  # noqa: S603 - our own program
            command, stdout=subprocess.PIPE, text=True
        )
        for row in process.stdout:
            if int(row) >= stop_after:
                break
        time.sleep(wait_s)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        for name, content in tree(out).items():
            if not Path(name).name.startswith(".") and name != "manifest.jsonl":
                assert content == wanted[name], name
        check_committed(out)
    generate_dataset(request(inputs, out))
    assert tree(out) == wanted


@pytest.mark.parametrize("moment", range(20, 32))
def test_a_full_disk_stops_the_run_and_it_goes_on_later(finished, inputs, monkeypatch, moment):
    """The moments span one sample: its files, their folder, its sidecar and its line."""
    out = inputs.parent / f"full-{moment}"
    error = (errno.ENOSPC, errno.EDQUOT, errno.EIO)[moment % 3]
    calls = iter(range(10**6))
    sync = os.fsync

    def full(descriptor):
        if next(calls) == moment:
            raise OSError(error, os.strerror(error))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=os.strerror(error)) as caught:
        generate_dataset(request(inputs, out))
    monkeypatch.undo()
    assert "go on" in str(caught.value)
    partial = tree(out)
    assert all(partial[name] == tree(finished)[name] for name in partial if "__" in name)
    check_committed(out)
    generate_dataset(request(inputs, out))
    assert tree(out) == tree(finished)


def test_no_sidecar_stands_beside_files_that_it_does_not_describe(tmp_path, monkeypatch):
    """The source changed, and the disk fills up after the first file of the new sample."""
    inputs, out = write_cases(tmp_path, "p1"), tmp_path / "out"
    generate_dataset(request(inputs, out))
    write_case(inputs, "p1", (13, 11, 9))

    write = sample.write_digested

    def full(image, path):
        if "organs" in path.name:
            raise OutputError(f"cannot write {path}") from OSError(errno.ENOSPC, "full")
        return write(image, path)

    monkeypatch.setattr(sample, "write_digested", full)
    with pytest.raises(OutputError):
        generate_dataset(request(inputs, out))
    check_committed(out)


def test_two_runs_at_once_end_with_the_right_files(finished, inputs):
    """The second begins while the first is at work; neither clears what the other writes."""
    out = inputs.parent / "two"
    begun = threading.Event()

    def first() -> None:
        generate_dataset(request(inputs, out), lambda progress: progress.done and begun.set())

    thread = threading.Thread(target=first)
    thread.start()
    assert begun.wait(60)
    generate_dataset(request(inputs, out))
    thread.join()
    assert tree(out) == tree(finished)


def test_a_run_leaves_alone_what_another_one_is_writing(inputs, tmp_path):
    fcntl = pytest.importorskip("fcntl")
    out = tmp_path / "out"
    generate_dataset(request(inputs, out, count=1))
    being_written = out / "p1" / ".millimorph-1234.nii.gz"
    being_written.write_bytes(b"half")
    descriptor = os.open(out, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        generate_dataset(request(inputs, out, count=2))
    finally:
        os.close(descriptor)
    assert being_written.exists()


@pytest.mark.parametrize("count", [2, 3, 5])
def test_shards_together_make_what_one_run_makes(finished, inputs, count):
    """With fewer and with more shards than cases; each may have other workers."""
    out = inputs.parent / f"shards-{count}"
    made = [
        generate_dataset(request(inputs, out, shard=Shard(number, count))).made
        for number in range(1, count + 1)
    ]
    assert min(made) > 0
    assert tree(out) == tree(finished)


def test_shards_keep_each_others_failures(tmp_path):
    inputs, out = write_cases(tmp_path), tmp_path / "out"
    (inputs / "p1_ct.nii.gz").write_bytes(b"no image")
    (inputs / "p2_organs.nii.gz").write_bytes(b"no image")
    one_run = tmp_path / "one run"
    generate_dataset(request(inputs, one_run))
    for number in (2, 1):
        generate_dataset(request(inputs, out, shard=Shard(number, 2)))
    assert (out / "quarantine.jsonl").read_text() == (one_run / "quarantine.jsonl").read_text()


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "1/x", "/", "1/2/3", "-1/2"])
def test_a_shard_that_cannot_be_is_refused(text):
    with pytest.raises(PipelineError, match="such as 2/8"):
        Shard.parse(text)


def test_leftovers_of_a_killed_run_are_cleared(inputs, tmp_path):
    out = tmp_path / "out"
    generate_dataset(request(inputs, out, count=1))
    left = out / "p1" / ".millimorph-1234.nii.gz"
    left.write_bytes(b"half")
    generate_dataset(request(inputs, out, count=1))
    assert not left.exists()


@pytest.mark.parametrize("place", [".", "..", "below", "below/deeper"])
def test_an_output_folder_that_touches_the_input_is_refused(tmp_path, place):
    inputs = write_cases(tmp_path, "p1")
    before = tree(tmp_path)
    with pytest.raises(OutputError, match="input folder"):
        generate_dataset(request(inputs, inputs / place))
    assert tree(tmp_path) == before


def test_a_folder_with_foreign_files_is_refused_and_left_alone(inputs, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"thesis\.txt.*nothing was touched"):
        generate_dataset(request(inputs, tmp_path))
    assert tree(tmp_path) == {"thesis.txt": b"mine"}


def test_sampling_for_a_name_without_a_pattern_is_refused(inputs, tmp_path):
    """Before anything is written, not case by case."""
    pipeline = PIPELINE.replace(sampling={"tc": ImageSampling(interpolation="cubic")})
    with pytest.raises(PipelineError, match=r"sampling for tc; .* ct, organs"):
        generate_dataset(request(inputs, tmp_path / "out", pipeline=pipeline))
    assert not (tmp_path / "out").exists()


def test_a_file_as_output_folder_is_refused(inputs, tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputError, match="is a file"):
        generate_dataset(request(inputs, tmp_path / "out"))


def test_a_link_out_of_the_output_folder_is_not_followed(inputs, tmp_path):
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    generate_dataset(request(inputs, out, count=1))
    elsewhere.mkdir()
    for path in (out / "p1").iterdir():
        path.unlink()
    (out / "p1").rmdir()
    (out / "p1").symlink_to(elsewhere)
    with pytest.raises(OutputError, match="leads out"):
        generate_dataset(request(inputs, out, count=1))
    assert tree(elsewhere) == {}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"seed": 8}, "seed"),
        ({"suffix": ".mha"}, "format"),
        ({"pipeline": Pipeline(spatial=(Affine(scale=1.1),))}, "pipeline"),
        ({"pipeline": PIPELINE.replace(design=LatinHypercube(count=4))}, "design"),
    ],
)
def test_another_job_in_the_folder_is_refused_with_the_difference(inputs, tmp_path, changes, told):
    out = tmp_path / "out"
    generate_dataset(request(inputs, out, count=1))
    before = tree(out)
    with pytest.raises(OutputError, match=f"another job: its {told}"):
        generate_dataset(request(inputs, out, **({"count": None} | changes)))
    assert tree(out) == before


def check_committed(out):
    """Every sidecar that is there has all its files, as it says they are."""
    for path in out.glob("*/p*__*.json"):
        for output in Sidecar.read(path).outputs.values():
            content = (path.parent / output.file).read_bytes()
            assert hashlib.sha256(content).hexdigest() == output.sha256


def _truncate(inputs):
    path = inputs / "bad_ct.nii.gz"
    path.write_bytes(path.read_bytes()[:-200])


def _flip_a_bit(inputs):
    path = inputs / "bad_ct.nii.gz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(bytes(content))


def _put_nan(inputs):
    grid = ImageGrid((12, 10, 8), (2, 2, 3))
    voxels = np.ones(grid.shape, np.float32)
    voxels[3, 4, 5] = np.nan
    write_image(ScalarImage(voxels, grid), inputs / "bad_ct.nii.gz")


def _empty(inputs):
    (inputs / "bad_ct.nii.gz").write_bytes(b"")


def _no_label(inputs):
    (inputs / "bad_organs.nii.gz").unlink()


def _broken_table(inputs):
    (inputs / "bad_points.csv").write_text("name,x,y,z\na,1,2\n")


def _zero_spacing(inputs):
    path = inputs / "bad_ct.nii.gz"
    header = bytearray(gzip.decompress(path.read_bytes()))
    header[80:84] = b"\0\0\0\0"
    header[252:256] = b"\0\0\0\0"
    path.write_bytes(gzip.compress(bytes(header)))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_truncate, "bad_ct.nii.gz"),
        (_flip_a_bit, "bad_ct.nii.gz"),
        (_put_nan, r"NaN|finite"),
        (_empty, "empty"),
        (_no_label, "organs"),
        (_broken_table, "line 2"),
        (_zero_spacing, "spacing"),
    ],
)
def test_a_bad_case_is_named_and_the_others_go_on(tmp_path, damage, reason):
    inputs = write_cases(tmp_path, "bad p1 p2")
    damage(inputs)
    out = tmp_path / "out"
    report = generate_dataset(request(inputs, out))
    assert report.made == 6
    assert {failure.case for failure in report.failures} == {"bad"}
    rows = [json.loads(row) for row in (out / "quarantine.jsonl").read_text().splitlines()]
    assert {row["case"] for row in rows} == {"bad"}
    assert all(re.search(reason, row["reason"]) for row in rows)
    assert str(tmp_path) not in (out / "quarantine.jsonl").read_text()
    assert {line.case for line in read_manifest(out).values()} == {"p1", "p2"}


def test_workers_name_a_bad_case_too(tmp_path):
    inputs = write_cases(tmp_path, "bad p1 p2")
    _truncate(inputs)
    alone = generate_dataset(request(inputs, tmp_path / "alone"))
    report = generate_dataset(request(inputs, tmp_path / "out", workers=2))
    assert (report.made, report.failures) == (6, alone.failures)
    assert tree(tmp_path / "out") == tree(tmp_path / "alone")


def test_a_mended_case_is_made_and_leaves_the_quarantine(tmp_path):
    inputs, out = write_cases(tmp_path, "bad p1"), tmp_path / "out"
    _empty(inputs)
    generate_dataset(request(inputs, out))
    write_case(inputs, "bad", (12, 10, 8))
    report = generate_dataset(request(inputs, out))
    assert (report.made, report.kept, report.failures) == (3, 3, ())
    assert not (out / "quarantine.jsonl").exists()


def test_unknown_label_pairs_leave_samples_out_with_what_to_do(inputs, tmp_path):
    pipeline = Pipeline(spatial=(Flip(axis="left-right"),))
    report = generate_dataset(request(inputs, tmp_path / "out", pipeline=pipeline))
    assert report.made == 0
    assert all("label_pairs" in failure.reason for failure in report.failures)


def test_a_format_that_cannot_hold_the_images_leaves_them_out(inputs, tmp_path):
    report = generate_dataset(request(inputs, tmp_path / "out", suffix=".png", count=1))
    assert report.made == 0
    assert len(report.failures) == 3
    assert not [name for name in tree(tmp_path / "out") if name.endswith(".json") and "__" in name]


def test_labels_on_another_grid_than_the_image_are_made_too(tmp_path):
    inputs, out = write_cases(tmp_path, "p1"), tmp_path / "out"
    write_case(inputs, "other", (9, 9, 9))
    (inputs / "other_organs.nii.gz").replace(inputs / "p1_organs.nii.gz")
    for path in inputs.glob("other*"):
        path.unlink()
    generate_dataset(request(inputs, out, count=1))
    labels = read_labels(out / "p1" / "p1__0000_organs.nii.gz")
    assert labels.grid.size == (9, 9, 9)


def test_a_size_is_spread_over_the_largest_extent_of_all_cases(tmp_path):
    inputs, out = write_cases(tmp_path), tmp_path / "out"
    pipeline = PIPELINE.replace(reference=Reference(size=(7, 6, 5)))
    generate_dataset(request(inputs, out, pipeline=pipeline, count=1))
    extent = np.array([14 * 2.0, 10 * 2.0, 8 * 3.0])
    for case in ("p1", "p2", "p10"):
        grid = read_image(out / case / f"{case}__0000_ct.nii.gz").grid
        assert grid.size == (7, 6, 5)
        assert grid.spacing_mm == pytest.approx(extent / (7, 6, 5), abs=1e-6)
        recipe = Sidecar.read(out / case / f"{case}__0000.json").parsed_recipe()
        assert recipe.reference.extent_mm == tuple(extent)


def test_cases_of_two_and_three_dimensions_share_a_job(tmp_path):
    inputs, out = write_cases(tmp_path, "p1"), tmp_path / "out"
    write_case(inputs, "flat", (11, 9))
    report = generate_dataset(request(inputs, out))
    assert (report.made, report.failures) == (6, ())
    assert read_image(out / "flat" / "flat__0000_ct.nii.gz").dimension == 2
    assert read_landmarks(out / "flat" / "flat__0000_points.csv").dimension == 2


def test_a_case_of_the_wrong_dimension_is_left_out(tmp_path):
    inputs, out = write_cases(tmp_path, "p1"), tmp_path / "out"
    write_case(inputs, "flat", (11, 9))
    pipeline = PIPELINE.replace(reference=Reference(size=(7, 6, 5)))
    report = generate_dataset(request(inputs, out, pipeline=pipeline))
    assert report.made == 3
    assert [failure.case for failure in report.failures] == ["flat"]


def test_the_pipelines_design_decides_the_number_of_samples(inputs, tmp_path):
    pipeline = Pipeline(
        spatial=(Affine(scale=Uniform(0.9, 1.1), rotation_deg=0),), design=FullFactorial(levels=4)
    )
    report = generate_dataset(request(inputs, tmp_path / "out", pipeline=pipeline, count=None))
    assert report.made == 3 * 4


@pytest.mark.parametrize(
    ("changes", "error", "told"),
    [
        ({"pipeline": PIPELINE.replace(design=FullFactorial(levels=30))}, PipelineError, "limit"),
        (
            {"pipeline": PIPELINE.replace(design=FullFactorial()), "count": 5},
            PipelineError,
            "count",
        ),
        ({"suffix": ".jpg"}, PipelineError, "jpg"),
        ({"workers": 0}, PipelineError, "workers"),
        ({"labels": {"ct": "{case}_organs.nii.gz"}}, PipelineError, "ct"),
        ({"images": {"a/b": "{case}_ct.nii.gz"}}, PipelineError, "a/b"),
        ({"images": {"ct": "{case}_pet.nii.gz"}}, FileError, "_pet"),
        ({"images": {"ct": "ct.nii.gz"}}, FileError, "{case}"),
        ({"folder": Path("nowhere")}, FileError, "nowhere"),
    ],
)
def test_a_wrong_request_is_refused_before_anything_is_written(
    inputs, tmp_path, changes, error, told
):
    out = tmp_path / "out"
    with pytest.raises(error, match=told):
        generate_dataset(request(inputs, out, **({"count": None} | changes)))
    assert not out.exists()


def test_real_folders_become_samples(shared_data, tmp_path):
    """CT, MR and labels as they come, of differing sizes, in one request without patterns."""
    for name in ("ct_torso", "slices_2d"):
        out = tmp_path / name
        report = generate_dataset(
            request(
                shared_data / name,
                out,
                images={},
                labels={},
                landmarks={},
                count=1,
                backend="cpu",
            )
        )
        assert report.failures == ()
        assert report.made == 2
    with_labels = tmp_path / "with_labels"
    report = generate_dataset(
        request(
            shared_data,
            with_labels,
            images={"ct": "{case}/ct.nii.gz"},
            labels={"organs": "{case}/labels.nii.gz"},
            landmarks={},
            count=1,
            backend="cpu",
        )
    )
    assert report.made == 1
    before = read_labels(shared_data / "ct_torso" / "labels.nii.gz")
    after = read_labels(with_labels / "ct_torso" / "ct_torso__0000_organs.nii.gz")
    assert set(after.labels()) <= set(before.labels())
