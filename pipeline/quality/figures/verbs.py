"""Words that the rules of ``diversity`` go by: common verbs, and those that end or make up a noun phrase."""

from __future__ import annotations

BE = frozenset("be am is are was were been being isn't aren't wasn't weren't".split())
AUXILIARIES = BE | frozenset(
    """do does did don't doesn't didn't can can't cannot could couldn't may might must shall should will would won't
    wouldn't have has had having haven't hasn't there's""".split()
)
BARE_AFTER = AUXILIARIES - BE - {"have", "has", "had", "having", "haven't", "hasn't", "there's"}
"""A verb stands in its base form after these and their subject."""
DETERMINERS = frozenset(
    """a an the this that these those my your his its our their some any no every each all both several many much few
    most other another one two three four five six seven eight nine ten main single possible""".split()
)
PRONOUNS = frozenset(
    """i you he she it we they me him us them himself herself itself themselves yourself there here someone anyone
    something anything everything else more""".split()
)
PREPOSITIONS = frozenset(
    """of in on at by for from with without to into onto over under above below behind beside besides between among
    through across along around up down out off against near about after before during inside outside within
    towards toward beneath apart based according given and or but if when while because as than like next""".split()
)
ADJECTIVES = frozenset(
    """special interesting unusual different similar likely visible present available open closed empty full ready able
    safe dangerous important necessary suitable typical good bad big small large tall old young clean dirty
    either neither also still currently usually probably actually together alone anywhere around""".split()
)
"""Words that end a noun phrase when they follow its noun."""

VERBS = frozenset(
    """accomplish achieve act add adopt affect aim allow analyse analyze appear arrange ask attach attract balance bark
    be become begin belong blow board bring browse brush build buy carry cast catch cause celebrate change chase
    check choose clarify clean climb come communicate compare compete complete compose concern conclude consider
    contain contribute cook cooperate count cover create cross cut decide decorate deduce deliver depict derive
    describe detail determine differ discuss display do draw dress drink drive eat elaborate encourage enhance
    enjoy ensure enter estimate examine expect experience explain explore express face feed feel fill find
    finish fit float fly focus follow gather get give go graze grow guess hang happen have help hit hold hope
    identify illustrate imagine imply improve include indicate infer inspire interact interpret invite involve
    jump keep kick know laugh lay lead lean learn leave lie list live locate look lose love maintain make manage
    mean meet mention motivate move name need notice observe occupy occur offer order outline own paint park
    participate pay perform perch pet photograph pick place play point portray pose practise prepare present
    prevent produce promote protect provide pull push put race rank reach read recommend rely remain represent
    require rest reveal ride run say see seem sell send separate serve share shine show sing sit skate ski sleep
    smell smile spend spot stand start state stay stop store suggest suit sum summarise summarize support surf
    surround swim swing take talk teach tell think throw tie touch train travel try turn understand use view
    visit wait walk want wash watch wear win wish wonder work write""".split()
)
IRREGULAR_VERBS = {
    past: base
    for base, pasts in {
        "bring": "brought", "build": "built", "buy": "bought", "catch": "caught", "choose": "chose chosen",
        "come": "came", "do": "done", "draw": "drew drawn", "drink": "drank drunk", "drive": "drove driven",
        "eat": "ate eaten", "feed": "fed", "feel": "felt", "find": "found", "fly": "flew flown",
        "get": "got gotten", "give": "gave given", "go": "went gone", "grow": "grew grown", "hang": "hung",
        "hold": "held", "keep": "kept", "know": "knew known", "lay": "laid", "lead": "led", "leave": "left",
        "lie": "lying lain", "lose": "lost", "make": "made", "mean": "meant", "meet": "met", "pay": "paid",
        "ride": "rode ridden", "run": "ran", "say": "said", "see": "saw seen", "sell": "sold", "send": "sent",
        "show": "shown", "sing": "sang sung", "sit": "sat", "sleep": "slept", "spend": "spent",
        "stand": "stood", "swim": "swam", "swing": "swung", "take": "took taken", "teach": "taught",
        "tell": "told", "think": "thought", "throw": "threw thrown", "tie": "tying", "understand": "understood",
        "wear": "wore worn", "win": "won", "write": "wrote written",
    }.items()
    for past in pasts.split()
}  # fmt: skip
NOUNS_IN_ING = frozenset(
    """building ceiling clothing crossing dining drawing evening living lightning morning painting parking railing
    seasoning setting sibling string swimming thing topping walking wedding wing king ring spring lighting
    meaning feeling serving awning bedding covering fencing frosting icing landing marking opening wiring
    dressing being something anything everything nothing""".split()
)
SINGULARS = {
    "people": "person", "men": "man", "women": "woman", "children": "child", "mice": "mouse", "feet": "foot",
    "teeth": "tooth", "geese": "goose", "knives": "knife", "leaves": "leaf", "loaves": "loaf", "shelves": "shelf",
    "halves": "half", "wolves": "wolf", "lives": "life", "buses": "bus", "dishes": "dish", "shoes": "shoe",
    "sheep": "sheep", "skis": "ski", "scissors": "scissors", "glasses": "glasses", "tomatoes": "tomato",
    "potatoes": "potato", "clues": "clue", "movies": "movie", "cookies": "cookie", "ties": "tie", "pies": "pie",
    "means": "means", "series": "series", "gas": "gas", "bus": "bus", "lens": "lens", "axes": "axe",
}  # fmt: skip
