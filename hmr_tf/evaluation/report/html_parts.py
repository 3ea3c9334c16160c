"""Parts of HTML pages: the document, tables, pictures."""

import base64
import html

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; max-width: 1120px; margin: 24px auto;
       padding: 0 16px }
h1 { font-size: 24px; margin-bottom: 4px }
h2 { font-size: 18px; margin: 28px 0 8px }
code { font-size: 13px; overflow-wrap: anywhere }
table { border-collapse: collapse }
th, td { padding: 3px 10px; border-bottom: 1px solid #ddd; text-align: right }
th:first-child, td:first-child { text-align: left }
thead th { border-bottom: 2px solid #888 }
.charts { display: flex; flex-wrap: wrap; gap: 16px }
figure { margin: 0 0 14px }
img { width: 720px; max-width: 100%; display: block }
img.wide { width: auto }
td { white-space: nowrap }
th.group { text-align: center }
.charts p { max-width: 420px }
figcaption { color: #555; font-size: 13px }
.warning { background: #fee; border-left: 4px solid #c33; padding: 8px }
.scroll { max-height: 420px; max-width: 100%; overflow: auto; display: inline-block }
.wide { max-width: 100%; overflow-x: auto }
.wide td:first-child { white-space: normal; min-width: 220px }
.wide th { overflow-wrap: anywhere }
"""


def table(header, rows, groups=()):
    """HTML of a table.

    Args:
      header: texts.
      rows: of texts.
      groups: (text, number of columns) of a line above the header.
    """
    head = "".join(f"<th>{safe(cell)}</th>" for cell in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{safe(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    above = "".join(
        f'<th class="group" colspan="{count}">{safe(text)}</th>' for text, count in groups
    )
    above = f"<tr>{above}</tr>" if groups else ""
    return f"<table><thead>{above}<tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def document(title, parts):
    """A complete HTML page of some parts."""
    body = "\n".join(parts)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{safe(title)}</title><style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def safe(text):
    """Text as HTML; names come from files that are not trusted."""
    return html.escape(str(text))


def figure(caption, jpeg, is_wide=False):
    """HTML of a picture, the bytes of a JPEG, with its caption; `is_wide`: in its own size."""
    data = base64.b64encode(jpeg).decode("ascii")
    style = ' class="wide"' if is_wide else ""
    return (
        f'<figure><img{style} src="data:image/jpeg;base64,{data}" alt="{safe(caption)}">'
        f"<figcaption>{safe(caption)}</figcaption></figure>"
    )
