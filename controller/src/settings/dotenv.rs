//! Reads `.env` files, which many tools write, each by its own rules. Lines that set no variable are passed over, and a value
//! arrives as it is written: nothing in it is replaced.

use std::collections::HashMap;

const BLANKS: [char; 2] = [' ', '\t'];

/// The variables of a file.
#[derive(Debug, Default)]
pub struct Dotenv {
    /// Values by the names of their variables. Of two lines for one variable the later one counts.
    pub values: HashMap<String, String>,
    /// Names at the beginning of lines that give no readable value, with the numbers of these lines.
    pub unreadable: HashMap<String, usize>,
}

impl Dotenv {
    /// Reads a file's content.
    pub fn parse(content: &[u8]) -> Self {
        let text = decode(content).replace("\r\n", "\n").replace('\r', "\n");
        let (mut found, mut rest, mut number) = (Self::default(), text.as_str(), 1);
        while !rest.is_empty() {
            let end = found.take(rest, number);
            number += rest[..end].matches('\n').count() + 1;
            rest = rest[end..].strip_prefix('\n').unwrap_or_default();
        }
        found
    }

    /// Takes what stands at the beginning of `rest`, which is line `number`; returns where that ends.
    fn take(&mut self, rest: &str, number: usize) -> usize {
        let line = first_line(rest);
        let Some((name, after)) = split_name(line) else {
            return line.len();
        };
        let assigned = after
            .trim_start_matches(BLANKS)
            .strip_prefix('=')
            .map(|value| line.len() - value.len());
        if let Some((start, (value, length))) =
            assigned.and_then(|start| Some((start, value(&rest[start..])?)))
        {
            self.values.insert(name.to_owned(), value);
            return start + length;
        }
        self.unreadable.insert(name.to_owned(), number);
        line.len()
    }
}

/// The text in UTF-8, or in UTF-16 as PowerShell writes it, without its byte order mark.
fn decode(content: &[u8]) -> String {
    match content {
        [0xff, 0xfe, units @ ..] => {
            let units: Vec<u16> = units
                .chunks_exact(2)
                .map(|unit| u16::from_le_bytes([unit[0], unit[1]]))
                .collect();
            String::from_utf16_lossy(&units)
        }
        _ => String::from_utf8_lossy(content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content))
            .into_owned(),
    }
}

fn first_line(text: &str) -> &str {
    text.split('\n').next().unwrap_or_default()
}

/// The name that a line begins with, perhaps after `export`, and what follows it.
fn split_name(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start();
    let exported = line
        .strip_prefix("export")
        .filter(|rest| rest.starts_with(BLANKS));
    let line = exported.map_or(line, str::trim_start);
    let end = line
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(line.len());
    (end > 0 && !line.starts_with(|c: char| c.is_ascii_digit())).then(|| line.split_at(end))
}

/// The value that `text` begins with, and its length there. One in quotes may have several lines.
fn value(text: &str) -> Option<(String, usize)> {
    let line = first_line(text);
    let start = line.len() - line.trim_start_matches(BLANKS).len();
    let (value, length) = match line[start..].chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let (value, length) = quoted(&text[start + 1..], quote)?;
            let behind = first_line(&text[start + 1 + length..]);
            if !behind.trim().is_empty() && !behind.trim_start().starts_with('#') {
                return None;
            }
            (value, start + 1 + length + behind.len())
        }
        _ => (unquoted(line), line.len()),
    };
    (!value.contains(char::REPLACEMENT_CHARACTER)).then_some((value, length))
}

/// What stands before the closing quote, and where that ends. A backslash protects what it protects in a shell's double quotes.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let (mut value, mut signs) = (String::new(), text.char_indices());
    while let Some((at, sign)) = signs.next() {
        match sign {
            _ if sign == quote => return Some((value, at + 1)),
            '\\' if quote == '"' => match signs.next()?.1 {
                protected @ ('"' | '\\' | '$' | '`') => value.push(protected),
                other => value.extend(['\\', other]),
            },
            _ => value.push(sign),
        }
    }
    None
}

/// The line up to a comment, which begins with a `#` after a blank.
fn unquoted(line: &str) -> String {
    let comment = line
        .match_indices('#')
        .find(|(at, _)| line[..*at].ends_with(BLANKS));
    line[..comment.map_or(line.len(), |(at, _)| at)]
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_arrives_as_it_is_written() {
        for (line, value) in [
            ("T=hf_x", "hf_x"),
            ("export T=hf_x", "hf_x"),
            ("  T = hf_x  ", "hf_x"),
            ("T=", ""),
            ("T=''", ""),
            ("T=pa$$w0rd${HOME}$T", "pa$$w0rd${HOME}$T"),
            ("T=\"a$b ${HOME}\"", "a$b ${HOME}"),
            (r#"T="a\"b\\c\$d\n""#, r#"a"b\c$d\n"#),
            (r"T='a\b$c'", r"a\b$c"),
            (r"T=a\$b\", r"a\$b\"),
            ("T=a'b\"c", "a'b\"c"),
            ("T=a b=c", "a b=c"),
            ("T=a#b # of mine", "a#b"),
            ("T=#b", "#b"),
            ("T= # nothing", ""),
            ("T='a #b' # of mine", "a #b"),
            ("T=\"a #b\"\t#", "a #b"),
            ("T=\"one\ntwo\"", "one\ntwo"),
            ("T=é", "é"),
        ] {
            for text in [
                line.to_owned(),
                format!("\u{feff}{line}\r\nOTHER=1\r\n"),
                format!("# c\r{line}\rT2="),
            ] {
                let found = Dotenv::parse(text.as_bytes());
                assert_eq!(
                    found.values.get("T").map(String::as_str),
                    Some(value),
                    "{text:?}"
                );
                assert!(found.unreadable.is_empty(), "{text:?}");
            }
        }
    }

    #[test]
    fn what_is_no_variable_costs_only_itself_and_is_named_where_it_has_a_name() {
        for (line, name) in [
            ("T: hf_x", "T"),
            ("T", "T"),
            ("T=\"hf_x", "T"),
            ("T='a'b", "T"),
            ("some prose, it's long", "some"),
            ("MOTTO='tis", "MOTTO"),
            ("=x", ""),
            ("[section]", ""),
            ("{\"T\": \"x\"}", ""),
            ("1T=x", ""),
        ] {
            let found = Dotenv::parse(format!("BEFORE=1\n\n{line}\nAFTER='2'\n").as_bytes());
            assert_eq!(
                (
                    found.values["BEFORE"].as_str(),
                    found.values["AFTER"].as_str()
                ),
                ("1", "2"),
                "{line}"
            );
            let unreadable: Vec<_> = found.unreadable.into_iter().collect();
            let expected = if name.is_empty() {
                vec![]
            } else {
                vec![(name.to_owned(), 3)]
            };
            assert_eq!(unreadable, expected, "{line}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_cost_only_their_value_and_powershells_text_is_read() {
        let found = Dotenv::parse(b"A=\xe9\nT=hf_x\nB='one\ntwo'\nC\n");
        assert_eq!(
            (found.values["T"].as_str(), found.values["B"].as_str()),
            ("hf_x", "one\ntwo")
        );
        assert_eq!(
            found.unreadable,
            HashMap::from([("A".to_owned(), 1), ("C".to_owned(), 5)])
        );
        let wide: Vec<u8> = "\u{feff}T=hf_x\r\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert_eq!(Dotenv::parse(&wide).values["T"], "hf_x");
    }
}
