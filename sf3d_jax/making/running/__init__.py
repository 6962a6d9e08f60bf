"""Runs `make` on one machine or many: shares, locks, workers, manifests, and what a kill leaves.

The unit of work is a subject. Its manifest, `manifest/SPLIT/ID.json`, is its last file: a subject
that has one is finished. Who makes a subject, and how often it was interrupted, changes no byte.
"""
