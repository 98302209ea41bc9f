use super::*;

#[test]
fn features_are_sorted_by_name_and_unique() {
    assert!(SUPPORTED.windows(2).all(|pair| pair[0].name < pair[1].name));
}
