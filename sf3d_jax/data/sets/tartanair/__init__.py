"""TartanAir."""
