"""FlyingChairs."""
