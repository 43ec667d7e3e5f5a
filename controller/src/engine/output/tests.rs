//! Workers' output of any kind: what is an event is taken, whatever stands around it.

use hf2ms_worker::protocol::Receipt;
use proptest::prelude::*;

use super::*;

/// What is taken of this output, and the names of the events that were heard.
fn heard(stdout: &[u8]) -> (WorkerOutput, usize) {
    let settings = Settings::read(&|_| None).unwrap();
    let (mut output, count) = (
        WorkerOutput::default(),
        std::sync::atomic::AtomicUsize::new(0),
    );
    let listener = |_: &Event| {
        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(read_events(stdout, &mut output, &listener, &settings));
    (output, count.into_inner())
}

fn receipt(sent: u64) -> String {
    let receipt = Receipt {
        sent,
        ..Receipt::default()
    };
    serde_json::to_string(&Event::Receipt(receipt)).unwrap()
}

/// A line that is no event.
fn other_line() -> impl Strategy<Value = Vec<u8>> {
    let bytes =
        proptest::collection::vec(any::<u8>().prop_filter("one line", |b| *b != b'\n'), 0..40);
    let json = r#"\{"event":"[a-z]{1,9}","[a-z]{1,5}":(\[\]|null|-?[0-9]{1,25}|"[^"\\\n]{0,9}")\}"#;
    prop_oneof![bytes, json.prop_map(String::into_bytes)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn events_are_taken_from_among_any_other_lines(before in proptest::collection::vec(other_line(), 0..6), sent in any::<u64>(),
                                                   cut in any::<proptest::sample::Index>()) {
        let failed = r#"{"event":"failed","path":null,"error":"e","kind":"denied","later":{"a":[1]}}"#;
        let mut stdout = before.concat();
        stdout.push(b'\n');
        for line in &before {
            stdout.extend_from_slice(line);
            stdout.push(b'\n');
        }
        let whole = [&stdout[..], failed.as_bytes(), b"\n", receipt(sent).as_bytes(), b"\n", b"after"].concat();
        let (output, count) = heard(&whole);
        prop_assert_eq!(output.receipt.map(|receipt| receipt.sent), Some(sent));
        prop_assert!(output.failure.is_some() && count >= 2);
        // A worker may be killed at any byte.
        heard(&whole[..cut.index(whole.len())]);
    }
}

#[tokio::test]
async fn a_log_that_is_not_text_is_kept_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let last = keep_log(
        b"one\r\n\xff\xfe\nsecret-token end".as_slice(),
        Some(path.clone()),
        Redactor::new(hf2ms_hub::Token::parse("secret-token")),
    )
    .await;
    assert_eq!(last, "*** end");
    assert_eq!(
        std::fs::read_to_string(path).unwrap(),
        "one\n\u{fffd}\u{fffd}\n*** end\n"
    );
}
