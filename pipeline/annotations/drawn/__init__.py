"""The pencils behind ``rendered.py``: a sheet to draw on, objects, places, and the words for them."""
