//! Every environment variable, in groups, and the check that the code names no other.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// A group's title, and its variables with their meanings.
type Group = (&'static str, &'static [(&'static str, &'static str)]);

const GROUPS: &[Group] = &[
    (
        "The login of Hugging Face's own client, not from `.env`",
        &[
            (
                "HF_HUB_DISABLE_IMPLICIT_TOKEN",
                "Set to `1`, the token of Hugging Face's own client does not count.",
            ),
            (
                "HF_TOKEN_PATH",
                "File with the token of Hugging Face's own client, which counts where no other is set. Default: `token` in `HF_HOME`.",
            ),
            (
                "HF_HOME",
                "Folder of that client. Default: `huggingface` in `$XDG_CACHE_HOME`, else in `~/.cache`.",
            ),
        ],
    ),
    (
        "The hubs",
        &[
            (
                "HF_TOKEN",
                "Token of Hugging Face: for private and gated repos, and to write.",
            ),
            (
                "HF_ENDPOINT",
                "Address of Hugging Face or of a mirror site. Default: `https://huggingface.co`.",
            ),
            (
                "HF_USERNAME",
                "User name with `HF_TOKEN` for Git, in `mirror`.",
            ),
            (
                "HF_DESTINATION_TOKEN",
                "Token of the destination, where another account writes to Hugging Face.",
            ),
            (
                "HF_DESTINATION_ENDPOINT",
                "Address of the destination, where that is another site.",
            ),
            (
                "MODELSCOPE_TOKEN",
                "Token of ModelScope, from <https://modelscope.cn/my/myaccesstoken>.",
            ),
            (
                "MODELSCOPE_API_TOKEN",
                "The same; used when `MODELSCOPE_TOKEN` is not set.",
            ),
            (
                "MODELSCOPE_ENDPOINT",
                "Address of ModelScope. Default: `https://modelscope.cn`.",
            ),
            (
                "MODELSCOPE_DOMAIN",
                "The same without `https://`: `modelscope.ai` is the international site.",
            ),
            (
                "MODELSCOPE_DESTINATION_TOKEN",
                "Token of the destination, where another account writes to ModelScope.",
            ),
            (
                "MODELSCOPE_DESTINATION_ENDPOINT",
                "Address of the destination, where that is another site.",
            ),
        ],
    ),
    (
        "Git hosts, for `mirror`",
        &[
            ("SOURCE_USERNAME", "User name at the source."),
            (
                "SOURCE_TOKEN",
                "Password or token at the source, if that is no hub.",
            ),
            ("TARGET_USERNAME", "User name at the target."),
            (
                "TARGET_TOKEN",
                "Password or token at the target, if that is no hub.",
            ),
            (
                "GITLAB_API_BASE",
                "Address of GitLab's API for `--pull-by gitlab`. Default: `/api/v4` at the target's host.",
            ),
            (
                "GITLAB_API_TOKEN",
                "Token of that API, with the scope `api`. Default: `TARGET_TOKEN`.",
            ),
            (
                "GITLAB_PROJECT_PATH",
                "Path of the project there. Default: that of the target's address.",
            ),
        ],
    ),
    (
        "Engines",
        &[
            (
                "MODAL_TOKEN_ID",
                "First part of Modal's token, from <https://modal.com/settings/tokens>.",
            ),
            ("MODAL_TOKEN_SECRET", "Second part of Modal's token."),
            (
                "HF2MS_PYTHON",
                "A Python with Modal's SDK, for `--on modal`. Default: that of the environment in which `hf2ms` is installed, else `python3`, on Windows `python`.",
            ),
            (
                "HF2MS_MODAL_TIMEOUT",
                "Seconds that a call on Modal may take. Default: 86400.",
            ),
            (
                "DOCKER_HOST",
                "The Docker daemon, for `--on docker`: `unix:///path/to/docker.sock`, on Windows `npipe:////./pipe/docker_engine`, or `tcp://host:port`.",
            ),
            (
                "DOCKER_TLS_VERIFY",
                "Refused when it is set: the daemon is not spoken to over TLS.",
            ),
            (
                "HF2MS_WORKER",
                "Path of `hf2ms-worker`. Default: beside `hf2ms`, then on the `PATH`.",
            ),
            (
                "HF2MS_STATIC_WORKER",
                "Path of the static `hf2ms-worker` that containers run. Default: that beside `hf2ms`; on macOS and Windows `hf2ms-worker-linux-x86_64` or `-aarch64` there.",
            ),
            ("HF2MS_SANDBOX", "Path of `hf2ms-sandbox`, for `demo`."),
        ],
    ),
    (
        "Runs",
        &[
            (
                "HF2MS_STATE",
                "Folder of runs. Default: `$XDG_STATE_HOME/hf2ms`, else `~/.local/state/hf2ms` ([elsewhere](platforms.md) on macOS and Windows).",
            ),
            ("XDG_STATE_HOME", "See `HF2MS_STATE`."),
            (
                "HF2MS_PROFILE",
                "The profile of `config.toml`, where `--profile` names none.",
            ),
            (
                "XDG_CONFIG_HOME",
                "Folder that has the folder `hf2ms` with `config.toml` and the logins. Default: `~/.config` ([elsewhere](platforms.md) on macOS and Windows).",
            ),
            ("TMPDIR", "Folder of Git's packs while a run needs them."),
            (
                "HF2MS_LOG",
                "Level of the worker's log: `error`, `warn`, `info`, `debug`, `trace`.",
            ),
        ],
    ),
    (
        "Network",
        &[
            (
                "HF2MS_STALL",
                "Seconds without a byte until a transfer is given up. Default: 60.",
            ),
            (
                "HF2MS_RETRY_BASE",
                "Seconds before the first retry; each further pause is longer.",
            ),
            (
                "HF2MS_LONGEST_WAIT",
                "Seconds that a hub may ask to wait, or be silent once it has all of a blob. Default: 1800; of the latter 900.",
            ),
            (
                "HTTP_PROXY",
                "Proxy for `http://` addresses; `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` count too, in small letters as well.",
            ),
            (
                "HF2MS_CA_CERTIFICATES",
                "Certificate authorities in PEM, which workers take besides the system's.",
            ),
            ("SSL_CERT_FILE", "File of certificate authorities in PEM."),
            ("SSL_CERT_DIR", "Folder of certificate authorities in PEM."),
        ],
    ),
    (
        "Terminals and shells",
        &[
            (
                "HF2MS_PAGER",
                "Command that shows long help at a terminal; empty or `cat` for none. Default: `PAGER`, else `less -FRX`.",
            ),
            (
                "PAGER",
                "The same for all programs; used when `HF2MS_PAGER` is not set.",
            ),
            ("NO_COLOR", "Not empty: nothing has colours."),
            ("CLICOLOR", "`0`: nothing has colours."),
            (
                "CLICOLOR_FORCE",
                "Not empty: help and the log have colours in a pipe, too, unless `NO_COLOR` is set.",
            ),
            ("TERM", "`dumb`: no bars, no colours and no pager."),
            (
                "SOURCE_DATE_EPOCH",
                "The moment whose day `hf2ms man` writes into its pages, in seconds since 1970. Default: today.",
            ),
            (
                "HF2MS_COMPLETE",
                "The shell that asks what may follow; the scripts of `hf2ms completions` set it.",
            ),
            (
                "HF2MS_FOR_ASSISTANT",
                "Set by `hf2ms mcp` for what it runs: options that delete, overwrite, show more or agree come from the command line alone.",
            ),
        ],
    ),
    (
        "Of the worker only: the controller sets them",
        &[
            (
                "HF2MS_SOURCE_ENDPOINT",
                "Origin of the Git host that is the source: the login goes nowhere else.",
            ),
            (
                "HF2MS_TARGET_ENDPOINT",
                "Origin of the Git host that is the target.",
            ),
            (
                "HF2MS_SOURCE_LOGIN",
                "`user:password` at the Git host that is the source.",
            ),
            (
                "HF2MS_TARGET_LOGIN",
                "`user:password` at the Git host that is the target.",
            ),
            ("HF2MS_MODAL_CONFIG", "Settings of the Modal app, as JSON."),
        ],
    ),
];

/// Beginnings of the names that are this program's business.
const OURS: [&str; 9] = [
    "HF_",
    "HF2MS_",
    "MODELSCOPE_",
    "MODAL_",
    "SOURCE_",
    "TARGET_",
    "GITLAB_",
    "DOCKER_",
    "SSL_CERT_",
];
/// Parts of names, names in what is written for Kubernetes, and what the bridge sets for the SDK.
const NO_VARIABLES: [&str; 3] = [
    "MODAL_TOKEN",
    "HF2MS_GIT_ENDPOINT",
    "MODAL_MAX_THROTTLE_WAIT",
];

/// The groups as tables.
pub fn table() -> String {
    let mut text = "## Environment variables\n\nThose of the hubs and Git hosts, and Modal's token, also count from the file `.env` of the working folder, or from that of\n`--env-file`, if it belongs to you or to root. The file never overrides what is set, and an endpoint of it counts only together with a\ntoken of it. Below both count the tokens of `hf2ms login`, see [configuration.md](configuration.md).\nDefaults of options are read from variables `HF2MS_VERB_OPTION`, as `HF2MS_MIGRATE_ON=docker`, and from `config.toml`.\n".to_owned();
    for (title, variables) in GROUPS {
        write!(text, "\n### {title}\n\n| variable | meaning |\n|---|---|\n").unwrap();
        for (name, meaning) in *variables {
            writeln!(text, "| `{name}` | {meaning} |").unwrap();
        }
    }
    text
}

/// Each variable that the sources name is in a table, and each of ours in a table is named by the sources.
pub fn each_is_listed(root: &Path) {
    let listed: Vec<&str> = GROUPS
        .iter()
        .flat_map(|(_, variables)| variables.iter().map(|(name, _)| *name))
        .collect();
    let mut named: Vec<String> = ["hub/src", "worker/src", "controller/src", "modal"]
        .iter()
        .flat_map(|folder| sources(&root.join(folder)))
        .flat_map(|file| names(&fs::read_to_string(file).unwrap()))
        .collect();
    named.sort();
    named.dedup();
    for name in &named {
        assert!(
            listed.contains(&name.as_str()) || NO_VARIABLES.contains(&name.as_str()),
            "{name} is missing in controller/tests/e2e/reference/variables.rs"
        );
    }
    for name in listed.iter().filter(|name| is_ours(name)) {
        assert!(
            named.iter().any(|known| known == name),
            "{name} is in controller/tests/e2e/reference/variables.rs, and no source names it"
        );
    }
}

fn is_ours(name: &str) -> bool {
    OURS.iter()
        .any(|start| name.starts_with(start) && name.len() > start.len())
}

/// Rust and Python files below a folder, without those that hold tests only.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if (name.ends_with(".rs") || name.ends_with(".py")) && !name.starts_with("test") {
            found.push(path);
        }
    }
    found
}

/// Strings that are names of our variables, outside unit tests.
fn names(text: &str) -> Vec<String> {
    let text = text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or(text);
    let strings = text.split('"').skip(1);
    strings
        .filter(|string| {
            is_ours(string)
                && string
                    .chars()
                    .all(|sign| sign.is_ascii_uppercase() || sign.is_ascii_digit() || sign == '_')
        })
        .map(str::to_owned)
        .collect()
}
