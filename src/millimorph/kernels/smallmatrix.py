"""Products, inverses and polar factors of small matrices, in float64 and in a fixed order of sums.

BLAS and LAPACK change their last bits with the CPU; these loops over the few rows and columns do
not. Matrices are (n, n), stacks of them (..., n, n); points are rows of an (n, d) array.
"""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

_POLAR_STEPS = 64
_POLAR_CHANGE = 1e-15


def matmul(a: FloatArray, b: FloatArray) -> FloatArray:
    """Product a b of matrices (n, k) and (k, m), or stacks of them that broadcast."""
    total = a[..., :, 0:1] * b[..., 0:1, :]
    for k in range(1, a.shape[-1]):
        total = total + a[..., :, k : k + 1] * b[..., k : k + 1, :]
    return np.asarray(total)


def matvec(a: FloatArray, v: FloatArray) -> FloatArray:
    """Product a v of a matrix (n, k) or a stack, and vectors (..., k)."""
    total = a[..., :, 0] * v[..., 0:1]
    for k in range(1, a.shape[-1]):
        total = total + a[..., :, k] * v[..., k : k + 1]
    return np.asarray(total)


def apply_affine(matrix: FloatArray, points: FloatArray) -> FloatArray:
    """Points (n, d) mapped by a homogeneous (d+1, d+1) matrix."""
    dimension = points.shape[-1]
    return matvec(matrix[:dimension, :dimension], points) + matrix[:dimension, dimension]


def transpose(m: FloatArray) -> FloatArray:
    """Matrices with rows and columns exchanged, also in a stack."""
    return np.ascontiguousarray(np.swapaxes(m, -1, -2))


def determinant(m: FloatArray) -> FloatArray:
    """Determinants (...) of matrices (..., n, n) by expansion along the first row; n up to 4."""
    n = m.shape[-1]
    if n == 1:
        return np.asarray(m[..., 0, 0])
    total = np.zeros(m.shape[:-2])
    for column in range(n):
        rest = [k for k in range(n) if k != column]
        term = m[..., 0, column] * determinant(m[..., 1:, rest])
        total = total + term if column % 2 == 0 else total - term
    return total


def inverse(m: FloatArray) -> FloatArray:
    """Inverse of one (n, n) matrix by Gauss-Jordan elimination with row pivoting.

    Raises ZeroDivisionError when a pivot is exactly zero.
    """
    n = m.shape[0]
    work = np.concatenate([np.array(m, dtype=np.float64), np.eye(n)], axis=1)
    for column in range(n):
        pivot = column + int(np.argmax(np.abs(work[column:, column])))
        if work[pivot, column] == 0.0:
            raise ZeroDivisionError("the matrix is singular")
        work[[column, pivot]] = work[[pivot, column]]
        work[column] = work[column] / work[column, column]
        for row in range(n):
            if row != column:
                work[row] = work[row] - work[row, column] * work[column]
    return np.ascontiguousarray(work[:, n:])


def solve(m: FloatArray, v: FloatArray) -> FloatArray:
    """Solutions (..., n) of m x = v for stacks (..., n, n), n = 2 or 3, by Cramer's rule.

    A singular matrix gives non-finite numbers, without a warning.
    """
    n = m.shape[-1]
    with np.errstate(all="ignore"):
        below = determinant(m)
        columns = []
        for k in range(n):
            replaced = m.copy()
            replaced[..., :, k] = v
            columns.append(determinant(replaced) / below)
    return np.stack(columns, axis=-1)


def polar_rotation(m: FloatArray) -> FloatArray:
    """The orthonormal matrix nearest to m, with the handedness of m.

    Newton's iteration X <- (X + X^-T) / 2 (Higham 1986), run until nothing changes beyond the last
    bits. Raises ZeroDivisionError for a singular matrix.
    """
    x = np.array(m, dtype=np.float64)
    for _ in range(_POLAR_STEPS):
        following = 0.5 * (x + transpose(inverse(x)))
        change = float(np.max(np.abs(following - x)))
        x = following
        if change < _POLAR_CHANGE:
            break
    return x
