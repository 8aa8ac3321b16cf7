'use strict';

// A chess clock with increment. Time comes from outside (`now` in milliseconds),
// so the clock can be tested without waiting and never drifts with the timer.

const WHITE = 'w';
const BLACK = 'b';

function other(colour) {
	return colour === WHITE ? BLACK : WHITE;
}

/** 65000 -> '1:05', 9400 -> '9.4', 3723000 -> '1:02:03' */
function format(milliseconds) {
	const left = Math.max(0, milliseconds);
	if (left < 10000) {
		return (Math.floor(left / 100) / 10).toFixed(1);
	}
	const seconds = Math.floor(left / 1000) % 60;
	const minutes = Math.floor(left / 60000) % 60;
	const hours = Math.floor(left / 3600000);
	const pad = (number) => String(number).padStart(2, '0');
	return hours > 0 ? `${hours}:${pad(minutes)}:${pad(seconds)}` : `${minutes}:${pad(seconds)}`;
}

class ChessClock {
	constructor({ minutes = 5, increment = 3, now = Date.now } = {}) {
		this.now = now;
		this.increment = increment * 1000;
		this.left = { [WHITE]: minutes * 60000, [BLACK]: minutes * 60000 };
		this.running = null;
		this.since = 0;
		this.fallen = null;
	}

	remaining(colour) {
		const spent = this.running === colour ? this.now() - this.since : 0;
		return Math.max(0, this.left[colour] - spent);
	}

	start(colour = WHITE) {
		if (this.fallen === null && this.running === null) {
			this.running = colour;
			this.since = this.now();
		}
	}

	/** The side to move has moved: stop its clock, add the increment, start the other. */
	press() {
		if (this.running === null || this.checkFlag()) {
			return false;
		}
		const mover = this.running;
		this.left[mover] = this.remaining(mover) + this.increment;
		this.running = other(mover);
		this.since = this.now();
		return true;
	}

	pause() {
		if (this.running !== null && !this.checkFlag()) {
			this.left[this.running] = this.remaining(this.running);
			this.running = null;
		}
	}

	/** Colour whose time is over, or null. Once fallen, a flag stays down. */
	checkFlag() {
		if (this.fallen === null && this.running !== null && this.remaining(this.running) === 0) {
			this.fallen = this.running;
			this.left[this.fallen] = 0;
			this.running = null;
		}
		return this.fallen;
	}
}

module.exports = { BLACK, ChessClock, WHITE, format };
