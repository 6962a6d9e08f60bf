"""3D scene flow geometry for JAX."""

__version__ = "0.1.0"
