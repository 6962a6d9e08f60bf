"""How far the parts of a sample disagree: one number for each kind of evidence."""
