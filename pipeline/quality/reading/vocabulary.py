"""The small words of English that carry meaning between the names of things: numbers, articles, hedges, verbs."""

from __future__ import annotations


def word_set(words: str) -> frozenset[str]:
    """Return the set of words in a text that lists them between blanks."""
    return frozenset(words.split())


def _forms_of(verbs: str) -> frozenset[str]:
    """Return verbs in the present tense, with and without the ending of the third person."""
    return frozenset(form for verb in verbs.split() for form in (verb, _third_person(verb)))


def _third_person(verb: str) -> str:
    if verb.endswith(("s", "x", "z", "ch", "sh", "o")):
        return verb + "es"
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb[:-1] + "ies"
    return verb + "s"


SIGNS = frozenset('.,;:!?()"“”—–-') | {"\n\n"}
"""Signs that are read as words of their own."""

NUMBERS = {
    word: value
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen twenty".split()
    )
} | {
    "twenty-one": 21, "twenty-two": 22, "twenty-three": 23, "twenty-four": 24, "twenty-five": 25, "thirty": 30,
    "forty": 40, "fifty": 50, "hundred": 100,
}  # fmt: skip
"""Number words; digits are read as they stand."""

# What an amount in words may mean, at the least and at the most; None is any number.
AMOUNTS: dict[str, tuple[int, int | None]] = {
    "couple": (2, 3), "pair": (2, 2), "duo": (2, 2), "twosome": (2, 2), "trio": (3, 3), "threesome": (3, 3),
    "foursome": (4, 4), "quartet": (4, 4), "dozen": (10, 14), "half-dozen": (5, 7), "dozens": (20, None),
    "scores": (20, None), "hundreds": (60, None), "thousands": (60, None), "several": (2, None), "few": (2, None),
    "many": (3, None), "multiple": (2, None), "numerous": (3, None), "various": (2, None), "countless": (3, None),
    "lots": (3, None), "lot": (3, None), "plenty": (3, None), "loads": (3, None), "heaps": (3, None), "host": (3, None),
    "handful": (2, None), "number": (2, None), "bunch": (2, None), "group": (2, None), "groups": (2, None),
    "crowd": (3, None), "herd": (2, None), "flock": (2, None), "swarm": (3, None), "row": (2, None), "rows": (3, None),
    "line": (2, None), "stack": (2, None), "stacks": (2, None), "pile": (2, None), "piles": (2, None),
    "heap": (2, None), "fleet": (2, None), "set": (1, None), "team": (2, None), "family": (2, None),
    "variety": (2, None),
    "assortment": (2, None), "selection": (2, None), "array": (2, None), "collection": (2, None), "series": (2, None),
    "pairs": (2, None), "scattering": (2, None), "load": (2, None), "string": (2, None), "cluster": (2, None),
    "queue": (2, None), "majority": (1, None), "abundance": (3, None), "rest": (1, None),
}  # fmt: skip
PIECES = frozenset("slice slices piece pieces wedge wedges chunk chunks bit bits portion portions stick sticks".split())
"""Parts of things that one eats, before "of"."""
OF_AMOUNTS = AMOUNTS.keys() - word_set("several few many multiple numerous various countless couple dozen half-dozen")
"""Amounts that need "of" before a name: a couple of dogs."""
NUMBER_AMOUNTS = word_set("couple pair duo twosome trio threesome foursome quartet dozen half-dozen")
"""Amounts that are as good as numbers."""

ARTICLES = word_set("a an")
DEFINITE = word_set("the this that these those his her its their our your my whose")
ANY = word_set("any some each every either more")
NONE = word_set("no neither zero")
OTHER = word_set("other another further additional second third fourth fifth sixth extra")
SIZES = {"larger": True, "bigger": True, "largest": True, "biggest": True} | dict.fromkeys(
    ("smaller", "smallest", "tiniest"), False
)
"""Words that compare sizes, and whether they say that a thing is the larger one."""
ORDINALS = {"second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6}
"""Words that say how many there are at the least."""

NOT = word_set(
    "not n't isn't aren't wasn't weren't don't doesn't didn't can't cannot couldn't never neither nor hasn't "
    "haven't won't isnt arent dont cant"
)
"""Words that turn a statement round."""
HEDGES = word_set(
    "perhaps maybe possibly might may can could would should probably presumably likely seemingly apparently unlikely "
    "suggest suggests suggesting suggested imply implies implying hint hints hinting imagine imagined suppose "
    "supposing guess guessing presume assume assuming assumed guessed wonder whether if unless must seem seems seemed "
    "potentially appear possibility possible hopefully expected expect expects chance chances unclear unsure uncertain "
    "doubt typically usually often sometimes generally normally commonly tend tends ought doubtful supposedly ideally "
    "soon later tomorrow yesterday otherwise once when whenever shall conceivably plausibly will would've could've "
    "should've might've must've wouldn't couldn't shouldn't won't he'll she'll they'll it'll we'll you'll you'd i'd "
    "we'd they'd he'd she'd one'd broader loosely technically arguably"
)
"""Words that make a clause a guess, a rule, a wish or a tale of another time."""
NOT_REALLY = word_set(
    "for like as than need needs needed require requires requiring want wants wanted await awaits awaiting "
    "expecting hoping resemble resembles resembling imitating instead rather pretend without avoid avoids avoiding "
    "prevent prevents called named nicknamed titled labelled labeled via per every such regarding about versus catch "
    "catching prefer prefers suits suit suitable mention mentions cost costs unlike minus won win wins"
)
"""Words after which a thing is thought of rather than seen: waiting for a bus, shaped like a fish."""
DEPICTED = word_set(
    "picture photo photograph image painting drawing statue sculpture figurine poster print logo model toy doll "
    "shape silhouette pattern replica depiction illustration mural cartoon sticker graphic magnet figure sketch "
    "portrait bust engraving outline shadow reflection decal emblem icon symbol design carving costume mask "
    "pictures photos photographs images paintings drawings statues sculptures figurines posters prints models toys "
    "shadows reflections sort kind type idea sense memory name word smell sound thought absence lack book books "
    "video screenshot advertisement ad advert sign display caricature effigy embroidery tattoo mosaic relief breed"
)
"""Heads before "of" whose thing is not there in the flesh."""
IMAGES = word_set(
    "image picture photo photograph frame scene shot view snapshot photography pic image's picture's photo's foto "
    "composition"
)
VENUES = word_set(
    "kitchen room bathroom bedroom lounge hall office restaurant cafe bar diner shop store bakery market classroom "
    "library museum gallery lobby platform tarmac apron runway station airport harbour harbor marina park garden patio "
    "terrace yard courtyard backyard balcony porch beach seaside shore shoreline field meadow pasture paddock "
    "enclosure pen zoo barn farm stable forest woods woodland jungle savannah savanna desert landscape scenery "
    "countryside street road avenue lane intersection crossroads junction crossing square plaza town city village lot "
    "car-park driveway alley pavement sidewalk slope piste hillside mountain mountainside valley lake river pond sea "
    "ocean bay pool court pitch ground rink stadium arena stand stands place area location setting surroundings "
    "vicinity neighbourhood neighborhood building house home flat apartment hotel church space interior"
)
"""Nouns for all that an image shows."""
UNREAL = word_set(
    "toy toys stuffed fake inflatable painted cartoon carved chalk origami gingerbread plush knitted imaginary "
    "invisible virtual animated crocheted papier-mache reflected pictured lego embroidered drawn sculpted mythical "
    "fictional former future would-be potential missing absent"
)
"""Adjectives that make of a thing its likeness."""
MATERIALS = word_set(
    "plastic wooden stone paper cardboard chocolate ceramic porcelain bronze marble concrete miniature electronic "
    "clay ornamental decorative printed mechanical wax snow sand metal glass rocking model iron golden wire straw "
    "rubber ice"
)
"""Adjectives that may make of a thing its likeness: a stone lion, but also a stone bench."""
COLOURS = {
    "red": "red", "maroon": "red", "crimson": "red", "scarlet": "red", "burgundy": "red",
    "blue": "blue", "navy": "blue", "turquoise": "blue", "teal": "blue", "green": "green", "olive": "green",
    "yellow": "yellow", "golden": "yellow", "gold": "yellow", "blonde": "yellow", "orange": "orange",
    "purple": "purple", "violet": "purple", "lavender": "purple", "pink": "pink", "magenta": "pink",
    "brown": "brown", "tan": "brown", "beige": "brown", "black": "black", "white": "white", "cream": "white",
    "grey": "grey", "gray": "grey", "silver": "grey",
}  # fmt: skip
"""As people write them → one word for each."""

ASKS = word_set("what what's who who's whose which name list tell")
"""Words with which a question begins that wants to be told what is there."""

BE = word_set(
    "is are was were be been being isn't aren't 's there's that's it's here's where's what's who's 're they're"
)
THERE = word_set("there there's theres here here's")
SEES = word_set(
    "see sees seeing seen spot spotted notice count find found make shows show showing features feature contains "
    "contain has have includes include depicts depict displays captures visible present view recognise recognize "
    "identify discern"
)
VERBS = _forms_of(
    "accompany admire adorn advance appear approach arrive balance bark bask beg begin belong bend bite blend block "
    "bloom blow bounce brace browse burn burst bustle carry catch chase chat cheer chew circle clap clean cling climb "
    "cluster coast come complete contain cook cover cower crawl cross crouch cruise curl cut dance dangle dart "
    "decorate deliver descend dine dip dive divide do dodge dominate doze drag drape draw drift drink drive drop eat "
    "embrace emerge enclose end enjoy enter examine exit extend feed fetch fight fill find flap flash flee float flow "
    "flutter fly follow form frame frolic gallop gather gaze get give glance gleam glide glow gnaw go grab grasp graze "
    "greet grin grip grow guide hang hide hit hold hop hope hover huddle hug hurry hurtle include inspect invite join "
    "jog jump jut keep kick kneel know lack land laugh lay lead lean leap leave lick lie lift line linger listen loom "
    "look lounge love lurk make march meander meet merge mill mingle mount move munch nap nestle nibble nuzzle observe "
    "occupy offer operate overlook oversee own paddle pass pause peck pedal peek peer perch perform play plunge point "
    "poke pose pour prance prepare press proceed protect protrude provide prowl pull push raise reach read recede "
    "receive recline reflect relax remain rest ride rise roam roll romp run rush sail save say scamper scan scatter "
    "scratch seem sell serve share shelter shine show sip sit skim slalom sleep slide slip slouch smile snarl sniff "
    "snooze snuggle soak soar spill spin splash sprawl spread sprint sprout squat squeeze stand stare start stay step "
    "stick stop straddle strain stretch stride stroll strut support surround swim swing swoop take talk taste tend "
    "think throw tidy tilt toss touch tow tower travel trot trudge trundle try tug tumble turn type use vault venture "
    "view visit wade wait walk wander want wave nod whisper yell shout bake squint glare roost bathe shave sway drip "
    "sparkle glitter dash tiptoe limp sneak peep gape snore rub wipe polish scrub rinse stir chop slice peel fry boil "
    "swallow applaud celebrate pray sing rehearse practise compete dribble tackle steer wash watch wear weave wield "
    "work write yawn zoom"
) | word_set(
    "stood sat lain hung has have had did faces face can may might could must should would will shall needs need likes "
    "like adds add ends tops flank flanks crowd parade got gone done laid set put built stuck held kept spread hidden "
    "bound see sees tucked wields naps kisses hugs points queue queues strays made seen shown drawn worn taken given "
    "known thrown blown grown flown caught brought bought left lit fed led met lost shut split slung sewn strung swept "
    "bent torn broken eaten written driven ridden risen fallen frozen bitten chosen begun found sold told sent wound "
    "came gave took lay stuck hit lent beaten woven cast"
)
FUNCTION = (
    word_set(
        "in on at to near next by with without of off from over under above below beneath beside besides behind "
        "between among amongst against along around across through inside outside into onto upon within toward towards "
        "up down out atop underneath amid past and or but nor so yet while whereas although though because since as "
        "than if when where which who whom whose that then also too not n't is are was were be been being am i you he "
        "she it we they him them her his hers its their our my your me us one ones there here both all each every "
        "either neither another other others only just even still already again together alone apart a an the this "
        "these those some any no none more most less least much many few several very quite rather almost nearly about "
        "like unlike during after before until till despite per via for what how why can could may might must shall "
        "should will would has have had do does did now right left top bottom else instead ahead away back forward "
        "nearby overhead relative compared visible present aboard afloat ashore asleep awake afar aloft upright "
        "indoors outdoors downtown outnumber outnumbers yes parallel adjacent close opposite respectively altogether "
        "everywhere somewhere anywhere nowhere perhaps maybe possibly probably seemingly apparently clearly well "
        "farther further closer higher lower nearest larger bigger smaller largest smallest full ready free busy empty "
        "open closed large small big deep high low half mid midway halfway two three four five six seven "
        "itself himself herself themselves"
    )
    | BE
    | THERE
    | NOT
)
"""Words after which no noun goes on, and adverbs."""
NOT_ADJECTIVES = FUNCTION - word_set(
    "right left top bottom visible present asleep awake upright opposite parallel adjacent full ready free busy "
    "empty open closed large small big deep high low larger bigger smaller largest smallest nearest farther closer "
    "higher lower more most less very quite rather almost nearly few several many two three four five six seven "
    "other only back half further afloat"
)
"""Words that no adjective is: left of a name they end it."""
