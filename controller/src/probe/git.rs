//! Git's smart HTTP of a hub: the advertised refs, and the pack of one commit. Source: Git's `gitprotocol-pack`.

use hf2ms_hub::http::RawResponse;

use super::finding::{NotTried, Tried, seen};
use super::scratch::Scratch;
use super::wire::{Ask, brief, cut, header};

/// The agent that opens ModelScope's Git: one that begins so (recorded there).
pub const AGENT: &str = concat!("git/2.47.0 (hf2ms/", env!("CARGO_PKG_VERSION"), ")");
const UPLOAD: &str = "git-upload-pack";

/// A line of Git's protocol: its length in four hex digits, themselves counted, and its text.
pub fn packet(text: &str) -> String {
    format!("{:04x}{text}", text.len() + 4)
}

/// The refs that Git advertises to this user agent.
///
/// # Errors
/// As [`Scratch::send`].
pub async fn refs(
    scratch: &Scratch,
    repo: &str,
    service: &str,
    agent: &str,
) -> Result<RawResponse, NotTried> {
    scratch
        .send(
            Ask::get(format!("{repo}/info/refs?service={service}"))
                .by_git()
                .header("user-agent", agent),
        )
        .await
}

/// Whether Git advertises refs, and with which capabilities.
pub async fn advertised(scratch: &Scratch, repo: &str) -> Tried {
    let answer = refs(scratch, repo, UPLOAD, AGENT).await?;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let capabilities = text
        .split_once('\0')
        .and_then(|(_, rest)| rest.lines().next())
        .unwrap_or_default();
    let has = |name: &str| capabilities.split(' ').any(|told| told == name);
    let good = is_advertisement(&answer, UPLOAD) && has("shallow") && text.contains("refs/heads/");
    let by_id = [
        ("allow-tip-sha1-in-want", "tips"),
        ("allow-reachable-sha1-in-want", "reachable commits"),
        ("filter", "filter"),
    ];
    let more: Vec<&str> = by_id
        .iter()
        .filter(|(name, _)| has(name))
        .map(|(_, word)| *word)
        .collect();
    let agent = capabilities
        .split(' ')
        .find(|told| told.starts_with("agent="))
        .unwrap_or("no agent");
    seen(
        good,
        format!(
            "{}, shallow: {}, also: {}; {}",
            words(&answer),
            has("shallow"),
            more.join(", "),
            cut(agent)
        ),
    )
}

/// Whether Git advertises refs for a push.
pub async fn writable(scratch: &Scratch, repo: &str) -> Tried {
    let answer = refs(scratch, repo, "git-receive-pack", AGENT).await?;
    seen(
        is_advertisement(&answer, "git-receive-pack"),
        words(&answer),
    )
}

/// Whether a response is a ref advertisement.
pub fn is_advertisement(answer: &RawResponse, service: &str) -> bool {
    answer.status == 200
        && header(answer, "content-type")
            .starts_with(&format!("application/x-{service}-advertisement"))
}

fn words(answer: &RawResponse) -> String {
    if answer.status == 200 {
        header(answer, "content-type").to_owned()
    } else {
        brief(answer)
    }
}

/// Whether Git sends the pack of one commit by its id.
pub async fn pack_of(scratch: &Scratch, repo: &str, commit: &str) -> Tried {
    let body = format!(
        "{}{}0000{}",
        packet(&format!(
            "want {commit} shallow ofs-delta agent=git/hf2ms\n"
        )),
        packet("deepen 1\n"),
        packet("done\n")
    );
    let ask = Ask::new("POST", format!("{repo}/{UPLOAD}"))
        .by_git()
        .header("user-agent", AGENT)
        .body(body);
    let answer = scratch
        .send(ask.header("content-type", format!("application/x-{UPLOAD}-request")))
        .await?;
    let is_pack = answer.body.windows(4).any(|word| word == b"PACK");
    let said = String::from_utf8_lossy(&answer.body)
        .chars()
        .filter(|c| !c.is_control())
        .take(60)
        .collect::<String>();
    let said = if is_pack {
        String::new()
    } else {
        format!(": {said}")
    };
    seen(
        answer.status == 200 && is_pack,
        format!("{}, a pack: {is_pack}{said}", answer.status),
    )
}
