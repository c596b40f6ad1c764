"""What may be reasoned about in the street and on the way: traffic, travel, weather."""

from __future__ import annotations

from pipeline.llm.writing.topics.topic import Topic

STREET: tuple[Topic, ...] = (
    Topic(
        about="car truck bus motorcycle",
        questions=(
            "What should a pedestrian keep in mind around {t}?",
            "Why might someone on foot want to be careful in this scene?",
            "What could make this a place where caution is wise?",
            "How might {t} affect a person who wants to cross here?",
        ),
        claims=(
            "Someone on foot would do well to watch {t}, because a driver may not notice everybody in time.",
            "Anyone walking here should probably look twice, since {t} may start, stop or turn without much warning.",
            "It is {t} that may call for caution, since nobody can be sure what a driver will do next.",
            "A person who wants to cross may need some patience, until it is clear what {t} will do next.",
        ),
        reasons=(
            "A motor vehicle is heavy and needs time and distance to stop, even at a modest speed.",
            "Whoever drives sees less of what is close to the vehicle than a person on foot tends to assume.",
            "Eye contact with the driver is a simple way to find out whether one has been seen.",
        ),
        closes=(
            "Crossing at a clear spot and with a look in both directions would likely be the safest choice.",
            "So the sensible thing is probably to keep some distance and to move only when the way is free.",
            "A little caution would therefore cost next to nothing and might prevent an accident.",
        ),
    ),
    Topic(
        about="bus train",
        questions=(
            "What might passengers gain by taking {t}?",
            "Why might people choose {t} to get around?",
            "How could {t} be useful to those who live or work nearby?",
        ),
        claims=(
            "For passengers, {t} may be the cheaper and calmer way to get where they want to go.",
            "People may well choose {t} because many can travel together without having to drive.",
            "Those who live or work nearby probably value {t}, since nobody needs a vehicle of their own for the trip.",
        ),
        reasons=(
            "Public transport carries many passengers at once and so needs less room for each of them.",
            "Sharing one vehicle saves fuel, and it spares everybody the search for a place to park.",
            "A fixed route and timetable make it possible to plan a day around the ride.",
        ),
        closes=(
            "How busy the service is cannot be told from one moment, but the advantages are likely much the same.",
            "Whether that outweighs the wait at a stop probably depends on the person and on the day.",
            "In a place like this, it may well be part of the daily routine.",
        ),
    ),
    Topic(
        about="traffic_light stop_sign",
        questions=(
            "What role {does} {t} play for those who pass through here?",
            "How might {t} change the way people move through this place?",
            "What could go wrong here without {t}?",
        ),
        claims=(
            "The likely purpose of {t} is to settle who may go first, so that nobody has to guess.",
            "The point of {t} is probably to make the behaviour of drivers predictable.",
            "Without {t}, people who arrive at the same moment might misjudge each other.",
        ),
        reasons=(
            "Traffic works best when everybody can see from afar what is expected of them.",
            "A signal that all know replaces many small negotiations between strangers.",
            "Most collisions happen where paths cross, and that is where clear instructions matter most.",
        ),
        closes=(
            "It also likely helps those on foot, who can tell when it is their turn.",
            "That suggests a spot where different paths meet, even if it looks calm at this moment.",
            "For a stranger to the area, this may be the most useful object in view.",
        ),
    ),
    Topic(
        about="airplane",
        questions=(
            "What might have to happen before or after the flight of {t}?",
            "What does the presence of {t} suggest about this scene?",
            "Which kinds of work might {t} depend on?",
        ),
        claims=(
            "For every minute in the air, {t} likely needs a good deal of care on the ground.",
            "Flying suggests careful planning: {t} may have been checked by several teams beforehand.",
            "Much of the work around {t} probably takes place where a camera does not look.",
        ),
        reasons=(
            "Aircraft are inspected, fuelled and cleared by air traffic control before they take off.",
            "Weather, weight and fuel all have to be known before a pilot may leave.",
            "Safety in aviation rests on routine checks, which are repeated for every flight.",
        ),
        closes=(
            "Where it came from or where it is bound remains open, but a plan for the trip almost certainly exists.",
            "Whoever travels on board probably notices little of all this.",
            "What looks effortless is therefore likely the result of much preparation.",
        ),
    ),
    Topic(
        about="boat surfboard",
        questions=(
            "What should somebody who goes out on the water with {t} think of first?",
            "Which conditions might matter most for using {t}?",
            "How could wind and weather influence what happens with {t}?",
        ),
        claims=(
            "Anyone who takes {t} out would probably begin with a look at the weather.",
            "The state of the water may matter more for {t} than anything else.",
            "Wind and waves are likely to decide how well {t} can be used.",
        ),
        reasons=(
            "Conditions on the water can change quickly, and help is seldom close by.",
            "Calm water forgives mistakes, while strong wind and high waves do not.",
            "A way of staying afloat and telling somebody on land about the plan are old and sensible rules.",
        ),
        closes=(
            "Only on a suitable day would an outing likely be as pleasant as it may look from the shore.",
            "A short check before setting out could therefore be time well spent.",
            "With that in mind, even a beginner may enjoy the water safely.",
        ),
    ),
    Topic(
        about="bicycle motorcycle skateboard",
        questions=(
            "Why might protective gear be a good idea for whoever uses {t}?",
            "What should the rider of {t} pay attention to?",
            "What are the risks and rewards of getting around with {t}?",
        ),
        claims=(
            "Whoever rides {t} would probably be well advised to protect the head and hands.",
            "The freedom that {t} may offer likely comes with a need for good balance and attention.",
            "Riding {t} may be great fun, but a fall can come as a surprise.",
        ),
        reasons=(
            "On two wheels or on a board there is nothing around the body that could soften a fall.",
            "Loose gravel, a wet patch or a small bump can be enough to lose one's balance.",
            "A helmet weighs little and protects what heals worst.",
        ),
        closes=(
            "Practice and a clear view of the ground ahead likely do the rest.",
            "With some protection, the fun would probably outweigh the risk.",
            "A person who rides often may do all this without thinking.",
        ),
    ),
    Topic(
        about="bench",
        questions=(
            "Who might make use of {t}, and why?",
            "Why might {t} have been put here?",
            "What could {t} tell us about how this place is used?",
        ),
        claims=(
            "A walker, a parent or an elderly neighbour might be glad of {t}.",
            "Somebody probably thought that visitors would like to rest here.",
            "This may well be a place where people are meant to pause, and {t} would serve that purpose.",
        ),
        reasons=(
            "Seats in public are put where people wait, where they meet, or where there is something to look at.",
            "A place to sit down makes a longer walk possible for those who tire easily.",
            "People stay longer where they can sit, and a place feels safer when people stay.",
        ),
        closes=(
            "Whether anyone uses it much is hard to tell, but the invitation is likely meant for everybody.",
            "So it may be a small thing that changes how the whole place is used.",
            "At another hour of the day, it might well be the most wanted spot around.",
        ),
    ),
    Topic(
        about="fire_hydrant",
        questions=(
            "Why is it important to keep the area around {t} clear?",
            "In what situation might {t} become the most important object here?",
            "Why might {t} have been placed where it can be seen easily?",
        ),
        claims=(
            "Keeping {t} within easy reach could save precious minutes.",
            "In an emergency, {t} might be what saves a building.",
            "It is probably no accident that {t} can be spotted at a glance.",
        ),
        reasons=(
            "Firefighters need water at once, and their hoses have a limited length.",
            "A hydrant is useless if nobody finds it or if something blocks the way to it.",
            "Every minute counts when a fire spreads, so the way to the water must be short.",
        ),
        closes=(
            "On all other days it may hardly be noticed, which is likely the best that can happen.",
            "That is probably why parking close to one is forbidden in many places.",
            "Anyone who leaves something in front of it may be taking a larger risk than they think.",
        ),
    ),
    Topic(
        about="parking_meter",
        questions=(
            "What {does} {t} suggest about parking in this area?",
            "Why might a town put up {t} here?",
            "What should a driver who stops here remember?",
        ),
        claims=(
            "The presence of {t} suggests that space to park is in demand here.",
            "The town likely wants visitors to stay for a short while only.",
            "A driver who stops here would probably have to pay and keep an eye on the time.",
        ),
        reasons=(
            "Fees make people leave sooner, so that more of them find a space in the course of a day.",
            "Where space is plentiful, nobody goes to the trouble of charging for it.",
            "Shops depend on customers who can stop close by for a short time.",
        ),
        closes=(
            "A few coins could therefore spare a driver a much larger fine.",
            "At night or on Sundays the rule may be different, so a look at the display is probably worthwhile.",
            "All of this hints at a place that people like to come to.",
        ),
    ),
    Topic(
        about="umbrella",
        questions=(
            "What might {t} tell us about the weather?",
            "Why might {t} be of use here?",
            "What could be the reason for having {t} at hand?",
        ),
        claims=(
            "It may be that rain was expected, or that somebody wanted shade from the sun.",
            "Shelter of some kind, from rain or from sun, is likely what {t} {is} for.",
            "The weather is probably the reason why {t} {is} here.",
        ),
        reasons=(
            "The same piece of cloth keeps off rain and strong sunlight alike.",
            "Shade makes a long stay outdoors bearable, and a dry head does the same in the rain.",
            "People go to the trouble of having one only when the sky gives them a reason.",
        ),
        closes=(
            "Which of the two it is may be judged by the light and by what people wear.",
            "If the weather changes, {it} may soon be in the way rather than of use.",
            "Either way, somebody probably planned ahead.",
        ),
    ),
    Topic(
        about="suitcase backpack handbag",
        questions=(
            "What might {t} contain, and what would that say about the owner's plans?",
            "What {does} {t} suggest about what the owner may be about to do?",
            "Why might somebody have {t} along?",
        ),
        claims=(
            "Whoever owns {t} probably wanted to have a few necessary things at hand.",
            "The presence of {t} suggests that somebody is on the move or has just arrived.",
            "The owner of {t} may have plans that last longer than a short walk.",
        ),
        reasons=(
            "Papers, keys and something for the journey are what most people pack first.",
            "The size of a bag is a fair hint at how long its owner means to be away.",
            "People carry with them what they expect to need, and no more than they must.",
        ),
        closes=(
            "What is really inside remains the owner's secret.",
            "Losing sight of {them} would probably be unwise in a busy place.",
            "The plans themselves can only be guessed, but there likely are some.",
        ),
    ),
)
