"""Checks that the site has an entry for every public name: python check_entries.py SITE."""

import sys
import zlib
from pathlib import Path

import reference

# Four lines of text, then, compressed, a line for every entry that begins with its name.
_, packed = Path(sys.argv[1], "objects.inv").read_bytes().split(b"zlib.\n", 1)
entries = {line.split(" ")[0] for line in zlib.decompress(packed).decode().splitlines()}
expected = reference.link_targets(reference.list_pages())
if missing := sorted(expected - entries):
    sys.exit(f"{sys.argv[1]} has no entry for {', '.join(missing)}")
print(f"{len(expected)} entries")
