"""The layers of the texture: skin, hair, eyes and mouth, each a function of points and traits."""
