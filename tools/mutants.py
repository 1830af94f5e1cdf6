# tools/mutants.py -- the first-order mutants of a C file that clang-format wrote; for tools/mutate.
#
# It reads tokens, not a syntax tree: what it makes of one need not compile, and is then not counted.
# In REQUIRE() only effects are mutated: a promise of our own code is not kept by being checked less.
# What a stronger mutant implies is left out: whichever test notices that an operand of && or || is
# missing notices the other operator, too, and where a condition that is always true and one that is
# never true are both noticed, its negation is.
import hashlib
import re
from collections import namedtuple

# id:   file:function:operator:hash of the line, the token's place in it and what replaces it
# span: the characters that `text` replaces
Mutant = namedtuple("Mutant", "id file function operator line span text")
Token = namedtuple("Token", "kind text start end")

TOKEN = re.compile(r"""
    (?P<blank>\s+|//[^\n]*|/\*.*?\*/)
  | (?P<pp>(?<![^\n])\#(?:\\\n|[^\n])*)
  | (?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
  | (?P<number>\d[\w.]*)
  | (?P<name>[A-Za-z_]\w*)
  | (?P<op><<=|>>=|\.\.\.|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|.)
""", re.X | re.S)
RELATIONAL = {"<": ["<=", ">="], "<=": ["<", ">"], ">": [">=", "<="], ">=": [">", "<"],
              "==": ["!="], "!=": ["=="]}
NEGATED = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
# Of operators that can be unary clang-format shows by blanks on both sides which they are.
BINARY = {"+": "-", "-": "+", "*": "/", "/": "*", "%": "*", "&": "|", "|": "&", "^": "|",
          "<<": ">>", ">>": "<<"}
ASSIGNING = {"+=": "-=", "-=": "+=", "*=": "/=", "/=": "*=", "|=": "&=", "&=": "|=", "^=": "|=",
             "++": "--", "--": "++"}
TYPES = re.compile(r"(const|static|struct|enum|union|unsigned|signed|int|char|bool|long|short|void|"
                   r"size_t|ssize_t|float|double|\w+_t|uint128|AUTO|NORETURN|typedef|extern)$")
# What says in its header that it returns false: that it does so is no mutant.
REFUSING = re.compile(r"(err_(set|within|detail)|psbt_(invalid|unreadable|late|too_complex)|"
                      r"fields_(fail|no_memory)|work_fraud)$")
CLOSING = {"(": ")", "[": "]", "{": "}"}


def tokens_of(source):
    return [Token(m.lastgroup, m.group(), m.start(), m.end())
            for m in TOKEN.finditer(source) if m.lastgroup != "blank"]


class File:
    """Finds the mutants of one source; mutants() gives them in the order of the text."""

    def __init__(self, name, source):
        self.name, self.source = name, source
        self.tokens = tokens_of(source)
        self.partner = self.pair_up()
        self.inside = self.find_parentheses()  # the innermost one around each token, or None
        self.owner = [None] * len(self.tokens)  # (function, returns bool) of each token in a body
        self.find_functions()
        self.mutable = self.find_mutable()
        self.found, self.ids = [], {}

    def text(self, i):
        return self.tokens[i].text if 0 <= i < len(self.tokens) else ""

    def pair_up(self):
        partner, stack = {}, []
        for i, token in enumerate(self.tokens):
            if token.kind == "op" and token.text in "([{":
                stack.append(i)
            elif token.kind == "op" and token.text in ")]}" and stack:
                partner[i] = stack.pop()
                partner[partner[i]] = i
        return partner

    def find_parentheses(self):
        inside, stack = [], []
        for i, token in enumerate(self.tokens):
            if stack and self.partner.get(stack[-1]) == i:
                stack.pop()
            inside.append(stack[-1] if stack and self.text(stack[-1]) != "{" else None)
            if token.text in CLOSING and i in self.partner:
                stack.append(i)
        return inside

    def find_functions(self):
        i, start = 0, 0
        while i < len(self.tokens):
            if self.text(i) == "{" and i in self.partner:
                end = self.partner[i]
                is_body = self.text(i - 1) == ")"
                name = self.partner[i - 1] - 1 if is_body else i - 1
                while not is_body and name > start and self.tokens[name].kind != "name":
                    name -= 1
                returns_bool = is_body and self.text(name - 1) == "bool"
                self.owner[i:end + 1] = [(self.text(name), returns_bool, is_body)] * (end + 1 - i)
                i = end
            elif self.text(i) == ";":
                start = i + 1
            i += 1

    def find_mutable(self):
        """Not the sizes of arrays, nor what stands in REQUIRE or sizeof."""
        mutable = [owner is not None for owner in self.owner]
        for i, token in enumerate(self.tokens):
            if token.text in ("REQUIRE", "sizeof", "_Static_assert") and self.text(i + 1) == "(":
                end = self.partner[i + 1]
                mutable[i:end + 1] = [False] * (end + 1 - i)
            elif token.text == "[" and i in self.partner and self.is_declared(i - 1):
                mutable[i:self.partner[i]] = [False] * (self.partner[i] - i)
        return mutable

    def is_declared(self, i):
        """Whether the name there is declared there: a type or a star stands before it."""
        before = self.tokens[i - 1] if i > 0 else None
        return before is not None and self.tokens[i].kind == "name" and (
            before.kind == "name" and before.text not in ("return", "case", "else")
            or before.text == "*" and self.source[before.end] != " " or before.text == ",")

    # --- Making ---

    def add(self, operator, i, span, text):
        start = span[0]
        begin = self.source.rfind("\n", 0, start) + 1
        end = self.source.find("\n", start)
        line = self.source[begin:end if end >= 0 else None].strip()
        place = sum(begin <= t.start < start for t in self.tokens[max(0, i - 60):i + 60])
        function = self.owner[i][0] if self.owner[i] else "file"
        key = hashlib.sha256(f"{' '.join(line.split())}\0{place}\0{text}".encode()).hexdigest()[:8]
        name = f"{self.name}:{function}:{operator}:{key}"
        n = self.ids[name] = self.ids.get(name, 0) + 1
        # The lines that follow keep their numbers.
        text += "\n" * self.source.count("\n", *span)
        self.found.append(Mutant(name if n == 1 else f"{name}.{n}", self.name, function, operator,
                                 self.source.count("\n", 0, start) + 1, span, text))

    def replace(self, operator, i, text):
        self.add(operator, i, (self.tokens[i].start, self.tokens[i].end), text)

    def span(self, first, last):
        return self.tokens[first].start, self.tokens[last].end

    def wrap(self, operator, first, last, form):
        """form has % where the tokens first to last go."""
        start, end = self.span(first, last)
        body = self.source[start:end]
        self.add(operator, first, (start, end), form.replace("%", body.replace("\n", " ")))

    def is_binary(self, i):
        token = self.tokens[i]
        return (self.source[token.start - 1].isspace() and self.source[token.end].isspace()
                and self.text(i - 1) not in ("(", ",", "=", "return"))

    def is_whole_condition(self, i):
        """Whether it is an operand of && or ||, or all of an if's condition."""
        before, after = self.operand(i, -1) - 1, self.operand(i, 1) + 1
        return any(self.text(k) in ("&&", "||") for k in (before, after)) or (
            self.text(before) == "(" and self.text(before - 1) == "if") or (
            self.text(before) == ";" and self.inside[i] is not None)

    # --- Operators ---

    def mutate_token(self, i):
        token = self.tokens[i]
        for other in RELATIONAL.get(token.text, []):
            if other == NEGATED[token.text] and self.is_whole_condition(i):
                continue
            self.replace("rel", i, other)
        if token.text in BINARY and self.is_binary(i):
            self.replace("arith", i, BINARY[token.text])
        if token.text in ASSIGNING:
            self.replace("assign", i, ASSIGNING[token.text])
        if token.text == "!" and not self.is_whole_condition(i):
            self.replace("not", i, "")
        if token.kind == "number":
            self.mutate_number(i)
        if token.text in ("true", "false"):
            self.replace("bool", i, "false" if token.text == "true" else "true")
        if token.text in ("&&", "||"):
            self.mutate_logical(i)
        if token.text == "?":
            self.mutate_choice(i)
        if token.text in ("if", "while", "for"):
            self.mutate_condition(i)
        if token.text in ("break", "continue"):
            self.replace("jump", i, "continue" if token.text == "break" else "break")
            self.replace("jump", i, "")
        if token.text == "return" and self.owner[i][1]:
            self.mutate_return(i)

    def mutate_number(self, i):
        m = re.fullmatch(r"(0[xX][0-9a-fA-F]+|\d+)([uUlL]*)", self.text(i))
        if m is None:
            return
        n = int(m[1], 0)
        for other in [1] if n == 0 else [n - 1, n + 1]:
            self.replace("const", i, f"{other}{m[2]}")

    def operand(self, i, step):
        """The furthest token of the operand beside i, in that direction."""
        stops = {"&&", "||", ",", ";", "?", ":", "=", "return", "|=", "&=", "+=", "-="}
        if self.text(i) == "?" or self.text(i) == "||":
            stops -= {"&&"} | ({"||"} if self.text(i) == "?" else set())
        k = i + step
        while self.text(k) not in stops and not (
                self.text(k) in (CLOSING.values() if step > 0 else CLOSING)):
            k = self.partner[k] + step if k in self.partner else k + step
        return k - step

    def mutate_logical(self, i):
        is_and = self.text(i) == "&&"
        # An operand is dropped by what does not change the other.
        neutral, first = "true" if is_and else "false", self.operand(i, -1)
        if self.text(first - 1) != self.text(i):  # else it has been another's right one
            self.add("drop", first, self.span(first, i - 1), neutral)
        self.add("drop", i + 1, self.span(i + 1, self.operand(i, 1)), neutral)

    def mutate_choice(self, i):
        first = self.operand(i, -1)
        self.wrap("choice-false", first, i - 1, "((%) && false)")
        self.wrap("choice-true", first, i - 1, "((%) || true)")

    def mutate_condition(self, i):
        first, last = i + 2, self.partner[i + 1] - 1
        if self.text(i) == "for":
            parts = [k for k in range(first, last + 1)
                     if self.text(k) == ";" and self.depth_in(first, k) == 0]
            first, last = parts[0] + 1, parts[1] - 1
            if first > last:
                return
        self.wrap(self.text(i) + "-false", first, last, "(%) && false")
        if self.text(i) == "if":
            self.wrap("if-true", first, last, "(%) || true")

    def depth_in(self, first, k):
        return sum((self.text(t) in CLOSING) - (self.text(t) in CLOSING.values())
                   for t in range(first, k))

    def mutate_return(self, i):
        end = i + 1
        while self.text(end) != ";":
            end = self.partner[end] + 1 if end in self.partner else end + 1
        if end - i > 2 or self.text(i + 1) not in ("true", "false"):
            self.wrap("return-true", i + 1, end - 1, "(%), true")
            if not (REFUSING.match(self.text(i + 1)) and self.partner.get(i + 2) == end - 1):
                self.wrap("return-false", i + 1, end - 1, "(%), false")

    def mutate_statement(self, i):
        """Removes the statement that begins there, if it has an effect and no name is declared."""
        before, token = self.tokens[i - 1], self.tokens[i]
        begins = before.text in (";", "{", "}", "else") or (
            before.text == ":" and self.source[before.end] == "\n") or (
            before.text == ")" and self.text(self.partner[i - 1] - 1) in ("if", "for", "while"))
        if not begins or not self.owner[i][2] or self.inside[i] is not None or not (
                token.kind == "name" or token.text in ("*", "(", "++", "--")):
            return
        if TYPES.match(token.text) or token.text in (
                "if", "else", "for", "while", "do", "switch", "case", "default", "return", "break",
                "continue", "goto") or (token.kind == "name" and self.is_declared(i + 1)):
            return
        end = i
        while self.text(end) not in (";", "{", "}", ")", ","):
            end = self.partner[end] + 1 if end in self.partner else end + 1
        if self.text(end) != ";" or (token.text == "(" and self.text(i + 1) == "void"
                                     and self.text(i + 4) == ";"):
            return
        if token.text == "REQUIRE" and not re.search(r"[(!, ]&\w", self.source[slice(*self.span(i, end))]):
            return
        self.add("remove", i, (self.tokens[i].start, self.tokens[end].start), "")

    def mutate_define(self, i):
        m = re.match(r"#define (\w+) +(\d+)[uUlL]*\b(?!\w)", self.tokens[i].text)
        if m is None:
            return
        start = self.tokens[i].start + m.start(2)
        for other in (int(m[2]) - 1, int(m[2]) + 1):
            self.add("const", i, (start, start + len(m[2])), str(other))

    def mutants(self):
        for i, token in enumerate(self.tokens):
            if token.kind == "pp":
                self.mutate_define(i)
            elif self.mutable[i]:
                self.mutate_token(i)
            if self.owner[i] is not None and 0 < i:
                self.mutate_statement(i)
        return self.found


def mutants_of(name, source):
    return File(name, source).mutants()


def applied(source, mutant):
    return source[:mutant.span[0]] + mutant.text + source[mutant.span[1]:]
