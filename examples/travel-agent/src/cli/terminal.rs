//! Terminal output: the streamed response on stdout, and a live line for each tool call on stderr.

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use serde_json::Value;

const DIM: &str = "\x1b[2m";
const PLAIN: &str = "\x1b[0m";
/// Maximum length of the arguments in a call's line. A line that wraps can't be rewritten.
const MAX_ARGUMENTS: usize = 42;

/// The two output streams and their state.
#[derive(Debug)]
pub(crate) struct Terminal<O, E> {
    out: O,
    err: E,
    out_is_terminal: bool,
    err_is_terminal: bool,
    /// True if the last text has no line break.
    mid_line: bool,
    /// The calls whose lines are at the bottom, in order.
    calls: Vec<Call>,
}

#[derive(Debug)]
struct Call {
    id: String,
    label: String,
}

impl Terminal<io::Stdout, io::Stderr> {
    pub(crate) fn standard() -> Self {
        let dim = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let (out, err) = (io::stdout(), io::stderr());
        let (out_is_terminal, err_is_terminal) = (out.is_terminal(), err.is_terminal() && dim);
        Self::new(out, out_is_terminal, err, err_is_terminal)
    }
}

impl<O: Write, E: Write> Terminal<O, E> {
    pub(super) fn new(out: O, out_is_terminal: bool, err: E, err_is_terminal: bool) -> Self {
        Self { out, err, out_is_terminal, err_is_terminal, mid_line: false, calls: Vec::new() }
    }

    /// Writes a chunk of the response.
    pub(crate) fn text(&mut self, text: &str) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        self.calls.clear();
        if self.out_is_terminal {
            // Control characters from a model must not reach the terminal.
            let harmless: String = text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
            self.out.write_all(harmless.as_bytes())?;
        } else {
            self.out.write_all(text.as_bytes())?;
        }
        self.mid_line = !text.ends_with('\n');
        self.out.flush()
    }

    /// Ends a paragraph of the response.
    pub(crate) fn end_line(&mut self) -> io::Result<()> {
        if self.mid_line {
            self.mid_line = false;
            writeln!(self.out)?;
        }
        self.out.flush()
    }

    /// Writes a note to stderr.
    pub(crate) fn note(&mut self, note: &str) -> io::Result<()> {
        self.end_line()?;
        self.calls.clear();
        self.aside(note)
    }

    /// Starts the line of a call. On a terminal it is written at once and rewritten at the end.
    pub(crate) fn call_starts(&mut self, id: &str, name: &str, input: &Value) -> io::Result<()> {
        self.end_line()?;
        let label = format!("{name}({})", short(input));
        if self.err_is_terminal {
            self.aside(&format!("  \u{2026} {label}"))?;
        }
        self.calls.push(Call { id: id.to_owned(), label });
        Ok(())
    }

    /// Ends the line of a call.
    pub(crate) fn call_ends(&mut self, id: &str, failed: bool, duration: Duration) -> io::Result<()> {
        let Some(at) = self.calls.iter().position(|call| call.id == id) else { return Ok(()) };
        let label = self.calls.get(at).map(|call| call.label.as_str()).unwrap_or_default();
        let (mark, outcome) = if failed { ('\u{2717}', "err") } else { ('\u{2713}', "ok") };
        let line = format!("  {mark} {label} {outcome}, {}", rounded(duration));
        if !self.err_is_terminal {
            return self.aside(&line);
        }
        let up = self.calls.len() - at;
        write!(self.err, "\x1b[{up}A\r\x1b[2K")?;
        self.aside(&line)?;
        if up > 1 {
            write!(self.err, "\x1b[{}B", up - 1)?;
        }
        self.err.flush()
    }

    /// Writes data to stdout.
    pub(crate) fn data(&mut self, data: &str) -> io::Result<()> {
        self.end_line()?;
        writeln!(self.out, "{data}")?;
        self.out.flush()
    }

    fn aside(&mut self, line: &str) -> io::Result<()> {
        if self.err_is_terminal { writeln!(self.err, "{DIM}{line}{PLAIN}") } else { writeln!(self.err, "{line}") }
    }
}

/// Formats the arguments of a call, truncated to fit a line.
fn short(input: &Value) -> String {
    let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let words: Vec<String> = match input {
        Value::Object(fields) => fields.iter().map(|(name, value)| format!("{name}: {}", word(value))).collect(),
        Value::Null => Vec::new(),
        other => vec![word(other)],
    };
    let mut line: String = words.join(", ").chars().filter(|c| !c.is_control()).collect();
    if let Some((end, _)) = line.char_indices().nth(MAX_ARGUMENTS) {
        line.truncate(end);
        line.push('\u{2026}');
    }
    line
}

fn rounded(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    if milliseconds < 1000 { format!("{milliseconds} ms") } else { format!("{:.1} s", duration.as_secs_f64()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(terminal: bool, act: impl FnOnce(&mut Terminal<&mut Vec<u8>, &mut Vec<u8>>)) -> (String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        act(&mut Terminal::new(&mut out, terminal, &mut err, terminal));
        (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    #[test]
    fn rewrites_the_line_of_each_call() {
        let (_, err) = shown(true, |terminal| {
            terminal.call_starts("1", "todays_date", &json!({})).unwrap();
            terminal.call_starts("2", "get_hotels", &json!({"city": "Boston", "nights": 2})).unwrap();
            terminal.call_ends("1", false, Duration::from_millis(3)).unwrap();
            terminal.call_ends("2", true, Duration::from_millis(1500)).unwrap();
        });
        let plain = err.replace(DIM, "").replace(PLAIN, "");
        assert_eq!(
            plain,
            "  \u{2026} todays_date()\n  \u{2026} get_hotels(city: Boston, nights: 2)\n\
             \x1b[2A\r\x1b[2K  \u{2713} todays_date() ok, 3 ms\n\x1b[1B\
             \x1b[1A\r\x1b[2K  \u{2717} get_hotels(city: Boston, nights: 2) err, 1.5 s\n"
        );
    }

    #[test]
    fn writes_plain_lines_to_pipes() {
        let (out, err) = shown(false, |terminal| {
            terminal.text("Let me see").unwrap();
            terminal.call_starts("1", "get_hotels", &json!({"city": "Boston"})).unwrap();
            terminal.call_ends("1", false, Duration::from_millis(3)).unwrap();
            terminal.text("Done.").unwrap();
            terminal.end_line().unwrap();
        });
        assert_eq!(out, "Let me see\nDone.\n");
        assert_eq!(err, "  \u{2713} get_hotels(city: Boston) ok, 3 ms\n");
    }

    #[test]
    fn removes_control_characters() {
        let (out, err) = shown(true, |terminal| {
            terminal.text("a\x1b[2Jb\n").unwrap();
            terminal.call_starts("1", "t", &json!({"x": "\x1b]0;evil\x07"})).unwrap();
        });
        assert_eq!(out, "a[2Jb\n");
        assert!(!err.contains("\x1b]"), "{err:?}");
    }

    #[test]
    fn truncates_long_arguments_between_characters() {
        let line = short(&json!({"text": "ü".repeat(100)}));
        assert_eq!(line.chars().count(), MAX_ARGUMENTS + 1);
    }
}
