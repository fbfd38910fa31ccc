"""The language of templates and expressions: a checked subset of Jinja, compiled to closures over plain data.

Where it differs from Jinja, on purpose:

- what is undefined raises, except under `default` (for the whole path: a.b.c|default) and `is defined`;
- values appear as JSON: nothing as no text, booleans as true and false, lists and objects as compact JSON;
- an attribute is a key of an object, never an attribute of Python; names with a leading underscore are refused;
- 1 equals 1.0 but not true; + adds numbers only; order is between two numbers or two texts;
- `int` and `float` fail on what is no number, unless given a default; `round` gives a whole number;
- `truncate` never exceeds its length; the newline at the end of a template stays;
- for loops nest two deep, and not over text: `lines` and `split` make lists of it.
"""
