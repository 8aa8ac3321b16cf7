'use strict';

/**
 * Draws a position and lets the user drag pieces. The view knows no rules: it
 * asks `canMove(from, to)` and reports what happened through `onMove`.
 */

const FILES = 'abcdefgh';
const GLYPHS = {
	K: '♔', Q: '♕', R: '♖', B: '♗', N: '♘', P: '♙',
	k: '♚', q: '♛', r: '♜', b: '♝', n: '♞', p: '♟',
};

function squareName(row, column) {
	return FILES[column] + String(8 - row);
}

/** 'rnbq.../8/...' -> Map of square name to piece letter */
function parsePlacement(text) {
	const pieces = new Map();
	const rows = text.split(' ')[0].split('/');
	if (rows.length !== 8) {
		throw new Error(`expected 8 rows, got ${rows.length}`);
	}
	rows.forEach((letters, row) => {
		let column = 0;
		for (const letter of letters) {
			if (letter >= '1' && letter <= '8') {
				column += Number(letter);
			} else if (letter in GLYPHS) {
				pieces.set(squareName(row, column), letter);
				column += 1;
			} else {
				throw new Error(`unknown piece ${letter}`);
			}
		}
	});
	return pieces;
}

class BoardView {
	constructor(element, { canMove = () => true, onMove = () => {}, flipped = false } = {}) {
		this.element = element;
		this.canMove = canMove;
		this.onMove = onMove;
		this.flipped = flipped;
		this.pieces = new Map();
		this.selected = null;
		element.addEventListener('click', (event) => this.click(event));
	}

	setPosition(text) {
		this.pieces = parsePlacement(text);
		this.selected = null;
		this.draw();
	}

	flip() {
		this.flipped = !this.flipped;
		this.draw();
	}

	draw() {
		const order = this.flipped ? [7, 6, 5, 4, 3, 2, 1, 0] : [0, 1, 2, 3, 4, 5, 6, 7];
		const cells = order.flatMap((row) => order.map((column) => {
			const name = squareName(row, column);
			const shade = (row + column) % 2 ? 'dark' : 'light';
			const mark = name === this.selected ? ' selected' : '';
			const glyph = GLYPHS[this.pieces.get(name)] || '';
			return `<button class="${shade}${mark}" data-square="${name}">${glyph}</button>`;
		}));
		this.element.innerHTML = cells.join('');
	}

	click(event) {
		const cell = event.target.closest('[data-square]');
		if (!cell) {
			return;
		}
		const name = cell.dataset.square;
		if (this.selected && this.selected !== name && this.canMove(this.selected, name)) {
			const from = this.selected;
			this.selected = null;
			this.onMove(from, name);
		} else {
			this.selected = this.pieces.has(name) && this.selected !== name ? name : null;
		}
		this.draw();
	}
}

module.exports = { BoardView, GLYPHS, parsePlacement, squareName };
