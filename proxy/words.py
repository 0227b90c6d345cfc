"""How the word of a setting is read: its value, or ValueError with what it must be."""

from __future__ import annotations

from proxy.core.place import host_of, is_loopback


def text(word: str) -> str:
    return word


def _within(word: str, least: float, most: float, what: str) -> float:
    value = float(word)
    if not least <= value <= most:
        raise ValueError(f"must be {what} from {least:g} to {most:g}")
    return value


def seconds(word: str) -> float:
    return _within(word, 0, 3_600, "seconds")


def some_seconds(word: str) -> float:
    return _within(word, 0.1, 3_600, "seconds")


def share(word: str) -> float:
    return _within(word, 0, 1, "a number")


def count(word: str) -> int:
    if not word.isdecimal() or int(word) > 1_000_000:
        raise ValueError("must be a whole number from 0 to 1000000")
    return int(word)


def megabytes(word: str) -> int:
    if not word.isdecimal() or not 1 <= int(word) <= 1024:
        raise ValueError("must be whole megabytes from 1 to 1024")
    return int(word)


def truth(word: str) -> bool:
    if word.lower() not in ("true", "false"):
        raise ValueError("must be true or false")
    return word.lower() == "true"


def address(word: str) -> str:
    host, _, port = word.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65_535:
        raise ValueError("must be host:port")
    return word


def address_or_nothing(word: str) -> str:
    return word and address(word)


def address_or_off(word: str) -> str:
    return "" if word == "off" else address(word)


def mongodb_uri(word: str) -> str:
    if not word.startswith(("mongodb://", "mongodb+srv://")):
        raise ValueError("must begin with mongodb:// or mongodb+srv://")
    return word


def endpoint(word: str) -> str:
    if word and not word.startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    return word


def jwks(word: str) -> str:
    host = host_of(word.removeprefix("http://").partition("/")[0])
    if word.startswith("http://") and not is_loopback(host):
        raise ValueError("must be a file or begin with https://")
    return word


def secret(word: str) -> bytes:
    if len(word) < 16:
        raise ValueError("must have at least 16 characters")
    return word.encode()


def name(word: str) -> str:
    if not word or len(word) > 63 or any(character in word for character in '/\\. "$\0'):
        raise ValueError("must be the name of a MongoDB database")
    return word


def share_of_jobs(word: str) -> str:
    if word not in ("asked", "all", "none"):
        raise ValueError("must be asked, all or none")
    return word


def level(word: str) -> str:
    if word.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise ValueError("must be DEBUG, INFO, WARNING or ERROR")
    return word.upper()
