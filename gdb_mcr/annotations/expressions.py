"""Expressions as written to expressions that checked (`model/expression.py`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from gdb_mcr.annotations import arithmetic
from gdb_mcr.annotations.labels import Label
from gdb_mcr.annotations.numbers import Bounds, all_values, integer_literal, number_text
from gdb_mcr.annotations.operands import (
    AGGREGATES,
    Operand,
    Spot,
    Value,
    constant,
    converted,
    element_location,
    find_member,
    is_null,
    member_location,
    stored_type,
)
from gdb_mcr.annotations.scope import Scope
from gdb_mcr.annotations.type_words import TypeWords
from gdb_mcr.annotations.wrong import WrongError
from gdb_mcr.model.datatype import DataType, TypeKind
from gdb_mcr.model.expression import (
    DOUBLE,
    LONG,
    UNSIGNED_LONG,
    AddressOf,
    Call,
    Cast,
    Constant,
    Expression,
    Load,
    Location,
    Number,
    Pointer,
)
from gdb_mcr.model.layout import type_text
from gdb_mcr.model.place import Side
from gdb_mcr.model.written import (
    CastTo,
    Choice,
    Element,
    Field,
    Invocation,
    Literal,
    Name,
    Operation,
    SizeOf,
    Whole,
    Written,
    WrittenType,
)
from gdb_mcr.source import Span, did_you_mean

MAX_ARGUMENTS = 6
"""Of a function of the handler library."""

MAX_DEPTH = 100
"""Operators and accesses inside one another."""


class ExpressionChecker:
    """Checks the expressions of one handler or fact.

    :param wholes: where `old` and `new` stand; a side that is missing cannot be named.
    :param functions: those of the handler library; None = there is none.
    """

    def __init__(
        self,
        types: TypeWords,
        scope: Scope,
        wholes: dict[Side, Location],
        functions: frozenset[str] | None = None,
    ) -> None:
        self._types = types
        self._scope = scope
        self._wholes = wholes
        self._functions = functions
        self._depth = 0
        self.reads: set[tuple[str, ...]] = set()
        """Paths in O's object whose values were used."""
        self.new_reads: set[tuple[str, ...]] = set()
        """Paths in N's object whose values were used."""

    def value(self, written: Written) -> Value:
        """The value of an expression. :raises WrongError: it has none."""
        return self.loaded(self.operand(written))

    def integer(self, written: Written) -> Value:
        """An integer. :raises WrongError: it is none."""
        value = self.value(written)
        if not isinstance(value.type, Number) or value.type.floating:
            what = number_text(value.type)
            raise WrongError(Label.TYPE_MISMATCH, value.span, f"an integer has to stand here; this is {what}")
        return value

    def operand(self, written: Written) -> Operand:
        """A value, or a place that was not read yet. :raises WrongError:"""
        self._depth += 1
        try:
            if self._depth > MAX_DEPTH:
                hint = "give a part of it a name with `let`"
                raise WrongError(Label.TOO_DEEP, written.span, f"more than {MAX_DEPTH} operators deep", hint)
            return self._operand(written)
        finally:
            self._depth -= 1

    def _operand(self, written: Written) -> Operand:
        match written:
            case Literal():
                return self._literal(written)
            case Name():
                return self._scope.find(written)
            case Whole():
                return self._whole(written)
            case Field():
                return self._field(written)
            case Element():
                return self._element(written)
            case Operation():
                return self._operation(written)
            case Choice():
                parts = [self.value(one) for one in (written.condition, written.then, written.otherwise)]
                return arithmetic.choice(parts[0], parts[1], parts[2], written.span)
            case CastTo():
                return self._cast(written)
            case SizeOf():
                return self._sizeof(written)
            case Invocation():
                return self._call(written)

    def loaded(self, operand: Operand) -> Value:
        """What stands at a place; an array of O's is the address of its first element.

        :raises WrongError: a struct or union, which is no value.
        """
        if isinstance(operand, Value):
            return operand
        one = self._strip(operand)
        if one is not None and one.kind is TypeKind.ARRAY:
            return self._address(operand, one.target, operand.span)
        stored = stored_type(self._scope.types(operand.location.side), operand.location)
        if stored is None:
            what = self.describe(operand)
            hint = "name one of its fields" if one is not None and one.kind in AGGREGATES else ""
            raise WrongError(Label.TYPE_MISMATCH, operand.span, f"`{what}` is no number and no pointer", hint)
        self.note_read(operand)
        location = operand.location
        bounds = None
        if isinstance(stored, Number) and not stored.floating:
            bounds = all_values(stored, location.bit_size)
        return Value(Load(location, stored), stored, operand.span, bounds)

    def note_read(self, spot: Spot) -> None:
        """The value at a place of the handled object is used."""
        if spot.location.base is None:
            (self.reads if spot.location.side is Side.OLD else self.new_reads).add(spot.path)

    def describe(self, operand: Operand) -> str:
        """The type of an operand as C writes it."""
        if isinstance(operand, Spot):
            return type_text(self._scope.types(operand.location.side), operand.location.type)
        if isinstance(operand.type, Pointer):
            return f"{type_text(self._scope.types(operand.type.side), operand.type.target)} *".replace("* *", "**")
        return number_text(operand.type)

    def _literal(self, written: Literal) -> Value:
        text = written.text
        is_hexadecimal = text[:2].lower() == "0x"
        if not is_hexadecimal and not text.startswith("'") and any(one in text for one in ".eE"):
            return Value(Constant(float(text), DOUBLE), DOUBLE, written.span)
        found = integer_literal(text)
        if found is None:
            raise WrongError(Label.BAD_NUMBER, written.span, f"{text} is no number that C has a type for")
        return constant(*found, written.span)

    def _whole(self, written: Whole) -> Spot:
        location = self._wholes.get(written.side)
        if location is None:
            hint = "what a fact says is computed from the old object alone"
            raise WrongError(Label.WRONG_SIDE, written.span, f"there is no `{written.side.value}` here", hint)
        return Spot(location, (), written.span)

    def _field(self, written: Field) -> Spot:
        base = self.operand(written.base)
        if written.arrow:
            base = self._behind(self.loaded(base), written)
        if not isinstance(base, Spot):
            if isinstance(base.type, Pointer):
                raise WrongError(Label.THROUGH_POINTER, written.name_span, "this is a pointer", "use `->`")
            raise WrongError(Label.NO_FIELDS, written.name_span, f"`{self.describe(base)}` has no fields")
        holder = self._strip(base)
        if holder is None or holder.kind not in AGGREGATES:
            raise self._no_fields(base, holder, written)
        member = find_member(self._scope.types(base.location.side), holder, written.name)
        if member is None:
            miss = self._scope.names(base.location.side).no_field(holder, written.name)
            raise WrongError.of(miss, written.name_span)
        types = self._scope.types(base.location.side)
        path = (*base.path, written.name) if base.location.base is None else ()
        return Spot(member_location(types, base.location, member), path, written.span)

    def _no_fields(self, base: Spot, holder: DataType | None, written: Field) -> WrongError:
        if holder is not None and holder.kind is TypeKind.POINTER:
            return WrongError(Label.THROUGH_POINTER, written.name_span, "this is a pointer", "use `->`")
        if holder is not None and holder.kind is TypeKind.ARRAY:
            return WrongError(Label.NO_FIELDS, written.name_span, "this is an array", "name an element: `[i]`")
        return WrongError(Label.NO_FIELDS, written.name_span, f"`{self.describe(base)}` has no fields")

    # The place that a pointer of O's leads to.
    def _behind(self, pointer: Value, written: Written) -> Spot:
        if not isinstance(pointer.type, Pointer):
            hint = "use `.`" if isinstance(written, Field) else ""
            raise WrongError(Label.NOT_A_POINTER, pointer.span, f"`{self.describe(pointer)}` is no pointer", hint)
        if pointer.type.side is Side.NEW:
            message = "what a pointer of the new program's leads to may not be there yet"
            raise WrongError(Label.THROUGH_POINTER, pointer.span, message, "follow the old program's pointers")
        names = self._scope.names(Side.OLD)
        one = names.program.types.strip(pointer.type.target)
        if one is None or one.kind is TypeKind.FUNCTION or not (one.complete and one.size):
            text = type_text(names.program.types, pointer.type.target)
            message = f"the old program does not say what `{text}` is made of"
            raise WrongError(Label.INCOMPLETE_TYPE, pointer.span, message, "a cast says what stands there: `((T *)p)`")
        return Spot(Location(Side.OLD, pointer.expression, 0, (), pointer.type.target, one.size), (), written.span)

    def _element(self, written: Element) -> Spot:
        base, index = self.operand(written.base), arithmetic.promote(self.integer(written.index))
        if isinstance(base, Spot):
            one = self._strip(base)
            if one is not None and one.kind is TypeKind.ARRAY:
                return self._of_array(base, one, index, written)
        pointer = self.loaded(base)
        first = self._behind(pointer, written)
        location = element_location(self._scope.types(Side.OLD), first.location, first.location.type, index, -1)
        return Spot(location, (), written.span)

    def _of_array(self, base: Spot, array: DataType, index: Value, written: Element) -> Spot:
        count = array.count if array.count > 0 else -1
        room = Bounds(0, (count if count > 0 else 1 << 63) - 1)
        if index.bounds is not None and (index.bounds.high < 0 or index.bounds.low > room.high):
            message = f"this array has {count} elements" if count > 0 else "this index is negative"
            raise WrongError(Label.BAD_INDEX, index.span, message)
        types = self._scope.types(base.location.side)
        location = element_location(types, base.location, array.target, index, count)
        return Spot(location, base.path, written.span)

    def _operation(self, written: Operation) -> Operand:
        if len(written.operands) == 1:
            return self._prefix(written)
        self._check_no_cast(written)
        left, right = (self.value(one) for one in written.operands)
        old = self._scope.types(Side.OLD)
        return arithmetic.binary(written.operator, left, right, written.span, old)

    # `(T)-x` parses as a difference: a parser knows no types.
    def _check_no_cast(self, written: Operation) -> None:
        first = written.operands[0]
        if isinstance(first, Name) and first.side is None and self._is_type(first):
            hint = f"a value with an operator before it is cast in parentheses: `({first.name})({written.operator}…)`"
            raise WrongError(Label.UNEXPECTED, first.span, f"`{first.name}` is a type", hint)

    def _prefix(self, written: Operation) -> Operand:
        (inner,) = written.operands
        if written.operator == "*":
            return self._behind(self.value(inner), written)
        if written.operator == "&":
            spot = self.operand(inner)
            if not isinstance(spot, Spot):
                raise WrongError(Label.TYPE_MISMATCH, spot.span, "this is a value and has no address")
            return self._address(spot, spot.location.type, written.span)
        return arithmetic.unary(written.operator, self.value(inner), written.span)

    def _address(self, spot: Spot, target: int, span: Span) -> Value:
        location = spot.location
        if location.side is Side.NEW or location.bit_size:
            what = "a bit field" if location.bit_size else "the new object"
            raise WrongError(Label.TYPE_MISMATCH, span, f"{what} has no address here")
        kind = Pointer(Side.OLD, target)
        if location.base is not None and not location.offset and not location.terms:
            return Value(Cast(location.base, kind), kind, span)
        self.note_read(spot)
        return Value(AddressOf(location, kind), kind, span)

    def _cast(self, written: CastTo) -> Value:
        to = self._types.find(written.type).value
        value = self.value(written.value)
        if to is None:
            raise WrongError(Label.TYPE_MISMATCH, written.type.span, "a cast makes a number or a pointer")
        if isinstance(to, Number) and isinstance(value.type, Number):
            return replace(converted(value, to), span=written.span)
        if isinstance(to, Number):
            if to not in (LONG, UNSIGNED_LONG):
                message = f"an address does not fit into `{number_text(to)}`"
                raise WrongError(Label.LOST_PRECISION, written.type.span, message, "cast it to `unsigned long`")
            return Value(Cast(value.expression, to), to, written.span, all_values(to))
        return self._cast_to_pointer(to, value, written.span)

    def _cast_to_pointer(self, to: Pointer, value: Value, span: Span) -> Value:
        if isinstance(value.type, Pointer):
            if value.type.side is Side.NEW:
                message = "a pointer of the new program's is only copied and compared"
                raise WrongError(Label.TYPE_MISMATCH, span, message)
        elif value.type.size != 8 and not is_null(value):
            what = number_text(value.type)
            raise WrongError(Label.TYPE_MISMATCH, span, f"`{what}` does not hold an address", "an address has 8 bytes")
        if is_null(value):
            return Value(Constant(0, to), to, span)
        return Value(Cast(value.expression, to), to, span)

    # What it measures is not evaluated, so nothing of it is read.
    def _sizeof(self, written: SizeOf) -> Value:
        of = written.of
        if isinstance(of, Name) and self._is_type(of):
            of = WrittenType((of.name,), 0, of.side, of.span)
        if isinstance(of, WrittenType):
            return constant(self._types.find(of).size, UNSIGNED_LONG, written.span)
        with self._without_reading():
            operand = self.operand(of)
        if isinstance(operand, Spot):
            if operand.location.bit_size or not operand.location.size:
                what = "a bit field" if operand.location.bit_size else f"`{self.describe(operand)}`"
                raise WrongError(Label.TYPE_MISMATCH, written.span, f"{what} has no size")
            return constant(operand.location.size, UNSIGNED_LONG, written.span)
        size = operand.type.size if isinstance(operand.type, Number) else 8
        return constant(size, UNSIGNED_LONG, written.span)

    def _is_type(self, name: Name) -> bool:
        return not name.function and self._scope.binding(name.name) is None and self._types.is_type(name.name)

    @contextmanager
    def _without_reading(self) -> Iterator[None]:
        before = set(self.reads), set(self.new_reads)
        yield
        self.reads, self.new_reads = before

    def _call(self, written: Invocation) -> Value:
        if written.name == "fits":
            hint = "new.field = fits(value);"
            raise WrongError(Label.UNEXPECTED, written.span, "`fits` stands before all of what is stored", hint)
        self._check_function(written)
        if len(written.arguments) > MAX_ARGUMENTS:
            raise WrongError(Label.TYPE_MISMATCH, written.span, f"a function takes at most {MAX_ARGUMENTS} arguments")
        arguments = tuple(self._argument(self.value(one)) for one in written.arguments)
        return Value(Call(written.name, arguments, LONG), LONG, written.span, all_values(LONG))

    def _check_function(self, written: Invocation) -> None:
        if written.name in (self._functions or ()):
            return
        if self._functions is None:
            message = f"there is no function `{written.name}`"
            hint = '`use "handlers.so";` says which library has it'
        else:
            message = f"the handler library has no function `{written.name}`"
            hint = did_you_mean(written.name, self._functions)
        raise WrongError(Label.UNKNOWN_NAME, written.name_span, message, hint)

    # A number as eight bytes, or an address of O's.
    def _argument(self, value: Value) -> Expression:
        if isinstance(value.type, Pointer):
            if value.type.side is Side.NEW:
                message = "a pointer of the new program's is only copied and compared"
                raise WrongError(Label.TYPE_MISMATCH, value.span, message)
            return value.expression
        if value.type.floating:
            message = "a handler function takes integers and addresses"
            raise WrongError(Label.TYPE_MISMATCH, value.span, message, "a cast makes an integer of it")
        return converted(value, UNSIGNED_LONG if value.type == UNSIGNED_LONG else LONG).expression

    def _strip(self, spot: Spot) -> DataType | None:
        return self._scope.types(spot.location.side).strip(spot.location.type)
