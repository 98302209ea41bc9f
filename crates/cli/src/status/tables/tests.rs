use super::*;

#[test]
fn ages_are_written_as_kubectl_writes_them() {
    let cases = [
        (0, "0s"),
        (-5, "0s"),
        (119, "119s"),
        (120, "2m"),
        (200, "3m20s"),
        (600, "10m"),
        (3 * 3600, "3h"),
        (5 * 3600 + 720, "5h12m"),
        (47 * 3600, "47h"),
        (51 * 3600, "2d3h"),
        (40 * 86400, "40d"),
    ];
    for (seconds, text) in cases {
        assert_eq!(duration(seconds), text, "{seconds}");
    }
}

#[test]
fn many_hostnames_are_shortened_unless_there_is_room() {
    let names = ["a", "b", "c", "d"].map(str::to_owned);
    assert_eq!(shortened(&names, Width::Narrow), "a,b + 2 more");
    assert_eq!(shortened(&names, Width::Wide), "a,b,c,d");
    assert_eq!(shortened(&names[..2], Width::Narrow), "a,b");
    assert_eq!(shortened(&[], Width::Narrow), "");
}

#[test]
fn no_objects_are_said_to_be_none() {
    assert_eq!(
        tables(&Objects::default(), Width::Wide, Rows::All, 0),
        "No Gateways or routes.\n"
    );
}

#[test]
fn long_tables_are_cut_where_asked_for() {
    let text = "HEAD\n1\n2\n3\n";
    assert_eq!(shown(text, 1, Rows::All), text);
    assert_eq!(shown(text, 1, Rows::AtMost(3)), text);
    let cut = "HEAD\n1\n2\n... and 1 more, see `portcullis status`\n";
    assert_eq!(shown(text, 1, Rows::AtMost(2)), cut);
}
