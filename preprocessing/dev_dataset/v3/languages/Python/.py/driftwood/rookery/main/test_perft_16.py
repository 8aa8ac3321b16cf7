# Counting leaf nodes finds nearly every bug a move generator can have.
import unittest

from rookery.board import BadPosition, Board, START, name_of, square
from rookery.moves import Move, in_check
from rookery.notation import read_game, read_move, write_game, write_move
from rookery.play import Game, IllegalMove, legal_moves, perft
from rookery.search import MATE, Searcher, describe

# position, and the number of leaves at depth 1, 2, 3
COUNTS = [
	(START, [20, 400, 8902]),
	('8/2p5/3p4/KP5r/1R3p1k/8/4P1P1/8 w - - 0 1', [14, 191, 2812]),
	('r3k2r/8/8/8/8/8/8/R3K2R w KQkq - 0 1', [26, 568]),
]
BACK_RANK = '6k1/5ppp/8/8/8/8/8/K2R4 w - - 0 1'


def moves_of(text):
	return sorted(str(move) for move, _ in legal_moves(Board.from_text(text)))


class PerftTest(unittest.TestCase):

	def test_counts(self):
		for text, counts in COUNTS:
			board = Board.from_text(text)
			for depth, count in enumerate(counts, 1):
				with self.subTest(text=text, depth=depth):
					self.assertEqual(perft(board, depth), count)


class BoardTest(unittest.TestCase):

	def test_text_round_trip(self):
		for text, _ in COUNTS:
			self.assertEqual(Board.from_text(text).to_text(), text)

	def test_names(self):
		self.assertEqual((square('a8'), square('e4'), square('h1')), (21, 65, 98))
		self.assertEqual(name_of(65), 'e4')

	def test_bad_positions(self):
		for text in ('8/8 w - - 0 1', START.replace('K', 'Q', 1), START.replace('8', '9', 1)):
			with self.assertRaises(BadPosition):
				Board.from_text(text)


class RuleTest(unittest.TestCase):

	def test_passing_capture_only_at_once(self):
		game = Game()
		for text in 'e2e4 a7a6 e4e5 d7d5'.split():
			game.push(Move.from_text(text))
		self.assertIn('e5d6', moves_of(game.board.to_text()))
		for text in 'h2h3 h7h6'.split():
			game.push(Move.from_text(text))
		self.assertNotIn('e5d6', moves_of(game.board.to_text()))

	def test_no_castling_through_check(self):
		self.assertNotIn('e1g1', moves_of('4k3/8/8/8/8/5r2/8/R3K2R w KQ - 0 1'))
		self.assertIn('e1c1', moves_of('4k3/8/8/8/8/7r/8/R3K3 w Q - 0 1'))

	def test_promotion_has_four_choices(self):
		found = [m for m in moves_of('8/P7/8/8/8/8/8/K6k w - - 0 1') if m.startswith('a7')]
		self.assertEqual(found, ['a7a8b', 'a7a8n', 'a7a8q', 'a7a8r'])

	def test_repetition_is_a_draw(self):
		game = Game()
		for text in 'g1f3 g8f6 f3g1 f6g8'.split() * 2:
			self.assertIsNone(game.result())
			game.push(Move.from_text(text))
		self.assertEqual(game.result(), (0.5, 'repetition'))

	def test_illegal_move_changes_nothing(self):
		game = Game()
		with self.assertRaises(IllegalMove):
			game.push(Move.from_text('e2e5'))
		self.assertEqual(game.board.to_text(), START)


class NotationTest(unittest.TestCase):

	def test_two_rooks_are_told_apart(self):
		board = Board.from_text('4k3/8/8/8/8/8/4K3/R6R w - - 0 1')
		self.assertEqual(write_move(board, Move.from_text('a1d1')), 'Rad1')
		self.assertEqual(str(read_move(board, 'Rhd1')), 'h1d1')
		with self.assertRaises(IllegalMove):
			read_move(board, 'Rd1')

	def test_short_game(self):
		game, score = read_game('1. f3 e5 2. g4 {a mistake} Qh4# 0-1')
		self.assertEqual(score, 0)
		self.assertEqual(game.result(), (0, 'mate'))
		self.assertEqual(write_game(game.moves), '1. f3 e5 2. g4 Qh4#')


class SearchTest(unittest.TestCase):

	def test_finds_mate_in_one(self):
		board = Board.from_text(BACK_RANK)
		self.assertFalse(in_check(board))
		move, score, _ = Searcher(seconds=60).choose(board, max_depth=2)
		self.assertEqual(str(move), 'd1d8')
		self.assertEqual(describe(score, 'w'), 'mate in 1')
		self.assertLess(score, MATE)


if __name__ == '__main__':
	unittest.main()
