"""A plot (SVG) of what a guarded request costs: our own code, no library."""
from xml.sax.saxutils import escape

from . import report

WIDTH = 860
LEFT = 250
RIGHT = 120
TOP = 84
BAR = 13
STEP = 46
STYLE = """
  .ground { fill: #ffffff; stroke: #d0d7de }
  text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif;
         fill: #1f2328 }
  .title { font-size: 16px; font-weight: 600 }
  .small { font-size: 11.5px; fill: #59636e }
  .ours { font-weight: 600 }
  .grid { stroke: #d0d7de }
  .lean { stroke: #1a7f37; stroke-dasharray: 5 4; stroke-width: 1.5 }
  .leantext { font-size: 11.5px; fill: #1a7f37 }
  .whisker { stroke: #1f2328; stroke-width: 1.2 }
  .warm { fill: #8c959f } .cold { fill: #c8ced6 }
  .ours.warm { fill: #bc4c00 } .ours.cold { fill: #f0b27f }
  .break { fill: #ffffff }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117; stroke: #3d444d }
    text { fill: #f0f6fc }
    .small { fill: #9198a1 }
    .grid { stroke: #3d444d }
    .lean { stroke: #3fb950 } .leantext { fill: #3fb950 }
    .whisker { stroke: #f0f6fc }
    .warm { fill: #7d8590 } .cold { fill: #424a53 }
    .ours.warm { fill: #f0883e } .ours.cold { fill: #9e5a22 }
    .break { fill: #0d1117 }
  }
"""


def axis_end(costs):
    """Far enough for all but those that would make the rest a stump."""
    costs = sorted(costs)
    end = costs[0]
    for cost in costs:
        if cost > 4 * end and end > 4 * costs[0]:
            break
        end = cost
    return end * 1.08


def ticks(end):
    step = 1
    while end / step > 8:
        step = step * 5 // 2 if str(step)[0] == "2" else step * 2
    return [step * n for n in range(int(end / step) + 1)]


class Drawing:
    """The parts of one plot, top to bottom."""

    def __init__(self, end):
        self.end = end
        self.parts = []

    def x(self, cost):
        room = WIDTH - LEFT - RIGHT
        return LEFT + room * min(cost / self.end, 1)

    def line(self, kind, x1, y1, x2, y2):
        self.parts.append(
            f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" '
            f'x2="{x2:.1f}" y2="{y2:.1f}"/>')

    def text(self, kind, x, y, words, anchor="start"):
        self.parts.append(
            f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" '
            f'text-anchor="{anchor}">{escape(words)}</text>')

    def box(self, kind, x, y, width, height):
        self.parts.append(
            f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" '
            f'width="{width:.1f}" height="{height:.1f}"/>')

    def bar(self, row, y, words):
        costs = report.values(row, "cpu_ms_per_1000")
        cost = report.middle(row)
        kind = ("ours " if row["corgi"] else "") + row["kind"]
        self.box(kind, LEFT, y, self.x(cost) - LEFT, BAR)
        label = self.x(max(costs)) + 6
        if cost > self.end:
            # It goes on: a gap near its end says so.
            self.parts.append(
                f'<path class="break" d="M{self.x(cost) - 24:.1f} '
                f'{y + BAR + 2:.1f} l8 -{BAR + 4} h5 l-8 {BAR + 4} z"/>')
            label = self.x(cost) + 6
        else:
            middle = y + BAR / 2
            low, high = self.x(min(costs)), self.x(max(costs))
            self.line("whisker", low, middle, high, middle)
            for end in (low, high):
                self.line("whisker", end, middle - 3, end, middle + 3)
        self.text("small", label, y + BAR - 2,
                  f"{cost:.1f} {words}" if cost < 100
                  else f"{cost:.0f} {words}")


def render(raw):
    """The plot of the table with one worker."""
    table = raw["tables"][0]
    warm = sorted((row for row in table["rows"] if row["kind"] == "warm"),
                  key=report.middle)
    cold = {row["key"]: row for row in table["rows"]
            if row["kind"] == "cold"}
    lean = report.cheapest(report.peers(table, "open"))
    drawing = Drawing(axis_end(
        [report.middle(row) for row in (*warm, *cold.values())]))
    bottom = TOP + STEP * len(warm)
    drawing.text("title", 20, 30, "Processor time of 1,000 guarded requests "
                 "(ms; less is better)")
    drawing.text("small", 20, 50, f"{raw['machine']['cpu']}; one worker, "
                 f"{raw['settings']['connections']} connections; median, "
                 "minimum and maximum")
    for tick in ticks(drawing.end):
        x = drawing.x(tick)
        drawing.line("grid", x, TOP - 6, x, bottom)
        drawing.text("small", x, bottom + 18, f"{tick}", "middle")
    for number, row in enumerate(warm):
        y = TOP + STEP * number
        drawing.text("ours" if row["corgi"] else "name", LEFT - 12,
                     y + BAR + 8, row["name"], "end")
        drawing.bar(row, y + 4, "same token")
        if row["key"] in cold:
            drawing.bar(cold[row["key"]], y + 4 + BAR + 3, "new token")
    x = drawing.x(report.middle(lean))
    drawing.line("lean", x, TOP - 8, x, bottom)
    drawing.text("leantext", x + 4, TOP - 12, "leanest peer without any "
                 f"guard: {report.title(lean).replace('`', '')}, "
                 f"{report.middle(lean):.1f}")
    height = bottom + 34
    return "\n".join((
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" '
        f'height="{height}" viewBox="0 0 {WIDTH} {height}" role="img">',
        "<title>Processor time of 1,000 guarded requests</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="ground" x="0.5" y="0.5" width="{WIDTH - 1}" '
        f'height="{height - 1}" rx="6"/>',
        *drawing.parts, "</svg>", ""))
