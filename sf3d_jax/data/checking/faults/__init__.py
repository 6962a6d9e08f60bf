"""What may be wrong with a sample, and what undoes it."""
