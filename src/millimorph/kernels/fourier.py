"""Cosines over a volume, in float32."""

from millimorph.kernels._jit import kernel


@kernel
def add_wave(values, first_row, ny, along_x, along_y, along_z):
    """Add a cosine to rows of voxels: the real part of a product of three complex numbers.

    `along_x` (2, nx) holds the real and imaginary parts for each x, and so on; `first_row` is the
    number of the first row, z ny + y.
    """
    real, imaginary = along_x[0], along_x[1]
    for row in range(len(values)):
        z = (first_row + row) // ny
        y = first_row + row - z * ny
        a = along_z[0, z] * along_y[0, y] - along_z[1, z] * along_y[1, y]
        b = along_z[0, z] * along_y[1, y] + along_z[1, z] * along_y[0, y]
        line = values[row]
        for x in range(len(line)):
            line[x] += a * real[x] - b * imaginary[x]
