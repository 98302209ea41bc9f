use portcullis_api::status::{ConditionReason, ConditionStatus, ConditionType};

use super::*;

fn time(seconds: i64) -> Time {
    Time(jiff::Timestamp::from_second(seconds).unwrap())
}

fn said(status: ConditionStatus, reason: ConditionReason, at: Option<i64>) -> GatewayStatus {
    GatewayStatus {
        conditions: vec![Condition {
            r#type: ConditionType::Accepted,
            status,
            reason,
            message: String::new(),
            observed_generation: Some(1),
            last_transition_time: at.map(time),
        }],
        ..GatewayStatus::default()
    }
}

fn carried(old: Option<&GatewayStatus>, mut new: GatewayStatus) -> Option<Time> {
    carry_transition_times(old, &mut new, &time(200));
    new.conditions[0].last_transition_time.clone()
}

#[test]
fn the_time_stays_while_the_status_stays_whatever_the_reason() {
    let old = said(ConditionStatus::True, ConditionReason::Accepted, Some(100));
    let new = said(
        ConditionStatus::True,
        ConditionReason::ListenersNotValid,
        None,
    );
    assert_eq!(carried(Some(&old), new), Some(time(100)));
}

#[test]
fn the_time_is_now_when_the_status_changes_or_is_new() {
    let old = said(ConditionStatus::False, ConditionReason::Invalid, Some(100));
    let new = said(ConditionStatus::True, ConditionReason::Accepted, None);
    assert_eq!(carried(Some(&old), new.clone()), Some(time(200)));
    assert_eq!(carried(None, new), Some(time(200)));
}
