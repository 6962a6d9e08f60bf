"""How light falls on a head: what it reaches, what it shines on, and how it changes in time."""
