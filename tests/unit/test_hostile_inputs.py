"""One job full of damaged files and hostile names: what is whole is made, nothing else happens."""

import gzip
import re
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its users' name for it
from data_sets import request, tree

from millimorph.cli import run_command
from millimorph.errors import FileError
from millimorph.generate import Sidecar, generate_dataset, replay, verify
from millimorph.geometry import ImageGrid
from millimorph.images import ScalarImage
from millimorph.io import write_image

GRID = ImageGrid((12, 10, 8), (2.0, 2.0, 3.0), (5.0, -7.0, 11.0))
FORMATS = (".nii", ".nii.gz", ".mha", ".packed.mha", ".nrrd", ".b2nd")
COMPRESSED = (".nii.gz", ".packed.mha", ".nrrd", ".b2nd")
NIFTI = (".nii", ".nii.gz")
TEXT_HEADERS = (".mha", ".packed.mha", ".nrrd")
FILES_ALONE = {"images": {}, "labels": {}, "landmarks": {}, "count": 1}

Damage = Callable[[bytes, str], bytes]


def voxels(seed):
    return np.random.default_rng(seed).integers(0, 90, GRID.shape).astype(np.int16)


def put(path):
    """Write a whole image; .packed.mha is a compressed one of ITK."""
    image = ScalarImage(voxels(len(path.name)), GRID)
    if not path.name.endswith(".packed.mha"):
        write_image(image, path)
        return
    packed = sitk.GetImageFromArray(image.array)
    packed.SetSpacing(GRID.spacing_mm)
    packed.SetOrigin(GRID.origin_mm)
    sitk.WriteImage(packed, str(path), useCompression=True)


def cut(share):
    return lambda content, _: content[: int(len(content) * share)]


def flipped(content, _):
    place = len(content) * 3 // 4
    return content[:place] + bytes([content[place] ^ 16]) + content[place + 1 :]


def short_payload(content, ending):
    """Take the last voxels away, in a stream that is whole."""
    if ending == ".nii.gz":
        return gzip.compress(gzip.decompress(content)[:-40])
    if ending in TEXT_HEADERS:
        return more_voxels(content, b"8", b"9")
    return content[:-40]


def without_crc(content, ending):
    return content[: -8 if ending in {".nii.gz", ".nrrd"} else -4]


def more_voxels(content, old, new):
    """Change the last of three sizes in a text header."""
    return re.sub(rb"((?:DimSize =|sizes:) \d+ \d+ )" + old, rb"\g<1>" + new, content, count=1)


def huge(content, ending):
    if ending in NIFTI:
        return header(content, ending, {42: struct.pack("<3h", *[32767] * 3)})
    return re.sub(rb"(DimSize =|sizes:) \d+ \d+ \d+", rb"\1 99999 99999 99999", content, count=1)


def header(content, ending, fields):
    """Overwrite bytes of a NIfTI header."""
    plain = bytearray(content if ending == ".nii" else gzip.decompress(content))
    for place, value in fields.items():
        plain[place : place + len(value)] = value
    return bytes(plain) if ending == ".nii" else gzip.compress(bytes(plain))


def sform(*rows):
    return b"".join(struct.pack("<4f", *row) for row in rows)


def nan_affine(content, ending):
    if ending in NIFTI:
        return header(content, ending, {280: struct.pack("<f", np.nan)})
    origin = rb"\1nan \2" if b"Offset" in content else rb"\1nan,\2"
    return re.sub(rb"(Offset = |space origin: \()[^ ,]+[ ,](.)", origin, content, count=1)


def singular_affine(content, ending):
    if ending in NIFTI:
        rows = ((2, 2, 0, 0), (0, 0, 0, 0), (0, 0, 3, 0))
        return header(content, ending, {280: sform(*rows)})
    return re.sub(
        rb"(TransformMatrix = |space directions: )[^\n]*",
        rb"\g<1>1 0 0 1 0 0 0 0 1"
        if b"TransformMatrix" in content
        else rb"\1(2,0,0) (2,0,0) (0,0,3)",
        content,
        count=1,
    )


def zero_spacing(content, ending):
    if ending in NIFTI:
        no_codes = {252: struct.pack("<2h", 0, 0), 80: struct.pack("<f", 0)}
        return header(content, ending, no_codes)
    return re.sub(
        rb"(ElementSpacing = |space directions: )[^\n]*",
        rb"\g<1>0 2 3" if b"ElementSpacing" in content else rb"\1(0,0,0) (0,2,0) (0,0,3)",
        content,
        count=1,
    )


def sform_against_qform(content, ending):
    return header(content, ending, {280: sform((2, 0, 0, 50), (0, 2, 0, 0), (0, 0, 3, 0))})


# What is done, to which formats, and what the reason says; raw voxels have no checksum.
DAMAGES: dict[str, tuple[Damage, tuple[str, ...], str]] = {
    "cut10": (cut(0.1), FORMATS, r"truncated|end early|not a|announces|does not end"),
    "cut90": (cut(0.9), FORMATS, r"truncated|end early|announces"),
    "flipped": (flipped, COMPRESSED, r"damaged"),
    "short": (short_payload, FORMATS, r"truncated|announces"),
    "nocrc": (without_crc, COMPRESSED, r"truncated|end early"),
    "empty": (lambda *_: b"", FORMATS, r"empty"),
    "text": (lambda *_: b"these are words\n" * 50, FORMATS, r"not a|not gzip|no NIfTI|is not gzip"),
    "huge": (huge, (*NIFTI, *TEXT_HEADERS), r"announces"),
    "nan": (nan_affine, (*NIFTI, *TEXT_HEADERS), r"finite|nan|not a readable"),
    "singular": (singular_affine, (*NIFTI, *TEXT_HEADERS), r"sheared|not a readable"),
    "zero": (zero_spacing, (*NIFTI, *TEXT_HEADERS), r"spacing|not a readable"),
}


def test_every_damaged_file_is_quarantined_by_name_and_reason_and_the_rest_is_made(tmp_path, capfd):
    """Twelve kinds of damage in one job; the twelfth, sform against qform, is a warning."""
    inputs = tmp_path / "in"
    inputs.mkdir()
    expected = {}
    for kind, (damage, endings, reason) in DAMAGES.items():
        for ending in endings:
            path = inputs / f"{kind}{ending.replace('.', '-', 1).replace('-', '_')}{ending}"
            put(path)
            whole = path.read_bytes()
            harmed = damage(whole, ending)
            assert harmed != whole, f"{kind} changes nothing in {ending}"
            path.write_bytes(harmed)
            expected[path.name] = reason
    put(inputs / "apart.nii.gz")
    content = (inputs / "apart.nii.gz").read_bytes()
    (inputs / "apart.nii.gz").write_bytes(sform_against_qform(content, ".nii.gz"))
    for ending in FORMATS:
        put(inputs / f"whole{ending.replace('.', '_')}{ending}")
    before = tree(inputs)

    report = generate_dataset(request(inputs, tmp_path / "out", **FILES_ALONE))

    reasons = {}
    for failure in report.failures:
        (name,) = [one for one in expected if failure.reason.startswith(f"{one}: ")]
        reasons[name] = failure.reason
    assert reasons.keys() == expected.keys()
    wrong = {name: text for name, text in reasons.items() if not re.search(expected[name], text)}
    assert not wrong
    assert report.made == len(FORMATS) + 1
    assert [text for text in report.warnings if "sform and qform" in text]
    assert str(tmp_path) not in (tmp_path / "out" / "quarantine.jsonl").read_text()
    assert tree(inputs) == before
    assert verify(tmp_path / "out").intact
    capfd.readouterr()


HOSTILE = (
    'it\'s "quoted"',
    "<b>bold<b>",
    "a..b",
    "a..;x..",
    "$(touch PWNED)",
    "`touch PWNED`",
    "a;touch PWNED;&&|b",
    "-rf",
    "--out=elsewhere",
    "\u202egnp.txt",
    "two\nlines",
    "n" * 180,
    "n" * 179 + "m",
    "Case",
    "case",
    "CASE",
    "r\u00e9sum\u00e9",
    "re\u0301sume\u0301",
    "%s{case}{0}",
    "CON",
    " space ",
    "tab\t",
)


def test_hostile_names_are_kept_apart_and_neither_run_nor_lead_out(tmp_path, monkeypatch, capsys):
    """Through generate, verify and replay, in Python and on the command line."""
    inputs, out = tmp_path / "in", tmp_path / "out"
    inputs.mkdir()
    monkeypatch.chdir(inputs.parent)
    for number, name in enumerate(HOSTILE):
        voxels_of = np.full(GRID.shape, number, np.int16)
        write_image(ScalarImage(voxels_of, GRID), tmp_path / "a.nii")
        (tmp_path / "a.nii").rename(
            inputs / f"x{name}.nii" if name[0] == "." else inputs / f"{name}.nii"
        )
    report = generate_dataset(request(inputs, out, **FILES_ALONE))
    assert (report.made, report.failures) == (len(HOSTILE), ())
    assert {path.name for path in tmp_path.iterdir()} == {"in", "out"}
    folders = [path for path in out.iterdir() if path.is_dir()]
    assert len({path.name.casefold() for path in folders}) == len(HOSTILE)
    sources = set()
    for folder in folders:
        (sidecar,) = folder.glob("*.json")
        sources |= {one.path for one in Sidecar.read(sidecar).sources.values()}
        assert replay(sidecar).reproduced
        assert re.fullmatch(r"[\w.+=@-]+", folder.name)
        assert not folder.name.startswith("-")
    assert len(sources) == len(HOSTILE)
    assert verify(out).intact
    assert run_command(["verify", str(out)]) == 0
    for folder in folders[:3]:
        (sidecar,) = folder.glob("*.json")
        assert run_command(["replay", str(sidecar)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"in", "out"}
    capsys.readouterr()


@pytest.mark.parametrize("name", ['a"b', "a<b", "a\nb", "a|b"])
def test_a_pattern_that_finds_a_hostile_name_says_which(tmp_path, name):
    """With patterns the case's name is what stands in the file's name, so it cannot be mended."""
    (tmp_path / "in").mkdir()
    put(Path(tmp_path / "in" / "whole_ct.nii"))
    (tmp_path / "in" / "whole_ct.nii").rename(tmp_path / "in" / f"{name}_ct.nii")
    asked = request(
        tmp_path / "in", tmp_path / "out", **FILES_ALONE | {"images": {"ct": "{case}_ct.nii"}}
    )
    with pytest.raises(FileError, match="not safe in a file name"):
        generate_dataset(asked)
    assert not (tmp_path / "out").exists()
