"""WebDataset shards: complete, patients together, the same bytes every time."""

import hashlib
import json
import tarfile

import pytest
import webdataset
from data_sets import request, tree, write_case, write_cases

from millimorph.cli import run_command
from millimorph.errors import FileError, OutputError
from millimorph.generate import export_webdataset, generate_dataset, webdataset_export
from millimorph.generate.webdataset_export import _Entry, _Member, _shards

ONE_LABEL = {"landmarks": {}, "count": 2}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Three visits of two patients; one visit has a dot in its name."""
    inputs = tmp_path_factory.mktemp("shards") / "in"
    inputs.mkdir()
    rows = []
    for case, group in (("b", "p10"), ("a.1", "p2"), ("c", "p10")):
        write_case(inputs, case, (12, 10, 8))
        rows.append(f"{case},{case}_ct.nii.gz,{case}_organs.nii.gz,{group}\n")
    (inputs / "cases.csv").write_text("id,image:ct,label:organs,group\n" + "".join(rows))
    out = inputs.parent / "out"
    asked = {"images": {}, "labels": {}, "landmarks": {}, "count": 2}
    generate_dataset(request(inputs, out, **asked))
    return out


def test_tarfile_finds_every_file_of_every_sample(made, tmp_path):
    export = export_webdataset(made, tmp_path / "shards")
    assert (export.samples, export.shards, export.patients) == (6, 1, 2)
    with tarfile.open(tmp_path / "shards" / "shard-000000.tar") as shard:
        names = shard.getnames()
        for info in shard:
            assert (info.mtime, info.uid, info.gid, info.uname) == (0, 0, 0, "")
        content = {name: shard.extractfile(name).read() for name in names}
    assert names[:3] == ["a_1__0000.ct.nii.gz", "a_1__0000.organs.nii.gz", "a_1__0000.json"]
    assert content["a_1__0000.ct.nii.gz"] == (made / "a.1" / "a.1__0000_ct.nii.gz").read_bytes()
    assert content["c__0001.json"] == (made / "c" / "c__0001.json").read_bytes()
    assert len(names) == 18


# WebDataset leaves the closing of its stream to the collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_webdataset_itself_reads_whole_samples(made, tmp_path):
    export_webdataset(made, tmp_path / "shards")
    url = str(tmp_path / "shards" / "shard-000000.tar")
    found = list(webdataset.WebDataset(url, shardshuffle=False))
    assert [one["__key__"] for one in found] == [
        f"{case}__000{index}" for case in ("a_1", "b", "c") for index in (0, 1)
    ]
    for one in found:
        assert {"ct.nii.gz", "organs.nii.gz", "json"} <= one.keys()
        outputs = json.loads(one["json"])["outputs"]
        assert outputs["ct"]["sha256"] == hashlib.sha256(one["ct.nii.gz"]).hexdigest()


def test_the_index_names_shards_digests_and_patients(made, tmp_path):
    export_webdataset(made, tmp_path / "shards")
    index = json.loads((tmp_path / "shards" / "index.json").read_text())
    (row,) = index["shards"]
    content = (tmp_path / "shards" / row["file"]).read_bytes()
    assert row["sha256"] == hashlib.sha256(content).hexdigest()
    assert row["bytes"] == len(content)
    assert row["patients"] == ["p2", "p10"]
    assert index["samples"] == row["samples"] == 6


def test_the_bytes_are_the_same_every_time(made, tmp_path):
    for name in ("one", "two"):
        export_webdataset(made, tmp_path / name)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def entry(group, size):
    return _Entry(group, (_Member("a", webdataset_export.Path("a"), "0", size),))


@pytest.mark.parametrize(
    ("samples", "shards"),
    [
        ([("a", 400), ("b", 400)], ["ab"]),
        ([("a", 400), ("b", 400), ("b", 400), ("c", 100)], ["a", "bbc"]),
        ([("a", 300), ("b", 600), ("b", 600), ("c", 100)], ["a", "b", "b", "c"]),
        ([("a", 600), ("a", 600), ("b", 100)], ["a", "a", "b"]),
        ([("a", 2000), ("b", 100)], ["a", "b"]),
    ],
)
def test_patients_share_shards_but_are_not_cut_unless_they_are_larger(samples, shards):
    """Sizes in 1024 bytes, of shards of 1000; each member has a block of header."""
    entries = [entry(group, size * 1024) for group, size in samples]
    found = _shards(entries, 1000 * 1024)
    assert ["".join(one.group for one in shard) for shard in found] == shards


def test_patients_that_are_cut_are_told(made, tmp_path, monkeypatch):
    cut = [entry("p2", 10), entry("p2", 10)]
    monkeypatch.setattr(webdataset_export, "_entries", lambda _: cut)
    monkeypatch.setattr(webdataset_export, "_shards", lambda *_: [[cut[0]], [cut[1]]])
    monkeypatch.setattr(webdataset_export, "_tar", lambda _: [b"tar"])
    export = export_webdataset(made, tmp_path / "shards")
    assert export.split_patients == ("p2",)
    index = json.loads((tmp_path / "shards" / "index.json").read_text())
    assert index["split_patients"] == ["p2"]


@pytest.mark.parametrize("pattern", ["b/*_ct.nii.gz", "c/*.json"])
def test_a_changed_file_is_found_and_nothing_is_left(tmp_path, pattern):
    inputs, out = write_cases(tmp_path, "b c"), tmp_path / "out"
    generate_dataset(request(inputs, out, **ONE_LABEL))
    path = min(out.glob(pattern))
    path.write_bytes(path.read_bytes().replace(b"a", b"b") + b" ")
    with pytest.raises(FileError, match=path.name):
        export_webdataset(out, tmp_path / "shards")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["in", "out"]


def test_a_place_that_is_taken_is_refused(made, tmp_path):
    (tmp_path / "there").mkdir()
    for dest, reason in ((tmp_path / "there", "exists"), (made / "shards", "lies inside")):
        with pytest.raises(OutputError, match=reason):
            export_webdataset(made, dest)
    with pytest.raises(FileError, match="no finished samples"):
        export_webdataset(tmp_path / "there", tmp_path / "new")
    with pytest.raises(OutputError, match="at least 1 MB"):
        export_webdataset(made, tmp_path / "new", 1000)


def test_two_cases_with_one_key_are_refused(tmp_path):
    inputs, out = write_cases(tmp_path, "a.1 a_1"), tmp_path / "out"
    generate_dataset(request(inputs, out, **ONE_LABEL))
    with pytest.raises(OutputError, match="two cases have one name"):
        export_webdataset(out, tmp_path / "shards")


def test_the_command_says_how_to_read_it_and_takes_its_size_alone(made, tmp_path, capsys):
    dest = str(tmp_path / "shards")
    assert run_command(["export", str(made), "--to", "webdataset", dest, "--shard-size", "1"]) == 0
    assert "6 samples of 2 patients in 1 shard" in capsys.readouterr().out
    other = str(tmp_path / "Dataset101_A")
    assert run_command(["export", str(made), "--to", "nnunet", other, "--shard-size", "1"]) != 0
    assert "--shard-size" in capsys.readouterr().err


def test_shards_are_not_written_into_the_input_folder(made):
    for place in (made, made.parent / "in"):
        before = tree(place)
        with pytest.raises(OutputError, match="lies inside the input or output folder"):
            export_webdataset(made, place / "shards")
        assert tree(place) == before
