"""Fine-tuning: shards of samples to a plain LLaVA checkpoint. The only room that imports torch and transformers."""
