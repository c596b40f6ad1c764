"""What may be reasoned about furniture, devices and small things."""

from __future__ import annotations

from pipeline.llm.writing.topics.topic import Topic

HOME: tuple[Topic, ...] = (
    Topic(
        about="couch bed chair",
        questions=(
            "How might somebody spend an hour with {t}?",
            "What {does} {t} suggest about the purpose of this place?",
            "Why might {t} have been put where {it} {is}?",
        ),
        claims=(
            "It is likely that {t} {is} meant for rest, company or quiet work.",
            "Comfort seems to matter here, and {t} may be meant to provide it.",
            "Somebody probably chose the spot for {t} with some thought.",
        ),
        reasons=(
            "Good rest depends on quiet and on a place that feels one's own.",
            "Where people sit or lie down shows where they like to spend their time.",
            "Light, a view and the way to the door usually decide how furniture is arranged.",
        ),
        closes=(
            "After a long day, {it} could be the most welcome sight of all.",
            "Another arrangement might work as well, but this one was probably chosen for a reason.",
            "Who spends the most time here remains an open question.",
        ),
    ),
    Topic(
        about="laptop keyboard mouse tv",
        questions=(
            "What kind of work or leisure might {t} be used for?",
            "What advice might help somebody who spends hours with {t}?",
            "What {does} {t} tell us about the way this place is used?",
        ),
        claims=(
            "Work at a screen, entertainment, or both might be what {t} {is} for.",
            "Somebody who uses {t} for hours would probably profit from a short break now and then.",
            "It is likely that somebody spends a good part of the day here with {t}.",
        ),
        reasons=(
            "The same machine serves for letters, films and games, so one cannot tell work from leisure at a glance.",
            "Screens hold the gaze at one distance, which tires the eyes after a while.",
            "Devices are placed where there is power, a seat and not too much glare.",
        ),
        closes=(
            "What was on the screen last remains the user's own affair.",
            "A comfortable seat and some daylight would likely do more good than any new device.",
            "Either way, it seems to be a spot that somebody returns to.",
        ),
    ),
    Topic(
        about="cell_phone remote",
        questions=(
            "Why might {t} be within reach here?",
            "What could {t} be used for in this situation?",
            "How might {t} change what people pay attention to?",
        ),
        claims=(
            "It is likely that {t} {is} kept within reach because {it} {is} needed often.",
            "Somebody may be waiting for something, or may just want to pass the time.",
            "With {t} at hand, attention may be divided between the device and the surroundings.",
        ),
        reasons=(
            "Small devices follow people from room to room and end up where they last sat or stood.",
            "People like to keep control of sound, pictures and messages close at hand.",
            "A glance at a device takes a second, but finding back to a thought takes longer.",
        ),
        closes=(
            "Whether that is a help or a distraction probably depends on the moment.",
            "A while without {them} might do nobody any harm.",
            "What it is used for in the end can only be guessed.",
        ),
    ),
    Topic(
        about="book",
        questions=(
            "What might {t} tell us about the people who live or work here?",
            "Why might {t} be kept where {it} {is}?",
            "What could somebody who knows nothing of this place learn from {t}?",
        ),
        claims=(
            "Somebody here seems to like reading, or may need {t} to look things up.",
            "It is likely that {t} {is} here for use and not for show alone.",
            "A stranger might learn more about the owner from {t} than from anything else here.",
        ),
        reasons=(
            "People keep what they have read and liked, and what they still mean to read.",
            "Printed pages take up room, so those who keep them think that they are worth it.",
            "What somebody reads is a fair guide to interests, profession and age.",
        ),
        closes=(
            "A title would tell more, if one could be read from here.",
            "How often anybody opens {them} is another question.",
            "It may be a sign of curiosity, or simply of habit.",
        ),
    ),
    Topic(
        about="clock",
        questions=(
            "Who might look at {t}, and why?",
            "Why might {t} have been put up where {it} can be seen?",
            "How could {t} shape what people do here?",
        ),
        claims=(
            "Somebody may glance at {t} many times a day without noticing.",
            "The position of {t} was probably chosen so that it can be read in passing.",
            "It is likely that people here have to keep an eye on the time.",
        ),
        reasons=(
            "Public and private life alike run on appointments.",
            "A display that all can see spares everybody the search for a watch.",
            "A shared time makes it possible to meet, to begin together and to finish together.",
        ),
        closes=(
            "Those who have no plans may enjoy not having to look.",
            "It could also be a mere matter of decoration, of course.",
            "The hour itself matters less here than the habit of knowing it.",
        ),
    ),
    Topic(
        about="potted_plant vase",
        questions=(
            "What care {does} {t} probably need?",
            "What {does} {t} add to this place?",
            "Why might somebody have put {t} here?",
        ),
        claims=(
            "It is likely that someone looks after {t} regularly.",
            "Having {t} here suggests that looks matter as well as use.",
            "Somebody probably wanted to make the place friendlier.",
        ),
        reasons=(
            "Water, light and a little attention are all that it takes to keep such a corner pleasant.",
            "Greenery and flowers bring colour into a place and soften its straight lines.",
            "People feel more at ease where something grows or blooms.",
        ),
        closes=(
            "Without anybody to care for it, the effect would likely fade within weeks.",
            "Even a small touch like this may change how a visitor feels.",
            "The taste behind it is a personal matter, but the intention seems friendly.",
        ),
    ),
    Topic(
        about="toilet toothbrush hair_drier",
        questions=(
            "How might this place be used in the course of a morning?",
            "What habits {does} {t} hint at?",
            "Why is cleanliness likely to matter where {t} {is} used?",
        ),
        claims=(
            "A morning here probably follows much the same steps every day.",
            "The small routines of personal care probably bring somebody to {t} every day.",
            "Cleanliness likely matters more here than anywhere else in a building.",
        ),
        reasons=(
            "Habits of hygiene are learnt early and repeated without much thought.",
            "Things of daily care are kept where they are used, ready to hand.",
            "Moist, warm places are where germs spread most easily.",
        ),
        closes=(
            "Regular cleaning and some fresh air would probably be enough to keep it pleasant.",
            "Who shares the place remains open, but courtesy is likely expected of all.",
            "It may not be a place for long visits, but nobody could do without one.",
        ),
    ),
    Topic(
        about="teddy_bear",
        questions=(
            "Whom might {t} belong to, and what may {it} mean to the owner?",
            "Why might {t} have been put here?",
            "What story could lie behind {t}?",
        ),
        claims=(
            "A child is the most likely owner, although grown-ups keep such things too.",
            "Somebody may have put {t} here as a joke, as a decoration or for comfort.",
            "It is likely that {t} {has} an owner who is fond of {them}.",
        ),
        reasons=(
            "Soft toys give comfort, and people keep them long after childhood.",
            "A toy in an unexpected place makes people smile, and that may be the whole purpose.",
            "What has been loved for years is seldom thrown away.",
        ),
        closes=(
            "The true story may be known to the owner alone.",
            "Either way, it gives the scene a friendly touch.",
            "If {it} went missing, somebody would probably come looking.",
        ),
    ),
    Topic(
        about="tie",
        questions=(
            "What {does} {t} suggest about the occasion?",
            "Why might somebody wear {t} here?",
            "What impression could {t} be meant to make?",
        ),
        claims=(
            "The presence of {t} suggests that the occasion is a formal one, or that somebody likes to dress well.",
            "Whoever wears {t} probably wants to be taken seriously.",
            "Some thought has likely gone into how people look here.",
        ),
        reasons=(
            "Formal clothing shows respect for an event and for the people who attend it.",
            "Dress codes at work, at weddings and at ceremonies leave little to chance.",
            "Such a piece of clothing has no use but to be seen.",
        ),
        closes=(
            "It may also be nothing more than habit.",
            "In a more casual setting, the same outfit might look out of place.",
            "What the event is, exactly, would have to be learnt from those who are there.",
        ),
    ),
)
