"""The look of the status page: one style sheet, light and dark, from phone to wall display."""

CSS = """
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --line: #e1e5eb; --text: #161b24; --soft: #5b6675; --faint: #8a94a3;
  --produce: #1f6feb; --mirror: #8250df; --consume: #c2570c; --good: #15803d; --warn: #a16207; --bad: #cf222e;
  --shadow: 0 1px 2px rgb(16 24 40 / .05), 0 4px 16px rgb(16 24 40 / .05);
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0e1218; --card: #171d26; --line: #2a323e; --text: #e8ecf2; --soft: #a3aebd; --faint: #768292;
    --produce: #6cb0ff; --mirror: #bf9bff; --consume: #ff9c57;
    --good: #4ade80; --warn: #facc15; --bad: #ff7b72; --shadow: none;
  }
}
* { box-sizing: border-box; margin: 0; }
body {
  background: var(--page); color: var(--text); line-height: 1.5;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere;
}
main, header, footer { max-width: 1120px; margin: 0 auto; padding: 0 20px; }
header { display: flex; flex-wrap: wrap; gap: 6px 14px; align-items: center; padding-top: 22px; }
header strong { font-size: 18px; letter-spacing: -.01em; }
header span:last-child { margin-left: auto; }
.soft { color: var(--soft); font-size: 13px; }
.pill { border-radius: 99px; padding: 2px 11px; font-size: 13px; font-weight: 600; border: 1px solid; }
.pill.good { color: var(--good); } .pill.warn { color: var(--warn); }
section { margin: 26px 0 40px; }
h1, h2 { letter-spacing: -.015em; line-height: 1.25; font-weight: 650; }
.eyebrow { color: var(--soft); font-size: 13px; font-weight: 600; }
h1 { font-size: 27px; margin: 2px 0 18px; text-wrap: balance; }
h2 { font-size: 17px; margin: 0 0 10px; }
.flow { display: grid; grid-template-columns: repeat(var(--layers), minmax(0, 1fr)); gap: 34px; }
.layer {
  --tone: var(--soft); position: relative; display: flex; flex-direction: column;
  background: var(--card); border: 1px solid var(--line); border-top: 4px solid var(--tone);
  border-radius: 12px; padding: 16px 18px 6px; box-shadow: var(--shadow);
}
.layer + .layer::before {
  content: "\\2192"; position: absolute; left: -34px; width: 34px; top: 46px; text-align: center;
  color: var(--faint); font-size: 22px; line-height: 1;
}
.produce { --tone: var(--produce); } .mirror { --tone: var(--mirror); } .consume { --tone: var(--consume); }
.layer > .name { color: var(--tone); font-weight: 650; }
.count { font-size: 44px; font-weight: 700; line-height: 1.15; letter-spacing: -.03em; }
.count.zero { color: var(--faint); font-weight: 500; }
.caption { color: var(--soft); font-size: 13px; margin-bottom: 12px; }
.stage { border-top: 1px solid var(--line); padding: 10px 0; font-size: 13.5px; color: var(--soft); }
.stage .title { display: flex; justify-content: space-between; gap: 10px; }
.stage .title span:first-child { color: var(--text); font-weight: 600; }
.stage .title span:last-child { text-align: right; }
.stage .alarm { color: var(--bad); font-weight: 600; } .stage .note { color: var(--warn); }
.cost {
  background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 16px 18px;
  margin-top: 18px; box-shadow: var(--shadow);
}
.cost p { font-size: 15px; } .cost b { font-size: 17px; }
.bar { display: flex; gap: 2px; height: 12px; border-radius: 6px; overflow: hidden; margin: 10px 0 8px; }
.bar i { background: var(--tone); min-width: 6px; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 20px; font-size: 13.5px; color: var(--soft); }
.legend span::before {
  content: ""; display: inline-block; width: 10px; height: 10px; border-radius: 3px;
  background: var(--tone); margin-right: 7px;
}
.table {
  background: var(--card); border: 1px solid var(--line); border-radius: 12px; box-shadow: var(--shadow);
}
table { width: 100%; border-collapse: collapse; font-size: 13.5px; }
th, td { text-align: left; padding: 8px 12px; vertical-align: top; }
th { color: var(--soft); font-weight: 600; font-size: 12.5px; }
tbody tr { border-top: 1px solid var(--line); }
td.time { white-space: nowrap; }
td small { color: var(--soft); font-size: 12.5px; display: block; }
.chip { color: var(--tone); font-weight: 650; }
.conflicting { color: var(--bad); font-weight: 600; }
code { font: 12.5px/1.5 ui-monospace, SFMono-Regular, Menlo, "DejaVu Sans Mono", monospace; }
.none { padding: 18px; color: var(--soft); }
footer { padding-bottom: 40px; color: var(--soft); font-size: 13px; }
footer a { color: inherit; margin-right: 14px; }
@media (max-width: 760px) {
  main, header, footer { padding-left: 14px; padding-right: 14px; }
  header span:last-child { margin-left: 0; }
  h1 { font-size: 22px; }
  .flow { grid-template-columns: minmax(0, 1fr); gap: 30px; }
  .layer + .layer::before { content: "\\2193"; left: 0; right: 0; width: auto; top: -31px; }
  .layer { display: block; }
  .count { font-size: 34px; }
  thead { display: none; }
  tbody tr { display: block; padding: 10px 0; }
  td { display: grid; grid-template-columns: 84px minmax(0, 1fr); padding: 2px 14px; }
  td::before { content: attr(data-label); color: var(--faint); font-size: 12.5px; }
  td small, td > * { grid-column: 2; }
}
"""
