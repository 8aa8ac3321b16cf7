package org.example.ledgerline;

import java.math.BigDecimal;
import java.util.Currency;
import java.util.Objects;

/**
 * An exact amount in one currency, held as a whole number of minor units.
 *
 * <p>Instances are immutable. Arithmetic overflows are reported, never wrapped.
 */
public final class Money implements Comparable<Money> {

    private final long minor;
    private final Currency currency;

    private Money(long minor, Currency currency) {
        this.minor = minor;
        this.currency = Objects.requireNonNull(currency, "currency");
    }

    /**
     * Reads an amount such as {@code "12.50 EUR"}.
     *
     * @throws IllegalArgumentException if the text has another form, or more digits after the
     *     point than the currency allows
     */
    public static Money parse(String text) {
        String[] parts = text.trim().split("\\s+");
        if (parts.length != 2) {
            throw new IllegalArgumentException("not an amount of money: " + text);
        }
        Currency currency = Currency.getInstance(parts[1]);
        try {
            BigDecimal scaled =
                new BigDecimal(parts[0]).movePointRight(currency.getDefaultFractionDigits());
            return new Money(scaled.longValueExact(), currency);
        } catch (ArithmeticException e) {
            throw new IllegalArgumentException("too many digits: " + text, e);
        }
    }

    public Money plus(Money other) {
        requireSameCurrency(other);
        return new Money(Math.addExact(minor, other.minor), currency);
    }

    public Money negated() {
        return new Money(Math.negateExact(minor), currency);
    }

    public boolean isZero() {
        return minor == 0;
    }

    public String currencyCode() {
        return currency.getCurrencyCode();
    }

    private void requireSameCurrency(Money other) {
        if (!currency.equals(other.currency)) {
            throw new IllegalArgumentException(currency + " and " + other.currency);
        }
    }

    @Override
    public int compareTo(Money other) {
        requireSameCurrency(other);
        return Long.compare(minor, other.minor);
    }

    @Override
    public boolean equals(Object object) {
        if (!(object instanceof Money)) {
            return false;
        }
        Money other = (Money) object;
        return minor == other.minor && currency.equals(other.currency);
    }

    @Override
    public int hashCode() {
        return Objects.hash(minor, currency);
    }

    @Override
    public String toString() {
        int digits = currency.getDefaultFractionDigits();
        return BigDecimal.valueOf(minor, digits).toPlainString() + " " + currency;
    }
}
