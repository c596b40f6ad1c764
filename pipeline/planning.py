"""What ``generate`` and ``preview`` begin with: scenes from files, kinds from folders, a plan from both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from pipeline.annotations.coco import find_files, read_scenes
from pipeline.errors import PipelineError
from pipeline.options import read_counts, read_parts
from pipeline.prompting.kinds import Kind, load_kinds, render_user, shipped
from pipeline.records import Scene
from pipeline.samples.plan import Plan, choose_scenes, drawn, plan_each, plan_totals
from pipeline.settings import GenerateSettings, SourceSettings, check_source

SAYS_NOTHING = {"", "annotations", "captions", "instances"}
"""Names of files and folders that tell no data set from another."""


class Source(msgspec.Struct, frozen=True):
    """Everything that is known before the first request."""

    name: str
    """Of the annotations; a run folder is called after it."""
    files: dict[str, str]
    """Where the annotations came from, for the record."""
    images: Path | None
    scenes: Sequence[Scene]
    """Those chosen, in the order of the plan."""
    read: int
    """Scenes in the files, before any choice."""
    dropped: dict[str, int]
    """What of the files could not be used, by reason."""
    categories: dict[str, str]
    """Of the annotation files, name to supercategory, used or not."""
    kinds: dict[str, Kind]
    plan: Plan
    """In image order, then in the order of the kinds."""

    @property
    def is_quickstart(self) -> bool:
        """Whether the built-in drawn scenes are used."""
        return self.name == "quickstart" and self.images == shipped("seed_examples") / "quickstart" / "images"


def read_source(settings: SourceSettings, total: str | None = None, *, in_drawn_order: bool = False) -> Source:
    """Read annotations and kinds, and plan the samples.

    Args:
        settings: What the person asked for.
        total: Samples in all by kind, as ``read_counts`` reads them; instead of ``settings.kinds``.
        in_drawn_order: Whether the plan goes through the images in an order drawn by their ids, for runs that may end
            before the plan does.

    Raises:
        PipelineError: Something about the files, kinds or settings is wrong; nothing has been spent.
    """
    check_source(settings)
    counts = read_counts(text) if (text := total or settings.kinds) else None
    context = read_parts(settings.context) if settings.context else {}
    kinds = load_kinds(counts, settings.prompts, settings.seed_examples, context)
    name, captions, instances, images = _files(settings)
    if isinstance(settings, GenerateSettings) and settings.out:
        for given in (captions, instances, images):
            if given and _holds(settings.out, given):
                raise PipelineError(f"--out {settings.out} holds {given}; pass a folder of its own for the run")
    annotations = read_scenes(captions, instances, images)
    scenes = choose_scenes(annotations.scenes, settings.seed, settings.limit, settings.image_id)
    if in_drawn_order:
        scenes = drawn(scenes, settings.seed)
    if total and counts:
        plan = plan_totals(scenes, kinds, counts, settings.seed)
    else:
        plan = plan_each(scenes, kinds, counts or dict.fromkeys(kinds, 1))
    if not plan:
        sees = ", ".join(sorted({part for kind in kinds.values() for part in kind.context}))
        raise PipelineError(f"nothing to make: none of {len(scenes)} images has what the kinds see ({sees})")
    if settings.prompts:  # a template of somebody's own may stumble over one scene in a hundred thousand
        for planned in plan:
            render_user(kinds[planned.kind], planned.scene)
    files = {"captions": captions, "instances": instances, "images": images}
    return Source(
        name=name,
        files={key: str(path) for key, path in files.items() if path},
        images=images,
        scenes=scenes,
        read=len(annotations.scenes),
        dropped=annotations.dropped,
        categories=annotations.categories,
        kinds=kinds,
        plan=plan,
    )


def _files(settings: SourceSettings) -> tuple[str, Path | None, Path | None, Path | None]:
    """Return the name of the annotations, and where captions, instances and images are."""
    if settings.captions or settings.instances:
        file = settings.instances or settings.captions or Path()
        return _name(file), settings.captions, settings.instances, settings.images
    if settings.annotations:
        captions, instances = find_files(settings.annotations)
        return _name(settings.annotations), captions, instances, settings.images
    folder = shipped("seed_examples") / "quickstart"
    captions, instances = find_files(folder)
    return "quickstart", captions, instances, folder / "images"


def _name(annotations: Path) -> str:
    """Return a name for annotations: the file's or folder's own, or that of the nearest folder that has one to give."""
    own = annotations.resolve()
    stem = own.stem if own.is_file() else own.name
    names = [stem.removeprefix("instances_").removeprefix("captions_"), *(folder.name for folder in own.parents)]
    name = next((name for name in names if name not in SAYS_NOTHING), "annotations")
    # Where annotations lie in `outputs` themselves, the run must not go into their folder.
    return f"{name}-run" if _holds(Path("outputs", name), own) else name


def _holds(folder: Path, path: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())
