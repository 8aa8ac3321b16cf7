"""What stands on two sides of a split: measured on the shards as written, and dropped."""
