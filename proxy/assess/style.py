"""How the report looks, on a light or a dark screen and on paper. No font or picture is fetched."""

STYLE = """
:root {
  --paper: #fbfaf7; --card: #fff; --ink: #1d2330; --soft: #5c6577; --line: #e4e1d8;
  --accent: #2d5bd0; --good: #1d7a4d; --care: #a86400; --bad: #b42335; --note: #5c6577;
  --good-tint: #e2f3ea; --care-tint: #fbeed6; --bad-tint: #fbe3e5; --note-tint: #ecebe6;
  --c1: #2d5bd0; --c2: #4f8ef0; --c3: #27a08a; --c4: #c98a1b; --c5: #cf3b4c; --c6: #8a8f9c;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171d; --card: #1c2028; --ink: #e7e9ee; --soft: #9aa3b5; --line: #2e343f;
    --accent: #7ea6ff; --good: #63cf9b; --care: #e8b04f; --bad: #ff8490; --note: #9aa3b5;
    --good-tint: #17342a; --care-tint: #3a2d14; --bad-tint: #3f1d23; --note-tint: #2a2f39;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1060px; margin: 0 auto; padding: 36px 24px 80px; }
h1 { font-size: 27px; line-height: 1.2; margin: 0 0 4px; letter-spacing: -.01em; }
h2 { font-size: 19px; margin: 0; font-weight: 650; overflow-wrap: anywhere; }
h3 { font-size: 13px; margin: 26px 0 8px; color: var(--soft); font-weight: 600; }
p { margin: 6px 0; }
a { color: var(--accent); text-decoration: none; }
a:hover { text-decoration: underline; }
.soft, small { color: var(--soft); }
code, pre {
  font: 12.5px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
}
pre {
  background: var(--paper); border: 1px solid var(--line); border-radius: 8px;
  padding: 14px 16px; overflow-x: auto;
}
.tiles {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 24px 0;
}
.tile {
  background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px 16px;
}
.tile b { display: block; font-size: 23px; font-weight: 650; font-variant-numeric: tabular-nums; }
section {
  background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: 20px 24px 24px; margin: 18px 0;
}
section > header { display: flex; align-items: center; gap: 12px; flex-wrap: wrap; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th { text-align: left; font-weight: 600; color: var(--soft); font-size: 12.5px; }
th, td { padding: 7px 14px 7px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
tr:last-child td { border-bottom: 0; }
td { overflow-wrap: break-word; }
th:last-child, td:last-child { padding-right: 0; }
th.number, td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.nowrap { white-space: nowrap; }
.pill {
  display: inline-block; border-radius: 99px; padding: 1px 10px;
  font-size: 12.5px; font-weight: 600; white-space: nowrap;
}
.ready, .key, .served-by { color: var(--good); background: var(--good-tint); }
.after, .care, .global-index { color: var(--care); background: var(--care-tint); }
.cannot, .blocks { color: var(--bad); background: var(--bad-tint); }
.note, .nothing { color: var(--note); background: var(--note-tint); }
.local-index {
  color: var(--accent); background: color-mix(in srgb, var(--accent) 14%, transparent);
}
ul.findings { list-style: none; padding: 0; margin: 14px 0 0; }
ul.findings li { display: grid; grid-template-columns: 70px 1fr; gap: 10px; padding: 6px 0; }
.remedy { color: var(--soft); }
.chart { max-width: 100%; height: auto; display: block; margin: 8px 0; }
.chart text { font-size: 11px; fill: var(--soft); }
.chart .count, .chart .label { text-anchor: middle; }
.chart .count { fill: var(--ink); }
.chart .label { font-size: 10.5px; }
.chart .name { text-anchor: end; font-size: 13px; fill: var(--ink); }
.chart .amount { font-size: 13px; fill: var(--ink); }
.bar { fill: var(--c2); } .bar.too-large { fill: var(--c5); }
.one { fill: var(--c1); background: var(--c1); } .table { fill: var(--c2); background: var(--c2); }
.local { fill: var(--c3); background: var(--c3); }
.global { fill: var(--c4); background: var(--c4); }
.refused { fill: var(--c5); background: var(--c5); }
.unsupported { fill: var(--c6); background: var(--c6); }
.storage { fill: var(--c6); background: var(--c6); }
.reads { fill: var(--c2); background: var(--c2); }
.writes { fill: var(--c4); background: var(--c4); }
.legend { display: flex; gap: 6px 18px; flex-wrap: wrap; font-size: 13px; color: var(--soft); }
.legend i {
  display: inline-block; width: 10px; height: 10px; border-radius: 3px; margin-right: 6px;
}
.columns { display: grid; grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); gap: 0 36px; }
@media (max-width: 760px) { .columns { grid-template-columns: minmax(0, 1fr); }
main { padding: 20px 14px; }
@media print { section { break-inside: avoid-page; } body { background: #fff; } }
"""
