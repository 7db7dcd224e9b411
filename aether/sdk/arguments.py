"""The arguments of a workflow or an activity: bound by its signature, sent as one JSON array in the order written.

A worker in another language therefore reads and writes a plain array of positional arguments. Keyword arguments of a
call are put into their places; parameters that can only be named have no place in an array, and are refused when the
function is defined.
"""

import inspect
import json
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from aether.errors import InvalidArgument
from aether.model.payload import Payload
from aether.sdk.converters import UNDECLARED, Converter, from_plain, is_scalar, to_bytes, to_json

_POSITIONAL: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Arguments:
    """Binds, encodes and decodes the arguments of one function. `skipped` parameters in front are not the caller's."""

    def __init__(self, function: Callable[..., object], subject: str, skipped: int = 0) -> None:
        self.subject = subject
        self._function = function
        signature = inspect.signature(function)
        parameters = list(signature.parameters.values())
        for parameter in parameters:
            if parameter.kind in (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD):
                raise InvalidArgument(
                    f"{subject}: parameter {str(parameter)!r} can only be given by name, and arguments are sent as an "
                    "array; make it positional"
                )
        if len([item for item in parameters if item.kind in _POSITIONAL]) < skipped:
            raise InvalidArgument(f"{subject}: its first parameter must be the context")
        self._parameters = parameters[skipped:]
        self._signature = signature.replace(parameters=self._parameters)
        # How many arguments at least and at most, if all of them have a place of their own.
        self._counts: tuple[int, int] | None = None
        if all(item.kind in _POSITIONAL for item in self._parameters):
            needed = [item for item in self._parameters if item.default is inspect.Parameter.empty]
            self._counts = (len(needed), len(self._parameters))
        self._hints: dict[str, Any] | None = None

    @property
    def hints(self) -> dict[str, Any]:
        """Resolved at first use, so that annotations may name what is defined further down."""
        if self._hints is None:
            self._hints = hints_of(self._function)
        return self._hints

    @property
    def returned(self) -> Any:
        """What the function is annotated to return."""
        return self.hints.get("return", UNDECLARED)

    def encode(self, converter: Converter, args: Sequence[object], kwargs: Mapping[str, object]) -> Payload:
        """Refuses what the function would refuse, before anything is sent."""
        texts: list[str] = []
        for parameter, value in self._bind(args, kwargs):
            place = f"argument {parameter.name!r} of {self.subject}"
            hint = self.hints.get(parameter.name, UNDECLARED)
            text = to_json(value, place, hint)
            if not is_scalar(value, hint):
                from_plain(json.loads(text), place, hint)
            texts.append(text)
        data = "[" + ",".join(texts) + "]"
        place = f"the input of {self.subject}"
        return converter.seal(Payload(to_bytes(data, place)), place)

    def decode(self, converter: Converter, payload: Payload) -> list[Any]:
        """The positional arguments, by their annotations."""
        values = converter.decode(payload, f"the input of {self.subject}")
        if not isinstance(values, list):
            raise InvalidArgument(f"the input of {self.subject} is no JSON array of arguments", field="input")
        bound = self._bind(values, {})
        return [
            from_plain(
                value,
                f"argument {parameter.name!r} of {self.subject}",
                self.hints.get(parameter.name, UNDECLARED),
            )
            for parameter, value in bound
        ]

    def _bind(self, args: Sequence[object], kwargs: Mapping[str, object]) -> list[tuple[inspect.Parameter, object]]:
        """Each value with its parameter. Trailing defaults stay out: they are the business of the code that runs."""
        if self._counts is not None and not kwargs and self._counts[0] <= len(args) <= self._counts[1]:
            # The usual case; `Signature.bind` would take longer than all else that is done with the arguments.
            return list(zip(self._parameters, args, strict=False))
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise InvalidArgument(f"{self.subject}: {error}", field="input") from None
        pairs: list[tuple[inspect.Parameter, object]] = []
        last = max((place for place, item in enumerate(self._parameters) if item.name in bound.arguments), default=-1)
        for parameter in self._parameters[: last + 1]:
            if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                pairs.extend((parameter, value) for value in bound.arguments[parameter.name])
            else:
                pairs.append((parameter, bound.arguments.get(parameter.name, parameter.default)))
        return pairs


def hints_of(function: Callable[..., object]) -> dict[str, Any]:
    """Its annotations, resolved; without those that name something that is not there."""
    try:
        return typing.get_type_hints(function)
    except (NameError, TypeError, AttributeError):
        written = getattr(function, "__annotations__", {})
        return {name: hint for name, hint in written.items() if not isinstance(hint, str)}
