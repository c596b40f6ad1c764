"""What may be reasoned about indoors: food, kitchens, furniture, devices, small things; and about any thing at all.

The slots are those of ``topics_outside``.
"""

from __future__ import annotations

from pipeline.llm.writing.topic import Topic

INSIDE: tuple[Topic, ...] = (
    Topic(
        about="pizza sandwich hot_dog",
        questions=(
            "On what kind of occasion might somebody have {t}?",
            "Why might {t} be a popular choice for a meal?",
            "What {does} {t} suggest about how formal this meal is?",
        ),
        claims=(
            "The mood suggested here is probably relaxed, with no need for fine manners.",
            "A meal such as this may be chosen because it is quick and pleases almost everybody.",
            "It is likely that nobody here is in the mood for a formal dinner.",
        ),
        reasons=(
            "Food that can be eaten by hand is easy to share and asks for little ceremony.",
            "Simple meals leave more time for talk, or for whatever else the day demands.",
            "Warm, filling food is what many people want after work or on an evening with friends.",
        ),
        closes=(
            "Something fresh on the side might round it off, for those who care about their diet.",
            "How good it tastes cannot be seen, but it may well be gone soon.",
            "It could be lunch or supper, and both would fit.",
        ),
    ),
    Topic(
        about="cake donut",
        questions=(
            "What occasion might {t} be meant for?",
            "What {does} {t} suggest about the mood of this moment?",
            "Why might somebody have chosen to serve {t}?",
        ),
        claims=(
            "With {t} around, one may think of a treat, and perhaps even something to celebrate.",
            "Something sweet like this is probably meant to be enjoyed in company.",
            "It may be an ordinary coffee break, but {t} could also point to a special day.",
        ),
        reasons=(
            "Sweet things are seldom eaten out of mere hunger; they mark a pause or a feast.",
            "Sharing dessert is an old way of showing that guests are welcome.",
            "Baked goods keep for a short time only, so somebody must have planned when to serve them.",
        ),
        closes=(
            "How many people will have a share cannot be said, but nobody is likely to refuse.",
            "For anybody who has to mind sugar, a small portion may be the better idea.",
            "A moment like this may well be remembered longer than the taste.",
        ),
    ),
    Topic(
        about="banana apple orange carrot broccoli",
        questions=(
            "How might {t} be used in the next few hours?",
            "What {does} {t} suggest about the eating habits of the people here?",
            "Why might {t} be a sensible thing to have around?",
        ),
        claims=(
            "Somebody here probably cares about eating fresh food.",
            "It is likely that {t} will end up in a meal or as a snack before long.",
            "With {t} at hand, a light meal could be made quickly.",
        ),
        reasons=(
            "Fresh produce keeps for days rather than months, so it is bought to be eaten soon.",
            "Fruit and vegetables bring vitamins and fibre, and they need little preparation.",
            "What lies within reach gets eaten, whether it is healthy or not.",
        ),
        closes=(
            "That would be a good habit, though a single moment cannot prove it.",
            "What is left over may still be good for juice, soup or something baked.",
            "The choice may also have been made for the colour and the smell.",
        ),
    ),
    Topic(
        about="oven sink refrigerator microwave toaster",
        questions=(
            "What tasks could be done with {t} here?",
            "What does the presence of {t} tell us about how this space is used?",
            "How might {t} fit into somebody's daily routine?",
        ),
        claims=(
            "It is likely that somebody uses {t} nearly every day.",
            "This space is probably meant for practical work, and {t} would have a share in it.",
            "Daily chores probably bring somebody to {t} again and again.",
        ),
        reasons=(
            "Fittings of this kind are connected to water or power, so they stay where they are used most.",
            "Preparing and cleaning go hand in hand, and short ways between the two save time.",
            "Room is precious indoors, so what takes up space has to be of use.",
        ),
        closes=(
            "Who does the work, and how gladly, remains an open question.",
            "How well it all works may depend on who tidies up afterwards.",
            "An hour later, the same place could be far busier or completely quiet.",
        ),
    ),
    Topic(
        about="knife scissors fork",
        questions=(
            "What care should be taken with {t}?",
            "Why would one keep {t} away from small children?",
            "What might somebody be about to do with {t}?",
        ),
        claims=(
            "It would probably be wise to handle {t} with some care.",
            "With {t} in view, a little attention could prevent an injury.",
            "Somebody may be about to use {t}, or may just have finished.",
        ),
        reasons=(
            "Sharp or pointed tools do good work only in calm hands.",
            "Most cuts happen when somebody is in a hurry or looks away.",
            "A tool that lies where it belongs can be found, and nobody takes hold of it by accident.",
        ),
        closes=(
            "Putting such things away after use is likely the simplest precaution.",
            "In experienced hands the danger may be small, but it is never quite gone.",
            "A minute of attention would probably be enough.",
        ),
    ),
    Topic(
        about="dining_table",
        questions=(
            "What might {t} be used for on an ordinary day?",
            "What {does} {t} suggest about what happens in this place?",
            "Who might come together at {t}?",
        ),
        claims=(
            "It is likely that people come together at {t} from time to time.",
            "A place for meals, for work, or for both: any of these could explain {t}.",
            "On an ordinary day, {t} could serve several purposes one after another.",
        ),
        reasons=(
            "A flat surface at the right height draws all kinds of activity, from eating to writing.",
            "Sharing food is one of the oldest ways of spending time together.",
            "What people leave on a surface is a fair record of what they did there last.",
        ),
        closes=(
            "By evening it may look quite different.",
            "Who the people are can only be guessed, but they probably feel at home.",
            "It may not be a matter of beauty, but use is likely what counts here.",
        ),
    ),
    Topic(
        about="cup bottle wine_glass bowl spoon vase",
        questions=(
            "What might {t} be there for?",
            "What {does} {t} suggest about what has just happened or is about to happen?",
            "How could {t} be a clue to what people do here?",
        ),
        claims=(
            "It seems likely that somebody has been eating or drinking here, or soon will be.",
            "Perhaps {t} {is} waiting to be used, or perhaps nobody has cleared up yet.",
            "From {t}, one might guess that people here like to have things within reach.",
        ),
        reasons=(
            "Vessels and tableware are put out when they are needed, and they tend to stay for a while after that.",
            "People reach for something to drink or to eat when they mean to stay.",
            "Small household objects travel to the spot where they are wanted.",
        ),
        closes=(
            "Whether before or after, the scene probably belongs to an ordinary day.",
            "A closer look at what is inside might settle the question.",
            "It could be a small detail, but it makes the place look lived in.",
        ),
    ),
    Topic(
        about="couch bed chair",
        questions=(
            "How might somebody spend an hour with {t}?",
            "What {does} {t} suggest about the purpose of this place?",
            "Why might {t} have been put where {it} {is}?",
        ),
        claims=(
            "Comfort seems to matter here, and {t} may be meant to provide it.",
            "It is likely that {t} {is} meant for rest, company or quiet work.",
            "Somebody probably chose the spot for {t} with some thought.",
        ),
        reasons=(
            "Where people sit or lie down shows where they like to spend their time.",
            "Light, a view and the way to the door usually decide how furniture is arranged.",
            "Good rest depends on quiet and on a place that feels one's own.",
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
            "It is likely that somebody spends a good part of the day here with {t}.",
            "Work at a screen, entertainment, or both might be what {t} {is} for.",
            "Somebody who uses {t} for hours would probably profit from a short break now and then.",
        ),
        reasons=(
            "Screens hold the gaze at one distance, which tires the eyes after a while.",
            "Devices are placed where there is power, a seat and not too much glare.",
            "The same machine serves for letters, films and games, so one cannot tell work from leisure at a glance.",
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
            "With {t} at hand, attention may be divided between the device and the surroundings.",
            "Somebody may be waiting for something, or may just want to pass the time.",
        ),
        reasons=(
            "Small devices follow people from room to room and end up where they last sat or stood.",
            "A glance at a device takes a second, but finding back to a thought takes longer.",
            "People like to keep control of sound, pictures and messages close at hand.",
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
            "What somebody reads is a fair guide to interests, profession and age.",
            "Printed pages take up room, so those who keep them think that they are worth it.",
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
            "It is likely that people here have to keep an eye on the time.",
            "The position of {t} was probably chosen so that it can be read in passing.",
            "Somebody may glance at {t} many times a day without noticing.",
        ),
        reasons=(
            "A shared time makes it possible to meet, to begin together and to finish together.",
            "A display that all can see spares everybody the search for a watch.",
            "Public and private life alike run on appointments.",
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
            "Somebody probably wanted to make the place friendlier.",
            "It is likely that someone looks after {t} regularly.",
            "Having {t} here suggests that looks matter as well as use.",
        ),
        reasons=(
            "Greenery and flowers bring colour into a place and soften its straight lines.",
            "Water, light and a little attention are all that it takes to keep such a corner pleasant.",
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
            "Moist, warm places are where germs spread most easily.",
            "Habits of hygiene are learnt early and repeated without much thought.",
            "Things of daily care are kept where they are used, ready to hand.",
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
            "It is likely that {t} {has} an owner who is fond of {them}.",
            "Somebody may have put {t} here as a joke, as a decoration or for comfort.",
            "A child is the most likely owner, although grown-ups keep such things too.",
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
            "Attention is probably meant to rest on {t} first.",
            "Most viewers would likely look at {t} before anything else.",
            "The layout suggests that {t} {is} what the {image} is about.",
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
