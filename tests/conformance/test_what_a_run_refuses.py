"""What does not fit is an error before a voxel is made, never another result."""

import numpy as np
import pytest

import millimorph as mm

BACKENDS = ("reference", "cpu")
GRID = mm.ImageGrid((4, 3, 2))
IMAGE = mm.ScalarImage(np.zeros(GRID.shape, np.int16), GRID)
LABELS = mm.LabelMap(np.full(GRID.shape, 2, np.uint8), GRID)
POINTS = mm.Landmarks(np.zeros((1, 3)))
BOXES = mm.Boxes(np.zeros((1, 3)), np.ones((1, 3)))
PARTS = {
    "images": {"more": IMAGE},
    "labels": {"more": LABELS},
    "landmarks": {"more": POINTS},
    "boxes": {"more": BOXES},
}
OUTSIDE = mm.ImageGrid((2, 2, 2), origin_mm=(20.0, 0.0, 0.0))


def case_with(**parts):
    return mm.Case(id="p", images={"ct": IMAGE, **parts.pop("images", {})}, **parts)


def program_for(case):
    return mm.compile(next(mm.draw(mm.Pipeline(), case=case.id)), case)


@pytest.mark.parametrize("role", PARTS)
def test_a_program_runs_only_on_a_case_with_its_parts(role):
    """Nothing is left out in silence, nothing missing is a riddle."""
    small, large = case_with(), case_with(**{role: PARTS[role]})
    for compiled, given in ((small, large), (large, small)):
        with pytest.raises(mm.CompileError, match=f'{role} "more"'):
            mm.run(program_for(compiled), given)


def test_an_image_does_not_pass_for_labels():
    """Of one type, on one grid and under one name."""
    bytes_ = np.zeros(GRID.shape, np.uint8)
    image = mm.Case(id="p", images={"a": mm.ScalarImage(bytes_, GRID)})
    labels = mm.Case(id="p", labels={"a": mm.LabelMap(bytes_, GRID)})
    for compiled, given in ((image, labels), (labels, image)):
        with pytest.raises(mm.CompileError, match='images "a"'):
            mm.run(program_for(compiled), given)


@pytest.mark.parametrize(
    "fill", ["background", "minimum", "edge", "none", 2.5, -1, 256, np.nan, np.inf]
)
def test_labels_are_filled_with_a_label_of_their_type(fill):
    """Saturated, -1 would be 0, the background, and 256 would be 255."""
    with pytest.raises(mm.CompileError, match=r"fill of labels .* from 0 to 255"):
        mm.resample(LABELS, OUTSIDE, fill=fill)


@pytest.mark.parametrize("fill", [-1, 256])
def test_a_pipeline_cannot_fill_labels_with_what_their_type_lacks(fill):
    pipeline = mm.Pipeline(labels=mm.LabelSampling(fill=fill))
    with pytest.raises(mm.CompileError, match=r'"organs" .* from 0 to 255'):
        mm.augment(mm.Case(id="p", labels={"organs": LABELS}), pipeline)


@pytest.mark.parametrize("fill", ["none", np.nan])
def test_integers_are_not_filled_with_what_is_no_number(fill):
    with pytest.raises(mm.CompileError, match="fill of images"):
        mm.resample(IMAGE, OUTSIDE, fill=fill)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shift_mm", [0.0, 0.3])
def test_a_label_whose_partner_its_type_cannot_hold_is_an_error(backend, shift_mm):
    """An 8-bit map cannot show label 2 where the flip asks for 300."""
    move = mm.Affine(translation_mm=shift_mm)
    flip = mm.Flip(axis="left-right", label_pairs=((300, 2),))
    case = mm.Case(id="p", labels={"organs": LABELS})
    with pytest.raises(mm.LabelError, match=r'label 2 of "organs" .* 300, which uint8'):
        mm.augment(case, mm.Pipeline(spatial=(move, flip)), backend=backend)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shift_mm", [9.0, 9.3])
def test_a_pair_that_a_map_has_no_part_in_changes_nothing_of_it(backend, shift_mm):
    """Not even the fill, which is a label of the pair."""
    empty = LABELS.with_array(np.zeros(GRID.shape, np.uint8))
    move = mm.Affine(translation_mm=shift_mm)
    flip = mm.Flip(axis="left-right", label_pairs=((2, 300),))
    pipeline = mm.Pipeline(spatial=(move, flip), labels=mm.LabelSampling(fill=2))
    result = mm.augment(mm.Case(id="p", labels={"organs": empty}), pipeline, backend=backend)
    assert (result.labels["organs"].array == 2).all()


def test_sampling_for_a_part_that_a_case_has_not_is_an_error():
    """A mistyped role must not be sampled as if nothing had been asked."""
    pipeline = mm.Pipeline(sampling={"tc": mm.ImageSampling(interpolation="cubic")})
    with pytest.raises(mm.CompileError, match=r"sampling is given for tc, .* are ct"):
        mm.augment(case_with(), pipeline)


def test_a_pipeline_does_not_pass_for_a_recipe():
    with pytest.raises(mm.CompileError, match=r"which draw\(\) makes, got a Pipeline"):
        mm.compile(mm.Pipeline(), case_with())


def test_an_array_has_no_place():
    with pytest.raises(mm.ImageError, match=r"got a ndarray.* needs its grid"):
        mm.resample(IMAGE.array, GRID)


@pytest.mark.parametrize("threads", [0, -1])
def test_there_is_at_least_one_thread(threads):
    with pytest.raises(mm.MillimorphError, match="threads"):
        mm.resample(IMAGE, GRID, threads=threads)
