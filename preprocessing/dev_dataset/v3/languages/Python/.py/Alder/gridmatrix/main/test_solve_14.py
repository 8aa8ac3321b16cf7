# -*- coding: utf-8 -*-
from fractions import Fraction
import random
import unittest

from gridmatrix.matrix import Matrix, ShapeError
from gridmatrix.solve import SingularError, determinant, inverse, rank, residual, solve
from gridmatrix.sparse import RowMatrix, SparseBuilder


class ArithmeticTest(unittest.TestCase):

    def setUp(self):
        self.a = Matrix([[1, 2], [3, 4]])
        self.b = Matrix([[0, 1], [1, 0]])

    def test_sum_and_difference(self):
        self.assertEqual(self.a + self.b, Matrix([[1, 3], [4, 4]]))
        self.assertEqual(self.a + self.b - self.b, self.a)

    def test_product_swaps_columns(self):
        self.assertEqual(self.a @ self.b, Matrix([[2, 1], [4, 3]]))

    def test_power(self):
        step = Matrix([[1, 1], [1, 0]])
        self.assertEqual((step ** 10)[0, 1], 55)
        self.assertEqual(step ** 0, Matrix.identity(2))

    def test_shapes_are_checked(self):
        with self.assertRaises(ShapeError):
            self.a @ Matrix([[1, 2, 3]])
        with self.assertRaises(ShapeError):
            Matrix([[1, 2], [3]])

    def test_text_is_aligned(self):
        self.assertEqual(str(Matrix([[1, -20], [300, 4]])), '[  1  -20]\n[300    4]')


class SolveTest(unittest.TestCase):

    def test_integers_give_exact_fractions(self):
        x = solve(Matrix([[2, 1], [1, 3]]), Matrix.column([1, 1]))
        self.assertEqual(x, Matrix.column([Fraction(2, 5), Fraction(1, 5)]))

    def test_row_exchange_is_found(self):
        x = solve(Matrix([[0, 1], [1, 0]]), Matrix.column([7, 8]))
        self.assertEqual(x, Matrix.column([8, 7]))

    def test_determinant_sign(self):
        self.assertEqual(determinant(Matrix([[0, 1], [1, 0]])), -1)
        self.assertEqual(determinant(Matrix([[1, 2], [2, 4]])), 0)

    def test_inverse_undoes(self):
        m = Matrix([[4, 7, 2], [3, 6, 1], [2, 5, 3]])
        self.assertEqual(m @ inverse(m), Matrix.identity(3))

    def test_contradiction_and_freedom_are_told_apart(self):
        flat = Matrix([[1, 1], [2, 2]])
        with self.assertRaisesRegex(SingularError, 'contradict'):
            solve(flat, Matrix.column([1, 3]))
        with self.assertRaisesRegex(SingularError, 'only 1 of 2'):
            solve(flat, Matrix.column([1, 2]))

    def test_rank(self):
        self.assertEqual(rank(Matrix([[1, 2, 3], [2, 4, 6], [1, 0, 1]])), 2)

    def test_random_floats(self):
        rng = random.Random(17)
        for size in range(1, 9):
            m = Matrix([rng.uniform(-1, 1) for _ in range(size)] for _ in range(size))
            b = Matrix.column([rng.uniform(-1, 1) for _ in range(size)])
            self.assertLess(residual(m, solve(m, b), b), 1e-8)


class SparseTest(unittest.TestCase):

    def test_entries_add_up_and_cancel(self):
        m = SparseBuilder(2, 2).add(0, 0, 5).add(0, 0, -5).add(1, 0, 2).freeze()
        self.assertEqual(m.count, 1)
        self.assertEqual(m[1, 0], 2)
        self.assertEqual(m[0, 0], 0)

    def test_product_agrees_with_dense(self):
        a = Matrix([[1, 0, 2], [0, 0, 3]])
        b = Matrix([[0, 4], [5, 0], [0, 6]])
        product = RowMatrix.from_dense(a) @ RowMatrix.from_dense(b)
        self.assertEqual(product.to_dense(), a @ b)

    def test_transpose(self):
        a = Matrix([[1, 0, 2], [0, 0, 3]])
        self.assertEqual(RowMatrix.from_dense(a).transpose().to_dense(), a.transpose())

    def test_outside_is_refused(self):
        with self.assertRaises(IndexError):
            SparseBuilder(2, 2).add(2, 0, 1)


if __name__ == '__main__':
    unittest.main()
