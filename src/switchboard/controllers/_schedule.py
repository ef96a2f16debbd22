"""Schedules of CronJobs: five fields (minute, hour, day of the month, month, weekday) or a word such as ``@hourly``.

In: a schedule as text, a time zone.  Out: the moments at which it is due, in UTC.
Called by the cronjob controller.
Specification: https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#schedule-syntax
A moment that the clocks leap over does not come; one that they repeat comes twice.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta, tzinfo

import msgspec

MINUTE = timedelta(minutes=1)
_HORIZON = 5 * 366  # days after which a schedule (30 February) is taken for one that never comes
_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, 1)}
_DAYS = {"sun": 0, "mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6}
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of the month", 1, 31, {}),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 6, _DAYS),
)
_WORDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_RANGE = re.compile(r"(?:(?P<any>[*?])|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>[0-9]{1,4}))?\Z")
_DURATION = re.compile(r"(?:([0-9]{1,6})h)?(?:([0-9]{1,8})m)?(?:([0-9]{1,9})s)?\Z")


class ScheduleError(ValueError):
    """A schedule that cannot be read; the message says why."""


class Schedule(msgspec.Struct, frozen=True):
    """When something is due: allowed values of each field, or an interval (``@every``).

    With both days restricted, either suffices; otherwise both must hold.
    """

    minutes: frozenset[int] = frozenset()
    hours: frozenset[int] = frozenset()
    days: frozenset[int] = frozenset()
    months: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset()
    either_day: bool = False
    every: timedelta | None = None
    zone: tzinfo = UTC

    def next(self, after: datetime) -> datetime | None:
        """The first moment later than ``after``, in UTC; None when none comes within five years."""
        if self.every is not None:
            return after.astimezone(UTC).replace(microsecond=0) + self.every
        moment = after.astimezone(UTC).replace(second=0, microsecond=0) + MINUTE
        for _ in range(_HORIZON):
            local = moment.astimezone(self.zone)
            if self._on(local):
                found = self._within_day(moment, local)
                if found is not None:
                    return found
            tomorrow = datetime.combine(local.date() + timedelta(days=1), time.min, self.zone).astimezone(UTC)
            # A zone that leaps over midnight has the day begin later, never earlier.
            moment = max(tomorrow, moment + MINUTE)
        return None

    def latest(self, after: datetime, until: datetime) -> datetime | None:
        """The last moment later than ``after`` and not later than ``until``; None when there is none."""
        found = self.next(after)
        if found is None or found > until:
            return None
        if self.every is not None:
            return found + self.every * ((until - found) // self.every)
        window = MINUTE
        while until - window > after:
            candidate = self.next(until - window)
            if candidate is not None and candidate <= until:
                found = candidate
                break
            window *= 2
        while (following := self.next(found)) is not None and following <= until:
            found = following
        return found

    def _on(self, local: datetime) -> bool:
        if local.month not in self.months:
            return False
        day, weekday = local.day in self.days, local.isoweekday() % 7 in self.weekdays
        return (day or weekday) if self.either_day else (day and weekday)

    def _within_day(self, moment: datetime, local: datetime) -> datetime | None:
        """The first moment of this local day from ``moment`` on."""
        today = local.date()
        while local.date() == today:
            if local.hour in self.hours and local.minute in self.minutes:
                return moment
            moment += MINUTE if local.hour in self.hours else timedelta(minutes=60 - local.minute)
            local = moment.astimezone(self.zone)
        return None


def parse(text: str, zone: tzinfo = UTC) -> Schedule:
    """A schedule from its text; raises ScheduleError."""
    wanted = text.strip()
    if wanted.startswith("@every "):
        return Schedule(every=_duration(wanted.removeprefix("@every ").strip()), zone=zone)
    if wanted.startswith("@") and wanted not in _WORDS:
        raise ScheduleError(f"unrecognized descriptor: {wanted}")
    fields = _WORDS.get(wanted, wanted).split()
    if len(fields) != len(_FIELDS):
        raise ScheduleError(f"expected exactly 5 fields, found {len(fields)}: {wanted}")
    parsed = [_field(field, *rules) for field, rules in zip(fields, _FIELDS, strict=True)]
    minutes, hours, days, months, weekdays = (frozenset(numbers) for numbers, _ in parsed)
    either_day = not (parsed[2][1] or parsed[4][1])
    return Schedule(minutes, hours, days, months, weekdays, either_day, zone=zone)


def _duration(text: str) -> timedelta:
    found = _DURATION.match(text)
    hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    length = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if length < timedelta(seconds=1):
        raise ScheduleError(f"failed to parse duration {text}")
    return length


def _field(text: str, name: str, low: int, high: int, words: dict[str, int]) -> tuple[set[int], bool]:
    """The values of one field, and whether it stands for every value."""
    values: set[int] = set()
    every = False
    for part in text.split(","):
        found = _RANGE.match(part)
        if found is None:
            raise ScheduleError(f"failed to parse {name}: {part}")
        step = int(found["step"] or 1)
        if found["any"]:
            first, last = low, high
            every = every or step == 1
        else:
            first = _number(found["first"], name, words)
            # A start with a step and no end goes on to the end of the field.
            last = _number(found["last"], name, words) if found["last"] else high if found["step"] else first
        if first < low or last > high or first > last or step < 1:
            raise ScheduleError(f"{name} is out of range ({low} to {high}): {part}")
        values.update(range(first, last + 1, step))
    return values, every


def _number(text: str, name: str, words: dict[str, int]) -> int:
    if text.lower() in words:
        return words[text.lower()]
    if not (text.isascii() and text.isdecimal()):
        raise ScheduleError(f"failed to parse {name}: {text}")
    return int(text)
