"""MPI Sintel."""
