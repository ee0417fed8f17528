"""What `tagged`, `length`, `points`, `active`, `opaque` and `precise` say of the old program's memory."""

from __future__ import annotations

from gdb_mcr.annotations.handlers import HandlerChecker
from gdb_mcr.annotations.labels import Label
from gdb_mcr.annotations.names import Miss
from gdb_mcr.annotations.operands import converted, find_member, truth
from gdb_mcr.annotations.pairs import Pair
from gdb_mcr.annotations.targets import MissAt, TargetResolver
from gdb_mcr.annotations.wrong import WrongError
from gdb_mcr.model.datatype import DataType, TypeKind
from gdb_mcr.model.expression import LONG
from gdb_mcr.model.handler import ActiveMember, ArrayLength, MemoryFact, PointsTo, Precision, TaggedPointer
from gdb_mcr.model.layout import describe, element, is_integral, type_text
from gdb_mcr.model.place import Place, Subject
from gdb_mcr.model.statement import Active, Length, Opaque, Points, Precise, Tagged, Target
from gdb_mcr.units import WORD

FactStatement = Tagged | Length | Points | Active | Opaque | Precise

_ALL_BITS = (1 << 64) - 1


class FactChecker:
    """Checks facts about the old program's memory."""

    def __init__(self, pair: Pair, targets: TargetResolver, handlers: HandlerChecker) -> None:
        self._pair = pair
        self._types = pair.old.program.types
        self._targets = targets
        self._handlers = handlers

    def check(self, one: FactStatement) -> MemoryFact:
        """What a statement says. :raises WrongError:"""
        place = self._place(one.target)
        match one:
            case Tagged():
                return self._tagged(one, place)
            case Length():
                return self._length(one, place)
            case Points():
                return self._points(one, place)
            case Active():
                return self._active(one, place)
            case Opaque() | Precise():
                return self._precision(one, place)

    def _place(self, target: Target) -> Place:
        found = self._targets.resolve(target)
        if isinstance(found, MissAt):
            raise WrongError.of(found.miss, found.span)
        return found

    def _tagged(self, one: Tagged, place: Place) -> TaggedPointer:
        self._pointer_or_word(one.target, place, in_arrays=True)
        expressions, _ = self._handlers.expressions(place)
        mask = expressions.integer(one.mask)
        if mask.only is None:
            raise WrongError(Label.BAD_NUMBER, one.mask.span, "a mask is a constant")
        bits = mask.only & _ALL_BITS
        if bits in (0, _ALL_BITS):
            message = "this mask leaves no address" if bits else "this mask has no bit"
            raise WrongError(Label.BAD_NUMBER, one.mask.span, message, "its bits are those that are no address")
        return TaggedPointer(place, bits, one.span)

    def _length(self, one: Length, place: Place) -> ArrayLength:
        self._without_arrays(one.target, place)
        leaf = self._pointer_or_word(one.target, place, in_arrays=False)
        if leaf.kind is not TypeKind.POINTER:
            message = f"`{place.key}` is `{describe(leaf)}`"
            raise WrongError(Label.NOT_A_POINTER, one.target.span, message, "name the pointer that leads to the array")
        expressions, _ = self._handlers.expressions(place)
        count = expressions.integer(one.count)
        if count.bounds is not None and count.bounds.high <= 0:
            raise WrongError(Label.NEVER_APPLIES, one.count.span, "an array of no elements")
        return ArrayLength(place, converted(count, LONG).expression, one.span)

    def _points(self, one: Points, place: Place) -> PointsTo:
        leaf = self._pointer_or_word(one.target, place, in_arrays=True)
        target = self._pair.old.type(one.type)
        if isinstance(target, Miss):
            raise WrongError.of(target, one.type.span)
        kind = self._types[target]
        if not kind.complete:
            message = f"the old program only declares `{describe(kind)}`"
            raise WrongError(Label.INCOMPLETE_TYPE, one.type.span, message)
        now = self._types.strip(leaf.target) if leaf.kind is TypeKind.POINTER else None
        if now is not None and now.complete and now.kind in (TypeKind.STRUCT, TypeKind.UNION, TypeKind.FUNCTION):
            message = f"`{place.key}` leads to `{type_text(self._types, leaf.target)}` by its type"
            raise WrongError(Label.TYPE_MISMATCH, one.target.span, message, "this is said of untyped pointers")
        return PointsTo(place, target, one.span)

    def _active(self, one: Active, place: Place) -> ActiveMember:
        self._without_arrays(one.target, place)
        union = self._holder(place)
        if union is None or union.kind is not TypeKind.UNION:
            what = f"a member of `{describe(union)}`" if union is not None else "a whole variable"
            message = f"`{place.key}` is {what}, not of a union"
            raise WrongError(Label.NOT_A_UNION, one.target.span, message)
        expressions, _ = self._handlers.expressions(place)
        condition = truth(expressions.value(one.condition))
        if condition.only is not None:
            word = "true" if condition.only else "false"
            raise WrongError(Label.NEVER_APPLIES, one.condition.span, f"this is always {word}")
        prefix = place.old_path[:-1]
        inside = {(*prefix, member.name) for member in union.members}
        for path in expressions.reads:
            if path[: len(prefix) + 1] in inside and self._is_pointer(place, path):
                message = f"`{'.'.join(path)}` is a member of the union itself"
                hint = "whether it is a pointer is what is to be found out; compare a number"
                raise WrongError(Label.CYCLE, one.condition.span, message, hint)
        return ActiveMember(place, condition.expression, one.span)

    def _precision(self, one: Opaque | Precise, place: Place) -> Precision:
        leaf = self._types.strip(self._leaf(place))
        if leaf is None or leaf.size < WORD:
            message = f"`{place.key}` has no room for a pointer"
            raise WrongError(Label.NEVER_APPLIES, one.target.span, message)
        return Precision(place, isinstance(one, Precise), one.span)

    # The type of the pointer or of the word that can hold one.
    def _pointer_or_word(self, target: Target, place: Place, *, in_arrays: bool) -> DataType:
        leaf = self._leaf(place)
        one = element(self._types, leaf) if in_arrays else self._types.strip(leaf)
        if one is not None and (one.kind is TypeKind.POINTER or (is_integral(one) and one.size == WORD)):
            return one
        what = describe(one) if one is not None else "void"
        message = f"`{place.key}` is `{what}` in the old program"
        raise WrongError(Label.NOT_A_POINTER, target.span, message, "name a pointer, or an integer of 8 bytes")

    # An expression over the object could not say which element is meant.
    def _without_arrays(self, target: Target, place: Place) -> None:
        for count in range(1, len(place.old_path)):
            inner = self._types.strip(self._type_at(place, place.old_path[:count]))
            if inner is not None and inner.kind is TypeKind.ARRAY:
                name = place.old_path[count - 1]
                message = f"`{name}` is an array: which element is not said"
                raise WrongError(Label.TYPE_MISMATCH, target.span, message, "name the field by its own struct")

    # The struct or union that has the last field of the path itself, not in an unnamed one inside.
    def _holder(self, place: Place) -> DataType | None:
        if not place.old_path:
            return None
        holder = self._types.strip(self._type_at(place, place.old_path[:-1]))
        while holder is not None and not any(one.name == place.old_path[-1] for one in holder.members):
            unnamed = (self._types.strip(one.type) for one in holder.members if not one.name)
            fits = [one for one in unnamed if one is not None and find_member(self._types, one, place.old_path[-1])]
            holder = fits[0] if fits else None
        return holder

    def _is_pointer(self, place: Place, path: tuple[str, ...]) -> bool:
        one = element(self._types, self._type_at(place, path))
        return one is not None and one.kind is TypeKind.POINTER

    def _leaf(self, place: Place) -> int:
        return self._type_at(place, place.old_path)

    def _type_at(self, place: Place, path: tuple[str, ...]) -> int:
        start = place.old
        if place.subject is Subject.VARIABLE:
            start = self._pair.old.program.variables[place.old].type
        walk = self._pair.old.walk(start, path)
        return -1 if isinstance(walk, Miss) else walk.leaf
