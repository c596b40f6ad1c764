"""From COCO-style captions and boxes to visual instruction data, and from there to a LLaVA-style model."""
