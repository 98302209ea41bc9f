use portcullis_ir::filter;

use super::PathRewrite;

fn prefix(replacement: &str) -> PathRewrite {
    PathRewrite::compile(&filter::PathRewrite::Prefix(replacement.to_owned()))
}

fn full(replacement: &str) -> PathRewrite {
    PathRewrite::compile(&filter::PathRewrite::Full(replacement.to_owned()))
}

#[test]
fn prefixes_are_replaced_as_the_spec_tabulates() {
    // Request path, prefix match, replacement, modified path.
    let cases = [
        // The table of `HTTPPathModifier.ReplacePrefixMatch`, whole.
        ("/foo/bar", "/foo", "/xyz", "/xyz/bar"),
        ("/foo/bar", "/foo", "/xyz/", "/xyz/bar"),
        ("/foo/bar", "/foo/", "/xyz", "/xyz/bar"),
        ("/foo/bar", "/foo/", "/xyz/", "/xyz/bar"),
        ("/foo", "/foo", "/xyz", "/xyz"),
        ("/foo/", "/foo", "/xyz", "/xyz/"),
        ("/foo/bar", "/foo", "", "/bar"),
        ("/foo/", "/foo", "", "/"),
        ("/foo", "/foo", "", "/"),
        ("/foo/", "/foo", "/", "/"),
        ("/foo", "/foo", "/", "/"),
        // The upstream tests HTTPRouteRewritePath, HTTPRouteRedirectPath and
        // HTTPRouteBackendURLRewrite.
        ("/prefix/one/two", "/prefix/one", "/one", "/one/two"),
        ("/strip-prefix/three", "/strip-prefix", "/", "/three"),
        ("/strip-prefix", "/strip-prefix", "/", "/"),
        (
            "/prefix/rewrite-path-and-modify-headers/one",
            "/prefix/rewrite-path-and-modify-headers",
            "/prefix",
            "/prefix/one",
        ),
        (
            "/original-prefix/lemon",
            "/original-prefix",
            "/replacement-prefix",
            "/replacement-prefix/lemon",
        ),
        (
            "/prefix/original",
            "/prefix",
            "/rewritten-prefix",
            "/rewritten-prefix/original",
        ),
        // Ours.
        ("/bar", "/", "/xyz", "/xyz/bar"),
        ("/", "/", "/xyz", "/xyz/"),
        ("/foo//bar", "/foo", "/xyz", "/xyz//bar"),
        ("/foo/%2Fbar", "/foo", "/xyz", "/xyz/%2Fbar"),
        ("/foo/bar", "/foo", "xyz", "/xyz/bar"),
        ("/foo/bar", "/foo", "/a b", "/a%20b/bar"),
    ];
    for (path, matched, replacement, expected) in cases {
        assert_eq!(
            prefix(replacement).replace(path, Some(matched)),
            expected,
            "{path} with {matched} replaced by {replacement:?}"
        );
    }
}

#[test]
fn a_path_without_the_prefix_stays() {
    for matched in [None, Some("/foo"), Some("/foobarbaz")] {
        assert_eq!(prefix("/xyz").replace("/foobar", matched), "/foobar");
    }
}

#[test]
fn a_full_replacement_is_a_valid_path_whatever_it_says() {
    let cases = [
        ("/one", "/one"),
        ("", "/"),
        ("one", "/one"),
        ("/one/", "/one/"),
        ("/$1/\\1/${x}", "/$1/%5C1/$%7Bx%7D"),
        ("/a?b#c", "/a%3Fb%23c"),
        ("/a%2Fb%zz%", "/a%2Fb%25zz%25"),
        ("/a\r\nSet-Cookie: b", "/a%0D%0ASet-Cookie:%20b"),
        ("/ü", "/%C3%BC"),
    ];
    for (replacement, expected) in cases {
        assert_eq!(full(replacement).replace("/any", None), expected);
    }
}
