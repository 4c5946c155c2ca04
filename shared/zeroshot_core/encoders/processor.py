"""The processor that encodes: its name, and how it computes in 8 bits."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["Processor", "this_processor"]

_CPUINFO = Path("/proc/cpuinfo")
_TOLD = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "amx_int8", "amx_bf16")


@dataclass(frozen=True, kw_only=True)
class Processor:
    """A kind of processor.

    Parameters
    ----------
    machine
        Family of its instructions, such as ``"x86_64"`` or ``"arm64"``.
    flags
        Those of its extensions that count for encoding, by Linux's names; empty where they are not told.
    """

    name: str
    machine: str
    flags: tuple[str, ...]

    @property
    def sums_in_16_bits(self) -> bool:
        """Whether pairs of products of 8 bits are added in 16 bits, which overflow if both take all 8.

        So do x86 processors without VNNI, and we take those for such that do not tell.
        """
        is_x86 = self.machine.lower() in ("x86_64", "amd64", "x86", "i386", "i686")
        return is_x86 and not {"avx_vnni", "avx512_vnni"} & {*self.flags}

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(self.flags) or self.machine})"


@cache
def this_processor() -> Processor:
    """Read what Linux tells in ``/proc/cpuinfo``; elsewhere the name alone is known."""
    lines = _CPUINFO.read_text(errors="replace").splitlines() if _CPUINFO.is_file() else []
    told = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = told.get("flags", "").split()
    return Processor(
        name=told.get("model name") or platform.processor() or "unknown processor",
        machine=platform.machine(),
        flags=tuple(flag for flag in _TOLD if flag in flags),
    )
