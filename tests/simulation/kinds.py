"""The kinds of worlds that there are, and of what befalls them."""

from __future__ import annotations

from enum import Enum


class Focus(Enum):
    """The kind of history that a seed is made for."""

    ANYTHING = "anything"
    SWARM = "swarm"  # some of everything, drawn
    HANDS_FULL = "hands full"  # a replica stands still over a change, with calls in its hands
    SLEEPER = "sleeper"  # the same, and it wakes up in the midst of it
    LATE_NEWS = "late news"  # a replica hears of a change after the others
    NEWCOMER = "newcomer"  # a replica starts while the primary changes
    LATE_MIRROR = "late mirror"  # mirror writes overtake each other
    LEAVING = "leaving"  # all the way back, until MongoDB's fence is lifted, with a replica standing still
    REENTRY = "reentry"  # the mirror is given up, and taken up again
    BYPASS = "bypass"  # many writes past the proxy
    OUTAGE = "outage"  # the mirror is away, and whoever follows the feed dies


class Ambush(Enum):
    """What waits for a change of the stage (see `ambushes`)."""

    STRIKE = "strike"
    ANYWHERE = "anywhere"
    STOP = "stop"
    CUT_OFF = "cut off"
    LATE_NEWS = "late news"
    RETURN = "return"
    DEAF = "deaf"
    NEWCOMER = "newcomer"
    LATE_START = "late start"
    HANDS_FULL = "hands full"
    SLEEPER = "sleeper"
    FORGOTTEN = "forgotten"
    LEFT_BEHIND = "left behind"
    MIRROR_AWAY = "mirror away"


class Trouble(Enum):
    """What happens at any time (see `nemesis`)."""

    CRASH = "crash"
    FREEZE = "freeze"
    CUT = "cut"
    LOSE = "lose"
    ISOLATE = "isolate"
    OUTAGE = "outage"
    FORGET = "forget"
