"""Small matrices in a fixed order of sums, against NumPy's linear algebra."""

import numpy as np
import pytest
from scipy.linalg import polar

from millimorph.kernels import smallmatrix

RNG = np.random.default_rng(32)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_products_inverses_and_determinants_are_those_of_linear_algebra(n):
    a, b = RNG.normal(size=(2, n, n))
    stack = RNG.normal(size=(50, n, n))
    np.testing.assert_allclose(smallmatrix.matmul(a, b), a @ b, atol=1e-13)
    np.testing.assert_allclose(smallmatrix.matmul(stack, b), stack @ b, atol=1e-13)
    np.testing.assert_allclose(smallmatrix.inverse(a), np.linalg.inv(a), rtol=1e-9)
    np.testing.assert_allclose(smallmatrix.determinant(stack), np.linalg.det(stack), atol=1e-12)
    np.testing.assert_allclose(smallmatrix.transpose(stack)[7], stack[7].T)


@pytest.mark.parametrize("n", [2, 3])
def test_stacks_of_equations_are_solved_and_singular_ones_marked(n):
    stack, right = RNG.normal(size=(50, n, n)), RNG.normal(size=(50, n))
    stack[3] = 1.0
    solved = smallmatrix.solve(stack, right)
    assert not np.isfinite(solved[3]).any()
    keep = np.arange(50) != 3
    expected = np.linalg.solve(stack[keep], right[keep][..., np.newaxis])[..., 0]
    np.testing.assert_allclose(solved[keep], expected, rtol=1e-8)


def test_homogeneous_matrices_move_points():
    matrix = np.array([[2.0, 0.0, 5.0], [1.0, 3.0, -1.0], [0.0, 0.0, 1.0]])
    moved = smallmatrix.apply_affine(matrix, np.array([[1.0, 2.0], [0.0, 0.0]]))
    assert moved.tolist() == [[7.0, 6.0], [5.0, -1.0]]


def test_rows_are_exchanged_where_the_first_pivot_is_zero():
    swap = np.array([[0.0, 1.0], [1.0, 0.0]])
    assert smallmatrix.inverse(swap).tolist() == swap.tolist()
    with pytest.raises(ZeroDivisionError):
        smallmatrix.inverse(np.zeros((2, 2)))


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("n", [2, 3])
def test_the_polar_rotation_is_the_nearest_orthonormal_matrix(n, sign):
    """Left-handed matrices stay left-handed."""
    matrix = np.eye(n) + 0.2 * RNG.normal(size=(n, n))
    matrix[:, 0] *= sign
    rotation = smallmatrix.polar_rotation(matrix)
    np.testing.assert_allclose(rotation, polar(matrix)[0], atol=1e-14)
    assert np.sign(np.linalg.det(rotation)) == sign
