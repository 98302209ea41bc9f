use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::{documents, to_yaml};

fn one(text: &str) -> Json {
    let mut all = documents(text);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0).expect("the text is YAML").to_json()
}

fn refusal(text: &str) -> String {
    let error = documents(text)
        .into_iter()
        .find_map(Result::err)
        .expect("the text is refused");
    format!("{}:{}: {}", error.at.line, error.at.column, error.message)
}

#[test]
fn plain_words_mean_what_kubectl_takes_them_for() {
    let text = "[80, 0x1F, 0o17, 017, 1e3, 1.5, .5, yes, off, ~, 1.2.3, 1h, x, '80', \"no\", !!str 80, 99999999999999999999]";
    let expected = json!([
        80,
        31,
        15,
        15,
        1000.0,
        1.5,
        0.5,
        true,
        false,
        null,
        "1.2.3",
        "1h",
        "x",
        "80",
        "no",
        "80",
        "99999999999999999999"
    ]);
    assert_eq!(one(text), expected);
}

#[test]
fn merge_keys_give_way_to_own_keys() {
    let text = "base: &b {a: 1, b: 2}\nuse: {<<: *b, b: 3}\n";
    assert_eq!(
        one(text),
        json!({"base": {"a": 1, "b": 2}, "use": {"a": 1, "b": 3}})
    );
}

#[test]
fn line_ends_and_byte_order_mark_do_not_matter() {
    assert_eq!(
        one("\u{feff}a: 1\r\nb: |\r\n  x\r\n  y\r\n"),
        json!({"a": 1, "b": "x\ny\n"})
    );
}

#[test]
fn a_bad_document_does_not_hide_the_next() {
    let all = documents("a: [1\n---\nb: 2\n---\nc: 'x\n");
    let kinds: Vec<bool> = all.iter().map(Result::is_ok).collect();
    assert_eq!(kinds, [false, true, false]);
    let second = all[1].as_ref().expect("is YAML");
    assert_eq!(second.at.line, 3);
}

#[test]
fn refusals_name_place_and_cause() {
    let bomb = {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for i in 1..9 {
            let before = format!("*a{}", i - 1);
            let items = vec![before; 10].join(", ");
            writeln!(text, "a{i}: &a{i} [{items}]").expect("is a string");
        }
        text
    };
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    let found: Vec<String> = [
        "a: 1\na: 2\n",
        "a: *b\n",
        "a: &a [*a]\n",
        "? [1]\n: 2\n",
        "<<: 1\n",
        "a:\n\t- b\n",
        "a: \"half",
        "a: {b: 1",
        bomb.as_str(),
        deep.as_str(),
    ]
    .into_iter()
    .map(refusal)
    .collect();
    insta::assert_yaml_snapshot!(found);
}

#[test]
fn written_values_read_back() {
    let value = json!({
        "texts": ["", "no", "80", "a: b", "- x", "x #y", "#", "a\nb\n", "a\nb", " a\nb\n", "é", "*", "&a", "%", "@", "\t", "null", "/a", "a ", "'", "\"", "\u{7f}", "1e3", "0x1", "~", "=", "<<"],
        "empty": {"list": [], "map": {}},
        "nested": [[1, [2]], [{"a": [{"b": null}], "c": "x\ny\n"}]],
        "yes": true,
        "a.b/c": -1.5,
    });
    let text = to_yaml(&value).expect("is serializable");
    assert_eq!(one(&text), value, "{text}");
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic(text in "[ \\t\\r\\na-c0-9:&*<>|\\[\\]{}'\",#!%?~.-]{0,200}") {
        let _ = documents(&text);
    }

    #[test]
    fn any_unicode_is_read_without_panic(text in any::<String>()) {
        let _ = documents(&text);
    }

    #[test]
    fn any_text_written_reads_back(text in any::<String>()) {
        let yaml = to_yaml(&json!({ "a": [text] })).expect("is serializable");
        prop_assert_eq!(one(&yaml), json!({ "a": [text] }));
    }
}
