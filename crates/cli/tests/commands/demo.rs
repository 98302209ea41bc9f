//! `portcullis demo`: every command it prints is pasted into a shell.

use std::fs;
use std::process::Command;

use crate::harness::{BINARY, Process};

/// What pasting a command must come to.
struct Paste {
    /// Words of the command.
    command: &'static str,
    /// curl's exit code.
    exit: i32,
    /// Words of the output.
    output: &'static str,
}

/// In the order of the guide.
const PASTES: [Paste; 13] = [
    Paste {
        command: "curl -i --cacert ca.crt",
        exit: 0,
        output: "HTTP/2 418",
    },
    Paste {
        command: "https://helloworld.example.com",
        exit: 0,
        output: "Hello version: v1",
    },
    Paste {
        command: "https://stranger.example.com",
        exit: 35,
        output: "unrecognized name",
    },
    Paste {
        command: "http://httpbin.example.com",
        exit: 0,
        output: "HTTP/1.1 200",
    },
    Paste {
        command: "--cert client.crt",
        exit: 0,
        output: "teapot",
    },
    Paste {
        command: "curl --cacert ca.crt --resolve httpbin",
        exit: 56,
        output: "certificate required",
    },
    Paste {
        command: "https://partner.example.com",
        exit: 0,
        output: "teapot",
    },
    Paste {
        command: "cp variants/httpbin-credential.yaml",
        exit: 0,
        output: "",
    },
    Paste {
        command: "--cacert new-ca.crt",
        exit: 0,
        output: "teapot",
    },
    Paste {
        command: "cp variants/mistake.yaml",
        exit: 0,
        output: "",
    },
    Paste {
        command: "https://helloworld.example.com",
        exit: 0,
        output: "Hello version: v1",
    },
    Paste {
        command: "cp variants/helloworld.yaml",
        exit: 0,
        output: "",
    },
    Paste {
        command: "portcullis status",
        exit: 0,
        output: "gateways    mygateway   portcullis   127.0.0.1   True",
    },
];

#[test]
fn every_printed_command_works_when_pasted() {
    let mut command = Command::new(BINARY);
    command.args(["demo", "--any-ports"]);
    let mut demo = Process::start(command);
    demo.until_said(&["Ctrl-C ends the demo"]);
    let printed = demo.output();
    let mut commands = printed.lines().filter_map(|line| line.strip_prefix("  "));
    let folder = commands
        .find_map(|line| line.strip_prefix("cd "))
        .unwrap()
        .to_owned();
    let is_certificate = |line: &str| line.contains("new-ca.crt");
    for Paste {
        command,
        exit,
        output,
    } in PASTES
    {
        let line = commands
            .next()
            .unwrap_or_else(|| panic!("no more commands; wanted {command}"));
        assert!(line.contains(command), "{line} is not {command}");
        let run = || {
            let done = Command::new("sh")
                .args(["-c", line])
                .current_dir(&folder)
                .output()
                .unwrap();
            let text = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
            (done.status.code(), text)
        };
        let is_right =
            |(code, text): &(Option<i32>, String)| *code == Some(exit) && text.contains(output);
        if is_certificate(line) {
            // A copied file takes a moment to be served.
            demo.until(line, || is_right(&run()));
        } else {
            let done = run();
            assert!(is_right(&done), "{line}: {done:?}");
        }
    }
    assert!(commands.next().unwrap().contains("portcullis config"));
    demo.until_said(&["ERROR", "helloworld.yaml", "did you mean `backendRefs`?"]);
    demo.until_said(&["helloworld.yaml: mended"]);
    demo.signal("INT");
    assert_eq!(demo.wait(), 0);
    assert!(fs::metadata(&folder).is_err(), "the folder is removed");
}
