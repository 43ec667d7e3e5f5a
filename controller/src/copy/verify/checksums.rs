//! Files of checksums as `sha256sum` of GNU coreutils writes and checks them: a line a file, its SHA-256 and its name. A name with a
//! backslash or a line break is escaped, and a backslash at the beginning of the line says so (coreutils 9.1, src/digest.c).

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use hf2ms_hub::path::escape;
use hf2ms_hub::{RepoPath, Sha256};

use crate::ui::errors::{CliError, CliResult};

/// The lines of these files.
pub fn text<'a>(files: impl IntoIterator<Item = (&'a RepoPath, &'a Sha256)>) -> String {
    let line = |(path, sha256): (&RepoPath, &Sha256)| line(path.as_str(), sha256);
    files.into_iter().map(line).collect()
}

fn line(name: &str, sha256: &Sha256) -> String {
    let escaped = name
        .replace('\\', "\\\\")
        .replace('\n', "\\n")
        .replace('\r', "\\r");
    let mark = if escaped == name { "" } else { "\\" };
    format!("{mark}{sha256}  {escaped}\n")
}

/// Reads a file of checksums; `-` is standard input.
///
/// # Errors
/// It can't be read, or a line is none of a checksum.
pub fn read(path: &Path) -> CliResult<BTreeMap<String, Sha256>> {
    let name = path.display().to_string();
    let bad = |error: std::io::Error| {
        CliError::usage(format!(
            "--against {name}: {error}; check the path, or give - to read standard input"
        ))
    };
    let mut text = String::new();
    if name == "-" {
        std::io::stdin().read_to_string(&mut text).map_err(bad)?;
    } else {
        text = std::fs::read_to_string(path).map_err(bad)?;
    }
    parse(&text).map_err(|(number, why)| {
        CliError::usage(format!(
            "{name}:{number}: {why}; give a file that sha256sum or --checksums has written"
        ))
    })
}

/// The checksums by name, or the number of the first line that is wrong, and why. As for `sha256sum -c`, empty lines and those that
/// begin with `#` say nothing. A name's `./` at the beginning is left out.
fn parse(text: &str) -> Result<BTreeMap<String, Sha256>, (usize, String)> {
    let mut sums = BTreeMap::new();
    // PowerShell writes this mark before the first line.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, line) in text.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |why: String| (index + 1, why);
        let (name, sha256) = checksum(line).map_err(|why| wrong(why.to_owned()))?;
        let before = sums.insert(name.clone(), sha256);
        if before.is_some_and(|before| before != sha256) {
            let name = escape(&name);
            return Err(wrong(format!("{name} has another checksum before")));
        }
    }
    match sums.is_empty() {
        true => Err((1, "there is no checksum".to_owned())),
        false => Ok(sums),
    }
}

fn checksum(line: &str) -> Result<(String, Sha256), &'static str> {
    let (line, is_escaped) = match line.strip_prefix('\\') {
        Some(rest) => (rest, true),
        None => (line, false),
    };
    let (digest, name) = tagged(line).or_else(|| plain(line)).ok_or(
        "expected the 64 digits of a SHA-256, two spaces and a name, or SHA256 (name) = digits",
    )?;
    let sha256 = digest
        .parse()
        .map_err(|_| "its digest is no SHA-256 of 64 digits")?;
    let name = if is_escaped {
        unescaped(name).ok_or("its name has an escape that is neither \\\\, \\n nor \\r")?
    } else {
        name.to_owned()
    };
    let name = name.strip_prefix("./").unwrap_or(&name).to_owned();
    Ok((name, sha256))
}

/// `digest  name`, or `digest *name`.
fn plain(line: &str) -> Option<(&str, &str)> {
    let (digest, name) = line.split_once(' ')?;
    let name = name.strip_prefix([' ', '*'])?;
    (!name.is_empty()).then_some((digest, name))
}

/// `SHA256 (name) = digest`, as `sha256sum --tag` writes it.
fn tagged(line: &str) -> Option<(&str, &str)> {
    let (name, digest) = line.strip_prefix("SHA256 (")?.rsplit_once(") = ")?;
    Some((digest, name))
}

fn unescaped(name: &str) -> Option<String> {
    let mut plain = String::with_capacity(name.len());
    let mut chars = name.chars();
    while let Some(c) = chars.next() {
        plain.push(match c {
            '\\' => match chars.next()? {
                '\\' => '\\',
                'n' => '\n',
                'r' => '\r',
                _ => return None,
            },
            _ => c,
        });
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 7] = [
        "a.txt",
        "a folder/b  c.bin",
        "*star",
        "line\nbreak",
        "back\\slash\\n",
        "return\r",
        "größe ) = x",
    ];

    #[test]
    fn what_is_written_is_read_again() {
        let sum = |name: &str| (name.to_owned(), Sha256::of(name.as_bytes()));
        let sums: BTreeMap<String, Sha256> = NAMES.into_iter().map(sum).collect();
        let text: String = sums.iter().map(|(name, sum)| line(name, sum)).collect();
        assert_eq!(parse(&text), Ok(sums));
    }

    #[test]
    fn sha256sum_itself_checks_what_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let mut text = String::new();
        for name in NAMES {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, name).unwrap();
            text += &line(name, &Sha256::of(name.as_bytes()));
        }
        let sums = folder.path().join("SHA256SUMS");
        std::fs::write(&sums, &text).unwrap();
        let sha256sum = |args: &[&str]| {
            let mut command = std::process::Command::new("sha256sum");
            command.args(args).current_dir(folder.path());
            command.output().unwrap()
        };
        let checked = sha256sum(&["--strict", "-c", "SHA256SUMS"]);
        assert!(checked.status.success(), "{checked:?}");
        // And the other way round: its own lines are read, tagged ones too.
        let of_names = parse(&text).unwrap();
        for args in [&[][..], &["--binary"], &["--tag"]] {
            let written = sha256sum(&[args, &NAMES].concat());
            let written = String::from_utf8(written.stdout).unwrap();
            assert_eq!(parse(&written).as_ref(), Ok(&of_names), "{args:?}");
        }
    }

    #[test]
    fn a_line_that_is_no_checksum_is_named_by_its_number() {
        let sum = Sha256::of(b"a");
        let other = Sha256::of(b"b");
        let good = format!("# a comment\n\n{sum}  ./a\n{sum} *a\n");
        assert_eq!(parse(&good).unwrap(), BTreeMap::from([("a".into(), sum)]));
        assert_eq!(parse(&format!("\u{feff}{good}")), parse(&good));
        for (text, number) in [
            (format!("{sum}  a\n{sum} a\n"), 2),
            (format!("{sum}  a\n{other}  a\n"), 2),
            (format!("\\{sum}  a\\x\n"), 1),
            ("0123  a\n".to_owned(), 1),
            (format!("{sum}  \n"), 1),
            ("# nothing\n".to_owned(), 1),
        ] {
            assert_eq!(parse(&text).unwrap_err().0, number, "{text}");
        }
    }
}
