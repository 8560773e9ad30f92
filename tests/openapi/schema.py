"""The part of JSON Schema (2020-12) that assets/openapi.json uses. A keyword
that is not known here is an error, so that nothing goes unchecked."""

import json
import re

ANNOTATIONS = {"description", "format", "writeOnly", "examples"}

TYPES = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
}


def resolve(document, node):
    """Follow $ref within the document."""
    while "$ref" in node:
        target = document
        for step in node["$ref"].removeprefix("#/").split("/"):
            step = step.replace("~1", "/").replace("~0", "~")
            if step not in target:
                raise KeyError("no " + node["$ref"])
            target = target[step]
        node = target
    return node


def faults(document, schema, value, where="body"):
    """What is wrong with a value, as a list of sentences."""
    schema = resolve(document, schema)
    found = []
    for keyword, rule in schema.items():
        if keyword in ANNOTATIONS:
            continue
        if keyword not in KEYWORDS:
            raise ValueError("unknown keyword " + keyword)
        found += KEYWORDS[keyword](document, schema, rule, value, where)
    return found


def simple(words, holds, kind=object):
    """A keyword that says something about values of one kind."""
    def check(_document, _schema, rule, value, where):
        if not isinstance(value, kind) or holds(rule, value):
            return []
        return ["%s: %s is not %s %s" % (where, short(value), words, rule)]
    return check


def short(value):
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."


def is_of_type(rule, value):
    names = [rule] if isinstance(rule, str) else rule
    return any(TYPES[name](value) for name in names)


def check_properties(document, _schema, rule, value, where):
    if not isinstance(value, dict):
        return []
    return [fault for name, sub in rule.items() if name in value
            for fault in faults(document, sub, value[name],
                                where + "." + name)]


def check_additional(document, schema, rule, value, where):
    if not isinstance(value, dict):
        return []
    others = [n for n in value if n not in schema.get("properties", {})]
    if rule is False:
        return ["%s: undocumented member %s" % (where, n) for n in others]
    return [fault for name in others
            for fault in faults(document, rule, value[name],
                                where + "." + name)]


def check_items(document, _schema, rule, value, where):
    if not isinstance(value, list):
        return []
    return [fault for i, item in enumerate(value)
            for fault in faults(document, rule, item,
                                "%s[%d]" % (where, i))]


def check_one_of(document, _schema, rule, value, where):
    results = [faults(document, sub, value, where) for sub in rule]
    matches = sum(not r for r in results)
    if matches == 1:
        return []
    return ["%s: %s fits %d of the %d schemas" % (
        where, short(value), matches, len(rule))]


def equal(a, b):
    """JSON equality: true is not 1."""
    return json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)


KEYWORDS = {
    "type": simple("of type", is_of_type),
    "const": simple("the constant", equal),
    "pattern": simple("like", lambda rule, v: re.search(rule, v), str),
    "minLength": simple("of length", lambda rule, v: len(v) >= rule, str),
    "minimum": simple("at least", lambda rule, v: v >= rule, (int, float)),
    "maximum": simple("at most", lambda rule, v: v <= rule, (int, float)),
    "minItems": simple("of length", lambda rule, v: len(v) >= rule, list),
    "minProperties": simple("of length", lambda rule, v: len(v) >= rule, dict),
    "required": simple(
        "with all of", lambda rule, v: all(n in v for n in rule), dict),
    "properties": check_properties,
    "additionalProperties": check_additional,
    "items": check_items,
    "oneOf": check_one_of,
}

# One schema, a value that fits and one that does not, for every keyword.
PROOFS = (
    ({"type": "integer"}, 1, True),
    ({"type": ["string", "null"]}, None, 1),
    ({"const": "a"}, "a", "A"),
    ({"pattern": "^a+$"}, "aa", "ab"),
    ({"minLength": 1}, "a", ""),
    ({"minimum": 3}, 3, 2),
    ({"maximum": 3}, 3, 4),
    ({"minItems": 1}, [0], []),
    ({"minProperties": 1}, {"a": 0}, {}),
    ({"required": ["a"]}, {"a": 0}, {"b": 0}),
    ({"properties": {"a": {"type": "string"}}}, {"b": 0}, {"a": 0}),
    ({"additionalProperties": False}, {}, {"a": 0}),
    ({"additionalProperties": {"type": "null"}}, {"a": None}, {"a": 0}),
    ({"items": {"type": "string"}}, ["a"], [0]),
    ({"oneOf": [{"type": "string"}, {"type": "null"}]}, None, 0),
    ({"oneOf": [{"type": "string"}, {"minLength": 0}]}, 0, "a"),
    ({"$ref": "#/a~1b"}, "x", 0),
)


def prove():
    """Show that every keyword can say yes and no."""
    document = {"a/b": {"type": "string"}}
    for schema, good, bad in PROOFS:
        if faults(document, schema, good) or not faults(document, schema, bad):
            raise AssertionError("the schema checker misjudges %r" % schema)
    unproven = set(KEYWORDS) - {k for schema, _, _ in PROOFS for k in schema}
    if unproven:
        raise AssertionError("no proof for %s" % sorted(unproven))
