"""What may be reasoned about food, and about the things to cook and eat with."""

from __future__ import annotations

from pipeline.llm.writing.topics.topic import Topic

TABLE: tuple[Topic, ...] = (
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
            "Simple meals leave more time for talk, or for whatever else the day demands.",
            "Warm, filling food is what one wants after work or on an evening with friends.",
            "Food that can be eaten by hand is easy to share and asks for little ceremony.",
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
            "It may be an ordinary coffee break, but {t} could also point to a special day.",
            "With {t} around, one may think of a treat, and perhaps even something to celebrate.",
            "Something sweet like this is probably meant to be enjoyed in company.",
        ),
        reasons=(
            "Baked goods keep for a short time only, so somebody must have planned when to serve them.",
            "Sweet things are seldom eaten out of mere hunger; they mark a pause or a feast.",
            "Sharing dessert is an old way of showing that guests are welcome.",
        ),
        closes=(
            "How large a share everybody gets cannot be said, but nobody is likely to refuse.",
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
            "It is likely that {t} will end up in a meal or as a snack before long.",
            "Somebody here probably cares about eating fresh food.",
            "With {t} at hand, a light meal could be made quickly.",
        ),
        reasons=(
            "Fresh produce keeps for days rather than months, so it is bought to be eaten soon.",
            "What lies within reach gets eaten, whether it is healthy or not.",
            "Fruit and vegetables bring vitamins and fibre, and they need little preparation.",
        ),
        closes=(
            "That would be a good habit, though a single moment cannot prove it.",
            "What remains in the end may still be good for juice, soup or something baked.",
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
            "Daily chores probably bring somebody to {t} again and again.",
            "This space is probably meant for practical work, and {t} would have a share in it.",
            "It is likely that somebody uses {t} nearly every day.",
        ),
        reasons=(
            "Preparing and cleaning go hand in hand, and short ways between the two save time.",
            "Room is precious indoors, so what takes up space has to be of use.",
            "Fittings of this kind are connected to water or power, so they stay where they are used most.",
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
            "On an ordinary day, {t} could serve several purposes one after another.",
            "A place for meals, for work, or for both: any of these could explain {t}.",
            "It is likely that people come together at {t} from time to time.",
        ),
        reasons=(
            "A flat surface at a good height draws all kinds of activity, from eating to writing.",
            "What people leave on a surface is a fair record of what they did there last.",
            "Sharing food is one of the oldest ways of spending time together.",
        ),
        closes=(
            "By evening it may look quite different.",
            "Who the people are can only be guessed, but they probably feel at home.",
            "It may not be a matter of beauty, but use is likely what counts here.",
        ),
    ),
    Topic(
        about="cup bottle wine_glass bowl spoon",
        questions=(
            "What might {t} be there for?",
            "What {does} {t} suggest about what has just happened or is about to happen?",
            "How could {t} be a clue to what people do here?",
        ),
        claims=(
            "Perhaps {t} {is} waiting to be used, or perhaps nobody has cleared up yet.",
            "It seems likely that somebody has been eating or drinking here, or soon will be.",
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
)
