"""How is a month written? YYYY-MM, by the calendar of the organization's time zone."""

from zoneinfo import ZoneInfo

from mizzen_crds.periods import Period, calendar_month


def named_month(name: str, time_zone: str) -> Period:
    """The month written YYYY-MM. Raises ValueError for anything else."""
    year, dash, month = name.partition("-")
    if len(name) != 7 or not dash or not (year.isascii() and year.isdigit() and month.isascii() and month.isdigit()):
        raise ValueError(f'"{name[:20]}" is not a month: write YYYY-MM, such as 2026-03')
    if not (1970 <= int(year) <= 9000 and 1 <= int(month) <= 12):
        raise ValueError(f'"{name}" is no month of the calendar: write YYYY-MM with MM from 01 to 12')
    return calendar_month(int(year), int(month), ZoneInfo(time_zone))


def month_name(period: Period, time_zone: str) -> str:
    """The month as YYYY-MM."""
    return period.start.astimezone(ZoneInfo(time_zone)).strftime("%Y-%m")
