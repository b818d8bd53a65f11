"""Phantoms: same bits everywhere, organs on their side, densities and landmarks in place."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from millimorph.images import Case, LabelMap
from millimorph.phantoms import PHANTOM_LABEL_NAMES, PHANTOM_LABEL_PAIRS, Structure, phantom_cases

_IMAGE_OF = {"torso_01": "ct", "torso_02": "ct", "head_01": "t1", "chest_01": "xray"}
_PRINT_DIGESTS = """
import hashlib
from millimorph.phantoms import phantom_cases
for case in phantom_cases():
    total = hashlib.sha256()
    for image in (*case.images.values(), *case.labels.values()):
        total.update(image.array.tobytes())
    for landmarks in case.landmarks.values():
        total.update(landmarks.points_mm.tobytes())
    print(case.id, total.hexdigest())
"""


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    return {case.id: case for case in phantom_cases()}


def _digests(cases: dict[str, Case]) -> list[str]:
    found = []
    for case in cases.values():
        total = hashlib.sha256()
        for image in (*case.images.values(), *case.labels.values()):
            total.update(image.array.tobytes())
        for landmarks in case.landmarks.values():
            total.update(landmarks.points_mm.tobytes())
        found.append(f"{case.id} {total.hexdigest()}")
    return found


def _centroid_mm(labels: LabelMap, value: int) -> np.ndarray:
    where = np.argwhere(labels.array == value)[:, ::-1].astype(float)
    return labels.grid.points_mm(where).mean(axis=0)


def test_the_set_holds_two_torsos_an_oblique_head_and_a_2d_chest(cases):
    """The demo needs differing sizes and spacings, one oblique grid and one 2D image."""
    assert list(cases) == list(_IMAGE_OF)
    for name, image in _IMAGE_OF.items():
        assert list(cases[name].images) == [image]
    assert cases["torso_01"].grid.size != cases["torso_02"].grid.size
    assert cases["torso_01"].grid.spacing_mm != cases["torso_02"].grid.spacing_mm
    assert cases["chest_01"].dimension == 2
    cosine = cases["head_01"].grid.direction[1, 1]
    assert np.degrees(np.arccos(cosine)) == pytest.approx(19.0)


def test_bits_do_not_depend_on_the_cpu_features_that_numpy_uses(cases):
    """The same phantoms again, in a process where NumPy may use no AVX2, AVX-512 or FMA."""
    environment = {
        **os.environ,
        "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F AVX512CD AVX512_SKX",
        "PYTHONWARNINGS": "ignore",
    }
    command = [sys.executable, "-c", _PRINT_DIGESTS]
    printed = subprocess.run(  # noqa: S603  our own interpreter
        command, env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert printed.splitlines() == _digests(cases)


@pytest.mark.parametrize(
    ("case", "value", "low", "high"),
    [
        ("torso_01", Structure.LUNG_LEFT, -880, -780),
        ("torso_01", Structure.LIVER, 90, 125),
        ("torso_01", Structure.AORTA, 135, 160),
        ("torso_01", Structure.VERTEBRAE, 220, 480),
        ("torso_02", Structure.LIVER, 45, 70),
        ("torso_02", Structure.SPLEEN, 40, 60),
        ("head_01", Structure.GREY_MATTER, 350, 560),
        ("head_01", Structure.WHITE_MATTER, 600, 780),
        ("head_01", Structure.VENTRICLE_LEFT, 90, 260),
    ],
)
def test_structures_have_their_usual_intensity(cases, case, value, low, high):
    """HU as in the literature; the head is T1 weighted: white above grey above fluid."""
    labels = next(iter(cases[case].labels.values()))
    inside = cases[case].images[_IMAGE_OF[case]].array[labels.array == value]
    assert low < np.median(inside) < high


def test_air_around_the_torso_is_minus_1000_hu(cases):
    """A reader takes the corner of a CT as air."""
    corner = cases["torso_01"].images["ct"].array[:, :10, :10]
    assert np.mean(corner) == pytest.approx(-1000.0, abs=1.0)


def test_left_structures_lie_on_the_patients_left_in_world_coordinates(cases):
    """LPS: x grows to the patient's left, whatever the grid's direction is."""
    compared = 0
    for case in cases.values():
        labels = next(iter(case.labels.values()))
        for right, left in PHANTOM_LABEL_PAIRS:
            if isinstance(right, int) and {right, left} <= set(labels.labels()):
                assert _centroid_mm(labels, right)[0] < _centroid_mm(labels, left)[0]
                compared += 1
    assert compared == 2 + 2 + 2 + 1


@pytest.mark.parametrize(
    ("case", "landmark", "value"),
    [
        ("torso_01", "kidney_right", Structure.KIDNEY_RIGHT),
        ("torso_01", "kidney_left", Structure.KIDNEY_LEFT),
        ("torso_02", "kidney_left", Structure.KIDNEY_LEFT),
        ("torso_02", "heart_centre", Structure.HEART),
        ("head_01", "eye_right", Structure.EYE_RIGHT),
        ("head_01", "eye_left", Structure.EYE_LEFT),
        ("chest_01", "lung_apex_left", Structure.LUNG_LEFT),
    ],
)
def test_landmarks_lie_in_their_structure(cases, case, landmark, value):
    """Points, labels and voxels are placed by the same geometry."""
    points = cases[case].landmarks["points"]
    labels = next(iter(cases[case].labels.values()))
    point = points.points_mm[[points.names.index(landmark)]]
    index = np.rint(labels.grid.indices(point)[0]).astype(int)
    assert labels.array[tuple(index[::-1])] == value


def test_the_carina_lies_in_air_inside_the_chest(cases):
    """It is where the windpipe divides."""
    case = cases["torso_01"]
    points = case.landmarks["points"]
    point = points.points_mm[[points.names.index("carina")]]
    index = np.rint(case.grid.indices(point)[0]).astype(int)
    assert case.images["ct"].array[tuple(index[::-1])] < -900


def test_every_label_has_a_name(cases):
    """The contact sheet writes names beside colours."""
    for case in cases.values():
        for labels in case.labels.values():
            assert set(labels.labels()) - {0} <= set(PHANTOM_LABEL_NAMES)
