"""Replies to a data set: turns, Arrow shards, Parquet, the run folder and its card."""
