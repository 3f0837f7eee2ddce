"""Charts as SVG, drawn by the server; what each shows stands in words beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

WIDTH: Final = 960
HEIGHT: Final = 150
_LEFT, _BOTTOM, _TOP = 44, 22, 8


@dataclass(frozen=True, slots=True)
class Series:
    """One kind of thing that is shown: its name, and the class that gives it its colour."""

    name: str
    tone: str
    values: Sequence[float | None]


def bars(labels: Sequence[str], series: Sequence[Series], *, title: str) -> Markup:
    """Draw columns, the series stacked in each; ``labels`` are the columns' names."""
    tops = [sum(one.values[place] or 0 for one in series) for place in range(len(labels))]
    most = _rounded(max(tops, default=0))
    width = (WIDTH - _LEFT) / max(1, len(labels))
    parts = []
    for place, label in enumerate(labels):
        base = float(HEIGHT - _BOTTOM)
        told = ", ".join(f"{one.name} {one.values[place]:g}" for one in series if one.values[place])
        rects = []
        for one in series:
            height = (one.values[place] or 0) / most * (HEIGHT - _BOTTOM - _TOP)
            if height:
                base -= height
                rects.append(
                    Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
                        one.tone, _LEFT + place * width + 1, base, max(width - 2, 1), height
                    )
                )
        # Over the whole height, so that a pointer finds small columns too.
        rects.append(
            Markup('<rect class="none" x="{:.1f}" y="0" width="{:.1f}" height="{}"/>').format(
                _LEFT + place * width, width, HEIGHT - _BOTTOM
            )
        )
        parts.append(Markup("<g><title>{}: {}</title>{}</g>").format(label, told or "nothing", Markup("").join(rects)))
    return _svg([*parts, *_axes(labels, most, width)], title=title)


def lines(labels: Sequence[str], series: Sequence[Series], *, title: str, unit: str) -> Markup:
    """Draw a line a series; where a value is ``None`` the line is broken."""
    values = [value for one in series for value in one.values if value is not None]
    most = _rounded(max(values, default=0))
    width = (WIDTH - _LEFT) / max(1, len(labels))
    parts = []
    for one in series:
        for place, value in enumerate(one.values):
            if value is None:
                continue
            x, y = _LEFT + (place + 0.5) * width, HEIGHT - _BOTTOM - value / most * (HEIGHT - _BOTTOM - _TOP)
            before = one.values[place - 1] if place else None
            if before is not None:
                past = HEIGHT - _BOTTOM - before / most * (HEIGHT - _BOTTOM - _TOP)
                parts.append(
                    Markup('<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(
                        one.tone, x - width, past, x, y
                    )
                )
            parts.append(
                Markup(
                    '<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="3.5"><title>{}: {} {:g} {}</title></circle>'
                ).format(one.tone, x, y, labels[place], one.name, value, unit)
            )
    return _svg([*parts, *_axes(labels, most, width)], title=title)


def _axes(labels: Sequence[str], most: float, width: float) -> list[Markup]:
    text = Markup('<text x="{:.1f}" y="{:.1f}" class="{}">{}</text>')
    parts = [
        text.format(_LEFT - 6, _TOP + 8, "end", f"{most:g}"),
        text.format(_LEFT - 6, HEIGHT - _BOTTOM, "end", "0"),
        Markup('<path class="axis" d="M{} {}H{}"/>').format(_LEFT, HEIGHT - _BOTTOM, WIDTH),
    ]
    step = max(1, len(labels) // 8)
    return parts + [
        text.format(_LEFT + (place + 0.5) * width, HEIGHT - 6, "middle", labels[place])
        for place in range(step // 2, len(labels), step)  # not at the edge, where the axis has its 0
    ]


def _svg(parts: Sequence[Markup], *, title: str) -> Markup:
    return Markup(
        '<div class="scroll" tabindex="0" role="region" aria-label="{3}">'
        '<svg class="chart" viewBox="0 0 {0} {1}" role="img" aria-label="{3}">{2}</svg></div>'
    ).format(WIDTH, HEIGHT, Markup("").join(parts), title)


def _rounded(most: float) -> float:
    """Return the end of an axis: 1, 2 or 5 times a power of ten that is not below ``most``."""
    if most <= 0:
        return 1.0
    power = 10.0 ** len(str(int(most))) / 10 if most >= 1 else 0.1
    return next(step * power for step in (1, 2, 5, 10, 100) if step * power >= most)
