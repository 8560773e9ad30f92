"""Whether Kubernetes manifests have the form that the API asks for: every field
known, of its type, and none missing that is required. The tables are those of
the official client, which are made from the API's own description.
"""

import re

import kubernetes.client as api

SCALARS = {"str": str, "int": int, "bool": bool, "float": (int, float),
           "object": object, "datetime": str}


def model_of(document):
    """V1Deployment for apps/v1, Deployment; V1Secret for v1, Secret."""
    version = str(document.get("apiVersion", "")).rpartition("/")[2]
    name = version[:1].upper() + version[1:] + str(document.get("kind", ""))
    return getattr(api, name, None)


def faults(value, kind, path):
    """What is wrong with a value that should be of that kind."""
    many = re.fullmatch(r"list\[(.*)\]", kind)
    if many:
        if not isinstance(value, list):
            return [f"{path}: no list"]
        return [f for i, v in enumerate(value)
                for f in faults(v, many.group(1), f"{path}[{i}]")]
    named = re.fullmatch(r"dict\(str, (.*)\)", kind)
    if named:
        if not isinstance(value, dict):
            return [f"{path}: no mapping"]
        return [f for k, v in value.items()
                for f in faults(v, named.group(1), f"{path}.{k}")]
    if kind in SCALARS:
        good = isinstance(value, SCALARS[kind]) and \
            (kind in ("bool", "object") or not isinstance(value, bool))
        return [] if good else [f"{path}: {value!r} is no {kind}"]
    return object_faults(value, getattr(api, kind), path)


def object_faults(value, model, path):
    if not isinstance(value, dict):
        return [f"{path}: no mapping"]
    names = {field: name for name, field in model.attribute_map.items()}
    found = [f"{path}: there is no field {field!r}"
             for field in value if field not in names]
    for field, item in value.items():
        if field in names:
            found += faults(item, model.openapi_types[names[field]],
                            f"{path}.{field}")
    try:
        model(**{names[field]: item
                 for field, item in value.items() if field in names})
    except ValueError as error:
        found.append(f"{path}: {error}")
    return found


def manifest_faults(documents):
    found = []
    for i, document in enumerate(documents):
        model = model_of(document)
        if model is None:
            found.append(f"document {i}: the API does not know it")
        else:
            found += object_faults(document, model,
                                   str(document.get("kind")))
    return found
