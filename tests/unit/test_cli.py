"""The command line: what each command prints, writes and returns."""

import io
import json
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
from data_sets import PIPELINE, tree, write_cases

from millimorph import demo as demo_module
from millimorph.cli import COMMANDS, run_command
from millimorph.cli.commands import app
from millimorph.cli.progress import PlainLines, progress_text, time_text
from millimorph.errors import MillimorphWarning
from millimorph.generate import Progress
from millimorph.geometry import ImageGrid
from millimorph.images import ScalarImage
from millimorph.io import write_image
from millimorph.io.extensions import WRITTEN_EXTENSIONS
from millimorph.phantoms import chest
from millimorph.pipelines import get_pipeline, named_pipelines
from millimorph.recipe import draw, dump_pipeline, load_pipeline

PATTERNS = (
    *("--image", "ct={case}_ct.nii.gz"),
    *("--label", "organs={case}_organs.nii.gz"),
    *("--landmarks", "points={case}_points.csv"),
)


@pytest.fixture
def inputs(tmp_path):
    dump_pipeline(PIPELINE, tmp_path / "pipeline.yaml")
    return write_cases(tmp_path, "p1 p2")


def generate(inputs, *changes):
    folder = inputs.parent
    return run_command(
        [
            *("generate", str(inputs), "--pipeline", str(folder / "pipeline.yaml")),
            *("--out", str(folder / "out"), "--count", "2", "--workers", "1"),
            *("--backend", "reference", *PATTERNS, *changes),
        ]
    )


def test_the_table_of_commands_says_what_their_docstrings_say():
    """`--help` answers from the table, without loading the commands."""
    names = {name for name in app if not name.startswith("-")}
    assert names == set(COMMANDS)
    for name, summary in COMMANDS.items():
        assert app[name].help.split("\n")[0] == summary


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_names_every_command(capsys, arguments):
    assert run_command(arguments) == 0
    printed = capsys.readouterr().out
    assert all(f"  {name}" in printed for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_commands_help_has_an_example(capsys, name):
    assert run_command([name, "--help"]) == 0
    assert f"  millimorph {name}" in capsys.readouterr().out


def python(*arguments):
    return subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, *arguments], capture_output=True, text=True, check=False
    )


def test_the_help_of_generate_names_the_formats_that_are_written(capsys):
    """One that is not written would be refused after the user chose it."""
    assert run_command(["generate", "--help"]) == 0
    words = " ".join(capsys.readouterr().out.replace("│", " ").split())
    told = words.partition("File type of images and labels:")[2].partition(". ")[0]
    assert {f".{name.strip()}" for name in told.split(",")} == {*WRITTEN_EXTENSIONS} - {".tiff"}


def test_help_loads_no_library():
    """This keeps it fast; a clock on a shared machine would test the machine."""
    program = (
        "import sys; from millimorph.cli import run_command; run_command(['--help'])\n"
        "print(*{name.split('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    loaded = set(python("-c", program).stderr.split())
    heavy = {"numpy", "numba", "SimpleITK", "pydantic", "rich", "cyclopts", "scipy", "PIL"}
    assert loaded
    assert not loaded & heavy


def test_it_runs_as_a_module():
    ran = python("-m", "millimorph", "--version")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.strip()
    assert python("-m", "millimorph", "generat").returncode == 2


def test_generate_writes_samples_and_says_where_and_what_next(inputs, capsys):
    assert generate(inputs) == 0
    out = inputs.parent / "out"
    assert (out / "p2" / "p2__0001_ct.nii.gz").is_file()
    captured = capsys.readouterr()
    assert "made 4 samples of 2 cases" in captured.out
    assert str(out / "manifest.jsonl") in captured.out
    assert f"millimorph replay {out / 'p1' / 'p1__0000.json'}" in captured.out
    assert "4/4 samples" in captured.err


def test_generate_without_patterns_takes_every_image(inputs):
    for path in (*inputs.glob("*.csv"), *inputs.glob("*organs*")):
        path.unlink()
    out = inputs.parent / "all"
    code = run_command(
        [
            *("generate", str(inputs), "--pipeline", "starter", "--out", str(out)),
            *("--count", "1", "--workers", "1", "--backend", "reference", "--format", "mha"),
        ]
    )
    assert code == 0
    assert (out / "p1_ct" / "p1_ct__0000_image.mha").is_file()


def test_slurm_prints_a_script_that_a_shell_takes_as_it_is_meant(tmp_path, capsys):
    """Names from the user are quoted: nothing in them is run."""
    hostile = "a $(touch gone) 'b"
    arguments = ["slurm", hostile, "--pipeline", "ct", "--out", "o;u", "--options", "--count 3"]
    assert run_command([*arguments, "--shards", "7"]) == 0
    script = capsys.readouterr().out.replace("millimorph generate", "printf '%s\\n' generate")
    ran = subprocess.run(  # noqa: S603 - the script under test
        ["bash", "-c", script],  # noqa: S607 - whichever bash runs jobs here
        cwd=tmp_path,
        env={"SLURM_ARRAY_TASK_ID": "4", "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.splitlines() == [
        *("generate", hostile, "--pipeline", "ct", "--out", "o;u", "--workers", "4"),
        *("--count", "3", "--shard", "4/7"),
    ]
    assert not (tmp_path / "gone").exists()
    assert run_command([*arguments, "--memory", "16G; rm"]) == 2


def test_status_and_verify_tell_of_the_folder(inputs, capsys):
    assert generate(inputs) == 0
    out = inputs.parent / "out"
    capsys.readouterr()
    assert run_command(["status", str(out)]) == 0
    assert "4 finished samples of 2 cases, 2 each" in capsys.readouterr().out
    assert run_command(["verify", str(out)]) == 0
    assert "all as they were written" in capsys.readouterr().out
    damaged = min(out.glob("*/*.nii.gz"))
    damaged.write_bytes(damaged.read_bytes()[:-1])
    assert run_command(["verify", str(out)]) == 1
    told = capsys.readouterr().out
    assert damaged.name in told
    assert "next:" in told


def test_cases_left_out_make_exit_code_3_and_a_table(inputs, capsys):
    (inputs / "p1_ct.nii.gz").write_bytes(b"")
    assert generate(inputs) == 3
    printed = capsys.readouterr().out
    assert "  p1: p1_ct.nii.gz: the file is empty" in printed
    assert "quarantine.jsonl" in printed


def test_all_cases_left_out_make_exit_code_1(inputs, capsys):
    for path in inputs.glob("*_ct.nii.gz"):
        path.write_bytes(b"")
    assert generate(inputs) == 1
    printed = capsys.readouterr().out
    assert "made 0 samples" in printed
    assert "p2_ct.nii.gz: the file is empty" in printed


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (["--cuont", "3"], "--count"),
        (["--count", "many"], "--count"),
        (["--image", "images/{case}.nii.gz"], "NAME=PATTERN"),
        (["--image", "ct=again/{case}.nii.gz"], "twice"),
        (["--format", "jpg"], "jpg"),
        (["--workers", "0"], "workers"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_writes_nothing(inputs, capsys, changes, told):
    before = tree(inputs.parent)
    assert generate(inputs, *changes) == 2
    captured = capsys.readouterr()
    assert told in captured.err
    assert "Traceback" not in captured.err
    assert tree(inputs.parent) == before


def test_a_misspelt_starter_is_told_with_the_right_one(inputs, capsys):
    arguments = ["generate", str(inputs), "--pipeline", "strater", "--out", "never"]
    assert run_command(arguments) == 2
    assert 'did you mean "starter"' in capsys.readouterr().err


def test_a_mistake_in_a_pipeline_file_is_told_with_its_line(inputs, capsys):
    path = inputs.parent / "pipeline.yaml"
    path.write_text("spatial:\n  - op: affine\n    rotation_degg: 3\n")
    assert generate(inputs) == 2
    assert f"{path}:3:" in (error := capsys.readouterr().err)
    assert "rotation_deg" in error


def test_a_foreign_folder_is_exit_code_1_with_one_message(inputs, capsys):
    (inputs.parent / "out").mkdir()
    (inputs.parent / "out" / "mine.txt").write_text("mine")
    assert generate(inputs) == 1
    error = capsys.readouterr().err
    assert error.startswith(("0/4 samples\nmillimorph: ", "millimorph: "))
    assert "mine.txt" in error
    assert "Traceback" not in error


def test_warnings_are_lines_without_code(capsys):
    def warn():
        warnings.warn("the two disagree", MillimorphWarning, stacklevel=1)

    app.command(warn, name="warn-for-the-test")
    try:
        assert run_command(["warn-for-the-test"]) == 0
    finally:
        del app["warn-for-the-test"]
    assert capsys.readouterr().err == "warning: the two disagree\n"


def test_inspect_prints_a_table_and_json(inputs, capsys):
    assert run_command(["inspect", str(inputs)]) == 0
    assert "p1_ct.nii.gz" in capsys.readouterr().out
    assert run_command(["inspect", str(inputs), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["files"]) == 6
    (inputs / "p1_ct.nii.gz").write_bytes(b"")
    assert run_command(["inspect", str(inputs)]) == 3
    assert run_command(["inspect", str(inputs / "p1_ct.nii.gz")]) == 1


def test_show_prints_recipes_and_programs(capsys):
    assert run_command(["show", "ct", "--count", "2", "--size", "100", "90", "80"]) == 0
    printed = capsys.readouterr().out
    assert "sample 0" in printed
    assert "sample 1" in printed
    assert "100x90x80" in printed


def test_show_imagines_the_image_that_a_reference_names(tmp_path, capsys):
    path = tmp_path / "pipeline.yaml"
    path.write_text("reference: {like: ct}\nspatial: [{op: affine}]\n")
    assert run_command(["show", str(path)]) == 0
    assert "ct: float32" in capsys.readouterr().out


def test_show_imagines_the_parts_that_have_sampling_of_their_own(tmp_path, capsys):
    sampling = "{pet: {interpolation: cubic}, organs: {interpolation: label_linear}}"
    (tmp_path / "named.yaml").write_text(f"schema_version: 1\nsampling: {sampling}\n")
    assert run_command(["show", str(tmp_path / "named.yaml"), "--count", "1"]) == 0
    shown = capsys.readouterr().out
    assert "pet: float32" in shown
    assert "organs: uint8" in shown


def test_show_says_how_large_a_full_factorial_is(capsys):
    assert run_command(["show", "similarity-grid", "--count", "1"]) == 0
    assert "4 parameters × 3 values = 3^4 = 81 images" in capsys.readouterr().out


def test_show_imagines_an_image_without_a_voxel(tmp_path, capsys):
    """The file has a header and not one voxel."""
    path = tmp_path / "large.nii"
    write_image(ScalarImage(np.zeros((7, 8, 9), np.int16), ImageGrid((9, 8, 7), (1, 2, 3))), path)
    path.write_bytes(path.read_bytes()[:352])
    assert run_command(["show", "ct", "--like", str(path), "--count", "1"]) == 0
    assert "9x8x7 at 1x2x3 mm" in capsys.readouterr().out


def test_show_imagines_the_labels_that_an_image_is_made_from(tmp_path, capsys):
    path = tmp_path / "synthetic.yaml"
    path.write_text("schema_version: 1\nintensity: [{op: labels_to_image, labels: brain}]\n")
    assert run_command(["show", str(path), "--count", "1"]) == 0
    shown = capsys.readouterr().out
    assert "brain: uint8" in shown
    assert "synthetic: made from brain" in shown
    assert "image: float32" not in shown


def test_show_draws_the_ops_on_an_image(tmp_path, capsys, monkeypatch):
    """The sheet has a name made of the pipeline's and the image's, or the one that is given."""
    monkeypatch.chdir(tmp_path)
    grid = ImageGrid((60, 50), (2.0, 2.0))
    voxels = np.random.default_rng(3).integers(0, 255, grid.shape, dtype=np.uint8)
    write_image(ScalarImage(voxels, grid), tmp_path / "a chest.nii.gz")
    (tmp_path / "bent.yaml").write_text("schema_version: 1\nintensity: [{op: gamma}]\n")
    assert run_command(["show", "bent.yaml", "--image", "a chest.nii.gz"]) == 0
    assert (tmp_path / "show_bent_a_chest.png").read_bytes().startswith(b"\x89PNG")
    assert "look at: show_bent_a_chest.png" in capsys.readouterr().out
    sheet = tmp_path / "mine.png"
    arguments = ["--image", "a chest.nii.gz", "--window", "-10", "90", "--out", str(sheet)]
    assert run_command(["show", "bent.yaml", *arguments]) == 0
    assert sheet.read_bytes() != (tmp_path / "show_bent_a_chest.png").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--out", "sheet.jpg"], 2, "must end in .png"),
        (["--window", "3", "3"], 1, "the lower first"),
        (["--labels", "missing.nii.gz"], 1, "missing.nii.gz"),
    ],
)
def test_show_draws_nothing_that_makes_no_sense(
    tmp_path, capsys, monkeypatch, arguments, code, message
):
    monkeypatch.chdir(tmp_path)
    grid = ImageGrid((9, 8))
    write_image(ScalarImage(np.zeros(grid.shape, np.uint8), grid), tmp_path / "a.nii.gz")
    assert run_command(["show", "xray", "--image", "a.nii.gz", *arguments]) == code
    assert message in capsys.readouterr().err
    assert not list(tmp_path.glob("*.png"))


def test_show_prints_the_recipes_that_draw_gives(capsys):
    assert run_command(["show", "ct", "--json", "--count", "2", "--seed", "5"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed == [r.json() for r in draw(get_pipeline("ct"), seed=5, stop=2)]


@pytest.mark.parametrize(
    "arguments", [["--count", "0"], ["--size", "9", "9", "9", "--like", "x.nii"]]
)
def test_show_refuses_what_makes_no_sense(capsys, arguments):
    assert run_command(["show", "ct", *arguments]) == 2
    assert capsys.readouterr().err


def test_replay_says_whether_the_sample_is_the_same(inputs, capsys):
    generate(inputs)
    sidecar = inputs.parent / "out" / "p1" / "p1__0001.json"
    assert run_command(["replay", str(sidecar)]) == 0
    assert "ct: same bytes" in capsys.readouterr().out
    (sidecar.parent / "p1__0001_ct.nii.gz").unlink()
    assert run_command(["replay", str(sidecar)]) == 1
    assert "missing" in capsys.readouterr().out
    again = inputs.parent / "again"
    assert run_command(["replay", str(sidecar), "--out", str(again)]) == 0
    assert (again / "p1__0001_ct.nii.gz").is_file()
    (inputs / "p1_points.csv").write_text("name,x,y,z\na,1,2,3\n")
    assert run_command(["replay", str(sidecar)]) == 1
    assert "changed" in capsys.readouterr().err


def test_the_schema_is_printed_or_written_but_not_over_foreign_files(tmp_path, capsys):
    assert run_command(["schema"]) == 0
    printed = json.loads(capsys.readouterr().out)
    path = tmp_path / "schema.json"
    for _ in range(2):
        assert run_command(["schema", "--out", str(path)]) == 0
        assert json.loads(path.read_text("utf-8")) == printed
    path.write_text("mine")
    assert run_command(["schema", "--out", str(path)]) == 1
    assert path.read_text("utf-8") == "mine"


def test_pipelines_are_listed_and_printed_as_files(tmp_path, capsys):
    assert run_command(["pipelines"]) == 0
    printed = capsys.readouterr().out
    for starter in named_pipelines():
        assert f"  {starter.name} " in printed
        assert run_command(["pipelines", starter.name]) == 0
        path = tmp_path / "pipeline.yaml"
        path.write_text(capsys.readouterr().out)
        assert load_pipeline(path) == starter.pipeline


def test_the_demo_leaves_originals_samples_and_a_sheet(tmp_path, capsys, monkeypatch):
    """With one of its phantoms; all of them are in the phantoms' own tests."""
    monkeypatch.setattr(demo_module, "phantom_cases", lambda: [chest()])
    out = tmp_path / "demo"
    assert run_command(["demo", str(out)]) == 0
    assert (out / "contact_sheet.png").read_bytes().startswith(b"\x89PNG")
    assert (out / "originals" / "chest_01_image.nii.gz").is_file()
    assert load_pipeline(out / "pipeline.yaml") == get_pipeline("starter")
    assert len(list((out / "augmented" / "chest_01").glob("*.json"))) == 3
    printed = capsys.readouterr().out
    assert str(out / "contact_sheet.png") in printed
    before = tree(out)
    assert run_command(["demo", str(out)]) == 0
    assert "3 were there already" in capsys.readouterr().out
    assert tree(out) == before


def test_the_demo_refuses_a_foreign_folder(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")
    assert run_command(["demo", str(tmp_path)]) == 1
    assert "mine.txt" in capsys.readouterr().err
    assert tree(tmp_path) == {"mine.txt": b"mine"}


def test_progress_off_a_terminal_is_a_line_every_few_seconds():
    stream = io.StringIO()
    lines = PlainLines(stream, "samples")
    for k in range(101):
        lines.show(Progress(k, 100, 0, 0, k * 0.12))
    rows = stream.getvalue().splitlines()
    assert len(rows) == 4
    assert rows[0] == "0/100 samples"
    assert rows[-1] == "100/100 samples, 8.3 per second"


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (Progress(12, 40, 0, 1, 11.0), "12/40 samples, 1.0 per second, 28 s left, 1 failed"),
        (Progress(10, 40, 10, 0, 3.0), "10/40 samples, 10 were there"),
        (Progress(1, 40, 0, 0, 60.0), "1/40 samples, 60.0 s each, 39 min left"),
    ],
)
def test_progress_tells_the_speed_of_what_was_made(progress, text):
    assert progress_text(progress, "samples") == text


@pytest.mark.parametrize(("seconds", "text"), [(8.4, "8 s"), (300, "5 min"), (9000, "2.5 h")])
def test_times_are_told_in_the_unit_that_fits(seconds, text):
    assert time_text(seconds) == text


def test_a_reader_that_leaves_early_is_no_error():
    """As in `millimorph show ct --count 1000 --json | head -1`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "millimorph", "show", "ct", "--count", "3000", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.readline()
    process.stdout.close()
    error = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 0
    assert error == b""
