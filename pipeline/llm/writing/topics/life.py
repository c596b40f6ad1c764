"""What may be reasoned about animals, sport and people."""

from __future__ import annotations

from pipeline.llm.writing.topics.topic import Topic

LIFE: tuple[Topic, ...] = (
    Topic(
        about="dog cat",
        questions=(
            "How should somebody who does not know {t} approach {them}?",
            "What might {t} need from the people around {them}?",
            "What could {t} be paying attention to at this moment?",
            "What does the scene suggest about the life of {t}?",
        ),
        claims=(
            "A calm and slow approach would probably suit {t} best.",
            "The surroundings suggest that somebody looks after {t}.",
            "Much of what {t} {has} on {its} mind may be a matter of smells and sounds that a camera cannot show.",
            "It is likely that {t} {is} used to being around people.",
        ),
        reasons=(
            "Animals read posture and tone of voice long before they understand a word.",
            "Food, fresh water, movement and company are what a pet depends on its people for.",
            "Ears and nose tell an animal more than its eyes do, and a small noise is enough to catch its interest.",
            "Pets feel safe where things happen in a familiar order and where they can withdraw.",
        ),
        closes=(
            "Given some patience, a stranger may soon be accepted.",
            "Most likely a little attention would be welcome, though nobody can be sure without asking the owner.",
            "How the next few minutes go probably depends on how the people nearby behave.",
        ),
    ),
    Topic(
        about="horse cow sheep",
        questions=(
            "What might a day look like for {t}?",
            "What {does} {t} probably need from this place?",
            "What does the scene suggest about how {t} {is} kept?",
        ),
        claims=(
            "Much of the day of {t} is probably filled with eating, resting and watching.",
            "It is likely that somebody comes by regularly to look after {t}.",
            "The scene suggests that {t} {is} used to these surroundings.",
        ),
        reasons=(
            "Grazing animals spend many hours a day feeding, and they stay calmer when they have company.",
            "Water, shelter from the weather and enough room are what such animals need most.",
            "Farm animals are creatures of habit and notice quickly when something is out of order.",
        ),
        closes=(
            "A visitor would probably do best to keep a little distance and avoid sudden movements.",
            "Nothing more dramatic than a change of weather may be waiting for {them} today.",
            "If all goes well, tomorrow will likely be much the same.",
        ),
    ),
    Topic(
        about="elephant bear zebra giraffe",
        questions=(
            "Why would it be wise to keep a distance from {t}?",
            "What might a visitor learn by watching {t} for a while?",
            "How might {t} be suited to living in the wild?",
        ),
        claims=(
            "However peaceful the moment may look, {t} would probably not welcome a stranger at close range.",
            "A quiet observer may learn more about {t} than somebody who comes too near.",
            "The body of such an animal suggests what it is good at, and {t} can hardly be mistaken for anything else.",
        ),
        reasons=(
            "Large wild animals are strong, fast, and quick to defend themselves or their young.",
            "An animal that feels watched but not threatened goes on with what it was doing.",
            "Size, colouring and the way of feeding are answers to the place a species comes from.",
        ),
        closes=(
            "Keeping well away is therefore likely the kindest and the safest way to look.",
            "From afar, one might even see how such animals behave among themselves.",
            "What happens next is up to the animals, and that may be the charm of it.",
        ),
    ),
    Topic(
        about="bird",
        questions=(
            "What might have brought {t} here?",
            "What could make {t} leave in the next moment?",
            "What does the place have to offer {t}?",
        ),
        claims=(
            "It is likely that {t} found something useful here, such as food, a good view or a safe place to rest.",
            "A sudden movement would probably be enough to make {t} leave.",
            "The place may offer {t} a chance to feed or to rest.",
        ),
        reasons=(
            "Birds stay where food is near and where they can see danger coming.",
            "Flight costs energy, so a bird does not move on without a reason.",
            "A place to land, something to eat and a clear view are all that a bird asks for.",
        ),
        closes=(
            "A patient observer might be rewarded by a closer look.",
            "It would probably not take long until the scene changes.",
            "With nobody disturbing the peace, the visit may last a while.",
        ),
    ),
    Topic(
        about="sports_ball baseball_bat baseball_glove tennis_racket",
        questions=(
            "Which skills does a game with {t} probably call for?",
            "What might decide whether the next move in this game succeeds?",
            "Why might timing matter so much in this scene?",
        ),
        claims=(
            "A game with {t} probably calls for a quick eye and a steady hand.",
            "Whoever reads the opponent first may have the better chance here.",
            "Timing is likely to decide the next move.",
        ),
        reasons=(
            "Hours of practice turn such movements into habits that need no thought.",
            "In fast games, a player has to begin moving before it is clear where to.",
            "A tenth of a second separates a clean hit from a miss.",
        ),
        closes=(
            "That may be what makes such a moment exciting to watch.",
            "Luck probably plays its part too, but less than it seems.",
            "Even so, nobody could tell for sure how the next move will end.",
        ),
    ),
    Topic(
        about="skis snowboard",
        questions=(
            "What can be inferred about the season and the weather from this scene?",
            "How might somebody prepare for a day like this?",
            "What should a person with {t} watch out for?",
        ),
        claims=(
            "All of this suggests a cold time of the year, or at least a place high in the mountains.",
            "Somebody who sets out with {t} has likely dressed for the cold and looked at the weather report.",
            "A person with {t} probably has to keep an eye on speed, on the ground and on others.",
        ),
        reasons=(
            "Winter sport needs snow, and snow needs temperatures around or below freezing.",
            "Cold wind takes heat from the body quickly, so several thin layers work better than one thick one.",
            "Control matters more than speed, since those farther down cannot see who is coming.",
        ),
        closes=(
            "A day like this could be tiring, but probably in a pleasant way.",
            "With good preparation, the cold may be part of the fun.",
            "Beginners would likely do well to take it slowly.",
        ),
    ),
    Topic(
        about="kite frisbee",
        questions=(
            "What makes this a good place to use {t}?",
            "Which conditions might help somebody enjoy {t}?",
            "How might the wind influence what happens with {t}?",
        ),
        claims=(
            "Open space is likely what makes a place good for {t}.",
            "A light and steady breeze might be ideal, depending on what one wants to do with {t}.",
            "The wind probably has a say in how well {t} can be used.",
        ),
        reasons=(
            "Room on all sides means that nobody gets hurt and nothing gets stuck.",
            "A toy that flies rewards patience more than strength.",
            "Light objects react to every gust, and so a player has to keep adjusting.",
        ),
        closes=(
            "On a calm or stormy day, the same game might be no fun at all.",
            "That is probably why people look for open ground before they begin.",
            "It may take a few tries, but that is likely part of the pleasure.",
        ),
    ),
    Topic(
        about="person",
        questions=(
            "How might {t} be connected with each other?",
            "What could have brought {t} together here?",
            "What might {t} have in common?",
            "What mood does the scene suggest among {t}?",
        ),
        claims=(
            "Perhaps {t} know each other, or perhaps the place and the moment are all that they share.",
            "A common interest may have brought {t} to the same spot.",
            "It is likely that what happens here matters in some way to all of {t}.",
            "The mood among {t} is probably set by whatever they are busy with.",
        ),
        reasons=(
            "How close people stay to each other often tells how well they know each other.",
            "People who share a place usually share a purpose as well, even if they have never met.",
            "Shared interests bring strangers together more often than chance does.",
            "Strangers tend to leave some room between them, while friends and relatives do not.",
        ),
        closes=(
            "A few words overheard would probably settle the question.",
            "The mood seems to be set by the occasion more than by any one of them.",
            "It may be nothing more than chance, but a shared purpose is more likely.",
        ),
        many=True,
    ),
    Topic(
        about="person",
        questions=(
            "What might {t} be planning to do next?",
            "What can be guessed about what matters to {t} at this moment?",
            "What might {t} be thinking about?",
        ),
        claims=(
            "What {t} will do next probably depends on what the surroundings have to offer.",
            "It is likely that {t} {is} busy with what is close at hand.",
            "The thoughts of {t} are probably with what goes on close by.",
        ),
        reasons=(
            "What surrounds a person is often the best hint at what that person means to do.",
            "People choose their surroundings to suit what they have in mind, or they adapt to them.",
            "A single moment shows what a person does, while the reason has to be worked out from the surroundings.",
        ),
        closes=(
            "Only a few minutes later, the whole scene may look different.",
            "More than that would probably be mere speculation.",
            "Asking would be the only way to be sure, but the guess may not be far off.",
        ),
        many=False,
    ),
)
