#!/usr/bin/env python3
"""tidy: what style.md asks for and a compiler does not check.

Each rule is a function that yields (file, line, sentence).  `tidy.py --self-test` breaks each rule on a
made-up tree and sees it found.  Exit status 1 when anything is found."""
import os
import re
import sys
import tempfile

ROOMS = ("ring", "config", "venues", "hot", "cold", "bench", "tests", "tools")
MAY_INCLUDE = {
    "ring": {"ring"},
    "config": {"config", "ring"},
    "venues": {"venues", "ring"},
    "hot": {"hot", "ring", "venues", "config"},
    "cold": {"cold", "ring", "venues", "config"},
    "bench": set(ROOMS),
    "tests": set(ROOMS),
    "tools": set(ROOMS),
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def sources(root, ends=(".c", ".h", ".cc")):
    for room in ROOMS:
        for folder, folders, files in os.walk(os.path.join(root, room)):
            folders[:] = [f for f in folders if not f.startswith((".", "build"))]
            for name in sorted(files):
                if name.endswith(ends):
                    yield os.path.relpath(os.path.join(folder, name), root)


def lines(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read().split("\n")


def code_lines(root, path):
    """Lines with comments and strings blanked, so that prose about malloc is not a call of it."""
    text = "\n".join(lines(root, path))
    blank = lambda m: re.sub(r"[^\n]", " ", m.group(0))
    text = re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', blank, text, flags=re.S)
    return text.split("\n")


def includes(root):
    for path in sources(root):
        room = path.split("/")[0]
        for number, line in enumerate(lines(root, path), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            target = match.group(1)
            if target.startswith("."):
                yield path, number, f"includes are written from the root, not {target}"
                continue
            to = target.split("/")[0]
            if to not in ROOMS:
                if os.path.exists(os.path.join(root, os.path.dirname(path), target)):
                    yield path, number, f"includes are written from the root, not {target}"
                continue
            if to not in MAY_INCLUDE[room]:
                yield path, number, f"{room}/ may not include {to}/"
            if path.startswith("hot/strategy/") and (target.startswith("hot/net/") or to == "venues"):
                yield path, number, f"hot/strategy/ knows no {os.path.dirname(target)}"
            if path.startswith("tools/sim/") and to in ("hot", "cold", "venues"):
                yield path, number, f"the venue model may not include {to}/: it would only prove itself"


# Called per message or per turn, these cost a lock, a system call or a surprise.  What only runs at start says
# so: `tidy: at start` on the line, or `tidy: from here at start` until `tidy: from here hot`.
FORBIDDEN = re.compile(
    r"\b(malloc|calloc|realloc|free|strdup|printf|fprintf|snprintf|sprintf|vsnprintf|sscanf|strtod|atof|"
    r"pthread_mutex_\w+|usleep|nanosleep|sleep|syslog|fopen|fwrite|fflush)\s*\(")


def hot_calls(root):
    for path in sources(root, (".c", ".h")):
        if not path.startswith(("hot/", "ring/spsc", "ring/queue", "ring/channel", "ring/cell")):
            continue
        plain = lines(root, path)
        starting = False
        for number, line in enumerate(code_lines(root, path), 1):
            starting = ("tidy: from here at start" in plain[number - 1] or starting) and "tidy: from here hot" not in plain[number - 1]
            match = FORBIDDEN.search(line)
            if match and not starting and "tidy: at start" not in plain[number - 1]:
                yield path, number, f"{match.group(1)} on a hot thread (or say `tidy: at start`)"


def hot_floats(root):
    for path in sources(root, (".c", ".h")):
        if not path.startswith(("hot/", "ring/")):
            continue
        for number, line in enumerate(code_lines(root, path), 1):
            if re.search(r"\b(double|float)\b", line):
                yield path, number, "no floating point where money is hot"


def own_ciphers(root):
    names = re.compile(r"\b_mm\w*_(aesenc|aesdec|clmulepi64|sha256rnds2)\w*")
    for path in sources(root):
        for number, line in enumerate(code_lines(root, path), 1):
            if names.search(line):
                yield path, number, "no cipher, hash or curve is written here"


def edges(root):
    """Every ordering stronger than relaxed names the edge it is half of."""
    for path in sources(root, (".c", ".h")):
        if not path.startswith(("ring/", "hot/", "cold/")):
            continue
        plain = lines(root, path)
        for number, line in enumerate(code_lines(root, path), 1):
            if re.search(r"memory_order_(acquire|release|acq_rel|seq_cst)", line):
                near = "\n".join(plain[max(0, number - 9):number])
                if "edge " not in near:
                    yield path, number, "an atomic operation names its edge (`edge P: ...`)"


DEFINITION = re.compile(r"^(?!static|return|else|typedef|struct \w+ \{|enum|extern|#|_)[A-Za-z_][\w \*]*?\b(\w+)\(")


# Nouns too small for a file of their own.
WORDS = ("currency_find", "currency_code", "side_sign")


def stems(root):
    """A function that other files may call begins with its file's stem."""
    for path in sources(root, (".c",)):
        room = path.split("/")[0]
        if room not in ("ring", "hot", "cold", "config"):
            continue
        stem = os.path.splitext(os.path.basename(path))[0]
        first = stem.split("_")[0]
        for number, line in enumerate(code_lines(root, path), 1):
            match = DEFINITION.match(line)
            if match and not line.rstrip().endswith(";"):
                name = match.group(1)
                folder = os.path.basename(os.path.dirname(path))
                nouns = tuple(os.path.splitext(f)[0] + "_" for f in os.listdir(os.path.join(root, os.path.dirname(path)))
                              if f.endswith(".h"))
                if name == "main" or name.startswith((stem, first, folder + "_") + nouns) or name in WORDS:
                    continue
                yield path, number, f"{name} does not begin with its file's stem ({stem})"


def headers(root):
    for path in sources(root, (".h",)):
        if path.startswith("tests/"):
            continue
        text = lines(root, path)
        if not text[0].startswith("/*"):
            yield path, 1, "a header opens by saying what the thing is"
        if not any(l.startswith("#ifndef ") for l in text):
            yield path, 1, "a header has an include guard"


def rooms_told(root):
    for room in ROOMS:
        if os.path.isdir(os.path.join(root, room)) and not os.path.exists(os.path.join(root, room, "README.md")):
            yield room, 1, "a room's README says in one page what it is for"


SILENT = re.compile(r"/work/|/tmp/briefs|pypi|registry\.npmjs|deb\.debian\.org|\b(LLM|chatbot|assistant)\b")


def speaks_of_itself(root):
    for path in sources(root, (".c", ".h", ".cc", ".md", ".toml", ".txt", ".py", ".sh", ".mjs")):
        if path == "tests/tidy/tidy.py" or path.startswith("tests/data/"):
            continue
        for number, line in enumerate(lines(root, path), 1):
            if SILENT.search(line):
                yield path, number, "the project speaks of itself alone"


RULES = [includes, hot_calls, hot_floats, own_ciphers, edges, stems, headers, rooms_told, speaks_of_itself]


def run(root):
    found = 0
    for rule in RULES:
        for path, number, sentence in rule(root):
            print(f"{path}:{number}: {sentence} [{rule.__name__}]")
            found += 1
    return found


BROKEN = {
    "includes": ("ring/a.h", '/* a */\n#ifndef POISE_A\n#include "hot/b.h"\n#endif\n'),
    "hot_calls": ("hot/a.c", "/* a */\nvoid a_b(void)\n{\n    malloc(1);\n}\n"),
    "hot_floats": ("hot/a.c", "double a_b(void)\n{\n}\n"),
    "own_ciphers": ("venues/a.c", "x = _mm_aesenc_si128(a, b);\n"),
    "edges": ("ring/a.c", "x = atomic_load_explicit(&y, memory_order_acquire);\n"),
    "stems": ("ring/a.c", "int wrong_name(void)\n{\n}\n"),
    "headers": ("ring/a.h", "int x;\n"),
    "rooms_told": ("ring/a.c", "\n"),
    "speaks_of_itself": ("ring/README.md", "built at /work/main\n"),
}


def self_test():
    failed = 0
    for rule in RULES:
        path, text = BROKEN[rule.__name__]
        with tempfile.TemporaryDirectory() as root:
            os.makedirs(os.path.join(root, os.path.dirname(path)))
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(text)
            if not list(rule(root)):
                print(f"self-test: rule {rule.__name__} does not see its own break")
                failed += 1
    print(f"{len(RULES) - failed} passed, {failed} failed")
    return failed


if __name__ == "__main__":
    if "--self-test" in sys.argv:
        sys.exit(1 if self_test() else 0)
    here = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    count = run(sys.argv[1] if len(sys.argv) > 1 else here)
    print(f"tidy: {count} findings")
    sys.exit(1 if count else 0)
