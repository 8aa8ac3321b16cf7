package org.example.spillway;

import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Supplier;

/**
 * One {@link TokenBucket} per caller, for a bounded number of callers.
 *
 * <p>The bucket that was not asked for the longest time is dropped when there are too many. A
 * dropped caller starts again with a full bucket, so {@code maxKeys} should be well above the
 * number of callers that are active at the same time.
 *
 * @param <K> what tells callers apart: an address, an account number, an API key
 */
public class KeyedLimiter<K> {

    /** What to tell a caller. */
    public enum Verdict {
        ALLOWED(200),
        SLOW_DOWN(429);

        public final int httpStatus;

        Verdict(int httpStatus) {
            this.httpStatus = httpStatus;
        }
    }

    private final Map<K, TokenBucket> buckets;
    private final Supplier<TokenBucket> factory;
    private final int maxKeys;
    private long evictions;

    public KeyedLimiter(int maxKeys, Supplier<TokenBucket> factory) {
        if (maxKeys < 1) {
            throw new IllegalArgumentException("maxKeys must be at least 1, got " + maxKeys);
        }
        this.maxKeys = maxKeys;
        this.factory = factory;
        this.buckets = new LinkedHashMap<>(16, 0.75f, true);
    }

    public Verdict check(K key) {
        return check(key, 1.0);
    }

    public Verdict check(K key, double cost) {
        // The bucket does its own locking, so a slow caller never blocks the others.
        return bucketOf(key).tryTake(cost) ? Verdict.ALLOWED : Verdict.SLOW_DOWN;
    }

    private synchronized TokenBucket bucketOf(K key) {
        TokenBucket bucket = buckets.get(key);
        if (bucket == null) {
            if (buckets.size() >= maxKeys) {
                Iterator<K> eldestFirst = buckets.keySet().iterator();
                eldestFirst.next();
                eldestFirst.remove();
                evictions++;
            }
            bucket = factory.get();
            buckets.put(key, bucket);
        }
        return bucket;
    }

    /** How many callers were forgotten; a number that grows fast means maxKeys is too small. */
    public synchronized long evictions() {
        return evictions;
    }

    public synchronized int size() {
        return buckets.size();
    }
}
