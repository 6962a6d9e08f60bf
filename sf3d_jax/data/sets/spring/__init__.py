"""Spring."""
