"""Students: small networks that learn from what a teacher says, asked now or before."""
