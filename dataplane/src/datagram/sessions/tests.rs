use std::net::Ipv4Addr;

use super::*;

const IDLE: Duration = Duration::from_mins(1);

fn sessions(count: usize) -> Sessions<&'static str> {
    Sessions::new(SessionLimits { idle: IDLE, count })
}

fn flow(client: u16) -> Flow {
    Flow {
        inlet: InletId(0),
        client: SocketAddr::from((Ipv4Addr::LOCALHOST, client)),
        local: None,
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_session_is_its_flow_alone() {
    let now = Instant::now();
    let mut sessions = sessions(8);
    sessions.insert(flow(1), "a", now);
    assert_eq!(sessions.touch(&flow(1), now), Some(&"a"));
    let others = [
        flow(2),
        Flow {
            inlet: InletId(1),
            ..flow(1)
        },
        Flow {
            local: Some(Ipv4Addr::LOCALHOST.into()),
            ..flow(1)
        },
    ];
    for other in others {
        assert_eq!(sessions.touch(&other, now), None);
    }
}

#[test]
fn idle_sessions_expire_and_those_in_use_do_not() {
    let start = Instant::now();
    let mut sessions = sessions(8);
    sessions.insert(flow(1), "idle", start);
    sessions.insert(flow(2), "in use", start);
    assert_eq!(sessions.next_expiry(), Some(start + IDLE));
    sessions.touch(&flow(2), start + seconds(30));
    assert_eq!(
        sessions.expire(start + IDLE - seconds(1)),
        Vec::<&str>::new()
    );
    assert_eq!(sessions.expire(start + IDLE), ["idle"]);
    assert_eq!(sessions.next_expiry(), Some(start + seconds(30) + IDLE));
    assert_eq!(sessions.expire(start + seconds(89)), Vec::<&str>::new());
    assert_eq!(sessions.expire(start + seconds(90)), ["in use"]);
    assert_eq!(sessions.next_expiry(), None);
}

#[test]
fn the_one_idle_for_longest_makes_room() {
    let start = Instant::now();
    let mut sessions = sessions(3);
    for (client, name) in [(1, "a"), (2, "b"), (3, "c")] {
        let at = start + seconds(client.into());
        assert_eq!(sessions.insert(flow(client), name, at), Replaced::Nothing);
    }
    sessions.touch(&flow(1), start + seconds(4));
    sessions.touch(&flow(2), start + seconds(5));
    let at = start + seconds(6);
    assert_eq!(sessions.insert(flow(4), "d", at), Replaced::Evicted("c"));
    assert_eq!(sessions.insert(flow(5), "e", at), Replaced::Evicted("a"));
    assert_eq!(sessions.insert(flow(6), "f", at), Replaced::Evicted("b"));
    assert_eq!(sessions.insert(flow(7), "g", at), Replaced::Evicted("d"));
}

#[test]
fn a_flow_has_one_session() {
    let now = Instant::now();
    let mut sessions = sessions(1);
    sessions.insert(flow(1), "a", now);
    let replaced = sessions.insert(flow(1), "b", now);
    assert_eq!(replaced, Replaced::Earlier("a"));
    assert_eq!(sessions.expire(now + IDLE), ["b"]);
}

#[test]
fn a_limit_of_none_still_serves_one() {
    let now = Instant::now();
    let mut sessions = sessions(0);
    assert_eq!(sessions.insert(flow(1), "a", now), Replaced::Nothing);
    assert_eq!(sessions.insert(flow(2), "b", now), Replaced::Evicted("a"));
}

#[test]
fn only_the_session_that_is_meant_is_removed() {
    let now = Instant::now();
    let mut sessions = sessions(8);
    sessions.insert(flow(1), "a", now);
    assert_eq!(sessions.remove_if(&flow(1), |name| *name == "b"), None);
    assert_eq!(sessions.remove_if(&flow(1), |name| *name == "a"), Some("a"));
    assert_eq!(sessions.remove_if(&flow(1), |_| true), None);
    assert_eq!(sessions.next_expiry(), None);
}

#[test]
fn a_closed_socket_takes_its_sessions_with_it() {
    let start = Instant::now();
    let mut sessions = sessions(8);
    let other = Flow {
        inlet: InletId(1),
        ..flow(1)
    };
    sessions.insert(flow(1), "a", start);
    sessions.insert(flow(2), "b", start);
    sessions.insert(other, "c", start + seconds(1));
    sessions.touch(&flow(1), start + seconds(2));
    sessions.touch(&flow(2), start + seconds(3));
    let last = |counts: fn(&&str) -> bool| sessions.last_datagram(InletId(0), counts);
    assert_eq!(last(|_| true), Some(start + seconds(3)));
    assert_eq!(last(|name| *name == "a"), Some(start + seconds(2)));
    assert_eq!(last(|name| *name == "c"), None);
    assert_eq!(sessions.remove_inlet(InletId(0)), ["a", "b"]);
    assert_eq!(sessions.touch(&other, start), Some(&"c"));
}

#[test]
fn a_clock_that_steps_back_ages_nothing() {
    let start = Instant::now() + IDLE;
    let mut sessions = sessions(8);
    sessions.insert(flow(1), "a", start);
    sessions.touch(&flow(1), start - seconds(30));
    assert_eq!(sessions.expire(start + seconds(59)), Vec::<&str>::new());
}

/// Against a table that keeps the plain truth and searches it.
#[test]
fn any_course_of_events_ends_the_same_sessions_as_a_plain_list() {
    const CLIENTS: u64 = 12;
    let start = Instant::now();
    let mut sessions = Sessions::new(SessionLimits {
        idle: seconds(20),
        count: 8,
    });
    let mut plain: Vec<(u64, u64)> = Vec::new(); // client, last datagram
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for second in 0..10_000 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let now = start + seconds(second);
        let client = random % CLIENTS;
        let key = flow(u16::try_from(client).unwrap());
        let is_due = |&(_, last): &(u64, u64)| last + 20 <= second;
        let mut due: Vec<_> = plain.extract_if(.., |it| is_due(it)).collect();
        due.sort_by_key(|&(_, last)| last);
        let due: Vec<_> = due.into_iter().map(|(client, _)| client).collect();
        assert_eq!(sessions.expire(now), due, "second {second}");
        if random & 0x10000 == 0 {
            // A pause in which nothing comes.
        } else if let Some(known) = plain.iter_mut().find(|(known, _)| *known == client) {
            known.1 = second;
            assert_eq!(sessions.touch(&key, now), Some(&client));
        } else {
            let mut evicted = Replaced::Nothing;
            if plain.len() == 8 {
                let (oldest, _) = *plain.iter().min_by_key(|(_, last)| *last).unwrap();
                plain.retain(|(client, _)| *client != oldest);
                evicted = Replaced::Evicted(oldest);
            }
            plain.push((client, second));
            assert_eq!(sessions.insert(key, client, now), evicted);
        }
    }
}
