"""The page as one file: style, content and the few lines of script that search and show what a mark says."""

from importlib.resources import files

from steady.report.findings import Findings
from steady.report.sections import body


def render_page(found: Findings) -> str:
    """HTML that needs nothing beside it; equal findings give equal bytes."""
    sheets = ("page.css", "matrices.css")
    style = "".join((files("steady.report") / sheet).read_text(encoding="utf-8") for sheet in sheets)
    script = (files("steady.report") / "page.js").read_text(encoding="utf-8")
    # the page shows what models wrote: nothing in it may fetch anything
    policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>Steady: report</title>
<link rel="icon" href="data:,">
<style>
{style}</style>
</head>
<body>
<a class="skip" href="#quality">Skip to the findings</a>
{body(found)}
<div id="tip" role="tooltip" hidden></div>
<script>
{script}</script>
</body>
</html>
"""
