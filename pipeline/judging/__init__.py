"""A second language model's word on finished samples: a judge who sees the evidence, and a guesser who sees none."""
