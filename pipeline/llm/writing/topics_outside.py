"""What may be reasoned about outdoors: traffic, travel, animals, sport, people.

The slots are ``{t}`` and ``{T}`` (the thing: "the dog", "the dogs"), ``{is}``, ``{has}``, ``{it}``, ``{them}``, ``{does}``,
``{its}`` to go with it, and ``{image}``. Claims and closes are guesses and say so ("may", "suggests"); reasons are
general knowledge and hold anywhere.
"""

from __future__ import annotations

from pipeline.llm.writing.topic import Topic

OUTSIDE: tuple[Topic, ...] = (
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
            "A pedestrian may need some patience here and should wait until it is clear what {t} will do next.",
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
            "People may well choose {t} because many can travel together without having to drive.",
            "For passengers, {t} may be the cheaper and calmer way to get where they want to go.",
            "Those who live or work nearby probably value {t}, since nobody needs a vehicle of their own for the trip.",
        ),
        reasons=(
            "Public transport carries many passengers at once and so needs less room for each of them.",
            "Sharing one vehicle saves fuel, and it spares everybody the search for a place to park.",
            "A fixed route and timetable make it possible to plan a day around the ride.",
        ),
        closes=(
            "How busy the service really is cannot be told from one moment, but the advantages are likely much the same.",
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
            "Without {t}, people who arrive at the same moment might misjudge each other.",
            "The point of {t} is probably to make the behaviour of drivers predictable.",
        ),
        reasons=(
            "Rules of the road work best when everybody can see from afar what is expected of them.",
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
            "Much of the work around {t} probably takes place where a camera does not look.",
            "For every minute in the air, {t} likely needs a good deal of care on the ground.",
            "Flying suggests careful planning: {t} may have been checked by several teams beforehand.",
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
            "Wind and waves are likely to decide how well {t} can be used.",
            "The state of the water may matter more for {t} than anything else.",
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
            "Riding {t} may be great fun, but a fall can come as a surprise.",
            "The freedom that {t} may offer likely comes with a need for good balance and attention.",
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
            "This may well be a place where people are meant to pause, and {t} would serve that purpose.",
            "Somebody probably thought that visitors would like to rest here.",
            "A walker, a parent or an elderly neighbour might be glad of {t}.",
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
            "In an emergency, {t} might be what saves a building.",
            "Keeping {t} within easy reach could save precious minutes.",
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
            "A driver who stops here would probably have to pay and keep an eye on the time.",
            "The town likely wants visitors to stay for a short while only.",
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
        about="dog cat",
        questions=(
            "How should somebody who does not know {t} approach {them}?",
            "What might {t} need from the people around {them}?",
            "What could {t} be paying attention to at this moment?",
            "What does the scene suggest about the life of {t}?",
        ),
        claims=(
            "It is likely that {t} {is} used to being around people.",
            "A calm and slow approach would probably suit {t} best.",
            "Much of what {t} {has} on {its} mind may be a matter of smells and sounds that a camera cannot show.",
            "The surroundings suggest that somebody looks after {t}.",
        ),
        reasons=(
            "Pets feel safe where things happen in a familiar order and where they can withdraw.",
            "Animals read posture and tone of voice long before they understand a word.",
            "Food, fresh water, movement and company are what a pet depends on its people for.",
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
            "It is likely that somebody comes by regularly to look after {t}.",
            "The scene suggests that {t} {is} used to these surroundings.",
            "Much of the day of {t} is probably filled with eating, resting and watching.",
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
            "Most birds keep watching their surroundings, even while they feed.",
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
            "Timing is likely to decide the next move.",
            "A game with {t} probably calls for a quick eye and a steady hand.",
            "Whoever reads the opponent first may have the better chance here.",
        ),
        reasons=(
            "In fast games, a player has to begin moving before it is clear where to.",
            "A tenth of a second separates a clean hit from a miss.",
            "Hours of practice turn such movements into habits that need no thought.",
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
            "The wind probably has a say in how well {t} can be used.",
            "Open space is likely what makes a place good for {t}.",
            "A light and steady breeze might be just right, depending on what one wants to do with {t}.",
        ),
        reasons=(
            "Light objects react to every gust, and so a player has to keep adjusting.",
            "Room on all sides means that nobody gets hurt and nothing gets stuck.",
            "A toy that flies rewards patience more than strength.",
        ),
        closes=(
            "On a calm or stormy day, the same game might be no fun at all.",
            "That is probably why people look for open ground before they begin.",
            "It may take a few tries, but that is likely part of the pleasure.",
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
            "The weather is probably the reason why {t} {is} here.",
            "Shelter of some kind, from rain or from sun, is likely what {t} {is} for.",
        ),
        reasons=(
            "People go to the trouble of having one only when the sky gives them a reason.",
            "The same piece of cloth keeps off rain and strong sunlight alike.",
            "Shade makes a long stay outdoors bearable, and a dry head does the same in the rain.",
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
            "The presence of {t} suggests that somebody is on the move or has just arrived.",
            "Whoever owns {t} probably wanted to have a few necessary things at hand.",
            "The owner of {t} may have plans that last longer than a short walk.",
        ),
        reasons=(
            "People carry with them what they expect to need, and no more than they must.",
            "The size of a bag is a fair hint at how long its owner means to be away.",
            "Papers, keys and something for the journey are what most people pack first.",
        ),
        closes=(
            "What is really inside remains the owner's secret.",
            "Losing sight of {them} would probably be unwise in a busy place.",
            "The plans themselves can only be guessed, but there likely are some.",
        ),
    ),
    Topic(
        about="person",
        many=True,
        questions=(
            "How might {t} be connected with each other?",
            "What could have brought {t} together here?",
            "What might {t} have in common?",
            "What mood does the scene suggest among {t}?",
        ),
        claims=(
            "It is likely that what happens here matters in some way to all of {t}.",
            "Perhaps {t} know each other, or perhaps the place and the moment are all that they share.",
            "A common interest may have brought {t} to the same spot.",
        ),
        reasons=(
            "People who share a place usually share a purpose as well, even if they have never met.",
            "How close people stay to each other often tells how well they know each other.",
            "Strangers tend to leave some room between them, while friends and relatives do not.",
        ),
        closes=(
            "A few words overheard would probably settle the question.",
            "The mood seems to be set by the occasion more than by any one of them.",
            "It may be nothing more than chance, but a shared purpose is more likely.",
        ),
    ),
    Topic(
        about="person",
        many=False,
        questions=(
            "What might {t} be planning to do next?",
            "What can be guessed about what matters to {t} at this moment?",
            "What might {t} be thinking about?",
        ),
        claims=(
            "It is likely that {t} {is} busy with what is close at hand.",
            "What {t} will do next probably depends on what the surroundings have to offer.",
            "The scene suggests that {t} came here for a reason.",
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
    ),
)
