"""Images on different grids, labels, landmarks and boxes of one case follow the same motion."""

import numpy as np
import oracles
import pytest
import worlds

import millimorph as mm

BACKENDS = ("reference", "cpu")
AFFINE = mm.Affine(
    rotation_deg=mm.Uniform(-12, 12), scale=mm.Uniform(0.9, 1.1), translation_mm=mm.Uniform(-4, 4)
)
ELASTIC = mm.Elastic(control_spacing_mm=15, magnitude_mm=mm.Uniform(1, 3))
PIPELINES = {
    "affine": ((AFFINE,), 1e-6),
    "flip": ((mm.Flip(axis="left-right", label_pairs=((2, 3),)),), 1e-6),
    "elastic": ((ELASTIC,), 0.02),
    "diffeomorphic": ((mm.Diffeomorphic(control_spacing_mm=15, magnitude_mm=2.0),), 0.02),
    "radial": ((mm.RadialDistortion(coefficients=(0.3,), unit="half_diagonal"),), 0.02),
    "all": (
        (AFFINE, ELASTIC, mm.Flip(axis="left-right", probability=0.5, label_pairs=((2, 3),))),
        0.02,
    ),
}


def brightness(points_mm):
    """Paint a smooth function of the world that no motion leaves as it is."""
    x, y, z = np.moveaxis(np.asarray(points_mm), -1, 0)
    return 100 + 30 * np.sin(x / 9.0) + 25 * np.cos(y / 11.0 + 0.3) + 20 * np.sin(z / 10.0 - 0.5)


def centres_mm(grid):
    index = np.stack(np.unravel_index(np.arange(grid.voxel_count), grid.shape)[::-1], axis=1)
    linear = grid.direction * np.array(grid.spacing_mm)
    return index @ linear.T + np.array(grid.origin_mm)


def painted(grid):
    voxels = brightness(centres_mm(grid)).reshape(grid.shape)
    return mm.ScalarImage(voxels.astype(np.float32), grid)


def ball_labels(grid, centres, radius_mm):
    """Give label k + 2 to the ball about centre k."""
    voxels = np.zeros(grid.voxel_count, np.uint16)
    for k, centre in enumerate(centres):
        near = ((centres_mm(grid) - centre) ** 2).sum(axis=1) <= radius_mm**2
        voxels[near] = k + 2
    return mm.LabelMap(voxels.reshape(grid.shape), grid)


@pytest.fixture(scope="module")
def case():
    """Two images and one label map on three grids, one of them oblique, with points and boxes."""
    fine = mm.ImageGrid((29, 27, 25), (2.0, 2.1, 2.2), (-28, -27, -26))
    thick = mm.ImageGrid((41, 39, 9), (1.5, 1.5, 6.5), (-30, -28, -27), np.diag([1.0, 1.0, 1.0]))
    tilted = mm.ImageGrid((31, 33, 29), (2.0, 2.0, 2.0), (-10, -32, -40), worlds.OBLIQUE)
    balls = np.array([(16.0, 10.0, 4.0), (-15.0, 9.0, 6.0)])
    return mm.Case(
        id="p01",
        images={"ct": painted(fine), "mr": painted(thick)},
        labels={"organs": ball_labels(tilted, balls, 7.0)},
        landmarks={"centres": mm.Landmarks(balls)},
        boxes={"organs_box": mm.Boxes(balls - 7.0, balls + 7.0)},
    )


def augmented(case, name, *, index=0, backend="cpu", reference=None):
    spatial, tolerance_mm = PIPELINES[name]
    pipeline = mm.Pipeline(
        reference=reference,
        spatial=spatial,
        images=mm.ImageSampling(interpolation="linear", fill=0.0),
        seed=11,
    )
    (recipe,) = mm.draw(pipeline, case=case.id, start=index, stop=index + 1)
    program = mm.compile(recipe, case)
    return program, mm.run(program, case, backend=backend), tolerance_mm


@pytest.mark.parametrize("name", PIPELINES)
@pytest.mark.parametrize("index", [0, 1, 2])
def test_landmarks_are_pushed_where_the_image_shows_them(case, name, index):
    """The pull-back of a pushed point is the point; SimpleITK's transform says so too."""
    program, result, tolerance_mm = augmented(case, name, index=index)
    moved = result.landmarks["centres"].points_mm
    pull = program.source_from_target("ct")
    before = case.landmarks["centres"].points_mm
    assert np.abs(moved - before).max() > 0.1, "the test moves nothing"
    assert np.abs(pull.map_points(moved) - before).max() <= tolerance_mm
    if name != "radial":
        itk = mm.to_sitk(pull)
        pulled = np.array([itk.TransformPoint(point) for point in moved.tolist()])
        assert np.abs(pulled - before).max() <= tolerance_mm


@pytest.mark.parametrize("name", PIPELINES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_image_shows_the_same_moved_world(case, name, backend):
    """Each image's voxels are the painted function at the pulled points, whatever its grid."""
    program, result, _ = augmented(case, name, backend=backend)
    for role in ("ct", "mr"):
        pull = program.source_from_target(role)
        source, target = case.images[role].grid, result.images[role].grid
        index = oracles.source_indices(source, target, pull.map_points)
        interior = ((index >= 0) & (index <= np.array(source.size) - 1)).all(axis=1)
        expected = brightness(pull.map_points(centres_mm(target)))[interior]
        actual = result.images[role].array.ravel()[interior]
        assert interior.mean() > 0.4
        curvature = 0.5 if role == "ct" else 1.5
        oracles.check_close(actual, expected, curvature, f"{name}, {role}")


@pytest.mark.parametrize("name", PIPELINES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_labels_follow_the_landmarks_and_never_gain_values(case, name, backend):
    """The centre of each moved ball is its moved landmark, within a voxel; a flip swaps 2 and 3."""
    program, result, _ = augmented(case, name, backend=backend)
    organs = result.labels["organs"]
    assert set(np.unique(organs.array)) == {0, 2, 3}
    assert organs.array.dtype == np.uint16
    flips = any(op.op == "flip" for op in program.recipe.spatial)
    for k, point in enumerate(result.landmarks["centres"].points_mm):
        label = (3 - k) if flips else (2 + k)
        ball = centres_mm(organs.grid)[organs.array.ravel() == label]
        assert len(ball) > 50
        assert np.abs(ball.mean(axis=0) - point).max() < 1.2


@pytest.mark.parametrize("name", PIPELINES)
@pytest.mark.parametrize("index", [0, 1, 2])
def test_boxes_contain_their_structure(case, name, index):
    """No voxel of a moved ball lies outside the moved box, half a voxel's diagonal allowed."""
    program, result, _ = augmented(case, name, index=index)
    organs, boxes = result.labels["organs"], result.boxes["organs_box"]
    slack = 0.5 * np.abs(organs.grid.direction) @ np.array(organs.grid.spacing_mm)
    flips = any(op.op == "flip" for op in program.recipe.spatial)
    for k in range(2):
        label = (3 - k) if flips else (2 + k)
        ball = centres_mm(organs.grid)[organs.array.ravel() == label]
        assert (ball >= boxes.lower_mm[k] - slack).all()
        assert (ball <= boxes.upper_mm[k] + slack).all()
        assert (boxes.upper_mm[k] - boxes.lower_mm[k]).max() < 4 * 7.0


def test_without_a_reference_every_image_keeps_its_grid(case):
    _, result, _ = augmented(case, "affine")
    for role in ("ct", "mr"):
        assert result.images[role].grid == case.images[role].grid
    assert result.labels["organs"].grid == case.labels["organs"].grid


def test_with_a_reference_all_share_it(case):
    program, result, _ = augmented(case, "all", reference=mm.Reference(size=(20, 21, 22)))
    grids = {result.images["ct"].grid, result.images["mr"].grid, result.labels["organs"].grid}
    assert grids == {program.target("ct")}
    assert program.target("ct").size == (20, 21, 22)
    fine, thick = (result.images[role].array for role in ("ct", "mr"))
    both = (fine != 0) & (thick != 0)
    assert both.mean() > 0.3
    oracles.check_close(np.median(np.abs(fine - thick)[both]), np.array(0.0), 1.5, "ct and mr")


def test_a_reference_spans_the_largest_image_about_the_first():
    """What the first image does not show, another one may."""
    small = mm.ImageGrid((10, 20, 30), (1.0, 1.0, 1.0), (5, 6, 7))
    large = mm.ImageGrid((20, 10, 10), (2.0, 2.0, 2.0), (-9, -9, -9))
    labels = mm.LabelMap(np.zeros((1, 1, 99), np.uint8), mm.ImageGrid((99, 1, 1)))
    case = mm.Case(
        id="p", images={"ct": painted(small), "mr": painted(large)}, labels={"organs": labels}
    )
    pipeline = mm.Pipeline(reference=mm.Reference(size=(8, 8, 8)))
    grid = mm.augment(case, pipeline).images["ct"].grid
    np.testing.assert_allclose(grid.extent_mm, (40.0, 20.0, 30.0))
    np.testing.assert_allclose(grid.centre_mm, small.centre_mm)


def test_a_reference_like_an_image_is_its_very_grid(case):
    program, result, _ = augmented(case, "affine", reference=mm.Reference(like="organs"))
    assert program.target("ct") == case.labels["organs"].grid
    assert result.images["mr"].grid == case.labels["organs"].grid
    with pytest.raises(mm.ImageError, match='"nothing"'):
        augmented(case, "affine", reference=mm.Reference(like="nothing"))


@pytest.mark.parametrize("name", PIPELINES)
def test_both_backends_make_the_same_case(case, name):
    _, fast, _ = augmented(case, name, backend="cpu")
    _, slow, _ = augmented(case, name, backend="reference")
    for role in ("ct", "mr"):
        a, b = fast.images[role].array, slow.images[role].array
        off = np.abs(a - b) > 1e-4 * case.images[role].array.std()
        assert off.mean() < 1e-3, "more than the border's roundings"
    differ = fast.labels["organs"].array != slow.labels["organs"].array
    assert differ.mean() < 1e-3
    np.testing.assert_array_equal(
        fast.landmarks["centres"].points_mm, slow.landmarks["centres"].points_mm
    )


def test_two_motions_that_do_not_commute_act_in_the_listed_order():
    """Move by 10 mm in x, then turn by 90° about the centre: the point ends on the y axis."""
    grid = mm.ImageGrid((41, 41, 9), (1.0, 1.0, 1.0), (-20, -20, -4))
    shift = mm.Affine(translation_mm=(10.0, 0.0, 0.0))
    turn = mm.Affine(rotation_deg=(0.0, 0.0, 90.0))
    dot = np.zeros(grid.shape, np.float32)
    dot[4, 20, 20] = 100.0
    for ops, expected in (((shift, turn), (0, 10, 0)), ((turn, shift), (10, 0, 0))):
        case = mm.Case(
            id="dot",
            images={"ct": mm.ScalarImage(dot, grid)},
            landmarks={"dot": mm.Landmarks(np.zeros((1, 3)))},
        )
        pipeline = mm.Pipeline(spatial=ops, images=mm.ImageSampling(fill=0.0))
        result = mm.augment(case, pipeline)
        np.testing.assert_allclose(result.landmarks["dot"].points_mm, [expected], atol=1e-9)
        brightest = np.unravel_index(result.images["ct"].array.argmax(), grid.shape)[::-1]
        np.testing.assert_allclose(grid.points_mm([brightest]), [expected], atol=1e-9)


def test_mirrored_names_change_places_in_landmarks_and_boxes():
    """What lay on the left is drawn on the right, and must be called so."""
    points = np.array([(-8.0, 1.0, 2.0), (9.0, 1.0, 2.0)])
    names = ("left kidney", "right kidney")
    case = mm.Case(
        id="p",
        images={"ct": painted(mm.ImageGrid((9, 8, 7), (3.0, 3.0, 3.0), (-12, -9, -9)))},
        landmarks={"points": mm.Landmarks(points, names)},
        boxes={"found": mm.Boxes(points - 2.0, points + 2.0, names)},
    )
    flip = mm.Flip(axis="left-right", label_pairs=(("left kidney", "right kidney"),))
    result = mm.augment(case, mm.Pipeline(spatial=(flip,)))
    mirrored = points * (-1.0, 1.0, 1.0)
    np.testing.assert_allclose(result.landmarks["points"].points_mm, mirrored, atol=1e-9)
    np.testing.assert_allclose(result.boxes["found"].lower_mm, mirrored - 2.0, atol=1e-9)
    assert result.landmarks["points"].names == names[::-1]
    assert result.boxes["found"].names == names[::-1]


@pytest.mark.parametrize("role", ["landmarks", "boxes"])
def test_a_left_right_flip_asks_which_names_change_places(role):
    point = np.zeros((1, 3))
    named = {
        "landmarks": {"found": mm.Landmarks(point, ("left eye",))},
        "boxes": {"found": mm.Boxes(point, point, ("left eye",))},
    }
    case = mm.Case(id="p", images={"ct": painted(mm.ImageGrid((4, 4, 4)))}, **{role: named[role]})
    with pytest.raises(mm.CompileError, match=r"found.* label_pairs"):
        mm.augment(case, mm.Pipeline(spatial=(mm.Flip(axis="left-right"),)))


def two_label_maps():
    """A narrow and a wide label map on one grid: 0, 2, 3 and 0, 529, 530 from left to right."""
    grid = mm.ImageGrid((9, 4, 3), (2.0, 2.0, 2.0))
    thirds = np.broadcast_to(np.arange(9) // 3, grid.shape)
    return mm.Case(
        id="two",
        labels={
            "narrow": mm.LabelMap(np.array([0, 2, 3], np.uint8)[thirds], grid),
            "wide": mm.LabelMap(np.array([0, 529, 530], np.uint16)[thirds], grid),
        },
    )


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shift_mm", [0.0, 0.6])
def test_pairs_that_one_label_map_cannot_hold_leave_it_alone(backend, shift_mm):
    """Pairs are declared once for a case; 529 is no number of an 8-bit map."""
    case = two_label_maps()
    move = mm.Affine(translation_mm=(shift_mm, 0.0, 0.0))
    flip = mm.Flip(axis="left-right", label_pairs=((2, 3), (529, 530)))
    result = mm.augment(case, mm.Pipeline(spatial=(move, flip)), backend=backend)
    for role, values in (("narrow", (2, 3)), ("wide", (529, 530))):
        labels = result.labels[role].array
        assert labels.dtype == case.labels[role].array.dtype
        assert labels[1, 1].tolist() == [values[0]] * 3 + [values[1]] * 3 + [0] * 3


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shift_mm", [8.0, 7.4])
def test_swapped_pairs_do_not_swap_the_fill(backend, shift_mm):
    """Outside is exactly the declared label, in a copy and in a resample."""
    move = mm.Affine(translation_mm=(shift_mm, 0.0, 0.0))
    flip = mm.Flip(axis="left-right", label_pairs=((2, 3),))
    pipeline = mm.Pipeline(spatial=(flip, move), labels=mm.LabelSampling(fill=2))
    result = mm.augment(two_label_maps(), pipeline, backend=backend)
    assert result.labels["narrow"].array[1, 1].tolist() == [2] * 4 + [2] * 3 + [3] * 2


@pytest.mark.parametrize("backend", BACKENDS)
def test_two_mirrorings_give_the_labels_back(backend):
    """Each flip swaps the pair once."""
    case = two_label_maps()
    flip = mm.Flip(axis="left-right", label_pairs=((2, 3),))
    result = mm.augment(case, mm.Pipeline(spatial=(flip, flip)), backend=backend)
    np.testing.assert_array_equal(result.labels["narrow"].array, case.labels["narrow"].array)
