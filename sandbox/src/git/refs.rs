//! What a repo advertises to Git clients, and the file in which `git` looks refs up.

use axum::body::Body;
use axum::http::Response;

use crate::answer::typed;
use crate::repo::{Repo, State};

/// What `git upload-pack` can do with the settings that it is given here.
const CAPABILITIES: &str = "multi_ack thin-pack side-band side-band-64k ofs-delta shallow deepen-since deepen-not deepen-relative no-progress include-tag multi_ack_detailed no-done allow-tip-sha1-in-want allow-reachable-sha1-in-want object-format=sha1 agent=git/sandbox";

/// `GET /../info/refs?service=git-upload-pack`: `HEAD`, each branch, each tag. Needs no `git`.
pub fn advertised(repo: &Repo, main: &str) -> Response<Body> {
    let state = repo.state();
    let mut lines: Vec<String> = state
        .branches
        .get(main)
        .map(|id| format!("{id} HEAD"))
        .into_iter()
        .collect();
    lines.extend(named(&state));
    let capabilities = match state.branches.get(main) {
        Some(_) => format!("{CAPABILITIES} symref=HEAD:refs/heads/{main}"),
        None => CAPABILITIES.to_owned(),
    };
    if lines.is_empty() {
        lines.push(format!("{} capabilities^{{}}", "0".repeat(40)));
    }
    lines[0] = format!("{}\0{capabilities}", lines[0]);
    let refs: String = lines
        .iter()
        .map(|line| packet(&format!("{line}\n")))
        .collect();
    let body = format!("{}0000{refs}0000", packet("# service=git-upload-pack\n"));
    typed(200, "application/x-git-upload-pack-advertisement", body)
}

/// `GET /../info/refs?service=git-receive-pack`: each branch and tag, for who wants to move them.
pub fn to_write(repo: &Repo) -> Response<Body> {
    let capabilities = "report-status delete-refs object-format=sha1 agent=git/sandbox";
    let mut lines: Vec<String> = named(&repo.state()).collect();
    if lines.is_empty() {
        lines.push(format!("{} capabilities^{{}}", "0".repeat(40)));
    }
    lines[0] = format!("{}\0{capabilities}", lines[0]);
    let refs: String = lines
        .iter()
        .map(|line| packet(&format!("{line}\n")))
        .collect();
    let body = format!("{}0000{refs}0000", packet("# service=git-receive-pack\n"));
    typed(200, "application/x-git-receive-pack-advertisement", body)
}

/// The same as `packed-refs`.
pub fn packed(state: &State) -> String {
    let mut text = "# pack-refs with: peeled fully-peeled sorted \n".to_owned();
    for line in named(state) {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// A ref a line, in byte order.
fn named(state: &State) -> impl Iterator<Item = String> + '_ {
    let heads = state
        .branches
        .iter()
        .map(|(name, id)| format!("{id} refs/heads/{name}"));
    heads.chain(
        state
            .tags
            .iter()
            .map(|(name, id)| format!("{id} refs/tags/{name}")),
    )
}

/// A line of Git's protocol: its length in four hex digits, themselves counted, and its text.
pub fn packet(line: &str) -> String {
    format!("{:04x}{line}", line.len() + 4)
}
