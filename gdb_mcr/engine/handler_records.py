"""The records of `native/engine/handlers.h` as ctypes structures and enums."""

from __future__ import annotations

import ctypes
from ctypes import c_int64, c_uint8, c_uint32
from enum import IntEnum, IntFlag

REGISTERS = 64
"""MCR_REGISTERS."""

NO_REGISTER = 255
"""MCR_NO_REGISTER: a step's offset is `at` alone."""

MAX_ARGUMENTS = 6
"""MCR_MAX_ARGUMENTS, of a library function."""

MAX_STEPS = 1 << 16
"""MCR_MAX_STEPS, of one handler."""


class StepCode(IntEnum):
    """enum mcr_step_code."""

    END = 0
    CONST = 1
    MOVE = 2
    LOAD_OLD = 3
    LOAD_NEW = 4
    READ = 5
    STORE = 6
    STORE_BITS = 7
    CONVERT = 8
    TRANSLATE = 9
    EXTEND = 10
    ADD = 11
    SUBTRACT = 12
    MULTIPLY = 13
    DIVIDE = 14
    DIVIDE_UNSIGNED = 15
    REMAINDER = 16
    REMAINDER_UNSIGNED = 17
    AND = 18
    OR = 19
    XOR = 20
    SHIFT_LEFT = 21
    SHIFT_RIGHT = 22
    SHIFT_RIGHT_UNSIGNED = 23
    EQUAL = 24
    LESS = 25
    LESS_UNSIGNED = 26
    FLOAT_ADD = 27
    FLOAT_SUBTRACT = 28
    FLOAT_MULTIPLY = 29
    FLOAT_DIVIDE = 30
    FLOAT_EQUAL = 31
    FLOAT_LESS = 32
    FLOAT_LESS_EQUAL = 33
    FLOAT_OF = 34
    FLOAT_OF_UNSIGNED = 35
    FLOAT_TO = 36
    FLOAT_TO_UNSIGNED = 37
    FLOAT_ROUND = 38
    JUMP = 39
    JUMP_ZERO = 40
    BOUND = 41
    CALL = 42
    SELF = 43


class Form(IntFlag):
    """enum mcr_form: added to the size in bytes."""

    SIGNED = 0x10
    FLOAT = 0x20
    BOOL = 0x40


class HandlerFailure(IntEnum):
    """enum mcr_handler_failure."""

    DONE = 0
    DIVISION = 1
    SHIFT = 2
    INDEX = 3
    OUTSIDE = 4
    POINTER = 5
    LONG = 6
    NUMBER = 7
    NESTED = 8
    LENGTH = 9
    LIBRARY = 10
    CRASH = 11


class StepRow(ctypes.Structure):
    """struct mcr_step."""

    _fields_ = (
        ("code", c_uint8),
        ("to", c_uint8),
        ("left", c_uint8),
        ("right", c_uint8),
        ("at", c_uint32),
        ("value", c_int64),
    )


class HandlerRow(ctypes.Structure):
    """struct mcr_handler."""

    _fields_ = (
        ("first", c_uint32),
        ("count", c_uint32),
        ("old_size", c_uint32),
        ("new_size", c_uint32),
        ("rounds", c_uint32),
        ("registers", c_uint32),
    )
