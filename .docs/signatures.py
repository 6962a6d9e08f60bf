"""Signatures as the reference shows them: short, in the words of the source, with public types."""

import ast
import functools
import inspect
import re
import textwrap
import typing

import sf3d_jax as sf3d

# Type variables, aliases and protocols, in words.
WORDS = {
    "ArrayOrLists": "ArrayLike",
    "Key": "tuple",
    "Leaf": "Array",
    "Loss": "Callable",
    "Penalty": "Callable",
    "Progress": "Callable",
    "R": "Tree",
    "Range": "tuple",
    "S": "sf3d_jax.Sample",
    "Size": "tuple",
    "SupportsIndex": "int",
    "T": "Tree",
    "Times": "Sequence",
    "Transform": "Callable",
}


def class_signature(cls, places):
    """What a class is called with; nothing for exceptions and for named tuples."""
    if issubclass(cls, BaseException) or issubclass(cls, tuple):
        return ""
    if not hasattr(cls, "__dataclass_fields__"):
        own = inspect.isfunction(cls.__init__)
        return signature_of(cls.__init__, places, method=True) if own else ""
    parameters = inspect.signature(cls).parameters.values()
    return f"({', '.join(map(parameter_text, parameters))})"


def parameter_text(parameter):
    """A parameter without its type; a default without a text of its own becomes three dots."""
    if parameter.default is parameter.empty:
        return parameter.name
    default = repr(parameter.default)
    return f"{parameter.name}={'...' if re.search('<| at 0x', default) else default}"


def signature_of(function, places, *, method=False):
    """The signature of a function with annotations as the source has them, in short words."""
    node = function_node(function)
    arguments = node.args
    if method:
        first = arguments.posonlyargs or arguments.args
        first.pop(0)
    for argument in ast.walk(arguments):
        if isinstance(argument, ast.arg) and argument.annotation is not None:
            argument.annotation = shorten(argument.annotation, places, function.__globals__)
    text = ast.unparse(show_constants(arguments, function.__globals__))
    returned = (
        ""
        if node.returns is None
        else ast.unparse(shorten(node.returns, places, function.__globals__))
    )
    return f"({text})" + (f" -> {returned}" if returned not in ("", "None") else "")


def show_constants(arguments, scope):
    """The arguments with the values of defaults that are constants of the module."""
    show = lambda x: ast.Constant(scope[x.id]) if isinstance(x, ast.Name) and x.id in scope else x
    arguments.defaults = [show(x) for x in arguments.defaults]
    arguments.kw_defaults = [show(x) for x in arguments.kw_defaults]
    return arguments


def function_node(function):
    """The syntax tree of a function's definition."""
    source = textwrap.dedent(inspect.getsource(function))
    return next(x for x in ast.walk(ast.parse(source)) if isinstance(x, ast.FunctionDef))


def shorten(annotation, places, scope):
    """An annotation with public types by their path and all others by their last word.

    Args:
      annotation: its syntax tree.
      places: the paths of all entries.
      scope: the names of the module that it stands in.
    """

    class Shorten(ast.NodeTransformer):
        def visit_Constant(self, node):
            is_quoted = isinstance(node.value, str)
            return self.visit(ast.parse(node.value, mode="eval").body) if is_quoted else node

        def visit_Attribute(self, node):
            module = scope.get(node.value.id) if isinstance(node.value, ast.Name) else None
            value = getattr(module, node.attr, None)
            return literal(value) or ast.Name(WORDS.get(node.attr, node.attr))

        def visit_Name(self, node):
            value = scope.get(node.id)
            if found := literal(value):
                return found
            for path in public_paths(node.id, places):
                if value in (None, functools.reduce(getattr, path.split(".")[1:], sf3d)):
                    return ast.Name(path)
            if node.id.startswith("_"):  # a private alias or class
                origin = typing.get_origin(value)
                return ast.Name(origin.__name__ if origin else node.id.strip("_"))
            return ast.Name(WORDS.get(node.id, node.id))

        def visit_Subscript(self, node):
            literal = isinstance(node.value, ast.Name) and node.value.id == "Literal"
            return node if literal else self.generic_visit(node)

    return Shorten().visit(annotation)


def literal(value):
    """The syntax tree of a type of literals, written out; None for another one."""
    if typing.get_origin(value) is not typing.Literal:
        return None
    return ast.parse(f"Literal{list(typing.get_args(value))}", mode="eval").body


def public_path(name, places):
    """The path of a public type by its last word, if there is one."""
    return next(iter(public_paths(name, places)), None)


def public_paths(name, places):
    """The paths of all public types by their last word, the shortest path first."""
    if not name[0].isupper():
        return []
    paths = dict.fromkeys([f"sf3d_jax.{name}", *sorted(places)])
    return [p for p in paths if p in places and p.split(".")[-1] == name]
