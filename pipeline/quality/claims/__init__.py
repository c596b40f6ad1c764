"""Statements held against the captions and boxes of a scene: claims, each with its verdict."""
