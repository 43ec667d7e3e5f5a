"""`scripts/lint-house` finds a breach of each rule, and nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from house.rules import CONTROLLER_ROOMS, RULES, House, braces  # noqa: E402
from house.source import Rust  # noqa: E402


@pytest.fixture
def lint(tmp_path):
    """Writes files and returns the breaches of one rule as `path:line text`."""

    def run(rule, **files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return [f"{breach.path}:{breach.line} {breach.text}" for breach in sorted(getattr(House(tmp_path), rule)())]

    return lambda rule, files: run(rule, **files)


def only(breaches, *parts):
    """There is one breach, and it has each of these parts."""
    assert len(breaches) == 1, breaches
    assert all(part in breaches[0] for part in parts), breaches[0]


CYCLES = {
    "crate paths": ("use crate::b::B;\npub struct A;\n", "use crate::a::A;\npub struct B;\n"),
    "super": ("use super::b::B;\npub struct A;\n", "fn f() { super::a::A }\npub struct B;\n"),
    "grouped uses": ("use crate::{b::{self, B as Other}};\npub struct A;\n", "use crate::{c::C, a::{A, Z}};\npub struct B;\n"),
    "paths in code": ("fn f() -> crate::b::B { todo!() }\n", "pub struct B(crate::a::A);\n"),
    "a module's name": ("use crate::b;\nfn f() { b::g() }\n", "use crate::a;\npub fn g() { a::f() }\n"),
    "re-exports": ("use crate::B;\npub struct A;\n", "use crate::A;\npub struct B;\n"),
}


@pytest.mark.parametrize("kind", CYCLES)
def test_an_import_cycle_is_found_by(kind, lint):
    a, b = CYCLES[kind]
    library = "pub mod a;\npub mod b;\npub mod c;\npub use a::A;\npub use b::*;\n"
    found = lint("imports", {"hub/src/lib.rs": library, "hub/src/a.rs": a, "hub/src/b.rs": b, "hub/src/c.rs": "pub struct C;\n"})
    only(found, "hub/src/a.rs:", "import cycle a -> b -> a", "move what both need")


def test_a_cycle_of_three_modules_is_one_round_trip(lint):
    files = {f"worker/src/{one}.rs": f"use crate::{other}::X;\npub struct X;\n" for one, other in ("ab", "bc", "ca")}
    only(lint("imports", files), "worker/src/a.rs:1", "a -> b -> c -> a")


@pytest.mark.parametrize(
    "a",
    [
        "// use crate::b::B;\npub struct A;\n",
        'const A: &str = "crate::b::B";\n',
        "pub struct A;\n#[cfg(test)]\nmod tests {\n    use crate::b::B;\n}\n",
        "pub struct A;\n#[cfg(test)]\nuse crate::b::B;\n",
        "use other::b::B;\npub struct A;\n",
    ],
)
def test_comments_strings_tests_and_other_crates_import_nothing(a, lint):
    assert lint("imports", {"hub/src/a.rs": a, "hub/src/b.rs": "use crate::a::A;\npub struct B;\n"}) == []


def test_a_module_and_its_ancestors_are_one_room(lint):
    files = {"hub/src/a/mod.rs": "mod b;\nuse b::B;\npub struct A;\n", "hub/src/a/b.rs": "use super::A;\nuse crate::a::A as Same;\npub struct B;\n"}
    assert lint("imports", files) == []


def test_files_of_test_modules_import_what_they_like(lint):
    files = {"hub/src/a.rs": "#[cfg(test)]\nmod checks;\npub struct A;\n", "hub/src/a/checks.rs": "use crate::b::B;\n", "hub/src/b.rs": "use crate::a::checks;\n"}
    assert lint("imports", files) == []


def test_a_controllers_room_imports_only_from_below(lint):
    files = {"controller/src/ui/screen.rs": "use crate::copy::plan::Plan;\n", "controller/src/copy/mod.rs": "pub mod plan;\n", "controller/src/copy/plan.rs": "pub struct Plan;\n"}
    only(lint("imports", files), "controller/src/ui/screen.rs:1", "`ui` imports copy::plan from a room above it")


def test_the_controller_has_few_rooms(lint):
    files = {f"controller/src/room{number}.rs": "" for number in range(21)}
    assert any("21 rooms, at most 20" in breach for breach in lint("imports", files))
    assert len(CONTROLLER_ROOMS) == len(set(CONTROLLER_ROOMS)) <= 20


@pytest.mark.parametrize("kind", ["struct", "enum", "trait"])
def test_a_public_types_name_stands_once(kind, lint):
    found = lint("names", {"hub/src/a.rs": "pub struct Same;\n", "controller/src/b.rs": f"\npub(crate) {kind} Same {{}}\n"})
    only(found, "controller/src/b.rs:2", "`Same` is also defined at hub/src/a.rs:1", "give each its own name")


def test_wire_structs_arguments_tests_and_private_types_may_share_a_name(lint):
    text = "pub struct Args;\nstruct Private;\n#[cfg(test)]\nmod tests { pub struct Tested; }\n"
    files = {"hub/src/a.rs": text, "worker/src/b.rs": text, "hub/src/c/wire.rs": "pub struct File;\n", "hub/src/d/wire.rs": "pub struct File;\n"}
    assert lint("names", files) == []


@pytest.mark.parametrize("code", ["Hub::HuggingFace", "hf2ms_hub::Hub :: ModelScope", "Hub::{Git}", "Hub::*"])
def test_a_hub_is_named_in_its_own_folder_only(code, lint):
    only(lint("hubs", {"controller/src/a.rs": f"fn f() {{\n    {code};\n}}\n"}), "controller/src/a.rs:2", "outside the hub's folder")


def test_one_hubs_folder_names_no_other_hub(lint):
    code = "fn f() { Hub::ModelScope }\n"
    files = {path: code for path in ("hub/src/hub.rs", "hub/src/open.rs", "hub/src/modelscope/mod.rs", "hub/src/a/tests.rs")}
    assert lint("hubs", files) == []
    only(lint("hubs", {"hub/src/huggingface/mod.rs": code}), "hub/src/huggingface/mod.rs:1")


def test_a_new_hub_has_a_folder_of_its_own_too(lint):
    enum = "pub enum Hub {\n    /// A.\n    #[serde(rename = \"x\")]\n    HuggingFace,\n    NewHub,\n}\n"
    files = {"hub/src/hub.rs": enum, "hub/src/newhub/mod.rs": "fn f() { Hub::NewHub }\n", "worker/src/a.rs": "fn f() { Hub::NewHub }\n"}
    only(lint("hubs", files), "worker/src/a.rs:1 `Hub::NewHub`")


OF_A_SYSTEM = {
    "an attribute": "#[cfg(unix)]\nfn f() {}\n",
    "a condition": "fn f() -> bool { cfg!(any(windows, test)) }\n",
    "a name of one system": '#[cfg(target_os = "linux")]\nfn f() {}\n',
    "a conditional attribute": '#[cfg_attr(not(target_os = "macos"), allow(dead_code))]\nfn f() {}\n',
    "the standard library": "use std::os::unix::fs::MetadataExt;\n",
    "a path inside code": "fn f() { let _ = std::os::windows::fs::symlink_file; }\n",
    "a crate": "fn f() { rustix::process::getuid(); }\n",
    "signals": "use tokio::signal::unix::signal;\n",
    "process groups": "fn f(c: C) { c.process_group(0); }\n",
}


@pytest.mark.parametrize("kind", OF_A_SYSTEM)
@pytest.mark.parametrize("crate", ("hub", "worker", "controller", "sandbox"))
def test_code_of_one_operating_system_is_found_by(kind, crate, lint):
    only(lint("platforms", {f"{crate}/src/x.rs": OF_A_SYSTEM[kind]}), f"{crate}/src/x.rs:1", "platform")


def test_code_of_one_operating_system_has_its_place_and_tests_are_of_unix(lint):
    places = ("hub/src/platform/unix.rs", "worker/src/signals/mod.rs", "controller/src/platform/windows.rs", "sandbox/src/platform.rs")
    code = '#[cfg(test)]\nmod tests {\n    use std::os::unix::fs::symlink;\n}\n#[cfg(feature = "windows")]\nfn g() {}\n// cfg(unix)\n'
    files = {place: "".join(OF_A_SYSTEM.values()) for place in places} | {"hub/src/x.rs": code, "hub/tests/x.rs": OF_A_SYSTEM["a crate"]}
    assert lint("platforms", files) == []


@pytest.mark.parametrize(
    "loop",
    [
        "loop { sleep(SHORT).await }",
        "while let Some(x) = next() { tokio::time::sleep(SHORT).await; }",
        "for pause in pauses { if bad { clock.sleep(pause).await } }",
        "loop { tokio::select! { () = tokio::time::sleep_until(end) => () } }",
        "loop { wait_a_while().await }",
    ],
)
def test_a_pause_in_a_loop_is_found(loop, lint):
    code = f"async fn again() {{\n    {loop}\n}}\nasync fn wait_a_while() {{ sleep(SHORT).await }}\n"
    only(lint("pauses", {"worker/src/a.rs": code}), "worker/src/a.rs:2", "in `again`", "use Attempts of hub/src/http/retry.rs")


def test_pauses_outside_loops_in_the_retry_module_and_on_the_list_are_fine(lint):
    loop = "async fn end() { loop { sleep(SHORT).await } }\n"
    files = {
        "hub/src/http/retry.rs": loop,
        "controller/src/verbs/stop.rs": loop,
        "hub/src/a.rs": "impl Clock for Real { fn sleep(&self) { sleep(SHORT) } }\nfn f<F: for<'a> Fn(&'a str)>() { sleep(SHORT) }\n",
        "hub/src/b.rs": "#[cfg(test)]\nmod tests { fn f() { loop { sleep(SHORT) } } }\n",
    }
    assert lint("pauses", files) == []


def test_a_function_that_pauses_is_a_pause_in_its_file_and_one_that_polls_is_not(lint):
    code = "async fn once() { sleep(SHORT).await }\nasync fn again() { loop { once().await } }\n"
    only(lint("pauses", {"worker/src/a.rs": code, "worker/src/b.rs": "async fn f() { loop { once().await } }\n"}), "worker/src/a.rs:2", "in `again`")
    poll = "async fn end() { loop { sleep(SHORT).await } }\nasync fn f() { loop { end().await } }\n"
    assert lint("pauses", {"worker/src/a.rs": "", "worker/src/b.rs": "", "controller/src/verbs/stop.rs": poll}) == []


def test_an_allowed_pause_that_is_gone_is_taken_off_the_list(lint):
    only(lint("pauses", {"worker/src/events.rs": "fn tick() {}\n"}), "scripts/house/rules.py", "`tick` of worker/src/events.rs has no pause in a loop")


def function(lines):
    return "fn long() {\n" + "    step();\n" * (lines - 2) + "}\n"


@pytest.mark.parametrize("path", ["hub/src/a.rs", "controller/tests/a.rs", "hub/src/tests.rs"])
def test_functions_have_at_most_sixty_lines_in_tests_too(path, lint):
    assert lint("lengths", {path: function(60)}) == []
    only(lint("lengths", {path: "\n" + function(61)}), f"{path}:2", "`long` has 61 lines, at most 60")


def test_python_functions_are_counted_too(lint):
    only(lint("lengths", {"tests/a.py": "def long():\n" + "    step()\n" * 60}), "tests/a.py:1", "`long` has 61 lines")


@pytest.mark.parametrize(("path", "most"), [("hub/src/a.rs", 500), ("controller/tests/a.rs", 500), ("tests/a.py", 500), ("README.md", 120)])
def test_files_are_short(path, most, lint):
    assert lint("lengths", {path: "\n" * most}) == []
    only(lint("lengths", {path: "\n" * (most + 1)}), f"{path}:1", f"{most + 1} lines, at most {most}")


BARE = 'fn f() { Err(CliError::usage(format!("{name} is no file"))) }\n'


def test_an_error_without_advice_is_found(lint):
    only(lint("remedies", {"controller/src/a.rs": BARE}), "controller/src/a.rs:1", "{name} is no file", "does not say what to do")


@pytest.mark.parametrize(
    "code",
    [
        BARE.replace("is no file", "is no file: check the path"),
        BARE.replace('format!("{name} is no file")', 'format!("{name}: {error}; {}", remedy(kind))'),
        'fn f() { let line = format!("{name} is no file: check the path"); Err(CliError::new(Exit::Usage, line)) }\n',
        f"#[cfg(test)]\nmod tests {{ {BARE} }}\n",
    ],
)
def test_an_error_with_advice_is_fine(code, lint):
    assert lint("remedies", {"controller/src/a.rs": code}) == []


LONG = " ".join(["word"] * 25) + ".\n"


@pytest.mark.parametrize("path, text", [("docs/a.md", LONG), ("hub/src/a.rs", f"// {LONG}"), ("controller/src/a.txt", LONG), ("docs/a.md", f"| a | {LONG.strip()} |\n")])
def test_a_long_sentence_is_found(path, text, lint):
    only(lint("sentences", {path: text}), f"{path}:1", "a sentence of 25 words")


def test_short_sentences_examples_and_code_are_fine(lint):
    short = " ".join(["word"] * 12)
    files = {
        "docs/a.md": f"{short}: {short}; {short}.\n\n    {LONG}\n```\n{LONG}```\nA `{LONG.strip()}` is code ({short}).\n",
        "controller/src/a.txt": f"{short}.\n\n  {LONG}",
        "hub/src/a.rs": f'const A: &str = "{LONG.strip()}";\n',
    }
    assert lint("sentences", files) == []


@pytest.mark.parametrize("text", ["struct Crew;", "fn in_words() {}", "#[cfg(test)]\nmod tests { fn judge() {} }", "/// Asks the `Errand`.\nfn f() {}"])
def test_old_private_names_are_found_in_code_and_quotes(text, lint):
    only(lint("words", {"controller/src/a.rs": text + "\n"}), "controller/src/a.rs:", "is an old private name; say")


def test_riddles_are_found_in_comments_and_docs(lint):
    found = lint("words", {"hub/src/a.rs": "fn f() {}\n// Whose turn it is.\n", "docs/a.md": "One.\nThis tells what came of it.\n"})
    assert [breach.split(" is a riddle")[0] for breach in found] == ["docs/a.md:2 `what came of`", "hub/src/a.rs:2 `Whose turn`"]


def test_plain_words_and_messages_are_fine(lint):
    files = {"hub/src/a.rs": '/// Here a crew of workers came.\nfn f() { say("Here: whose turn"); }\n', "CHANGELOG.md": "`Crew` is `Runner` now.\n"}
    assert lint("words", files) == []


@pytest.mark.parametrize("text", ["See hub/src/gone.rs.", "`hub/src/{a,gone}.rs`", "[a](gone.md)", "`hub/src/*/gone.rs`"])
def test_docs_name_files_that_exist(text, lint):
    only(lint("links", {"docs/a.md": f"One.\n{text}\n", "hub/src/a.rs": ""}), "docs/a.md:2", "gone")


def test_docs_may_name_what_exists(lint):
    text = "`hub/src/{a,b}.rs`, hub/src/a.rs, [a](a.md#part), [web](https://example.org/hub/src/x.rs), `hub/src/`\n"
    assert lint("links", {"docs/a.md": text, "hub/src/a.rs": "", "hub/src/b.rs": ""}) == []


def walk(files):
    return "".join(f"| {number} | hub/src/a{number}.rs | `go` | goes |\n" for number in range(files))


def test_the_walk_of_a_blob_names_functions_that_exist_in_few_files(lint):
    files = {f"hub/src/a{number}.rs": "pub async fn go() {}\n" for number in range(26)}
    assert lint("walk", {**files, "docs/architecture.md": walk(25)}) == []
    only(lint("walk", {"docs/architecture.md": walk(26)}), "docs/architecture.md:1 26 files, at most 25")
    only(lint("walk", {"docs/architecture.md": walk(25), "hub/src/a3.rs": "fn gone() {}\n"}), "docs/architecture.md:4 hub/src/a3.rs has no function `go`")


def test_unformatted_code_is_found(lint):
    manifest = '[workspace]\nmembers = ["hub"]\nresolver = "2"\n'
    package = '[package]\nname = "hub"\nversion = "0.0.0"\nedition = "2024"\n'
    files = {"Cargo.toml": manifest, "hub/Cargo.toml": package, "hub/src/lib.rs": "fn  f( ) { }\n"}
    only(lint("format", files), "hub/src/lib.rs:1", "run `cargo fmt --all`")


def test_strings_and_comments_are_no_code():
    code = Rust("a.rs", "let a = r#\"loop \"{\"#; let b = '{'; let c: &'static str = \"}\"; /* { */ // {\nlet d = b\"{\";").code
    assert "{" not in code and "}" not in code and "'static" in code and code.count("\n") == 1


def test_braces_are_expanded():
    assert list(braces("a/{b,c}.{d,e}")) == ["a/b.d", "a/b.e", "a/c.d", "a/c.e"]


def test_breaches_are_printed_counted_and_told_by_the_exit_code(tmp_path):
    def run(*rules):
        command = [sys.executable, str(ROOT / "scripts/lint-house"), "--root", str(tmp_path), *rules]
        return subprocess.run(command, capture_output=True, text=True)

    assert (run().returncode, run().stdout) == (0, "0 breaches of the house rules\n")
    (tmp_path / "hub/src").mkdir(parents=True)
    (tmp_path / "hub/src/a.rs").write_text("struct Crew;\n")
    assert run("names").returncode == 0
    found = run()
    assert found.returncode == 1
    first, last = found.stdout.splitlines()
    assert first.startswith("hub/src/a.rs:1: [words] ") and last == "1 breach of the house rules (1 words)"
    assert run("nonsense").returncode == 2 and set(RULES) >= {"imports", "names", "hubs", "pauses", "lengths", "words", "remedies", "sentences", "links", "format"}
