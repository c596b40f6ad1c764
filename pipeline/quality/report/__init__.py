"""The page that shows a run to a person."""
