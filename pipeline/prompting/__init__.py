"""Scenes to messages: the context text, the kinds of reply, the few-shot prompt."""
