"""Faults that show in texts alone, and texts that say what another has said."""
