"""The page over a run: a person sees the image, the boxes and the words, and decides."""
