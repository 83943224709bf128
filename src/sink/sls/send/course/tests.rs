//! Rows read, settled and given back in any order.

use std::collections::BTreeSet;
use std::slice;

use proptest::prelude::*;

use super::*;

fn course(order: Order) -> Course {
    Course::new(order, Duration::from_secs(30))
}

#[test]
fn late_rows_are_left_behind_once_newer_ones_are_there() {
    let mut course = course(Order::NewestFirst);
    assert!(!course.is_late(1000, 31_000));
    assert!(course.is_late(1000, 31_001));
    course.leave_behind(101);
    assert_eq!(
        (course.after(Lane::Fresh), course.after(Lane::Backlog)),
        (100, 0)
    );
    assert!(course.owes());
    assert_eq!(
        course.take(Lane::Fresh, &(101..103)),
        slice::from_ref(&(101..103))
    );
    assert!(course.note_backlog(Some(&(1..5))));
    assert_eq!(
        course.take(Lane::Backlog, &(1..5)),
        slice::from_ref(&(1..5))
    );
    assert_eq!(
        (course.after(Lane::Fresh), course.after(Lane::Backlog)),
        (102, 4)
    );
    // The backlog ends where fresh rows begin.
    assert!(!course.note_backlog(Some(&(103..105))));
    assert!(!course.owes());
}

#[test]
fn oldest_first_leaves_nothing_behind() {
    assert!(!course(Order::OldestFirst).is_late(0, u64::MAX));
}

#[test]
fn gaps_are_bounded() {
    let mut course = course(Order::NewestFirst);
    for jump in 1..=u64::from(Course::JUMPS_MAX) {
        assert!(course.is_late(0, 60_000));
        course.leave_behind(jump * 10);
    }
    assert!(!course.is_late(0, 60_000));
    assert!(!course.note_backlog(None));
    assert!(course.is_late(0, 60_000));
}

#[test]
fn what_is_given_back_is_read_again_where_it_belongs() {
    let mut course = course(Order::NewestFirst);
    course.leave_behind(11);
    course.take(Lane::Backlog, &(1..11));
    course.take(Lane::Fresh, &(11..21));
    assert!(!course.note_backlog(None));
    course.give_back(&[3..5, 15..17]);
    assert!(course.owes());
    assert_eq!(
        (course.after(Lane::Fresh), course.after(Lane::Backlog)),
        (14, 2)
    );
    assert_eq!(
        course.take(Lane::Backlog, &(3..11)),
        slice::from_ref(&(3..5))
    );
    assert_eq!(
        course.take(Lane::Fresh, &(15..21)),
        slice::from_ref(&(15..17))
    );
}

/// Rows of two flow logs by turns, delivered in two requests.
#[test]
fn a_run_in_many_pieces_is_acknowledged_in_few() {
    let mut course = course(Order::NewestFirst);
    course.take(Lane::Fresh, &(1..21));
    let odd: Vec<_> = (1..21).step_by(2).map(|seq| seq..seq + 1).collect();
    let even: Vec<_> = (2..21).step_by(2).map(|seq| seq..seq + 1).collect();
    assert_eq!(course.settle(&odd), [1..2, 3..4, 5..6, 7..8]);
    // The last row brings all that was held.
    let last = [2..3, 4..5, 6..7, 8..21];
    assert_eq!(course.settle(&even), last);
    assert_eq!((course.taken, course.runs), Default::default());
}

#[test]
fn what_is_settled_and_held_is_neither_read_again_nor_forgotten() {
    let mut course = course(Order::NewestFirst);
    course.take(Lane::Fresh, &(1..21));
    let odd: Vec<_> = (1..21).step_by(2).map(|seq| seq..seq + 1).collect();
    course.settle(&odd);
    course.give_back(&[10..11, 12..13]);
    assert_eq!(course.after(Lane::Fresh), 9);
    let again = course.take(Lane::Fresh, &(10..21));
    assert_eq!(again, [10..11, 12..13]);
    assert_eq!(course.after(Lane::Fresh), 20);
    let held = [9..10, 11..12, 13..14, 15..16, 17..18, 19..20];
    assert_eq!(course.release(), held);
    assert_eq!(course.taken.end_at(9), None);
}

#[test]
fn rows_acknowledged_while_the_journal_is_asked_are_not_taken_again() {
    let mut course = course(Order::NewestFirst);
    course.take(Lane::Fresh, &(1..11));
    course.give_back(&[1..4, 6..11]);
    assert_eq!(course.after(Lane::Fresh), 0);
    let piece = slice::from_ref(&(4..6));
    assert_eq!(course.settle(piece), piece);
    let taken = course.take(Lane::Fresh, &(1..11));
    assert_eq!(taken, [1..4, 6..11]);
}

#[derive(Clone, Debug)]
enum Event {
    Read(bool, u64),
    Settle(usize),
    GiveBack(usize),
    Jump,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (any::<bool>(), 1_u64..9).prop_map(|(fresh, rows)| Event::Read(fresh, rows)),
        any::<usize>().prop_map(Event::Settle),
        any::<usize>().prop_map(Event::GiveBack),
        Just(Event::Jump),
    ]
}

/// The journal as the course sees it: rows 1 to `ROWS`.
fn next(settled: &BTreeSet<u64>, after: u64) -> Option<u64> {
    (after + 1..=ROWS).find(|row| !settled.contains(row))
}

const ROWS: u64 = 60;

proptest! {
    #[test]
    fn every_row_is_taken_until_it_is_settled_and_by_one(
        events in proptest::collection::vec(event(), 0..200),
    ) {
        let mut course = course(Order::NewestFirst);
        let mut settled = BTreeSet::new();
        let mut held: Vec<Range<u64>> = Vec::new();
        let drain = std::iter::repeat_n([Event::Read(true, 8), Event::Read(false, 8), Event::Settle(0)], 200);
        for event in events.into_iter().chain(drain.flatten()) {
            match event {
                Event::Read(is_fresh, rows) => {
                    let lane = if is_fresh { Lane::Fresh } else { Lane::Backlog };
                    let start = next(&settled, course.after(lane));
                    let end = |start: u64| {
                        let rows = start..(start + rows).min(ROWS + 1);
                        rows.clone().find(|row| settled.contains(row)).unwrap_or(rows.end)
                    };
                    let frame = start.map(|start| start..end(start));
                    if lane == Lane::Backlog && !course.note_backlog(frame.as_ref()) {
                        continue;
                    }
                    let Some(frame) = frame else { continue };
                    for part in course.take(lane, &frame) {
                        let fresh: Vec<_> = part.filter(|row| !settled.contains(row)).collect();
                        for row in fresh {
                            prop_assert!(held.iter().all(|held| !held.contains(&row)), "{row} twice");
                            held.push(row..row + 1);
                        }
                    }
                }
                Event::Settle(which) if !held.is_empty() => {
                    let rows = held.swap_remove(which % held.len());
                    let acknowledged = course.settle(slice::from_ref(&rows));
                    settled.extend(acknowledged.into_iter().flatten());
                }
                Event::GiveBack(which) if !held.is_empty() => {
                    let rows = held.swap_remove(which % held.len());
                    course.give_back(slice::from_ref(&rows));
                }
                Event::Jump => course.leave_behind(course.fresh_after + 7),
                Event::Settle(_) | Event::GiveBack(_) => {}
            }
        }
        let jumped_to = course.fresh_from;
        let missing: Vec<_> = (1..=ROWS).filter(|row| !settled.contains(row) && *row < jumped_to.max(ROWS + 1)).collect();
        prop_assert!(missing.is_empty(), "{missing:?} {course:?}");
    }
}
