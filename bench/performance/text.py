"""Numbers and tables as Markdown."""


def table(head, rows, left=1):
    """The first `left` columns are text."""
    rules = ["---"] * left + ["--:"] * (len(head) - left)
    lines = [head, rules, *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def strong(text):
    return f"**{text}**"


def figures(number, digits=3):
    """With so many figures that count, and commas."""
    if number is None:
        return "-"
    if number == 0:
        return "0"
    places = 0
    while places < 4 and abs(number) * 10**places < 10 ** (digits - 1):
        places += 1
    return f"{number:,.{places}f}"


def micros(seconds):
    return "-" if seconds is None else figures(seconds * 1e6)


def millis(milliseconds):
    return "-" if milliseconds is None else figures(milliseconds)


def mebibytes(size):
    return "-" if size is None else f"{size / 2**20:,.1f}"


def ratio(value):
    return "-" if value is None else f"{value:.2f}"


def share(value):
    """A change as percent, with its sign."""
    return "-" if value is None else f"{value:+.1%}".replace("%", " %")
