"""The label values that all phantoms share, their names and their left/right pairs."""

from enum import IntEnum


class Structure(IntEnum):
    """A labelled structure; left and right are the patient's."""

    LUNG_RIGHT = 1
    LUNG_LEFT = 2
    HEART = 3
    LIVER = 4
    SPLEEN = 5
    KIDNEY_RIGHT = 6
    KIDNEY_LEFT = 7
    AORTA = 8
    VERTEBRAE = 9
    STOMACH = 10
    GREY_MATTER = 11
    WHITE_MATTER = 12
    VENTRICLE_RIGHT = 13
    VENTRICLE_LEFT = 14
    EYE_RIGHT = 15
    EYE_LEFT = 16
    CEREBELLUM = 17
    BRAINSTEM = 18


PHANTOM_LABEL_NAMES: dict[int, str] = {
    int(structure): structure.name.lower() for structure in Structure
}

PHANTOM_LABEL_PAIRS: tuple[tuple[int, int] | tuple[str, str], ...] = (
    (int(Structure.LUNG_RIGHT), int(Structure.LUNG_LEFT)),
    (int(Structure.KIDNEY_RIGHT), int(Structure.KIDNEY_LEFT)),
    (int(Structure.VENTRICLE_RIGHT), int(Structure.VENTRICLE_LEFT)),
    (int(Structure.EYE_RIGHT), int(Structure.EYE_LEFT)),
    ("kidney_right", "kidney_left"),
    ("eye_right", "eye_left"),
    ("lung_apex_right", "lung_apex_left"),
    ("costophrenic_right", "costophrenic_left"),
)
