use serde_json::json;

use super::Program;

#[test]
fn expressions_yield_what_the_language_says() {
    let object = json!({
        "n": 3, "t": "a.b/c", "list": ["x", "y"], "namespace": "ns",
        "items": [{"k": 1}, {"k": 2, "v": "z"}],
        "map": {"p": 1},
    });
    let cases = [
        (
            "self.n == 3 && self.n != 4 && self.n >= 3 && self.n < 4",
            "true",
        ),
        ("1 + 2 - 3 == 0", "true"),
        ("has(self.n) && !has(self.m)", "true"),
        ("self.__namespace__ == 'ns'", "true"),
        (
            "size(self.list) == 2 && self.list.size() == 2 && self.t.size() == 5",
            "true",
        ),
        (
            "'x' in self.list && !('z' in self.list) && 'p' in self.map",
            "true",
        ),
        ("self.list[1] == 'y'", "true"),
        ("self.list[2] == 'y'", "index out of range"),
        ("self.items.all(i, i.k > 0)", "true"),
        ("self.items.exists(i, has(i.v) && i.v == 'z')", "true"),
        ("self.items.exists_one(i, i.k > 0)", "false"),
        ("self.items.filter(i, i.k > 1).size() == 1", "true"),
        ("self.map.all(key, key == 'p')", "true"),
        ("self.items.exists(i, i.v == 'z')", "true"),
        ("self.items.all(i, i.v == 'z')", "no such key: v"),
        ("self.m || true", "true"),
        ("true || self.m", "true"),
        ("self.m && false", "false"),
        ("self.m || false", "no such key: m"),
        ("true ? self.n == 3 : self.m", "true"),
        (
            r#"self.t.matches(r"""^a\.b/.$""") && self.t.matches('^a\\.')"#,
            "true",
        ),
        (
            "self.t.startsWith('a') && self.t.endsWith('c') && self.t.contains('.b')",
            "true",
        ),
        ("self.t.split('/')[0].substring(2) == 'b'", "true"),
        ("isIP('::1') && !isIP('a')", "true"),
        (
            "duration('1m') > duration('59s') && duration('0s') == duration('0ms')",
            "true",
        ),
        ("format.dns1123Subdomain().validate('A').hasValue()", "true"),
        (
            "!format.dns1123Subdomain().validate('a.b').hasValue()",
            "true",
        ),
        ("false || false ? false : 1 == 1", "true"),
        ("self.n", "the rule yields an int"),
        ("unknown(self)", "no such function: unknown of a map"),
    ];
    for (rule, expected) in cases {
        let program = Program::compile(rule).expect(rule);
        let outcome = match program.holds(&object) {
            Ok(holds) => holds.to_string(),
            Err(error) => error,
        };
        assert_eq!(outcome, expected, "{rule}");
    }
}

#[test]
fn what_is_no_expression_does_not_compile() {
    for rule in [
        "",
        "1 +",
        "(1",
        "'a",
        "has(1)",
        "a.all(b)",
        "1 1",
        "#",
        "[1",
        "a.matches('(')",
    ] {
        assert!(Program::compile(rule).is_err(), "{rule}");
    }
    assert!(Program::compile(&"(".repeat(1000)).is_err());
}
