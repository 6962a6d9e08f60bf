"""`python -m sf3d_jax.cli` is the command `sf3d`."""

from sf3d_jax.cli import main

if __name__ == "__main__":
    main()
