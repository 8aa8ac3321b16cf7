package org.example.spillway;

import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/**
 * Limits how often something may happen, while letting short bursts through.
 *
 * <p>A bucket holds at most {@code capacity} tokens and gains {@code ratePerSecond} tokens each
 * second. Every call takes tokens out; a call that finds too few is refused or told how long to
 * wait. The clock is passed in, which keeps the tests free of sleeping.
 */
public final class TokenBucket {

    private static final double NANOS_PER_SECOND = TimeUnit.SECONDS.toNanos(1);

    private final double capacity;
    private final double ratePerSecond;
    private final LongSupplier nanoClock;

    private double tokens;
    private long updatedAt;

    public TokenBucket(double capacity, double ratePerSecond) {
        this(capacity, ratePerSecond, System::nanoTime);
    }

    TokenBucket(double capacity, double ratePerSecond, LongSupplier nanoClock) {
        if (capacity <= 0 || ratePerSecond <= 0) {
            throw new IllegalArgumentException("capacity and rate must be positive");
        }
        this.capacity = capacity;
        this.ratePerSecond = ratePerSecond;
        this.nanoClock = nanoClock;
        this.tokens = capacity;
        this.updatedAt = nanoClock.getAsLong();
    }

    /** Takes the tokens if they are there; never waits. */
    public synchronized boolean tryTake(double wanted) {
        requirePossible(wanted);
        refill();
        if (tokens < wanted) {
            return false;
        }
        tokens -= wanted;
        return true;
    }

    /**
     * Takes the tokens now, going into debt if it must.
     *
     * @return nanoseconds that the caller has to wait before it may go on
     */
    public synchronized long reserve(double wanted) {
        requirePossible(wanted);
        refill();
        tokens -= wanted;
        if (tokens >= 0) {
            return 0;
        }
        return (long) Math.ceil(-tokens / ratePerSecond * NANOS_PER_SECOND);
    }

    public synchronized double available() {
        refill();
        return Math.max(0, tokens);
    }

    private void refill() {
        long now = nanoClock.getAsLong();
        // Differences of nanoTime are meaningful even where its values overflow.
        double elapsedSeconds = (now - updatedAt) / NANOS_PER_SECOND;
        if (elapsedSeconds > 0) {
            tokens = Math.min(capacity, tokens + elapsedSeconds * ratePerSecond);
            updatedAt = now;
        }
    }

    private void requirePossible(double wanted) {
        if (wanted <= 0 || wanted > capacity) {
            throw new IllegalArgumentException("can never take " + wanted + " of " + capacity);
        }
    }
}
