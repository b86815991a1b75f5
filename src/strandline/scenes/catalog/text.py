"""A catalogue's YAML and templates as plain data, without ever running its code.

A catalogue may come from anyone. Its YAML builds plain values only, its size
and its aliases are bounded, and its templates know parameters, ``%``
formatting and a few filters: no loops, no attributes, no environment, no shell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import yaml
from jinja2 import StrictUndefined, TemplateError, nodes
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import SandboxedEnvironment

from strandline.errors import CatalogError

MAX_BYTES = 1 << 20
MAX_NODES = 100_000
MAX_DEPTH = 100

_ALLOWED_NODES = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Const,
    nodes.Tuple,
    nodes.Mod,
    nodes.Add,
    nodes.Concat,
    nodes.Filter,
    nodes.Call,
    nodes.Getattr,
)
_ALLOWED_FILTERS = {"format", "int", "float", "string", "upper", "lower", "trim", "strftime"}
_ALLOWED_ATTRIBUTES = {"year", "month", "day", "hour", "minute", "second", "strftime"}
_REFUSED_FUNCTIONS = ("env", "shell", "client_env", "client_shell")
_REFUSED_DEFAULT = re.compile(r"^\s*(?:client_)?(?:env|shell)\(.*\)\s*$", re.DOTALL)
_HUGE_FIELD = re.compile(r"%[^a-zA-Z%]*(?:\d{4,}|\*)")


def parse_yaml(text: str, path: str) -> dict[str, Any]:
    """Read a catalogue's YAML into plain dicts, lists, strings and numbers.

    Parameters
    ----------
    text : str
        The file's content.
    path : str
        Where it came from, for messages.

    Returns
    -------
    dict

    Raises
    ------
    CatalogError
        If it is not a YAML mapping, is larger than 1 MiB, repeats a key, contains itself, or grows
        out of bounds through its aliases.

    Examples
    --------
    >>> parse_yaml("sources: {lake: {driver: rasterio}}", "catalog.yml")
    {'sources': {'lake': {'driver': 'rasterio'}}}
    """
    if len(text) > MAX_BYTES:
        raise CatalogError(
            f"The catalogue {path!r} is too large to be one.",
            expected=f"at most {MAX_BYTES:,} characters",
            got=f"{len(text):,}",
        )
    _check_depth(text, path)
    try:
        loader = yaml.SafeLoader(text)
    except yaml.YAMLError as error:  # characters that no YAML may have
        raise _not_yaml(error, text, path) from error
    try:
        root = loader.get_single_node()
        if root is not None:
            _check_nodes(root, path)
        data = None if root is None else loader.construct_document(root)
    except CatalogError:
        raise
    except (yaml.YAMLError, RecursionError, ValueError, TypeError, AttributeError) as error:
        raise _not_yaml(error, text, path) from error
    finally:
        loader.dispose()
    if not isinstance(data, dict):
        raise CatalogError(
            f"{path!r} is not a catalogue.",
            expected="a YAML mapping with the key 'sources'",
            got="nothing" if data is None else type(data).__name__,
        )
    return data


def _not_yaml(error: Exception, text: str, path: str) -> CatalogError:
    if isinstance(error, RecursionError):
        return _too_deep(path)
    mark = getattr(error, "problem_mark", None)
    reason = getattr(error, "problem", None) or str(error)
    where = "" if mark is None else f" in line {mark.line + 1}"
    # YAML and Python do not quite agree on what ends a line.
    line = "" if mark is None else "".join(text.splitlines()[mark.line : mark.line + 1])
    return CatalogError(
        f"The catalogue {path!r} is not valid YAML{where}: {reason}.",
        remedy="Put quotes around values that begin with a template."
        if "{{" in line
        else "Mend it there; tags that run code are refused.",
    )


def _too_deep(path: str) -> CatalogError:
    return CatalogError(
        f"The catalogue {path!r} is nested too deeply.",
        expected=f"at most {MAX_DEPTH} levels",
        got="more",
    )


def _check_depth(text: str, path: str) -> None:
    """Refuse brackets within brackets without end: the YAML scanner takes ages over them."""
    depth = deepest = 0
    for bracket in re.findall(r"[\[{\]}]", text):
        depth = max(0, depth + (1 if bracket in "[{" else -1))
        deepest = max(deepest, depth)
    if deepest > MAX_DEPTH:
        raise _too_deep(path)


def _check_nodes(root: yaml.Node, path: str) -> None:
    """Bound what aliases expand to; refuse cycles and keys that occur twice."""
    sizes: dict[int, int] = {}
    above: set[int] = set()

    def size(node: yaml.Node) -> int:
        if id(node) in above:
            raise CatalogError(
                f"The catalogue {path!r} contains itself through an alias.",
                remedy="Write out what the alias stands for.",
            )
        if id(node) in sizes:
            return sizes[id(node)]
        above.add(id(node))
        total = 1
        if isinstance(node, yaml.MappingNode):
            _check_keys(node, path)
            total += sum(size(key) + size(value) for key, value in node.value)
        elif isinstance(node, yaml.SequenceNode):
            total += sum(size(item) for item in node.value)
        above.remove(id(node))
        sizes[id(node)] = total
        return total

    total = size(root)
    if total > MAX_NODES:
        raise CatalogError(
            f"The aliases in the catalogue {path!r} expand out of bounds.",
            expected=f"at most {MAX_NODES:,} values",
            got=f"{total:,}",
        )


def _check_keys(node: yaml.MappingNode, path: str) -> None:
    seen: set[str] = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.value == "<<":
            continue
        if key.value in seen:
            raise CatalogError(
                f"The catalogue {path!r} has the key {key.value!r} twice, again in line "
                f"{key.start_mark.line + 1}.",
                remedy="Rename or remove one of them.",
            )
        seen.add(key.value)


class _Sandbox(SandboxedEnvironment):
    """Jinja for catalogues; formats that would print millions of blanks are refused too."""

    intercepted_binops = frozenset({"%"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        _check_format(left)
        return super().call_binop(context, operator, left, right)

    def call(self, context: Any, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        for argument in args:
            _check_format(argument)
        return super().call(context, function, *args, **kwargs)


def _check_format(text: object) -> None:
    if isinstance(text, str) and _HUGE_FIELD.search(text):
        raise CatalogError(
            "A template's format is refused.",
            expected="fields of a fixed width below 1,000 characters",
            got=repr(text),
        )


def _format(text: str, *values: Any) -> str:
    _check_format(text)
    return str(text) % values


def _strftime(moment: Any, text: str) -> str:
    _check_format(text)
    return str(moment.strftime(text))


def _refuse(function: str) -> Callable[..., NoReturn]:
    def refused(*args: object, **kwargs: object) -> NoReturn:
        raise CatalogError(
            f"{function}(…) in a catalogue is refused: opening one never runs commands and never "
            "reads the environment.",
            remedy="Make it a parameter of the source, and pass its value.",
        )

    return refused


_SANDBOX = _Sandbox(undefined=StrictUndefined, keep_trailing_newline=True)
_SANDBOX.filters["format"] = _format
_SANDBOX.filters["strftime"] = _strftime
_FUNCTIONS = {name: _refuse(name) for name in _REFUSED_FUNCTIONS}


def render(value: Any, variables: Mapping[str, Any], *, where: str) -> Any:
    """Fill in the templates in a value, and in everything inside it.

    Parameters
    ----------
    value
        A string, or lists and dicts of them; other values come back as they are.
    variables : mapping
        Names that templates may use.
    where : str
        What the template belongs to, for messages: "source 'lake' of 'catalog.yml'".

    Returns
    -------
    The same, filled in.

    Raises
    ------
    CatalogError
        If a template is malformed, uses an unknown name, or anything but values, ``%`` formatting
        and the filters format, int, float, string, upper, lower, trim and strftime.

    Examples
    --------
    >>> render("LC08/{{ '%03d' % path }}/B{band:d}.tif", {"path": 42}, where="source 'band'")
    'LC08/042/B{band:d}.tif'
    """
    if isinstance(value, dict):
        return {key: render(item, variables, where=where) for key, item in value.items()}
    if isinstance(value, list):
        return [render(item, variables, where=where) for item in value]
    if not isinstance(value, str) or "{" not in value:
        return value
    try:
        tree = _SANDBOX.parse(value)
        _check_template(tree, value, where)
        _check_names(tree, variables, value, where)
        return _SANDBOX.from_string(value).render({**variables, **_FUNCTIONS})
    except CatalogError:
        raise
    except (TemplateError, TypeError, ValueError, AttributeError) as error:
        raise CatalogError(
            f"The template {value!r} of {where} fails: {str(error).rstrip('.')}.",
            remedy="Mend it in the catalogue.",
        ) from error


def _check_template(tree: nodes.Template, text: str, where: str) -> None:
    for node in tree.find_all(nodes.Node):
        name = type(node).__name__
        allowed = isinstance(node, _ALLOWED_NODES)
        if isinstance(node, nodes.Filter):
            allowed, name = node.name in _ALLOWED_FILTERS, f"the filter {node.name}"
        elif isinstance(node, nodes.Getattr):
            allowed, name = node.attr in _ALLOWED_ATTRIBUTES, f"the attribute {node.attr}"
        if not allowed:
            raise CatalogError(
                f"The template {text!r} of {where} is refused.",
                expected="parameters, '%' formatting, and the filters "
                + ", ".join(sorted(_ALLOWED_FILTERS)),
                got=name,
            )


def _check_names(tree: nodes.Template, variables: Mapping[str, Any], text: str, where: str) -> None:
    unknown = find_undeclared_variables(tree) - set(variables) - set(_REFUSED_FUNCTIONS)
    # env(USER) names a variable of the environment; that it is refused is the better message.
    calls = {
        node.node.name for node in tree.find_all(nodes.Call) if isinstance(node.node, nodes.Name)
    }
    if unknown and not calls & set(_REFUSED_FUNCTIONS):
        raise CatalogError(
            f"The template {text!r} of {where} uses {sorted(unknown)[0]!r}, not a parameter.",
            expected=", ".join(sorted(variables)),
            remedy="Declare it under the source's parameters.",
        )


def refuse_code(value: object, *, where: str) -> None:
    """Refuse a parameter's default of the form ``env(…)`` or ``shell(…)``.

    Examples
    --------
    >>> refuse_code("shell(rm -r .)", where="source 'lake'")
    Traceback (most recent call last):
    ...
    strandline.errors.CatalogError: The default 'shell(rm -r .)' of source 'lake' is refused: ...
    """
    if isinstance(value, str) and _REFUSED_DEFAULT.match(value):
        raise CatalogError(
            f"The default {value!r} of {where} is refused: opening a catalogue never runs commands "
            "and never reads the environment.",
            remedy="Pass the parameter's value.",
        )
