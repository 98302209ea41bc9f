//! "Did you mean …?"

/// The name nearest to a mistyped one, if one is near enough: a quarter of its letters may differ.
pub(crate) fn closest<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let most = (typed.chars().count() / 4).clamp(1, 4);
    names
        .map(|name| (distance(typed, name), name))
        .filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, name)| name)
}

/// How many letters must be put in, taken out or changed, case aside, to get from one to the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    // What is too long to be a typo is not worth the square.
    for (i, from) in a.to_lowercase().chars().take(64).enumerate() {
        let mut next = vec![i + 1];
        for ((to, diagonal), (above, left)) in
            b.iter().zip(&row).zip(row.iter().skip(1).zip(0_usize..))
        {
            let left = next.get(left).copied().unwrap_or(usize::MAX - 1);
            let changed = diagonal + usize::from(from != *to);
            next.push(changed.min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
