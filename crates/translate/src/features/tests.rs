#![expect(
    clippy::disallowed_methods,
    reason = "tests read the files that name features; the crate does not"
)]

use std::fmt::Write as _;
use std::path::Path;

use super::*;

#[test]
fn features_are_sorted_by_name_and_unique() {
    assert!(SUPPORTED.windows(2).all(|pair| pair[0].name < pair[1].name));
}

#[test]
fn every_feature_is_shown_by_a_golden_pair() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for Feature { name, shown_by, .. } in SUPPORTED {
        let pair = golden.join(format!("{shown_by}.in.yaml"));
        assert!(pair.exists(), "{name}: there is no {shown_by}");
    }
}

#[test]
fn the_table_in_the_documentation_is_this_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/features.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut table = "| Feature | What you get | Shown by |\n|---|---|---|\n".to_owned();
    for Feature {
        name,
        what,
        shown_by,
        needs: _,
    } in SUPPORTED
    {
        writeln!(table, "| `{name}` | {what} | `{shown_by}` |").unwrap();
    }
    assert!(
        text.contains(&table),
        "docs/features.md must hold this table:\n{table}"
    );
}
