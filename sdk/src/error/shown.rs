//! Texts of peers and panics, as logs and terminals may show them.

use std::any::Any;
use std::fmt::{self, Write as _};

/// Shows a text so that it cannot pass for anything else: line breaks, control characters and those
/// that change the direction of writing are escaped.
pub(crate) struct Shown<'a>(pub(crate) &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some((at, hidden)) = rest.char_indices().find(|(_, letter)| is_hidden(*letter)) {
            f.write_str(&rest[..at])?;
            match hidden {
                '\n' | '\r' | '\t' => write!(f, "{}", hidden.escape_default())?,
                _ => write!(f, "{}", hidden.escape_unicode())?,
            }
            rest = &rest[at + hidden.len_utf8()..];
        }
        f.write_str(rest)
    }
}

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        fmt::Display::fmt(self, f)?;
        f.write_char('"')
    }
}

fn is_hidden(letter: char) -> bool {
    let other_lines = matches!(letter, '\u{2028}' | '\u{2029}' | '\u{feff}');
    // Unicode's Bidi_Control.
    let directs = matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    letter.is_control() || other_lines || directs
}

/// The text of a panic.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("not a text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_change_a_log_or_a_terminal_is_escaped() {
        let shown = |text: &str| Shown(text).to_string();
        assert_eq!(shown("caf\u{e9} \\ \"x\" \u{1f600}"), "caf\u{e9} \\ \"x\" \u{1f600}");
        assert_eq!(shown("x\u{1b}[31m\nERROR fake\r\t\0"), "x\\u{1b}[31m\\nERROR fake\\r\\t\\u{0}");
        assert_eq!(
            shown("\u{202e}txt.exe\u{2066}\u{2028}\u{9b}"),
            "\\u{202e}txt.exe\\u{2066}\\u{2028}\\u{9b}"
        );
        assert_eq!(shown(""), "");
    }
}
