"""Images made from label maps: their law, their keys, and what follows them."""

import numpy as np
import oracles
import pytest
from scipy import stats

import millimorph as mm

BACKENDS = ("reference", "cpu")
GRID = mm.ImageGrid((40, 36, 30), (1.0, 1.0, 2.0))
FLAT = mm.ImageGrid((30, 20))
LABELS = (0, 2, 41, 300)


def case(grid=GRID, labels=LABELS, dtype="int16"):
    """Give each label a slab of the grid."""
    slab = np.array(labels)[np.arange(grid.shape[0]) * len(labels) // grid.shape[0]]
    array = np.broadcast_to(slab.reshape(-1, *(1,) * (grid.dimension - 1)), grid.shape)
    return mm.Case(id="p01", labels={"organs": mm.LabelMap(array.astype(dtype), grid)})


def made(source, *ops, index=0, backend="cpu", threads=None, seed=3):
    pipeline = mm.Pipeline(intensity=ops)
    return mm.augment(source, pipeline, seed=seed, index=index, backend=backend, threads=threads)


def levels(source, op, index=0, backend="cpu"):
    """Take the mean of every label, which all of its voxels have: deviations are 0."""
    op = op.replace(stds=(0.0, 0.0))
    sample = made(source, op, index=index, backend=backend)
    image, labels = sample.images[op.image].array, source.labels["organs"].array
    found = {int(label): np.unique(image[labels == label]) for label in np.unique(labels)}
    assert all(len(values) == 1 for values in found.values())
    return {label: float(values[0]) for label, values in found.items()}


@pytest.mark.parametrize("backend", BACKENDS)
def test_voxels_follow_the_normal_law_of_their_label(backend):
    """Kolmogorov and Smirnov for each label, in float32, beside the label map itself."""
    source = case()
    sample = made(source, mm.LabelsToImage(stds=(10.0, 10.0)), backend=backend)
    image = sample.images["synthetic"]
    assert image.grid == GRID
    assert image.dtype == np.float32
    means = levels(source, mm.LabelsToImage())
    for label, mean in means.items():
        voxels = image.array[source.labels["organs"].array == label].astype(np.float64)
        assert stats.kstest((voxels - mean) / 10.0, "norm").pvalue > 1e-4
    np.testing.assert_array_equal(sample.labels["organs"].array, source.labels["organs"].array)


def test_means_and_deviations_are_uniform_between_their_bounds():
    source = case(FLAT, labels=(5,))
    drawn = [levels(source, mm.LabelsToImage(), index=k)[5] for k in range(200)]
    assert stats.kstest(drawn, stats.uniform(25, 200).cdf).pvalue > 1e-3
    wide = [
        made(source, mm.LabelsToImage(means=(0, 0)), index=k).images["synthetic"].array.std()
        for k in range(200)
    ]
    assert stats.kstest(wide, stats.uniform(5, 20).cdf).pvalue > 1e-3
    assert abs(np.corrcoef(drawn, wide)[0, 1]) < 0.25


def test_the_labels_of_a_sample_are_independent():
    drawn = [levels(case(FLAT), mm.LabelsToImage(), index=k) for k in range(150)]
    table = np.corrcoef([[one[label] for one in drawn] for label in LABELS])
    assert np.abs(table - np.eye(len(LABELS))).max() < 0.35


def test_the_spread_of_a_label_is_not_the_level_of_the_next():
    """Numbers 2 L and 2 L + 1 belong to label L."""
    source = case(FLAT, labels=(5, 6))
    op = mm.LabelsToImage(means=(25, 225), stds=(0, 0))
    next_level = [levels(source, op, index=k)[6] for k in range(100)]
    wide = mm.LabelsToImage(means=(0, 0), stds=(5, 25))
    alone = case(FLAT, labels=(5,))
    spread = [made(alone, wide, index=k).images["synthetic"].array.std() for k in range(100)]
    assert abs(np.corrcoef(next_level, spread)[0, 1]) < 0.4


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_label_keeps_its_grey_level_whatever_other_labels_there_are(backend):
    """A case in which an organ is missing must not look like another scanner."""
    every = levels(case(), mm.LabelsToImage(), backend=backend)
    some = levels(case(labels=(300, 2)), mm.LabelsToImage(), backend=backend)
    assert some == {label: every[label] for label in (300, 2)}
    assert len(set(every.values())) == len(LABELS)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_labels_of_a_class_share_their_distribution(backend):
    classes = (
        mm.LabelClass(labels=(2, 41)),
        mm.LabelClass(labels=(0,), means=(-7.0, -7.0)),
    )
    shared = levels(case(), mm.LabelsToImage(classes=classes), backend=backend)
    alone = levels(case(), mm.LabelsToImage(), backend=backend)
    assert shared[2] == shared[41] == alone[2]
    assert shared[0] == -7.0
    assert shared[300] == alone[300]


def test_bounds_of_a_class_win_over_those_of_the_op():
    source = case()
    own = mm.LabelClass(labels=(2,), means=(500, 600), stds=(1, 1))
    image = made(source, mm.LabelsToImage(means=(0, 1), classes=(own,))).images["synthetic"].array
    inside = image[source.labels["organs"].array == 2]
    assert 500 <= inside.mean() <= 600
    assert inside.std() == pytest.approx(1.0, rel=0.05)
    assert abs(image[source.labels["organs"].array == 41].mean()) < 5


@pytest.mark.parametrize("grid", [GRID, FLAT], ids=["3D", "2D"])
@pytest.mark.parametrize("dtype", ["uint16", "int16", "int64"])
def test_cpu_agrees_with_the_reference(grid, dtype):
    """Within a thousandth of a grey level."""
    source = case(grid, dtype=dtype)
    slow, fast = (
        made(source, mm.LabelsToImage(), backend=backend).images["synthetic"].array
        for backend in BACKENDS
    )
    oracles.check_close(fast, slow, 1e-3, dtype)


def test_labels_far_apart_are_found_too():
    """A table of all numbers in between would have four thousand million rows."""
    source = case(labels=(0, 7, 2**31, 2**32 - 1), dtype="uint32")
    slow, fast = (levels(source, mm.LabelsToImage(), backend=backend) for backend in BACKENDS)
    assert slow == fast
    assert len(set(fast.values())) == 4


def test_negative_labels_have_their_own_distributions():
    source = case(labels=(-5, -1, 0, 1), dtype="int16")
    assert len(set(levels(source, mm.LabelsToImage()).values())) == 4


def test_bits_do_not_depend_on_threads():
    one, two, seven = (
        made(case(), mm.LabelsToImage(), threads=threads).images["synthetic"].array
        for threads in (1, 2, 7)
    )
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(one, seven)


@pytest.mark.parametrize("backend", BACKENDS)
def test_ops_behind_it_take_it_as_the_original(backend):
    """Gamma acts between the minimum and the maximum of the image as it was made."""
    source = case()
    plain = made(source, mm.LabelsToImage(), backend=backend).images["synthetic"].array
    bent = made(source, mm.LabelsToImage(), mm.Gamma(gamma=2.0), backend=backend)
    voxels = plain.astype(np.float64)
    low, high = voxels.min(), voxels.max()
    expected = low + (high - low) * ((voxels - low) / (high - low)) ** 2.0
    oracles.check_close(bent.images["synthetic"].array, expected, 1e-3, backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_it_is_made_from_the_labels_as_they_lie_after_the_resample(backend):
    """On the target's grid, after label ops in front of it, and other images stay as they are."""
    source = case()
    image = mm.ScalarImage(np.full(GRID.shape, 3, np.int16), GRID)
    both = mm.Case(id="p01", images={"ct": image}, labels=source.labels)
    pipeline = mm.Pipeline(
        reference=mm.Reference(size=(20, 18, 15)),
        intensity=(
            mm.Remap(pairs=[(2, 41)]),
            mm.LabelsToImage(stds=(0, 0), image="fake"),
            mm.GaussianBlur(sigma_mm=1.0, images=("fake",)),
        ),
    )
    sample = mm.augment(both, pipeline, seed=1, backend=backend)
    assert list(sample.images) == ["ct", "fake"]
    assert sample.images["fake"].grid == sample.labels["organs"].grid
    assert (sample.images["ct"].array == 3).all()
    assert 41 in sample.labels["organs"].labels()


def test_a_printed_program_names_what_it_is_made_from():
    source = case()
    pipeline = mm.Pipeline(intensity=(mm.LabelsToImage(), mm.Gamma(gamma=2.0), mm.GaussianBlur()))
    program = mm.compile(next(mm.draw(pipeline, case="p01")), source)
    text = str(program)
    assert "synthetic: made from organs, each label from a normal distribution" in text
    assert "synthetic: gamma 2" in text
    assert program.target("synthetic") == GRID
    assert program.source_from_target("synthetic") is not None


def test_what_it_cannot_be_made_from_is_told():
    source = case()
    taken = mm.Case(
        id="p01", images={"ct": mm.ScalarImage(np.zeros(GRID.shape), GRID)}, labels=source.labels
    )
    with pytest.raises(mm.CompileError, match='makes the image "ct", but case "p01" has that'):
        made(taken, mm.LabelsToImage(image="ct"))
    with pytest.raises(mm.CompileError, match='makes the image "synthetic"'):
        made(source, mm.LabelsToImage(), mm.LabelsToImage(id="again"))
    with pytest.raises(mm.CompileError, match="the case has none"):
        made(mm.Case(id="p01", images=taken.images), mm.LabelsToImage())
    with pytest.raises(mm.CompileError, match="the case has organs"):
        made(source, mm.LabelsToImage(labels="tumour"))
    two = mm.Case(id="p01", labels={"a": source.labels["organs"], "b": source.labels["organs"]})
    with pytest.raises(mm.CompileError, match="name one as labels"):
        made(two, mm.LabelsToImage())
    with pytest.raises(mm.CompileError, match="several channels"):
        made(source, mm.OneHot(values=[2, 41]), mm.LabelsToImage())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"means": [3]}, "two numbers"),
        ({"means": [3, 2]}, "two numbers"),
        ({"stds": [-1, 2]}, "from 0"),
        ({"image": "a/b"}, "role name"),
        ({"classes": [{"labels": [1]}, {"labels": [2, 1]}]}, "label 1 in two classes"),
        ({"classes": [{"labels": [1], "means": [4, 3]}]}, "two numbers"),
    ],
)
def test_what_makes_no_sense_is_refused(fields, message):
    with pytest.raises(mm.PipelineError, match=message):
        mm.LabelsToImage(**fields)


def test_it_survives_a_file(tmp_path):
    op = mm.LabelsToImage(
        labels="organs", classes=(mm.LabelClass(labels=(2, 41), means=(90, 120)),)
    )
    pipeline = mm.Pipeline(intensity=(op,))
    mm.dump_pipeline(pipeline, tmp_path / "p.yaml")
    assert mm.load_pipeline(tmp_path / "p.yaml") == pipeline
    assert "{labels: [2, 41], means: [90, 120]}" in (tmp_path / "p.yaml").read_text()
