//! A push to ModelScope that brings no objects: branches and tags made at commits that are there, or taken away, as
//! `git receive-pack` does it (gitprotocol-pack, "Reference Update Request and Packfile Transfer").

use std::collections::BTreeMap;

use super::Surface;
use super::access;
use crate::accounts::Caller;
use crate::answer::{Answer, Refusal, typed};
use crate::call::Call;
use crate::digest::Oid;
use crate::git::refs::packet;
use crate::repo::{Repo, State};

const NONE: &str = "0000000000000000000000000000000000000000";

/// `GET /S/{id}.git/info/refs?service=git-receive-pack`: the refs. `POST ../git-receive-pack`: a report with the result of each ref.
pub async fn push(mut call: Call, caller: Caller, repo: &Repo) -> Answer {
    access::writer(Surface::Legacy, caller, repo.owner())?;
    if call.method == "GET" {
        return Ok(crate::git::refs::to_write(repo));
    }
    let body = call
        .bytes()
        .await
        .map_err(|error| access::bad_request(&error))?;
    let (commands, pack) =
        commands(&body).ok_or_else(|| access::bad_request("no commands of Git"))?;
    let needs_pack = commands.iter().any(|command| command.new != NONE);
    if needs_pack && !is_empty_pack(pack) {
        return Err(unpacked());
    }
    let mut state = repo.state();
    let told = commands
        .iter()
        .map(|command| match command.carry_out(&mut state) {
            Ok(()) => packet(&format!("ok {}\n", command.name)),
            Err(why) => packet(&format!("ng {} {why}\n", command.name)),
        });
    let report: String = [packet("unpack ok\n")]
        .into_iter()
        .chain(told)
        .chain(["0000".to_owned()])
        .collect();
    Ok(typed(200, "application/x-git-receive-pack-result", report))
}

/// Nothing here reads a pack.
fn unpacked() -> Refusal {
    typed(
        200,
        "application/x-git-receive-pack-result",
        format!("{}0000", packet("unpack the sandbox takes no objects\n")),
    )
    .into()
}

/// A ref that changes: from which commit, to which.
struct Command<'a> {
    old: &'a str,
    new: &'a str,
    name: &'a str,
}

impl Command<'_> {
    fn carry_out(&self, state: &mut State) -> Result<(), &'static str> {
        let missing = state.resolve(self.new).is_none() || Oid::parse(self.new).is_none();
        if self.new != NONE && missing {
            return Err("missing necessary objects");
        }
        let (refs, name): (&mut BTreeMap<String, Oid>, &str) = match (
            self.name.strip_prefix("refs/heads/"),
            self.name.strip_prefix("refs/tags/"),
        ) {
            (Some(name), _) => (&mut state.branches, name),
            (_, Some(name)) => (&mut state.tags, name),
            _ => return Err("funny refname"),
        };
        let stands = refs.get(name).map_or(NONE.to_owned(), Oid::to_string);
        if stands != self.old {
            return Err("failed to update ref");
        }
        match Oid::parse(self.new).filter(|_| self.new != NONE) {
            Some(new) => drop(refs.insert(name.to_owned(), new)),
            None if name == "master" => return Err("deletion of the current branch prohibited"),
            None => drop(refs.remove(name)),
        }
        Ok(())
    }
}

/// The commands, one a line of the protocol, and what follows them.
fn commands(mut body: &[u8]) -> Option<(Vec<Command<'_>>, &[u8])> {
    let mut commands = Vec::new();
    loop {
        let length = usize::from_str_radix(std::str::from_utf8(body.get(..4)?).ok()?, 16).ok()?;
        if length == 0 {
            return Some((commands, &body[4..]));
        }
        let line = std::str::from_utf8(body.get(4..length)?).ok()?;
        let mut words = line.split('\0').next()?.trim_end().splitn(3, ' ');
        commands.push(Command {
            old: words.next()?,
            new: words.next()?,
            name: words.next()?,
        });
        body = &body[length..];
    }
}

/// Version 2, no objects, and a SHA-1.
fn is_empty_pack(pack: &[u8]) -> bool {
    pack.len() == 32 && pack.starts_with(b"PACK\0\0\0\x02\0\0\0\0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_come_before_the_pack() {
        let command = format!("{NONE} {} refs/heads/a\0report-status", "1".repeat(40));
        let body = [packet(&command).as_bytes(), b"0000PACK"].concat();
        let (commands, pack) = commands(&body).unwrap();
        assert_eq!(
            (commands.len(), commands[0].name, pack),
            (1, "refs/heads/a", &b"PACK"[..])
        );
        assert!(super::commands(b"00ffshort").is_none() && super::commands(b"zzzz").is_none());
    }
}
