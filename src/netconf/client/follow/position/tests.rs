//! Tests of the seam: over any stream and any cuts, each event is handed on once, in order.

use proptest::prelude::*;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn hand(position: &mut Position, time: i64, content: &str) {
    let mark = position.mark(at(time), content.as_bytes());
    position.advance(&at(time).to_string(), mark);
}

#[test]
fn a_replay_that_does_not_reach_back_is_told() {
    let mut position = Position::default();
    assert!(!position.seam().is_open(), "nothing was handed on: nothing is expected");
    hand(&mut position, 5, "a");
    hand(&mut position, 5, "b");
    let mut seam = position.seam();
    // The log begins later.
    assert!(seam.is_new(position.mark(at(6), b"c")) && seam.is_open());
    // It begins earlier, and is joined.
    let mut seam = position.seam();
    assert!(!seam.is_new(position.mark(at(4), b"z")) && !seam.is_new(position.mark(at(5), b"a")));
    assert!(!seam.is_open());
    // Another of the same time, and the same content at another time, are new; and so is all after the end of the replay.
    assert!(seam.is_new(position.mark(at(5), b"c")) && seam.is_new(position.mark(at(6), b"a")));
    assert!(!seam.is_new(position.mark(at(5), b"b")));
    seam.close();
    assert!(seam.is_new(position.mark(at(5), b"b")));
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut position = Position::default();
    for i in 0..REMEMBERED + 10 {
        hand(&mut position, 1, &i.to_string());
    }
    assert_eq!(position.handed.len(), REMEMBERED);
    hand(&mut position, 2, "later");
    assert_eq!(position.handed.len(), EARLIER + 1);
    assert_eq!(position.seam().repeated.len(), 1, "no replay from now on repeats what is earlier");
}

proptest! {
    #[test]
    fn each_event_once_and_in_order(
        // Times that stand still, go forward, and now and then back; contents that repeat.
        steps in prop::collection::vec((prop_oneof![4 => Just(0), 4 => 1..3_i64, 1 => -5..0_i64], 0..3_u8), 1..60),
        // After how many further events the connection breaks.
        cuts in prop::collection::vec(0..12_usize, 0..12),
    ) {
        let mut time = 1_000;
        let log: Vec<(i64, u8)> = steps.iter().map(|(step, content)| { time += step; (time, *content) }).collect();
        let mut position = Position::default();
        let mut handed = Vec::new();
        for live in cuts.iter().copied().chain([usize::MAX]) {
            let start = position.seam().start;
            // A server replays its log from the first event that is not before the start.
            let replay = log.iter().skip_while(|(time, _)| start.is_some_and(|start| at(*time) < start));
            let mut seam = position.seam();
            let mut new = 0;
            for (time, content) in replay {
                if new == live {
                    break;
                }
                let mark = position.mark(at(*time), &[*content]);
                if seam.is_new(mark) {
                    prop_assert!(!seam.is_open());
                    new += 1;
                    handed.push((*time, *content));
                    position.advance(&at(*time).to_string(), mark);
                }
            }
        }
        prop_assert_eq!(handed, log);
    }
}
