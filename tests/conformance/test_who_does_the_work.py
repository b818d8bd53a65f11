"""The same samples, whoever makes them: workers, shards, order, processes, surroundings.

One uninterrupted run in this process is the reference; files are compared byte by byte, and where
only their place differs, decoded.
"""

import multiprocessing
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from data_sets import PIPELINE, request, tree, write_cases

from millimorph.distributions import Uniform
from millimorph.generate import Limits, Shard, generate_dataset, local
from millimorph.ops import Elastic
from millimorph.recipe import Pipeline

WORK = PIPELINE.replace(
    spatial=(*PIPELINE.spatial, Elastic(control_spacing_mm=12, magnitude_mm=Uniform(0, 2)))
)


def asked(inputs, out, **changes):
    pipeline: Pipeline = WORK
    return request(inputs, out, pipeline=pipeline, backend="cpu", limits=Limits(), **changes)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return write_cases(tmp_path_factory.mktemp("who"))


@pytest.fixture(scope="module")
def wanted(inputs):
    out = inputs.parent / "wanted"
    generate_dataset(request(inputs, out, pipeline=WORK, backend="cpu"))
    found = tree(out)
    assert len([name for name in found if "/" in name]) == 9 * 4
    assert {"manifest.jsonl", "manifest.parquet", "job.json"} < found.keys()
    return found


@pytest.mark.parametrize("workers", [1, 8])
def test_workers_do_not_change_a_byte(inputs, wanted, workers):
    """Two are at work wherever another process calls, three in the reversed order."""
    out = inputs.parent / f"workers-{workers}"
    generate_dataset(asked(inputs, out, workers=workers))
    assert tree(out) == wanted


def test_the_order_of_work_does_not_change_a_byte(inputs, wanted, monkeypatch):
    cut = local._for_workers
    monkeypatch.setattr(local, "_for_workers", lambda tasks, count: cut(tasks, count)[::-1])
    out = inputs.parent / "reversed"
    generate_dataset(asked(inputs, out, workers=3))
    assert tree(out) == wanted


def test_three_shards_at_once_do_not_change_a_byte(inputs, wanted):
    out = inputs.parent / "shards"
    shards = [
        threading.Thread(
            target=generate_dataset, args=(asked(inputs, out, shard=Shard(number, 3)),)
        )
        for number in (1, 2, 3)
    ]
    for shard in shards:
        shard.start()
    for shard in shards:
        shard.join()
    assert tree(out) == wanted


def _generate(inputs, out):
    generate_dataset(asked(inputs, out, workers=2))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_calling_process_may_be_begun_in_any_way(inputs, wanted, method):
    """From a daemon too, such as a worker of multiprocessing.Pool, which may have no children."""
    out = inputs.parent / method
    context = multiprocessing.get_context(method)
    process = context.Process(target=_generate, args=(inputs, out), daemon=True)
    process.start()
    process.join(120)
    assert process.exitcode == 0
    assert tree(out) == wanted


def test_surroundings_do_not_change_a_byte(inputs, wanted, tmp_path):
    """Time zone, locale, hash seed, working and temporary folder, and a script without a guard."""
    elsewhere = tmp_path / "another folder"
    (elsewhere / "tmp").mkdir(parents=True)
    script = elsewhere / "script.py"
    script.write_text(
        f"import sys; sys.path[:0] = {[*map(str, (Path(__file__).parent, UNIT))]!r}\n"
        "from pathlib import Path\n"
        "from test_who_does_the_work import _generate\n"
        f"_generate(Path({str(inputs)!r}), Path('out'))\n"
    )
    surroundings = {
        "TZ": "Pacific/Kiritimati",
        "LC_ALL": "C",
        "PYTHONHASHSEED": "4242",
        "TMPDIR": str(elsewhere / "tmp"),
        "PYTHONUTF8": "0",
    }
    subprocess.run(  # noqa: S603 - our own script
        [sys.executable, str(script)], cwd=elsewhere, env={**os.environ, **surroundings}, check=True
    )
    found = tree(elsewhere / "out")
    assert found.keys() == wanted.keys()
    placeless = [name for name in wanted if name.endswith((".gz", ".csv")) or name == "job.json"]
    assert len(placeless) == 9 * 3 + 1
    assert {name: found[name] for name in placeless} == {name: wanted[name] for name in placeless}


UNIT = Path(__file__).parents[1] / "unit"
