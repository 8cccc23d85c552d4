"""Makes man pages of a program's own help: man.py VERSION DATE FOLDER < DUMP

DUMP is what `PROGRAM --experimental-dump-help` prints. FOLDER gets one page a command, PROGRAM.1 and
PROGRAM-COMMAND.1; commands that the help does not show get none.
"""

import json
import pathlib
import re
import sys


def plain(text):
    """Text as roff takes it: nothing in it is a request or an escape."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "")
    text = text.replace("^", "\\(ha").replace("~", "\\(ti").replace("…", "...")
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.MULTILINE)


def paragraphs(text):
    """Paragraphs are filled; indented ones are commands or tables, which keep their lines."""
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        lines = block.split("\n")
        if all(line.startswith("  ") for line in lines):
            yield from [".PP", ".nf", ".RS 2", *map(plain, [line[2:] for line in lines]), ".RE", ".fi"]
        else:
            yield from [".PP", plain("\n".join(line.strip() for line in lines))]


def names(argument):
    for name in argument.get("names", []):
        yield ("--" if name["kind"] == "long" else "-") + name["name"]


def value(argument):
    return "" if argument["kind"] == "flag" else f"\\fI{plain(argument['valueName'])}\\fR"


def usage(argument):
    if argument["kind"] == "positional":
        text = value(argument)
    else:
        preferred = argument["preferredName"]
        dashes = "\\-\\-" if preferred["kind"] == "long" else "\\-"
        text = f"\\fB{dashes}{plain(preferred['name'])}\\fR"
        text += f"\\ {value(argument)}" if value(argument) else ""
    text += " ..." if argument["isRepeating"] else ""
    return f"[{text}]" if argument["isOptional"] else text


def description(argument):
    head = ", ".join(f"\\fB{plain(name)}\\fR" for name in names(argument))
    yield ".TP"
    yield f"{head} {value(argument)}".strip()
    text = argument.get("abstract", "")
    if argument.get("allValues"):
        text += f" One of: {', '.join(argument['allValues'])}."
    if argument.get("defaultValue") and argument["kind"] != "flag":
        text += f" Default: {argument['defaultValue']}."
    yield plain(text.strip()) or "\\&"
    if argument.get("discussion"):
        yield plain(argument["discussion"])


def page(command, path, version, date):
    title = "-".join(path)
    arguments = [each for each in command.get("arguments", []) if each["shouldDisplay"]]
    children = [each for each in command.get("subcommands", [])
                if each.get("shouldDisplay", True) and each["commandName"] != "help"]
    yield f'.TH "{plain(title.upper())}" 1 "{date}" "Arca {version}" "Arca"'
    yield from [".SH NAME", f"{plain(title)} \\- {plain(command.get('abstract', '')).rstrip('.')}"]
    yield from [".SH SYNOPSIS", ".ad l", f"\\fB{plain(' '.join(path))}\\fR"]
    yield from ["\\fIcommand\\fR ..."] if children else map(usage, arguments)
    yield ".ad b"
    if command.get("discussion"):
        yield from [".SH DESCRIPTION", *list(paragraphs(command["discussion"]))[1:]]
    if children:
        yield ".SH COMMANDS"
        for child in children:
            yield from [".TP", f"\\fB{plain('-'.join([*path, child['commandName']]))}\\fR(1)",
                        plain(child.get("abstract", ""))]
    positional = [each for each in arguments if each["kind"] == "positional"]
    options = [each for each in arguments if each["kind"] != "positional"]
    sections = {"": options and [each for each in options if "sectionTitle" not in each]}
    for each in options:
        if "sectionTitle" in each:
            sections.setdefault(each["sectionTitle"], []).append(each)
    if positional:
        yield ".SH ARGUMENTS"
        for each in positional:
            yield from description(each)
    yield ".SH OPTIONS"
    for section in ["", *sorted(filter(None, sections))]:
        yield from [f".SS {plain(section)}"] if section else []
        for each in sections[section]:
            yield from description(each)
    related = ["-".join(path[:-1])] if len(path) > 1 else []
    related += ["arca-kbs" if path[0] == "arca" else "arca"] if len(path) == 1 else []
    yield from [".SH SEE ALSO", ", ".join(f"\\fB{plain(name)}\\fR(1)" for name in related)]


def write(command, path, version, date, folder):
    path = [*path, command["commandName"]]
    text = "\n".join(page(command, path, version, date)) + "\n"
    (folder / f"{'-'.join(path)}.1").write_text(text)
    for child in command.get("subcommands", []):
        if child.get("shouldDisplay", True) and child["commandName"] != "help":
            write(child, path, version, date, folder)


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    version, date, folder = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
    write(json.load(sys.stdin)["command"], [], version, date, folder)


if __name__ == "__main__":
    main()
