"""Samples held against their scenes: claims, texts, duplicates, figures, a report."""
