package org.example.ledgerline;

import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Append-only list of balanced transactions; the Android client keeps one per book. */
public class Journal {

    /** A signed amount on one account: debits are positive, credits negative. */
    public static final class Posting {
        final String account;
        final Money amount;

        public Posting(String account, Money amount) {
            this.account = account;
            this.amount = amount;
        }
    }

    /** Postings that belong together. */
    public static final class Entry {
        final int number;
        final LocalDate date;
        final String description;
        final List<Posting> postings;

        Entry(int number, LocalDate date, String description, List<Posting> postings) {
            this.number = number;
            this.date = date;
            this.description = description;
            this.postings = Collections.unmodifiableList(new ArrayList<>(postings));
        }
    }

    private final List<Entry> entries = new ArrayList<>();
    private LocalDate lockedUntil = LocalDate.MIN;

    public synchronized Entry record(LocalDate date, String description, List<Posting> postings) {
        if (postings.size() < 2) {
            throw new IllegalArgumentException("a transaction needs at least two postings");
        }
        if (!date.isAfter(lockedUntil)) {
            throw new IllegalStateException("the books are closed up to " + lockedUntil);
        }
        for (Money missing : sums(postings).values()) {
            if (!missing.isZero()) {
                throw new IllegalArgumentException(description + " is off by " + missing);
            }
        }
        Entry entry = new Entry(entries.size() + 1, date, description, postings);
        entries.add(entry);
        return entry;
    }

    /** Closes the books up to and including a day. A lock never moves backwards. */
    public synchronized void lock(LocalDate date) {
        if (date.isAfter(lockedUntil)) {
            lockedUntil = date;
        }
    }

    public synchronized Map<String, Money> balances() {
        Map<String, Money> totals = new TreeMap<>();
        for (Entry entry : entries) {
            for (Posting posting : entry.postings) {
                totals.merge(posting.account, posting.amount, Money::plus);
            }
        }
        return totals;
    }

    private static Map<String, Money> sums(List<Posting> postings) {
        Map<String, Money> totals = new LinkedHashMap<>();
        for (Posting posting : postings) {
            totals.merge(posting.amount.currencyCode(), posting.amount, Money::plus);
        }
        return totals;
    }
}
