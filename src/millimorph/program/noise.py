"""Steps that add random numbers, each a function of a key and the voxel alone."""

from dataclasses import dataclass

from millimorph.kernels.philox import StreamKey
from millimorph.program.amounts import Amount


@dataclass(frozen=True)
class NormalNoise:
    """Add normal noise of a standard deviation."""

    deviation: Amount
    stream: StreamKey

    def __str__(self) -> str:
        return f"Gaussian noise {self.deviation}"


NoiseStep = NormalNoise
