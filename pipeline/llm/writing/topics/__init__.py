"""The topics of reasoning: what may be asked about which things, and what may be guessed."""
