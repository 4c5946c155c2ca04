"""Concepts ranked by what was found."""
