//! Parses the runbook's text into [`CommandLine`]s.
//!
//! The lexer supports the part of bash that the runbook uses: words, the three kinds of quotes, `$NAME`,
//! `${NAME}`, `$(…)`, pipes, `> file`, comments, and `\` at the end of a line. Anything else that has a
//! meaning in bash is an error, so no text is parsed in another way than bash parses it.

use super::{CommandLine, Piece, Word};

/// The error for a text that is not a command of the supported kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} at byte {offset}: {why}", .found.map_or("the end".into(), |c| format!("{c:?}")))]
pub struct SyntaxError {
    /// The byte offset of the error.
    pub offset: usize,
    /// The character at that offset; `None` at the end of the text.
    pub found: Option<char>,
    /// The reason.
    pub why: &'static str,
}

const SPECIAL: &str = "bash gives this a meaning that a command of the runbook may not use; quote it";
const CONTROL: &str = "a control character; quote it if it is meant";

/// Words that begin a compound command in the position of a program (Bash Reference Manual, 3.2.1).
const RESERVED: [&str; 16] = [
    "case", "coproc", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if", "select", "then",
    "time", "until", "while",
];

/// Parses a text that contains exactly one command.
///
/// # Errors
/// When the text contains no command, several commands, or unsupported syntax ([`SyntaxError`]).
pub fn parse(text: &str) -> Result<CommandLine, SyntaxError> {
    let mut lexer = Lexer::new(text)?;
    let command = lexer.next_command()?;
    lexer.skip_to_command();
    match (command, lexer.peek()) {
        (None, _) => Err(lexer.error("a command is missing here")),
        (Some(_), Some(_)) => Err(lexer.error("a second command begins here")),
        (Some(command), None) => Ok(command),
    }
}

/// Parses a code block: any number of commands, with comments and blank lines between them.
///
/// # Errors
/// When the block contains unsupported syntax ([`SyntaxError`]).
pub fn parse_block(text: &str) -> Result<Vec<CommandLine>, SyntaxError> {
    let mut lexer = Lexer::new(text)?;
    std::iter::from_fn(|| lexer.next_command().transpose()).collect()
}

/// Returns whether bash accepts this character inside a variable's name.
pub(super) fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

struct Lexer<'t> {
    text: &'t str,
    /// A byte offset, always between two characters.
    at: usize,
}

impl<'t> Lexer<'t> {
    fn new(text: &'t str) -> Result<Self, SyntaxError> {
        let lexer = Self { text, at: 0 };
        match text.find('\0') {
            Some(nul) => Err(lexer.error_at(nul, "no argument of a program can contain this")),
            None => Ok(lexer),
        }
    }

    fn next_command(&mut self) -> Result<Option<CommandLine>, SyntaxError> {
        self.skip_to_command();
        self.peek().map(|_| self.command()).transpose()
    }

    fn command(&mut self) -> Result<CommandLine, SyntaxError> {
        let mut stages = vec![self.stage()?];
        while self.eat("|") {
            stages.push(self.stage()?);
        }
        let redirect = if self.eat(">") { Some(self.redirect()?) } else { None };
        match self.peek() {
            None | Some('\n') => {}
            Some(';') => self.at += 1,
            Some(_) => {
                return Err(self.error("nothing but the end of the command may follow its redirection"));
            }
        }
        Ok(CommandLine { stages, redirect })
    }

    fn stage(&mut self) -> Result<Vec<Word>, SyntaxError> {
        let mut words = Vec::new();
        self.skip_blanks();
        while let (start, Some(word)) = (self.at, self.word()?) {
            let raw = &self.text[start..self.at];
            if words.is_empty() && !is_plain_program(raw) {
                return Err(self.error_at(start, "a program's plain name is expected here"));
            }
            if self.peek() == Some('>') && is_descriptor(raw) {
                return Err(self.error("bash would redirect the file descriptor of that number"));
            }
            words.push(word);
            self.skip_blanks();
        }
        if words.is_empty() { Err(self.error("a command is missing here")) } else { Ok(words) }
    }

    fn redirect(&mut self) -> Result<Word, SyntaxError> {
        self.skip_blanks();
        let start = self.at;
        let file = self.word()?.filter(|word| word.as_literal() != Some(""));
        self.skip_blanks();
        file.ok_or_else(|| self.error_at(start, "the name of a file is missing here"))
    }

    /// Parses the word that begins here; returns `None` at the end of a command or a stage.
    fn word(&mut self) -> Result<Option<Word>, SyntaxError> {
        let start = self.at;
        let mut word = Word::default();
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' | '\n' | '|' | '>' | ';' => break,
                '\'' => word.push(Piece::Literal(self.single_quoted()?)),
                '"' => self.double_quoted(&mut word)?,
                '\\' => self.escaped(&mut word)?,
                '$' => word.push(self.expansion()?),
                '&' | '<' | '(' | ')' | '`' | '*' | '?' | '[' | '{' | '}' | '~' | '!' => {
                    return Err(self.error(SPECIAL));
                }
                c if c.is_control() => return Err(self.error(CONTROL)),
                c => {
                    word.push_char(c);
                    self.skip(c);
                }
            }
        }
        Ok((self.at > start).then_some(word))
    }

    fn single_quoted(&mut self) -> Result<String, SyntaxError> {
        let inside = &self.rest()[1..];
        let end = inside.find('\'').ok_or_else(|| self.error("this quote is never closed"))?;
        self.at += end + 2;
        Ok(inside[..end].into())
    }

    fn double_quoted(&mut self, word: &mut Word) -> Result<(), SyntaxError> {
        let start = self.at;
        self.at += 1;
        while let Some(c) = self.peek() {
            match c {
                '$' => word.push(self.expansion()?),
                '`' => return Err(self.error(SPECIAL)),
                _ => {
                    self.skip(c);
                    match (c, self.peek()) {
                        ('"', _) => return Ok(()),
                        ('\\', Some('\n')) => self.at += 1,
                        ('\\', Some(escaped @ ('$' | '"' | '\\' | '`'))) => {
                            word.push_char(escaped);
                            self.at += 1;
                        }
                        _ => word.push_char(c),
                    }
                }
            }
        }
        Err(self.error_at(start, "this quote is never closed"))
    }

    fn escaped(&mut self, word: &mut Word) -> Result<(), SyntaxError> {
        self.at += 1;
        let c = self.peek().ok_or_else(|| self.error("a backslash escapes nothing here"))?;
        self.skip(c);
        if c != '\n' {
            word.push_char(c);
        }
        Ok(())
    }

    /// Parses an expansion, which begins with `$`.
    fn expansion(&mut self) -> Result<Piece, SyntaxError> {
        let start = self.at;
        self.at += 1;
        if self.eat("(") {
            return self.substitution(start);
        }
        let braces = self.eat("{");
        let name: &str = self.take_while(is_name_char);
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(self.error_at(start, "only $NAME, ${NAME} and $(…) may be used; a literal $ is \\$"));
        }
        if braces && !self.eat("}") {
            return Err(self.error("only ${NAME} may be used, with nothing after the name"));
        }
        // Bash joins the lines before it parses names, so the name would continue in the next line.
        if !braces && self.rest().starts_with("\\\n") {
            return Err(self.error("the name may go on in the next line; write ${NAME}"));
        }
        Ok(Piece::Variable(name.into()))
    }

    /// Parses `$(…)` up to the first `)`, and refuses every character that could make a later `)` the right
    /// one.
    fn substitution(&mut self, start: usize) -> Result<Piece, SyntaxError> {
        self.take_while(|c| !")('\"\\`#;\n".contains(c));
        if self.eat(")") {
            Ok(Piece::Substitution(self.text[start..self.at].into()))
        } else {
            Err(self.error("$(…) may contain only plain words, up to its )"))
        }
    }

    /// Skips blank lines and comments before a command.
    fn skip_to_command(&mut self) {
        self.skip_blanks();
        while self.eat("\n") {
            self.skip_blanks();
        }
    }

    /// Skips blanks, `\` at the end of a line, and a comment before a word.
    fn skip_blanks(&mut self) {
        while self.eat(" ") || self.eat("\t") || self.eat("\\\n") {}
        if self.peek() == Some('#') {
            self.take_while(|c| c != '\n');
        }
    }

    fn take_while(&mut self, keep: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let taken = &rest[..rest.find(|c| !keep(c)).unwrap_or(rest.len())];
        self.at += taken.len();
        taken
    }

    fn eat(&mut self, expected: &str) -> bool {
        let found = self.rest().starts_with(expected);
        if found {
            self.at += expected.len();
        }
        found
    }

    fn skip(&mut self, c: char) {
        self.at += c.len_utf8();
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn error(&self, why: &'static str) -> SyntaxError {
        self.error_at(self.at, why)
    }

    fn error_at(&self, offset: usize, why: &'static str) -> SyntaxError {
        SyntaxError { offset, found: self.text[offset..].chars().next(), why }
    }
}

/// Returns whether a word, as written, can only name a program in bash: no assignment, no reserved word, no
/// `%job`.
fn is_plain_program(raw: &str) -> bool {
    raw.chars().all(|c| c.is_ascii_alphanumeric() || "_-+./".contains(c)) && !RESERVED.contains(&raw)
}

/// Returns whether a word, as written, would be a file descriptor before `>`.
fn is_descriptor(raw: &str) -> bool {
    raw.replace("\\\n", "").chars().all(|c| c.is_ascii_digit())
}
