use std::time::Duration;

use super::*;

fn map(entries: &[&str]) -> Result<PortMap, UsageError> {
    let entries: Vec<_> = entries.iter().map(|&entry| entry.to_owned()).collect();
    parse_port_map(&entries)
}

#[test]
fn port_maps_name_ports_or_all() {
    let found = map(&["443=8443", "80=0", "*=9000"]).unwrap();
    assert_eq!(found.ports, BTreeMap::from([(443, 8443), (80, 0)]));
    assert_eq!(found.others, Some(9000));
}

#[test]
fn malformed_port_maps_are_refused() {
    for text in ["443", "443=", "=8443", "http=80", "443=65536", "443:8443"] {
        assert_eq!(
            map(&[text]),
            Err(UsageError::PortMap {
                text: text.to_owned()
            }),
            "{text}"
        );
    }
    assert!(matches!(
        map(&["80=1", "80=2"]),
        Err(UsageError::PortMapTwice { .. })
    ));
}

#[test]
fn times_have_units() {
    let cases = [
        ("30s", 30_000),
        ("45", 45_000),
        ("1m30s", 90_000),
        ("500ms", 500),
        ("1h", 3_600_000),
        ("0s", 0),
    ];
    for (text, milliseconds) in cases {
        let time = parse_time("--drain-timeout", text).unwrap();
        assert_eq!(time, Duration::from_millis(milliseconds), "{text}");
    }
    for text in ["", "s", "5x", "-1s", "1.5s", "99999999999999999h"] {
        assert!(parse_time("--drain-timeout", text).is_err(), "{text}");
    }
}

#[test]
fn what_is_written_is_not_in_a_folder_that_is_read() {
    let above = tempfile::tempdir().unwrap();
    let path = |name: &str| above.path().join(name);
    fs::create_dir_all(path("conf/deeper")).unwrap();
    fs::create_dir(path("secrets")).unwrap();
    std::os::unix::fs::symlink(path("conf"), path("link")).unwrap();
    let roots = roots(vec![path("conf")], vec![path("secrets")]).unwrap();
    let refuse = |file: &Path| refuse_inside(&roots, "--status-file", file);
    for inside in [
        "conf/status.yaml",
        "conf/deeper/status.yaml",
        "conf/deeper/../status.yaml",
        "link/status.yaml",
        "secrets/status.yaml",
    ] {
        let refused = refuse(&path(inside)).unwrap_err().to_string();
        assert!(refused.contains("put it elsewhere"), "{refused}");
    }
    for outside in ["status.yaml", "configuration.yaml", "nowhere/status.yaml"] {
        assert_eq!(refuse(&path(outside)), Ok(()), "{outside}");
    }
    assert_eq!(refuse(Path::new("status.yaml")), Ok(()));
}
