//! Comments of `.proto` files, which become documentation and must not become anything else.
//!
//! rustdoc takes every block of code in the documentation for a test in Rust. Code in a `.proto`
//! file is seldom Rust, so each block is marked as text.

use std::ops::Range;

use protox::prost_reflect::prost_types::{FileDescriptorSet, source_code_info::Location};
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// Rewrites every comment of the files.
pub(super) fn rewrite(files: &mut FileDescriptorSet) {
    let locations = files.file.iter_mut().filter_map(|file| file.source_code_info.as_mut());
    for location in locations.flat_map(|info| &mut info.location) {
        let Location { leading_comments, trailing_comments, leading_detached_comments, .. } =
            location;
        for comment in leading_detached_comments {
            *comment = plain(comment);
        }
        for comment in [leading_comments, trailing_comments].into_iter().flatten() {
            *comment = documentation(comment);
        }
    }
}

/// Without what Rust does not allow in a comment: a carriage return alone, and marks that turn the
/// direction of what follows.
fn plain(comment: &str) -> String {
    let is_allowed =
        |letter: &char| !matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    comment.replace("\r\n", "\n").replace('\r', "\n").chars().filter(is_allowed).collect()
}

/// The comment without code that rustdoc would compile.
fn documentation(comment: &str) -> String {
    let text = lines(comment).join("\n");
    let marked = marked(&text);
    // Blocks inside of lists and quotes can be too intricate to be marked one by one.
    let harmless = if has_code(&marked) { surrounded(&text, 0, 0) } else { marked };
    harmless
        .lines()
        .map(|line| if line.is_empty() { "\n".to_owned() } else { indented(line) })
        .collect()
}

/// The comment's lines without the indentation that all of them have.
fn lines(comment: &str) -> Vec<String> {
    let lines: Vec<_> = plain(comment).lines().map(|line| spaced(line.trim_end())).collect();
    let indent =
        lines.iter().filter(|line| !line.is_empty()).map(|line| spaces(line)).min().unwrap_or(0);
    lines.iter().map(|line| straight(line.get(indent..).unwrap_or_default())).collect()
}

/// Tabs at the beginning of a line as the spaces that they stand for.
fn spaced(line: &str) -> String {
    let text = line.trim_start_matches([' ', '\t']);
    let mut indent = 0;
    for letter in line[..line.len() - text.len()].chars() {
        indent += if letter == '\t' { 4 - indent % 4 } else { 1 };
    }
    " ".repeat(indent) + text
}

fn spaces(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// prost cannot keep a single space at the beginning of a line.
fn straight(line: &str) -> String {
    if spaces(line) == 1 { line[1..].to_owned() } else { line.to_owned() }
}

/// A line of the documentation as prost wants it: it puts a space before a line that begins with
/// none, or with two.
fn indented(line: &str) -> String {
    if line.starts_with(' ') { format!("{line}\n") } else { format!(" {line}\n") }
}

/// Marks each block of code as text.
fn marked(text: &str) -> String {
    let mut marked = String::new();
    let mut done = 0;
    for block in blocks(text) {
        let start = text[..block.range.start].rfind('\n').map_or(0, |end| end + 1);
        marked.push_str(&text[done..start]);
        let code = &text[start..block.range.end];
        done = block.range.end;
        if block.is_fenced {
            marked.push_str(&renamed(code, block.range.start - start));
            if block.is_outermost && !is_closed(code) {
                marked.push('\n');
                marked.push_str(fence(code));
            }
        } else {
            let indent =
                code.lines().filter(|line| !line.is_empty()).map(spaces).min().unwrap_or(0);
            marked.push_str(&surrounded(code.trim_end(), indent.saturating_sub(4), 4));
            marked.push('\n');
        }
    }
    marked + &text[done..]
}

/// A block of code as rustdoc finds it.
struct Block {
    range: Range<usize>,
    is_fenced: bool,
    /// The block is in no list and no quotation.
    is_outermost: bool,
}

fn blocks(text: &str) -> Vec<Block> {
    let mut depth = 0_usize;
    let mut blocks = Vec::new();
    for (event, range) in
        Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES).into_offset_iter()
    {
        match event {
            Event::Start(Tag::CodeBlock(kind)) => blocks.push(Block {
                range,
                is_fenced: matches!(kind, CodeBlockKind::Fenced(_)),
                is_outermost: depth == 0,
            }),
            Event::End(TagEnd::CodeBlock) => {}
            Event::Start(_) => depth += 1,
            Event::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    blocks
}

/// Tells whether a block is left that rustdoc would compile.
fn has_code(text: &str) -> bool {
    let is_code = |kind: &CodeBlockKind<'_>| !matches!(kind, CodeBlockKind::Fenced(info) if &**info == "text");
    Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES)
        .any(|event| matches!(event, Event::Start(Tag::CodeBlock(kind)) if is_code(&kind)))
}

/// The block with `text` after its first fence, which begins at `start`.
fn renamed(code: &str, start: usize) -> String {
    let (first, rest) = code.split_at(code.find('\n').unwrap_or(code.len()));
    format!("{}{}text{rest}", &first[..start], fence(&first[start..]))
}

/// The marks that a fenced block begins with.
fn fence(code: &str) -> &str {
    let code = code.trim_start();
    let mark = code.chars().next().unwrap_or('`');
    &code[..code.len() - code.trim_start_matches(mark).len()]
}

/// Tells whether the last line closes the fence of the first.
fn is_closed(code: &str) -> bool {
    let fence = fence(code);
    code.lines().skip(1).last().map(str::trim).is_some_and(|last| {
        last.starts_with(fence)
            && last.trim_start_matches(|mark| fence.starts_with(mark)).is_empty()
    })
}

/// Code without its first `margin` spaces, between fences that it does not contain, `indent` spaces
/// from the left.
fn surrounded(code: &str, indent: usize, margin: usize) -> String {
    let longest = code.split(|letter| letter != '`').map(str::len).max().unwrap_or(0);
    let fence = " ".repeat(indent) + &"`".repeat(3.max(longest + 1));
    let code: Vec<_> = code.lines().map(|line| &line[spaces(line).min(margin)..]).collect();
    format!("{fence}text\n{}\n{fence}", code.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::{documentation, has_code};

    /// The text of a comment as rustdoc sees it: prost puts a space before a line without one and
    /// before one with two.
    fn seen(comment: &str) -> String {
        let line = |line: &str| match line.as_bytes() {
            [] => String::new(),
            [b' ', next, ..] if *next != b' ' => line[1..].to_owned(),
            _ => line.to_owned(),
        };
        documentation(comment).lines().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn text_stays_as_it_is() {
        for (comment, expected) in [
            ("", ""),
            (" A note.\n\n With two parts.\n", "A note.\n\nWith two parts."),
            ("None\n   three\n", "None\n   three"),
            (" - one\n   goes on\n   - inner\n", "- one\n  goes on\n  - inner"),
            (" Ends with a fence in a line: ``` here\n", "Ends with a fence in a line: ``` here"),
            (" one\r two\r\n \u{202e}three\n", "one\ntwo\nthree"),
        ] {
            assert_eq!(seen(comment), expected, "{comment:?}");
        }
    }

    #[test]
    fn blocks_of_code_are_marked_as_text() {
        for (comment, expected) in [
            (
                " Try:\n\n     {\"a\": 1}\n\n Or not.\n",
                "Try:\n\n```text\n{\"a\": 1}\n```\n\nOr not.",
            ),
            (" Try:\n\n\t\t{}\n", "Try:\n\n   ```text\n   {}\n   ```"),
            (" ```\n let\n ```\n", "```text\nlet\n```"),
            (" ```rust,no_run\n let\n ```\n after\n", "```text\nlet\n```\nafter"),
            (" ~~~ json\n {}\n ~~~\n", "~~~text\n{}\n~~~"),
            (" ````\n ```\n ````\n", "````text\n```\n````"),
            (" - item\n\n   ```\n   let\n   ```\n", "- item\n\n  ```text\n  let\n  ```"),
            (" - item\n\n       let\n         x\n", "- item\n\n  ```text\n  let\n    x\n  ```"),
            (" text\n\n     ```\n", "text\n\n````text\n```\n````"),
        ] {
            assert_eq!(seen(comment), expected, "{comment:?}");
        }
    }

    #[test]
    fn a_fence_that_is_left_open_is_closed() {
        for (comment, expected) in [
            (" ```\n let", "```text\nlet\n```"),
            (" before\n ~~~~\n let\n ~~~\n", "before\n~~~~text\nlet\n~~~\n~~~~"),
            (" ```", "```text\n```"),
        ] {
            assert_eq!(seen(comment), expected, "{comment:?}");
        }
    }

    #[test]
    fn whatever_is_written_no_code_is_left() {
        let pieces = [
            "a",
            "    b",
            "```",
            "  ~~~",
            "- c",
            "> d",
            ">     e",
            "1.       f",
            "",
            "\tg",
            "      ```rust",
        ];
        for seed in (0..161_051_usize).step_by(67) {
            let (mut left, mut comment) = (seed, String::new());
            while left > 0 {
                comment.push_str(&format!(" {}\n", pieces[left % pieces.len()]));
                left /= pieces.len();
            }
            let docs = format!("{}\n\nUnary call of it.", seen(&comment));
            assert!(!has_code(&docs), "{comment}\n---\n{docs}");
        }
    }
}
