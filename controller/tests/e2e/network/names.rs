//! A resolver that fails for a while. It needs the right to give a process a `resolv.conf` of its own.

use std::net::UdpSocket;
use std::process::Command;

use super::*;

/// A resolver at an address of this machine's own that says SERVFAIL to so many questions and then answers; how many there were.
/// `None` where nobody may listen there.
fn resolver(failures: usize) -> Option<(String, Arc<AtomicUsize>)> {
    let [a, b] = u16::try_from(std::process::id() % 65_000)
        .ok()?
        .to_be_bytes();
    let address = format!("127.53.{a}.{b}");
    let socket = UdpSocket::bind((address.as_str(), 53)).ok()?;
    let asked = Arc::<AtomicUsize>::default();
    let count = asked.clone();
    std::thread::spawn(move || {
        let mut packet = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut packet) {
            let fails = count.fetch_add(1, Ordering::Relaxed) < failures;
            let _ = socket.send_to(&answer(&packet[..length], fails), from);
        }
    });
    Some((address, asked))
}

/// RFC 1035, 4.1: the question again, and an address for one of type A.
fn answer(question: &[u8], fails: bool) -> Vec<u8> {
    let name = question[12..].iter().position(|byte| *byte == 0).unwrap();
    let end = 12 + name + 5;
    let is_a = question[end - 4..end - 2] == [0, 1];
    let (code, answers) = match fails {
        true => (0x82, 0),
        false => (0x80, u8::from(is_a)),
    };
    let head = [
        question[0],
        question[1],
        0x81,
        code,
        0,
        1,
        0,
        answers,
        0,
        0,
        0,
        0,
    ];
    let mut answer = [&head, &question[12..end]].concat();
    if answers > 0 {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1]);
    }
    answer
}

/// `hf2ms migrate` where `address` resolves names; `None` where that may not be set for one process.
fn migrate_by(world: &World, address: &str) -> Option<crate::common::Ran> {
    let settings = world.path("resolv.conf");
    let text = format!("nameserver {address}\noptions attempts:1 timeout:5\n");
    std::fs::write(&settings, text).unwrap();
    let program = world.command(&["migrate", "alice/model", "--json"]);
    let script = "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"";
    let apart = |command: &[&str]| {
        let mut unshare = Command::new("unshare");
        unshare.args(["-m", "sh", "-c", script]).arg(&settings);
        unshare.args(command);
        unshare
    };
    if !apart(&["true"])
        .status()
        .is_ok_and(|status| status.success())
    {
        return None;
    }
    let mut command = apart(&[]);
    command.arg(program.get_program()).args(program.get_args());
    command.env_clear().current_dir(world.path(""));
    let variables = program.get_envs();
    command.envs(variables.filter_map(|(name, value)| Some((name, value?))));
    command.envs([IMPATIENT]);
    Some(crate::common::Ran::of(command.output().unwrap()))
}

// 71
#[test]
fn a_resolver_without_an_answer_is_asked_again() {
    let world = World::serving(&["--advertise", ELSEWHERE]).holding_blob(1000);
    let ran = resolver(8).and_then(|(address, asked)| {
        let ran = migrate_by(&world, &address)?;
        Some((ran, asked.load(Ordering::Relaxed)))
    });
    let Some((ran, asked)) = ran else {
        eprintln!("no process of this user may have a resolver of its own: nothing was tested");
        return;
    };
    ran.done();
    assert!(world.is_whole() && asked > 8, "{asked}");
}
