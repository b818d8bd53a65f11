"""Ops that change the spatial frequencies of an image: artefacts of MR scans.

Images are real and keep their sign: where a scanner would show the magnitude of a complex image,
these ops give its real part, so that they also work on images with negative grey levels. Results
lie within 2e-6 of the image's range of those of the whole complex k-space in float64.

Where SciPy's FFT is used, the bits are the same for any number of threads. Its factors are sines
of the C library, rounded to float32: another processor or another release of SciPy could, rarely,
differ in a last digit. The program prints where that is.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import model_validator

from millimorph.distributions import Choice, Parameter, Uniform
from millimorph.ops.base import PerAxisParameter, WholeParameter
from millimorph.ops.selection import ImageOp
from millimorph.parameters import PerAxis, Range, Whole, Word
from millimorph.values import mistake

PhaseEncoding = Annotated[
    str | Choice,
    Word(("i", "j", "k", "left-right", "anterior-posterior", "inferior-superior")),
]


class Motion(ImageOp):
    """A patient who moves while k-space is acquired line by line (Shaw and others 2019).

    Between movements the anatomy lies still, turned and shifted about the centre of the image. The
    pose in which the central line of k-space is acquired is the image as it is, so that the anatomy
    is not displaced; each of the others contributes its lines.

    `movements`: how many, 1 or more, at times uniform over the acquisition. `max_rotation_deg` and
    `max_translation_mm`: poses are drawn uniformly from all rotations by at most this angle, and
    from shifts by at most this length along each patient axis (in 2D within the image). `axis`: the
    slow phase-encoding axis, a grid axis or the one nearest to a patient axis; one that a 2D image
    has not is a CompileError.

    The moved anatomy is sampled linearly, beyond the border the edge goes on. Poses and times
    belong to the op's key. SciPy's FFT is used.
    """

    op: Literal["motion"] = "motion"
    movements: Annotated[WholeParameter, Whole(low=1)] = Choice((2, 3, 4))
    max_rotation_deg: Annotated[Parameter, Range(low=0.0, high=180.0, unit="degrees")] = Uniform(
        1.0, 5.0
    )
    max_translation_mm: Annotated[Parameter, Range(low=0.0, unit="mm")] = Uniform(1.0, 5.0)
    axis: PhaseEncoding = Choice(("i", "j"))


class Ghosting(ImageOp):
    """Copies of the image along the phase-encoding axis, from a periodic gain of k-space lines.

    `ghosts`: the number of copies, evenly spaced over the field of view, round whose end they wrap;
    1 is the N/2 ghost of echo-planar imaging. `intensity`: the brightness of each copy over that of
    the image, which keeps its own; grey levels are counted from the minimum of the image. `axis` as
    in Motion; an axis of fewer voxels than copies is left alone. `restored`: the share of k-space
    lines, about its centre, that keep their gain: above 0, at least the central line does, so that
    the image becomes no brighter and copies lose their smooth parts; 1 leaves no ghost.

    Where the number of voxels is no multiple of ghosts + 1, the copies lie between voxels and are
    interpolated by sinc functions. SciPy's FFT is used.
    """

    op: Literal["ghosting"] = "ghosting"
    ghosts: Annotated[WholeParameter, Whole(low=1)] = Choice((1, 2, 3, 4))
    intensity: Annotated[Parameter, Range(low=0.0, high=1.0)] = Uniform(0.05, 0.2)
    axis: PhaseEncoding = Choice(("i", "j"))
    restored: Annotated[Parameter, Range(low=0.0, high=1.0)] = 0.02


class Spike(ImageOp):
    """Stripes all over the image, from coefficients of k-space that are far too large.

    `spikes`: their number. `intensity`: the size of each over the largest coefficient, which is
    that of frequency 0 of the image above its minimum: stripes have an amplitude of intensity times
    the mean of the image above its minimum. `frequency`: where a single spike lies in k-space,
    along each grid axis from -1 to 1 of the highest frequency; left out, each lies anywhere.

    Places and phases belong to the op's key. The stripes are added as cosines, within 1e-6 of their
    amplitude; no FFT is needed.
    """

    op: Literal["spike"] = "spike"
    spikes: Annotated[WholeParameter, Whole(low=1)] = Choice((1, 2, 3))
    intensity: Annotated[Parameter, Range(low=0.0)] = Uniform(0.05, 0.3)
    frequency: Annotated[
        PerAxisParameter | None, PerAxis(Range(-1.0, 1.0), single=False, optional=True)
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _one_at_a_frequency(cls, given: Any) -> Any:
        if not isinstance(given, dict) or given.get("frequency") is None or "spikes" in given:
            return given
        return {**given, "spikes": 1}

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.frequency is not None and self.spikes != 1:
            raise mistake("frequency is for one spike; leave it out, or spikes", key="frequency")
        return self


class Gibbs(ImageOp):
    """Ringing at edges, from high frequencies that were not acquired.

    `cutoff`: above 0 to 1, the share of frequencies kept along each grid axis, from 0 up to the
    highest one that the voxels can hold; 1 changes nothing. One for all axes, or one for each. What
    is kept is a box of k-space, as scanners acquire it, and the voxels stay as small as they were.
    SciPy's FFT is used.
    """

    op: Literal["gibbs"] = "gibbs"
    cutoff: Annotated[PerAxisParameter, PerAxis(Range(0.0, 1.0, above_low=True), together=True)] = (
        Uniform(0.4, 0.8)
    )


FourierOp = Motion | Ghosting | Spike | Gibbs
