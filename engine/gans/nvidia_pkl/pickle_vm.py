"""A stack machine for pickles that knows values and containers, and of functions only the stand-ins it is given.

Every instruction is written out here; there is no way from a file to a real class, function or attribute. The
containers are plain, the keys of dicts are short text or small numbers, the members of sets are short text, and
integers are short, so that no value can be made whose mere hashing or comparing takes for ever.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeVar

from engine.gans.nvidia_pkl.refusal import Refusal, shown

MAX_INSTRUCTIONS = 1_000_000
"""A file of 1024 px networks takes about 35 000. With the file's length this bounds the memory that reading takes."""
MAX_INTEGER_BITS = 128
MAX_LINE = 1000
MAX_KEY = 1000
MAX_NUMBER_KEY = 2**31
"""Numbers below it differ in their hashes; the states of optimisers are dicts by small numbers."""
MAX_ARGUMENTS = 8
Kind = TypeVar("Kind")


@dataclass(frozen=True, eq=False)
class Function:
    """Stands in for a function or class of the file that is called (REDUCE); gets the arguments unchecked."""

    stand_in: Callable[[Any], Any]


@dataclass(frozen=True, eq=False)
class DictClass:
    """Stands in for a class of dicts, of which the file makes empty instances (NEWOBJ)."""


class Buildable:
    """Base of the values that a file may complete (BUILD); each kind takes over the state in its own way."""

    def complete(self, state: Any) -> None:
        raise Refusal("completes a value that needs nothing more")


class Allowance:
    """The budget left for reading a file of `length` bytes: instructions, and bytes made out of its own."""

    def __init__(self, length: int):
        self.instructions = MAX_INSTRUCTIONS
        self.bytes = 2 * length  # each tensor once, and under protocol 2 its bytes once more, as text

    def take_instructions(self, count: int) -> None:
        self.instructions -= count
        if self.instructions < 0:
            raise Refusal(f"has more than {MAX_INSTRUCTIONS} instructions, far more than any network")

    def take_bytes(self, count: int) -> None:
        self.bytes -= count
        if self.bytes < 0:
            raise Refusal("describes more numbers than it has room for")


class Source:
    """A file of known length, of which nothing is asked beyond its end."""

    def __init__(self, file: BinaryIO, length: int):
        self.file, self.length = file, length

    def tell(self) -> int:
        return self.file.tell()

    def read(self, count: int) -> bytes:
        if count > self.length - self.file.tell():
            raise Refusal(f"ends in the middle, after {self.length} bytes", "Download or copy the whole file again.")
        return self.file.read(count)

    def readline(self) -> bytes:
        return self.file.readline(MAX_LINE)


class Machine:
    """Runs one pickle; `names(module, attribute)` gives the stand-in of a global, `persistent` that of an id."""

    def __init__(
        self,
        source: Source,
        allowance: Allowance,
        names: Callable[[str, str], Any],
        persistent: Callable[[Any], Any] | None = None,
    ):
        self.source, self.allowance, self.names, self.persistent = source, allowance, names, persistent
        self.stack: list[Any] = []
        self.marked: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        """The value that the pickle describes; the source is left behind its end. Raises `Refusal`."""
        name = "its first byte"
        try:
            # genops is the standard library's disassembler: it cuts bytes into instructions and runs none of them.
            for opcode, argument, _ in pickletools.genops(self.source):  # type: ignore[arg-type]  # all that it uses
                name = opcode.name
                self.allowance.take_instructions(1)
                if name != "STOP":
                    self.step(name, argument)
            (value,) = self.stack
        except (IndexError, KeyError, ValueError) as error:  # an empty stack, an unknown memo, undecodable bytes
            raise Refusal(f"is damaged, or no pickle (after {name}, at byte {self.source.tell()})") from error
        return value

    def step(self, name: str, argument: Any) -> None:
        """One instruction. Whatever is not here (EXT, INST, OBJ, NEWOBJ_EX, text protocols and more) is refused."""
        stack = self.stack
        match name:
            case "PROTO":
                if not 2 <= argument <= 5:
                    raise Refusal(f"is a pickle of protocol {argument}, and only 2 to 5 are known")
            case "FRAME":
                pass  # the length of a piece, which only readers of pipes need
            case "MARK":
                self.marked.append(stack)
                self.stack = []
            case "POP":
                stack.pop()
            case "POP_MARK":
                self.since_mark()
            case "MEMOIZE":
                self.memo[len(self.memo)] = stack[-1]
            case "BINPUT" | "LONG_BINPUT":
                self.memo[argument] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(self.memo[argument])

            case "NONE":
                stack.append(None)
            case "NEWTRUE" | "NEWFALSE":
                stack.append(name == "NEWTRUE")
            case "BININT" | "BININT1" | "BININT2" | "LONG1" | "LONG4":
                if argument.bit_length() > MAX_INTEGER_BITS:
                    raise Refusal(f"holds an integer of {argument.bit_length()} bits")
                stack.append(argument)
            case "BINFLOAT" | "BINUNICODE" | "SHORT_BINUNICODE" | "BINUNICODE8":
                stack.append(argument)
            case "BINBYTES" | "SHORT_BINBYTES" | "BINBYTES8":
                stack.append(argument)

            case "EMPTY_TUPLE":
                stack.append(())
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                items = [stack.pop() for _ in range(int(name[-1]))]
                stack.append(tuple(reversed(items)))
            case "TUPLE":
                items = self.since_mark()
                self.stack.append(tuple(items))
            case "EMPTY_LIST":
                stack.append([])
            case "APPEND":
                value = stack.pop()
                self.top(list).append(value)
            case "APPENDS":
                items = self.since_mark()
                self.top(list).extend(items)
            case "EMPTY_DICT":
                stack.append({})
            case "SETITEM":
                value, key = stack.pop(), stack.pop()
                self.put([key, value])
            case "SETITEMS":
                self.put(self.since_mark())
            case "EMPTY_SET":
                stack.append(set())
            case "ADDITEMS":
                items = self.since_mark()
                self.top(set).update(texts(items))

            case "GLOBAL":
                module, _, attribute = argument.partition(" ")
                stack.append(self.names(module, attribute))
            case "STACK_GLOBAL":
                attribute, module = texts([stack.pop(), stack.pop()])
                stack.append(self.names(module, attribute))
            case "REDUCE":
                arguments = stack.pop()
                if not isinstance(arguments, tuple) or len(arguments) > MAX_ARGUMENTS:
                    raise Refusal(f"calls a function with {shown(arguments)} in place of its few arguments")
                stack[-1] = self.top(Function).stand_in(arguments)
            case "NEWOBJ":
                arguments = stack.pop()
                self.top(DictClass)
                if arguments != ():
                    raise Refusal("makes a dict out of arguments")
                stack[-1] = {}
            case "BUILD":
                state = stack.pop()
                self.top(Buildable).complete(state)
            case "BINPERSID" if self.persistent:
                stack[-1] = self.persistent(stack[-1])
            case _:
                raise Refusal(f"uses the pickle instruction {name}, which network files do not")

    def since_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.marked.pop()
        return items

    def put(self, items: list[Any]) -> None:
        """Keys and values in turn, into the dict at the top."""
        self.top(dict).update(zip(keys(items[::2]), items[1::2], strict=True))

    def top(self, kind: type[Kind]) -> Kind:
        """The value at the top of the stack, if it is of this kind."""
        value = self.stack[-1]
        if not isinstance(value, kind):
            raise Refusal(f"uses {shown(value)} as a {kind.__name__.lower()}, which network files do not")
        return value


def keys(items: list[Any]) -> list[Any]:
    texts([item for item in items if not (type(item) is int and 0 <= item < MAX_NUMBER_KEY)])
    return items


def texts(items: list[Any]) -> list[str]:
    for item in items:
        if not isinstance(item, str) or len(item) > MAX_KEY:
            raise Refusal(f"has {shown(item)} as a key or a name, where only short text is allowed")
    return items
