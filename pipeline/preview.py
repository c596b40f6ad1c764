"""The exact contexts and messages of a run, as JSON lines; nothing is called and nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from pipeline.planning import read_source
from pipeline.prompting.context import describe
from pipeline.prompting.render import build_prompt, render_messages
from pipeline.settings import PreviewSettings


def preview(settings: PreviewSettings, say: Callable[[str], None]) -> Iterator[str]:
    """Return one JSON object a scene and kind: ``image_id``, ``kind``, ``context``, ``messages``.

    Args:
        settings: What the person asked for.
        say: Takes a line for people.

    Raises:
        PipelineError: Something about the files, kinds or settings is wrong; raised at once, not at the first line.
    """
    source = read_source(settings)
    for reason, count in source.dropped.items():
        say(f"left out: {count:,} {reason}")
    prompts = {name: build_prompt(kind, settings.reply_format) for name, kind in source.kinds.items()}
    # Further samples of one kind on one scene have the same messages; only their seeds differ.
    return (
        msgspec.json.encode(
            {
                "image_id": planned.scene.image_id,
                "kind": planned.kind,
                "context": describe(planned.scene, source.kinds[planned.kind].context),
                "messages": render_messages(prompts[planned.kind], planned.scene),
            }
        ).decode()
        for planned in source.plan
        if planned.n == 0
    )
