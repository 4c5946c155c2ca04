"""Families of generated cases: each module opens what it tries with ``opened``, and tries one ``case``."""
