//! The consent to a removal: a person types the repo's id for each, or the command line has agreed to the exact number of them. Neither
//! comes from a file or a variable.

use hf2ms_worker::protocol::Exit;

use super::examine::WholeCopy;
use super::options::CleanupOptions;
use crate::runs::removal::Removal;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::input;
use crate::ui::nouns::counted;
use crate::ui::screen::{Mode, Screen, size};
use crate::ui::table::labelled;

/// A removal of one source that was agreed to. Only this module makes one.
pub struct AgreedRemoval<'a> {
    whole: &'a WholeCopy,
    removal: Removal,
}

impl<'a> AgreedRemoval<'a> {
    /// The source and its copy.
    pub fn whole(&self) -> &'a WholeCopy {
        self.whole
    }

    /// What is to be done with the source.
    pub fn removal(&self) -> &Removal {
        &self.removal
    }
}

/// How a command gets its consents.
#[derive(Debug)]
pub struct Consents(Means);

#[derive(Debug)]
enum Means {
    /// The command line has agreed to this very number.
    Counted,
    /// A person is asked for each repo.
    Typed,
}

impl Consents {
    /// How these removals are agreed to. Repos that are gone already may be counted with them: the command that has removed them is given again.
    ///
    /// # Errors
    /// There are more than the command may remove, or not as many as were agreed to, or nobody can be asked. Nothing was written.
    pub fn of(
        removals: u64,
        gone: u64,
        options: &CleanupOptions<'_>,
        screen: &Screen,
    ) -> CliResult<Self> {
        let repos = counted(removals, "repo");
        if removals > options.most {
            return Err(CliError::usage(format!(
                "{repos} would go, and --max-delete is {}: nothing was removed; give fewer, or give hf2ms cleanup a higher one",
                options.most
            )));
        }
        match options.agreed {
            Some(agreed) if [removals, removals + gone].contains(&agreed) => {
                Ok(Self(Means::Counted))
            }
            Some(agreed) => Err(CliError::usage(format!(
                "--yes-delete {agreed} agrees to {agreed}, and {repos} would go: nothing was removed; check the table, and give the number that it says"
            ))),
            None => match unaskable(screen) {
                None => Ok(Self(Means::Typed)),
                Some(why) => Err(CliError::usage(format!(
                    "{why}, and {repos} would go: nothing was removed; check the table, and give --yes-delete {removals}"
                ))),
            },
        }
    }

    /// The consent to remove this source.
    ///
    /// # Errors
    /// The person has typed anything but the id of the repo, or could not be asked: exit code 130.
    pub async fn to<'a>(
        &self,
        whole: &'a WholeCopy,
        removal: Removal,
        screen: &Screen,
    ) -> CliResult<AgreedRemoval<'a>> {
        if matches!(self.0, Means::Typed) {
            let ask = || screen.ask(question(whole, &removal));
            let typed = input::fresh_line(ask).await;
            if !typed.as_ref().is_some_and(|typed| typed.ends_with('\n')) {
                // What is said next begins a line.
                screen.ask("\n");
            }
            let id = &whole.source().at.id;
            let why = match typed {
                Some(typed) if is_same(&typed, id.as_str()) => None,
                Some(typed) if typed.is_empty() => Some("nothing was typed"),
                Some(_) => Some("its id is not what was typed"),
                None => Some("nobody could be asked"),
            };
            if let Some(why) = why {
                return Err(CliError::new(
                    Exit::Interrupted,
                    format!(
                        "not confirmed: {id} is kept, since {why}; run the same command again to be asked anew"
                    ),
                ));
            }
        }
        Ok(AgreedRemoval { whole, removal })
    }
}

/// Nothing may go, and the command line has agreed to some: to more than those that are gone already.
///
/// # Errors
/// That is so.
pub fn check_none_agreed(agreed: Option<u64>, gone: u64) -> CliResult<()> {
    match agreed {
        Some(agreed) if agreed > 0 && agreed != gone => Err(CliError::usage(format!(
            "--yes-delete {agreed} agrees to {}, and none would go: nothing was removed; check the table",
            counted(agreed, "repo")
        ))),
        _ => Ok(()),
    }
}

/// Whether the line is the id to the letter. Only the end of the line is left out.
fn is_same(typed: &str, id: &str) -> bool {
    typed.trim_end_matches(['\n', '\r']) == id
}

/// Why no person can be asked; `None` where one can.
fn unaskable(screen: &Screen) -> Option<&'static str> {
    let is_for_people = matches!(screen.mode(), Mode::Bars | Mode::Lines);
    match input::has_terminal() && is_for_people {
        false => Some("nobody can be asked here"),
        true if input::can_drop_typed() => None,
        true => Some(
            "this console can't drop what was typed before a question, so that nobody is asked",
        ),
    }
}

/// All that a person has to know before the id is typed.
fn question(whole: &WholeCopy, removal: &Removal) -> String {
    let (source, copy) = (&whole.source().at, whole.copy());
    let record = whole.record(removal);
    let (files, bytes) = record.extent();
    let stands = match whole.copy_head() {
        Some(head) => format!("commit {head}"),
        None => format!("branch {}", copy.revision),
    };
    let aim = match removal {
        Removal::Move { to } => format!("move to {to}"),
        other => other.verb().to_owned(),
    };
    let more = whole.readers().more_than(&whole.source().info);
    let more = more.map_or_else(String::new, |more| format!("; it is {more}"));
    let lines = [
        format!(
            "About to {aim}: {} {} on {}, at commit {}",
            source.kind, source.id, source.hub, source.revision
        ),
        labelled("page", source.web_url()),
        labelled(
            "files",
            format!("{}, {}", counted(files, "file"), size(bytes)),
        ),
        format!(
            "  its copy: {} {} on {}, at {stands}{more}",
            copy.kind, copy.id, copy.hub
        ),
        labelled("page", copy.web_url()),
        labelled("compared", record.compared()),
        format!("  lost with it: {}", record.lost()),
        format!("Type {} to agree: ", source.id),
    ];
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn almost_right_is_wrong() {
        assert!(is_same("org/name\n", "org/name") && is_same("org/name\r\n", "org/name"));
        for typed in [
            "",
            "\n",
            "org/nam",
            "Org/name",
            " org/name",
            "org/name ",
            "y",
            "name",
        ] {
            assert!(!is_same(typed, "org/name"), "{typed:?}");
        }
    }
}
