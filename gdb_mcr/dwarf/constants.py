"""The numbers of DWARF that this room understands. Source: DWARF 5, section 7; binutils' dwarf2.def.

Plain integers: they are compared a million times while one program is read.
"""

from __future__ import annotations


class Tag:
    """DW_TAG_*."""

    ARRAY = 0x01
    CLASS = 0x02
    ENUMERATION = 0x04
    FORMAL_PARAMETER = 0x05
    LABEL = 0x0A
    LEXICAL_BLOCK = 0x0B
    MEMBER = 0x0D
    POINTER = 0x0F
    REFERENCE = 0x10
    COMPILE_UNIT = 0x11
    STRUCTURE = 0x13
    SUBROUTINE_TYPE = 0x15
    TYPEDEF = 0x16
    UNION = 0x17
    INLINED_SUBROUTINE = 0x1D
    SUBRANGE = 0x21
    BASE = 0x24
    CONST = 0x26
    ENUMERATOR = 0x28
    SUBPROGRAM = 0x2E
    VARIABLE = 0x34
    VOLATILE = 0x35
    RESTRICT = 0x37
    PARTIAL_UNIT = 0x3C
    TYPE_UNIT = 0x41
    RVALUE_REFERENCE = 0x42
    ATOMIC = 0x47
    CALL_SITE = 0x48
    CALL_SITE_PARAMETER = 0x49
    SKELETON_UNIT = 0x4A
    GNU_CALL_SITE = 0x4109
    GNU_CALL_SITE_PARAMETER = 0x410A


class At:
    """DW_AT_*."""

    SIBLING = 0x01
    LOCATION = 0x02
    NAME = 0x03
    BYTE_SIZE = 0x0B
    BIT_OFFSET = 0x0C
    BIT_SIZE = 0x0D
    STMT_LIST = 0x10
    LOW_PC = 0x11
    HIGH_PC = 0x12
    COMP_DIR = 0x1B
    CONST_VALUE = 0x1C
    PRODUCER = 0x25
    UPPER_BOUND = 0x2F
    ABSTRACT_ORIGIN = 0x31
    COUNT = 0x37
    DATA_MEMBER_LOCATION = 0x38
    DECL_FILE = 0x3A
    DECLARATION = 0x3C
    ENCODING = 0x3E
    EXTERNAL = 0x3F
    FRAME_BASE = 0x40
    SPECIFICATION = 0x47
    TYPE = 0x49
    RANGES = 0x55
    SIGNATURE = 0x69
    DATA_BIT_OFFSET = 0x6B
    STR_OFFSETS_BASE = 0x72
    ADDR_BASE = 0x73
    RNGLISTS_BASE = 0x74
    DWO_NAME = 0x76
    LOCLISTS_BASE = 0x8C
    GNU_DWO_NAME = 0x2130
    HIGH_IS_ADDRESS = 0x10000
    """Not of DWARF: set by this reader where DW_AT_high_pc is an address, not a length."""
    BOUND_IS_REFERENCE = 0x10001
    """Not of DWARF: set where DW_AT_upper_bound or DW_AT_count names a variable instead of being a number."""


KEPT_ATTRIBUTES = frozenset(value for name, value in vars(At).items() if name.isupper())
"""Attributes that are decoded; all others are stepped over."""


class Form:
    """DW_FORM_*."""

    ADDR = 0x01
    BLOCK2 = 0x03
    BLOCK4 = 0x04
    DATA2 = 0x05
    DATA4 = 0x06
    DATA8 = 0x07
    STRING = 0x08
    BLOCK = 0x09
    BLOCK1 = 0x0A
    DATA1 = 0x0B
    FLAG = 0x0C
    SDATA = 0x0D
    STRP = 0x0E
    UDATA = 0x0F
    REF_ADDR = 0x10
    REF1 = 0x11
    REF2 = 0x12
    REF4 = 0x13
    REF8 = 0x14
    REF_UDATA = 0x15
    SEC_OFFSET = 0x17
    EXPRLOC = 0x18
    FLAG_PRESENT = 0x19
    STRX = 0x1A
    ADDRX = 0x1B
    DATA16 = 0x1E
    LINE_STRP = 0x1F
    REF_SIG8 = 0x20
    IMPLICIT_CONST = 0x21
    LOCLISTX = 0x22
    RNGLISTX = 0x23
    STRX1 = 0x25
    STRX2 = 0x26
    STRX4 = 0x28
    ADDRX1 = 0x29
    ADDRX2 = 0x2A
    ADDRX4 = 0x2C
    GNU_REF_ALT = 0x1F20
    GNU_STRP_ALT = 0x1F21


class Op:
    """DW_OP_*."""

    ADDR = 0x03
    CONST8U = 0x0E
    PLUS_UCONST = 0x23
    REG0 = 0x50
    REG31 = 0x6F
    FBREG = 0x91
    CALL_FRAME_CFA = 0x9C
    FORM_TLS_ADDRESS = 0x9B
    ADDRX = 0xA1
    GNU_PUSH_TLS_ADDRESS = 0xE0
