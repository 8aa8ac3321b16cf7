"""The chess board: a flat list of 120 squares with a border.

Squares are numbered so that moving up is -10, down +10, left -1, right +1. The
two border rows above and below and the columns at the sides hold OFF, which
stops every ray without a single comparison of coordinates.

	21 22 23 24 25 26 27 28      a8 ... h8
	...                          ...
	91 92 93 94 95 96 97 98      a1 ... h1
"""

EMPTY = '.'
OFF = ' '
WHITE, BLACK = 'w', 'b'
START = 'rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1'

NORTH, SOUTH, WEST, EAST = -10, 10, -1, 1
DIAGONALS = (NORTH + WEST, NORTH + EAST, SOUTH + WEST, SOUTH + EAST)
STRAIGHTS = (NORTH, SOUTH, WEST, EAST)
KNIGHT_JUMPS = (-21, -19, -12, -8, 8, 12, 19, 21)
GLYPHS = dict(zip('KQRBNPkqrbnp', '♔♕♖♗♘♙♚♛♜♝♞♟'))


class BadPosition(ValueError):
	"""A position text that describes no position."""


def square(name):
	"""'e4' -> 65"""
	if len(name) != 2 or name[0] not in 'abcdefgh' or name[1] not in '12345678':
		raise ValueError('no such square: %r' % name)
	return (10 - int(name[1])) * 10 + 'abcdefgh'.index(name[0]) + 1


def name_of(index):
	"""65 -> 'e4'"""
	return 'abcdefgh'[index % 10 - 1] + str(10 - index // 10)


ON_BOARD = [r * 10 + c for r in range(2, 10) for c in range(1, 9)]


def colour_of(piece):
	return WHITE if piece.isupper() else BLACK


def other(colour):
	return BLACK if colour == WHITE else WHITE


class Board(object):
	"""A position, and nothing about how it came to be.

	castling  letters of 'KQkq' that are still allowed
	passing   square behind a pawn that just moved two steps, or None
	quiet     half moves since the last capture or pawn move
	"""

	def __init__(self, squares, turn, castling, passing, quiet, number):
		self.squares = squares
		self.turn = turn
		self.castling = castling
		self.passing = passing
		self.quiet = quiet
		self.number = number

	@classmethod
	def from_text(cls, text=START):
		fields = text.split()
		if len(fields) not in (4, 6):
			raise BadPosition('expected 6 fields, got %d' % len(fields))
		rows = fields[0].split('/')
		if len(rows) != 8:
			raise BadPosition('expected 8 rows, got %d' % len(rows))
		squares = [OFF] * 120
		for r, row in enumerate(rows):
			c = 0
			for letter in row:
				if letter.isdigit():
					letter_run = EMPTY * int(letter)
				elif letter in GLYPHS:
					letter_run = letter
				else:
					raise BadPosition('unknown piece %r' % letter)
				for piece in letter_run:
					if c == 8:
						raise BadPosition('row %r is too long' % row)
					squares[(r + 2) * 10 + c + 1] = piece
					c += 1
			if c != 8:
				raise BadPosition('row %r is too short' % row)
		for king in 'Kk':
			if squares.count(king) != 1:
				raise BadPosition('need exactly one %s' % king)
		if fields[1] not in (WHITE, BLACK):
			raise BadPosition('whose turn is %r?' % fields[1])
		passing = None if fields[3] == '-' else square(fields[3])
		quiet, number = (int(f) for f in fields[4:]) if len(fields) == 6 else (0, 1)
		return cls(squares, fields[1], fields[2].replace('-', ''), passing, quiet, number)

	def to_text(self):
		rows = []
		for r in range(2, 10):
			row = ''.join(self.squares[r * 10 + 1:r * 10 + 9])
			for run in range(8, 0, -1):
				row = row.replace(EMPTY * run, str(run))
			rows.append(row)
		return ' '.join([
			'/'.join(rows), self.turn, self.castling or '-',
			name_of(self.passing) if self.passing else '-',
			str(self.quiet), str(self.number),
		])

	def copy(self):
		return Board(self.squares[:], self.turn, self.castling, self.passing,
			self.quiet, self.number)

	def king_of(self, colour):
		return self.squares.index('K' if colour == WHITE else 'k')

	def __str__(self):
		lines = []
		for r in range(2, 10):
			row = self.squares[r * 10 + 1:r * 10 + 9]
			lines.append('%d  %s' % (10 - r, ' '.join(GLYPHS.get(p, '·') for p in row)))
		return '\n'.join(lines + ['', '   a b c d e f g h'])
