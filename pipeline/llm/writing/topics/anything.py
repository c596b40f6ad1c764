"""What may be reasoned about any scene at all."""

from __future__ import annotations

from pipeline.llm.writing.topics.topic import Topic

ANYTHING: tuple[Topic, ...] = (
    Topic(
        about="",
        questions=(
            "What does the arrangement of the scene suggest about what matters most in it?",
            "Where is the eye drawn first, and why might that be?",
            "What might the person who made the {image} have wanted to show?",
            "How does the layout of the {image} guide the viewer?",
        ),
        claims=(
            "The layout suggests that {t} {is} what the {image} is about.",
            "Most viewers would likely look at {t} before anything else.",
            "Whoever made the {image} probably meant to show {t} above all.",
            "Attention is probably meant to rest on {t} first.",
        ),
        reasons=(
            "The eye goes to what takes up much room and only then wanders to what surrounds it.",
            "What fills more of a frame tends to be what somebody wanted to keep.",
            "A viewer reads size as importance, long before thinking about it.",
        ),
        closes=(
            "Another viewer may begin elsewhere, but would probably end up at the same place.",
            "The rest then gives a setting to it, and that may be exactly the intention.",
            "Whether it was planned or a matter of chance cannot be told for sure.",
        ),
    ),
    Topic(
        about="",
        questions=(
            "What might somebody who enters this scene notice first?",
            "What could a careful observer conclude about the scene as a whole?",
            "Which details of the scene are most helpful for working out what it is about?",
            "What might be the reason for what can be seen here?",
        ),
        claims=(
            "Somebody who comes upon this scene would probably notice {t} first.",
            "A careful observer would probably begin with {t} and work outwards from there.",
            "The most helpful detail is likely {t}, since the rest can be understood in relation to {them}.",
            "It seems likely that {t} {has} a part to play in whatever goes on here.",
        ),
        reasons=(
            "Things that are found together usually have something to do with each other.",
            "Objects are seldom where they are by chance; somebody put them there or came with them.",
            "A single detail proves little, but several that fit together make a conclusion more likely.",
        ),
        closes=(
            "More could be said with a view from another side.",
            "A second look may change the conclusion, so it should be held loosely.",
            "Nothing of this is certain, but it would explain what can be seen.",
        ),
    ),
)

WITHOUT_BOXES = Topic(
    about="",
    questions=(
        "What could have led to this moment?",
        "What might happen next in this scene?",
        "What does the scene suggest about the mood of the moment?",
        "What can be guessed from the scene beyond what is plainly visible?",
    ),
    claims=(
        "The moment is likely part of a longer story of which only one instant can be seen.",
        "What happens next probably depends on what is already under way.",
        "The scene suggests a moment that fits its surroundings.",
        "Beyond what is visible, one may guess that everything here has its usual place in somebody's day.",
    ),
    reasons=(
        "What people and things do in one moment usually follows from what came shortly before.",
        "Surroundings set limits to what can happen, and they make some things more likely than others.",
        "A single view leaves out sounds, smells and everything outside the frame.",
    ),
    closes=(
        "Anything more would be speculation, though not without charm.",
        "A few minutes later, the answer might be plain to see.",
        "Other readings are possible, but this one needs the fewest assumptions.",
    ),
)
