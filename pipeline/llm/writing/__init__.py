"""The offline writer's parts: it reads a scene out of a context text and finds true words for it."""
