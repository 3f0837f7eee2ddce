"""Draws measured series as an SVG: one small chart each, on its own scale from zero."""

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT, MARGIN = 640, 90, 24
COLOUR = "#1f6f8b"


def svg_of(series: Mapping[str, Sequence[tuple[float, float]]], *, title: str) -> str:
    """Return the document; each series is a list of (seconds, value)."""
    charts = [
        _chart(name, points, top=MARGIN + place * (HEIGHT + MARGIN))
        for place, (name, points) in enumerate(series.items())
    ]
    height = MARGIN + len(charts) * (HEIGHT + MARGIN)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif" '
        f'font-size="11"><rect width="100%" height="100%" fill="white"/>'
        f'<text x="8" y="14" font-weight="bold">{escape(title)}</text>{"".join(charts)}</svg>\n'
    )


def _chart(name: str, points: Sequence[tuple[float, float]], *, top: int) -> str:
    last_s = max((at for at, _ in points), default=1.0) or 1.0
    most = max((value for _, value in points), default=1.0) or 1.0
    path = " ".join(f"{at / last_s * WIDTH:.1f},{top + HEIGHT - value / most * HEIGHT:.1f}" for at, value in points)
    end = points[-1][1] if points else 0.0
    return (
        f'<line x1="0" x2="{WIDTH}" y1="{top + HEIGHT}" y2="{top + HEIGHT}" stroke="#ccc"/>'
        f'<polyline points="{path}" fill="none" stroke="{COLOUR}"/>'
        f'<text x="8" y="{top + 10}">{escape(name)}: {end:,.0f} at the end, {most:,.0f} at most, '
        f"{last_s / 60:.0f} min</text>"
    )
