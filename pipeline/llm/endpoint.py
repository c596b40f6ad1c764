"""Where requests go and with which headers: those of an ``openai`` client, without loading it.

The package takes up to a second to import, more than all else before the first request, and this is all that a request
needs of it. A test holds the headers against the real client's. Batches use the client itself.
"""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import openai

DEFAULT_URL = "https://api.openai.com/v1"
CLIENT_TIMEOUT_S = 60.0  # of the client that handles files and batches


class Endpoint(msgspec.Struct, frozen=True):
    """A server, and the key to it: for a process's memory only."""

    url: str
    """Without a slash at its end, such as ``http://localhost:8000/v1``."""
    key: str

    def headers(self) -> dict[str, str]:
        """Return the headers of a request with a JSON body, their names in lower case."""
        release = version("openai")
        told = {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "User-Agent": f"AsyncOpenAI/Python {release}",
            "X-Stainless-Lang": "python",
            "X-Stainless-Package-Version": release,
            "X-Stainless-OS": _system(),
            "X-Stainless-Arch": _architecture(),
            "X-Stainless-Runtime": platform.python_implementation(),
            "X-Stainless-Runtime-Version": platform.python_version(),
            "X-Stainless-Async": "async:asyncio",
        }
        for name, variable in (("OpenAI-Organization", "OPENAI_ORG_ID"), ("OpenAI-Project", "OPENAI_PROJECT_ID")):
            if variable in os.environ:
                told[name] = os.environ[variable]
        told |= {"Authorization": f"Bearer {self.key}"}
        return {name.lower(): value for name, value in told.items()} | _custom_headers()

    def client(self) -> openai.AsyncOpenAI:
        """Return a real client, for what is not a chat completion; whoever asks for it closes it."""
        import openai

        return openai.AsyncOpenAI(
            api_key=self.key,
            base_url=self.url,
            max_retries=0,
            timeout=CLIENT_TIMEOUT_S,
            http_client=openai.DefaultAioHttpClient(),
        )


def endpoint(url: str | None, key: str) -> Endpoint:
    """Return the endpoint at an address, OpenAI's if there is none."""
    return Endpoint((url or DEFAULT_URL).rstrip("/"), key)


def _custom_headers() -> dict[str, str]:
    """Return the headers that a person has set for all programs that use the ``openai`` package."""
    lines = os.environ.get("OPENAI_CUSTOM_HEADERS", "").split("\n")
    pairs = (line.partition(":") for line in lines)
    return {name.strip().lower(): value.strip() for name, colon, value in pairs if colon}


def _system() -> str:
    names = {"linux": "Linux", "darwin": "MacOS", "win32": "Windows"}
    return names.get(sys.platform) or f"Other:{platform.platform().lower()}"  # which starts a program to ask


def _architecture() -> str:
    machine = platform.machine().lower()
    names = {"aarch64": "arm64", "arm64": "arm64", "arm": "arm", "x86_64": "x64", "amd64": "x64"}
    return names.get(machine, f"other:{machine}")
