from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.quality.figures.diversity import first_words, root


@pytest.mark.parametrize(
    ("question", "verb", "noun"),
    [
        ("What is the man holding?", "hold", "man"),
        ("How many dogs are there?", "count", "dog"),
        ("How many potted plants are in view?", "count", "plant"),
        ("What is the number of chairs?", "count", "chair"),
        ("Where is the dog?", "locate", "dog"),
        ("Where in the picture is the microwave?", "locate", "microwave"),
        ("Which is larger, the dog or the cat?", "compare", "dog"),
        ("Are there more people than vases?", "compare", "person"),
        ("What colour is the car?", "be", "colour"),
        ("What kind of vehicle is parked on the street?", "park", "vehicle"),
        ("Which things appear in this image?", "appear", "thing"),
        ("Is there a cat on the sofa?", "be", "cat"),
        ("Is the TV to the left of the couch?", "be", "tv"),
        ("Why might the dogs bark?", "bark", "dog"),
        ("Why is the cat sitting on the keyboard?", "sit", "cat"),
        ("What is the woman in the red dress doing?", "do", "woman"),
        ("What might the person who made the picture have wanted to show?", "want", "person"),
        ("What does the sign say?", "say", "sign"),
        ("What makes this scene special?", "make", "scene"),
        ("What is happening in the scene?", "happen", "scene"),
        ("What can you tell me about this picture?", "tell", "picture"),
        ("Who is riding the horse?", "ride", "horse"),
        ("Based on the image, what can you infer about the weather?", "infer", "weather"),
        ("Describe this image in detail.", "describe", "image"),
        ("Could you describe the scene?", "describe", "scene"),
        ("Please explain what is going on in this scene.", "explain", "scene"),
        ("I cannot open this file. How many cats are in it?", "count", "cat"),
    ],
)
def test_a_question_comes_down_to_a_verb_and_a_noun(question: str, verb: str, noun: str) -> None:
    assert root(question) == (verb, noun)


@pytest.mark.parametrize("question", ["", "?!", "图中有什么?", "…"])
def test_nothing_is_found_where_there_is_nothing_to_read(question: str) -> None:
    assert root(question) == ("", "")


@given(st.text())
def test_any_text_at_all_is_taken(text: str) -> None:
    verb, noun = root(text)
    assert isinstance(verb, str)
    assert isinstance(noun, str)


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("What's this?", ("what's", "this")),
        ("“How many” are there?", ("how", "many")),
        ("Why?", ("why", "")),
        ("", ("", "")),
    ],
)
def test_first_words_come_without_case_and_punctuation(question: str, words: tuple[str, str]) -> None:
    assert first_words(question.split()) == words
