"""Files to scenes: COCO-format annotations as people have them, and drawn scenes whose truth is known."""
