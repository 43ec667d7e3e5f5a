//! Where each shell looks for a user's completions, and what stands in the file there: it has the shell ask hf2ms for the script.
//! So a file of an older version does no harm.

use std::path::PathBuf;

use clap_complete::Shell;

use crate::settings::{GetVariable, xdg_dir};

/// A file of completions, and what a person has to know of it.
pub(super) struct CompletionFile {
    shell: Shell,
    /// The file.
    pub(super) file: PathBuf,
    /// When it counts.
    pub(super) then: String,
}

impl CompletionFile {
    /// Where this shell looks; `None` where the user has no home.
    pub(super) fn of(shell: Shell, get: GetVariable<'_>) -> Option<Self> {
        let config = || xdg_dir(get, "XDG_CONFIG_HOME", ".config");
        let (file, then) = match shell {
            // As bash-completion 2.11 looks for it (README, "FAQ": Where should I put it).
            Shell::Bash => {
                let own = get("BASH_COMPLETION_USER_DIR").filter(|own| !own.is_empty());
                let own = own.and_then(|own| std::env::split_paths(&own).next());
                let data = || xdg_dir(get, "XDG_DATA_HOME", ".local/share");
                let folder = own.or_else(|| Some(data()?.join("bash-completion")))?;
                let then = "a bash that is started from now on completes hf2ms, where the package bash-completion is installed";
                (folder.join("completions/hf2ms"), then.to_owned())
            }
            // It looks into no folder of the user unless its settings say so.
            Shell::Zsh => {
                let home = get("ZDOTDIR").filter(|dir| !dir.is_empty());
                let home = PathBuf::from(home.or_else(|| get("HOME").filter(|h| !h.is_empty()))?);
                let (folder, settings) = (home.join(".zfunc"), home.join(".zshrc"));
                let then = format!(
                    "zsh looks there if {} has, before compinit: fpath=({} $fpath)",
                    settings.display(),
                    folder.display()
                );
                (folder.join("_hf2ms"), then)
            }
            Shell::Fish => {
                let file = config()?.join("fish/completions/hf2ms.fish");
                (file, "fish completes hf2ms from now on".to_owned())
            }
            Shell::PowerShell => {
                let file = config()?.join("powershell/hf2ms.completions.ps1");
                let then = format!("add this line to the file $PROFILE: . {}", file.display());
                (file, then)
            }
            _ => {
                let file = config()?.join("elvish/lib/hf2ms-completions.elv");
                let then = "add this line to elvish/rc.elv: use hf2ms-completions".to_owned();
                (file, then)
            }
        };
        Some(Self { shell, file, then })
    }

    /// What stands in the file; `mark` is the line that tells it from others.
    pub(super) fn content(&self, mark: &str) -> String {
        match self.shell {
            Shell::Bash => format!("{mark}\neval \"$(hf2ms completions bash 2>/dev/null)\"\n"),
            // zsh runs the file as the function of the first completion: later ones are the script's.
            Shell::Zsh => format!(
                "#compdef hf2ms\n{mark}\neval \"$(hf2ms completions zsh 2>/dev/null)\"\n_clap_dynamic_completer_hf2ms \"$@\"\n"
            ),
            Shell::Fish => format!("{mark}\nhf2ms completions fish 2>/dev/null | source\n"),
            Shell::PowerShell => {
                format!("{mark}\nhf2ms completions powershell | Out-String | Invoke-Expression\n")
            }
            _ => format!("{mark}\neval (hf2ms completions elvish | slurp)\n"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(shell: Shell, variables: &[(&str, &str)]) -> Option<String> {
        let get = |name: &str| {
            let set = variables.iter().find(|(set, _)| *set == name)?;
            Some(set.1.to_owned())
        };
        CompletionFile::of(shell, &get).map(|place| place.file.display().to_string())
    }

    #[test]
    fn each_shell_has_its_place_in_a_home() {
        let home = [("HOME", "/h")];
        for (shell, expected) in [
            (
                Shell::Bash,
                "/h/.local/share/bash-completion/completions/hf2ms",
            ),
            (Shell::Zsh, "/h/.zfunc/_hf2ms"),
            (Shell::Fish, "/h/.config/fish/completions/hf2ms.fish"),
            (
                Shell::PowerShell,
                "/h/.config/powershell/hf2ms.completions.ps1",
            ),
            (Shell::Elvish, "/h/.config/elvish/lib/hf2ms-completions.elv"),
        ] {
            assert_eq!(file(shell, &home).as_deref(), Some(expected));
            assert_eq!(file(shell, &[]), None, "{shell} without a home");
        }
    }

    #[test]
    fn variables_name_other_places_and_relative_ones_do_not_count() {
        let home = ("HOME", "/h");
        let data = [home, ("XDG_DATA_HOME", "/d")];
        assert_eq!(
            file(Shell::Bash, &data).as_deref(),
            Some("/d/bash-completion/completions/hf2ms")
        );
        let own = [home, ("BASH_COMPLETION_USER_DIR", "/b:/c")];
        assert_eq!(
            file(Shell::Bash, &own).as_deref(),
            Some("/b/completions/hf2ms")
        );
        let zsh = [home, ("ZDOTDIR", "/z")];
        assert_eq!(file(Shell::Zsh, &zsh).as_deref(), Some("/z/.zfunc/_hf2ms"));
        let relative = [home, ("XDG_CONFIG_HOME", "x")];
        assert_eq!(
            file(Shell::Fish, &relative).as_deref(),
            Some("/h/.config/fish/completions/hf2ms.fish")
        );
    }
}
