"""What the writer knows of COCO's 80 categories: how each is said, what it is like, and which words may mean it.

A row has the category, the words for one and for many, its group, the singular words by which a caption names it
(``man/men`` where the plural is irregular), and stems that forbid saying that it is absent. The stems are generous on
purpose: they are looked up as plain substrings of the captions, so ``cat`` also refuses where a caption says
``cattle``. A missed chance to ask costs nothing, a false "no" costs trust.
"""

from __future__ import annotations


def word_set(words: str) -> frozenset[str]:
    """Return the set of words in a text that lists them between blanks."""
    return frozenset(words.split())


COLOURS = word_set("red blue green yellow orange purple pink brown black white grey gray silver golden tan beige")
"""As captions name them."""

_ROWS = """
person | person | people | people | person/people man/men woman/women boy girl child/children kid baby/babies
    toddler guy lady/ladies gentleman/gentlemen adult player batter catcher umpire surfer skier snowboarder
    skateboarder rider driver biker cyclist bicyclist pedestrian worker waiter waitress chef cook bride groom friend
    tourist passenger spectator girlfriend boyfriend mother father mom dad cop policeman/policemen officer soldier
    skater male female teenager athlete student team couple family/families crowd audience surfboarder boarder |
    person people human man men boy girl lady ladies child kid baby toddler guy gent adult teen player batter pitcher
    catcher umpire team surfer skier boarder skater rider driver biker cyclist pedestrian worker waiter waitress chef
    cook bride groom friend tourist passenger spectator mother father mom dad cop police officer soldier male female
    athlete student couple family crowd audience group someone somebody anyone everyone visitor customer vendor owner
    she he her his him they who hand arm face selfie crew fan host guest doctor nurse farmer hold wear carr carry
    watch trainer
bicycle | bicycle | bicycles | vehicle | bicycle bike | bicycl bike biking cycl
car | car | cars | vehicle | car taxi cab suv sedan van | car taxi cab suv sedan van auto jeep
motorcycle | motorcycle | motorcycles | vehicle | motorcycle motorbike moped scooter | motor bike biker scooter
    moped
airplane | airplane | airplanes | vehicle | airplane plane jet aircraft/aircraft jetliner airliner biplane | plane
    jet aircraft airline flight flying fly
bus | bus | buses | vehicle | bus | bus coach
train | train | trains | vehicle | train subway locomotive tram trolley | train subway locomotive tram trolley
    rail metro
truck | truck | trucks | vehicle | truck pickup lorry/lorries | truck pickup lorry van trailer
boat | boat | boats | vehicle | boat ship sailboat canoe kayak ferry/ferries yacht | boat ship canoe kayak ferry
    yacht sail vessel dock harbor harbour marina raft
traffic light | traffic light | traffic lights | outdoor | stoplight | light signal stoplight
fire hydrant | fire hydrant | fire hydrants | outdoor | hydrant | hydrant
stop sign | stop sign | stop signs | outdoor | | sign
parking meter | parking meter | parking meters | outdoor | meter | meter
bench | bench | benches | outdoor | bench | bench seat
bird | bird | birds | animal | bird duck goose/geese pigeon seagull gull parrot owl eagle swan chicken parakeet
    canary/canaries penguin flamingo | bird duck goose geese pigeon gull parrot owl eagle swan chicken parakeet canary
    canaries penguin flamingo hen rooster crow hawk pelican peacock ostrich turkey sparrow beak feather wing
cat | cat | cats | animal | cat kitten kitty/kitties | cat kitt feline
dog | dog | dogs | animal | dog puppy/puppies pup | dog pup hound terrier retriever lab canine poodle bulldog
    lassy collie
horse | horse | horses | animal | horse pony/ponies donkey mule foal | horse pony ponies donkey mule foal stallion
    mare rider carriage
sheep | sheep | sheep | animal | sheep/sheep lamb ram | sheep lamb ram ewe wool goat
cow | cow | cows | animal | cow bull calf/calves cattle/cattle ox/oxen | cow bull calf calves cattle ox herd
    livestock
elephant | elephant | elephants | animal | elephant | elephant
bear | bear | bears | animal | bear | bear panda
zebra | zebra | zebras | animal | zebra | zebra
giraffe | giraffe | giraffes | animal | giraffe | giraf
backpack | backpack | backpacks | accessory | backpack rucksack | pack bag rucksack
umbrella | umbrella | umbrellas | accessory | umbrella parasol | umbrella parasol
handbag | handbag | handbags | accessory | handbag purse | bag purse
tie | tie | ties | accessory | tie necktie | tie suit tux
suitcase | suitcase | suitcases | accessory | suitcase luggage/luggage trunk | suitcase luggage trunk bag case
frisbee | frisbee | frisbees | sport | frisbee disc | frisbe disc disk
skis | pair of skis | pairs of skis | sport | | ski skies
snowboard | snowboard | snowboards | sport | snowboard | snow board
sports ball | ball | balls | sport | ball baseball basketball football | ball soccer tennis pitch game
kite | kite | kites | sport | kite parasail | kite parasail
baseball bat | baseball bat | baseball bats | sport | bat | bat baseball
baseball glove | baseball glove | baseball gloves | sport | glove mitt | glove mitt baseball catcher
skateboard | skateboard | skateboards | sport | skateboard | skate board
surfboard | surfboard | surfboards | sport | surfboard | surf board paddle
tennis racket | tennis racket | tennis rackets | sport | racket racquet | rack racq tennis
bottle | bottle | bottles | kitchen | bottle | bottle drink wine beer beverage water soda jar
wine glass | wine glass | wine glasses | kitchen | wineglass | glass wine drink
cup | cup | cups | kitchen | cup mug | cup mug glass drink coffee tea soda beverage
fork | fork | forks | kitchen | fork | fork
knife | knife | knives | kitchen | knife/knives | knife knives cut slic chop cutter
spoon | spoon | spoons | kitchen | spoon | spoon ladle spatula
bowl | bowl | bowls | kitchen | bowl | bowl dish soup salad container
banana | banana | bananas | food | banana | banana
apple | apple | apples | food | apple | apple
sandwich | sandwich | sandwiches | food | sandwich burger hamburger panini sub | sandwich burger panini sub toast
    bread bun wrap
orange | orange | oranges | food | | orange citrus grapefruit tangerine
broccoli | piece of broccoli | pieces of broccoli | food | | broccoli green veg
carrot | carrot | carrots | food | carrot | carrot veg
hot dog | hot dog | hot dogs | food | hotdog | dog sausage
pizza | pizza | pizzas | food | pizza | pizza slice calzone
donut | donut | donuts | food | donut doughnut | donut doughnut pastr bagel
cake | cake | cakes | food | cake cupcake cheesecake | cake pastr pie brownie birthday
chair | chair | chairs | furniture | chair stool armchair recliner | chair stool seat sofa recliner
couch | couch | couches | furniture | couch sofa | couch sofa seat
potted plant | potted plant | potted plants | furniture | plant | plant flower tree pot fern leaf leaves bush
bed | bed | beds | furniture | bed | bed mattress hotel
dining table | table | tables | furniture | table | table desk counter
toilet | toilet | toilets | furniture | toilet commode urinal | toilet commode urinal bathroom restroom seat
tv | TV | TVs | electronic | tv television monitor screen | tv t.v. television telivision monitor screen computer
laptop | laptop | laptops | electronic | laptop | laptop computer macbook
mouse | computer mouse | computer mice | electronic | mouse/mice | mouse mice computer
remote | remote | remotes | electronic | remote controller wiimote | remote controller wii control
keyboard | keyboard | keyboards | electronic | keyboard | key computer
cell phone | cell phone | cell phones | electronic | cellphone phone smartphone iphone | phone cell mobile
microwave | microwave | microwaves | appliance | microwave | microwave oven
oven | oven | ovens | appliance | oven stove | oven stove cooker range
toaster | toaster | toasters | appliance | toaster | toast
sink | sink | sinks | appliance | sink | sink bathroom basin faucet
refrigerator | refrigerator | refrigerators | appliance | refrigerator fridge icebox freezer | refrig fridge
    icebox freezer
book | book | books | indoor | book | book read magazine shelf shelves librar novel
clock | clock | clocks | indoor | clock | clock watch time
vase | vase | vases | indoor | vase | vase flower bouquet jar pot
scissors | pair of scissors | pairs of scissors | indoor | | scissor shear tool
teddy bear | teddy bear | teddy bears | indoor | | teddy bear stuffed plush doll toy
hair drier | hair dryer | hair dryers | indoor | hairdryer | drier dryer hair
toothbrush | toothbrush | toothbrushes | indoor | toothbrush | brush
"""

# Words for a whole group: where a caption has one, nothing of the group is said to be absent.
_GROUP_STEMS = {
    "people": "",
    "vehicle": "vehicle traffic transport",
    "outdoor": "",
    "animal": "animal pet wildlife creature herd livestock flock beast",
    "accessory": "luggage baggage belongings outfit accessor gear",
    "sport": "sport equipment gear",
    "kitchen": "utensil silverware dish tableware cutlery place setting glass set for kitchenware",
    "food": "food meal fruit vegetable dessert snack plate breakfast lunch dinner produce treat dish sweets",
    "furniture": "furniture furnish seat patio",
    "electronic": "electronic computer device gadget equipment technolog",
    "appliance": "applianc kitchenette",
    "indoor": "toy stationery",
}

# Groups that keep company: where one is in the picture, a thing of the other is worth asking about.
COMPANIONS = {
    "people": ("accessory", "sport", "electronic", "animal"),
    "vehicle": ("vehicle", "outdoor", "people", "accessory"),
    "outdoor": ("vehicle", "animal", "outdoor", "people"),
    "animal": ("animal", "people", "outdoor", "sport"),
    "accessory": ("accessory", "people", "vehicle", "electronic"),
    "sport": ("sport", "people", "accessory", "outdoor"),
    "kitchen": ("kitchen", "food", "appliance", "furniture"),
    "food": ("food", "kitchen", "furniture"),
    "furniture": ("furniture", "indoor", "electronic", "animal"),
    "electronic": ("electronic", "furniture", "indoor", "kitchen"),
    "appliance": ("appliance", "kitchen", "food", "furniture"),
    "indoor": ("indoor", "furniture", "electronic"),
}

FORMS: dict[str, tuple[str, str]] = {}
"""Category → the words for one and for many."""
GROUPS: dict[str, str] = {}
"""Category → its group."""
MEMBERS: dict[str, list[str]] = {}
"""Group → its categories."""
STEMS: dict[str, tuple[str, ...]] = {}
"""Category → stems that forbid saying that it is absent."""
NAMED: dict[str, tuple[str, bool]] = {}
"""Word of a caption → the category that it names, and whether it is the plural."""


def regular_plural(word: str) -> str:
    """Return the regular English plural of a noun."""
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return word + "es"
    if word.endswith("y") and word[-2:-1] not in tuple("aeiou"):
        return word[:-1] + "ies"
    return word + "s"


for _row in _ROWS.strip().replace("\n    ", " ").splitlines():
    _label, _one, _many, _group, _names, _stems = (_field.strip() for _field in _row.split("|"))
    FORMS[_label] = (_one, _many)
    GROUPS[_label] = _group
    MEMBERS.setdefault(_group, []).append(_label)
    STEMS[_label] = tuple(dict.fromkeys([_label.split()[-1], *_stems.split(), *_GROUP_STEMS[_group].split()]))
    for _name in _names.split():
        _singular, _, _plural = _name.partition("/")
        NAMED.setdefault(_singular, (_label, False))
        NAMED.setdefault(_plural or regular_plural(_singular), (_label, True))

# Plural in form or meaning, and what a row of single words cannot say.
NAMED |= {"skis": ("skis", True), "scissors": ("scissors", False), "oranges": ("orange", True), "tvs": ("tv", True)}

# Asking for an elephant in a street is too easy; such animals are asked for only where there is another animal.
_EXOTIC = word_set("elephant bear zebra giraffe")
EVERYDAY = {_group: [_label for _label in _labels if _label not in _EXOTIC] for _group, _labels in MEMBERS.items()}
"""Group → its categories, without those that hardly anybody would expect."""

PERSON_WORDS = {
    "man": ("man guy gentleman male father dad husband", "men guys gentlemen males"),
    "woman": ("woman lady female bride mother mom wife waitress", "women ladies females"),
    "boy": ("boy", "boys"),
    "girl": ("girl", "girls"),
    "child": ("child kid toddler baby", "children kids toddlers babies"),
}
"""A more telling word for a person → the caption words, for one and for many, that bear it out."""

TELLING = {word: kind for kind, (ones, many) in PERSON_WORDS.items() for word in f"{ones} {many}".split()}
"""Caption word → the more telling word for a person that it bears out."""
