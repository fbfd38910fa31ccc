"""The transform step: computes its output without a model."""

from dataclasses import dataclass

from promptwire import v1 as pb
from promptwire_server.chains.findings import at_runtime
from promptwire_server.chains.rendering import Formula, Text, outcome_of
from promptwire_server.chains.site import Site
from promptwire_server.chains.subset.fault import TemplateError
from promptwire_server.chains.turn import Outcome, Turn

Maker = Text | Formula | dict[str, Formula]


@dataclass(frozen=True, slots=True)
class Transform:
    """A template, an expression, or an object of expressions."""

    maker: Maker
    path: str
    models: tuple[str, ...] = ()
    asks_model: bool = False

    async def perform(self, turn: Turn) -> Outcome:
        """Compute it. Raises InvalidTemplate."""
        match self.maker:
            case Text() as template:
                text = template.render(turn.values)
                return Outcome(text, text)
            case Formula() as formula:
                return formula.evaluate(turn.values)
            case fields:
                return self._object(fields, turn)

    def _object(self, fields: dict[str, Formula], turn: Turn) -> Outcome:
        members = {name: formula.evaluate(turn.values).value for name, formula in fields.items()}
        try:
            return outcome_of(members)
        except TemplateError as error:
            raise at_runtime(self.path, error) from None


def compile_transform(message: pb.TransformAction, site: Site) -> Transform | None:
    """The action; None when it is wrong."""
    match message.WhichOneof("value"):
        case "template":
            return _of_text(message.template, site.at("template"))
        case "expression":
            return _of_formula(message.expression, site.at("expression"))
        case "object":
            return _of_object(message.object, site.at("object"))
    site.fault("computes nothing: set template, expression or object")
    return None


def _of_text(source: str, site: Site) -> Transform | None:
    template = site.template(source)
    return Transform(Text(template, site.path), site.path) if template else None


def _of_formula(source: str, site: Site) -> Transform | None:
    expression = site.expression(source)
    return Transform(Formula(expression, site.path), site.path) if expression else None


def _of_object(message: pb.TransformObject, site: Site) -> Transform | None:
    if not message.fields:
        site.fault("has no fields")
        return None
    fields = {}
    for name in sorted(message.fields):  # maps have no order on the wire
        place = site.at(f"fields.{name}")
        expression = place.expression(message.fields[name])
        if expression is not None:
            fields[name] = Formula(expression, place.path)
    return Transform(fields, site.path)
