"""The figures of a run, and beside which published ones they stand."""
